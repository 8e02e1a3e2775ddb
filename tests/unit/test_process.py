"""Programs run as children and in our place: exit status, signals, what is inherited."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wrapper import process
from wrapper.errors import ToolMissing

ENV = {"PATH": os.environ["PATH"]}


def child(script: str, tmp_path: Path, **more: bool) -> process.Child:
    return process.Child(("sh", "-c", script), str(tmp_path), ENV, **more)


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 0", 0), ("exit 2", 2), ("kill -TERM $$", 143), ("kill -KILL $$", 137)],
)
def test_a_childs_end_is_our_exit_code(script: str, code: int, tmp_path: Path) -> None:
    assert process.spawn(child(script, tmp_path)) == code


def test_a_child_gets_exactly_its_environment_and_directory(tmp_path: Path) -> None:
    script = "pwd > out; env | cut -d= -f1 | grep -v -e '^_$' -e PWD -e SHLVL >> out"
    process.spawn(child(script, tmp_path))
    assert (tmp_path / "out").read_text().split() == [str(tmp_path), "PATH"]


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match='the program "no-such-thing" is not there'):
        process.spawn(process.Child(("no-such-thing",), str(tmp_path), ENV))


def test_a_directory_is_no_program(tmp_path: Path) -> None:
    (tmp_path / "terraform").mkdir()
    with pytest.raises(ToolMissing):
        process.find("terraform", {"PATH": str(tmp_path)}, str(tmp_path))


def _start(body: str) -> subprocess.Popen[bytes]:
    """Start Python on `body` in a session of its own, without a terminal."""
    text = "from wrapper import process\nimport os\nenv = dict(os.environ)\n" + body
    return subprocess.Popen(
        [sys.executable, "-c", text], stdout=subprocess.PIPE, start_new_session=True
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_reaches_the_child_and_its_answer_is_ours(number: signal.Signals) -> None:
    script = (
        f"trap 'exit 42' {number.name[3:]}; echo ready; "
        "i=0; while [ $i -lt 2000 ]; do sleep 0.05; i=$((i+1)); done"
    )
    body = f"import sys\nsys.exit(process.spawn(process.Child(('sh', '-c', {script!r}), '/', env)))"
    with _start(body) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"ready\n"
        os.kill(running.pid, number)
        assert running.wait(timeout=60) == 42


def test_execute_leaves_no_parent_and_no_ignored_signal() -> None:
    script = "echo $$; grep SigIgn /proc/$$/status 2>/dev/null || echo SigIgn: 0"
    running = _start(f"process.execute(process.Child(('sh', '-c', {script!r}), '/', env))")
    output, _ = running.communicate(timeout=60)
    pid, ignored = output.decode().splitlines()
    assert int(pid) == running.pid
    assert int(ignored.split()[1], 16) & (1 << (signal.SIGPIPE - 1)) == 0


def test_execute_of_a_login_shell_says_so_in_its_name() -> None:
    running = _start(
        "process.execute(process.Child(('sh', '-c', 'echo $0'), '/', env, login=True))"
    )
    output, _ = running.communicate(timeout=60)
    assert output == b"-sh\n"


def test_a_quiet_child_prints_nothing_and_reads_nothing(tmp_path: Path) -> None:
    process.spawn(child("cat; echo noise; cat > got", tmp_path, quiet=True))
    assert (tmp_path / "got").read_text() == ""
