"""One run at a time in a component's directory, so that nobody selects a workspace under another."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from wrapper.errors import StoreError
from wrapper.files import make_private_dir, state_dir

# Names the turns that this process's ancestors hold: a run inside a run must not wait for itself.
HELD = "_ATMOS_WRAP_TURNS"
_PAUSE = 0.1
# Looks in a row at a holder that is gone; a new holder writes its name within one.
_GONE = 10


class Turn(NamedTuple):
    """A turn that is held as long as `descriptor` is open here or in the program we become.

    `descriptor` is -1 when an ancestor holds the turn already.
    """

    name: str
    descriptor: int

    def environ(self, env: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of the program that holds the turn."""
        held = [*filter(None, env.get(HELD, "").split(":")), self.name]
        return {**env, HELD: ":".join(dict.fromkeys(held))}

    def end(self) -> None:
        """Let the next run start."""
        if self.descriptor >= 0:
            os.close(self.descriptor)

    def hand_over(self) -> None:
        """Let the program that this process becomes keep the turn."""
        if self.descriptor >= 0:
            os.set_inheritable(self.descriptor, True)


def take(
    directory: str, environ: Mapping[str, str], label: str, waiting: Callable[[str], None]
) -> Turn:
    """Wait until no other run uses the directory, then hold it.

    `waiting` is called once with who is in front. A holder whose process is gone does not count:
    a program that it left in the background may still keep its lock file open.

    Raises: StoreError.
    """
    name = hashlib.sha256(os.path.realpath(directory).encode()).hexdigest()[:16]
    if name in environ.get(HELD, "").split(":"):
        return Turn(name, -1)
    folder = os.path.join(state_dir(environ), "turns")
    make_private_dir(folder)
    path = os.path.join(folder, f"{name}.lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"cannot lock {path}: {error.strerror}") from error
    told, gone = False, 0
    while not _is_free(descriptor):
        holder = os.pread(descriptor, 500, 0).decode("utf-8", "replace")
        pid, _, who = holder.partition(" ")
        gone = gone + 1 if pid.isdecimal() and not _is_alive(int(pid)) else 0
        if gone > _GONE:
            break
        if not told and who:
            waiting(f"{who.strip()} (pid {pid})")
            told = True
        time.sleep(_PAUSE)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()} {label}\n".encode(), 0)
    return Turn(name, descriptor)


def _is_free(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
