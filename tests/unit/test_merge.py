"""Deep merge: laws, the three list strategies, `!append` and `!unset`."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wrapper.merge import UNSET, Append, deep_merge, merge_all, prune

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
keys = st.sampled_from("abc")
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=10,
)
maps = st.dictionaries(keys, values, max_size=3)


@given(maps)
def test_an_empty_layer_changes_nothing(layer: dict[str, Any]) -> None:
    assert deep_merge(layer, {}) == layer
    assert deep_merge({}, layer) == layer


@given(maps)
def test_a_layer_over_itself_changes_nothing(layer: dict[str, Any]) -> None:
    assert deep_merge(layer, layer) == layer


def _maps_only(depth: int) -> st.SearchStrategy[dict[str, Any]]:
    below = scalars if depth == 0 else _maps_only(depth - 1)
    return st.dictionaries(keys, below, max_size=3)


@given(_maps_only(2), _maps_only(2), _maps_only(2))
def test_grouping_does_not_matter_where_types_agree(
    first: dict[str, Any], second: dict[str, Any], third: dict[str, Any]
) -> None:
    left = deep_merge(deep_merge(first, second), third)
    right = deep_merge(first, deep_merge(second, third))
    assert left == right


@given(maps, maps, st.sampled_from(["replace", "append", "merge"]))
def test_merging_changes_neither_side(
    lower: dict[str, Any], upper: dict[str, Any], strategy: str
) -> None:
    before = copy.deepcopy((lower, upper))
    deep_merge(lower, upper, strategy)
    assert (lower, upper) == before


@given(maps, maps)
def test_every_key_of_both_sides_is_in_the_result(
    lower: dict[str, Any], upper: dict[str, Any]
) -> None:
    assert set(deep_merge(lower, upper)) == set(lower) | set(upper)


@given(maps, maps)
def test_what_the_upper_side_says_plainly_wins(
    lower: dict[str, Any], upper: dict[str, Any]
) -> None:
    merged = deep_merge(lower, upper)
    plain = {key: value for key, value in upper.items() if not isinstance(value, dict)}
    assert {key: merged[key] for key in plain} == plain


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("replace", [{"b": 2}]),
        ("append", [{"a": 1}, 5, {"b": 2}]),
        ("merge", [{"a": 1, "b": 2}, 5]),
    ],
)
def test_lists_follow_the_strategy(strategy: str, expected: list[Any]) -> None:
    assert deep_merge({"l": [{"a": 1}, 5]}, {"l": [{"b": 2}]}, strategy) == {"l": expected}


def test_append_adds_whatever_the_strategy_is() -> None:
    assert deep_merge([1], Append([2]), "replace") == [1, 2]


def test_unset_takes_a_key_and_an_item_away() -> None:
    merged = merge_all([{"a": {"b": 1, "c": 2}}, {"a": {"b": UNSET}, "l": [1, UNSET]}])
    assert prune(merged) == {"a": {"c": 2}, "l": [1]}


def test_a_later_layer_may_set_again_what_was_unset() -> None:
    assert prune(merge_all([{"a": 1}, {"a": UNSET}, {"a": 3}])) == {"a": 3}
