"""`make demo` shows what it says, and leaves nothing running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes import aws

Start = Callable[[], subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path, tool: Callable[[str], str], home: Path) -> Iterator[Start]:
    """Return a function that starts the demo in a process group of its own."""
    started: list[subprocess.Popen[str]] = []
    path = os.pathsep.join([str(Path(tool("terraform")).parent), os.defpath])

    def begin() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "tests.fakes.demo", str(tmp_path / "demo")],
            cwd=aws.CLONE,
            env={"HOME": str(home), "PATH": path, "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _left_over(place: Path) -> list[str]:
    """Return the arguments of processes that name a place or work in it, and go on to."""
    until = time.monotonic() + 60
    while (found := _at(place)) and time.monotonic() < until:
        time.sleep(0.05)
    return found


def _at(place: Path) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            arguments = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            directory = os.readlink(entry / "cwd")
        except OSError:
            continue
        if str(place) in arguments or directory.startswith(str(place)):
            found.append(arguments)
    return found


def test_the_demo_runs_to_its_end(start: Start, tmp_path: Path) -> None:
    output, _ = start().communicate(timeout=280)
    assert "=== Done in" in output
    assert "arn:aws:sts::333333333333:assumed-role/deploy/alice-prod" in output
    assert "app/prod/terraform.tfstate" in output
    assert 'identity "prod-deplyo" is not defined' in output
    assert _left_over(tmp_path / "demo") == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_demo_leaves_nothing_running(
    start: Start, tmp_path: Path, number: signal.Signals
) -> None:
    process = start()
    assert process.stdout is not None
    for line in process.stdout:
        if "terraform apply" in line:
            break
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as the terminal does
    else:
        process.send_signal(number)
    process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert _left_over(tmp_path / "demo") == []
