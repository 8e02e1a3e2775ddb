"""Turns in a component's directory: runs of one stack share it, nobody changes it under them.

The workspace, the backend file and the data directory belong to the directory, not to the stack. A
run that finds them as it needs them shares the directory with others that do; one that has to
change them waits until it is alone.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
import sys
import time
from collections.abc import Callable, Mapping

from wrapper.errors import Interrupted, StoreError
from wrapper.files import make_private_dir, open_lock, state_dir
from wrapper.typed import NamedTuple

_PAUSE = 0.1
# How `struct flock` lies in memory, and where the pid stands in it.
_FLOCK, _PID = ("qqihh", 2) if sys.platform == "darwin" else ("hhqqi", 4)


class Turn(NamedTuple):
    """A turn that is held as long as this process, or the program it becomes, lives.

    The lock is one of the process: children do not get it, so that what a run leaves in the
    background holds nothing. `descriptor` is -1 when an ancestor holds the turn already: a run
    inside a run must not wait for itself.
    """

    descriptor: int

    def end(self) -> None:
        """Let the next run start."""
        if self.descriptor >= 0:
            os.close(self.descriptor)

    def sign(self, label: str, *, beside: bool = False) -> None:
        """Say to those who wait who holds the directory; `beside` others, only if they do not.

        Raises: StoreError.
        """
        if self.descriptor >= 0 and not (beside and _is_alive(_signer(self.descriptor)[0])):
            try:
                os.ftruncate(self.descriptor, 0)
                os.pwrite(self.descriptor, f"{os.getpid()} {label}\n".encode(), 0)
            except OSError as error:
                raise StoreError(
                    f"cannot write a lock of the component's directory: {error.strerror}",
                    hint="check the disk of XDG_STATE_HOME",
                ) from error

    def share(self) -> None:
        """Let runs in that change nothing; nobody gets in between that does."""
        if self.descriptor >= 0:
            fcntl.lockf(self.descriptor, fcntl.LOCK_SH)

    def is_alone(self) -> bool:
        """Say whether nobody else is in, and keep it so."""
        return self.descriptor < 0 or _is_free(self.descriptor, fcntl.LOCK_EX)

    def hand_over(self) -> None:
        """Let the program that this process becomes keep the turn."""
        if self.descriptor >= 0:
            os.set_inheritable(self.descriptor, True)


def _lock_of(directory: str, environ: Mapping[str, str]) -> str:
    name = hashlib.sha256(os.path.realpath(directory).encode()).hexdigest()[:16]
    return os.path.join(state_dir(environ), "turns", f"{name}.lock")


def last(directory: str, environ: Mapping[str, str]) -> float:
    """Return when the last run signed for a directory, in seconds since the epoch; 0 for never."""
    try:
        return os.stat(_lock_of(directory, environ)).st_mtime
    except OSError:
        return 0.0


def take(
    directory: str,
    environ: Mapping[str, str],
    waiting: Callable[[str], None],
    *,
    shared: bool = False,
    given_up: Callable[[], bool] | None = None,
) -> Turn:
    """Wait until no other run stands in the way, then hold the directory.

    `waiting` is called once with who is in front; once `given_up` says so, nobody waits longer.
    Raises: StoreError, Interrupted.
    """
    path = _lock_of(directory, environ)
    make_private_dir(os.path.dirname(path))
    descriptor = open_lock(path)
    told = False
    while not _is_free(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX):
        if _holder(descriptor, shared=shared) in _ancestors():
            os.close(descriptor)
            return Turn(-1)
        if given_up is not None and given_up():
            os.close(descriptor)
            raise Interrupted("stopped while waiting for another run")
        time.sleep(_PAUSE)
        if not told:
            pid, who = _signer(descriptor)
            waiting(f"{who or 'somebody'} (pid {pid})")
            told = True
    return Turn(descriptor)


def _holder(descriptor: int, *, shared: bool) -> int:
    """Return the pid of a process whose lock stands in the way; 0 when it has gone meanwhile."""
    kind = fcntl.F_RDLCK if shared else fcntl.F_WRLCK
    asked = [kind, os.SEEK_SET, 0, 0, 0] if _PID == 4 else [0, 0, 0, kind, os.SEEK_SET]
    answer = fcntl.fcntl(descriptor, fcntl.F_GETLK, struct.pack(_FLOCK, *asked))
    found = struct.unpack(_FLOCK, answer)
    held_by: int = found[_PID]
    return held_by


def _ancestors() -> set[int]:
    """Return the pids of the processes that this one descends from, as far as they can be seen."""
    found: set[int] = set()
    pid = os.getppid()
    while pid > 1 and pid not in found:
        found.add(pid)
        pid = _parent(pid)
    return found


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            # The name in brackets may hold anything; the parent is the second field behind it.
            return int(stream.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return _parent_by_ps(pid)


def _parent_by_ps(pid: int) -> int:
    """Return a process's parent where there is no /proc; 0 when it cannot be told."""
    import subprocess

    asked = ["ps", "-o", "ppid=", "-p", str(pid)]
    try:
        told = subprocess.run(asked, capture_output=True, check=False, timeout=5).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return int(told) if told.strip().isdigit() else 0


def _signer(descriptor: int) -> tuple[str, str]:
    """Return pid and label of who signed last."""
    pid, _, who = os.pread(descriptor, 500, 0).decode("utf-8", "replace").partition(" ")
    return pid, who.strip()


def _is_alive(pid: str) -> bool:
    if not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _is_free(descriptor: int, how: int) -> bool:
    try:
        fcntl.lockf(descriptor, how | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
