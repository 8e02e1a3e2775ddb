"""The working directories that are there: what is known of them, and how they go.

Source: reference/atmos-stacks.md 5.8.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime

from wrapper.errors import StackError, StoreError
from wrapper.terraform import turn, workdir
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.world import World


class Place(NamedTuple):
    """A working directory. `told` is what its metadata says: component, stack, source, times."""

    path: str
    told: Mapping[str, Any]
    used: float  # seconds since the epoch

    @property
    def name(self) -> str:
        """Return the directory's own name."""
        return os.path.basename(self.path)

    def says(self, key: str) -> str:
        """Return a value of the metadata as text; '' without it."""
        return str(self.told.get(key) or "")

    @property
    def source(self) -> str:
        """Return where its module is from."""
        uri, version = self.says("source_uri"), self.says("source_version")
        return (f"{uri}@{version}" if version else uri) or self.says("source")


def found(config: Config, world: World) -> list[Place]:
    """Return the working directories of the repository, by name: those that say that they are."""
    root = os.path.join(config.base_path, workdir.FOLDER, "terraform")
    try:
        names = sorted(os.listdir(root))
    except OSError:
        return []
    places = [os.path.join(root, name) for name in names]
    known = [_place(path, world) for path in places if not os.path.islink(path)]
    return [place for place in known if place is not None]


def _place(path: str, world: World) -> Place | None:
    metadata = os.path.join(path, workdir.OWN, "metadata.json")
    try:
        with open(metadata, "rb") as stream:
            told = json.loads(stream.read())
        times = (turn.last(path, world.environ), os.stat(path).st_mtime, os.stat(metadata).st_mtime)
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(told, Mapping) or not told.get("component"):
        return None
    return Place(path, told, max(*times, _seconds(told.get("last_accessed"))))


def _seconds(text: Any) -> float:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return 0.0


def of(config: Config, world: World, component: str, stack: str) -> Place:
    """Return a component's working directory, also of one that no manifest names any more.

    Raises: StackError without one.
    """
    for place in found(config, world):
        if (place.says("component"), place.says("stack")) == (component, stack):
            return place
    raise StackError(
        f'there is no working directory of the component "{component}" in the stack "{stack}"',
        hint="it is made by the first run, if provision.workdir.enabled is true",
    )


def states(place: Place) -> list[str]:
    """Return the local states in a working directory, as paths from it."""
    known = []
    for folder, below, names in os.walk(place.path):
        below[:] = [name for name in below if name not in (".terraform", ".git")]
        known += [
            os.path.relpath(os.path.join(folder, name), place.path)
            for name in names
            if name.endswith(workdir.STATES[:2])
        ]
    return sorted(known)


def delete(place: Place, world: World) -> None:
    """Delete a working directory, once no run is in it. Raises: StoreError, Interrupted."""
    import shutil

    from wrapper import ui

    held = turn.take(
        place.path, world.environ, lambda who: ui.note(world, f"waiting for another run: {who}")
    )
    try:
        held.sign("deleting the working directory")
        shutil.rmtree(place.path)
    except OSError as error:
        raise StoreError(f"cannot delete {error.filename}: {error.strerror}") from error
    finally:
        held.end()
