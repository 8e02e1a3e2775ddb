"""Profiles: directories of files that are laid over atmos.yaml."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence

from wrapper.config.files import yaml_below
from wrapper.errors import ConfigError, UsageError, near
from wrapper.typed import Any, NamedTuple

PICK = "__SELECT__"


class Place(NamedTuple):
    """A directory that may hold profiles; `kind` as `profile list` names it."""

    kind: str
    path: str


class Profile(NamedTuple):
    """One profile that is there."""

    name: str
    path: str
    kind: str
    files: tuple[str, ...]


def places(data: Mapping[str, Any], config_dir: str, xdg: str) -> list[Place]:
    """Return where profiles are looked for, highest first; `xdg` is Atmos's own config directory.

    Source: reference/atmos-stacks.md 2.2.
    """
    section = data.get("profiles")
    base = section.get("base_path") if isinstance(section, Mapping) else None
    found = []
    if isinstance(base, str) and base:
        found.append(Place("configurable", os.path.normpath(os.path.join(config_dir, base))))
    found.append(Place("project-hidden", os.path.join(config_dir, ".atmos", "profiles")))
    found.append(Place("xdg", os.path.join(xdg, "profiles")))
    found.append(Place("project", os.path.join(config_dir, "profiles")))
    return found


def available(where: Sequence[Place]) -> list[Profile]:
    """Return every profile that can be selected, sorted by name."""
    found: dict[str, Profile] = {}
    for place in where:
        try:
            names = sorted(os.listdir(place.path))
        except OSError:
            continue
        for name in names:
            path = os.path.join(place.path, name)
            if name not in found and name != PICK and os.path.isdir(path):
                found[name] = Profile(name, path, place.kind, tuple(yaml_below(path)))
    return [found[name] for name in sorted(found)]


def find(name: str, where: Sequence[Place], identities: Collection[str] = ()) -> Profile:
    """Return the profile of that name; `identities` are those of the files, for advice.

    Raises: UsageError when there is none.
    """
    if name == PICK:
        raise UsageError(
            "--profile needs the name of a profile",
            hint="names: " + (", ".join(p.name for p in available(where)) or "there are none"),
        )
    if name in ("", ".", "..") or "/" in name or "\\" in name:
        raise UsageError(f'"{name}" is no name of a profile')
    for place in where:
        path = os.path.join(place.path, name)
        if os.path.isdir(path):
            return Profile(name, path, place.kind, tuple(yaml_below(path)))
    hints = _hints(name, where)
    if name.lower() in {identity.lower() for identity in identities}:
        hints.append(f"{name} is an identity: --identity {name}, or ATMOS_IDENTITY={name}")
    raise UsageError(f'profile "{name}" does not exist', hint=hints)


def said(profile: Profile, *keys: str) -> Iterator[Mapping[str, Any]]:
    """Yield the map that each file of a profile has below some keys, as it is written.

    A file that cannot be read or parsed is passed over: this is for advice and lists.
    """
    from wrapper import yamlio

    for path in profile.files:
        try:
            with open(path, "rb") as stream:
                data: Any = yamlio.load(stream.read(), path).data
        except (OSError, ConfigError):
            continue
        for key in keys:
            data = data.get(key) if isinstance(data, Mapping) else None
        if isinstance(data, Mapping):
            yield data


def selected(
    flag: Sequence[str] | None, environ: Mapping[str, str], data: Mapping[str, Any]
) -> tuple[str, ...]:
    """Return the names of the profiles to lay over, lowest first.

    Raises: ConfigError for a `profiles.default` that is no name. Source: reference 2.1.
    """
    named = _names(flag or ()) or _names(environ.get("ATMOS_PROFILE", "").split())
    if named:
        return named
    section = data.get("profiles")
    default = section.get("default") if isinstance(section, Mapping) else None
    if default is None:
        return ()
    listed = [default] if isinstance(default, str) else default
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise ConfigError("`profiles.default` must be a name or a list of names")
    return _names(listed)


def _names(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the names in texts with commas; of one that is given twice the last place counts."""
    names = [name.strip() for text in texts for name in text.split(",") if name.strip()]
    return tuple(reversed(dict.fromkeys(reversed(names))))


def _hints(name: str, where: Sequence[Place]) -> list[str]:
    names = [profile.name for profile in available(where)]
    similar = near(name, names)
    if similar:
        return [similar]
    if names:
        return ["profiles: " + ", ".join(names)]
    return ["looked in " + ", ".join(place.path for place in where)]
