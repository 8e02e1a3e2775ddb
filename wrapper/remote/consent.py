"""Which sources the user allowed to be fetched: said by `fetch`, or listed in a file or variable.

docs/explanation/remote-imports.md says why it is asked for.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from wrapper import files, owners
from wrapper.errors import ConfigError
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.remote.address import Address
    from wrapper.world import World

VARIABLE = "ATMOS_WRAP_SOURCES"
LIST = "sources"
_FORMAT = 1


def place(world: World) -> str:
    """Return the directory of what was said and seen."""
    return os.path.join(os.path.abspath(files.state_dir(world.environ)), "remote")


def prefix_file(world: World) -> str:
    """Return the file in which the user lists addresses to trust, one on each line."""
    return os.path.join(os.path.abspath(files.config_dir(world.environ)), LIST)


def is_allowed(address: Address, world: World) -> bool:
    """Say whether the user agreed to a source. Raises: StoreError where that cannot be told."""
    return any(_covers(one, address.source) for one in (*allowed(world), *prefixes(world)))


def allowed(world: World) -> Mapping[str, float]:
    """Return the sources that the user agreed to, with when, in seconds since the epoch."""
    return {name: when for name, when in _read(world, "allowed").items() if _is_number(when)}


def allow(source: str, world: World) -> None:
    """Remember that the user agreed to a source. Raises: StoreError."""
    with _changing(world):
        _write(world, "allowed", {**allowed(world), source: world.now()})


def forget(source: str, world: World) -> bool:
    """Forget that the user agreed to a source; say whether that was so. Raises: StoreError."""
    with _changing(world):
        known = dict(allowed(world))
        if source not in known:
            return False
        del known[source]
        _write(world, "allowed", known)
        seen = {key: value for key, value in _read(world, "seen").items() if value[:1] != [source]}
        _write(world, "seen", seen)
    return True


def prefixes(world: World) -> list[str]:
    """Return the addresses that the user's list and the variable trust.

    A list that somebody else could have written does not count.
    """
    return _listed(world)[0] + world.environ.get(VARIABLE, "").replace(",", " ").split()


def ignored(world: World) -> str:
    """Return why the user's list does not count, '' when it does."""
    return _listed(world)[1]


def _listed(world: World) -> tuple[list[str], str]:
    path = prefix_file(world)
    try:
        return list(owners.read_own(path, world.environ)), ""
    except ConfigError as error:
        return [], f"{path} does not count: {error.message}"


def seen(key: str, world: World) -> str:
    """Return the content that a pinned address had, '' when it was never fetched."""
    found = _read(world, "seen").get(key)
    return str(found[1]) if isinstance(found, list) and len(found) == 2 else ""


def note_seen(key: str, source: str, revision: str, world: World) -> None:
    """Remember the content of a pinned address. Raises: StoreError."""
    with _changing(world):
        _write(world, "seen", {**_read(world, "seen"), key: [source, revision]})


def _covers(prefix: str, source: str) -> bool:
    """Say whether a listed address is that of the source or a part of its path, by whole names."""
    if "://" not in prefix:
        prefix = f"https://{prefix}"
    scheme, _, rest = prefix.partition("://")
    host, _, path = rest.partition("/")
    if not host and scheme != "file":
        return False
    whole = f"{scheme.lower()}://{host.lower()}/{path}".rstrip("/").removesuffix(".git")
    return owners.below(source, whole)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _changing(world: World) -> Any:
    return files.lock(os.path.join(place(world), "lock"), "consent")


def _read(world: World, name: str) -> dict[str, Any]:
    files.check_own([place(world)])
    try:
        data = json.loads(files.read_private(os.path.join(place(world), f"{name}.json")) or b"[]")
        found = data[1] if data[0] == _FORMAT else {}
    except (ValueError, LookupError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(world: World, name: str, data: Mapping[str, Any]) -> None:
    text = json.dumps([_FORMAT, data])
    files.write_atomic(os.path.join(place(world), f"{name}.json"), text.encode())
