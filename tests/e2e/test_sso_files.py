"""The files of a portal, damaged one by one: not trusted, replaced, and nothing hangs."""

from __future__ import annotations

import json
import os
import stat
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.e2e.test_killed import CONFIG, RUN
from tests.fakes.portal import Portal


def _text(content: bytes) -> Callable[[Path], None]:
    return lambda file: file.write_bytes(content) and None


def _truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:37])


def _another_schema(file: Path) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), "version": 99}))


def _link(file: Path) -> None:
    file.rename(file.with_suffix(".real"))
    file.symlink_to(file.with_suffix(".real"))


def _pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)


def _foreign(file: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    os.chown(file, 65534, 65534)


DAMAGE: dict[str, Callable[[Path], None]] = {
    "truncated": _truncated,
    "empty": _text(b""),
    "binary": _text(b"\xff\x00" * 99),
    "huge": _text(b" " * (10 << 20)),
    "a list": _text(b"[1]"),
    "another schema": _another_schema,
    "world-readable": lambda file: file.chmod(0o644),
    "a link": _link,
    "a pipe": _pipe,
    "another's": _foreign,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_token_that_cannot_be_trusted_is_got_anew(
    cli: Cli, sso_portal: Portal, state: Path, damage: str
) -> None:
    (cli.cwd / "atmos.yaml").write_text(CONFIG)
    cli.environment |= {
        "AWS_ENDPOINT_URL": sso_portal.endpoint,
        "ATMOS_FORCE_TTY": "true",
        "CI": "true",
    }
    assert cli(*RUN).exit == 0
    for file in state.glob("realms/*/sessions/*.json"):
        file.unlink()
    (token,) = (state / "sso").glob("*.json")
    DAMAGE[damage](token)
    done = cli(*RUN, timeout=60)
    assert (done.exit, "Traceback" in done.stderr) == (0, False)
    assert Counter(sso_portal.actions())["StartDeviceAuthorization"] == 2
    assert stat.S_ISREG(token.lstat().st_mode)
    assert stat.S_IMODE(token.lstat().st_mode) == 0o600
    assert token.lstat().st_uid == os.geteuid()
