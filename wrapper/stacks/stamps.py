"""Stamps: numbers that change with a file, and which of many files changed."""

from __future__ import annotations

import os
import time
from array import array

# A file changed this shortly before it was read may change again without a new time stamp.
_TICK = 20_000_000
# From this many paths on, a second process pays.
_TWO_HANDS = 4000
ABSENT = 0
# The stamp that never matches.
UNSURE = -1


def stamp(path: str) -> int:
    """Return a number that changes with a file or directory; ABSENT when it is not there."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return ABSENT
    return hash((found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino))


def sure_stamp(path: str) -> int:
    """Return the stamp to store with what is read next, or one that never matches.

    Within one tick of the file system's clock a second change would not be seen.
    """
    now = time.time_ns()
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ABSENT
    if abs(now - max(found.st_mtime_ns, found.st_ctime_ns)) < _TICK:
        return UNSURE
    return hash((found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino))


def changes(paths: list[str], stamps: array[int]) -> list[str]:
    """Return the paths that no longer carry their stamps; many are compared by two processes."""
    if len(paths) < _TWO_HANDS or not hasattr(os, "fork"):
        return _compare(paths, stamps)
    half = len(paths) // 2
    other = _beside(paths[half:], stamps[half:])
    found = _compare(paths[:half], stamps[:half])
    theirs = _told(*other) if other is not None else None
    return found + (_compare(paths[half:], stamps[half:]) if theirs is None else theirs)


def _compare(paths: list[str], stamps: array[int]) -> list[str]:
    status, found = os.stat, []
    for path, known in zip(paths, stamps, strict=True):
        try:
            one = status(path)
        except (OSError, ValueError):
            if known != ABSENT:
                found.append(path)
            continue
        if hash((one.st_mtime_ns, one.st_ctime_ns, one.st_size, one.st_ino)) != known:
            found.append(path)
    return found


def _beside(paths: list[str], stamps: array[int]) -> tuple[int, int] | None:
    """Begin to compare in a child, as a thread would wait for the interpreter most of the time.

    Returns the child and where it tells; None when there can be none.
    """
    try:
        reading, writing = os.pipe()
    except OSError:
        return None
    try:
        child = os.fork()
    except OSError:
        os.close(reading)
        os.close(writing)
        return None
    if child:
        os.close(writing)
        return child, reading
    code = 1
    try:
        told = "\0".join([*_compare(paths, stamps), ""]).encode("utf-8", "surrogateescape")
        while told:
            told = told[os.write(writing, told) :]
        code = 0
    finally:
        os._exit(code)


def _told(child: int, reading: int) -> list[str] | None:
    """Return what a child found; None when it did not end well."""
    with open(reading, "rb") as stream:
        told = stream.read()
    try:
        ended = os.waitpid(child, 0)[1]
    except ChildProcessError:  # somebody else has waited for it
        return None
    return told.decode("utf-8", "surrogateescape").split("\0")[:-1] if ended == 0 else None
