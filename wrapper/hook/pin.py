"""What is pinned: by a file of the repository for a directory, by `use` for one shell."""

from __future__ import annotations

import os
from collections.abc import Mapping

from wrapper import sha256
from wrapper.errors import ConfigError, Location, UsageError, near
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.world import World

FILE = ".atmos-wrap.yaml"
KEYS = ("identity", "profile", "stack")
# The pin of one shell, set by `use`: kind, name and the repository that it is for.
VARIABLE = "ATMOS_WRAP_USE"
_LIMIT = 1 << 16


class Pin(NamedTuple):
    """What a pin says; empty texts say nothing. `at` maps a key to its place."""

    path: str = ""
    identity: str = ""
    profile: tuple[str, ...] = ()
    stack: str = ""
    digest: str = ""

    def at(self, key: str) -> Location:
        """Return the place of a key."""
        from wrapper import yamlio

        try:
            with open(self.path, "rb") as stream:
                return yamlio.locate(stream.read(_LIMIT), self.path, (key,))
        except OSError:
            return Location(self.path, 1, 1)


class Use(NamedTuple):
    """What `use` chose for a shell: an identity or a stack, in one repository."""

    kind: str
    name: str
    root: str


def used(environ: Mapping[str, str]) -> Use | None:
    """Return the shell's pin; None when there is none, or it is none of ours."""
    kind, colon, rest = environ.get(VARIABLE, "").partition(":")
    root, at, name = rest.partition("@")
    if kind not in ("identity", "stack") or not (colon and at and root and name):
        return None
    from urllib.parse import unquote

    return Use(kind, name, unquote(root))


def written(use: Use) -> str:
    """Return the value of VARIABLE for a pin."""
    from urllib.parse import quote

    return f"{use.kind}:{quote(use.root)}@{use.name}"


def find(directory: str, root: str) -> str:
    """Return the nearest pin file from a directory up to the repository's root; '' for none."""
    here = directory
    while here:
        path = os.path.join(here, FILE)
        if os.path.lexists(path):
            return path
        if here in (root, os.path.dirname(here)):
            return ""
        here = os.path.dirname(here)
    return ""


def read(path: str, world: World) -> Pin:
    """Return what a pin file says; its digest is that of the bytes that were parsed.

    Raises: ConfigError with the place.
    """
    from wrapper.config import parsed

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as stream:
            data = stream.read(_LIMIT + 1)
    except OSError as error:
        raise ConfigError(f"cannot read the file: {error.strerror or error}", at=path) from error
    if len(data) > _LIMIT:
        raise ConfigError("a pin file is small; this one is not read", at=path)

    def refuse(tag: str, value: Any, at: Location) -> Any:  # noqa: ARG001
        raise ConfigError(f"{tag} cannot be used in a pin file", at=at)

    found = parsed.load(path, data, world.environ, refuse)
    if not isinstance(found, dict):
        raise ConfigError("the file must hold a map", at=Location(path, 1, 1))
    for key in found:
        if key not in KEYS:
            raise ConfigError(
                f'unknown key "{key}"',
                at=parsed_place(path, data, str(key)),
                hint=near(str(key), KEYS) or f"known keys: {', '.join(KEYS)}",
            )
    return Pin(
        path,
        _text(found, "identity", path, data),
        _names(found, path, data),
        _text(found, "stack", path, data),
        sha256.hexdigest(data),
    )


def parsed_place(path: str, data: bytes, key: str) -> Location:
    """Return the place of a top-level key in a pin file's bytes."""
    from wrapper import yamlio

    return yamlio.locate(data, path, (key,))


def _text(found: Mapping[str, Any], key: str, path: str, data: bytes) -> str:
    value = found.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ConfigError(f"`{key}` must be a name", at=parsed_place(path, data, key))
    return value


def _names(found: Mapping[str, Any], path: str, data: bytes) -> tuple[str, ...]:
    value = found.get("profile")
    names = [value] if isinstance(value, str) else ([] if value is None else value)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError(
            "`profile` must be a name or a list of names", at=parsed_place(path, data, "profile")
        )
    return tuple(names)


def of(word: str, identities: Mapping[str, Any], stacks: list[str], root: str) -> Use:
    """Return the pin that a word of `use` means: a stack or an identity of the repository.

    Raises: UsageError when it is neither, or both.
    """
    if word in identities and word in stacks:
        raise UsageError(
            f'"{word}" is an identity and a stack',
            hint=f"say which: `atmos-wrap use identity:{word}` or `atmos-wrap use stack:{word}`",
        )
    kind, _, name = word.partition(":")
    if kind in ("identity", "stack") and name:
        if name not in (identities if kind == "identity" else stacks):
            known = list(identities) if kind == "identity" else stacks
            raise UsageError(f'there is no {kind} "{name}"', hint=near(name, known))
        return Use(kind, name, root)
    if word in identities:
        return Use("identity", word, root)
    if word in stacks:
        return Use("stack", word, root)
    raise UsageError(
        f'"{word}" is neither a stack nor an identity of this repository',
        hint=near(word, [*identities, *stacks])
        or "`atmos-wrap list stacks` and `… list identities`",
    )
