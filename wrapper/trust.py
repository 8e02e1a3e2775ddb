"""Consent: whether the configuration of a directory may change a shell, and who said so."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from wrapper import files, owners, sha256
from wrapper.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from wrapper.world import World

_FORMAT = 1
# Contents of one directory that stay allowed: branches, profiles and pins come and go.
_KEPT = 128
_LIMIT = 1 << 24
PREFIXES = "trusted"


class Closure(NamedTuple):
    """Everything that decides what a directory does to a shell.

    `root`: real path of the directory that consent is for. `files`: absolute path -> SHA-256 in hex
    of the bytes that were parsed. `settings`: dotted key -> JSON text, secrets as a mark. `tree`:
    real path that links must not leave, '' for `root`. `stats`: the files as they were when open.
    """

    root: str
    files: Mapping[str, str]
    settings: Mapping[str, str]
    tree: str = ""
    stats: Mapping[str, os.stat_result] = {}


class Verdict(NamedTuple):
    """Whether a closure is allowed.

    `state`: allowed, denied, unknown, changed, unsafe. `by`: consent or prefix. `changes`: what
    changed in meaning; `files`: what changed, came or went, for `unsafe` which. `reason`: why it is
    unsafe, or why the user's list does not count. `watch`: paths whose change can change this.
    """

    state: str
    by: str = ""
    changes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    reason: str = ""
    watch: tuple[str, ...] = ()


class Consent(NamedTuple):
    """What the user said of one directory; `place` is its device, inode and file system.

    `at` in seconds since the epoch; `accepted` are digests of closures, the latest last.
    """

    root: str
    state: str
    at: float
    owner: int
    place: tuple[int, int, int]
    accepted: tuple[str, ...] = ()


def verdict(closure: Closure, world: World) -> Verdict:
    """Return whether a closure may change a shell; reads nothing of the repository again."""
    store, listing = _store(world, closure.root), prefix_file(world)
    watch = (store, os.path.dirname(store), listing, os.path.dirname(listing))
    try:
        known = _find(_records(store), closure.root)
    except StoreError as error:
        return Verdict("unknown", reason=error.message, watch=watch)
    if known is not None and known.state == "denied":
        return Verdict("denied", "consent", watch=watch)
    faults = check(closure, world)
    if faults:
        paths = tuple(dict.fromkeys(fault.path for fault in faults))
        return Verdict("unsafe", files=paths, reason=str(faults[0]), watch=watch)
    if known is not None and _here(known) and digest(closure) in known.accepted:
        return Verdict("allowed", "consent", watch=watch)
    trusted, ignored = _by_prefix(closure, world)
    if trusted:
        return Verdict("allowed", "prefix", watch=watch)
    if known is None or not known.accepted:
        return Verdict("unknown", reason=ignored, watch=watch)
    return _changed(closure, store, known)._replace(reason=ignored, watch=watch)


def denied(root: str, world: World) -> bool:
    """Say whether the user denied a directory: for one whose configuration cannot be read."""
    try:
        known = _find(_records(_store(world, root)), root)
    except StoreError:
        return False
    return known is not None and known.state == "denied"


def check(closure: Closure, world: World) -> list[owners.Fault]:
    """Return why files of a closure could be changed by somebody else; empty when they could not."""
    tree = closure.tree or closure.root
    return owners.faults(closure.root, sorted(closure.files), closure.stats, tree, world.environ)


def allow(closure: Closure, world: World) -> None:
    """Remember consent to exactly this closure.

    Raises: ConfigError for what is unsafe, StoreError.
    """
    faults = check(closure, world)
    if faults:
        raise ConfigError(
            f"not allowed: {faults[0]}", at=[fault.path for fault in faults], hint=faults[0].advice
        )
    store, mark = _store(world, closure.root), digest(closure)
    with _changing(world):
        records = _records(store)
        known = _find(records, closure.root)
        before = known.accepted if known is not None and _here(known) else ()
        accepted = (*(one for one in before if one != mark), mark)[-_KEPT:]
        _forget(store, set(before) - set(accepted))
        meaning = {"files": _named(closure), "settings": dict(closure.settings)}
        files.write_atomic(_meaning(store, mark), json.dumps(meaning).encode())
        _put(store, records, known, _consent(closure.root, "allowed", world, accepted))


def deny(root: str, world: World) -> None:
    """Remember that a directory is to be left alone, silently. Raises: StoreError."""
    store = _store(world, root)
    with _changing(world):
        records = _records(store)
        known = _find(records, root)
        _forget(store, set(known.accepted if known is not None else ()))
        _put(store, records, known, _consent(root, "denied", world, ()))


def revoke(root: str, world: World) -> bool:
    """Forget what was said of a directory; say whether anything was. Raises: StoreError."""
    store = _store(world, root)
    with _changing(world):
        records = _records(store)
        known = _find(records, root)
        if known is None:
            return False
        _forget(store, set(known.accepted))
        _put(store, records, known, None)
    return True


def listed(world: World) -> list[Consent]:
    """Return everything that was said, by directory. Raises: StoreError."""
    found = [one for store in _stores(world) for one in _records(store)]
    return sorted(found, key=lambda one: one.root)


def prune(world: World) -> list[str]:
    """Forget directories that are gone or in whose place another is; return them.

    A denial holds for whatever has the name, so it goes only with the name. Raises: StoreError.
    """
    gone = []
    for one in listed(world):
        try:
            os.stat(one.root)
            stale = one.state == "allowed" and not _here(one)
        except (FileNotFoundError, NotADirectoryError):
            stale = True
        except OSError:
            stale = False
        if stale and revoke(one.root, world):
            gone.append(one.root)
    return gone


def digest(closure: Closure) -> str:
    """Return the name of a content: paths and digests of all its files."""
    canonical = json.dumps([_FORMAT, sorted(_named(closure).items())], separators=(",", ":"))
    return sha256.hexdigest(canonical.encode())


def prefix_file(world: World) -> str:
    """Return the file in which the user lists directories to trust, one on each line."""
    return os.path.join(os.path.abspath(files.config_dir(world.environ)), PREFIXES)


def _named(closure: Closure) -> dict[str, str]:
    """Return the files' digests; paths in the tree from the root, so that its spelling is free."""
    tree = closure.tree or closure.root
    return {
        os.path.relpath(path, closure.root) if owners.below(path, tree) else path: mark
        for path, mark in closure.files.items()
    }


