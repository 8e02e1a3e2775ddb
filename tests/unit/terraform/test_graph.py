"""The order of components: laws that hold for any graph."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wrapper.errors import StackError
from wrapper.stacks.dependencies import Node
from wrapper.terraform import graph

Graph = dict[Node, frozenset[Node]]


def node(name: str) -> Node:
    return Node(name, "dev")


def needs(text: str) -> Graph:
    """Return a graph from `a<b,c b<c c`: a needs b and c."""
    found = {}
    for part in text.split():
        name, _, before = part.partition("<")
        found[node(name)] = frozenset(node(n) for n in before.split(",") if n)
    return found


def names(nodes: list[Node]) -> str:
    return " ".join(n.component for n in nodes)


@st.composite
def acyclic(draw: st.DrawFn) -> Graph:
    """Nodes of which each needs only such as were drawn before it; names say nothing of that."""
    drawn = draw(st.lists(st.text("abcdef", min_size=1, max_size=3), unique=True, max_size=9))
    found: Graph = {}
    for name in drawn:
        if found:
            before = st.frozensets(st.sampled_from(sorted(found)), max_size=4)
            found[node(name)] = draw(before)
        else:
            found[node(name)] = frozenset()
    return found


@given(acyclic())
def test_each_stands_once_and_behind_what_it_needs(drawn: Graph) -> None:
    line = graph.order(drawn)
    assert sorted(line) == sorted(drawn)
    place = {n: i for i, n in enumerate(line)}
    assert [(n, b) for n in drawn for b in drawn[n] if place[b] > place[n]] == []


@given(acyclic(), st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_how_the_graph_was_written(
    drawn: Graph, chance: random.Random
) -> None:
    items = list(drawn.items())
    chance.shuffle(items)
    assert graph.order(dict(items)) == graph.order(drawn)


@given(acyclic())
def test_turned_twice_is_the_graph_itself(drawn: Graph) -> None:
    assert graph.turned(graph.turned(drawn)) == drawn


@given(acyclic())
def test_destroy_has_each_behind_those_that_need_it(drawn: Graph) -> None:
    place = {n: i for i, n in enumerate(graph.order(graph.turned(drawn)))}
    assert [(n, b) for n in drawn for b in drawn[n] if place[b] < place[n]] == []


@given(acyclic(), st.data())
def test_many_at_once_never_share_a_place_or_overtake(drawn: Graph, data: st.DataObject) -> None:
    place = st.sampled_from(["x", "y", "z"])
    places = {n: data.draw(place) for n in drawn}
    queue = graph.Queue(drawn, places)
    running: list[Node] = []
    done: list[Node] = []
    while len(done) < len(drawn):
        while (found := queue.take()) is not None:
            assert drawn[found] <= set(done)
            running.append(found)
        assert len({places[n] for n in running}) == len(running) > 0
        ended = data.draw(st.sampled_from(running))
        running.remove(ended)
        done.append(ended)
        queue.finish(ended)
    assert (queue.lost, queue.stop()) == ({}, [])


@given(acyclic(), st.data())
def test_a_failure_takes_out_exactly_what_needs_it(drawn: Graph, data: st.DataObject) -> None:
    queue = graph.Queue(drawn)
    ran, failed = set(), set()
    while (found := queue.take()) is not None:
        if data.draw(st.booleans()):
            failed.add(found)
            queue.fail(found)
        else:
            ran.add(found)
            queue.finish(found)
    after = graph.turned(drawn)
    hit = {n for f in failed for n in graph.widened([f], lambda one: after[one], None)} - failed
    assert (set(queue.lost), queue.stop()) == (hit, [])
    assert ran | failed | hit == set(drawn)


def test_ties_are_broken_by_component_and_stack() -> None:
    assert names(graph.order(needs("c a b<c"))) == "a c b"


def test_a_circle_is_an_error_with_the_chain() -> None:
    with pytest.raises(StackError) as caught:
        graph.order(needs("d<a a<b b<c c<a e"))
    assert caught.value.message == (
        "the components need each other in a circle: a in dev -> b in dev -> c in dev -> a in dev"
    )


def test_who_needs_himself_is_a_circle() -> None:
    with pytest.raises(StackError, match="a in dev -> a in dev"):
        graph.order(needs("a<a"))


def test_a_way_through_one_that_is_not_chosen_counts_for_nothing() -> None:
    chosen = {node("a"), node("z")}
    assert names(graph.order(graph.restricted(needs("a<b b<z z"), chosen))) == "a z"


@pytest.mark.parametrize(
    ("depth", "found"), [(0, "a"), (1, "a b"), (2, "a b c"), (None, "a b c d")]
)
def test_a_choice_is_widened_step_by_step(depth: int | None, found: str) -> None:
    drawn = needs("a<b b<c c<d d e<a")
    assert names(sorted(graph.widened([node("a")], lambda n: drawn[n], depth))) == found
