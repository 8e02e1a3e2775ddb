"""Durations as configuration writes them: `1h30m`, and for sessions also seconds and days."""

from __future__ import annotations

import re

_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,  # U+00B5, micro sign
    "μs": 1e-6,  # U+03BC, the Greek letter: Go takes both
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_TERM = re.compile(rf"({_NUMBER})(ns|us|µs|μs|ms|s|m|h)")
_WHOLE = re.compile(rf"[-+]?(?:{_TERM.pattern})+\Z")
_DAYS = re.compile(r"([0-9]+)d\Z")
# Go counts nanoseconds in 64 bits.
_LONGEST = 2**63 / 1e9


def parse_go(text: str) -> float:
    """Return the seconds of a Go duration such as `1h30m`, `1.5h`, `-2m`, `0`.

    Raises: ValueError for anything else: `1d`, `3600`, spaces, more than 292 years.
    Source: Go's time.ParseDuration; reference/atmos-auth.md 4.2.
    """
    if text in ("0", "+0", "-0"):
        return 0.0
    if not _WHOLE.match(text):
        raise ValueError(f'"{text}" is not a duration such as 1h or 30m')
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _TERM.findall(text))
    if seconds >= _LONGEST:
        raise ValueError(f'"{text}" is longer than a duration can be')
    return -seconds if text.startswith("-") else seconds


def parse_session(value: str | int) -> float:
    """Return the seconds of a session duration: whole seconds, a Go duration, or days (`1d`).

    Raises: ValueError. Source: reference/atmos-auth.md 4.4.
    """
    text = str(value).strip()
    if text.isascii() and text.isdigit():
        return _bounded(int(text), text)
    days = _DAYS.match(text)
    if days:
        return _bounded(int(days.group(1)) * 86400, text)
    return parse_go(text)


def format_go(seconds: float) -> str:
    """Return whole seconds as hours, minutes and seconds without zero parts: `1h30m`, `45s`."""
    whole = round(abs(seconds))
    parts = ((whole // 3600, "h"), (whole % 3600 // 60, "m"), (whole % 60, "s"))
    text = "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"
    return f"-{text}" if seconds < 0 and whole else text


def _bounded(seconds: int, text: str) -> float:
    if seconds >= _LONGEST:
        raise ValueError(f'"{text}" is longer than a duration can be')
    return float(seconds)
