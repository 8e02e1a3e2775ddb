"""Which browser signs in to an identity provider, and the process that drives it.

That process is in a session of its own: Ctrl-C at the terminal reaches only us, and we end it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping

from wrapper import ui
from wrapper.errors import AuthError, ConfigError, ToolMissing
from wrapper.typed import TYPE_CHECKING, Any
from wrapper.world import World

if TYPE_CHECKING:
    import subprocess

    from wrapper.auth.kinds.aws_saml import Spec

# `false` for Chromium where its sandbox cannot work, as in some containers.
SANDBOX = "ATMOS_WRAP_BROWSER_SANDBOX"
# Seconds beyond the wait for the sign-in: starting, loading the page.
_MORE = 150.0
_CLOSES = 5.0
_INSTALLS = 900.0
# Chromium makes a socket below TMPDIR, whose whole path has at most 107 characters.
_TEMPORARY = 60
_CHROME = ("google-chrome", "google-chrome-stable")
_EDGE = ("microsoft-edge", "microsoft-edge-stable")
_CHROMIUM = ("chromium", "chromium-browser")
# `browser_type` -> programs in PATH. Without one: any of the Chromium family.
PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "": (*_CHROMIUM, *_CHROME, *_EDGE),
    "chromium": _CHROMIUM,
    "chrome": _CHROME,
    "chrome-beta": ("google-chrome-beta",),
    "chrome-dev": ("google-chrome-unstable",),
    "chrome-canary": (),
    "msedge": _EDGE,
    "msedge-beta": ("microsoft-edge-beta",),
    "msedge-dev": ("microsoft-edge-dev",),
    "msedge-canary": (),
    # Playwright drives its own builds of these two only.
    "firefox": (),
    "webkit": (),
}
_APPLICATIONS: Mapping[str, tuple[str, ...]] = {
    "chromium": ("Chromium",),
    "chrome": ("Google Chrome",),
    "chrome-beta": ("Google Chrome Beta",),
    "chrome-dev": ("Google Chrome Dev",),
    "chrome-canary": ("Google Chrome Canary",),
    "msedge": ("Microsoft Edge",),
    "msedge-beta": ("Microsoft Edge Beta",),
    "msedge-dev": ("Microsoft Edge Dev",),
    "msedge-canary": ("Microsoft Edge Canary",),
    "": ("Chromium", "Google Chrome", "Microsoft Edge"),
}
# Types of which Playwright may have a build of its own.
_OWN = ("", "chromium", "firefox", "webkit")


def insist_on_extra() -> None:
    """Check that what the sign-in needs is installed. Raises: ToolMissing with the command."""
    from importlib.util import find_spec

    missing = [name for name in ("playwright", "defusedxml") if find_spec(name) is None]
    if missing:
        raise ToolMissing(
            f"a SAML sign-in needs {' and '.join(missing)}, which {_are(missing)} not installed",
            hint=[
                "pip install 'atmos-wrap[saml]'",
                "with pipx: pipx inject atmos-wrap playwright defusedxml",
                "with uv: uv tool install 'atmos-wrap[saml]'",
                f"it must be the environment of {sys.executable}",
            ],
        )


def _are(names: list[str]) -> str:
    return "are" if len(names) > 1 else "is"


def found(spec: Spec, world: World) -> str:
    """Return the path of the browser; empty: try Playwright's own. Raises: ConfigError, ToolMissing."""
    if spec.executable:
        path = os.path.expanduser(spec.executable)
        if not os.path.isfile(path) or not os.access(path, os.X_OK):
            raise ConfigError(
                f'provider "{spec.name}": browser_executable_path "{path}" is no program'
            )
        return path
    for path in _candidates(spec.browser, world):
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    if spec.browser in _OWN:
        return ""
    raise missing(spec, "")


def _candidates(browser: str, world: World) -> list[str]:
    directories = world.environ.get("PATH", os.defpath).split(os.pathsep)
    paths = [os.path.join(d, name) for name in PROGRAMS[browser] for d in directories if d]
    if sys.platform == "darwin":
        paths += [
            f"/Applications/{name}.app/Contents/MacOS/{name}"
            for name in _APPLICATIONS.get(browser, ())
        ]
    return paths


def missing(spec: Spec, own: str) -> ToolMissing:
    """Return the error that says which browsers were looked for; `own` is where Playwright's would be."""
    looked = [*PROGRAMS[spec.browser], *([own] if own else [])]
    title = spec.browser or "browser"
    hints = [f"looked for {', '.join(looked)}"] if looked else []
    if spec.browser in _OWN:
        command = f"{sys.executable} -m playwright install {engine(spec)}"
        hints.append(f"install one, or run: {command}")
        hints.append("or set `download_browser_driver: true`, or `browser_executable_path`")
    else:
        hints.append("install it, or set `browser_executable_path`, or leave out `browser_type`")
    return ToolMissing(f'provider "{spec.name}": there is no {title} to sign in with', hint=hints)


