from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from wrapper.auth import sessions
from wrapper.auth.model import Credential

NOW = 1_800_000_000.0
FIELDS = {"access_key_id": "A", "secret_access_key": "B", "session_token": "C"}


def credential(left: float | None, life: float = 3600.0) -> Credential:
    expires = None if left is None else NOW + left
    issued = NOW if left is None else NOW + left - life
    return Credential("aws", FIELDS, expires, "arn", "us-east-1", issued)


def test_a_stored_credential_comes_back_whole(tmp_path: Path) -> None:
    sessions.store(str(tmp_path), "ab", 'identity "x"', credential(60))
    assert sessions.load(str(tmp_path), "ab") == credential(60)


@pytest.mark.parametrize(
    ("left", "life", "usable"),
    [
        (None, 3600, True),
        (901, 3600, True),
        (899, 3600, False),
        (400, 900, True),  # a quarter of a short life is enough
        (200, 900, False),
        (-1, 3600, False),
        (7200, 3600, False),  # issued in the future: the clock was set back
    ],
)
def test_a_session_is_used_while_it_lives_long_enough(
    left: float | None, life: float, usable: bool
) -> None:
    assert sessions.good(credential(left, life), NOW) is usable


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20])


def _readable_by_others(path: Path) -> None:
    path.chmod(0o644)


def _link(path: Path) -> None:
    target = path.with_suffix(".elsewhere")
    path.rename(target)
    path.symlink_to(target)


def _other_version(path: Path) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 99}))


def _no_fields(path: Path) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), "fields": "text"}))


@pytest.mark.parametrize("spoil", [_torn, _readable_by_others, _link, _other_version, _no_fields])
def test_a_file_that_cannot_be_trusted_is_ignored_and_replaced(
    tmp_path: Path, spoil: object
) -> None:
    sessions.store(str(tmp_path), "ab", 'identity "x"', credential(60))
    path = Path(sessions.path(str(tmp_path), "ab"))
    spoil(path)  # type: ignore[operator]
    assert sessions.load(str(tmp_path), "ab") is None
    sessions.store(str(tmp_path), "ab", 'identity "x"', credential(90))
    assert sessions.load(str(tmp_path), "ab") == credential(90)
    assert (path.is_symlink(), os.stat(path).st_mode & 0o777) == (False, 0o600)
