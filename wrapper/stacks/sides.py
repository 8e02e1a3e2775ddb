"""Two sides of a comparison: the components of the working tree, and those of a baseline.

Both are read with the configuration of the working tree. What no changed file feeds is read once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping

from wrapper import ui
from wrapper.errors import StackError, WrapError
from wrapper.stacks import catalog
from wrapper.stacks.repository import Repository
from wrapper.stacks.settings import settings_of
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.stacks import Component
    from wrapper.stacks.baseline import Baseline
    from wrapper.stacks.catalog import Row
    from wrapper.stacks.changes import Changes
    from wrapper.stacks.dependencies import Node
    from wrapper.stacks.others import Reader
    from wrapper.world import World


class Asked(NamedTuple):
    """What is compared, and how it is read: a stack by name, path or glob, or the nodes named.

    `locked` False leaves locked components out. `functions` False leaves YAML functions as text,
    `skip` some. `reader` makes who reads other components' results, for the configuration of a side.
    """

    reader: Callable[[Config], Reader]
    stack: str = ""
    nodes: frozenset[Node] | None = None
    templates: bool = True
    functions: bool = True
    skip: frozenset[str] = frozenset()
    locked: bool = True


class Key(NamedTuple):
    """What a component is found by on both sides."""

    stack: str
    kind: str
    name: str


class Side:
    """The components of one side; each is described when first asked for."""

    def __init__(self, config: Config, world: World, asked: Asked) -> None:
        self.config = config
        self.world = world
        self.asked = asked
        self.reader = asked.reader(config)
        self.repository = Repository(
            settings_of(config), config, world, quiet=True, reader=self.reader
        )
        self.rows: dict[Key, Row] = {}
        self.manifests: dict[Key, str] = {}
        self._found: dict[Key, Component | WrapError] = {}
        self._evaluated: dict[Key, dict[str, Any]] = {}

    def read_states_here(self, as_ours: Callable[[Any], Any]) -> None:
        """Let local states be looked for beside our code: no commit holds any."""
        made = self.reader

        def state(component: Component) -> Mapping[str, Any] | None:
            return made.state(component._replace(section=as_ours(component.section)))

        def outputs(component: Component) -> Mapping[str, Any] | None:
            local = component.section.get("backend_type") in (None, "", "local")
            return state(component) if local else made.outputs(component)

        self.reader = made._replace(state=state, outputs=outputs)
        self.repository.ask(self.reader)

    def take(self, path: str, rows: Iterable[Row]) -> None:
        """Take in what a manifest holds; of two with one component the first counts."""
        for row in rows:
            key = Key(row.stack or "", row.kind, row.component)
            if row.stack and key not in self.rows:
                self.rows[key] = row
                self.manifests[key] = path

    def component(self, key: Key) -> Component:
        """Return a component; YAML functions are still text. Raises: WrapError."""
        found = self._found.get(key)
        if found is None:
            try:
                found = self._described(key)
            except WrapError as error:
                found = error
            self._found[key] = found
        if isinstance(found, WrapError):
            raise found
        return found

    def _described(self, key: Key) -> Component:
        from wrapper.stacks import component_of

        tree = self.repository.loader.tree(self.manifests[key])
        found = component_of(
            self.repository, tree, key.kind, key.name, key.stack, templates=self.asked.templates
        )
        if found is None:
            raise StackError(f'there is no component "{key.name}" in "{key.stack}"')
        return found

    def evaluated(self, key: Key) -> dict[str, Any]:
        """Return a component's section with its functions run. Raises: WrapError."""
        from wrapper import stacks

        if key not in self._evaluated:
            self._evaluated[key] = stacks.evaluate(
                self.component(key),
                self.config,
                self.world,
                self.config.environ,
                skip=self.asked.skip,
                reader=self.reader,
            ).section
        return self._evaluated[key]


