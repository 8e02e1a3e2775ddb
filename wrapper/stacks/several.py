"""Several components at once: those that a command line means, read from one open repository."""

from __future__ import annotations

from collections.abc import Mapping

from wrapper import ui
from wrapper.errors import StackError, WrapError, near
from wrapper.stacks import dependencies
from wrapper.stacks.dependencies import Node
from wrapper.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.stacks import Component
    from wrapper.stacks.catalog import Row
    from wrapper.stacks.others import Reader
    from wrapper.world import World


class Wanted(NamedTuple):
    """What narrows the choice down; all that is given must hold. Empty means everything.

    Of `tags` one is enough, of `labels` all must be there. `query` is a condition on the described
    component.
    """

    stack: str = ""
    components: tuple[str, ...] = ()
    query: str = ""
    tags: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()


class Several:
    """The components of a repository that can be run: not abstract, not disabled."""

    def __init__(
        self,
        config: Config,
        world: World,
        *,
        templates: bool = True,
        reader: Reader | None = None,
    ) -> None:
        """Read the names. `reader` is as in `stacks.component`.

        Raises: ConfigError without essentials.
        """
        from wrapper.stacks import opened

        self._world = world
        self._templates = templates
        self._repository = opened(config, world, reader=reader)
        self._components: dict[Node, Component | WrapError] = {}
        self._manifests: dict[Node, list[str]] = {}
        self._rows: dict[Node, Row] = {}
        for path, listing in self._repository.listings().items():
            for row in listing.rows:
                if row.kind == "terraform" and row.stack and row.enabled and not row.abstract:
                    node = Node(row.component, row.stack)
                    self._rows.setdefault(node, row)
                    self._manifests.setdefault(node, []).append(path)

    def chosen(self, wanted: Wanted) -> set[Node]:
        """Return the components that are wanted.

        Raises: StackError for an unknown stack; UsageError for a query that is not understood.
        Source: reference/atmos-stacks.md 4.2, 4.4.
        """
        rows = self._of_stack(wanted.stack) if wanted.stack else self._rows
        found = {node for node, row in rows.items() if _fits(row, wanted)}
        named = {node.component for node in found}
        for name in wanted.components:
            if name not in named:
                hint = near(name, sorted({n.component for n in self._rows})) or ""
                place = f' of the stack "{wanted.stack}"' if wanted.stack else ""
                rest = f": {hint}" if hint else ""
                ui.warn(self._world, f'no component{place} that can run is called "{name}"{rest}')
        if wanted.query:
            found = {node for node in found if self._answers(node, wanted.query)}
        return found

    def _of_stack(self, stack: str) -> dict[Node, Row]:
        """Return what runs of a stack, given by name or by the path of its manifest."""
        path = self._repository.by_path(stack)
        found = {
            node: row
            for node, row in self._rows.items()
            if node.stack == stack or (path and path in self._manifests[node])
        }
        known = [] if found else self._repository.stacks()
        if not found and stack not in known:
            raise StackError(
                f'stack "{stack}" does not exist',
                hint=[
                    *filter(None, [near(stack, known)]),
                    "available stacks: " + (", ".join(known) or "none"),
                ],
            )
        return found

    def _answers(self, node: Node, query: str) -> bool:
        from wrapper.stacks import condition

        try:
            section = self.component(node).section
        except WrapError as error:
            ui.warn(self._world, f"left out of the query: {node}: {error.message}")
            return False
        return condition.holds(query, section)

    def component(self, node: Node) -> Component:
        """Return a component; YAML functions are still text. Raises: StackError."""
        known = self._components.get(node)
        if known is None:
            try:
                known = self._described(node)
            except WrapError as error:
                known = error
            self._components[node] = known
        if isinstance(known, WrapError):
            raise known
        return known

    def again(self, node: Node, reader: Reader | None) -> Component:
        """Return a component as it is now, when others may have run since. Raises: StackError."""
        self._repository.ask(reader)
        return self._described(node)

    def _described(self, node: Node) -> Component:
        from wrapper.stacks import component_of
        from wrapper.stacks.duplicates import same

        repository = self._repository
        found = []
        for path in self._manifests[node]:
            tree = repository.loader.tree(path)
            made = component_of(repository, tree, "terraform", *node, templates=self._templates)
            if made is not None:
                found.append(made)
        if not found:
            raise StackError(f'there is no component "{node.component}" in "{node.stack}"')
        return same(found, repository.settings)

    def needs(self, node: Node) -> tuple[Node, ...]:
        """Return what a component needs and what can run; the rest is a warning.

        Raises: StackError.
        """
        named = dependencies.needs(self.component(node), self._repository.settings)
        for other in named:
            if other not in self._rows:
                ui.warn(self._world, f"Dependency target not found: {other} (needed by {node})")
        return tuple(other for other in named if other in self._rows)

    def needed_by(self) -> Mapping[Node, set[Node]]:
        """Return for each component those that need it; one that is broken is a warning."""
        found: dict[Node, set[Node]] = {node: set() for node in self._rows}
        for node in self._rows:
            try:
                before = self.needs(node)
            except WrapError as error:
                ui.warn(self._world, f"what {node} needs is not known: {error.message}")
                continue
            for other in before:
                found[other].add(node)
        return found


def _fits(row: Row, wanted: Wanted) -> bool:
    return (
        (not wanted.components or row.component in wanted.components)
        and (not wanted.tags or not set(wanted.tags).isdisjoint(row.tags))
        and all(pair in row.labels for pair in wanted.labels)
    )
