"""Editions: the defaults that held on a day.

Source: reference/atmos-stacks.md 1.12.
"""

from __future__ import annotations

import re

from wrapper.errors import ConfigError
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.errors import Location

# The day of a change, the key, and the value before it; oldest first.
_CHANGES: tuple[tuple[str, str, Any], ...] = (
    ("2025-02-11", "logs.file", "/dev/stdout"),
    ("2025-09-23", "logs.level", "Info"),
    ("2025-10-16", "settings.terminal.pager", "true"),
    ("2025-12-06", "stacks.inherit.metadata", False),
    ("2026-02-10", "components.helmfile.use_eks", True),
    ("2026-07-06", "help.filter", False),
    ("2026-07-13", "describe.error_mode", "strict"),
    ("2026-07-13", "list.error_mode", "strict"),
    ("2026-07-16", "describe.provenance", False),
    ("2026-07-17", "describe.component.filter", "full"),
)
_DAY = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def earlier_defaults(pin: str, at: Location | str | None) -> dict[str, Any]:
    """Return the defaults that were other ones on the day of an edition, by dotted key.

    A year or a month stands for its last day. Raises: ConfigError for what is no day, with `at`.
    """
    match = _DAY.fullmatch(pin)
    if match is None or not _is_day(*match.groups()):
        raise ConfigError(
            f"`edition` must be a year, a month or a day, not {pin!r}",
            at=at,
            hint='such as "2026", "2026-07" or "2026-07-16"',
        )
    # What is left out counts as later than any day that could stand there.
    last = f"{pin}~"
    return {key: old for day, key, old in _CHANGES if day > last}


def _is_day(year: str, month: str | None, day: str | None) -> bool:
    if month is None:
        return True
    if not 1 <= int(month) <= 12:
        return False
    leap = int(year) % 4 == 0 and (int(year) % 100 != 0 or int(year) % 400 == 0)
    longest = 29 if leap and month == "02" else _DAYS[int(month) - 1]
    return day is None or 1 <= int(day) <= longest
