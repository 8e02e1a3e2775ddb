"""What every keyring of the registry must keep to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.fakes import secret_service
from wrapper import world as outside
from wrapper.auth import keyring
from wrapper.auth.keyring import Keyring, Keys, Settings
from wrapper.world import World

KEYS = Keys("AKID", "a secret/+x", "arn:aws:iam::1:mfa/me", "8h")
NEWER = Keys("AKID2", "Ω≠ASCII\n\t\x7f", "", "")
ODD = [
    "prod/admin",
    "prod admin",
    " ",
    "../../etc/passwd",
    "Größe-机密-🔑",
    'a"],["b',
    "a:b@c",
    "-",
    "x" * 500,
    "e\u0301",
]


@contextmanager
def _file(tmp_path: Path, patch: pytest.MonkeyPatch) -> Iterator[Settings]:
    yield Settings("file", str(tmp_path / "keyring"))


@contextmanager
def _memory(tmp_path: Path, patch: pytest.MonkeyPatch) -> Iterator[Settings]:
    yield Settings("memory")


@contextmanager
def _system(tmp_path: Path, patch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A real gnome-keyring. `keyring` chooses once in a process, maybe before there was a bus."""
    import keyring as library
    from keyring.backends import SecretService

    before = library.get_keyring()
    with secret_service.running() as service, patch.context() as inside:
        for name, value in service.environment.items():
            inside.setenv(name, value)
        library.set_keyring(SecretService.Keyring())  # type: ignore[no-untyped-call]
        try:
            yield Settings("system")
        finally:
            library.set_keyring(before)


Row = Callable[[Path, pytest.MonkeyPatch], AbstractContextManager[Settings]]
ROWS: dict[str, Row] = {"system": _system, "file": _file, "memory": _memory}


@pytest.fixture(params=keyring.TYPES)
def store(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    home: Path,
    tool: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Keyring]:
    """Each keyring, empty and open."""
    if request.param == "system":
        for program in ("dbus-daemon", "gnome-keyring-daemon"):
            tool(program)
    world = _world(home)
    with ROWS[request.param](tmp_path, monkeypatch) as settings:
        yield keyring.opened(settings, world)


def _world(home: Path) -> World:
    environ = {"HOME": str(home), "ATMOS_KEYRING_PASSWORD": "correct horse"}
    return outside.real()._replace(environ=environ, stdin_tty=False)


def test_every_registered_keyring_has_a_row() -> None:
    assert tuple(ROWS) == keyring.TYPES


def test_each_type_is_a_keyring_of_its_own(home: Path) -> None:
    world = _world(home)
    titles = [keyring.opened(Settings(each), world).title for each in keyring.TYPES]
    assert titles == [f"{each} keyring" for each in keyring.TYPES]


def test_an_absent_entry_is_none_and_removing_it_says_so(store: Keyring) -> None:
    assert keyring.keys_of(store, "lab", "nobody") is None
    assert store.read("nothing at all") is None
    assert store.remove(keyring.entry("lab", "nobody")) is False


def test_what_is_stored_is_read_back_replaced_and_removed(store: Keyring) -> None:
    keyring.keep(store, "lab", "me", KEYS)
    assert keyring.keys_of(store, "lab", "me") == KEYS
    keyring.keep(store, "lab", "me", NEWER)
    assert keyring.keys_of(store, "lab", "me") == NEWER
    assert store.remove(keyring.entry("lab", "me")) is True
    assert keyring.keys_of(store, "lab", "me") is None
    assert store.remove(keyring.entry("lab", "me")) is False


def test_odd_names_are_names_like_others_and_never_each_other(store: Keyring) -> None:
    for number, name in enumerate(ODD):
        keyring.keep(store, "lab", name, KEYS._replace(access_key_id=f"AKID{number}"))
    found = [keyring.keys_of(store, "lab", name) for name in ODD]
    assert [keys and keys.access_key_id for keys in found] == [
        f"AKID{number}" for number in range(len(ODD))
    ]
    assert keyring.keys_of(store, "lab", "\u00e9") is None  # composed: another name
    assert store.remove(keyring.entry("lab", ODD[0])) is True
    assert keyring.keys_of(store, "lab", ODD[0]) is None
    assert keyring.keys_of(store, "lab", ODD[1]) is not None
    for name in ODD[1:]:
        assert store.remove(keyring.entry("lab", name)) is True


def test_another_realm_sees_nothing(store: Keyring) -> None:
    keyring.keep(store, "lab", "me", KEYS)
    others = [("prod", "me"), ("", "lab:me"), ("lab", "Me"), ('lab","me', ""), ("la", "bme")]
    assert [keyring.keys_of(store, *each) for each in others] == [None] * len(others)
    assert [store.remove(keyring.entry(*each)) for each in others] == [False] * len(others)
    assert keyring.keys_of(store, "lab", "me") == KEYS
    assert store.remove(keyring.entry("lab", "me")) is True


def test_no_keyring_shows_what_it_keeps(store: Keyring) -> None:
    keyring.keep(store, "lab", "me", KEYS)
    shown = repr(store) + repr(keyring.keys_of(store, "lab", "me"))
    assert (KEYS.secret_access_key in shown, KEYS.access_key_id in shown) == (False, False)
    assert store.remove(keyring.entry("lab", "me")) is True