def _dir(world: World) -> str:
    return os.path.join(os.path.abspath(files.state_dir(world.environ)), "trust")


def _store(world: World, root: str) -> str:
    """Return the file for a directory, the same for all spellings that a disk may take for one."""
    name = sha256.hexdigest(os.fsencode(owners.folded(root)))
    return os.path.join(_dir(world), f"{name}.json")


def _meaning(store: str, mark: str) -> str:
    return f"{store.removesuffix('.json')}.{mark}.meaning"


def _stores(world: World) -> list[str]:
    try:
        names = sorted(os.listdir(_dir(world)))
    except OSError:
        return []
    return [os.path.join(_dir(world), name) for name in names if name.endswith(".json")]


def _records(store: str) -> list[Consent]:
    """Return what a file holds; nothing when it or its directory is not ours alone."""
    directory = os.path.dirname(store)
    try:
        status = os.lstat(directory)
    except OSError:
        return []
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise StoreError(f"{directory} can be written by others: consents do not count")
    try:
        data = json.loads(files.read_private(store, _LIMIT) or b"[]")
        return [
            Consent(one[0], one[1], one[2], one[3], tuple(one[4]), tuple(one[5]))
            for one in data[1:]
            if data[0] == _FORMAT
        ]
    except (ValueError, LookupError, TypeError, RecursionError):
        return []


def _find(records: list[Consent], root: str) -> Consent | None:
    """Return what was said of a directory, also under another spelling of the same name."""
    for one in records:
        if one.root == root:
            return one
    for one in records:
        if owners.folded(one.root) == owners.folded(root) and _here(one._replace(root=root)):
            return one
    return None


