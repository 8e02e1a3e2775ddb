"""Globs as Go's doublestar reads them: `**`, `*`, `?`, classes and `{a,b}`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import lru_cache

from wrapper.errors import StackError

_MAGIC = re.compile(r"[*?\[{]")
_ALTERNATIVES = 1000
_DEPTH = 40
_DIRECTORIES = 100_000


def has_magic(path: str) -> bool:
    """Say whether a path holds glob characters."""
    return _MAGIC.search(path) is not None


def braces(pattern: str) -> list[str]:
    """Return the pattern once per alternative of its `{a,b}`, in the written order.

    Raises: StackError for more than a thousand of them.
    """
    return _braces(pattern, [0])


def _braces(pattern: str, count: list[int]) -> list[str]:
    start = pattern.find("{")
    count[0] += 1
    if count[0] > _ALTERNATIVES:
        raise StackError(f"the pattern has more than {_ALTERNATIVES} alternatives: {pattern[:80]}")
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
                return [
                    one for part in parts for one in _braces(pattern[:start] + part + tail, count)
                ]
    return [pattern]


@lru_cache(maxsize=512)
def matcher(pattern: str) -> re.Pattern[str]:
    """Return a whole-path expression for a pattern with `/` between its segments.

    Raises: StackError for a pattern that is none.
    """
    try:
        return re.compile("|".join(f"(?:{_expression(one)})" for one in braces(pattern)))
    except (re.error, OverflowError, RecursionError) as error:
        raise StackError(f"bad pattern: {pattern[:80]}") from error


def matches(pattern: str, path: str) -> bool:
    """Say whether the whole path matches."""
    return matcher(pattern).fullmatch(path) is not None


def _expression(pattern: str) -> str:
    out: list[str] = []
    segments = _single(pattern.split("/"))
    for number, segment in enumerate(segments):
        final = number == len(segments) - 1
        if segment == "**":
            out.append(".*" if final else "(?:[^/]+/)*")
            continue
        out.append(_segment(segment) + ("" if final else "/"))
    return "".join(out)


def _single(segments: list[str]) -> list[str]:
    """Return the segments of a pattern; of `**` one behind the other the first."""
    return [
        one for n, one in enumerate(segments) if one != "**" or not n or segments[n - 1] != "**"
    ]


def _segment(segment: str) -> str:
    """Return an expression for one segment.

    What lies between two stars matches where it first can, for good: looking further would only
    cost time, without end where there are many stars.
    """
    out: list[str] = []
    position = stars = 0
    while position < len(segment):
        char = segment[position]
        position += 1
        if char == "*":
            if stars:
                out.append(")")
            stars += 1
            out.append("(?>[^/]*?")
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
    if stars:
        last = len(out) - out[::-1].index("(?>[^/]*?") - 1
        out[last] = "[^/]*"
    return "".join(out)


def find(pattern: str, seen: list[str]) -> list[str]:
    """Return the files that an absolute pattern matches; add the directories read to `seen`.

    Raises: StackError for a pattern that is none.

    Order: in each directory its own files by name, then its
    sub-directories by name. Source: reference/atmos-stacks.md 3.4.
    """
    found: dict[str, None] = {}
    for one in _spanning(pattern):
        segments = tuple(_single(one.strip("/").split("/")))
        found.update(dict.fromkeys(_walk("/", segments, seen, set())))
    return list(found)


def _spanning(pattern: str) -> list[str]:
    """Return the pattern once per alternative if alternatives hold `/`; else as it is."""
    inside = re.findall(r"\{[^{}]*\}", pattern)
    return braces(pattern) if any("/" in one for one in inside) else [pattern]


def _walk(
    base: str, segments: tuple[str, ...], seen: list[str], done: set[tuple[str, int]]
) -> Iterator[str]:
    """Yield what the segments match below `base`; what was looked for there before adds nothing."""
    key = (base, len(segments))
    if key in done:
        return
    done.add(key)
    head, rest = segments[0], segments[1:]
    if head == "**":
        for directory in tree(base):
            yield from _walk(directory, rest or ("*",), seen, done)
            seen.append(directory)
    elif not has_magic(head):
        path = os.path.join(base, head)
        if rest:
            yield from _walk(path, rest, seen, done)
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
                yield from _walk(path, rest, seen, done)
            elif not rest and not is_dir:
                yield path


def tree(base: str) -> Iterator[str]:
    """Yield a directory and all below it, each before its own, those of one by name.

    A link that leads back to where it stands is not followed, nor are more than 40 levels.
    """
    yield base
    yield from _below(base, (_identity(base),), [0])


def _below(base: str, above: tuple[tuple[int, int], ...], count: list[int]) -> Iterator[str]:
    if len(above) > _DEPTH:
        return
    for _, path, is_dir in listing(base):
        if not is_dir:
            continue
        own = _identity(path)
        if own in above:
            continue
        count[0] += 1
        if count[0] > _DIRECTORIES:
            raise StackError(f"more than {_DIRECTORIES:,} directories below {base}")
        yield path
        yield from _below(path, (*above, own), count)


def _identity(path: str) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return (0, 0)
    return (found.st_dev, found.st_ino)


def listing(directory: str) -> list[tuple[str, str, bool]]:
    """Return name, path and whether it is a directory, by name; nothing for what cannot be read."""
    try:
        with os.scandir(directory) as entries:
            return sorted((entry.name, entry.path, _leads(entry)) for entry in entries)
    except (OSError, ValueError):
        return []


def _leads(entry: os.DirEntry[str]) -> bool:
    """Say whether an entry is a directory; a link to itself is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False
