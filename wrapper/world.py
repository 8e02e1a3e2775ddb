"""The outside as one value: environment, directory, streams, clock, terminal, browser."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable, Mapping

from wrapper.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import TextIO


class World(NamedTuple):
    """What a command may see of the machine. Tests replace it field by field with `_replace`.

    `now` gives seconds since the epoch. `stdin_tty` and `stderr_tty` say whether a person can be
    asked; `open_browser` returns False when there is none.
    """

    environ: Mapping[str, str]
    cwd: str
    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    now: Callable[[], float]
    stdin_tty: bool
    stderr_tty: bool
    open_browser: Callable[[str], bool]
    # False where a program asks on its own (`credential-process`, `whoami`): nobody is disturbed.
    asks: bool = True
    # True where a person wants to sign in although somebody is signed in (`auth login --force`).
    anew: bool = False
    # True where a command was typed that may fetch what the user allowed: never at a prompt, on Tab.
    fetches: bool = False
    # Seconds since the command was started.
    age: Callable[[], float] = float
    # Where the index of manifests lies that are gone soon; '' for its usual place.
    index_dir: str = ""

    @property
    def home(self) -> str:
        """Return the home directory: `HOME`, else what the password database says."""
        return home_dir(self.environ)

    @property
    def in_ci(self) -> bool:
        """Say whether this is a build machine, where nobody is asked anything."""
        return self.environ.get("CI", "").lower() not in ("", "0", "false")

    @property
    def can_ask(self) -> bool:
        """Say whether a question may be put: a terminal on both sides, not CI, not switched off.

        Source: reference/atmos-auth.md 2.2.
        """
        return self._allowed and self.stdin_tty and self.stderr_tty and not self.in_ci

    @property
    def can_show(self) -> bool:
        """Say whether somebody reads a page's address and a code, to sign in elsewhere.

        `ATMOS_FORCE_TTY` says so where no terminal does. Source: reference/atmos-auth.md 3.1.
        """
        forced = self.environ.get("ATMOS_FORCE_TTY", "").lower() in ("1", "t", "true", "yes", "on")
        return self._allowed and (forced or (self.stderr_tty and not self.in_ci))

    @property
    def _allowed(self) -> bool:
        setting = self.environ.get("ATMOS_INTERACTIVE", "true").lower()
        return self.asks and setting not in ("false", "0", "no", "off")


def home_dir(environ: Mapping[str, str]) -> str:
    """Return `HOME`, or what the password database says where that is no absolute path.

    Raises: StoreError where neither says anything, as in a container with a made-up user id.
    """
    home = environ.get("HOME", "")
    if os.path.isabs(home):
        return home
    import pwd

    from wrapper.errors import StoreError

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        raise StoreError(
            "this user has no home directory: HOME is not set",
            hint="set HOME, or XDG_STATE_HOME and XDG_CACHE_HOME",
        ) from None


def real() -> World:
    """Return the machine as this process sees it."""
    _open_closed_streams()
    _write_utf8()
    return World(
        environ=_environ(),
        cwd=_cwd(),
        stdin=sys.stdin,
        stdout=sys.stdout,
        stderr=sys.stderr,
        now=time.time,
        stdin_tty=_is_tty(0),
        stderr_tty=_is_tty(2),
        open_browser=_open_browser,
        age=_age,
    )


_IMPORTED = time.monotonic()
# How long a busy machine may take to let a process begin.
_SLOW_START = 10.0


def _age() -> float:
    """Return the seconds since this process was started, which may be long before its first line.

    The kernel counts them; a process that became this one by `exec` is not taken for it.
    """
    known = time.monotonic() - _IMPORTED
    try:
        with open("/proc/self/stat", "rb") as stream:
            ticks = int(stream.read().rpartition(b")")[2].split()[19])
        # The tick in which it began is over by now: never count more than there was.
        began = (ticks + 1) / os.sysconf("SC_CLK_TCK")
        counted = time.clock_gettime(time.CLOCK_BOOTTIME) - began
    except (OSError, ValueError, IndexError, AttributeError):
        return known
    return max(known, min(counted, known + _SLOW_START))


def _open_closed_streams() -> None:
    """Let standard streams that the caller closed be empty ones.

    Else the next file that is opened gets their number, and a child prints into it.
    """
    for name, descriptor, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened == descriptor:
                os.set_inheritable(descriptor, True)
            else:
                os.dup2(opened, descriptor)
                os.close(opened)
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))


def _write_utf8() -> None:
    """Let data go to stdout as UTF-8 in every locale, and names from the disk as their bytes."""
    out = sys.stdout
    if isinstance(out, io.TextIOWrapper) and (out.encoding.lower(), out.errors) != _DATA:
        out.reconfigure(encoding=_DATA[0], errors=_DATA[1])


_DATA = ("utf-8", "surrogateescape")


def _environ() -> dict[str, str]:
    """Return the environment that this process was given.

    Python sets LC_CTYPE itself where no locale is named (PEP 538); programs that we start must not
    inherit that.
    """
    environ = dict(os.environ)
    if environ.get("LC_CTYPE") in ("C.UTF-8", "C.utf8", "UTF-8"):
        try:
            with open("/proc/self/environ", "rb") as stream:
                given = stream.read().split(b"\0")
        except OSError:
            return environ
        if not any(entry.startswith(b"LC_CTYPE=") for entry in given):
            del environ["LC_CTYPE"]
    return environ


def _cwd() -> str:
    """Return the working directory, as the shell names it (`PWD`) if that is the same place."""
    try:
        physical = os.getcwd()
    except FileNotFoundError:
        return ""
    logical = os.environ.get("PWD", "")
    if os.path.isabs(logical) and logical != physical:
        try:
            if os.path.samefile(logical, physical):
                return os.path.normpath(logical)
        except OSError:
            return physical
    return physical


def _is_tty(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


# They would take the terminal, and show no sign-in page that needs scripts.
TEXT_BROWSERS = frozenset(("w3m", "lynx", "links", "links2", "elinks", "browsh", "www-browser"))
# A launcher that fails does so within this many seconds; one that still runs is showing the page.
_LAUNCH = 2.0


def browsers(environ: Mapping[str, str], platform: str) -> list[list[str]]:
    """Return the commands that may show a page, best first; `%s` stands for its address.

    Source: the conventions of BROWSER (Python's webbrowser, xdg-open); text browsers are left out.
    """
    import shlex

    found = []
    for part in environ.get("BROWSER", "").split(os.pathsep):
        try:
            argv = shlex.split(part)
        except ValueError:
            argv = [part]
        if argv and os.path.basename(argv[0]) not in TEXT_BROWSERS:
            found.append(argv if "%s" in part else [*argv, "%s"])
    if platform == "darwin":
        found.append(["/usr/bin/open", "%s"])
    if environ.get("WSL_DISTRO_NAME") or environ.get("WSL_INTEROP"):
        found += [["wslview", "%s"], ["rundll32.exe", "url.dll,FileProtocolHandler", "%s"]]
    if environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"):
        found += [["xdg-open", "%s"], ["gio", "open", "%s"], ["x-www-browser", "%s"]]
    return found


def _open_browser(url: str) -> bool:
    """Show a page, without waiting until it is closed; say whether a program for it was started."""
    import shutil
    import subprocess

    if not url.startswith(("https://", "http://")):
        return False
    for command in browsers(os.environ, sys.platform):
        program = shutil.which(command[0])
        if program is None:
            continue
        argv = [program, *(part.replace("%s", url) for part in command[1:])]
        null = subprocess.DEVNULL
        try:
            # In a session of its own: ctrl-C at our terminal must not close it.
            child = subprocess.Popen(
                argv, stdin=null, stdout=null, stderr=null, start_new_session=True
            )
        except OSError:
            continue
        try:
            if child.wait(_LAUNCH):
                continue
        except subprocess.TimeoutExpired:
            child.returncode = 0  # it goes on without us; nobody waits for it
        return True
    return False
