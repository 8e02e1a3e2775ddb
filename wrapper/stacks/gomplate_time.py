"""gomplate's name space `time`, with times and durations whose methods are Go's."""

# ruff: noqa: N802  the names are Go's

from __future__ import annotations

from collections.abc import Callable

from wrapper.stacks import inputs
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import tzinfo

    from goduration.go import Duration as GoDuration
    from gotime.go import Location as GoLocation
    from gotime.go import Time as GoTime

_LAYOUTS = {
    "ANSIC": "ANSIC", "UnixDate": "UNIX_DATE", "RubyDate": "RUBY_DATE", "RFC822": "RFC822",
    "RFC822Z": "RFC822Z", "RFC850": "RFC850", "RFC1123": "RFC1123", "RFC1123Z": "RFC1123Z",
    "RFC3339": "RFC3339", "RFC3339Nano": "RFC3339_NANO", "Kitchen": "KITCHEN", "Stamp": "STAMP",
    "StampMilli": "STAMP_MILLI", "StampMicro": "STAMP_MICRO", "StampNano": "STAMP_NANO",
}  # fmt: skip
_UNITS = {
    "Nanosecond": 1, "Microsecond": 10**3, "Millisecond": 10**6, "Second": 10**9,
    "Minute": 60 * 10**9, "Hour": 3600 * 10**9,
}  # fmt: skip


class Duration:
    """A duration as templates see it."""

    def __init__(self, value: GoDuration) -> None:
        self._value = value

    def __str__(self) -> str:
        """Return it as Go writes it: `1h30m0s`."""
        return str(self._value)

    def __eq__(self, other: object) -> bool:
        """Say whether both are of the same length."""
        return isinstance(other, Duration) and self._value == other._value

    def __hash__(self) -> int:
        """Return the same for durations of the same length."""
        return hash(self._value)

    def String(self) -> str:
        """Return it as text."""
        return str(self)

    def Hours(self) -> float:
        """Return it in hours."""
        return self._value.nanoseconds / _UNITS["Hour"]

    def Minutes(self) -> float:
        """Return it in minutes."""
        return self._value.nanoseconds / _UNITS["Minute"]

    def Seconds(self) -> float:
        """Return it in seconds."""
        return self._value.nanoseconds / _UNITS["Second"]

    def Milliseconds(self) -> int:
        """Return it in whole milliseconds."""
        return _parts(self, "Millisecond")

    def Microseconds(self) -> int:
        """Return it in whole microseconds."""
        return _parts(self, "Microsecond")

    def Nanoseconds(self) -> int:
        """Return it in nanoseconds."""
        return self._value.nanoseconds

    def Round(self, to: Any) -> Duration:
        """Return the nearest multiple of another."""
        return Duration(self._value.round(_duration(to)._value))

    def Truncate(self, to: Any) -> Duration:
        """Return the multiple of another that is not longer."""
        return Duration(self._value.truncate(_duration(to)._value))


def _parts(one: Duration, unit: str) -> int:
    whole, size = one.Nanoseconds(), _UNITS[unit]
    return whole // size if whole >= 0 else -(-whole // size)


