"""Go templates: plain field access here, anything more through gotpl.

Source: reference/atmos-stacks.md 3.2, 3.5, 3.6.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from wrapper.errors import Location, StackError
from wrapper.typed import Any

_FIELD = re.compile(r"\{\{(-?)\s*((?:\.[A-Za-z_][A-Za-z0-9_]*)+)\s*(-?)\}\}")
NO_VALUE = "<no value>"
# Longer than any manifest; templates that repeat each other would fill the memory.
LIMIT = 16 << 20
# Tells the functions that templates may call, by name.
Known = Callable[[], Mapping[str, Callable[..., Any]]]


def is_plain(text: str) -> bool:
    """Say whether a text holds no template beyond plain field access."""
    return "{{" not in _FIELD.sub("", text)


def fields(text: str) -> list[tuple[str, ...]] | None:
    """Return the field paths that a template reads; None when that cannot be told."""
    found = re.findall(r"(?<![\w)\]])((?:\.[A-Za-z_][A-Za-z0-9_]*)+)", text)
    if "$" in text or re.search(r"(?<![\w.])\.(?![A-Za-z_])", "".join(_actions(text))):
        return None
    if re.search(r"\b(range|with|block|template|define)\b", text):
        return None
    return [tuple(path[1:].split(".")) for path in found]


def _actions(text: str) -> list[str]:
    without_strings = re.sub(r'"(?:[^"\\]|\\.)*"|`[^`]*`', '""', text)
    return re.findall(r"\{\{.*?\}\}", without_strings, re.S)


def lookup(data: Any, path: tuple[str, ...]) -> tuple[Any, bool]:
    """Return the value at a field path and whether it is there."""
    for step in path:
        if not isinstance(data, Mapping) or step not in data:
            return None, False
        data = data[step]
    return data, True


def render(
    text: str,
    data: Mapping[str, Any],
    *,
    what: str,
    at: Location | None = None,
    strict: bool = True,
    functions: Known | None = None,
) -> str:
    """Return a template's text over `data`; a missing key is `<no value>` unless `strict`.

    `functions` tells the functions that are there, if one is needed (default: all).

    Raises: StackError naming `what` when a value is missing, the template cannot be run, or its text
    is longer than 16 Mi characters.
    """
    if "{{" not in text:
        return text
    if not is_plain(text):
        return _full(text, data, what, at, strict, functions)

    length = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal length
        path = tuple(match.group(2)[1:].split("."))
        value, there = lookup(data, path)
        if not there:
            wrong = _no_map(data, path)
            if wrong:
                raise StackError(f"{what}: the template reads {wrong}", at=at)
            if strict:
                raise _missing(what, path, at)
            return NO_VALUE
        try:
            found = go_text(value)
        except RecursionError:  # `set` can put a map into itself
            message = f"{what}: .{'.'.join(path)} contains itself"
            raise StackError(message, at=at) from None
        length += len(found)
        if length > LIMIT:
            raise StackError(f"{what}: the text becomes longer than {LIMIT >> 20} Mi", at=at)
        return found

    if "{{-" in text or "-}}" in text:
        text = re.sub(r"\s*\{\{-", "{{", text)
        text = re.sub(r"-\}\}\s*", "}}", text)
    return _FIELD.sub(replace, text)


def _no_map(data: Any, path: tuple[str, ...]) -> str:
    """Return what is wrong with a field of null or of a scalar; empty where a key is missing."""
    for at, step in enumerate(path):
        if not isinstance(data, Mapping):
            kind = "null" if data is None else "no map"
            return f".{'.'.join(path)}, but .{'.'.join(path[:at])} is {kind}"
        if step not in data:
            return ""
        data = data[step]
    return ""


def _missing(what: str, path: tuple[str, ...], at: Location | None) -> StackError:
    name = "." + ".".join(path)
    return StackError(f"{what}: the template reads {name}, which is not set", at=at)


def _full(
    text: str,
    data: Mapping[str, Any],
    what: str,
    at: Location | None,
    strict: bool,
    functions: Known | None,
) -> str:
    from wrapper.stacks import gotemplate

    known = functions() if functions else None
    return gotemplate.render(text, data, what=what, at=at, strict=strict, functions=known)


def go_text(value: Any) -> str:
    """Return a value as Go's templates print it."""
    if value is None:
        return NO_VALUE
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        from wrapper import goyaml

        return goyaml.number(value)
    if isinstance(value, Mapping):
        inner = " ".join(f"{key}:{_inner(value[key])}" for key in sorted(value))
        return f"map[{inner}]"
    if isinstance(value, list):
        return "[" + " ".join(_inner(item) for item in value) + "]"
    return str(value)


def _inner(value: Any) -> str:
    return "<nil>" if value is None else go_text(value)
