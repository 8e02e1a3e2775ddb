"""Pieces of manifests, and where their keys stand."""

from __future__ import annotations

from wrapper.errors import Location, WrapError
from wrapper.stacks.manifest import read_bytes
from wrapper.typed import Any, NamedTuple

TYPES = (
    "terraform",
    "helmfile",
    "packer",
    "ansible",
    "container",
    "emulator",
    "kubernetes",
    "helm",
)


class Source(NamedTuple):
    """A piece of one file: the absolute path, the key path inside it, and what stands there."""

    path: str
    prefix: tuple[str, ...]
    data: Any


def place(path: str, keys: tuple[int | str, ...]) -> Location:
    """Return the place of a key path in a file, by parsing it again."""
    from wrapper import yamlio

    try:
        return yamlio.locate(read_bytes(path), path, keys)
    except WrapError:
        return Location(path, 1, 1)
