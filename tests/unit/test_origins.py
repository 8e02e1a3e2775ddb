"""Who says what about a key, and who counts: laws that hold for any pieces."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wrapper.merge import STRATEGIES, UNSET, merge_all, prune
from wrapper.origins import Group, Origin, Piece, below, leaves, trace

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(0, 9), st.just(UNSET))
NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.recursive(
    st.one_of(SCALARS, st.lists(st.integers(0, 9), max_size=3)),
    lambda below: st.dictionaries(NAMES, below, max_size=3),
    max_leaves=8,
)
PIECES = st.lists(st.dictionaries(NAMES, VALUES, max_size=3), max_size=4)


def groups(layers: list[list[dict[str, Any]]], strategy: str) -> list[Group]:
    """Return layers of files as groups, each piece named by its number."""
    return [
        Group(
            tuple(Piece(f"{outer}.{inner}", "", (), data) for inner, data in enumerate(layer)),
            strategy,
            strategy,
        )
        for outer, layer in enumerate(layers)
    ]


def merged(layers: list[list[dict[str, Any]]], strategy: str) -> Any:
    """Return what the layers come to: files of a layer first, then the layers."""
    return prune(merge_all([merge_all(layer, strategy) for layer in layers], strategy))


@given(layers=st.lists(PIECES, max_size=3))
def test_the_step_that_counts_has_the_value(layers: list[list[dict[str, Any]]]) -> None:
    value = merged(layers, "replace")
    found = [one for one in trace(value, groups(layers, "replace")) if not one.removed]
    told = {one.keys: [step.value for step in one.steps if step.counts] for one in found}
    # An empty map may be what is left of a map whose entries were taken away.
    expected = {keys: [leaf] for keys, leaf in leaves(value) if keys and leaf != {}}
    assert {keys: prune(values) for keys, values in told.items() if keys in expected} == expected


@given(layers=st.lists(PIECES, max_size=3), strategy=st.sampled_from(STRATEGIES))
def test_every_key_of_the_result_is_told_once(
    layers: list[list[dict[str, Any]]], strategy: str
) -> None:
    value = merged(layers, strategy)
    found = [one.keys for one in trace(value, groups(layers, strategy)) if not one.removed]
    assert found == [keys for keys, _ in leaves(value) if value]


@given(layers=st.lists(PIECES, max_size=3))
def test_what_is_removed_is_not_in_the_result(layers: list[list[dict[str, Any]]]) -> None:
    value = merged(layers, "replace")
    gone = [one.keys for one in trace(value, groups(layers, "replace")) if one.removed]
    there = {keys[:size] for keys, _ in leaves(value) for size in range(1, len(keys) + 1)}
    assert [keys for keys in gone if keys in there] == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("", ["a.b", "a.c.d", "e"]),
        ("a", ["a.b", "a.c.d"]),
        (".a.c", ["a.c.d"]),
        ("e.0.x", ["e"]),
        ("a.x", []),
        ("b", []),
    ],
)
def test_a_path_selects_what_is_below_it(wanted: str, found: list[str]) -> None:
    origins = [Origin(tuple(key.split(".")), 1, ()) for key in ("a.b", "a.c.d", "e")]
    assert [one.dotted for one in below(origins, wanted)] == found
