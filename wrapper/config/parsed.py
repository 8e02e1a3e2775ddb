"""Parsed configuration files, kept between runs so that most of them need no YAML parser.

It is a cache: a torn text is no JSON, and as good as none.
Only what parsing alone gives is kept, never what a function gave: `!env X` is stored as that. Not
stored are files with a secret in clear, and those whose functions do more than look something up.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from wrapper import __version__, files, sha256
from wrapper.errors import Location, StoreError, WrapError
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.yamlio import TagReader

# Functions that may be called once for each place an alias puts them: `!exec` may not.
_PLAIN = frozenset(("!env", "!cwd", "!repo-root", "!git.root", "!append", "!unset"))
_SENSITIVE = ("secret", "password", "token", "access_key", "private_key", "client_key")
_MARK = "\x00"
_FORMAT = 2
# Key paths of this many steps below `auth` have their places kept.
_DEPTH = 4
_LIMIT = 1 << 24


class _Unfit(Exception):
    """The file is not to be stored."""


class _Call(NamedTuple):
    """A value with a tag, not read yet."""

    tag: str
    value: Any
    line: int
    column: int


class _Stored(NamedTuple):
    """What is kept of a file: its data in a list, None if unfit; places below `auth`."""

    data: list[Any] | None
    places: Mapping[str, Any]


def load(path: str, text: bytes, environ: Mapping[str, str], tags: TagReader) -> Any:
    """Return the data of a file whose bytes are `text`, its tags read by `tags`.

    Raises: ConfigError with the place, as `yamlio.load` does.
    """
    store = _store(path, files.cache_dir(environ))
    key = _key(path, text)
    known = _stored(store, key)
    if known is not None and known.data is not None:
        return _read(known.data[0], path, tags)
    from wrapper import yamlio

    value = yamlio.load(text, path, tags).data
    if known is None:
        _keep(store, key, path, text)
    return value


def place(path: str, text: bytes, keys: tuple[str, ...], cache_dir: str) -> Location:
    """Return the place of a key path in a file whose bytes are `text`, as `yamlio.locate` does."""
    known = _stored(_store(path, cache_dir), _key(path, text)) if cache_dir else None
    found = known.places.get(_MARK.join(keys)) if known is not None else None
    if isinstance(found, list) and len(found) == 2:
        return Location(path, *found)
    from wrapper import yamlio

    return yamlio.locate(text, path, keys)


def _store(path: str, cache_dir: str) -> str:
    """Return the file in which a file is kept. Two paths of one name take turns."""
    import zlib

    data = path.encode("utf-8", "surrogateescape")
    name = f"{zlib.crc32(data):08x}{zlib.adler32(data):08x}.json"
    return os.path.join(cache_dir, "config", name)


def _key(path: str, text: bytes) -> list[Any]:
    return [_FORMAT, __version__, path, sha256.hexdigest(text)]


def _stored(store: str, key: list[Any]) -> _Stored | None:
    """Return what is kept of this content; None when nothing is."""
    try:
        found = json.loads(files.read_private(store, _LIMIT) or b"[null]")
        if found[0] != key:
            return None
        data, places = found[1:]
    except (ValueError, LookupError, TypeError, StoreError, RecursionError):
        return None
    fit = (data is None or isinstance(data, list)) and isinstance(places, dict)
    return _Stored(data, places) if fit else None


def _keep(store: str, key: list[Any], path: str, text: bytes) -> None:
    """Keep a file that was just read without error; one that cannot be written is no error."""
    from wrapper import yamlio

    def keep(tag: str, value: Any, at: Location) -> _Call:
        if tag not in _PLAIN:
            raise _Unfit
        return _Call(tag, value, at.line, at.column)

    data: list[Any] | None
    try:
        data = [_marked(yamlio.load(text, path, keep).data, "")]
    except (_Unfit, WrapError, RecursionError):
        data = None
    places = {
        _MARK.join(keys): [at.line, at.column]
        for keys, at in yamlio.places(text, path, ("auth",), _DEPTH).items()
    }
    try:
        files.write_cache(store, json.dumps([key, data, places]).encode())
    except (StoreError, ValueError, RecursionError):
        return


def _marked(value: Any, name: str) -> Any:
    """Return a value for JSON. Raises: _Unfit for text under a key that sounds like a secret."""
    if isinstance(value, _Call):
        inner = _marked(value.value, "" if value.tag == "!env" else name)
        return {_MARK: value.tag, "value": inner, "at": [value.line, value.column]}
    if isinstance(value, dict):
        return {key: _marked(entry, key) for key, entry in value.items()}
    if isinstance(value, list):
        return [_marked(entry, name) for entry in value]
    if value and isinstance(value, str):
        folded = name.lower()
        if any(word in folded for word in _SENSITIVE) or ("://" in value and "@" in value):
            raise _Unfit
    return value


def _read(value: Any, path: str, tags: TagReader) -> Any:
    """Return stored data with its tags read, in the order in which they stand."""
    if isinstance(value, dict):
        if _MARK in value:
            inner = _read(value["value"], path, tags)
            return tags(value[_MARK], inner, Location(path, *value["at"]))
        return {key: _read(entry, path, tags) for key, entry in value.items()}
    if isinstance(value, list):
        return [_read(entry, path, tags) for entry in value]
    return value
