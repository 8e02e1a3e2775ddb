"""What can happen to a file of ours, by name; each takes the file's path."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

# Another user of the machine.
NOBODY = 65534


def _content(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def done(file: Path) -> None:
        file.write_bytes(change(file.read_bytes()))

    return done


def _another_schema(content: bytes) -> bytes:
    found = json.loads(content)
    if isinstance(found, list):
        return json.dumps([99, *found[1:]]).encode()
    return json.dumps({**found, "version": 99}).encode()


def _link(file: Path) -> None:
    real = file.with_name(f"{file.name}.real")
    file.rename(real)
    file.symlink_to(real)


def _directory(file: Path) -> None:
    file.unlink()
    file.mkdir(mode=0o700)


def _pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)


def _foreign(file: Path) -> None:
    give_away(file)


def give_away(path: Path) -> None:
    """Make a path another user's. Only root can."""
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    os.chown(path, NOBODY, NOBODY)


DAMAGE: dict[str, Callable[[Path], None]] = {
    "truncated": _content(lambda content: content[: len(content) // 2]),
    "empty": _content(lambda _: b""),
    "garbage": _content(lambda _: b"\xff\xfe\x00{[" * 99),
    "10 MB": _content(lambda content: content + b" " * (10 << 20)),
    "another schema": _content(_another_schema),
    "another's": _foreign,
    "world-readable": lambda file: file.chmod(0o644),
    "group-readable": lambda file: file.chmod(0o640),
    "a link": _link,
    "a directory": _directory,
    "a pipe": _pipe,
}
