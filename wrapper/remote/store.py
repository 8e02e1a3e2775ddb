"""The cache of what is imported from the net: fetched after consent, kept in a cache, followed as it moves.

docs/explanation/remote-imports.md says what is asked when, and what is kept how long.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping

from wrapper import files
from wrapper.errors import ConfigError, Location, StoreError
from wrapper.remote import consent
from wrapper.remote.address import Address, parse
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.world import World

__all__ = [
    "Address", "NotFetched", "Tree", "config_files", "expire", "inside", "origin", "parse", "root_of",
    "tree", "ttl",
]  # fmt: skip

# Seconds for which what moves is not looked at again; after a failure, is not tried again.
TTL, PAUSE = 600.0, 60.0
_FORMAT = 1
# The first changes only with what was fetched: the index watches it.
_STATE, _TIMES = "state.json", "times.json"


# After what pause the next attempt follows one that failed, and why it did; None: none follows.
Again = Callable[[int, str], "float | None"]


class NotFetched(ConfigError):
    """Something on the net is not here, and nobody allowed to get it; `address` says what."""

    def __init__(
        self, message: str, address: Address, at: Location | str | None, hint: list[str]
    ) -> None:
        super().__init__(message, at=at, hint=hint)
        self.address = address


class Tree(NamedTuple):
    """What was fetched: its directory, the file that changes whenever that does, its content.

    `revision` is a commit, or the SHA-256 of what was downloaded.
    """

    root: str
    state: str
    revision: str


class _State(NamedTuple):
    """What is known of one address; `checked` and `tried` in seconds since the epoch."""

    revision: str
    moves: bool
    checked: float
    tried: float = 0.0


def directory(world: World) -> str:
    """Return where everything fetched is kept."""
    return os.path.join(os.path.abspath(files.cache_dir(world.environ)), "remote")


def key(address: Address) -> str:
    """Return the name under which an address is kept: for one repository and version always one."""
    parts = [address.kind, address.source, address.url, address.ref, address.checksum]
    text = json.dumps([*parts, address.archive])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def tree(
    address: Address,
    world: World,
    *,
    at: Location | str | None = None,
    seconds: float | None = None,
    anew: bool = False,
    again: Again | None = None,
) -> Tree:
    """Return the files of an address, fetched if need be and if the user agreed.

    What can move is looked at again after `seconds` (default: ten minutes), with `anew` at once.
    `again` says of each attempt that failed (from 1) and why, after what pause the next follows.
    Without a net what is there is used, with a warning. `world.fetches` False uses only the cache.

    Raises: NotFetched, FetchError when it cannot be had, ConfigError when what was fixed changed.
    """
    place = os.path.join(directory(world), key(address))
    known = _load(place)
    if not consent.is_allowed(address, world):
        reason = consent.ignored(world)
        raise _not_fetched(address, at, "is not allowed to be fetched", reason)
    if known is not None and not anew:
        if not world.fetches or _is_fresh(known, world, TTL if seconds is None else seconds):
            return _tree(place, known)
    if not world.fetches:
        raise _not_fetched(address, at, "is not fetched yet")
    began = world.now()
    from wrapper import ui

    def waiting(who: str) -> None:
        ui.note(world, f"waiting for another run: {who}")

    with files.lock(f"{place}.lock", f"fetching {address.source}", waiting):
        known = _load(place)
        if known is not None and (
            known.checked >= began or (not anew and _is_fresh(known, world, 0.0))
        ):
            return _tree(place, known)
        return _tree(place, _renewed(address, known, place, world, at, again))


def _renewed(
    address: Address,
    known: _State | None,
    place: str,
    world: World,
    at: Location | str | None,
    again: Again | None,
) -> _State:
    """Return what an address holds now; what it held before when that cannot be told."""
    from wrapper import ui
    from wrapper.remote.git import FetchError

    try:
        found = _at_last(address, known, place, world, again)
    except FetchError as error:
        places = [*([at] if at is not None else []), *error.at]
        if known is None:
            hint = "check the address, the network and the credentials"
            raise FetchError(error.message, at=places, hint=hint) from error
        ui.warn(world, f"{error.message}: what was fetched before is used")
        found = known._replace(tried=world.now())
    if known is not None and known.revision != found.revision:
        ui.note(world, f"{address.shown} moved: {known.revision[:12]} → {found.revision[:12]}")
    _save(place, found, address)
    _sweep(place, {found.revision, known.revision if known is not None else ""}, world)
    return found


def _at_last(
    address: Address, known: _State | None, place: str, world: World, again: Again | None
) -> _State:
    """Ask as often as `again` says. Raises: FetchError, that of the last attempt."""
    import time
    from itertools import count

    from wrapper.remote.git import FetchError

    for attempt in count(1):
        try:
            return _fetched(address, known, place, world)
        except FetchError as error:
            pause = again(attempt, error.message) if again is not None else None
            if pause is None:
                raise
        time.sleep(pause)
    raise AssertionError


def _fetched(address: Address, known: _State | None, place: str, world: World) -> _State:
    """Ask for what an address holds, and get it unless it is here. Raises: FetchError, ConfigError."""
    from wrapper import ui
    from wrapper.remote import git, web

    now = world.now()
    version = git.resolve(address, world) if address.kind == "git" else None
    if version is not None and os.path.isdir(os.path.join(place, version.commit)):
        _compare(address, version.commit, version.moves, world)
        return _State(version.commit, version.moves, now)
    files.make_private_dir(place)
    temporary = os.path.join(place, f"{os.getpid()}.{int(now * 1000):x}.tmp")
    try:
        if known is None:
            ui.note(world, f"fetching {address.shown}")
        if address.kind == "git":
            revision = git.checkout(address, version, temporary, world)
            moves = version is not None and version.moves
        else:
            revision, moves = web.download(address, temporary, world), not address.checksum
        _compare(address, revision, moves, world)
        target = os.path.join(place, revision)
        if not os.path.isdir(target):
            os.rename(temporary, target)
        return _State(revision, moves, now)
    except OSError as error:
        raise StoreError(f"cannot keep what was fetched in {place}: {error.strerror}") from error
    finally:
        _remove(temporary)


def _compare(address: Address, revision: str, moves: bool, world: World) -> None:
    """Refuse another content where the address says that it stays. Raises: ConfigError."""
    if moves:
        return
    name = key(address)
    before = consent.seen(name, world)
    if before and before != revision:
        raise ConfigError(
            f"{address.shown} is not what it was: {before[:12]} → {revision[:12]}",
            hint=[
                "a tag that moves may be an attack: ask whoever moved it",
                f"to take what is there now: atmos-wrap fetch --forget {address.source}, then fetch",
            ],
        )
    if not before:
        consent.note_seen(name, address.source, revision, world)


def _not_fetched(
    address: Address, at: Location | str | None, why: str, reason: str = ""
) -> NotFetched:
    hints = [f"atmos-wrap fetch {address.source}", *([reason] if reason else [])]
    return NotFetched(f"{address.shown} {why}", address, at, hints)


def config_files(found: Tree, address: Address, at: str) -> list[str]:
    """Return the YAML files that an import of atmos.yaml means, lowest first.

    Raises: ConfigError when there is none, or one leads out of what was fetched.
    """
    path = inside(found, address.subdir)
    if os.path.isdir(path):
        names = [os.path.join(base, name) for base, _, some in os.walk(path) for name in some]
        paths = sorted(name for name in names if name.endswith((".yaml", ".yml")))
        if address.kind == "file" and not address.archive:
            paths = sorted(names)
    else:
        paths = [one for one in (path, f"{path}.yaml", f"{path}.yml") if os.path.isfile(one)][:1]
    if not paths:
        raise ConfigError(f"there is no YAML file at {address.shown}", at=at)
    return [inside(found, os.path.relpath(one, found.root)) for one in paths]


def inside(found: Tree, subdir: str) -> str:
    """Return the real path of something in a tree. Raises: ConfigError when a link leads out."""
    path = os.path.join(found.root, subdir) if subdir else found.root
    real, root = os.path.realpath(path), os.path.realpath(found.root)
    if real != root and not real.startswith(root + os.sep):
        raise ConfigError(f"{subdir} leads out of what was fetched", at=path)
    return path


def ttl(text: Any) -> float | None:
    """Return the seconds of a `ttl`: a Go duration, days, or daily, weekly, monthly; None without.

    Raises: ValueError. Source: reference/atmos-stacks.md 3.4.
    """
    from wrapper import durations

    if text is None or text == "":
        return None
    words = {"minute": 60.0, "hourly": 3600.0, "daily": 86400.0, "weekly": 604800.0}
    words |= {"monthly": 2592000.0, "yearly": 31536000.0}
    name = str(text).strip().lower()
    if name in words:
        return words[name]
    seconds = durations.parse_session(name)
    if seconds < 0:
        raise ValueError(f'"{text}" is not a duration such as 1h or 7d')
    return seconds


def origin(path: str) -> str:
    """Return what a file in the cache was fetched as, '' for any other file."""
    head, found, tail = path.partition("/atmos-wrap/remote/")
    if not found:
        return ""
    name, _, rest = tail.partition("/")
    data = _read(f"{head}{found}{name}")
    source = data.get("source")
    if not isinstance(source, str):
        return ""
    inner = rest.partition("/")[2]
    version = f"?ref={data['ref']}" if data.get("ref") else ""
    return f"{source}//{inner}{version}" if data.get("kind") == "git" else source


def root_of(path: str) -> str:
    """Return the tree that a file in the cache belongs to, '' for any other file."""
    head, found, tail = path.partition("/atmos-wrap/remote/")
    parts = tail.split("/")
    return f"{head}{found}{parts[0]}/{parts[1]}" if found and len(parts) > 2 else ""


def _is_fresh(known: _State, world: World, seconds: float) -> bool:
    now = world.now()
    if not known.moves or known.checked >= now - world.age():
        return True
    return now < max(known.checked + seconds, known.tried + PAUSE if known.tried else 0.0)


def _tree(place: str, known: _State) -> Tree:
    return Tree(os.path.join(place, known.revision), os.path.join(place, _STATE), known.revision)


def expire(world: World) -> None:
    """Let everything that can move be looked at again."""
    try:
        names = os.listdir(directory(world))
    except OSError:
        return
    for name in names:
        if not name.endswith(".lock"):
            files.remove(os.path.join(directory(world), name, _TIMES))


def _read(place: str, name: str = _STATE) -> Mapping[str, Any]:
    try:
        with open(os.path.join(place, name), "rb") as stream:
            data = json.loads(stream.read(1 << 16))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) and data.get("format") == _FORMAT else {}


def _load(place: str) -> _State | None:
    """Return what is kept of an address; None if that is nothing, or not whole."""
    data = {**_read(place, _TIMES), **_read(place)}
    try:
        revision, moves = str(data["revision"]), bool(data["moves"])
        checked, tried = data.get("checked", 0.0), data.get("tried", 0.0)
        found = _State(revision, moves, float(checked), float(tried))
    except (LookupError, TypeError, ValueError):
        return None
    plain = found.revision.isalnum() and os.path.isdir(os.path.join(place, found.revision))
    return found if plain else None


def _save(place: str, known: _State, address: Address) -> None:
    named = {"kind": address.kind, "source": address.source, "ref": address.ref}
    held = {"format": _FORMAT, **named, "revision": known.revision, "moves": known.moves}
    times = {"format": _FORMAT, "checked": known.checked, "tried": known.tried}
    files.write_atomic(os.path.join(place, _TIMES), json.dumps(times).encode())
    files.write_if_changed(os.path.join(place, _STATE), json.dumps(held).encode())


def _sweep(place: str, kept: set[str], world: World) -> None:
    """Remove versions that nobody needs any more, an hour after they came."""
    try:
        names = os.listdir(place)
    except OSError:
        return
    for name in names:
        path = os.path.join(place, name)
        try:
            old = os.lstat(path).st_mtime < world.now() - 3600
        except OSError:
            continue
        if old and name not in (_STATE, _TIMES) and name not in kept:
            _remove(path)


def _remove(path: str) -> None:
    import shutil

    if os.path.lexists(path):
        shutil.rmtree(path, ignore_errors=True)