def engine(spec: Spec) -> str:
    """Return Playwright's name of what drives the browser."""
    return spec.browser if spec.browser in ("firefox", "webkit") else "chromium"


def visit(spec: Spec, world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Sign in by a browser; return `{"encoded", "state"}` or `{"fault", "text"}`.

    `asked` has username, password, state, headless, seconds. No browser is left, however this ends.
    Raises: ConfigError, ToolMissing, AuthError.
    """
    insist_on_extra()
    request = {
        **asked,
        "url": spec.url,
        "executable": found(spec, world),
        "engine": engine(spec),
        "sandbox": _sandbox(world),
    }
    answer = _answered(request, world)
    if answer.get("fault") == "missing":
        if not (spec.download and world.asks):
            raise missing(spec, str(answer["text"]))
        _install(spec, world)
        answer = _answered(request, world)
        if answer.get("fault") == "missing":
            raise missing(spec, str(answer["text"]))
    return answer


def _sandbox(world: World) -> bool:
    """Say whether Chromium's sandbox is on: it cannot be for root."""
    return world.environ.get(SANDBOX, "").lower() not in ("false", "0") and os.geteuid() != 0


def _environ(world: World) -> dict[str, str]:
    """Return the environment of the browser: that of the user without what signs for AWS."""
    from wrapper.env import scrubbed

    unset = scrubbed("aws", world.environ)
    found = {k: v for k, v in world.environ.items() if k not in unset}
    if len(found.get("TMPDIR", "")) > _TEMPORARY:
        del found["TMPDIR"]
    return found


def _answered(request: Mapping[str, Any], world: World) -> dict[str, Any]:
    import subprocess

    command = [sys.executable, "-E", "-P", "-m", "wrapper.auth.kinds._saml_page"]
    try:
        process = subprocess.Popen(
            command,
            env=_environ(world),
            cwd=os.path.abspath(os.sep),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        reason = error.strerror or error
        raise AuthError(f"the sign-in's browser cannot be started: {reason}") from error
    try:
        line, told = _talk(process, request)
    finally:
        _ended(process)
    try:
        answer = json.loads(line)
    except ValueError:
        ui.debug(world, f"the browser's process: {told}")
        return {"fault": "died", "text": (told.splitlines() or [""])[-1]}
    return answer if isinstance(answer, dict) else {"fault": "died", "text": ""}


def _talk(process: subprocess.Popen[bytes], request: Mapping[str, Any]) -> tuple[bytes, str]:
    """Send the request; return the line that came back and what was said on the way."""
    import selectors

    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    line, told = b"", b""
    try:
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
    except BrokenPipeError:  # what it says about that comes below
        pass
    ends = time.monotonic() + float(request["seconds"]) + _MORE
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        selector.register(process.stderr, selectors.EVENT_READ)
        while not line.endswith(b"\n") and time.monotonic() < ends:
            for key, _ in selector.select(max(0.0, ends - time.monotonic())):
                given = os.read(key.fd, 1 << 16)
                if key.fileobj is process.stderr:
                    told = (told + given)[-4096:]
                    if not given:
                        selector.unregister(key.fileobj)
                elif given:
                    line += given
                else:
                    return line, told.decode("utf-8", "replace")
    return line, told.decode("utf-8", "replace")


def _ended(process: subprocess.Popen[bytes]) -> None:
    """Wait until the process, the browser's driver and the browser are gone; make them go."""
    import selectors
    import signal
    from contextlib import suppress

    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    gone = False
    try:
        with suppress(BrokenPipeError):
            process.stdin.close()
        # Its end of this pipe is shared by all of them: it is closed when the last one is gone.
        ends = time.monotonic() + _CLOSES
        with selectors.DefaultSelector() as selector:
            selector.register(process.stderr, selectors.EVENT_READ)
            while not gone and time.monotonic() < ends:
                for key, _ in selector.select(max(0.0, ends - time.monotonic())):
                    gone = not os.read(key.fd, 1 << 16)
    finally:
        if not gone:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        process.stderr.close()


def _install(spec: Spec, world: World) -> None:
    """Let Playwright download its build. Raises: ToolMissing when that fails, ConfigError never."""
    import subprocess

    from wrapper import children

    ui.note(world, f"downloading {engine(spec)} for the sign-in (download_browser_driver)")
    more = ["--no-shell"] if engine(spec) == "chromium" else []
    command = [sys.executable, "-E", "-P", "-m", "playwright", "install", *more, engine(spec)]
    try:
        done = children.run(
            command,
            seconds=_INSTALLS,
            env=_environ(world),
            cwd=os.path.abspath(os.sep),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolMissing(f"the browser was not downloaded: {type(error).__name__}") from error
    if done.returncode:
        lines = done.stdout.decode("utf-8", "replace").split("\n")
        told = next((one.strip() for one in lines if "rror" in one), "")[:200]
        raise ToolMissing(
            f"the browser was not downloaded: {told or f'status {done.returncode}'}",
            hint="see it whole: " + " ".join([sys.executable, *command[3:]]),
        )
