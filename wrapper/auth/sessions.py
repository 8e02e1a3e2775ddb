"""Short-lived credentials on disk: one private file per link of a chain.

On the path of `credential-process`: imports nothing heavy.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence

from wrapper import files
from wrapper.auth.model import Credential
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TypeGuard

VERSION = 1
# A session is used again while it lives longer than this, or than a quarter of its whole life.
BUFFER = 15 * 60.0
# A stored session from the future means that the clock was set back: its expiry means nothing.
SKEW = 5 * 60.0
# How long those who were started before a sign-in failed take its answer for theirs: a busy machine
# lets the last of many parallel runs come late.
REMEMBER_FAILURE = 120.0
_KEYS = ("access_key_id", "secret_access_key")
_REALMS = "realms"
_YEAR_9999 = 253_402_300_800


def realm_dir(environ: Mapping[str, str], realm: str) -> str:
    """Return the directory of a realm, absolute (design 7)."""
    return os.path.join(os.path.abspath(files.state_dir(environ)), _REALMS, realm)


def check(realm: str) -> None:
    """Refuse to work where somebody else could change what signs. Raises: StoreError."""
    realms = os.path.dirname(realm)
    state = os.path.dirname(realms)
    if os.path.basename(realms) != _REALMS:  # of a program that was given another path
        return
    above = (state, *(os.path.join(state, name) for name in (_REALMS, "sso", "saml")))
    below = (realm, *(os.path.join(realm, name) for name in ("sessions", "users", "aws")))
    files.check_own((*above, *below))


def path(realm: str, key: str) -> str:
    """Return the file of one session below a realm's directory."""
    return os.path.join(realm, "sessions", f"{key}.json")


def load(realm: str, key: str) -> Credential | None:
    """Return a stored credential; None when there is none that can be trusted and read."""
    found = record(path(realm, key))
    if found is None:
        return None
    fields, expires, issued = (found.get(name) for name in ("fields", "expires", "issued"))
    texts = [found.get(name) for name in ("cloud", "principal", "region")]
    if not isinstance(fields, dict) or not all(isinstance(v, str) for v in fields.values()):
        return None
    if not all(isinstance(text, str) for text in texts):
        return None
    if not _is_time(issued) or not (expires is None or _is_time(expires)):
        return None
    cloud, principal, region = map(str, texts)
    if cloud == "aws" and not all(fields.get(name) for name in _KEYS):
        return None
    return Credential(cloud, fields, expires, principal, region, issued)


def _is_time(value: Any) -> TypeGuard[float]:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 <= value < _YEAR_9999


def record(file: str) -> dict[str, Any] | None:
    """Return one file of ours as a map; None when it is foreign, torn or of another version."""
    data = files.read_private(file)
    if data is None:
        return None
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and found.get("version") == VERSION else None


def store(realm: str, key: str, title: str, credential: Credential) -> None:
    """Write one credential; `title` says whose it is. Raises: StoreError."""
    found = {
        "version": VERSION,
        "for": title,
        "cloud": credential.cloud,
        "fields": dict(credential.fields),
        "expires": credential.expires,
        "issued": credential.issued,
        "principal": credential.principal,
        "region": credential.region,
    }
    files.make_private_dir(os.path.dirname(path(realm, key)))
    files.write_atomic(path(realm, key), json.dumps(found).encode())


def good(credential: Credential | None, now: float) -> bool:
    """Say whether a session can still be handed out."""
    if credential is None or credential.issued > now + SKEW:
        return False
    if credential.expires is None:
        return True
    life = max(credential.expires - credential.issued, 0.0)
    return credential.expires - now > min(BUFFER, life / 4)


def all_of(realm: str, titles: frozenset[str]) -> list[str]:
    """Return the session files that belong to these entries, sorted; `titles` empty means all."""
    directory = os.path.join(realm, "sessions")
    try:
        names = sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = []
    for name in names:
        file = os.path.join(directory, name)
        if not name.endswith(".json"):
            continue
        if not titles or (record(file) or {}).get("for") in titles:
            found.append(file)
    return found


def remember_failure(file: str, message: str, hints: Sequence[str], now: float) -> None:
    """Note that a sign-in failed, for those that wait for it. Raises: StoreError."""
    found = {"version": VERSION, "at": now, "message": message, "hints": list(hints)}
    files.write_atomic(file, json.dumps(found).encode())


def remembered_failure(file: str, started: float, now: float) -> tuple[str, list[str]] | None:
    """Return message and hints of a sign-in that failed since the caller's command was `started`.

    An older note is removed. Raises: StoreError.
    """
    if not os.path.lexists(file):
        return None
    found = record(file) or {}
    at = found.get("at")
    if isinstance(at, int | float) and started < at <= now <= at + REMEMBER_FAILURE:
        return str(found.get("message")), [str(hint) for hint in found.get("hints", ())]
    files.remove(file)
    return None
