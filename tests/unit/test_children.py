"""Programs that are asked for something end with whoever asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wrapper import children

# A child that interrupts its parent before it becomes the program: the parent is still starting it.
EARLY = """\
import os, signal, sys
from wrapper import children

def interrupt():
    with open(sys.argv[1], "w") as stream:
        stream.write(str(os.getpid()))
    os.kill(os.getppid(), signal.{signal})

signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
children.run(["sleep", "60"], preexec_fn=interrupt, start_new_session={session})
"""


@pytest.mark.parametrize("session", [False, True])
@pytest.mark.parametrize(("name", "code"), [("SIGINT", -2), ("SIGTERM", 143)])
def test_a_child_that_is_being_started_ends_too(
    tmp_path: Path, name: str, code: int, session: bool
) -> None:
    program = EARLY.format(signal=name, session=session)
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "pid")],
        timeout=60, check=False, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert done.returncode == code, done.stderr.decode()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_signals_mean_what_they_meant_before() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    assert children.run(["true"]).returncode == 0
    assert [signal.getsignal(number) for number in numbers] == before


def test_what_is_ignored_stays_ignored_in_the_child() -> None:
    asked = 'trap \'\' HUP; exec "$0" -c "$1"'
    program = (
        "from wrapper import children; "
        "print(children.run(['sh', '-c', 'kill -HUP $$; echo alive'], stdout=-1).stdout)"
    )
    done = subprocess.run(
        ["sh", "-c", asked, sys.executable, program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "b'alive\\n'\n"


def test_what_goes_in_and_what_comes_out() -> None:
    done = children.run(["sh", "-c", "cat; echo e >&2; exit 3"], data=b"x", stdout=-1, stderr=-1)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"x", b"e\n")


def test_who_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    for seconds in (0.5, 5, 30):  # in which a busy machine may not come to it
        with pytest.raises(subprocess.TimeoutExpired):
            children.run(
                ["sh", "-c", f"sleep 600 & echo $! > {note}.new; mv {note}.new {note}; wait"],
                seconds=seconds, stdout=-1, start_new_session=True,
            )  # fmt: skip
        if note.exists():
            break
    ends = time.monotonic() + 60
    while _lives(int(note.read_text())):
        assert time.monotonic() < ends
        time.sleep(0.01)


def _lives(pid: int) -> bool:
    """Say whether a process runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
