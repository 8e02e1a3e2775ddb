"""Programs: handing this process over to one, or running one as a child with its signals."""

from __future__ import annotations

import os
import signal
from typing import IO, TYPE_CHECKING, NamedTuple, NoReturn

from wrapper.errors import ToolMissing, UsageError, WrapError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType


class Child(NamedTuple):
    """A program to run. `argv[0]` is looked up in the PATH of `env`.

    `quiet` hides standard output, `to_stderr` sends it to standard error. `login` makes a shell a
    login shell.
    """

    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str]
    quiet: bool = False
    to_stderr: bool = False
    login: bool = False


FORWARDED = (signal.SIGTERM, signal.SIGHUP)
# Python ignores these; a program we start must find them as usual.
_RESTORED = tuple(getattr(signal, name) for name in ("SIGPIPE", "SIGXFSZ") if hasattr(signal, name))


def find(program: str, env: Mapping[str, str], cwd: str, hint: str | None = None) -> str:
    """Return the path of a program as a shell in `cwd` would find it.

    Raises: ToolMissing.
    """
    if "/" in program:
        candidates = [os.path.join(cwd, program)]
    else:
        path = env.get("PATH", os.defpath)
        candidates = [os.path.join(cwd, part or ".", program) for part in path.split(os.pathsep)]
    for candidate in candidates:
        if os.access(candidate, os.X_OK) and not os.path.isdir(candidate):
            return candidate
    raise ToolMissing(
        f'the program "{program}" is not there',
        hint=hint or "install it, or put its directory into PATH",
    )


def execute(child: Child) -> NoReturn:
    """Become the program: this process is it from now on. Nothing of ours runs afterwards.

    Raises: ToolMissing, WrapError when it cannot be started.
    """
    path = find(child.argv[0], child.env, child.cwd)
    name = "-" + os.path.basename(path) if child.login else child.argv[0]
    _enter(child.cwd)
    for number in _RESTORED:
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execve(path, [name, *child.argv[1:]], dict(child.env))
    except OSError as error:
        raise _not_started(path, error) from error


def replace(argv: Sequence[str], *, cwd: str, environ: Mapping[str, str]) -> NoReturn:
    """Become a program, given as an argument list. Raises: ToolMissing, WrapError."""
    execute(Child(tuple(argv), cwd, environ))


def spawn(child: Child, stderr: IO[bytes] | None = None) -> int:
    """Run the program as a child and wait; return its exit code, 128+n when signal n ended it.

    SIGINT and SIGQUIT reach it from the terminal, which sends them to the whole process group;
    they are passed on only when we are not in the foreground of a terminal. SIGTERM and SIGHUP
    are passed on always. Without a terminal it gets a process group of its own: whoever stops it
    (`timeout`, a build machine) often signals our whole group, and Terraform takes a second
    signal for the order to drop everything. Standard error goes to `stderr` when given.

    Raises: ToolMissing, WrapError when it cannot be started.
    """
    import subprocess

    path = find(child.argv[0], child.env, child.cwd)
    waiting: list[int] = []
    running: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int, _frame: FrameType | None) -> None:
        if running:
            running[0].send_signal(number)
        else:
            waiting.append(number)

    def leave(number: int, _frame: FrameType | None) -> None:
        if not in_foreground():
            pass_on(number, _frame)

    before = {number: signal.signal(number, pass_on) for number in FORWARDED}
    before |= {number: signal.signal(number, leave) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        try:
            started = subprocess.Popen(
                list(child.argv),
                executable=path,
                cwd=child.cwd,
                env=dict(child.env),
                stdin=subprocess.DEVNULL if child.quiet else None,
                stdout=subprocess.DEVNULL if child.quiet else 2 if child.to_stderr else None,
                stderr=stderr,
                process_group=None if has_terminal() else 0,
            )
        except OSError as error:
            raise _not_started(path, error) from error
        running.append(started)
        for number in waiting:
            started.send_signal(number)
        code = started.wait()
    finally:
        for restored, handler in before.items():
            signal.signal(restored, handler)
    return code if code >= 0 else 128 - code


def has_terminal() -> bool:
    """Say whether this process has a controlling terminal."""
    descriptor = _terminal()
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is not None


def _terminal() -> int | None:
    try:
        return os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None


def in_foreground() -> bool:
    """Say whether the terminal sends its signals to our process group."""
    descriptor = _terminal()
    if descriptor is None:
        return False
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _enter(directory: str) -> None:
    try:
        os.chdir(directory)
    except OSError as error:
        raise UsageError(f"cannot change to {directory}: {error.strerror}") from error


def _not_started(path: str, error: OSError) -> WrapError:
    import errno

    if error.errno in (errno.ENOENT, errno.ENOEXEC, errno.EACCES):
        return ToolMissing(f"cannot start {path}: {error.strerror}")
    if error.errno == errno.E2BIG:
        return UsageError(
            f"cannot start {path}: {error.strerror}",
            hint="the arguments and the environment together are too long",
        )
    return WrapError(f"cannot start {path}: {error.strerror}")
