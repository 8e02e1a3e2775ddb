"""What each configuration file says, in merge order: for explaining where a key came from."""

from __future__ import annotations

from collections.abc import Mapping

from wrapper.config.identities import Part
from wrapper.origins import Group, Keys, Origin, Piece, trace
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.config import Config


def explain(config: Config) -> list[Origin]:
    """Return the origin of each key of the merged configuration; `auth` by its own rules.

    Variables and flags that set a key are its last step. Defaults have no step.
    """
    data = {key: value for key, value in config.data.items() if key not in ("auth", "import")}
    pieces = [*_pieces(config, ()), *_overriding(config)]
    rest = [
        piece._replace(data={k: v for k, v in piece.data.items() if k not in ("auth", "import")})
        for piece in pieces
    ]
    return [*trace(data, [Group(tuple(rest))]), *explain_auth(config)]


def explain_auth(config: Config) -> list[Origin]:
    """Return the origin of each key of the `auth` section of the configuration files."""
    groups = [auth_group(config)]
    return trace(config.data.get("auth") or {}, groups, ("auth",))


def auth_group(config: Config) -> Group:
    """Return what the files say about `auth`: identities in the order in which their values win."""
    rank = {layer.path: layer.rank for layer in config.auth_layers}
    ranked = sorted(config.parts, key=lambda part: rank.get(part.path, -1))
    known = _spellings(config)
    found: list[Piece] = []
    for part in config.parts:
        rest = {k: v for k, v in _auth(part).items() if k != "identities"}
        found.append(_piece(part, ("auth",), _respelled(rest, known)))
    for part in ranked:
        own = {k: v for k, v in _auth(part).items() if k == "identities"}
        found.append(_piece(part, ("auth",), _respelled(own, known)))
    found += [
        piece._replace(data=piece.data["auth"], keys=("auth",))
        for piece in _overriding(config)
        if isinstance(piece.data.get("auth"), Mapping)
    ]
    return Group(tuple(piece for piece in found if piece.data))


def group_of(config: Config, under: Keys, keys: Keys) -> Group:
    """Return what the files say under one key path, as standing under `keys` of a result."""
    return Group(tuple(piece._replace(keys=keys) for piece in _pieces(config, under)))


def _pieces(config: Config, under: Keys) -> list[Piece]:
    found = []
    for part in config.parts:
        data: Any = part.data
        for key in under:
            data = data.get(key) if isinstance(data, Mapping) else None
        if isinstance(data, Mapping) and data:
            found.append(_piece(part, under, data))
    return found


def _piece(part: Part, under: Keys, data: Mapping[str, Any]) -> Piece:
    return Piece(part.section, part.path, under, data, under)


def _auth(part: Part) -> Mapping[str, Any]:
    section = part.data.get("auth")
    return section if isinstance(section, Mapping) else {}


def _overriding(config: Config) -> list[Piece]:
    """Return one piece for each variable or flag that set a key."""
    found = []
    for dotted, source in config.overridden.items():
        keys = tuple(dotted.split("."))
        value: Any = config.data
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        for key in reversed(keys):
            value = {key: value}
        label = "flag" if source.startswith(("-", "the ")) else "variable"
        found.append(Piece(label, "", (), value, (), source))
    return found


def _spellings(config: Config) -> Mapping[str, Mapping[str, str]]:
    """Return for each section of names the spelling that won, by the folded name."""
    section = config.data.get("auth") or {}
    return {
        key: {name.lower(): name for name in section[key]}
        for key in ("identities", "providers", "integrations")
        if isinstance(section.get(key), Mapping)
    }


def _respelled(
    section: Mapping[str, Any], known: Mapping[str, Mapping[str, str]]
) -> Mapping[str, Any]:
    return {
        key: {known[key].get(name.lower(), name): item for name, item in value.items()}
        if key in known and isinstance(value, Mapping)
        else value
        for key, value in section.items()
    }
