"""Programs that are asked for something and waited for; none outlives an interrupt of ours."""

from __future__ import annotations

import contextlib

from wrapper.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence
    from types import FrameType
    from typing import Any


def run(
    argv: Sequence[str], *, data: bytes | None = None, seconds: float | None = None, **options: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end; return its exit code, and what was printed into pipes.

    `data` goes to its standard input, `options` to `subprocess.Popen`. It is killed when anything
    interrupts. Raises: OSError, subprocess.TimeoutExpired after `seconds`.
    """
    import subprocess

    if data is not None:
        options["stdin"] = subprocess.PIPE
    with started(argv, **options) as child:
        out, err = child.communicate(data, seconds)
    return subprocess.CompletedProcess(child.args, child.returncode, out, err)


@contextlib.contextmanager
def started(argv: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program; it is killed, with its session if it has its own, when the block is left early.

    Raises: OSError.
    """
    import subprocess

    child = None
    try:
        with _held():
            child = subprocess.Popen(list(argv), **options)
        yield child
    except BaseException:
        if child is not None:
            end(child, group=bool(options.get("start_new_session")))
        raise


def end(child: subprocess.Popen[bytes], *, group: bool = False) -> None:
    """Kill a program, or with `group` its whole session, and wait for it."""
    import os
    import signal

    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            if group:
                os.killpg(child.pid, signal.SIGKILL)
            else:
                child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):  # what it did not read is not wanted any more
                pipe.close()


@contextlib.contextmanager
def _held() -> Iterator[None]:
    """Let signals that end us wait: in the midst of a start the child would be nobody's."""
    import signal
    import threading

    came: list[int] = []
    before: dict[signal.Signals, Any] = {}

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    try:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                if callable(signal.getsignal(number)):
                    before[number] = signal.signal(number, note)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for late in came:
            signal.raise_signal(late)
