"""Conditions on a described component: the part of yq's expressions that answers yes or no.

Source: reference/atmos-stacks.md 4.4.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable

from wrapper.errors import UsageError
from wrapper.stacks import query
from wrapper.typed import Any

_WORDS = ("or", "and")
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_CALL = re.compile(r"(has|contains|test|select)\((.*)\)", re.S)


def holds(expression: str, value: Any) -> bool:
    """Say whether a condition is true of a value; an answer that is not `true` is no.

    `or`, `and`, `|`, comparisons, `not`, `has(…)`, `contains(…)`, `test("…")`, `select(…)`, brackets
    and the paths of `wrapper.stacks.query`. Raises: UsageError for anything else.
    """
    return _value(expression, value) is True


def _value(expression: str, value: Any) -> Any:
    for part in _split(expression, "|"):
        value = _either(part, value)
    return value


def _either(expression: str, value: Any) -> Any:
    for word, found in zip(_WORDS, (any, all), strict=True):
        parts = _split(expression, word)
        if len(parts) > 1:
            return found(_is_true(_either(part, value)) for part in parts)
    for sign, compared in _COMPARED.items():
        parts = _split(expression, sign)
        if len(parts) == 2:
            left, right = (_term(part.strip(), value) for part in parts)
            return _compare(sign, compared, left, right)
    return _term(expression.strip(), value)


def _compare(sign: str, compared: Callable[[Any, Any], bool], left: Any, right: Any) -> bool:
    if sign in ("==", "!=") and isinstance(left, bool) is not isinstance(right, bool):
        return sign == "!="  # to Python 1 is true
    try:
        return bool(compared(left, right))
    except TypeError:
        return False


def _term(expression: str, value: Any) -> Any:
    if not expression:
        raise UsageError("a part of the condition is empty", hint='write: .vars.team == "net"')
    if expression == "not":
        return not _is_true(value)
    if expression.startswith("(") and expression.endswith(")"):
        return _value(expression[1:-1], value)
    called = _CALL.fullmatch(expression)
    if called is None:
        return query.run(expression, value)
    name, given = called.groups()
    if name == "select":
        return value if _is_true(_value(given, value)) else None
    return _call(name, _value(given, value), value)


def _call(name: str, given: Any, value: Any) -> bool:
    if name == "test":
        try:
            return isinstance(value, str) and re.search(str(given), value) is not None
        except re.error as error:
            raise UsageError(f"the expression `{given}` is none: {error}") from error
    if name == "has":
        if isinstance(value, list):
            return isinstance(given, int) and 0 <= given < len(value)
        return isinstance(value, dict) and given in value
    if isinstance(value, str):
        return isinstance(given, str) and given in value
    if isinstance(value, list):
        return all(item in value for item in (given if isinstance(given, list) else [given]))
    if isinstance(value, dict) and isinstance(given, dict):
        return all(key in value and value[key] == item for key, item in given.items())
    return False


def _is_true(value: Any) -> bool:
    return value is not None and value is not False


def _split(expression: str, mark: str) -> list[str]:
    """Return the parts between marks that stand outside quotes and brackets; words stand alone."""
    parts: list[str] = []
    depth = last = position = 0
    quoted = False
    word = rf"(?<=[\s)]){mark}(?=[\s(])" if mark.isalpha() else re.escape(mark)
    # `<` is not the beginning of `<=`, `|` not of `||`.
    found = re.compile(word if mark.isalpha() or len(mark) > 1 else word + r"(?![=|])")
    while position < len(expression):
        char = expression[position]
        if char == "\\" and quoted:
            position += 1
        elif char == '"':
            quoted = not quoted
        elif not quoted and char in "([{":
            depth += 1
        elif not quoted and char in ")]}":
            depth -= 1
        elif not quoted and not depth and (match := found.match(expression, position)):
            parts.append(expression[last:position])
            last = position = match.end()
            continue
        position += 1
    return [*parts, expression[last:]]
