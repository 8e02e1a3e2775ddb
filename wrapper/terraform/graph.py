"""The order of components that need each other, and who may run next."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from wrapper.errors import StackError
from wrapper.stacks.dependencies import Node

# Each node with those that must have run before it.
Needs = Mapping[Node, Collection[Node]]


def restricted(needs: Needs, chosen: Collection[Node]) -> dict[Node, frozenset[Node]]:
    """Return the graph of the chosen nodes: a way through one that is not chosen counts for nothing.

    Source: measured on Atmos.
    """
    return {node: frozenset(n for n in needs.get(node, ()) if n in chosen) for node in chosen}


def turned(needs: Needs) -> dict[Node, frozenset[Node]]:
    """Return the graph with each edge the other way round: the order of `destroy`."""
    found: dict[Node, set[Node]] = {node: set() for node in needs}
    for node, before in needs.items():
        for one in before:
            found.setdefault(one, set()).add(node)
    return {node: frozenset(after) for node, after in found.items()}


def widened(
    start: Iterable[Node], step: Callable[[Node], Iterable[Node]], depth: int | None
) -> set[Node]:
    """Return the nodes with all that `step` leads to, in at most `depth` steps; None: any number."""
    found = set(start)
    edge = set(found)
    while edge and (depth is None or depth > 0):
        edge = {after for node in edge for after in step(node)} - found
        found |= edge
        depth = None if depth is None else depth - 1
    return found


def order(needs: Needs) -> list[Node]:
    """Return the nodes, each behind those that it needs; ties by `<component>-<stack>`.

    Raises: StackError with the chain for a circle. Source: reference/atmos-stacks.md 4.4.
    """
    queue = Queue(needs)
    found: list[Node] = []
    while (node := queue.take()) is not None:
        found.append(node)
        queue.finish(node)
    if len(found) < len(needs):
        done = set(found)
        chain = circle({n: [b for b in needs[n] if b not in done] for n in needs if n not in done})
        raise StackError(
            "the components need each other in a circle: " + " -> ".join(str(n) for n in chain),
            hint="take one of these dependencies out of `dependencies.components` or `settings.depends_on`",
        )
    return found


def circle(needs: Needs) -> list[Node]:
    """Return one circle of a graph in which each node needs another; the first is also the last."""
    node = min(needs, key=Node.key)
    way: list[Node] = []
    while node not in way:
        way.append(node)
        node = min(needs[node], key=Node.key)
    return [*way[way.index(node) :], node]


class Queue:
    """Who may run next: nodes whose needs have run, one of each place at a time.

    `places` names what two nodes cannot share (a directory). `lost` holds those that cannot run any
    more, each with the one that failed.
    """

    def __init__(self, needs: Needs, places: Mapping[Node, str] | None = None) -> None:
        self.lost: dict[Node, Node] = {}
        self._places = places or {}
        self._waiting = {node: set(before) for node, before in needs.items()}
        self._after = turned(needs)
        self._ready = sorted((n for n in needs if not needs[n]), key=Node.key)
        self._busy: dict[Node, str | None] = {}

    def take(self) -> Node | None:
        """Return the next that may run now; None when all must wait, or nothing is left."""
        busy = {place for place in self._busy.values() if place is not None}
        for node in self._ready:
            place = self._places.get(node)
            if place not in busy:
                self._ready.remove(node)
                del self._waiting[node]
                self._busy[node] = place
                return node
        return None

    def finish(self, node: Node) -> None:
        """Let those run that waited for a node."""
        self._busy.pop(node, None)
        for after in self._after[node]:
            before = self._waiting.get(after)
            if before is not None:
                before.discard(node)
                if not before:
                    self._ready.append(after)
        self._ready.sort(key=Node.key)

    def fail(self, node: Node) -> None:
        """Take all out that need a node, however far away."""
        self._busy.pop(node, None)
        for after in widened([node], lambda one: self._after[one], None) - {node}:
            if self._waiting.pop(after, None) is not None:
                self.lost[after] = node

    def stop(self) -> list[Node]:
        """Let nothing start any more; return those that will not have run, but for the lost."""
        left = sorted(self._waiting, key=Node.key)
        self._waiting = {}
        self._ready = []
        return left
