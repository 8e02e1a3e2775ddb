"""The values of the `auth` section, read into the types that Atmos's schema gives its fields.

Source: Atmos, schema of `auth`, decoded weakly: a number is text where text is wanted, a text is a
list of one, what cannot be read breaks every command (reference/atmos-auth.md 1).
"""

from __future__ import annotations

from collections.abc import Mapping

from wrapper.auth.lookup import truth
from wrapper.typed import Any, NamedTuple

TEXT, FLAG, MAP, TEXTS = "text", "flag", "map", "texts"
# A field's type: one of the words above, or the fields of a map (`*` is every other key).
Fields = Mapping[str, Any]

_SESSION = {"duration": TEXT}
PROVIDER: Fields = {
    **dict.fromkeys(
        ("kind", "start_url", "url", "region", "username", "driver", "provider_type",
         "browser_type", "browser_executable_path"),
        TEXT,
    ),
    **dict.fromkeys(("download_browser_driver", "auto_provision_identities", "default"), FLAG),
    "session": _SESSION, "console": {"session_duration": TEXT}, "spec": MAP, "tags": TEXTS,
}  # fmt: skip
IDENTITY: Fields = {
    **dict.fromkeys(("kind", "provider", "alias", "emulator"), TEXT),
    **dict.fromkeys(("default", "required"), FLAG),
    "via": {"provider": TEXT, "identity": TEXT}, "principal": MAP, "credentials": MAP,
    "spec": MAP, "session": _SESSION, "tags": TEXTS,
}  # fmt: skip
_INTEGRATION = {"kind": TEXT, "via": {"provider": TEXT, "identity": TEXT}, "spec": {}}
SECTION: Fields = {
    "logs": {"level": TEXT, "file": TEXT},
    "keyring": {"type": TEXT, "spec": MAP},
    "console": {"isolated": FLAG},
    "integrations": {"*": _INTEGRATION},
}


class Misread(NamedTuple):
    """A value that its field cannot hold: the key path, and what is wrong."""

    keys: tuple[str, ...]
    message: str

    def below(self, key: str) -> Misread:
        """Return it as a fault of the map that has this one under `key`."""
        return Misread((key, *self.keys), f"{key}.{self.message}")


def decoded(raw: Mapping[str, Any], fields: Fields) -> tuple[dict[str, Any], list[Misread]]:
    """Return the map with its known fields in their types, and those that could not be read."""
    found, faults = dict(raw), list[Misread]()
    for key in raw:
        wanted = fields.get(key, fields.get("*"))
        if raw[key] is not None and wanted is not None:
            found[key] = _value(raw[key], wanted, (key,), faults)
    return found, faults


def _value(value: Any, wanted: Any, keys: tuple[str, ...], faults: list[Misread]) -> Any:
    title = ".".join(keys)
    if wanted == TEXT:
        if isinstance(value, Mapping | list):
            faults.append(Misread(keys, f"{title} must be text"))
            return None
        return _text(value)
    if wanted == FLAG:
        known = False if value == "" else truth(value)
        if known is None:
            faults.append(Misread(keys, f'{title} must be true or false, not "{value}"'))
        return known
    if wanted == TEXTS:
        return _texts(value, keys, faults)
    if wanted == MAP and value == []:
        return {}
    if not isinstance(value, Mapping):
        faults.append(Misread(keys, f"{title} must be a map"))
        return {}
    if wanted == MAP:
        return value
    inner, more = decoded(value, wanted)
    faults += [one.below(keys[-1]) for one in more]
    return inner


def _texts(value: Any, keys: tuple[str, ...], faults: list[Misread]) -> list[str]:
    given = value.split(",") if isinstance(value, str) else value
    if given in ({}, [""]):
        return []
    given = given if isinstance(given, list) else [given]
    if any(isinstance(one, Mapping | list) for one in given):
        faults.append(Misread(keys, f"{'.'.join(keys)} must be a list of texts"))
        return []
    return [_text(one) for one in given if one is not None]


def _text(value: Any) -> Any:
    """Return a scalar as Go writes it; what is no plain value stays what it is."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value) if isinstance(value, int) else value
