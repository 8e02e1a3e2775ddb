"""Conditions on a component, in yq's words."""

from __future__ import annotations

import pytest

from wrapper.errors import UsageError
from wrapper.stacks import condition

SECTION = {
    "vars": {"team": "net", "size": 2, "on": True, "none": None, "zones": ["a", "b"], "a or b": 1},
    "metadata": {"tags": ["core"], "labels": {"tier": "1"}},
}


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ('.vars.team == "net"', True),
        ('.vars.team != "net"', False),
        (".vars.on", True),
        (".vars.size", False),
        (".vars.on == 1", False),
        (".vars.size > 1", True),
        (".vars.size <= 1", False),
        (".vars.team < 3", False),
        (".vars.missing == null", True),
        ('.vars.team == "x" or .vars.size == 2', True),
        ('.vars.on or .vars.team == "x" and false', True),
        ('(.vars.on or true) and .vars.team == "x"', False),
        (".vars.none | not", True),
        ('.vars["a or b"] == 1', True),
        ('.vars | has("team")', True),
        ('.vars.zones | contains(["b"])', True),
        ('.vars.zones | contains(["c"]) | not', True),
        ('.metadata.labels | contains({"tier": "1"})', True),
        ('.vars.team | test("^n.t$")', True),
        ('.vars.team | contains("e")', True),
        ("select(.vars.on) | .vars.size == 2", True),
        ('.vars.team == "a|b" or .vars.team == "net"', True),
        ('(.vars.missing // "net") == .vars.team', True),
    ],
)
def test_answers(expression: str, answer: bool) -> None:
    assert condition.holds(expression, SECTION) is answer


@pytest.mark.parametrize("expression", [".vars.team ==", "sort_by(.x)", '.vars.team | test("(")'])
def test_what_is_not_understood_is_refused(expression: str) -> None:
    with pytest.raises(UsageError):
        condition.holds(expression, SECTION)
