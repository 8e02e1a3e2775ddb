"""YAML as Go's yaml.v3 reads it, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wrapper import yamlio
from wrapper.errors import ConfigError, Location
from wrapper.merge import UNSET, Append


def read(text: str | bytes) -> Any:
    return yamlio.load(text if isinstance(text, bytes) else text.encode(), "f.yaml").data


def refusal(text: str | bytes) -> tuple[str, Any]:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return caught.value.message, caught.value.at[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(word, word) for word in ("yes", "no", "on", "off", "y", "n", "tRUE", "nULL")],
        *[(word, True) for word in ("true", "True", "TRUE")],
        *[(word, None) for word in ("null", "Null", "NULL", "~", "")],
        *[("0o17", 15), ("017", 15), ("0xFF", 255), ("0b101", 5), ("-0x10", -16), ("+7", 7)],
        *[
            ("1__000_", 1000),
            ("18446744073709551615", 2**64 - 1),
            ("-9223372036854775808", -(2**63)),
        ],
        *[("08", 8.0), ("012345678901", 12345678901.0), ("18446744073709551616", 2.0**64)],
        *[("1e3", 1000.0), (".5", 0.5), ("5.", 5.0), ("+1.5", 1.5), ("1_000.5", 1000.5)],
        *[(text, text) for text in ("1:30", "190:20:30", "0o8", "1.2.3", "1e400", "9" * 5000)],
        *[
            (text, text)
            for text in ("0x" + "F" * 20, "2024-01-02", "-a", "+", ".", "_1", "0x", "1e")
        ],
        *[(".inf", math.inf), ("-.INF", -math.inf), ("'1'", "1"), ('"~"', "~")],
        *[("!!str 1", "1"), ('!!int "7"', 7), ("!!float 1", 1.0), ("!!binary aGk=", "hi")],
        *[("!!set {a, b}", {"a": None, "b": None}), ("!env HOME", "!env HOME"), ("!unset", UNSET)],
    ],
)
def test_scalars_are_those_of_go(text: str, value: Any) -> None:
    found = read(f"k: {text}")["k"]
    assert (found, type(found)) == (value, type(value))


def test_nan_is_a_float() -> None:
    assert math.isnan(read(".nan"))


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("{1: a, 1.5: b, true: c, 0x10: d}", ["1", "1.5", "true", "16"]),
        ("{~: a, yes: b, '0x10': c}", ["null", "yes", "0x10"]),
        ("{2024-1-2: a, 2024-13-02: b}", ["2024-01-02 00:00:00 +0000 UTC", "2024-13-02"]),
    ],
)
def test_keys_become_text(text: str, keys: list[str]) -> None:
    assert list(read(text)) == keys


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: &x {b: 1, c: 1}\nd: {<<: *x, c: 2}", {"b": 1, "c": 2}),
        ("a: &x {b: 1, c: 1}\nd: {'<<': *x}", {"b": 1, "c": 1}),
        ("d: {<<: [{b: 1}, {b: 2, c: 2}]}", {"b": 1, "c": 2}),
        ("d: {b: 0, <<: {b: 1, c: 1}}", {"b": 0, "c": 1}),
        ("a: &x 1\nb: &x 2\nd: *x", 2),
    ],
)
def test_anchors_and_merge_keys(text: str, value: Any) -> None:
    assert read(text)["d"] == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"", None),
        (b"---\n...\n", None),
        (b"# only a comment", None),
        (b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
        (b"%YAML 1.2\n---\na: 1\n---\nb: [", {"a": 1}),
        (b"a:\tb", {"a": "b"}),
    ],
)
def test_the_first_document_of_a_file_counts(text: bytes, value: Any) -> None:
    assert read(text) == value


def test_append_is_a_list_of_its_own_type() -> None:
    assert type(read("!append [1]")) is Append


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("a: 1\na: 2", 'the key "a" stands twice in one map', (2, 1)),
        ("{1: a, '1': b}", 'the key "1" stands twice in one map', (1, 8)),
        ("<<: {a: 1}\n<<: {b: 1}", 'the key "<<" stands twice in one map', (2, 1)),
        ("<<: 3", "a merge key (<<) needs a map or a list of maps", (1, 5)),
        ("? [a]\n: b", "a key must be a single value", (1, 3)),
        ("a: *u", "bad YAML: found undefined alias", (1, 4)),
        ("a: &a [*a]", "an alias contains itself", (1, 4)),
        ("a: !!int x", '"x" is not of type !!int', (1, 4)),
        ("a: !!binary '?'", "!!binary is not text in base64", (1, 4)),
        ("a: 1\nb: 2: 3", "bad YAML: mapping values are not allowed in this context", (2, 5)),
        ("!append 3", "!append needs a list", (1, 1)),
        ("a: !x {b: 1}", "!x takes text, not a map", (1, 4)),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    text: str, message: str, place: tuple[int, int]
) -> None:
    assert refusal(text) == (message, Location("f.yaml", *place))


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        (b"a: \xff", 1, 4),
        (b"a: 1\nb: caf\xe9 x\n", 2, 7),
        (b"a: 1\nb: \xc3\xa9\xe9\nc: 1\n", 2, 5),
        (b"a: 1\nb: \xc3", 2, 4),
        (b"a: 1\nb: x\x01", 2, 5),
        (b"a: 1\n" * 9000 + b"b: \xe9\n", 9001, 4),
    ],
)
def test_a_byte_that_is_not_utf_8_is_told_with_its_place(
    text: bytes, line: int, column: int
) -> None:
    assert refusal(text)[1] == Location("f.yaml", line, column)


@pytest.mark.parametrize("text", [b"a: \xff", b"a: 1\nb: \x01", b"\ta: 1", b"a: [1", b"a: 'x"])
def test_unreadable_bytes_are_bad_yaml(text: bytes) -> None:
    assert refusal(text)[0].startswith("bad YAML: ")


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000 + "]" * 100_000,
        "[ " * 100_000,
        "{a: " * 100_000,
        "- " * 100_000 + "x",
        "? " * 100_000 + "x",
        "\n".join(" " * i + "a:" for i in range(1000)),
        "\n".join(" " * i + "a:\n" + " " * i + "-" for i in range(1000)),
        "\n".join(f"a{i}: &a{i} [*a{i - 1}]" if i else "a0: &a0 [1]" for i in range(1000)),
    ],
    ids=["flow", "spaced", "maps", "dashes", "questions", "block", "unindented", "aliases"],
)
def test_deep_nesting_is_refused_at_once(text: str) -> None:
    assert "nested too deeply" in refusal(text)[0]


def test_two_hundred_levels_are_fine() -> None:
    assert str(read("[" * 200 + "]" * 200)).count("[") == 200


def test_alias_bombs_are_refused() -> None:
    lines = ["a0: &a0 [1]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert refusal("\n".join(lines))[0] == "aliases make more than half a million values"


def test_a_key_delimiter_splits_unquoted_keys() -> None:
    text = b"{a.b: 1, 'q.r': 2, x: {y.z: 3}, a: {c: 4}, .d: 5}"
    data = yamlio.load(text, "f", key_delimiter=".").data
    assert data == {"a": {"b": 1, "c": 4}, "q.r": 2, "x": {"y": {"z": 3}}, ".d": 5}


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        (("a", "b", 1), (3, 5)),
        (("a", "b"), (2, 3)),
        (("A", "B"), (2, 3)),
        (("c", "k"), (4, 10)),
        (("a", "nope"), (1, 1)),
    ],
)
def test_a_key_path_has_a_place(keys: tuple[str | int, ...], place: tuple[int, int]) -> None:
    text = b"a:\n  b: [1,\n    2]\nc: {<<: {k: 1}}\n"
    assert yamlio.load(text, "f").where(keys) == Location("f", *place)


@settings(max_examples=300)
@given(st.text(alphabet="ab:-?[]{}!&*<>|'\"#%@, \n\t1.~", max_size=40))
def test_any_text_is_data_or_a_config_error(text: str) -> None:
    try:
        data = read(text)
    except ConfigError:
        return
    assert data is None or isinstance(data, str | int | float | list | dict)
