"""How a SAML assertion is got: by the kept session of the identity provider, else by a person.

One process at a time signs in to a provider. An assertion lives in memory only; what is kept is the
browser's session, so that the next sign-in needs nobody.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping

from wrapper import files, ui
from wrapper.auth import sessions
from wrapper.auth.kinds import _saml_assertion, _saml_browser
from wrapper.auth.kinds._saml_assertion import Assertion
from wrapper.auth.lookup import truth
from wrapper.errors import AuthError, NeedsLogin, ToolMissing
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple
from wrapper.world import World

if TYPE_CHECKING:
    from wrapper.auth.kinds.aws_saml import Spec

# `true`: never a window; `false`: always one.
HEADLESS = "ATMOS_WRAP_BROWSER_HEADLESS"
# Seconds that a person gets, and that a page gets which needs nobody.
WAIT = 300.0
QUIET = 30.0
# STS takes an assertion for five minutes.
_LIVES = 300.0
_LIMIT = 1 << 20
# What this process has: file of the provider -> assertion, and until when it may be used.
_memory: dict[str, tuple[Assertion, float]] = {}


def path(spec: Spec, world: World) -> str:
    """Return the file of a provider's browser session; another user is another session."""
    text = json.dumps([sessions.VERSION, spec.url, spec.username])
    digest = hashlib.sha256(text.encode()).hexdigest()
    directory = os.path.join(os.path.abspath(files.state_dir(world.environ)), "saml")
    return os.path.join(directory, f"{digest}.json")


def assertion(
    spec: Spec, world: World, *, refused: str = "", afresh: bool = False
) -> tuple[Assertion, bool]:
    """Return a valid assertion, and whether an earlier sign-in of this process gave it.

    `refused` is one that STS does not take; `afresh` leaves the kept session aside. Raises:
    NeedsLogin when somebody would have to be asked and cannot be, AuthError, ToolMissing,
    StoreError.
    """
    started = world.now() - world.age()
    file = path(spec, world)
    title = f'provider "{spec.name}"'

    def waiting(holder: str) -> None:
        ui.note(world, f"waiting for {holder or 'another process'}, which signs in to {title}")

    afresh = afresh or (world.anew and file not in _memory)
    with files.lock(f"{file}.lock", f"atmos-wrap {title}", waiting):
        found, ends = _memory.get(file, (None, 0.0))
        if found is not None and world.now() < ends and found.encoded != refused and not afresh:
            return found, True
        failed = sessions.remembered_failure(f"{file}.failed", started, world.now())
        if failed is not None:
            raise AuthError(failed[0], hint=failed[1])
        try:
            found, state = _signed_in(spec, None if afresh else _kept(file), world)
        except NeedsLogin:  # of this process only: another one may be able to ask
            raise
        except AuthError as error:
            sessions.remember_failure(f"{file}.failed", error.message, error.hints, world.now())
            raise
        _keep(file, spec, state, world)
    hold(file, found, world)
    return found, False


def hold(file: str, found: Assertion, world: World) -> None:
    """Keep an assertion in memory for as long as STS takes it."""
    _memory[file] = found, min(found.ends, world.now() + _LIVES)


# ---- the browser's session ------------------------------------------------------------------------


def _kept(file: str) -> dict[str, Any] | None:
    """Return the browser's session of the last sign-in, None without one."""
    state = (sessions.record(file) or {}).get("state")
    if not isinstance(state, dict):
        return None
    lists = [state.get("cookies"), state.get("origins")]
    return state if all(isinstance(one, list) for one in lists) else None


def _keep(file: str, spec: Spec, state: Any, world: World) -> None:
    """Write the browser's session; one that is too large without the pages' own data."""
    found = {"version": sessions.VERSION, "for": spec.url, "state": state}
    data = json.dumps(found).encode()
    if len(data) > _LIMIT and isinstance(state, Mapping):
        data = json.dumps({**found, "state": {**state, "origins": []}}).encode()
    if len(data) > _LIMIT:
        ui.debug(world, f'provider "{spec.name}": its session is too large to be kept')
        return
    files.make_private_dir(os.path.dirname(file))
    files.write_atomic(file, data)


def forget(spec: Spec, world: World, *, dry: bool = False) -> tuple[str, ...]:
    """Remove the browser's session; return the file if there was one. Raises: StoreError."""
    file = path(spec, world)
    if dry:
        return (file,) if os.path.lexists(file) else ()
    with files.lock(f"{file}.lock", f"atmos-wrap logout of {spec.name}"):
        _memory.pop(file, None)
        files.remove(f"{file}.failed")
        return (file,) if files.remove(file) else ()


# ---- with or without a window ---------------------------------------------------------------------


class _Way(NamedTuple):
    """How this process can sign in: with a window that a person sees, by itself, or both."""

    window: bool
    alone: bool


