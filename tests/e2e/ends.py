"""How things end: a program on a terminal, what it left in the background, the time of a session.

pexpect's own close() waits a tenth of a second for each signal; a machine at work needs more.
"""

from __future__ import annotations

import inspect
import json
import os
import signal
import time
from pathlib import Path

import pexpect

# Seconds that a program has after its window is gone.
PATIENCE = 5.0


def ended(child: pexpect.spawn[str]) -> int | None:
    """Wait until a program has ended by itself; return its status, none if a signal ended it.

    What it printed last is in `child.before`, the signal in `child.signalstatus`.
    """
    child.expect(pexpect.EOF)
    child.wait()
    child.close()
    return child.exitstatus


def hang_up(child: pexpect.spawn[str]) -> None:
    """Close a program's window; end it if it stays nevertheless."""
    child.ptyproc.fileobj.close()  # type: ignore[attr-defined]
    until = time.monotonic() + PATIENCE
    while child.isalive():
        if time.monotonic() > until:
            child.kill(signal.SIGKILL)
            child.wait()
        time.sleep(0.005)
    child.close()


def sessions_over(state: Path, longest: float = 600.0) -> None:
    """Let the kept sessions that live for `longest` seconds at most be over, as time does."""
    for file in state.glob("realms/*/sessions/*.json"):
        kept = json.loads(file.read_text())
        if kept["expires"] - kept["issued"] <= longest:
            file.write_text(json.dumps({**kept, "expires": kept["issued"]}))


# Seconds of a session so short that boto3 asks for another one before each request.
SHORT = 500.0
# Python for a child: the same; its last argument is the state directory.
OVER = f"""
import json, sys
from pathlib import Path
{inspect.getsource(sessions_over)}
sessions_over(Path(sys.argv[-1]))
"""


def left_alone(home: Path) -> None:
    """Wait until no process with this home directory runs."""
    mark, until = f"HOME={home}\0".encode(), time.monotonic() + 60
    while any(mark in environ for environ in _environs()):
        assert time.monotonic() < until, "something still runs"
        time.sleep(0.02)


def _environs() -> list[bytes]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if int(process.name) != os.getpid():
                found.append((process / "environ").read_bytes())
        except OSError:
            continue
    return found
