"""The keyring of the desktop or the operating system, through `keyring`.

A call ends by a deadline: a question that nobody answers must not stop a program for ever.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from wrapper import ui
from wrapper.errors import StoreError
from wrapper.world import World

SERVICE = "atmos-wrap"
# Seconds for one call; where somebody sits, they may have to type the keyring's password.
DEADLINE = 10.0
DEADLINE_AT_A_TERMINAL = 120.0
TIMEOUT = "ATMOS_WRAP_KEYRING_TIMEOUT"
_ELSEWHERE = "to keep keys without it: ATMOS_KEYRING_TYPE=file"

T = TypeVar("T")


class SystemKeyring:
    """Secret Service, macOS Keychain, Windows: what `keyring` finds here."""

    title = "system keyring"

    def __init__(self, world: World) -> None:
        self.world = world

    def read(self, name: str) -> str | None:
        """Return a text, None when there is none or no keyring. Raises: StoreError."""

        def ask(keyring: Any) -> str | None:
            found = keyring.get_password(SERVICE, name)
            return None if found is None else str(found)

        return self._asked(ask, None)

    def write(self, name: str, text: str) -> None:
        """Keep a text. Raises: StoreError."""
        self._asked(lambda keyring: keyring.set_password(SERVICE, name, text))

    def remove(self, name: str) -> bool:
        """Remove a text; say whether there was one. Raises: StoreError."""
        if self._held(name) is None:
            return False
        self._asked(lambda keyring: keyring.delete_password(SERVICE, name))
        return True

    def _held(self, name: str) -> object:
        """Return something if there is an entry, however damaged."""

        def ask(keyring: Any) -> object:
            try:
                return keyring.get_password(SERVICE, name)
            except UnicodeDecodeError:
                return name

        return self._asked(ask, None)

    def _asked(self, ask: Callable[[Any], T], *absent: T) -> T:
        """Return the answer; `absent` where there is no keyring at all. Raises: StoreError."""
        from keyring.errors import KeyringError, KeyringLocked, NoKeyringError

        world = self.world
        seconds = _deadline(world)

        def whole() -> T:
            import keyring

            _unlocked(keyring.get_keyring(), world, seconds)
            return ask(keyring)

        try:
            return _within(seconds, whole)
        except NoKeyringError as error:
            if absent:
                return absent[0]
            raise StoreError(
                "there is no system keyring here",
                hint="set `auth.keyring.type: file`, or ATMOS_KEYRING_TYPE=file",
            ) from error
        except KeyringLocked as error:
            raise _locked() from error
        except TimeoutError as error:
            raise StoreError(
                f"the system keyring gave no answer within {seconds:g} seconds",
                hint=["look for a question of it on the desktop", _ELSEWHERE],
            ) from error
        except UnicodeDecodeError as error:
            raise StoreError(
                "the entry in the system keyring is damaged: it is no text",
                hint="store the keys again: atmos-wrap auth user configure",
            ) from error
        except StoreError:
            raise
        except KeyringError as error:
            raise StoreError(f"the system keyring refuses: {type(error).__name__}") from error
        except Exception as error:
            # Back ends let errors of their own through (D-Bus, the C API of macOS).
            raise StoreError(f"the system keyring fails: {type(error).__name__}") from error


def _locked() -> StoreError:
    return StoreError(
        "the system keyring is locked",
        hint=[
            "unlock it in the desktop session, or run this there at a terminal: it asks then",
            _ELSEWHERE,
        ],
    )


def _deadline(world: World) -> float:
    try:
        wanted = float(world.environ.get(TIMEOUT) or 0)
    except ValueError:
        wanted = 0
    if 0 < wanted < 86_400:
        return wanted
    return DEADLINE_AT_A_TERMINAL if world.can_ask else DEADLINE


def _within(seconds: float, ask: Callable[[], T]) -> T:
    """Return what a call returns. Raises: TimeoutError, and what the call raises.

    The thread of a late call is left behind; it ends with the process.
    """
    import threading

    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(ask())
        except BaseException as error:  # noqa: BLE001 - raised by the caller, below
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not done:
        raise TimeoutError
    return done[0]


def _unlocked(backend: Any, world: World, seconds: float) -> None:
    """Let the Secret Service ask for its password, if it is locked and somebody is there.

    `keyring` would put that question in any case. Raises: StoreError.
    """
    used = getattr(backend, "backends", None) or [backend]
    if not any(type(each).__module__.endswith(".SecretService") for each in used):
        _reached(used, os.environ)
        return
    from contextlib import closing

    import secretstorage
    from secretstorage.exceptions import ItemNotFoundException

    with closing(secretstorage.dbus_init()) as bus:
        try:
            collection = secretstorage.get_collection_by_alias(bus, "default")
        except ItemNotFoundException:
            if world.can_ask:
                return
            raise StoreError(
                "the system keyring has no collection yet, and making one asks for a password",
                hint=["run this at a terminal of the desktop", _ELSEWHERE],
            ) from None
        if not collection.is_locked():
            return
        if not world.can_ask:
            raise _locked()
        ui.note(world, "the system keyring is locked: waiting for its password")
        if collection.unlock(timeout=seconds) or collection.is_locked():
            raise _locked()


def _reached(used: Any, environ: Mapping[str, str]) -> None:
    """Tell a session bus that is named but dead from a machine without a keyring.

    Raises: StoreError for the first: keys may be behind it.
    """
    from keyring.backends import fail

    named = environ.get("DBUS_SESSION_BUS_ADDRESS")
    if not named or not all(isinstance(each, fail.Keyring) for each in used):
        return
    try:
        import secretstorage
    except ImportError:  # not Linux
        return
    from contextlib import closing

    try:
        with closing(secretstorage.dbus_init()):
            return
    except (secretstorage.exceptions.SecretStorageException, OSError) as error:
        raise StoreError(
            "the session bus that DBUS_SESSION_BUS_ADDRESS names cannot be reached,"
            " and with it the system keyring",
            hint=[
                "the shell is older than the desktop session? start a new one",
                "where there is no keyring: env -u DBUS_SESSION_BUS_ADDRESS …",
            ],
        ) from error
