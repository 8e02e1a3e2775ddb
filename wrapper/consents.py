"""What the user said of directories, as it is kept in STATE."""

from __future__ import annotations

import json
import os

from wrapper import files, owners, sha256
from wrapper.errors import StoreError
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.world import World

FORMAT = 1
LIMIT = 1 << 24


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


def directory(world: World) -> str:
    """Return the directory of all consents."""
    return os.path.join(os.path.abspath(files.state_dir(world.environ)), "trust")


def store_of(world: World, root: str) -> str:
    """Return the file for a directory, the same for all spellings that a disk may take for one."""
    name = sha256.hexdigest(os.fsencode(owners.folded(root)))
    return os.path.join(directory(world), f"{name}.json")


def meaning(store: str, mark: str) -> str:
    """Return the file that says what an allowed content meant."""
    return f"{store.removesuffix('.json')}.{mark}.meaning"


def marks(store: str) -> str:
    """Return the file of the digests of stacks, beside that of a directory."""
    return f"{store.removesuffix('.json')}.stacks"


def read_map(path: str) -> dict[str, Any]:
    """Return a map of ours; an empty one where it cannot be read or is torn."""
    try:
        found = json.loads(files.read_private(path, LIMIT) or b"{}")
    except (ValueError, RecursionError, StoreError):
        return {}
    return found if isinstance(found, dict) else {}


def stores(world: World) -> list[str]:
    """Return the files of all directories."""
    try:
        names = sorted(os.listdir(directory(world)))
    except OSError:
        return []
    return [os.path.join(directory(world), name) for name in names if name.endswith(".json")]


def records(store: str) -> list[Consent]:
    """Return what a file holds; nothing when it or its directory is not ours alone."""
    directory = os.path.dirname(store)
    try:
        status = os.lstat(directory)
    except OSError:
        return []
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise StoreError(f"{directory} can be written by others: consents do not count")
    try:
        data = json.loads(files.read_private(store, LIMIT) or b"[]")
        return [
            Consent(one[0], one[1], one[2], one[3], tuple(one[4]), tuple(one[5]))
            for one in data[1:]
            if data[0] == FORMAT
        ]
    except (ValueError, LookupError, TypeError, RecursionError):
        return []


def find(records: list[Consent], root: str) -> Consent | None:
    """Return what was said of a directory, also under another spelling of the same name."""
    for one in records:
        if one.root == root:
            return one
    for one in records:
        if owners.folded(one.root) == owners.folded(root) and here(one._replace(root=root)):
            return one
    return None


def here(known: Consent) -> bool:
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


def made(root: str, state: str, world: World, accepted: tuple[str, ...]) -> Consent:
    """Return a consent to a directory as it is now. Raises: StoreError."""
    try:
        status, system = os.stat(root), os.statvfs(root).f_fsid
    except OSError as error:
        raise StoreError(f"cannot look at {root}: {error.strerror or error}") from error
    place = (status.st_dev, status.st_ino, system)
    return Consent(root, state, world.now(), status.st_uid, place, accepted)


def put(store: str, records: list[Consent], old: Consent | None, new: Consent | None) -> None:
    """Write the records of a file, one of them changed. Raises: StoreError."""
    kept = [one for one in records if one is not old] + ([new] if new is not None else [])
    if kept:
        files.write_atomic(store, json.dumps([FORMAT, *kept]).encode())
    else:
        files.remove(store)


def forget(store: str, digests: set[str], *, stacks: bool = False) -> None:
    """Remove what contents meant, and with `stacks` what was said of stacks. Raises: StoreError."""
    for mark in digests:
        files.remove(meaning(store, mark))
    if stacks:
        files.remove(marks(store))
        files.remove(f"{marks(store)}.meaning")


def changing(world: World) -> Any:
    """Hold the store for a change. Raises: StoreError when it is in somebody else's home."""
    top = directory(world)
    there = top
    while not os.path.lexists(there):
        there = os.path.dirname(there)
    if os.stat(there).st_uid != os.geteuid() and not os.path.ismount(there):
        raise StoreError(
            f"{there} belongs to {owners.user(os.stat(there).st_uid)}: nothing is written there",
            hint="with sudo, use `sudo -H`; else point XDG_STATE_HOME to a directory of yours",
        )
    return files.lock(os.path.join(top, "lock"), "consent")
