"""Configuration files laid over each other: null, `!unset`, editions, the `env` of profiles.

Source: reference/atmos-stacks.md 1.3, 1.12, 2.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wrapper.config import defaults, edition
from wrapper.config.identities import Part
from wrapper.merge import UNSET, deep_merge, prune
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.errors import Location


class Family(NamedTuple):
    """Files that are merged before they are laid over what is below them, lowest first.

    A null and `!unset` take a key away inside a family only. In a `direct` one, which is not
    merged before, they take away what is below as well.
    """

    parts: tuple[Part, ...]
    direct: bool = False


class Layout(NamedTuple):
    """All that is merged, lowest first.

    `fallback`: there is no configuration file at all. `env`: what alone is left of `env`, None for
    all of it. `pin`: the edition that a flag or a variable names.
    """

    families: tuple[Family, ...]
    fallback: bool = False
    env: Mapping[str, Any] | None = None
    pin: str = ""


def merged(layout: Layout) -> dict[str, Any]:
    """Return the configuration over the defaults of its edition. Raises: ConfigError."""
    total: Any = dict(defaults.WITHOUT_FILES) if layout.fallback else {}
    for family in layout.families:
        own: Any = total if family.direct else {}
        for part in family.parts:
            own = deep_merge(own, part.data)
            if family.direct:
                own = _laid(own)
        total = own if family.direct else deep_merge(total, _laid(own))
    if layout.env is not None:
        total = {**total, "env": dict(layout.env)}
    below: dict[str, Any] = dict(defaults.ALWAYS)
    pin = layout.pin or _pin(total.get("edition"))
    if pin:
        for key, value in edition.earlier_defaults(pin, _place(layout)).items():
            below = defaults.put(below, key, value)
        total = {**total, "edition": pin}
    found = prune(deep_merge(below, total))
    assert isinstance(found, dict)
    data: dict[str, Any] = found
    for keys in (("env",), ("templates", "settings", "env")):
        data = _with_texts(data, keys)
    return data


def _with_texts(data: dict[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """Return `data` with the values of the map at a key path as variables hold them."""
    first, *rest = keys
    own = data.get(first)
    if not isinstance(own, dict):
        return data
    if rest:
        return {**data, first: _with_texts(own, rest)}
    texts = {name: value if value is None else _text(value) for name, value in own.items()}
    return {**data, first: texts}


def _text(value: Any) -> str:
    """Return a scalar as Go writes it; a map or a list is nothing."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        from decimal import Decimal

        return format(Decimal(repr(value)), "f").removesuffix(".0")
    return str(value) if isinstance(value, int) else ""


def _pin(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _place(layout: Layout) -> Location | str | None:
    """Return where the edition is named."""
    if layout.pin:
        return None
    from wrapper import yamlio

    for family in reversed(layout.families):
        for part in reversed(family.parts):
            if part.data.get("edition") is not None:
                with open(part.path, "rb") as stream:
                    return yamlio.locate(stream.read(), part.path, ("edition",))
    return None


def _laid(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a family's map without what it takes away; a null of `env` is for the programs."""
    data: dict[str, Any] = _settled(value)
    env = value.get("env")
    if isinstance(env, Mapping):
        own = {name: entry for name, entry in env.items() if entry is not UNSET}
        data["env"] = {
            name: entry if entry is None else _settled(entry) for name, entry in own.items()
        }
    return data


def _settled(value: Any) -> Any:
    """Return a map without keys that are null or `!unset`; lists stay as they are."""
    if not isinstance(value, Mapping):
        return value
    return {
        key: _settled(entry)
        for key, entry in value.items()
        if entry is not None and entry is not UNSET
    }


def set_names(path: str, text: bytes) -> frozenset[str] | None:
    """Return the names in a file's `env` that a YAML function gives; None if one gives all of it.

    In a profile they are set over everything, and `env` is then nothing but what is set.
    Raises: ConfigError.
    """
    if b"!" not in text:
        return frozenset()
    from wrapper import yamlnodes

    found = dict(_entries(yamlnodes.compose(text, path)))
    node = next((found[key] for key in found if key.lower() == "env"), None)
    if node is None:
        return frozenset()
    if _is_call(node):
        return None
    return frozenset(name for name, entry in _entries(node) if name != "<<" and _is_call(entry))


def _entries(node: Any) -> Sequence[tuple[str, Any]]:
    pairs = node.value if node is not None and isinstance(node.value, list) else []
    return [
        (pair[0].value, pair[1])
        for pair in pairs
        if isinstance(pair, tuple) and isinstance(pair[0].value, str)
    ]


def _is_call(node: Any) -> bool:
    return node.tag.startswith("!") and node.tag not in ("!unset", "!append")