class Pair:
    """The working tree (`own`) beside a baseline (`other`); the same where no manifest differs."""

    def __init__(
        self, config: Config, world: World, baseline: Baseline, changes: Changes, asked: Asked
    ) -> None:
        """List what each side holds. Raises: ConfigError without essentials, StackError."""
        from wrapper.stacks import opened

        opened(config, world, quiet=True)  # tells when there are no stacks at all
        self.baseline = baseline
        self.changes = changes
        self.asked = asked
        self.world = world
        self.own = Side(config, world, asked)
        self.own.repository.quiet = False
        self.listings = self.own.repository.listings()
        for path, listing in self.listings.items():
            self.own.take(path, listing.rows)
        self._same: set[str] = set()
        self._alone: dict[str, bool] = {}
        # A directory of the other side, and ours instead.
        self._moved = ("", "")
        self.other = self._other_side()

    def _other_side(self) -> Side:
        """Return the other side; where no manifest differs it is our own."""
        config, changes = self.own.config, self.changes
        stacks = changes.relative(config.stacks_dir)
        if stacks is None:
            raise StackError(
                f"the stacks directory is not in the repository that is compared: {config.stacks_dir}"
            )
        for path in config.files:
            if changes.file(path):
                ui.warn(
                    self.world,
                    f"{changes.relative(path)} is not as in {self.baseline.shown}: both sides are "
                    "read with that of the working tree",
                )
        changed = {
            os.path.join(config.stacks_dir, os.path.relpath(path, stacks))
            for path in changes.all_below(config.stacks_dir)
        }
        self._same = self._unchanged(changed)
        if not changed and self._same == {*self.listings}:
            return self.own
        top = self.baseline.directory(stacks)
        self._moved = (top, changes.root)

        def moved(path: str) -> str:
            relative = changes.relative(path) if path else None
            return path if relative is None else os.path.normpath(os.path.join(top, relative))

        there = config._replace(
            base_path=moved(config.base_path),
            stacks_dir=moved(config.stacks_dir),
            terraform_dir=moved(config.terraform_dir),
        )
        world = self.world
        if self.baseline.private:
            world = world._replace(index_dir=os.path.join(self.baseline.private, "index"))
        other = Side(there, world, self.asked)
        other.read_states_here(self.as_ours)
        for path in catalog.discover(other.repository.settings)[0]:
            own = os.path.join(config.stacks_dir, os.path.relpath(path, there.stacks_dir))
            other.take(path, self.listings[own].rows if own in self._same else _rows(other, path))
        return other

    def _unchanged(self, changed: set[str]) -> set[str]:
        """Return the manifests for which every file that feeds them is the same on both sides."""
        repository = self.own.repository
        inside = repository.settings.stacks_dir + os.sep
        # The directories in which a file came or went: a glob or a name may find another now.
        touched = {_existing(os.path.dirname(path)) for path in changed}
        known: dict[str, bool] = {}

        def differs(path: str) -> bool:
            if path.startswith(inside) or path + os.sep == inside:
                return path in changed or path in touched
            if path not in known:
                is_directory = os.path.isdir(path)
                look = self.changes.below if is_directory else self.changes.file
                known[path] = bool(look(path))
            return known[path]

        found = set()
        for path, listing in self.listings.items():
            if listing.problems:
                continue
            tree = repository.loader.tree(path)
            if not any(differs(one) for one in (*tree.paths, *tree.reads)):
                found.add(path)
        return found

    def component(self, key: Key) -> Component:
        """Return a component of the other side. Raises: WrapError."""
        path = self.own.manifests.get(key, "")
        if self.other is self.own or (path in self._same and self._stands_alone(path)):
            return self.own.component(key)
        return self.other.component(key)

    def _stands_alone(self, path: str) -> bool:
        """Say whether a manifest's templates read nothing but the manifest."""
        repository = self.own.repository
        if not repository.settings.rendering:
            return True
        if path not in self._alone:
            tree = repository.loader.tree(path)
            self._alone[path] = not any("{{" in text for text in texts(tree.merged))
        return self._alone[path]

    def alike(self, own: Any, other: Any) -> bool:
        """Say whether two values mean the same; nothing and an empty section do."""
        if own == other or (not own and not other and own is not False and other is not False):
            return True
        return bool(self._moved[0]) and bool(own == self.as_ours(other))

    def as_ours(self, value: Any) -> Any:
        """Return a value of the other side with its paths as they are on ours."""
        if isinstance(value, str):
            return value.replace(*self._moved) if self._moved[0] else value
        if isinstance(value, Mapping):
            return {key: self.as_ours(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.as_ours(item) for item in value]
        return value


def _rows(side: Side, path: str) -> tuple[Row, ...]:
    try:
        tree = side.repository.loader.tree(path)
    except WrapError:
        return ()  # what it holds counts as new
    return catalog.listing(tree, side.repository.settings).rows


def _existing(directory: str) -> str:
    while directory != os.path.dirname(directory) and not os.path.isdir(directory):
        directory = os.path.dirname(directory)
    return directory


def texts(value: Any) -> Iterator[str]:
    """Yield every text inside a value, keys included."""
    edge = [value]
    while edge:
        one = edge.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, Mapping):
            edge += one.keys()
            edge += one.values()
        elif isinstance(one, list | tuple):
            edge += one
