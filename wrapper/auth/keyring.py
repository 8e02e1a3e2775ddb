"""Where long-lived keys are kept: the system's keyring, an encrypted file, or this process.

Source: reference/atmos-auth.md 5.8, 4.4.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping

from wrapper import files, sha256
from wrapper.errors import ConfigError, NeedsLogin, StoreError
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple
from wrapper.world import World

if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object

VERSION = 1
TYPES = ("system", "file", "memory")
SHORTEST_PASSWORD = 8
# scrypt: about 60 ms and 32 MiB for each guess.
_COST = {"n": 1 << 15, "r": 8, "p": 1, "maxmem": 64 << 20}
_memory: dict[str, str] = {}


class Settings(NamedTuple):
    """Which keyring, and where; `password` names the variable that opens a file."""

    type: str = "system"
    path: str = ""
    password: str = "ATMOS_KEYRING_PASSWORD"


class Keyring(Protocol):
    """A store of small secret texts by name."""

    title: str

    def read(self, name: str) -> str | None:
        """Return a text, None when there is none. Raises: StoreError, NeedsLogin."""

    def write(self, name: str, text: str) -> None:
        """Keep a text. Raises: StoreError, NeedsLogin."""

    def remove(self, name: str) -> bool:
        """Remove a text; say whether there was one. Raises: StoreError."""


class Keys(NamedTuple):
    """An IAM user's long-lived keys, with what is asked for a session."""

    access_key_id: str
    secret_access_key: str
    mfa_arn: str = ""
    duration: str = ""

    def __repr__(self) -> str:
        return "Keys()"


def settings(section: Mapping[str, Any], world: World) -> Settings:
    """Return the keyring of a configuration. Source: reference/atmos-auth.md 5.8."""
    given = section.get("keyring")
    given = given if isinstance(given, Mapping) else {}
    spec = given.get("spec")
    spec = spec if isinstance(spec, Mapping) else {}
    environ = world.environ
    wanted = str(environ.get("ATMOS_KEYRING_TYPE") or given.get("type") or "system").lower()
    path = str(environ.get("ATMOS_KEYRING_FILE_PATH") or spec.get("path") or "")
    if path.startswith("~/"):
        path = os.path.join(world.home, path[2:])
    if path and os.path.splitext(path)[1]:
        path = os.path.dirname(path)
    if not path:
        path = os.path.join(os.path.abspath(files.state_dir(environ)), "keyring")
    password = environ.get("ATMOS_KEYRING_PASSWORD_ENV") or spec.get("password_env")
    return Settings(
        wanted if wanted in TYPES else "system",
        os.path.join(world.cwd, path),
        str(password or Settings().password),
    )


def opened(given: Settings, world: World) -> Keyring:
    """Return the keyring that the settings name; nothing is read yet."""
    if given.type == "memory":
        return _Memory()
    if given.type == "file":
        return _File(given, world)
    from wrapper.auth.system_keyring import SystemKeyring

    return SystemKeyring(world)


def keys_of(store: Keyring, realm: str, name: str) -> Keys | None:
    """Return an identity's keys, None when none are kept.

    Raises: StoreError when the entry is damaged or the keyring refuses, NeedsLogin for a password.
    """
    text = store.read(entry(realm, name))
    if text is None:
        return None
    fault = f'the entry of identity "{name}" in the {store.title} is damaged'
    hint = f"store the keys again: atmos-wrap auth user configure -i {name}"
    try:
        found = json.loads(text)
        keys = Keys(*(_text(found.get(field)) for field in Keys._fields))
    except (ValueError, AttributeError, RecursionError) as error:
        raise StoreError(fault, hint=hint) from error
    missing = [field for field in Keys._fields[:2] if not getattr(keys, field)]
    if missing or found.get("version") != VERSION:
        raise StoreError(f"{fault}: {', '.join(missing) or 'another version'}", hint=hint)
    return keys


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def keep(store: Keyring, realm: str, name: str, keys: Keys) -> None:
    """Keep an identity's keys. Raises: StoreError, NeedsLogin."""
    store.write(entry(realm, name), json.dumps({"version": VERSION, **keys._asdict()}))


def entry(realm: str, name: str) -> str:
    """Return the name of an entry: nothing is joined with a separator that names may hold."""
    return json.dumps([realm, name], separators=(",", ":"), ensure_ascii=False)


class _Memory:
    title = "memory keyring"

    def read(self, name: str) -> str | None:
        return _memory.get(name)

    def write(self, name: str, text: str) -> None:
        _memory[name] = text

    def remove(self, name: str) -> bool:
        return _memory.pop(name, None) is not None


class _File:
    """One file for each entry: scrypt makes the key, AES-GCM the rest; the name is authenticated."""

    title = "file keyring"

    def __init__(self, given: Settings, world: World) -> None:
        self.settings = given
        self.world = world

    def _path(self, name: str) -> str:
        digest = sha256.hexdigest(name.encode())
        return os.path.join(self.settings.path, f"{digest}.json")

    def read(self, name: str) -> str | None:
        path = self._path(name)
        files.check_own((self.settings.path,))
        if not os.path.lexists(path):
            return None
        data = files.read_private(path)
        if data is None:
            raise StoreError(
                f"{path} is not trusted: it must be a plain file of yours that nobody else can read,"
                " of at most 1 MiB",
                hint=[f"chmod 600 {path}", "or remove it and store the keys again"],
            )
        try:
            found = json.loads(data)
            salt, nonce, sealed = (
                base64.b64decode(found[field], validate=True)
                for field in ("salt", "nonce", "sealed")
            )
            if found["version"] != VERSION:
                raise ValueError
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise StoreError(
                f"{path} is damaged", hint="remove it and store the keys again"
            ) from error
        return self._unsealed(path, name, salt, nonce, sealed)

    def _unsealed(self, path: str, name: str, salt: bytes, nonce: bytes, sealed: bytes) -> str:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            return AESGCM(self._key(salt)).decrypt(nonce, sealed, name.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise StoreError(
                f"{path} cannot be opened: the password is wrong, or the file is damaged",
                hint=f"see {self.settings.password}",
            ) from error

    def write(self, name: str, text: str) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        salt, nonce = os.urandom(16), os.urandom(12)
        sealed = AESGCM(self._key(salt)).encrypt(nonce, text.encode(), name.encode())
        found = {
            "version": VERSION,
            **{
                field: base64.b64encode(value).decode()
                for field, value in (("salt", salt), ("nonce", nonce), ("sealed", sealed))
            },
        }
        files.make_private_dir(self.settings.path)
        files.check_own((self.settings.path,))
        files.write_atomic(self._path(name), json.dumps(found).encode())

    def remove(self, name: str) -> bool:
        return files.remove(self._path(name))

    def _key(self, salt: bytes) -> bytes:
        import hashlib

        return hashlib.scrypt(self._password().encode(), salt=salt, dklen=32, **_COST)

    def _password(self) -> str:
        variable = self.settings.password
        password = self.world.environ.get(variable, "")
        if not password and self.world.can_ask:
            import getpass

            password = getpass.getpass("password of the file keyring: ")
        if not password:
            raise NeedsLogin(
                f"the file keyring needs its password, and {variable} is not set",
                hint=f"set {variable}, or sign in at a terminal",
            )
        if len(password) < SHORTEST_PASSWORD:
            raise ConfigError(
                f"the password in {variable} is too short: at least {SHORTEST_PASSWORD} characters"
            )
        return password