def _here(known: Consent) -> bool:
    """Say whether the directory is still the one that consent was for.

    A device's number may be another after a restart; then the file system must be the same.
    """
    try:
        status = os.stat(known.root)
        device, inode, system = known.place
        if status.st_ino != inode or status.st_uid != known.owner:
            return False
        return status.st_dev == device or (system != 0 and os.statvfs(known.root).f_fsid == system)
    except (OSError, ValueError):
        return False


def _consent(root: str, state: str, world: World, accepted: tuple[str, ...]) -> Consent:
    try:
        status, system = os.stat(root), os.statvfs(root).f_fsid
    except OSError as error:
        raise StoreError(f"cannot look at {root}: {error.strerror or error}") from error
    place = (status.st_dev, status.st_ino, system)
    return Consent(root, state, world.now(), status.st_uid, place, accepted)


def _put(store: str, records: list[Consent], old: Consent | None, new: Consent | None) -> None:
    kept = [one for one in records if one is not old] + ([new] if new is not None else [])
    if kept:
        files.write_atomic(store, json.dumps([_FORMAT, *kept]).encode())
    else:
        files.remove(store)


def _forget(store: str, marks: set[str]) -> None:
    for mark in marks:
        files.remove(_meaning(store, mark))


def _changing(world: World) -> Any:
    """Hold the store for a change. Raises: StoreError when it is in somebody else's home."""
    directory = _dir(world)
    there = directory
    while not os.path.lexists(there):
        there = os.path.dirname(there)
    if os.stat(there).st_uid != os.geteuid() and not os.path.ismount(there):
        raise StoreError(
            f"{there} belongs to {owners.user(os.stat(there).st_uid)}: nothing is written there",
            hint="with sudo, use `sudo -H`; else point XDG_STATE_HOME to a directory of yours",
        )
    return files.lock(os.path.join(directory, "lock"), "consent")


def _by_prefix(closure: Closure, world: World) -> tuple[bool, str]:
    """Say whether the user's list has the closure's directory, else why the list does not count."""
    listing = prefix_file(world)
    try:
        lines = owners.read_own(listing, world.environ)
    except ConfigError as error:
        return False, f"{listing} does not count: {error.message}"
    trusted = []
    for line in lines:
        path = os.path.join(world.home, line[2:]) if line.startswith("~/") else line
        if os.path.isabs(path):
            trusted.append(os.path.realpath(path))
    if not any(owners.within(closure.root, prefix) for prefix in trusted):
        return False, ""
    own = (
        os.path.join(world.home, ".atmos"),
        files.atmos_dir(world.environ, "CONFIG"),
        "/usr/local/etc/atmos",
    )
    inside = [*trusted, *own]
    return all(any(owners.within(f, p) for p in inside) for f in closure.files), ""


def _changed(closure: Closure, store: str, known: Consent) -> Verdict:
    """Return what is other than in the content allowed last."""
    before: Mapping[str, Any] = {}
    try:
        before = json.loads(files.read_private(_meaning(store, known.accepted[-1]), _LIMIT) or "{}")
    except (ValueError, RecursionError, StoreError):
        before = {}
    old, new = before.get("files") or {}, _named(closure)
    names = [f"changed: {path}" for path in sorted(new) if path in old and old[path] != new[path]]
    names += [f"new: {path}" for path in sorted(new) if path not in old]
    names += [f"gone: {path}" for path in sorted(old) if path not in new]
    if not _here(known):
        names.append(f"new: another directory is at {closure.root}")
    changes = meaning_changes(before.get("settings") or {}, closure.settings)
    return Verdict("changed", changes=changes, files=tuple(names))


def meaning_changes(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, ...]:
    """Return one text for each setting that is other, as `prod.principal.assume_role: X → Y`."""
    return tuple(
        f"{key.removeprefix('auth.identities.')}: {_shown(old.get(key))} → {_shown(new.get(key))}"
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    )


def _shown(text: str | None) -> str:
    """Return a setting as it is shown: plain words bare, everything else as JSON."""
    if text is None:
        return "(none)"
    bare = text[1:-1]
    plain = text.startswith('"') and "\\" not in bare and " " not in bare and bare.isprintable()
    return bare if plain and bare else text
