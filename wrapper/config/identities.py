"""The `auth` section of all configuration files as one.

Providers and the rest follow the order of all configuration. Identities have an order of their own:
a later file's identity that names its `kind` replaces the earlier one, one without is laid over it.
Source: reference/atmos-stacks.md 1.8, and the deviation that the design names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wrapper.errors import ConfigError
from wrapper.merge import Layer, deep_merge, prune
from wrapper.typed import Any, NamedTuple


class Part(NamedTuple):
    """One file that took part; `data` has its schema keys in lower case."""

    section: str
    path: str
    data: Mapping[str, Any]


def merge_auth(ordinary: Sequence[Part], ranked: Sequence[Part]) -> dict[str, Any]:
    """Return the `auth` section of the configuration, without UNSET.

    `ordinary` is the order of all configuration, `ranked` that of identities; lowest first.
    Raises: ConfigError when `auth` or a part of it is no map.
    """
    merged: dict[str, Any] = {}
    for part in ordinary:
        section = auth_of(part)
        rest = {key: value for key, value in section.items() if key != "identities"}
        merged = deep_merge(merged, _respell(rest, merged))
    identities: dict[str, Any] = {}
    spelling: dict[str, str] = {}
    for part in ranked:
        for name, value in identities_of(part).items():
            _put(identities, spelling, name, value)
    if identities:
        merged["identities"] = identities
    pruned = prune(merged)
    assert isinstance(pruned, dict)
    return pruned


def layers(defaults: Sequence[Part], ranked: Sequence[Part]) -> tuple[Layer, ...]:
    """Return what each file says about `auth` and is still in force.

    The order is that in which default markers win: a file after what it imports, profiles after
    configuration. `rank` is the place in the order in which identities' values win. Identities
    that a file of higher rank defines anew are left out.
    """
    rank = {id(part): number for number, part in enumerate(ranked)}
    defined = _definitions(ranked)
    found = []
    for part in defaults:
        section = dict(auth_of(part))
        if not section:
            continue
        own = rank[id(part)]
        kept = {
            defined[name.lower()][1]: value
            for name, value in identities_of(part).items()
            if own >= defined[name.lower()][0]
        }
        if "identities" in section:
            section["identities"] = kept
        found.append(Layer(part.section, part.path, ("auth",), prune(section), own))
    return tuple(found)


def auth_of(part: Part) -> Mapping[str, Any]:
    """Return a file's `auth` map. Raises: ConfigError."""
    section = part.data.get("auth")
    if section is None:
        return {}
    if not isinstance(section, Mapping):
        raise ConfigError("`auth` must be a map", at=_place(part, "auth"))
    return section


def identities_of(part: Part) -> Mapping[str, Any]:
    """Return a file's `auth.identities` map. Raises: ConfigError."""
    named = auth_of(part).get("identities")
    if named is None:
        return {}
    if not isinstance(named, Mapping):
        raise ConfigError("`auth.identities` must be a map", at=_place(part, "auth", "identities"))
    return named


def _place(part: Part, *keys: str) -> Any:
    from wrapper import yamlio

    try:
        with open(part.path, "rb") as stream:
            return yamlio.locate(stream.read(), part.path, keys)
    except OSError:
        return part.path


def _is_definition(value: Any) -> bool:
    return not isinstance(value, Mapping) or value.get("kind") is not None


def _put(identities: dict[str, Any], spelling: dict[str, str], name: str, value: Any) -> None:
    known = spelling.get(name.lower())
    if known is None or _is_definition(value):
        if known is not None:
            del identities[known]
        spelling[name.lower()] = name
        identities[name] = value
    else:
        identities[known] = deep_merge(identities[known], value)


def _definitions(ranked: Sequence[Part]) -> dict[str, tuple[int, str]]:
    """Return for each folded name the rank of its last definition, and the name as written there."""
    found: dict[str, tuple[int, str]] = {}
    for number, part in enumerate(ranked):
        for name, value in identities_of(part).items():
            if name.lower() not in found or _is_definition(value):
                found[name.lower()] = (number, name)
    return found


def _respell(section: Mapping[str, Any], merged: Mapping[str, Any]) -> dict[str, Any]:
    """Give providers and integrations the spelling that an earlier file used for the same name."""
    respelled = dict(section)
    for key in ("providers", "integrations"):
        below, above = merged.get(key), section.get(key)
        if isinstance(below, Mapping) and isinstance(above, Mapping):
            known = {name.lower(): name for name in below}
            respelled[key] = {known.get(n.lower(), n): value for n, value in above.items()}
    return respelled