class Time:
    """A point in time, in a zone, as templates see it."""

    def __init__(self, value: GoTime) -> None:
        from gotime.go import Location as Known

        name, offset = value.zone()
        if not name:  # Go writes its offset instead
            sign, minutes = "-" if offset < 0 else "+", abs(offset) // 60
            shown = f"{sign}{minutes // 60:02}{minutes % 60:02}"
            value = value.in_location(Known.fixed(shown, offset))
        self._value = value

    def __str__(self) -> str:
        """Return it as Go prints it."""
        return self._value.format("2006-01-02 15:04:05.999999999 -0700 MST")

    def Year(self) -> int:
        """Return its year."""
        return self._value.year

    def Day(self) -> int:
        """Return its day of the month."""
        return self._value.day

    def Hour(self) -> int:
        """Return its hour."""
        return self._value.hour

    def Minute(self) -> int:
        """Return its minute."""
        return self._value.minute

    def Second(self) -> int:
        """Return its second."""
        return self._value.second

    def Nanosecond(self) -> int:
        """Return its nanosecond."""
        return self._value.nanosecond

    def YearDay(self) -> int:
        """Return its day of the year, from 1."""
        return self._value.year_day

    def Unix(self) -> int:
        """Return the seconds since 1970 began."""
        return self._value.unix()

    def UnixMilli(self) -> int:
        """Return the milliseconds since 1970 began."""
        return self._value.unix_milliseconds()

    def UnixMicro(self) -> int:
        """Return the microseconds since 1970 began."""
        return self._value.unix_microseconds()

    def UnixNano(self) -> int:
        """Return the nanoseconds since 1970 began."""
        return self._value.unix_nanoseconds()

    def IsZero(self) -> bool:
        """Say whether it is the beginning of the year 1."""
        return self._value.is_zero()

    def IsDST(self) -> bool:
        """Say whether it is summer time there."""
        return self._value.is_dst()

    def String(self) -> str:
        """Return it as text."""
        return str(self)

    def Format(self, layout: Any) -> str:
        """Return it in a layout: how 15:04:05 on 2 January 2006 would be written."""
        return self._value.format(str(layout))

    def Month(self) -> str:
        """Return the name of its month."""
        return self._value.format("January")

    def Weekday(self) -> str:
        """Return the name of its day."""
        return self._value.format("Monday")

    def UTC(self) -> Time:
        """Return it in UTC."""
        return Time(self._value.utc())

    def Local(self) -> Time:
        """Return it in the zone of the machine."""
        return Time(self._value.in_location(_here()))

    def In(self, zone: Any) -> Time:
        """Return it in a zone."""
        return Time(self._value.in_location(_zone(zone)))

    def Add(self, length: Any) -> Time:
        """Return the time so much later."""
        return Time(self._value.add(_duration(length)._value))

    def AddDate(self, years: int, months: int, days: int) -> Time:
        """Return the time so many years, months and days later."""
        return Time(self._value.add_date(years, months, days))

    def Sub(self, other: Time) -> Duration:
        """Return how much later it is than another."""
        return Duration(self._value.subtract(other._value))

    def Round(self, to: Any) -> Time:
        """Return the nearest multiple of a duration."""
        return Time(self._value.round(_duration(to)._value))

    def Truncate(self, to: Any) -> Time:
        """Return the multiple of a duration that is not later."""
        return Time(self._value.truncate(_duration(to)._value))

    def After(self, other: Time) -> bool:
        """Say whether it is later than another."""
        return self._value.after(other._value)

    def Before(self, other: Time) -> bool:
        """Say whether it is earlier than another."""
        return self._value.before(other._value)

    def Equal(self, other: Time) -> bool:
        """Say whether both are the same point in time."""
        return self._value.equal(other._value)


def functions() -> dict[str, Callable[..., Any]]:
    """Return the functions by name: `time.Now` is `time__Now`; what is other each time is noted."""
    from gotime import go

    def layout(name: str) -> Callable[[], str]:
        return lambda: str(getattr(go, name))

    def parse(form: Any, text: Any) -> Time:
        return Time(go.Time.parse(str(form), str(text)))

    def parse_in(form: Any, zone: Any, text: Any) -> Time:
        return Time(go.Time.parse_in_location(str(form), str(text), _zone(zone)))

    def parse_here(form: Any, text: Any) -> Time:
        return Time(go.Time.parse_in_location(str(form), str(text), _here()))

    def zone_offset() -> int:
        return now()._value.zone()[1]

    found: dict[str, Callable[..., Any]] = {
        "Now": now,
        "Parse": parse,
        "ParseLocal": parse_here,
        "ParseInLocation": parse_in,
        "ParseDuration": _duration,
        "Unix": _unix,
        "Since": lambda one: now().Sub(one),
        "Until": lambda one: one.Sub(now()),
        "ZoneName": lambda: now()._value.zone()[0],
        "ZoneOffset": zone_offset,
        **{name: _unit(name) for name in _UNITS},
        **{name: layout(known) for name, known in _LAYOUTS.items()},
    }
    return {f"time__{name}": one for name, one in found.items()}


def now() -> Time:
    """Return the time."""
    from gotime.go import Time as Known

    inputs.note()
    return Time(Known.now().in_location(_here()))


def _unix(value: Any) -> Time:
    """Return the time so many seconds after 1970 began; a text may have a fraction."""
    from decimal import Decimal

    from gotime.go import Time as Known

    whole, part = divmod(Decimal(str(value)), 1)
    return Time(Known.from_unix(int(whole), int(part * 10**9), location=_here()))


def _unit(name: str) -> Callable[[Any], Duration]:
    def made(count: Any) -> Duration:
        from decimal import Decimal

        from goduration.go import Duration as Known

        return Duration(Known(int(Decimal(str(count)) * _UNITS[name])))

    return made


def _duration(value: Any) -> Duration:
    """Return a duration, also from a text such as `1h30m` or from nanoseconds."""
    from goduration.go import Duration as Known

    if isinstance(value, Duration):
        return value
    return Duration(Known(value) if isinstance(value, int) else Known.parse(str(value)))


def _zone(name: Any) -> GoLocation:
    from gotime.go import Location as Known

    if str(name) == "Local":
        return _here()
    return Known.load(str(name))


def _here() -> GoLocation:
    """Return the zone of the machine, which is another one elsewhere."""
    from gotime.go import Location as Known

    inputs.note("TZ")
    return Known.from_tzinfo(_local())


def _local() -> tzinfo:
    from gotpl.funcs.sprig import dates

    found: tzinfo = dates._local_timezone()
    return found
