"""The `auth` section of all configuration files as one.

Providers and the rest follow the order of all configuration. Identities have an order of their own:
a later file's identity that names its `kind` replaces the earlier one, one without is laid over it.
Source: reference/atmos-stacks.md 1.8, and the deviation that the design names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

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
    for part in ranked:
        own = identities_of(part)
        for name, value in own.items():
            _put(identities, _meant(name, identities, own), name, value)
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
        meant = {name: defined[own, name] for name in identities_of(part)}
        kept = {
            meant[name][1]: value
            for name, value in identities_of(part).items()
            if own >= meant[name][0]
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


def _meant(name: str, known: Iterable[str], own: Mapping[str, Any]) -> str | None:
    """Return the earlier identity that a name in a file means: its own, else the one in another case.

    What the same file `own` spells is somebody else: two names of one file are two identities.
    """
    if name in known:
        return name
    others = [one for one in known if one.lower() == name.lower()]
    return others[0] if len(others) == 1 and others[0] not in own else None


def _put(identities: dict[str, Any], known: str | None, name: str, value: Any) -> None:
    if known is not None and not _is_definition(value):
        identities[known] = deep_merge(identities[known], value)
        return
    if known is not None:
        del identities[known]
    identities[name] = value


def _definitions(ranked: Sequence[Part]) -> dict[tuple[int, str], tuple[int, str]]:
    """Return for each rank and name there the rank of the last definition, and the name in it."""
    meant: dict[tuple[int, str], list[tuple[int, str]]] = {}
    known: dict[str, list[tuple[int, str]]] = {}
    for number, part in enumerate(ranked):
        own = identities_of(part)
        for name, value in own.items():
            earlier = _meant(name, known, own)
            last = known[earlier] if earlier is not None else []
            if earlier is None or _is_definition(value):
                last[:] = [(number, name)]
                known.pop(earlier or name, None)
                known[name] = last
            meant[number, name] = last
    return {key: last[0] for key, last in meant.items()}


def _respell(section: Mapping[str, Any], merged: Mapping[str, Any]) -> dict[str, Any]:
    """Give providers and integrations the spelling that an earlier file used for the same name."""
    respelled = dict(section)
    for key in ("providers", "integrations"):
        below, above = merged.get(key), section.get(key)
        if isinstance(below, Mapping) and isinstance(above, Mapping):
            known = {name.lower(): name for name in below}
            respelled[key] = {known.get(n.lower(), n): value for n, value in above.items()}
    return respelled
