"""Turns in a component's directory: runs of one stack share it, nobody changes it under them.

The workspace, the backend file and the data directory belong to the directory, not to the stack. A
run that finds them as it needs them shares the directory with others that do; one that has to
change them waits until it is alone.
"""

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
# It does not begin with ATMOS_: what Terraform sees of these is what Atmos sets, and nothing more.
HELD = "_ATMOS_WRAP_TURNS"
_PAUSE = 0.1


class Turn(NamedTuple):
    """A turn that is held as long as this process, or the program it becomes, lives.

    The lock is one of the process: children do not get it, so that what a run leaves in the
    background holds nothing. `descriptor` is -1 when an ancestor holds the turn already.
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

    def sign(self, label: str, *, beside: bool = False) -> None:
        """Say to those who wait who holds the directory; `beside` others, only if they do not."""
        if self.descriptor >= 0 and not (beside and _is_alive(_signer(self.descriptor)[0])):
            os.ftruncate(self.descriptor, 0)
            os.pwrite(self.descriptor, f"{os.getpid()} {label}\n".encode(), 0)

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


def take(
    directory: str,
    environ: Mapping[str, str],
    waiting: Callable[[str], None],
    *,
    shared: bool = False,
) -> Turn:
    """Wait until no other run stands in the way, then hold the directory.

    `waiting` is called once with who is in front. Raises: StoreError.
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
    told = False
    while not _is_free(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX):
        time.sleep(_PAUSE)
        if not told:
            pid, who = _signer(descriptor)
            waiting(f"{who or 'somebody'} (pid {pid})")
            told = True
    return Turn(name, descriptor)


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
