"""The manifests of one repository: which there are, what they hold, read through the index."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wrapper.errors import Location, StackError, WrapError, near
from wrapper.stacks import catalog, names
from wrapper.stacks.catalog import Listing
from wrapper.stacks.imports import Loader
from wrapper.stacks.manifest import Manifest, parse
from wrapper.stacks.settings import Settings

if TYPE_CHECKING:
    from wrapper.world import World


class Repository:
    """One command's view of the manifests."""

    def __init__(self, settings: Settings, world: World) -> None:
        self.settings = settings
        self.world = world
        self.parsed: dict[str, Manifest] = {}
        self.loader = Loader(settings, self.read)
        self._listings: dict[str, Listing] | None = None

    def read(self, path: str) -> Manifest:
        """Return one parsed manifest. Raises: StackError."""
        if path not in self.parsed:
            self.parsed[path] = read_file(path, self.settings)
        return self.parsed[path]

    def listings(self) -> dict[str, Listing]:
        """Return what each top-level manifest holds, by path."""
        if self._listings is None:
            self._listings = build(self.settings, self.read)
            warn(self.world, self._listings)
        return self._listings

    def by_name(self, stack: str) -> list[str]:
        """Return the manifests that hold components of a stack, by path."""
        return [
            path
            for path, found in self.listings().items()
            if any(row.stack == stack for row in found.rows)
        ]

    def by_path(self, stack: str) -> str | None:
        """Return the manifest that a stack given as a path means, in directory mode.

        Source: reference/atmos-stacks.md 4.1.
        """
        if "/" not in stack.lstrip("/"):
            return None
        for extension in (".yaml", ".yml"):
            path = os.path.join(self.settings.stacks_dir, stack + extension)
            if path in self.listings():
                return path
        return None

    def stacks(self) -> list[str]:
        """Return the names of all stacks, sorted."""
        found = set()
        for path, one in self.listings().items():
            for row in one.rows:
                found.add(row.stack or names.path_name(path, self.settings.stacks_dir))
        return sorted(found)

    def unknown(self, stack: str) -> StackError:
        """Return the error for a stack that is not there."""
        known = self.stacks()
        hints = [near(stack, known) or "run `atmos-wrap list stacks` to see all stacks"]
        for path in self.listings():
            name = names.path_name(path, self.settings.stacks_dir)
            if stack in (name, os.path.basename(name)) or name.endswith("/" + stack):
                real = sorted({row.stack for row in self.listings()[path].rows if row.stack})
                hints = (
                    [f"did you mean {' or '.join(repr(one)[1:-1] for one in real)}?"]
                    if real
                    else hints
                )
        return StackError(f"could not find the stack '{stack}'", hint=hints)


def read_file(path: str, settings: Settings) -> Manifest:
    """Read and parse one manifest; one that is rendered first is not parsed here."""
    try:
        with open(path, "rb") as stream:
            text = stream.read()
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise StackError(f"cannot read the manifest: {reason}", at=Location(path, 1, 1)) from error
    return parse(text, path, (settings.stacks_dir, settings.base_path), settings.delimiter)


def build(settings: Settings, read: object) -> dict[str, Listing]:
    """Return what every top-level manifest holds, reading all of them."""
    wanted = catalog.needed(settings)
    found: dict[str, Listing] = {}
    narrowed: dict[str, Manifest] = {}

    def narrow_read(path: str) -> Manifest:
        if path not in narrowed:
            narrowed[path] = catalog.narrow(read(path), wanted)  # type: ignore[operator]
        return narrowed[path]

    loader = Loader(settings, narrow_read)
    for path in catalog.discover(settings)[0]:
        try:
            found[path] = catalog.listing(loader.tree(path), settings)
        except WrapError as error:
            found[path] = Listing((), (catalog.told(error),), (path,))
    return found


def warn(world: World, listings: dict[str, Listing]) -> None:
    """Tell of broken manifests on stderr."""
    told = dict.fromkeys(line for one in listings.values() for line in one.problems)
    for line in list(told)[:5]:
        world.stderr.write(f"warning: {line}\n")
    if len(told) > 5:
        world.stderr.write(f"warning: … and {len(told) - 5} more broken manifests\n")
