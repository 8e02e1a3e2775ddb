"""When and after how long something is tried again."""

from __future__ import annotations

import re
from typing import Any

import pytest

from wrapper.errors import StackError
from wrapper.stacks import Component
from wrapper.terraform.retry import Retry, read


def component(retry: Any) -> Component:
    return Component("app", "dev", "terraform", {"retry": retry}, "/r/d", (), (), "dev")


def test_without_conditions_or_a_second_attempt_nothing_is_tried_again() -> None:
    assert read(component(None)) is None
    assert read(component({"max_attempts": 5})) is None
    assert read(component({"conditions": ["x"], "max_attempts": 1})) is None


def test_the_section_is_read_as_a_whole() -> None:
    found = read(
        component(
            {
                "conditions": ["/a b/", "/"],
                "max_attempts": 4,
                "backoff_strategy": "linear",
                "initial_delay": "2s",
                "max_delay": "1m30s",
                "max_elapsed_time": "5m",
                "multiplier": 3,
                "random_jitter": 7,
            }
        )
    )
    patterns = (re.compile("a b"), re.compile("/"))
    assert found == Retry(patterns, 4, "linear", 2.0, 90.0, 300.0, 3.0, 1.0)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [("constant", [2, 2, 2, 2]), ("linear", [2, 4, 6, 7]), ("exponential", [2, 6, 7, 7])],
)
def test_pauses_grow_up_to_the_longest(strategy: str, expected: list[float]) -> None:
    retry = Retry((), 0, strategy, 2.0, 7.0, multiplier=3.0)
    assert [retry.pause(n, 0.5) for n in (1, 2, 3, 4)] == expected
    assert retry.pause(100_000, 0.5) == expected[-1]


def test_jitter_is_a_part_of_the_pause_both_ways() -> None:
    retry = Retry((), initial=10.0, strategy="constant", jitter=0.2)
    assert [retry.pause(1, chance) for chance in (0.0, 0.5, 1.0)] == [8.0, 10.0, 12.0]


@pytest.mark.parametrize(
    "section",
    [
        [], "x", {"conditions": "x"}, {"conditions": ["("]}, {"max_attempts": "3"},
        {"max_attempts": -1}, {"backoff_strategy": "random"}, {"initial_delay": "2"},
        {"max_delay": "-1s"}, {"multiplier": True},
    ],
)  # fmt: skip
def test_what_means_nothing_is_refused(section: Any) -> None:
    if section == []:
        assert read(component(section)) is None
        return
    with pytest.raises(StackError):
        read(component(section))
