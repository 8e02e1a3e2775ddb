"""Which components a change of the repository affects, and by what.

The working tree is one side, a `Baseline` the other; both are read with the configuration of the
working tree. Source: Atmos's documentation of `describe affected`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from wrapper import ui
from wrapper.errors import Location, StackError, WrapError
from wrapper.stacks import names
from wrapper.stacks.dependencies import Node
from wrapper.stacks.overview import Chosen
from wrapper.stacks.sides import Asked, Key, Pair, Side, texts
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.stacks import Component
    from wrapper.stacks.baseline import Against
    from wrapper.stacks.catalog import Row
    from wrapper.world import World

# Sections in the order in which they are looked at: the first that differs is the reason shown.
SECTIONS = (
    "vars", "env", "providers", "required_providers", "required_version", "generate", "backend",
    "backend_type", "remote_state_backend", "remote_state_backend_type", "auth", "command",
    "dependencies", "source", "provision",
)  # fmt: skip
# What decides where the outputs of a component are read, and as whom.
_WHERE = ("backend", "backend_type", "workspace", "component", "env", "auth")


class Item(NamedTuple):
    """One affected component, with every reason, the first first.

    `file` and `folder` are those that it names as dependencies and that changed. `deletion` is
    `component` or `stack` for one that only the other side has, which `component` then is of.
    """

    component: Component
    row: Row
    reasons: tuple[str, ...]
    file: str = ""
    folder: str = ""
    deletion: str = ""

    @property
    def node(self) -> Node:
        """Return its name and stack."""
        return Node(self.row.component, self.row.stack or "")


class Found(NamedTuple):
    """What a comparison gave: `own` is the working tree's side, `shown` is what was compared with, `changed` the files, if asked."""

    items: list[Item]
    own: Side
    shown: str
    changed: tuple[str, ...] = ()


def compared(
    config: Config, world: World, against: Against, asked: Asked, *, files: bool = False
) -> Found:
    """Return the components that differ from the other side; with `files` also which files do.

    Raises: UsageError, ConfigError, StackError, AuthError, StoreError, ToolMissing.
    """
    from wrapper.stacks import baseline
    from wrapper.stacks.changes import Changes

    with baseline.opened(against, config.base_path or world.cwd, world) as other:
        changes = Changes(other, world.environ)
        pair = Pair(config, world, other, changes, asked)
        items = Comparison(pair).items()
        changed = changes.all_below(changes.root) if files else ()
        return Found(items, pair.own, other.shown, tuple(changed))


