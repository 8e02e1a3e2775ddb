"""What a prompt shows of an identity: short texts that no shell, tmux or terminal takes for a command."""

from __future__ import annotations

from collections.abc import Mapping

from wrapper.errors import UsageError
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.hook.evaluate import View

# What some prompt expands: zsh `%` and `!`, bash `\`, tmux `#`, all of them `$` and backquotes. And
# the marks, which no name may forge.
_EXPANDED = frozenset("$`\\%#!?")
_LONGEST = 64
DEFAULT = "{identity}{mark}"


def plain(text: str) -> str:
    """Return a name for a prompt: what could be expanded there is `_`, a long name is cut."""
    seen = "".join("_" if c in _EXPANDED or not c.isprintable() else c for c in text[:_LONGEST])
    return seen if len(text) <= _LONGEST else f"{seen}…"


def text(view: View) -> str:
    """Return the identity with `!` for production and `?` for signed out; '' where there is none."""
    if view.found is None or not view.found.name:
        return ""
    return plain(view.found.name) + _mark(view)


def values(view: View) -> dict[str, str]:
    """Return the variables that a prompt can show without starting anything."""
    found = {"ATMOS_WRAP_PROMPT": text(view)}
    if view.expires:
        found["ATMOS_WRAP_EXPIRES"] = str(int(view.expires))
    if production(view):
        found["ATMOS_WRAP_PRODUCTION"] = "true"
    return found


def line(view: View, form: str, marked: str, now: float) -> str:
    """Return `form` with its fields filled in, `marked` instead where it is production.

    `now` in seconds since the epoch; '' where there is no identity.
    Raises: UsageError for a form that is none, whether it is used now or not.
    """
    known = _fields(view, now)
    lines = [_filled(given, known) for given in (form, marked) if given]
    if not known["identity"]:
        return ""
    return lines[-1] if production(view) else lines[0]


def _filled(form: str, fields: Mapping[str, str]) -> str:
    try:
        return form.format(**fields)
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        known = " ".join(f"{{{name}}}" for name in fields)
        raise UsageError(f"--format: {form} is no format", hint=f"fields: {known}") from error


def _fields(view: View, now: float) -> dict[str, str]:
    import time

    found = view.found
    entry = found.auth.identities.get(found.name) if found is not None and found.auth else None
    minutes = max(0, int((view.expires or 0) - now)) // 60
    return {
        "identity": plain(found.name) if found is not None else "",
        "mark": _mark(view),
        "production": "!" if production(view) else "",
        "signed_out": "" if view.signed_in else "?",
        "kind": plain(entry.kind) if entry is not None else "",
        "account": plain(_account(entry.raw if entry is not None else {}, view.principal)),
        "stack": plain(found.stack) if found is not None else "",
        "left": f"{minutes // 60}h{minutes % 60:02d}m" if view.expires else "",
        "until": time.strftime("%H:%M", time.localtime(view.expires)) if view.expires else "",
        "expires": str(int(view.expires)) if view.expires else "",
    }


def _mark(view: View) -> str:
    return ("!" if production(view) else "") + ("" if view.signed_in else "?")


def _account(raw: Mapping[str, Any], principal: str) -> str:
    """Return the account that the session, or else the configuration, names; '' for neither."""
    given = raw.get("principal")
    given = given if isinstance(given, Mapping) else {}
    for arn in (principal, given.get("assume_role")):
        parts = arn.split(":") if isinstance(arn, str) else []
        if len(parts) > 5 and parts[4]:
            return parts[4]
    account = given.get("account")
    named = account if isinstance(account, Mapping) else {}
    return str(named.get("id") or named.get("name") or "")


def production(view: View) -> bool:
    """Say whether the identity matches `wrap.production`, a pattern or a list of them."""
    import fnmatch

    wrap = view.config.data.get("wrap") if view.config is not None else None
    given = wrap.get("production") if isinstance(wrap, dict) else None
    patterns = given if isinstance(given, list) else [given]
    name = view.found.name if view.found is not None else ""
    return any(isinstance(one, str) and fnmatch.fnmatchcase(name, one) for one in patterns if name)