def _way(spec: Spec, kept: bool, world: World) -> _Way:
    setting = truth(world.environ.get(HEADLESS, "").lower())
    window = setting is not True and world.can_show and _display(world)
    # Where a program asks on its own, a password is not sent again and again: it may have changed.
    configured = bool(spec.password) and (world.asks or world.in_ci or setting is True)
    alone = setting is not False and (kept or setting is True or (configured and not window))
    return _Way(window, alone)


def _display(world: World) -> bool:
    environ = world.environ
    if environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"):
        return True
    return sys.platform == "darwin" and not environ.get("SSH_CONNECTION")


def _signed_in(
    spec: Spec, kept: dict[str, Any] | None, world: World
) -> tuple[Assertion, dict[str, Any]]:
    way = _way(spec, kept is not None, world)
    asked: dict[str, Any] = {
        "username": spec.username,
        "password": spec.password,
        "state": kept,
        "headless": False,
        "seconds": WAIT,
    }
    if way.alone:
        seconds = QUIET if way.window or not world.can_show else WAIT
        # With a window to come, the person there gets one form, not two tries of a password.
        alone = {**asked, "headless": True, "seconds": seconds}
        if way.window:
            alone["password"] = ""
        elif spec.password:
            ui.info(world, f'provider "{spec.name}": signing in to {_shown(spec)} as configured')
        answer = _saml_browser.visit(spec, world, alone)
        again = answer.get("fault") in ("asks", "late") or "http 4" in str(answer.get("fault"))
        if not (way.window and again):
            return _read(answer, spec, alone, world)
    if not way.window:
        raise _nobody(spec, world)
    ui.note(world, f'sign in to provider "{spec.name}", {_shown(spec)}, in the window that opens')
    return _read(_saml_browser.visit(spec, world, asked), spec, asked, world)


def _read(
    answer: Mapping[str, Any], spec: Spec, asked: Mapping[str, Any], world: World
) -> tuple[Assertion, dict[str, Any]]:
    if "fault" in answer:
        raise _fault(str(answer["fault"]), str(answer.get("text", "")), spec, asked)
    try:
        found = _saml_assertion.read(str(answer["encoded"]), world.now())
    except AuthError as error:
        error.message = f'provider "{spec.name}": {error.message}'
        raise
    return found, answer["state"]


def _nobody(spec: Spec, world: World) -> NeedsLogin:
    place = "a terminal" if not world.can_show else "a display"
    hints = [
        f"sign in where a window can be opened: atmos-wrap auth login --provider {spec.name}",
        "with `username` and `password: !env NAME` at the provider no window is needed",
    ]
    if spec.unset:
        hints.insert(0, f"the password is to be in {spec.unset}, which is not set")
    return NeedsLogin(
        f'provider "{spec.name}": signing in to {_shown(spec)} needs a window and {place}',
        hint=hints,
    )


def _shown(spec: Spec) -> str:
    """Return the address without what follows `?`."""
    return spec.url.partition("?")[0]


def _fault(fault: str, text: str, spec: Spec, asked: Mapping[str, Any]) -> AuthError | ToolMissing:
    """Return the error for a sign-in that did not end with an assertion."""
    who, where = f'provider "{spec.name}"', _shown(spec)
    title = " ".join(text.split())[:100]
    page = f' (the page is called "{title}")' if title else ""
    if fault == "unreached":
        return AuthError(
            f"{who}: no answer from {where} ({text})",
            hint="check the network and the provider's url; the browser has its own proxy and CA settings",
        )
    if fault == "start":
        hint = "see it start: run it by hand"
        if "sandbox" in text.lower():
            hint = f"its sandbox does not work here: {_saml_browser.SANDBOX}=false switches it off"
        return ToolMissing(f"{who}: the browser did not start: {text}", hint=hint)
    if fault == "refused":
        return AuthError(
            f"{who}: {where} did not accept the configured username and password{page}",
            hint="see `username` and `password` of the provider; nothing is tried a second time",
        )
    if fault == "asks":
        more = "more than username and password" if asked["password"] else "for a person"
        return NeedsLogin(
            f"{who}: {where} asks {more}{page}",
            hint=f"sign in where a window can be opened: atmos-wrap auth login --provider {spec.name}",
        )
    if fault.startswith("http "):
        return AuthError(f"{who}: {where} answered {fault.upper()}{page}", hint="try again later")
    again = f"sign in again: atmos-wrap auth login --provider {spec.name}"
    told = {
        "closed": f"{who}: the window was closed before the sign-in was complete",
        "late": f"{who}: no sign-in to AWS within {int(asked['seconds'])} seconds{page}",
        "page": f"{who}: the browser failed: {text}",
    }
    return AuthError(told.get(fault, f"{who}: the browser ended unexpectedly: {text}"), hint=again)
