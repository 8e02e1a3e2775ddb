"""Durations: Go's own syntax, and what sessions take besides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wrapper.durations import format_go, parse_go, parse_session


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1h", 3600.0),
        ("1h30m", 5400.0),
        ("1.5h", 5400.0),
        (".5s", 0.5),
        ("5.s", 5.0),
        ("-2m", -120.0),
        ("+1m", 60.0),
        ("0", 0.0),
        ("1m1m", 120.0),
        ("250ms", 0.25),
        ("1000us", 0.001),
        ("1000µs", 0.001),
        ("1000\u03bcs", 0.001),
    ],
)
def test_go_durations_are_read(text: str, seconds: float) -> None:
    assert parse_go(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1d",
        "3600",
        "1",
        "h",
        " 1h",
        "1h ",
        "1H",
        "1h-2m",
        "1e3s",
        ".s",
        "٣h",
        "2562048h",
        "1h\n",
    ],
)
def test_other_text_is_no_go_duration(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_go(text)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(3600, 3600.0), ("3600", 3600.0), ("1d", 86400.0), ("36h", 129600.0), (" 1h ", 3600.0)],
)
def test_sessions_take_seconds_days_and_go_durations(value: str | int, seconds: float) -> None:
    assert parse_session(value) == seconds


@pytest.mark.parametrize("value", ["", "1.5d", "-5", "1w", "d", "99999999999d"])
def test_other_text_is_no_session_duration(value: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_session(value)


@given(st.integers(min_value=-(10**9), max_value=10**9))
def test_what_is_written_is_read_back(seconds: int) -> None:
    assert parse_go(format_go(seconds)) == seconds


@given(st.text(alphabet="0123456789.hmsnuµ+-d", max_size=12))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    try:
        seconds = parse_session(text)
    except ValueError:
        return
    assert abs(seconds) < 2**63 / 1e9
