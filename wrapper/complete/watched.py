"""Which files and directories decide what the configuration of a directory is."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence

from wrapper.config import files, profiles
from wrapper.files import atmos_dir
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.world import World

_MARKS = (
    "atmos.yaml", "atmos.yml", ".atmos.yaml", ".atmos.yml", ".atmos", ".atmos.d", "atmos.d", ".git",
)  # fmt: skip
# More than this is not worth a look at each Tab.
_MOST = 2000
# A file changed this shortly ago may change again without a new time stamp.
_TICK = 20_000_000


def of(loaded: Config, world: World) -> list[str] | None:
    """Return every path whose change may change the configuration; None for too many or remote ones.

    Some are absent: that they appear is a change, too. Source: the rules of `wrapper.config.files`.
    """
    found: set[str] = set(loaded.seen)
    directory = world.cwd
    while True:
        found.update(os.path.join(directory, name) for name in _MARKS)
        above = os.path.dirname(directory)
        if above == directory:
            break
        directory = above
    chosen = world.environ.get("ATMOS_CLI_CONFIG_PATH", "")
    tops = [files.SYSTEM_DIR, os.path.join(world.home, ".atmos"), os.path.join(world.cwd, chosen)]
    tops += {os.path.dirname(part.path) for part in loaded.parts}
    for top in tops:
        found.update(os.path.join(top, name) for name in _MARKS)
    for top in {world.cwd, loaded.git_root or world.cwd, *tops}:
        for name in ("atmos.d", ".atmos.d"):
            found.update(_below(os.path.join(top, name)))
    xdg = atmos_dir(world.environ, "CONFIG")
    for place in profiles.places(loaded.data, loaded.dir or world.cwd, xdg):
        found.add(place.path)
        found.update(_below(place.path))
    found.update(_missing(loaded, world))
    for part in loaded.parts:
        targets = _imported(part.data.get("import"), part.path, loaded)
        if targets is None:
            return None
        found.update(targets)
    found.update(_included(loaded, world))
    workflows = _map(loaded.data, "workflows").get("base_path")
    if isinstance(workflows, str) and workflows:
        found.update(_below(os.path.normpath(os.path.join(loaded.base_path, workflows))))
    return sorted(found) if len(found) < _MOST else None


def _missing(loaded: Config, world: World) -> Iterator[str]:
    """Yield directories that would count if they were there."""
    base = str(loaded.data.get("base_path") or "")
    for each in (loaded.git_root, loaded.dir, world.cwd):
        candidate = os.path.normpath(os.path.join(each, base)) if each and base else ""
        if candidate and not os.path.exists(candidate):
            yield candidate
    if loaded.stacks_dir and not os.path.isdir(loaded.stacks_dir):
        yield loaded.stacks_dir


def stamp(path: str) -> int:
    """Return a number that changes with a file."""
    directory, _, name = path.rpartition("/")
    from wrapper.complete import stored

    return stored.digest(directory or "/", [name or "."])


def is_young(paths: Sequence[str]) -> bool:
    """Say whether one of the files was changed so shortly ago that a further change may be missed."""
    now = time.time_ns()
    for path in paths:
        try:
            status = os.stat(path)
        except OSError:
            continue
        if abs(now - max(status.st_mtime_ns, status.st_ctime_ns)) < _TICK:
            return True
    return False


def _below(directory: str) -> Iterator[str]:
    """Yield a directory, the directories below it, and the YAML files in them."""
    yield directory
    for base, folders, names in os.walk(directory):
        for name in folders:
            yield os.path.join(base, name)
        for name in names:
            if name.endswith((".yaml", ".yml")):
                yield os.path.join(base, name)


def _imported(value: Any, path: str, loaded: Config) -> list[str] | None:
    """Return the paths that an import list may mean; None when one is not in the file system."""
    entries = [value] if isinstance(value, str) else value or []
    found: list[str] = []
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, str) or "://" in entry or "::" in entry or entry[:4] == "git@":
            return None
        for anchor in {os.path.dirname(path), loaded.base_path, loaded.dir}:
            target = os.path.normpath(os.path.join(anchor, entry))
            found += [target, target + ".yaml", target + ".yml"]
            while any(char in target for char in "*?[{"):
                target = os.path.dirname(target)
            if os.path.isdir(target):
                found += _below(target)
    return found


def _included(loaded: Config, world: World) -> Iterator[str]:
    """Yield where an included file would be found first, if it were there."""
    own = {part.path for part in loaded.parts}
    places = {loaded.git_root, world.cwd, *(os.path.dirname(path) for path in own)} - {""}
    for path in set(loaded.seen) - own:
        for place in places:
            if path.startswith(place.rstrip("/") + "/"):
                name = os.path.relpath(path, place)
                yield from (os.path.join(other, name) for other in places)


def _map(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}
