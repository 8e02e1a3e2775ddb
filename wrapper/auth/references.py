"""A long-lived secret by reference: the variable or the line of a file that holds it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from wrapper.typed import Any, NamedTuple

_FUNCTION = re.compile(r"!(?:exec|include|store|terraform|template|aws|random|unset)[\w.]*")


class Secret(NamedTuple):
    """One configured secret.

    `value` is None when the place that holds it has nothing now; `variable` names an environment
    variable, else `path` and `keys` a scalar in a YAML file. Only the place is ever written down.
    """

    value: str | None
    variable: str = ""
    path: str = ""
    keys: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Secret({self.variable or self.path or 'inline'})"

    def place(self) -> dict[str, Any]:
        """Return where the secret is, as JSON."""
        if self.variable:
            return {"variable": self.variable}
        return {"path": self.path, "keys": list(self.keys)} if self.path else {}


def restore(place: Mapping[str, Any], environ: Mapping[str, str]) -> Secret:
    """Return a secret read again from where `place` says it is."""
    if "variable" in place:
        name = str(place["variable"])
        return Secret(environ.get(name) or None, variable=name)
    path, keys = str(place.get("path", "")), tuple(str(k) for k in place.get("keys", ()))
    return Secret(_scalar(path, keys, environ) if path else None, path=path, keys=keys)


def trace(value: Any, path: str, keys: tuple[str, ...], environ: Mapping[str, str]) -> Secret:
    """Return the secret whose merged value is `value` and which the file `path` sets at `keys`."""
    if isinstance(value, str) and value.startswith("!env "):
        return _variable(value, environ)
    written = _scalar(path, keys, environ) if path else None
    if written is not None and written.startswith("!env "):
        return _variable(written, environ)
    text = None if value in (None, "") else str(value)
    if written is None or written.startswith("!"):
        return Secret(text)
    return Secret(text, path=path, keys=keys)


def evaluated(value: Any, environ: Mapping[str, str]) -> Any:
    """Return configuration with `!env` put in place, as the text that a stack still holds."""
    if isinstance(value, str) and value.startswith("!env "):
        return _variable(value, environ).value
    if isinstance(value, Mapping):
        return {k: evaluated(v, environ) for k, v in value.items()}
    if isinstance(value, list):
        return [evaluated(v, environ) for v in value]
    return value


def function_in(value: Any) -> str:
    """Return the name of a YAML function that is still text in a value, empty when there is none."""
    if isinstance(value, str):
        found = _FUNCTION.match(value)
        return found[0] if found else ""
    items = value.values() if isinstance(value, Mapping) else value
    if isinstance(value, Mapping | list):
        return next((name for name in map(function_in, items) if name), "")
    return ""


def _variable(text: str, environ: Mapping[str, str]) -> Secret:
    """Read `!env NAME [default]`. Source: reference/atmos-stacks.md 4."""
    words = text.split(None, 2)
    name = words[1] if len(words) > 1 else ""
    default = words[2].strip("'\"") if len(words) > 2 else ""
    return Secret(environ.get(name) or default or None, variable=name)


def _scalar(path: str, keys: tuple[str, ...], environ: Mapping[str, str]) -> str | None:
    """Return what a file says at a key path, a function as its text; None without a scalar."""
    from wrapper.config import parsed
    from wrapper.errors import WrapError

    def as_text(tag: str, value: Any, _at: object) -> str:
        return f"{tag} {value}".rstrip()

    try:
        with open(path, "rb") as stream:
            found = parsed.load(path, stream.read(), environ, as_text)
    except (OSError, WrapError):
        return None
    for key in keys:
        if not isinstance(found, Mapping) or key not in found:
            return None
        found = found[key]
    return None if found is None or isinstance(found, Mapping | list) else str(found)
