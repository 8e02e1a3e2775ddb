"""Names and switches of the section as Atmos reads them: who is meant, where a chain goes on."""

from __future__ import annotations

from collections.abc import Mapping

from wrapper.auth.kinds import STANDALONE
from wrapper.auth.model import Auth, Entry
from wrapper.auth.places import Places
from wrapper.errors import ConfigError, WrapError, near
from wrapper.typed import Any

_TRUTH = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}


def truth(value: Any) -> bool | None:
    """Read a switch as Atmos decodes it: also numbers and the words of Go's ParseBool.

    None when it is none.
    """
    if isinstance(value, bool | int | float):
        return value != 0
    return _TRUTH.get(value) if isinstance(value, str) else None


def follow(auth: Auth, entry: Entry) -> Entry | WrapError | None:
    """Return the entry that an identity is reached through; None when it stands alone.

    A name that is not there gives the error, unraised.
    """
    via = entry.raw.get("via")
    if entry.kind in STANDALONE or not isinstance(via, Mapping):
        return None
    role, known = (
        ("provider", auth.providers) if via.get("provider") else ("identity", auth.identities)
    )
    wanted = via.get(role)
    if not wanted:
        return None
    name = match(str(wanted), known)
    if name is not None:
        return known[name]
    plural = "identities"
    at = Places(auth.layers).at(plural, entry.name, "via", role)
    message = f'{entry.title} goes via the {role} "{wanted}", which is not defined'
    return ConfigError(message, at=at, hint=near(str(wanted), list(known)))


def match(wanted: str, known: Mapping[str, Any]) -> str | None:
    """Return the one name that is meant: exact, else without case if unique."""
    if wanted in known:
        return wanted
    folded = [name for name in known if name.lower() == wanted.lower()]
    return folded[0] if len(folded) == 1 else None
