"""Programs: handing this process over to one, or running one as a child with its signals."""

from __future__ import annotations

import os
import signal

from wrapper.errors import ToolMissing, UsageError, WrapError
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence
    from types import FrameType
    from typing import IO, NoReturn, Self


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


def shell(command: str, cwd: str, environ: Mapping[str, str]) -> Child:
    """Return a command line as a program: by bash, where there is none by sh."""
    name = "bash"
    try:
        find(name, environ, cwd)
    except ToolMissing:
        name = "sh"
    return Child((name, "-c", command), cwd, environ)


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


class Streams(NamedTuple):
    """Where a child's standard streams lead: descriptors, -3 for nowhere; None is where ours do."""

    stdin: int | None = None
    stdout: int | None = None
    stderr: int | None = None


class Signals:
    """The signals that reach this process while children run: each is passed on to each child.

    SIGINT and SIGQUIT reach them from the terminal, which sends them to the whole process group;
    they are passed on only when we are not in the foreground of a terminal. SIGTERM and SIGHUP
    are passed on always. Entered in the main thread; children of other threads may join then.
    `received` is the last signal, 0 when there was none.
    """

    def __init__(self) -> None:
        self.received = 0
        self._passed: list[int] = []
        self._children: dict[subprocess.Popen[bytes], int] = {}
        self._before: dict[signal.Signals, Any] = {}
        self._entered = 0

    def __enter__(self) -> Self:
        """Take the signals, unless that has been done."""
        self._entered += 1
        if self._entered == 1:
            self._passed = []
            for number in (*FORWARDED, signal.SIGINT, signal.SIGQUIT):
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        """Give the signals back."""
        self._entered -= 1
        if self._entered == 0:
            for number, handler in self._before.items():
                signal.signal(number, handler)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self.received = number
        if number in FORWARDED or not in_foreground():
            self._passed.append(number)
            for child in list(self._children):
                self._deliver(child)

    def join(self, child: subprocess.Popen[bytes]) -> None:
        """Let a child have what came while it was being started, and what comes from now on."""
        self._children[child] = 0
        self._deliver(child)

    def part(self, child: subprocess.Popen[bytes]) -> None:
        """Forget a child that has ended."""
        self._children.pop(child, None)

    def _deliver(self, child: subprocess.Popen[bytes]) -> None:
        # Counted before it is sent: this may be interrupted by itself, and Terraform takes a
        # second signal for the order to drop everything.
        while (sent := self._children.get(child, len(self._passed))) < len(self._passed):
            self._children[child] = sent + 1
            child.send_signal(self._passed[sent])


def spawn(
    child: Child,
    stderr: IO[bytes] | None = None,
    *,
    signals: Signals | None = None,
    streams: Streams = Streams(),  # noqa: B008  a frozen value
) -> int:
    """Run the program as a child and wait; return its exit code, 128+n when signal n ended it.

    Signals are passed on to it (`Signals`); a thread gives those that the main thread has entered.
    Without a terminal it gets a process group of its own: whoever stops it (`timeout`, a build
    machine) often signals our whole group, and Terraform takes a second signal for the order to
    drop everything. Standard error goes to `stderr` when given, else where `streams` says.

    Raises: ToolMissing, WrapError when it cannot be started.
    """
    import threading

    path = find(child.argv[0], child.env, child.cwd)
    signals = signals or Signals()
    if threading.current_thread() is not threading.main_thread():
        return _wait(child, path, stderr, signals, streams)
    with signals:
        return _wait(child, path, stderr, signals, streams)


def _wait(
    child: Child, path: str, stderr: IO[bytes] | None, signals: Signals, streams: Streams
) -> int:
    import subprocess

    errors = streams.stderr
    output = (2 if errors is None else errors) if child.to_stderr else streams.stdout
    try:
        started = subprocess.Popen(
            list(child.argv),
            executable=path,
            cwd=child.cwd,
            env=dict(child.env),
            stdin=subprocess.DEVNULL if child.quiet else streams.stdin,
            stdout=subprocess.DEVNULL if child.quiet else output,
            stderr=errors if stderr is None else stderr,
            process_group=None if has_terminal() else 0,
        )
    except OSError as error:
        raise _not_started(path, error) from error
    signals.join(started)
    try:
        code = started.wait()
    finally:
        signals.part(started)
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
