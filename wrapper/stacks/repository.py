"""The manifests of one repository: which there are, what they hold, read through the index."""

from __future__ import annotations

import os

from wrapper.errors import StackError, WrapError, near
from wrapper.stacks import names
from wrapper.stacks.imports import Entry, Loader
from wrapper.stacks.index import Index
from wrapper.stacks.settings import Settings
from wrapper.stacks.sources import TYPES
from wrapper.stacks.stamps import stamp
from wrapper.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.stacks.catalog import Listing
    from wrapper.stacks.manifest import Manifest
    from wrapper.stacks.others import Reader
    from wrapper.world import World


class Repository:
    """One command's view of the manifests."""

    def __init__(
        self,
        settings: Settings,
        config: Config,
        world: World,
        *,
        quiet: bool = False,
        reader: Reader | None = None,
    ) -> None:
        self.quiet = quiet
        self.config = config
        self._reader = reader
        self.settings = settings
        self.world = world
        self.parsed: dict[str, Manifest] = {}
        self.loader = Loader(settings, self.read, world)
        self.index = Index(settings, world)
        self._listings: dict[str, Listing] | None = None
        self._warm: bool | None = None

    @property
    def reader(self) -> Reader:
        """Return who reads other components' results."""
        if self._reader is None:
            from wrapper.stacks import others

            self._reader = others.nobody()
        return self._reader

    def ask(self, reader: Reader | None) -> None:
        """Let another read other components' results from now on."""
        self._reader = reader

    def read(self, path: str) -> Manifest:
        """Return one parsed manifest. Raises: StackError."""
        found = self.parsed.get(path)
        if found is None:
            found = self.index.manifest(path, stamp(path))
            if found is None:
                from wrapper.stacks.build import read_file

                found = read_file(path, self.settings)[0]
            self.parsed[path] = found
        return found

    def forget(self, path: str) -> None:
        """Free what is kept of a top-level manifest; asked again it is made again."""
        self.parsed.pop(path, None)
        self.loader.done.pop((path, *Entry(path)[2:4], ""), None)

    def warm(self) -> bool:
        """Say whether the index answers for the files as they are; if not, it is refreshed."""
        if self._warm is None:
            self._warm = self.index.changed() == set()
            if self._warm:
                self._tell(self.index.problems())
            else:
                self._refresh()
        return self._warm

    def listings(self) -> dict[str, Listing]:
        """Return what each top-level manifest holds, by path."""
        if self._listings is None and self.warm():
            from wrapper.stacks.build import restored

            try:
                stored = self.index.listings().items()
                self._listings = {path: restored(one) for path, one in stored}
            except (ValueError, TypeError):
                self._refresh()
        return self._listings or {}

    def identities(self) -> dict[str, str]:
        """Return what manifests say of identities, by path (see `identities`)."""
        listings, stored = self.listings(), self.index.identities()
        told = {
            path: stored.get(path, "") if one.identities is None else one.identities
            for path, one in listings.items()
        }
        return {path: text for path, text in told.items() if text}

    def _refresh(self) -> None:
        from wrapper.stacks import build

        self._listings = build.refresh(self.index, self.settings, self.read, self.world)
        self._warm = False
        if not self.quiet:
            told = [line for one in self._listings.values() for line in one.problems]
            warn(self.world, told)

    def _tell(self, problems: str) -> None:
        if problems and not self.quiet:
            warn(self.world, problems.split("\n"))

    def by_name(self, stack: str) -> list[str]:
        """Return the manifests that hold components of a stack, by path."""
        if self.warm():
            return self.index.stacks(stack)
        found = self.listings().items()
        return [path for path, one in found if any(row.stack == stack for row in one.rows)]

    def by_path(self, stack: str) -> str | None:
        """Return the manifest that a stack given as a path means, in directory mode.

        Source: reference/atmos-stacks.md 4.1.
        """
        if "/" not in stack.lstrip("/"):
            return None
        for extension in (".yaml", ".yml"):
            path = os.path.join(self.settings.stacks_dir, stack + extension)
            if self.index.has(path) if self.warm() else path in self.listings():
                return path
        return None

    def stacks(self) -> list[str]:
        """Return the names of all stacks, sorted."""
        if self.warm():
            return self.index.names()
        found = set()
        for path, one in self.listings().items():
            for row in one.rows:
                found.add(row.stack or names.path_name(path, self.settings.stacks_dir))
        return sorted(found)

    def having(self, component: str) -> list[str]:
        """Return the names of the stacks that have a component, sorted."""
        if self.warm():
            return self.index.having(component)
        found = set()
        for path, one in self.listings().items():
            if any(row.component == component for row in one.rows):
                shown = names.path_name(path, self.settings.stacks_dir)
                found |= {row.stack or shown for row in one.rows if row.component == component}
        return sorted(found)

    def components(self, kind: str, stack: str | None = None) -> list[str]:
        """Return the names of the components that can be run, of one stack or of all, sorted."""
        if stack is None and self.warm():
            return self.index.components(kind)
        wanted = self.listings() if stack is None or not self.warm() else self._listed(stack)
        found = {
            row.component
            for one in wanted.values()
            for row in one.rows
            if row.kind == kind and not row.abstract and stack in (None, row.stack)
        }
        return sorted(found)

    def _listed(self, stack: str) -> dict[str, Listing]:
        """Return what the manifests of one stack hold, from the index."""
        from wrapper.stacks.build import restored

        try:
            stored = self.index.listings(self.index.stacks(stack))
            return {path: restored(one) for path, one in stored.items()}
        except (ValueError, TypeError):
            return self.listings()

    def unknown(self, stack: str, component: str) -> StackError:
        """Return the error for a stack that is not there, or whose manifest is broken."""
        known = self.stacks()
        message = f"could not find the stack '{stack}' (asked for its component '{component}')"
        hint = near(stack, known) or "run `atmos-wrap list stacks` to see all stacks"
        broken = False
        for path, one in self.listings().items():
            name = names.path_name(path, self.settings.stacks_dir)
            broken = broken or bool(one.problems)
            if name == stack or name.endswith("/" + stack):
                fault = self._fault(path) if one.problems else None
                if fault is not None:
                    hints = [f"its manifest is broken: {fault.message}", *fault.hints]
                    return StackError(message, at=fault.at, hint=hints)
                real = sorted({row.stack for row in one.rows if row.stack})
                if real:
                    hint = "did you mean " + " or ".join(f'"{each}"' for each in real[:3]) + "?"
        maybe = ["it may be in a manifest that could not be read, see above"] if broken else []
        return StackError(message, hint=[*maybe, hint])

    def _fault(self, path: str) -> WrapError | None:
        """Return what is wrong with a manifest, with its place and advice."""
        from wrapper.stacks import sections

        try:
            tree = self.loader.tree(path)
            for kind in TYPES:
                for name in sections.components_of(tree, kind, self.settings):
                    sections.resolve(tree, kind, name, self.settings)
        except WrapError as error:
            return error
        return None


def warn(world: World, problems: list[str]) -> None:
    """Tell of broken manifests on stderr."""
    from wrapper import ui

    told = list(dict.fromkeys(problems))
    for line in told[:5]:
        ui.warn(world, line)
    if len(told) > 5:
        ui.warn(world, f"and {len(told) - 5} more problems in manifests")
