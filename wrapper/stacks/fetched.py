"""Manifests that are imported from the net: which files an address brings, and where those lead.

Source: reference/atmos-stacks.md 3.4.
"""

from __future__ import annotations

import os

from wrapper.errors import Location, StackError
from wrapper.remote import store as remote
from wrapper.stacks import globs, inputs
from wrapper.stacks.manifest import EXTENSIONS
from wrapper.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from wrapper.stacks.imports import Entry
    from wrapper.stacks.settings import Settings
    from wrapper.world import World


class Found(NamedTuple):
    """The files, lowest first; what changes with them; where their plain imports lead, '' here."""

    files: list[str]
    reads: list[str]
    base: str


def targets(entry: Entry, at: Location, settings: Settings, world: World | None) -> Found:
    """Return what a remote import brings.

    Raises: ConfigError, NotFetched, FetchError; StackError for options that mean nothing.
    """
    address = remote.parse(entry.path, at)
    if world is None:
        raise StackError(f"the remote import {address.shown} is not followed here", at=at)
    try:
        seconds = remote.ttl(entry.ttl if entry.ttl is not None else settings.imports_ttl)
    except ValueError as error:
        raise StackError(f"`ttl` of the import {address.shown}: {error}", at=at) from error
    if entry.nested not in ("", "local", "remote"):
        raise StackError("nested_imports must be local or remote", at=at)
    try:
        tree = remote.tree(address, world, at=at, seconds=seconds)
    except remote.NotFetched:
        inputs.note()  # whoever may fetch looks again
        raise
    found = _files(tree, address)
    confine(found, os.path.join(tree.root, "x"), settings, at)
    base = _base(tree, address, settings, at) if entry.nested == "remote" else ""
    return Found(found, [tree.state], base)


def _files(tree: remote.Tree, address: remote.Address) -> list[str]:
    wanted = os.path.join(tree.root, address.subdir) if address.subdir else tree.root
    if globs.has_magic(address.subdir):
        return sorted(globs.find(wanted, []))
    if "." not in os.path.basename(wanted):
        for extension in EXTENSIONS:
            if os.path.isfile(wanted + extension):
                return [wanted + extension]
    if not os.path.isdir(wanted):
        return [wanted] if os.path.isfile(wanted) else []
    found: list[str] = []
    for base, folders, names in os.walk(wanted):
        folders[:] = sorted(name for name in folders if name != ".git")
        found += [os.path.join(base, name) for name in names if name.endswith(EXTENSIONS)]
    if address.kind == "file" and not address.archive and not found:
        found = [os.path.join(wanted, name) for name in os.listdir(wanted)]
    return sorted(found)


def _base(tree: remote.Tree, address: remote.Address, settings: Settings, at: Location) -> str:
    """Return the stacks directory of the repository that a remote import comes from.

    It is where the import's path holds what `stacks.base_path` says here.
    """
    own = os.path.relpath(settings.stacks_dir, settings.base_path)
    parts, wanted = address.subdir.split("/"), [] if own == "." else own.split(os.sep)
    for first in range(len(parts) - len(wanted) + 1):
        if parts[first : first + len(wanted)] == wanted:
            return os.path.join(tree.root, *parts[: first + len(wanted)])
    raise StackError(
        f"nested_imports: remote needs a path below `{own}` in the repository, not "
        f"'{address.subdir}'",
        at=at,
    )


def confine(files: list[str], importer: str, settings: Settings, at: Location) -> None:
    """Refuse files that what was fetched may not lead to: outside of it and of the stacks.

    Raises: StackError.
    """
    roots = [
        os.path.realpath(one) for one in (remote.root_of(importer), settings.stacks_dir) if one
    ]
    for path in files:
        real = os.path.realpath(path)
        if not any(real.startswith(root + os.sep) for root in roots):
            raise StackError(f"'{os.path.basename(path)}' leads out of what was fetched", at=at)
