"""The stack that holds in a directory, and what its manifests make of `auth`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from wrapper.errors import Location
from wrapper.merge import Layer, deep_merge
from wrapper.stacks import passive
from wrapper.stacks.manifest import Fault
from wrapper.stacks.passive import Doubt, Passive, Said
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.world import World

# What every identity may depend on.
_SHARED = ("realm", "keyring")
_NAMED = ("identities", "providers")


class Place(NamedTuple):
    """The stack of a directory and, where one lives there, the component; `title` calls them.

    `auth` and `layers` are what the manifests say for it. `doubts` say why that cannot be told.
    """

    said: Said
    title: str
    auth: Any
    layers: tuple[Layer, ...]
    doubts: tuple[Doubt, ...]


class Section(NamedTuple):
    """The merged `auth`. `faulty` entries, as `(identities, NAME)`, would need something run.

    `fatal` says what all of it would need run, '' for nothing.
    """

    auth: Mapping[str, Any]
    faulty: Mapping[tuple[str, str], str]
    fatal: str = ""


def place(config: Config, pinned: str, here: str, inside: bool, world: World) -> Place | None:
    """Return what holds in a directory: the stack of its manifests, else the pinned one.

    `here` is the directory's real path, `inside` whether manifests are in it. None when no stack
    holds. Raises: ConfigError, StackError.
    """
    look = Passive(config, world)
    if inside:
        found, broken = look.below(here)
        if len(found) == 1 and not broken:
            return _whole(look.stack(found[0]))
        if broken and len(found) < 2:
            return _unread(look, broken)
    if not pinned:
        return None
    said = look.stack(pinned)
    if config.terraform_dir:
        top = os.path.realpath(config.terraform_dir)
        if here.startswith(top + os.sep):
            return _component(look, said, os.path.relpath(here, top))
    return _whole(said)


def _whole(said: Said) -> Place:
    return Place(said, f'stack "{said.stack}"', said.auth, said.layers, said.doubts)


def _unread(look: Passive, path: str) -> Place:
    """Return what is to be said of a directory whose manifest does not tell its stack."""
    said = look.said("", [path])
    doubts = said.doubts or (Doubt("its manifest does not say which it is", Location(path, 1, 1)),)
    return Place(said, "the stack of this directory", {}, (), doubts)


def _component(look: Passive, said: Said, module: str) -> Place:
    """Return the component that lives in a directory; several are one if they are the same."""
    names = look.component(said, module)
    doubts = said.doubts + (said.loose if said.files else ())
    if module in names:
        names = [module]
    if not names:
        return _whole(said)._replace(doubts=doubts)
    found = [(name, *look.auth(said, name)) for name in names]
    if any(auth != found[0][1] for _, auth, _ in found[1:]):
        told = f"several components live here: {', '.join(names)}"
        doubts += (Doubt(told, Location(said.trees[0].path, 1, 1)),)
    name, auth, layers = found[0]
    return Place(
        said, f'component "{name}" in stack "{said.stack}"', auth, (*said.layers, *layers), doubts
    )


def merged(place: Place, config: Config) -> Section:
    """Return the configuration's `auth` with that of the manifests over it; nothing is run."""
    own = place.auth
    if not isinstance(own, Mapping):
        return Section({}, {}, _told(own, place.said) or "`auth` is no map")
    faulty: dict[tuple[str, str], str] = {}
    left_out: list[str] = []
    for key, value in own.items():
        if key in _NAMED and isinstance(value, Mapping):
            for name, entry in value.items():
                default = entry.get("default") if isinstance(entry, Mapping) else None
                fatal = _told(str(name), place.said) or _told(default, place.said)
                if fatal:
                    return Section({}, {}, fatal)
                reason = _told(entry, place.said)
                if reason:
                    faulty[key, str(name)] = reason
        else:
            reason = _told({key: value}, place.said)
            if reason and (key in _SHARED or key in _NAMED):
                return Section({}, {}, reason)
            left_out += [key] if reason else []
    auth = deep_merge(config.data.get("auth") or {}, own)
    auth = {key: value for key, value in auth.items() if key not in left_out}
    for key, name in faulty:
        entry = auth[key][name]
        given = entry if isinstance(entry, Mapping) else {}
        stub = {
            k: v for k, v in given.items() if k in ("default", "via") and not _told(v, place.said)
        }
        auth = {**auth, key: {**auth[key], name: {"kind": "mock", **stub}}}
    return Section(auth, faulty)


def faulty(section: Section, name: str) -> str:
    """Return why an identity cannot be told: what it or a link of its chain would need run."""
    known = {(key, one.lower()): why for (key, one), why in section.faulty.items()}
    for key, one in _chain(section.auth, name):
        if (key, one.lower()) in known:
            return known[key, one.lower()]
    return ""


def _chain(auth: Mapping[str, Any], name: str) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    while name and name not in seen:
        seen.add(name)
        yield "identities", name
        entries = auth.get("identities") or {}
        entry = entries.get(name)
        if entry is None:
            entry = next((e for k, e in entries.items() if k.lower() == name.lower()), None)
        via = entry.get("via") if isinstance(entry, Mapping) else None
        via = via if isinstance(via, Mapping) else {}
        if via.get("provider"):
            yield "providers", str(via["provider"])
        name = str(via.get("identity") or "")


def _told(value: Any, said: Said) -> str:
    """Return what of a value would have to be run, with its place; '' for nothing."""
    found = passive.unclear(value)
    if found is None:
        return ""
    if isinstance(found, Fault):
        at, what = Location(found.path, found.line, found.column), found.message
    else:
        at, what = passive.place(said, found), "a template is not run at a prompt"
    return f"{what}, {at.path}:{at.line}"
