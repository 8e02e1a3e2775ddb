"""JSON and text as Go programs write them, so that files are byte for byte those of Atmos."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from wrapper.errors import StackError
from wrapper.typed import Any

_SPECIAL = re.compile('[\x00-\x1f"\\\\\u2028\u2029\ud800-\udfff]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def dumps(value: Any, indent: str = "") -> str:
    """Return JSON with sorted keys and without HTML escaping; with `indent`, one item per line.

    Raises: StackError for infinity and not-a-number.
    Source: reference/atmos-stacks.md 5.3.
    """
    return _value(value, indent, "")


def document(value: Any) -> bytes:
    """Return a generated file: two spaces of indentation and a newline at the end."""
    return (dumps(value, "  ") + "\n").encode()


def for_html(text: str) -> str:
    """Return JSON with what HTML would read escaped, as Go's encoder does unless told otherwise."""
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _value(value: Any, indent: str, margin: str) -> str:
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        pairs = sorted((_key(key), item) for key, item in value.items())
        inner = margin + indent
        colon = ": " if indent else ":"
        items = [_string(key) + colon + _value(item, indent, inner) for key, item in pairs]
        return _wrap("{", items, "}", indent, margin)
    if isinstance(value, list | tuple):
        return _wrap(
            "[", [_value(item, indent, margin + indent) for item in value], "]", indent, margin
        )
    return _string(str(value))


def _wrap(start: str, items: list[str], end: str, indent: str, margin: str) -> str:
    if not items:
        return start + end
    if not indent:
        return start + ",".join(items) + end
    lines = f",\n{margin}{indent}".join(items)
    return f"{start}\n{margin}{indent}{lines}\n{margin}{end}"


def _key(key: Any) -> str:
    return key if isinstance(key, str) else _value(key, "", "")


def _string(text: str) -> str:
    return '"' + _SPECIAL.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    if "\ud800" <= character <= "\udfff":
        return "\\ufffd"
    return _SHORT.get(character) or f"\\u{ord(character):04x}"


def number(value: float) -> str:
    """Return a float as Go's encoder writes it: `1`, `1.5`, `1e+21`, `1e-07`.

    Raises: StackError.
    """
    if math.isinf(value) or math.isnan(value):
        name = "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
        raise StackError(f"unsupported value: {name}", hint="JSON has no such number")
    text = repr(value)
    if value == 0 or 1e-6 <= abs(value) < 1e21:
        if "e" not in text:
            return text.removesuffix(".0")
        from decimal import Decimal

        return format(Decimal(text), "f")
    return _scientific(text)


def _scientific(text: str) -> str:
    from decimal import Decimal

    sign, digits, exponent = Decimal(text).normalize().as_tuple()
    power = int(exponent) + len(digits) - 1
    rest = "".join(str(digit) for digit in digits[1:])
    mantissa = f"{'-' if sign else ''}{digits[0]}" + (f".{rest}" if rest else "")
    return f"{mantissa}e{power:+03d}"
