"""Manifests as a prompt reads them, kept by their content, so that most need no YAML parser.

It is a cache: a text of another form, or a torn one, is as good as none.
"""

from __future__ import annotations

import os

from wrapper import __version__, files
from wrapper.errors import StoreError
from wrapper.stacks.manifest import Manifest, decode, encode
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.stacks.settings import Settings
    from wrapper.world import World

_FORMAT = 1
_LIMIT = 1 << 24
_SENSITIVE = ("secret", "password", "token", "access_key", "private_key", "client_key")


def load(
    path: str,
    text: bytes,
    digest: str,
    settings: Settings,
    wanted: tuple[tuple[str, ...], ...] | None,
    world: World,
) -> Manifest:
    """Return the part of a manifest that decides names and `auth`; `digest` is that of `text`.

    `wanted` are the fields that decide names, None for all. Raises: StackError.
    """
    import zlib

    where = path.encode("utf-8", "surrogateescape")  # two paths of one name take turns
    name = f"{zlib.crc32(where):08x}{zlib.adler32(where):08x}.json"
    store = os.path.join(files.cache_dir(world.environ), "manifests", name)
    key = repr((_FORMAT, __version__, path, digest, settings.delimiter, wanted))
    try:
        kept, _, body = (files.read_private(store, _LIMIT) or b"").decode().partition("\n")
        if kept == key:
            return decode(body)
    except (ValueError, TypeError, RecursionError, StoreError):
        pass
    from wrapper.stacks import catalog, passive

    found = passive.parse(text, path, settings.delimiter)
    if wanted is not None:
        found = catalog.narrow(found, (*wanted, ("auth",)))
    if not _secret(found.data, ""):
        try:
            files.write_cache(store, f"{key}\n{encode(found)}".encode())
        except (StoreError, ValueError, TypeError, RecursionError):
            return found
    return found


def _secret(value: Any, name: str) -> bool:
    """Say whether text stands in clear where a secret may be."""
    if isinstance(value, dict):
        return any(_secret(entry, str(key)) for key, entry in value.items())
    if isinstance(value, list):
        return any(_secret(entry, name) for entry in value)
    if not value or not isinstance(value, str):
        return False
    folded = name.lower()
    return any(word in folded for word in _SENSITIVE) or ("://" in value and "@" in value)
