"""What a logout removes, and what it tells: only what is really gone.

Source: reference/atmos-auth.md 7.8, design 7.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from wrapper import files
from wrapper.auth import kinds, sessions
from wrapper.auth.lookup import follow
from wrapper.auth.model import Auth, Entry
from wrapper.typed import NamedTuple
from wrapper.world import World


class Removal(NamedTuple):
    """The files that hold something of an entry; `removed` once they are gone."""

    paths: tuple[str, ...]
    removed: bool


def rooted(auth: Auth, provider: str) -> list[str]:
    """Return the identities whose chain begins at a provider."""
    roots = {name: _root(auth, entry) for name, entry in auth.identities.items()}
    return [n for n, root in roots.items() if (root.role, root.name) == ("provider", provider)]


def entries(auth: Auth, chosen: Sequence[Entry], world: World, *, dry: bool) -> Removal:
    """Remove the sessions of these entries and every file that repeats them.

    Idempotent. Raises: StoreError.
    """
    realm = sessions.realm_dir(world.environ, auth.realm)
    titles = frozenset(entry.title for entry in chosen)
    paths = sessions.all_of(realm, titles) if titles else []
    paths += _pointers(realm, titles)
    paths += _copies(realm, {entry.name for entry in chosen})
    if not dry:
        for path in paths:
            files.remove(path)
    for entry in chosen:
        paths += _kept_elsewhere(entry, world, dry=dry)
    return Removal(tuple(dict.fromkeys(paths)), not dry)


def _pointers(realm: str, titles: frozenset[str]) -> list[str]:
    directory = os.path.join(realm, "users")
    return [
        path for path in _listed(directory) if (sessions.record(path) or {}).get("for") in titles
    ]


def _copies(realm: str, names: set[str]) -> list[str]:
    """Return the plain credentials files (`wrap.delivery: files`) that hold one of the names."""
    lower = {name.lower() for name in names}
    found = []
    for directory in _listed(os.path.join(realm, "aws")):
        path = os.path.join(directory, "credentials")
        data = files.read_private(path) or b""
        sections = {
            line[1:-1].lower()
            for line in data.decode("utf-8", "replace").splitlines()
            if line.startswith("[") and line.endswith("]")
        }
        if sections & lower:
            found.append(path)
    return found


def standing(auth: Auth, chosen: Sequence[Entry], world: World) -> list[Entry]:
    """Return the providers that are not chosen, but would let these identities sign in unasked."""
    import io

    quiet = world._replace(stderr=io.StringIO())
    found: dict[str, Entry] = {}
    for entry in chosen:
        root = _root(auth, entry)
        if root.role == "provider" and root not in chosen and root.name not in found:
            if _kept_elsewhere(root, quiet, dry=True):
                found[root.name] = root
    return list(found.values())


def _root(auth: Auth, entry: Entry) -> Entry:
    """Return the last entry that a chain has; that of a circle is any."""
    seen = [entry]
    while isinstance(step := follow(auth, seen[-1]), Entry) and step not in seen:
        seen.append(step)
    return seen[-1]


def _kept_elsewhere(entry: Entry, world: World, *, dry: bool) -> list[str]:
    if entry.kind not in kinds.KINDS:
        return []
    module = kinds.module(entry)
    return list(module.forget(module.parse(entry.name, entry.raw), world, dry=dry))


def _listed(directory: str) -> list[str]:
    try:
        return [os.path.join(directory, name) for name in sorted(os.listdir(directory))]
    except (FileNotFoundError, NotADirectoryError):
        return []


def realms(world: World) -> list[str]:
    """Return the names of all realms that have anything on disk, sorted."""
    base = os.path.dirname(sessions.realm_dir(world.environ, "x"))
    return [os.path.basename(path) for path in _listed(base) if os.path.isdir(path)]


def sign_ins(world: World) -> int:
    """Return how many sign-ins by browser are kept; they are of a portal or provider, not a realm."""
    state = os.path.dirname(os.path.dirname(sessions.realm_dir(world.environ, "x")))
    paths = [path for name in ("sso", "saml") for path in _listed(os.path.join(state, name))]
    # What else lies there, such as lists and locks, has other names.
    names = [os.path.basename(path).removeprefix("signin-") for path in paths]
    return sum(len(name) == len(".json") + 64 and name.endswith(".json") for name in names)


def realm(name: str, world: World) -> None:
    """Remove a realm's directory with everything in it. Raises: StoreError."""
    import shutil

    from wrapper.errors import StoreError

    path = sessions.realm_dir(world.environ, name)
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"cannot remove {path}: {error.strerror or error}") from error
