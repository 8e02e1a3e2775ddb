"""Where long-lived keys are kept: what every keyring does, and what a file refuses."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from wrapper.auth import keyring
from wrapper.auth.keyring import Keys, Settings
from wrapper.errors import ConfigError, NeedsLogin, StoreError
from wrapper.world import World

KEYS = Keys("AKID", "a secret/+x", "arn:aws:iam::1:mfa/me", "8h")


@pytest.fixture
def world(outside: World) -> World:
    return outside._replace(environ={**outside.environ, "ATMOS_KEYRING_PASSWORD": "correct horse"})


@pytest.fixture
def store(world: World, tmp_path: Path) -> keyring.Keyring:
    return keyring.opened(Settings("file", str(tmp_path / "keyring")), world)


def other(world: World, tmp_path: Path, **environ: str) -> keyring.Keyring:
    """Open the same file with another environment."""
    changed = {**world.environ, **environ}
    settings = Settings("file", str(tmp_path / "keyring"))
    return keyring.opened(settings, world._replace(environ=changed))


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_keys_are_kept_per_realm_and_identity_until_they_are_removed(
    world: World, tmp_path: Path, kind: str
) -> None:
    store = keyring.opened(Settings(kind, str(tmp_path / "keyring")), world)
    keyring.keep(store, "a", "b:c", KEYS)
    assert keyring.keys_of(store, "a", "b:c") == KEYS
    assert keyring.keys_of(store, "a:b", "c") is None
    assert store.remove(keyring.entry("a", "b:c"))
    assert not store.remove(keyring.entry("a", "b:c"))
    assert keyring.keys_of(store, "a", "b:c") is None


def test_a_file_is_private_and_shows_neither_keys_nor_names(
    store: keyring.Keyring, tmp_path: Path
) -> None:
    keyring.keep(store, "lab", "me", KEYS)
    (file,) = (tmp_path / "keyring").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.name + file.read_text()
    assert [word for word in ("AKID", "a secret/+x", "lab", '"me"') if word in text] == []


def test_a_wrong_password_says_so(store: keyring.Keyring, world: World, tmp_path: Path) -> None:
    keyring.keep(store, "lab", "me", KEYS)
    wrong = other(world, tmp_path, ATMOS_KEYRING_PASSWORD="another one")
    with pytest.raises(StoreError) as caught:
        keyring.keys_of(wrong, "lab", "me")
    assert "cannot be opened: the password is wrong, or the file is damaged" in (
        caught.value.message
    )


def test_a_missing_password_names_its_variable(
    store: keyring.Keyring, world: World, tmp_path: Path
) -> None:
    keyring.keep(store, "lab", "me", KEYS)
    with pytest.raises(NeedsLogin) as caught:
        keyring.keys_of(other(world, tmp_path, ATMOS_KEYRING_PASSWORD=""), "lab", "me")
    assert caught.value.message == (
        "the file keyring needs its password, and ATMOS_KEYRING_PASSWORD is not set"
    )


def test_a_short_password_is_refused(world: World, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        keyring.keep(other(world, tmp_path, ATMOS_KEYRING_PASSWORD="short"), "lab", "me", KEYS)


def test_without_an_entry_no_password_is_needed(world: World, tmp_path: Path) -> None:
    store = other(world, tmp_path, ATMOS_KEYRING_PASSWORD="")
    assert keyring.keys_of(store, "lab", "me") is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: "",
        lambda text: text[:-10],
        lambda _: "[]",
        lambda text: json.dumps({**json.loads(text), "version": 2}),
        lambda text: json.dumps({**json.loads(text), "sealed": "AAAA"}),
        lambda text: json.dumps({**json.loads(text), "nonce": "not base64!"}),
    ],
    ids=["empty", "torn", "list", "version", "cut", "nonce"],
)
def test_a_damaged_file_is_an_error_and_never_no_entry(
    store: keyring.Keyring, tmp_path: Path, damage: object
) -> None:
    keyring.keep(store, "lab", "me", KEYS)
    (file,) = (tmp_path / "keyring").iterdir()
    assert callable(damage)
    file.write_text(damage(file.read_text()))
    with pytest.raises(StoreError):
        keyring.keys_of(store, "lab", "me")


def test_an_entry_moved_to_another_name_cannot_be_opened(
    store: keyring.Keyring, tmp_path: Path
) -> None:
    keyring.keep(store, "lab", "me", KEYS)
    (mine,) = (tmp_path / "keyring").iterdir()
    keyring.keep(store, "lab", "you", KEYS)
    (yours,) = set((tmp_path / "keyring").iterdir()) - {mine}
    yours.write_bytes(mine.read_bytes())
    with pytest.raises(StoreError):
        keyring.keys_of(store, "lab", "you")


@pytest.mark.parametrize("change", [0o644, "link"])
def test_a_file_that_others_can_read_or_a_link_is_not_trusted(
    store: keyring.Keyring, tmp_path: Path, change: int | str
) -> None:
    keyring.keep(store, "lab", "me", KEYS)
    (file,) = (tmp_path / "keyring").iterdir()
    if isinstance(change, int):
        file.chmod(change)
    else:
        file.rename(tmp_path / "elsewhere")
        file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError):
        keyring.keys_of(store, "lab", "me")


def test_an_entry_without_its_fields_is_an_error(store: keyring.Keyring) -> None:
    store.write(keyring.entry("lab", "me"), json.dumps({"version": 1, "access_key_id": "A"}))
    with pytest.raises(StoreError) as caught:
        keyring.keys_of(store, "lab", "me")
    assert caught.value.message.endswith("is damaged: secret_access_key")


def test_the_environment_wins_over_the_configuration(world: World) -> None:
    section = {"keyring": {"type": "system", "spec": {"path": "~/k/file.db", "password_env": "P"}}}
    changed = world._replace(environ={**world.environ, "ATMOS_KEYRING_TYPE": "file"})
    home = world.environ["HOME"]
    assert keyring.settings(section, changed) == Settings("file", f"{home}/k", "P")
