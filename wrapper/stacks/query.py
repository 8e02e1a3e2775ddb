"""The part of yq's expressions that reads one value: `.a.b["c"][0]`, `//` and `|`.

Source: reference/atmos-stacks.md 6.1.
"""

from __future__ import annotations

import re

from wrapper.errors import UsageError
from wrapper.typed import Any

_STEP = re.compile(
    r"""\.?\["((?:[^"\\]|\\.)*)"\]      # ["key"]
      | \.?\[\s*(-?\d+)\s*\]            # [0]
      | \.?(\[\])                       # []
      | \."((?:[^"\\]|\\.)*)"           # ."key"
      | \.([A-Za-z0-9_$@/:%*+-]+)       # .key
    """,
    re.X,
)


def run(expression: str, value: Any) -> Any:
    """Return what an expression reads from a value; a missing key gives None.

    Raises: UsageError for anything beyond paths, `|`, `//`, `keys`, `length` and literals.
    """
    for part in _split(expression, "|"):
        value = _alternative(part.strip(), value)
    return value


def _split(expression: str, separator: str) -> list[str]:
    """Return the parts of an expression between a separator that is not quoted."""
    parts, quoted, last, position = [], False, 0, 0
    while position < len(expression):
        char = expression[position]
        if char == "\\" and quoted:
            position += 1
        elif char == '"':
            quoted = not quoted
        elif not quoted and expression.startswith(separator, position):
            parts.append(expression[last:position])
            position += len(separator)
            last = position
            continue
        position += 1
    return [*parts, expression[last:]]


def _alternative(expression: str, value: Any) -> Any:
    found: Any = None
    for part in _split(expression, "//"):
        found = _sum([_term(one.strip(), value, expression) for one in _split(part, " + ")])
        if found is not None and found is not False:
            return found
    return found


def _sum(terms: list[Any]) -> Any:
    """Return the terms added up as yq does: nothing adds nothing, text is joined."""
    found = terms[0]
    for term in terms[1:]:
        if found is None or term is None:
            found = term if found is None else found
        elif isinstance(found, str) or isinstance(term, str):
            found = f"{found}{term}"
        else:
            try:
                found = found + term
            except TypeError:
                raise _unknown("+") from None
    return found


def _term(expression: str, value: Any, whole: str) -> Any:
    import json

    if expression in ("", "."):
        return value
    if expression.startswith("."):
        return _path(expression, value, whole)
    if expression == "keys" and isinstance(value, dict):
        return sorted(value)
    if expression == "length":
        return len(value) if isinstance(value, dict | list | str) else 0
    try:
        return json.loads(expression)
    except ValueError:
        raise _unknown(whole) from None


def _path(expression: str, value: Any, whole: str) -> Any:
    position = 0
    while position < len(expression):
        match = _STEP.match(expression, position)
        if match is None or match.end() == position:
            raise _unknown(whole)
        position = match.end()
        bracket, index, every, quoted, plain = match.groups()
        if every is not None:
            items = list(value.values()) if isinstance(value, dict) else value or []
            rest = expression[position:]
            return [_path(rest, item, whole) if rest else item for item in items]
        if index is not None:
            number = int(index)
            known = isinstance(value, list) and -len(value) <= number < len(value)
            value = value[number] if known else None
        else:
            key = next(part for part in (bracket, quoted, plain) if part is not None)
            value = value.get(key.replace('\\"', '"')) if isinstance(value, dict) else None
    return value


def _unknown(expression: str) -> UsageError:
    return UsageError(
        f"the query `{expression}` is beyond what is understood here",
        hint="""paths such as `.vars.tags["a b"][0]` are; use `-f json` and jq for more""",
    )