class Comparison:
    """The working tree against a baseline."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self._changes = pair.changes
        self._asked = pair.asked
        self._world = pair.world
        self._modules: dict[str, bool] = {}

    def items(self) -> list[Item]:
        """Return what is affected, by stack and component. Raises: WrapError."""
        found = [item for key in self._pair.own.rows if (item := self._of(key)) is not None]
        found += self._deleted()
        return sorted(
            found, key=lambda item: (item.row.stack or "", item.row.component, item.row.kind)
        )

    # One component.

    def _of(self, key: Key) -> Item | None:
        row = self._pair.own.rows[key]
        if row.abstract or not row.enabled or (row.locked and not self._asked.locked):
            return None
        nodes = self._asked.nodes
        if nodes is not None and (
            key.kind != "terraform" or Node(key.name, key.stack) not in nodes
        ):
            return None
        if not self._is_wanted(key, self._pair.own):
            return None
        try:
            own = self._pair.own.component(key)
        except WrapError as error:
            self._broken(key, error)
            return None
        reasons = [
            *self._of_metadata(key, own),
            *self._of_code(own),
            *self._of_sections(key, own, (*self._sections(), "settings")),
        ]
        file, folder = self._of_dependencies(own)
        reasons += [name for name, path in (("file", file), ("folder", folder)) if path]
        return Item(own, row, tuple(reasons), file, folder) if reasons else None

    def _is_wanted(self, key: Key, side: Side) -> bool:
        shown = names.path_name(side.manifests[key], side.repository.settings.stacks_dir)
        return Chosen(self._asked.stack or None).has_stack(key.stack, shown)

    def _broken(self, key: Key, error: WrapError) -> None:
        """Pass over a component that is broken on both sides alike; else it is the change's fault."""
        try:
            self._pair.component(key)
        except WrapError as other:
            if self._pair.as_ours(other.message) == error.message:
                ui.warn(self._world, f"not compared: {key.name} in {key.stack}: {error.message}")
                return
        except KeyError:
            pass
        raise error

    def _of_metadata(self, key: Key, own: Component) -> list[str]:
        if key not in self._pair.other.rows:
            return ["stack.metadata"]
        return self._of_sections(key, own, ("metadata",))

    def _sections(self) -> tuple[str, ...]:
        """Return the sections that are compared. Source: `describe.affected.sections` of Atmos."""
        found: Any = self._pair.own.config.data
        for step in ("describe", "affected", "sections"):
            found = found.get(step) if isinstance(found, Mapping) else None
        return tuple(str(name) for name in found) if isinstance(found, list) and found else SECTIONS

    def _of_sections(self, key: Key, own: Component, names: tuple[str, ...]) -> list[str]:
        """Return the sections that differ; functions are run only where that decides."""
        try:
            other = self._pair.component(key).section if key in self._pair.other.rows else {}
        except WrapError as error:
            ui.warn(
                self._world,
                f"{key.name} in {key.stack} cannot be read in {self._pair.baseline.shown} and counts "
                f"as changed: {error.message}",
            )
            other = {}
        differ = [n for n in names if not self._pair.alike(own.section.get(n), other.get(n))]
        if not self._asked.functions or not other:
            return [f"stack.{name}" for name in differ]
        calls = [n for n in names if self._is_open(own.section, other, n, n in differ, key.stack)]
        if calls:
            here = self._pair.own.evaluated(key)
            try:
                there = self._pair.other.evaluated(key)
            except WrapError as error:
                ui.warn(
                    self._world,
                    f"{key.name} in {key.stack} counts as changed: its functions cannot be run as "
                    f"in {self._pair.baseline.shown}: {error.message}",
                )
                there = {}
            same = {n for n in calls if self._pair.alike(here.get(n), there.get(n))}
            differ = [n for n in names if n not in same and (n in differ or n in calls)]
        return [f"stack.{name}" for name in differ]

    def _is_open(
        self, own: Mapping[str, Any], other: Mapping[str, Any], name: str, differs: bool, stack: str
    ) -> bool:
        """Say whether only running a section's functions tells if it differs."""
        calls = [t for t in texts((own.get(name), other.get(name))) if t.startswith("!")]
        if differs:
            return bool(calls)
        # The same call gives the same, unless it reads a state that is now elsewhere.
        return any(
            call.startswith("!terraform.") and self._reads_other(call, stack) for call in calls
        )

    def _reads_other(self, call: str, stack: str) -> bool:
        from wrapper.stacks import outputs

        function, _, argument = call.partition(" ")
        try:
            wanted = outputs.parse(argument, stack, function, None)
            key = Key(wanted.stack, "terraform", wanted.component)
            own, other = self._pair.own.component(key).section, self._pair.component(key).section
        except (WrapError, KeyError):
            return False
        return any(not self._pair.alike(own.get(name), other.get(name)) for name in _WHERE)

    # Files.

    def _of_code(self, own: Component) -> list[str]:
        """Return whether the component's directory, or a local module that it uses, changed."""
        directory = self._directory(own)
        if not directory:
            return []
        if directory not in self._modules:
            from wrapper.stacks import modules

            used = modules.used(directory) if own.kind == "terraform" else ()
            self._modules[directory] = any(
                self._changes.below(one) for one in sorted(used) if not _is_in(one, directory)
            )
        found = ["component.module"] if self._modules[directory] else []
        return [*found, "component"] if self._changes.below(directory) else found

    def _directory(self, own: Component) -> str:
        """Return the absolute directory of a component's code; '' where a kind has none."""
        info = own.section.get("component_info") or {}
        if info.get("component_path"):
            return str(info["component_path"])
        config = self._pair.own.config
        section = (config.data.get("components") or {}).get(own.kind)
        base = section.get("base_path") if isinstance(section, Mapping) else None
        named = (own.section.get("metadata") or {}).get("component") or own.name
        return os.path.normpath(os.path.join(config.base_path, base, named)) if base else ""

    def _of_dependencies(self, own: Component) -> tuple[str, str]:
        """Return the file and the folder that a component names and that changed first."""
        files, folders = _named(own.section)
        file = next((f for f in files if any(map(self._changes.file, self._places(f)))), "")
        folder = next((f for f in folders if any(map(self._changes.below, self._places(f)))), "")
        return file, folder

    def _places(self, path: str) -> list[str]:
        """Return what a path of the configuration may mean: from the repository's root or base."""
        bases = dict.fromkeys((self._changes.root, self._pair.own.config.base_path))
        return [os.path.normpath(os.path.join(base, path)) for base in bases]

    # What is no more.

    def _deleted(self) -> Iterator[Item]:
        left = {key.stack for key in self._pair.own.rows}
        broken = {path for path, listing in self._pair.listings.items() if listing.problems}
        here, there = self._pair.own.config.stacks_dir, self._pair.other.config.stacks_dir
        for key, row in self._pair.other.rows.items():
            if key in self._pair.own.rows or row.abstract:
                continue
            if not self._is_wanted(key, self._pair.other):
                continue
            manifest = os.path.relpath(self._pair.other.manifests[key], there)
            if os.path.join(here, manifest) in broken:
                raise StackError(
                    f'what differs in "{key.stack}" cannot be said: its manifest could be read in '
                    f"{self._pair.baseline.shown}, and cannot be read now",
                    at=Location(os.path.join(here, manifest), 1, 1),
                    hint="the warning says what is wrong with it",
                )
            try:
                component = self._pair.other.component(key)
            except WrapError as error:
                ui.warn(self._world, f"{key.name} in {key.stack} is gone: {error.message}")
                continue
            section = self._pair.as_ours(component.section)
            component = component._replace(section=section)
            whole = key.stack not in left
            reason = "deleted.stack" if whole else "deleted"
            yield Item(component, row, (reason,), deletion="stack" if whole else "component")


def _is_in(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory + os.sep)


def _named(section: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the files and folders that a component depends on.

    Source: reference/atmos-stacks.md 3.14; `settings.depends_on` in Atmos's documentation.
    """
    files: list[str] = []
    folders: list[str] = []
    given = section.get("dependencies")
    given = given if isinstance(given, Mapping) else {}
    files += [str(path) for path in _items(given.get("files")) if path]
    folders += [str(path) for path in _items(given.get("folders")) if path]
    legacy = (section.get("settings") or {}).get("depends_on")
    for entry in (*_items(given.get("components")), *_items(legacy)):
        if isinstance(entry, Mapping):
            kind, path = entry.get("kind"), entry.get("path")
            files += [str(p) for p in (entry.get("file"), path if kind == "file" else "") if p]
            folders += [
                str(p) for p in (entry.get("folder"), path if kind == "folder" else "") if p
            ]
    return files, folders


def _items(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, Mapping) else list(value or ())
