"""Globs as Go's doublestar reads them: `**`, `*`, `?`, classes and `{a,b}`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import lru_cache

_MAGIC = re.compile(r"[*?\[{]")


def has_magic(path: str) -> bool:
    """Say whether a path holds glob characters."""
    return _MAGIC.search(path) is not None


def braces(pattern: str) -> list[str]:
    """Return the pattern once per alternative of its `{a,b}`, in the written order."""
    start = pattern.find("{")
    if start < 0:
        return [pattern]
    depth = 0
    parts: list[str] = []
    last = start + 1
    for position in range(start, len(pattern)):
        char = pattern[position]
        if char == "{":
            depth += 1
        elif char == "," and depth == 1:
            parts.append(pattern[last:position])
            last = position + 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                parts.append(pattern[last:position])
                tail = pattern[position + 1 :]
                return [one for part in parts for one in braces(pattern[:start] + part + tail)]
    return [pattern]


@lru_cache(maxsize=512)
def matcher(pattern: str) -> re.Pattern[str]:
    """Return a whole-path expression for a pattern with `/` between its segments."""
    return re.compile("|".join(f"(?:{_expression(one)})" for one in braces(pattern)))


def matches(pattern: str, path: str) -> bool:
    """Say whether the whole path matches."""
    return matcher(pattern).fullmatch(path) is not None


def _expression(pattern: str) -> str:
    out: list[str] = []
    segments = pattern.split("/")
    for number, segment in enumerate(segments):
        final = number == len(segments) - 1
        if segment == "**":
            out.append(".*" if final else "(?:[^/]+/)*")
            continue
        out.append(_segment(segment) + ("" if final else "/"))
    return "".join(out)


def _segment(segment: str) -> str:
    out: list[str] = []
    position = 0
    while position < len(segment):
        char = segment[position]
        position += 1
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "[" and (end := segment.find("]", position + 1)) > 0:
            inner = segment[position:end].replace("\\", "\\\\")
            out.append("[" + ("^" + inner[1:] if inner[:1] in "!^" else inner) + "]")
            position = end + 1
        elif char == "\\" and position < len(segment):
            out.append(re.escape(segment[position]))
            position += 1
        else:
            out.append(re.escape(char))
    return "".join(out)


def find(pattern: str, seen: list[str]) -> list[str]:
    """Return the files that an absolute pattern matches; add the directories read to `seen`.

    Order: in each directory its own files by name, then its
    sub-directories by name. Source: reference/atmos-stacks.md 3.4.
    """
    found: dict[str, None] = {}
    for one in _spanning(pattern):
        found.update(dict.fromkeys(_walk("/", one.strip("/").split("/"), seen)))
    return list(found)


def _spanning(pattern: str) -> list[str]:
    """Return the pattern once per alternative if alternatives hold `/`; else as it is."""
    inside = re.findall(r"\{[^{}]*\}", pattern)
    return braces(pattern) if any("/" in one for one in inside) else [pattern]


def _walk(base: str, segments: list[str], seen: list[str]) -> Iterator[str]:
    head, rest = segments[0], segments[1:]
    if head == "**":
        yield from _everywhere(base, rest or ["*"], seen)
    elif not has_magic(head):
        path = os.path.join(base, head)
        if rest:
            yield from _walk(path, rest, seen)
        else:
            seen.append(base)
            if os.path.isfile(path):
                yield path
    else:
        expression = matcher(head)
        seen.append(base)
        for name, path, is_dir in listing(base):
            if expression.fullmatch(name) is None:
                continue
            if rest and is_dir:
                yield from _walk(path, rest, seen)
            elif not rest and not is_dir:
                yield path


def _everywhere(base: str, rest: list[str], seen: list[str], depth: int = 0) -> Iterator[str]:
    yield from _walk(base, rest, seen)
    seen.append(base)
    if depth < 40:
        for _, path, is_dir in listing(base):
            if is_dir:
                yield from _everywhere(path, rest, seen, depth + 1)


def listing(directory: str) -> list[tuple[str, str, bool]]:
    """Return name, path and whether it is a directory, by name; nothing for what cannot be read."""
    try:
        with os.scandir(directory) as entries:
            return sorted((entry.name, entry.path, entry.is_dir()) for entry in entries)
    except OSError:
        return []
