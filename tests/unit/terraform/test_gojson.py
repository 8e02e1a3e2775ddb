"""JSON as Go writes it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wrapper.errors import StackError
from wrapper.terraform import gojson

NUMBERS: list[tuple[float, str]] = [
    (1.0, "1"),
    (1.5, "1.5"),
    (-0.25, "-0.25"),
    (1e20, "100000000000000000000"),
    (1e21, "1e+21"),
    (-2.5e30, "-2.5e+30"),
    (0.000001, "0.000001"),
    (1e-7, "1e-07"),
    (1.234e-9, "1.234e-09"),
    (5e-324, "5e-324"),
    (12345678901234567890, "12345678901234567890"),
]


@pytest.mark.parametrize(("value", "text"), NUMBERS)
def test_numbers(value: object, text: str) -> None:
    assert gojson.dumps(value) == text


def test_document_has_sorted_keys_two_spaces_and_no_html_escapes() -> None:
    value: dict[str, object] = {
        "b": [1, {"c": "<&>\t\u2028é"}],
        "a": {},
        "l": [],
        "n": None,
        "t": True,
    }
    assert gojson.document(value).decode() == (
        "{\n"
        '  "a": {},\n'
        '  "b": [\n'
        "    1,\n"
        "    {\n"
        '      "c": "<&>\\t\\u2028é"\n'
        "    }\n"
        "  ],\n"
        '  "l": [],\n'
        '  "n": null,\n'
        '  "t": true\n'
        "}\n"
    )


@pytest.mark.parametrize(("value", "name"), [(float("inf"), "\\+Inf"), (float("nan"), "NaN")])
def test_what_json_cannot_hold_is_refused(value: object, name: str) -> None:
    with pytest.raises(StackError, match=f"unsupported value: {name}"):
        gojson.dumps({"a": value})


_text = st.text(st.characters(codec="utf-8"), max_size=5)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=8,
)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_reads_back_equal(value: float) -> None:
    assert float(gojson.number(value)) == value


@given(_json)
def test_what_is_written_reads_back_equal(value: object) -> None:
    assert json.loads(gojson.dumps(value, "  ")) == value
