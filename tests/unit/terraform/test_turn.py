"""One run at a time in a component's directory."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wrapper.errors import Interrupted
from wrapper.terraform import turn

HOLDER = """
import os, sys, time
from wrapper import process
from wrapper.terraform import turn
directory, state, how = sys.argv[1:]
shared = how == "share"
held = turn.take(directory, {"XDG_STATE_HOME": state}, print, shared=shared)
held.sign("plan")
if how == "downgrade":
    held.share()
print("held", flush=True)
if how == "become":
    held.hand_over()
    process.execute(process.Child(("sleep", "300"), "/", dict(os.environ)))
if how in ("share", "downgrade"):
    time.sleep(300)
if how == "leave":
    held.hand_over()
    os.spawnvp(os.P_NOWAIT, "sleep", ["sleep", "300"])
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_STATE_HOME": str(tmp_path / "state")}


def _hold(directory: Path, environ: dict[str, str], how: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(directory), environ["XDG_STATE_HOME"], how],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def test_a_run_waits_for_the_program_that_another_run_became(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    told: list[str] = []
    with _hold(tmp_path, environ, "become") as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"

        def end(who: str) -> None:
            told.append(who)
            holder.kill()

        turn.take(str(tmp_path), environ, end).end()
    assert told == [f"plan (pid {holder.pid})"]


@pytest.mark.parametrize("how", ["share", "downgrade"])
def test_runs_that_change_nothing_share_the_directory(
    tmp_path: Path, environ: dict[str, str], how: str
) -> None:
    with _hold(tmp_path, environ, how) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        mine = turn.take(str(tmp_path), environ, pytest.fail, shared=True)
        assert not mine.is_alone()
        holder.kill()
        holder.wait()
        assert mine.is_alone()
        mine.end()


def test_a_run_that_changes_something_waits_for_those_that_share(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    told: list[str] = []
    with _hold(tmp_path, environ, "share") as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"

        def end(who: str) -> None:
            told.append(who)
            holder.kill()

        turn.take(str(tmp_path), environ, end).end()
    assert told == [f"plan (pid {holder.pid})"]


def test_what_a_finished_run_left_in_the_background_does_not_count(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    with _hold(tmp_path, environ, "leave") as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert holder.wait(timeout=60) == 0
        turn.take(str(tmp_path), environ, pytest.fail).end()
        os.killpg(holder.pid, 9)


def test_another_directory_needs_no_waiting(tmp_path: Path, environ: dict[str, str]) -> None:
    first = turn.take(str(tmp_path / "a"), environ, pytest.fail)
    turn.take(str(tmp_path / "b"), environ, pytest.fail).end()
    first.end()


def test_a_run_inside_a_run_does_not_wait_for_itself(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    held = turn.take(str(tmp_path), environ, pytest.fail)
    inner = (
        "import os, sys; from wrapper.terraform import turn; "
        "print(turn.take(sys.argv[1], os.environ, sys.exit).descriptor)"
    )
    asked = ["sh", "-c", '"$0" "$@"; exit $?', sys.executable, "-c", inner, str(tmp_path)]
    done = subprocess.run(
        asked, env={**os.environ, **environ}, capture_output=True, timeout=60, check=False
    )
    held.end()

    assert (done.returncode, done.stdout, done.stderr) == (0, b"-1\n", b"")


def test_only_a_turn_that_is_handed_over_outlives_exec(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    held = turn.take(str(tmp_path), environ, pytest.fail)
    assert fcntl.fcntl(held.descriptor, fcntl.F_GETFD) == fcntl.FD_CLOEXEC
    held.hand_over()
    assert fcntl.fcntl(held.descriptor, fcntl.F_GETFD) == 0
    held.end()


def test_who_gives_up_waits_no_longer(tmp_path: Path, environ: dict[str, str]) -> None:
    with _hold(tmp_path, environ, "become") as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Interrupted):
            turn.take(str(tmp_path), environ, print, given_up=lambda: True)
        holder.kill()
