"""How a program on a terminal ends: by itself, or because its window is gone.

pexpect's own close() waits a tenth of a second for each signal; a machine at work needs more.
"""

from __future__ import annotations

import signal
import time

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
