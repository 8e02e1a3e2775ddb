"""YAML as Go writes it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wrapper import goyaml, yamlio


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": {"x": []}}, "a:\n  x: []\nb: 1\n"),
        ({"l": [1, {"k": "v", "m": [True]}]}, "l:\n  - 1\n  - k: v\n    m:\n      - true\n"),
        ({"t": "a\nb\n", "u": "a\nb"}, "t: |\n  a\n  b\nu: |-\n  a\n  b\n"),
        ([[1], []], "- - 1\n- []\n"),
        (["111", "yes", "", "1:30", "2024-01-01", "0x1F", "null"],
         '- "111"\n- "yes"\n- ""\n- "1:30"\n- "2024-01-01"\n- "0x1F"\n- "null"\n'),
        (["a: b", "#x", "a #b", "a#b", "- x", "-x", "it's", "*"],
         "- 'a: b'\n- '#x'\n- 'a #b'\n- a#b\n- '- x'\n- -x\n- it's\n- '*'\n"),
        ([1e6, 1.5, 1e-5, 123456.0, 0.1, -2.0, None], "- 1e+06\n- 1.5\n- 1e-05\n- 123456\n- 0.1\n- -2\n- null\n"),
        ({"a10": 1, "a9": 2}, "a9: 2\na10: 1\n"),
    ],
)  # fmt: skip
def test_values_look_as_from_go(value: Any, text: str) -> None:
    assert goyaml.dumps(value) == text


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.text(), st.floats(allow_nan=False)
)
# A key `<<` is a merge when read, quoted or not, so a map cannot hold one.
KEYS = st.text().filter(lambda key: key != "<<")
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=12
)


def finite(value: Any) -> bool:
    """Say whether a value is one that YAML files here can hold."""
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    if isinstance(value, list):
        return all(map(finite, value))
    return not isinstance(value, float) or abs(value) < float("inf")


@given(value=VALUES.filter(finite))
def test_what_is_written_is_read_back(value: Any) -> None:
    assert yamlio.load(goyaml.dumps(value).encode("utf-8", "replace"), "x").data == value
