"""The file keyring by the installed program: its password, and its file damaged one by one."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Cli
from tests.e2e.conftest import Terminal
from tests.e2e.ends import ended
from tests.fakes import aws
from tests.fakes.damage import DAMAGE

if TYPE_CHECKING:
    import pexpect

CONFIG = """\
base_path: .
auth:
  realm: vault
  keyring: {type: file}
  identities:
    glass: {kind: aws/user, default: true, credentials: {region: us-east-1}}
"""
RUN = ("exec", "-i", "glass", "--", "true")
SHOW = ("auth", "user", "show", "-i", "glass")
PASSWORD = "correct horse"
VARIABLE = "ATMOS_KEYRING_PASSWORD"
QUESTIONS = ("AWS access key ID: ", "AWS secret access key: ", "(empty: none): ", "(empty: 12h): ")
ASKED = "password of the file keyring: "


@pytest.fixture
def user(cli: Cli, fake_aws: aws.Fake, tmp_path: Path) -> aws.User:
    """A user, whose keys are nowhere yet; a browser that is opened leaves a file."""
    (cli.cwd / "atmos.yaml").write_text(CONFIG)
    script = tmp_path / "browser"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/opened\n")
    script.chmod(0o755)
    cli.environment |= {**fake_aws.environment(), VARIABLE: PASSWORD, "BROWSER": str(script)}
    return fake_aws.user("111111111111", "glass")


def _end(child: pexpect.spawn[str]) -> tuple[int, str]:
    ended(child)
    assert child.exitstatus is not None
    return child.exitstatus, (child.before or "").replace("\r\n", "\n")


def _configure(terminal: Terminal, user: aws.User, password: str = "") -> tuple[int, str]:
    """Type keys, and the password if it is not in the variable."""
    child = terminal(
        "auth", "user", "configure", "-i", "glass", "--no-verify", env=_given(password)
    )
    answers = (user.access_key_id, user.secret_access_key, "", "")
    for question, answer in zip(QUESTIONS, answers, strict=True):
        child.expect_exact(question)
        child.sendline(answer)
    if password:
        child.expect_exact(ASKED)
        child.sendline(password)
    return _end(child)


def _given(password: str) -> dict[str, str | None]:
    return {VARIABLE: None} if password else {}


@pytest.fixture
def file(state: Path, user: aws.User, terminal: Terminal) -> Path:
    """The file that `auth user configure` has made."""
    code, said = _configure(terminal, user)
    assert code == 0, said
    assert said.endswith('✓ Keys of identity "glass" are in the file keyring\n')
    (found,) = (state / "keyring").iterdir()
    return found


def test_the_password_of_the_variable_opens_what_it_sealed(
    cli: Cli, file: Path, user: aws.User, fake_aws: aws.Fake
) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    text = file.read_text() + file.name
    assert [each for each in (user.access_key_id, user.secret_access_key) if each in text] == []
    done = cli(*RUN)
    assert (done.exit, done.stderr) == (0, "")
    assert [call.signer for call in fake_aws.calls("GetSessionToken")] == [user.arn]


def test_a_program_never_gets_the_password(cli: Cli, file: Path) -> None:
    done = cli("exec", "-i", "glass", "--", "env")
    assert done.exit == 0
    assert (PASSWORD in done.stdout, VARIABLE in done.stdout) == (False, False)


def test_another_variable_holds_the_password_when_the_configuration_says_so(
    cli: Cli, file: Path
) -> None:
    renamed = CONFIG.replace("{type: file}", "{type: file, spec: {password_env: VAULT_WORD}}")
    (cli.cwd / "atmos.yaml").write_text(renamed)
    assert cli(*SHOW, env={VARIABLE: None, "VAULT_WORD": PASSWORD}).exit == 0
    done = cli(*SHOW)
    assert (done.exit, "and VAULT_WORD is not set" in done.stderr) == (77, True)


def test_at_a_terminal_the_password_is_asked_for_and_not_shown(
    cli: Cli, user: aws.User, terminal: Terminal, fake_aws: aws.Fake
) -> None:
    code, said = _configure(terminal, user, PASSWORD)
    assert code == 0, said
    child = terminal(*RUN, env=_given(PASSWORD))
    child.expect_exact(ASKED)
    child.sendline(PASSWORD)
    code, typed = _end(child)
    assert (code, PASSWORD in said + typed) == (0, False)
    assert [call.signer for call in fake_aws.calls("GetSessionToken")] == [user.arn]


@pytest.mark.parametrize("by", ["variable", "prompt"])
def test_a_wrong_password_says_so_and_opens_no_browser(
    cli: Cli, file: Path, terminal: Terminal, fake_aws: aws.Fake, tmp_path: Path, by: str
) -> None:
    if by == "variable":
        done = cli(*RUN, env={VARIABLE: "another horse"})
        code, said = done.exit, done.stderr
    else:
        child = terminal(*RUN, env=_given(PASSWORD))
        child.expect_exact(ASKED)
        child.sendline("another horse")
        code, said = _end(child)
    assert code == 69
    assert f"error: {file} cannot be opened: the password is wrong, or the file is damaged" in said
    assert f"hint: see {VARIABLE}" in said
    assert "another horse" not in said
    assert (fake_aws.calls(), (tmp_path / "opened").exists()) == ([], False)


def test_without_any_password_the_variable_is_named(cli: Cli, file: Path) -> None:
    done = cli(*RUN, env={VARIABLE: None})
    assert (done.exit, done.stdout) == (77, "")
    assert "the file keyring needs its password, and ATMOS_KEYRING_PASSWORD is not set" in (
        done.stderr
    )
    assert "hint: set ATMOS_KEYRING_PASSWORD, or sign in at a terminal" in done.stderr


def test_an_empty_answer_to_the_question_is_no_password(file: Path, terminal: Terminal) -> None:
    child = terminal(*RUN, env=_given(PASSWORD))
    child.expect_exact(ASKED)
    child.sendline("")
    code, said = _end(child)
    assert (code, "the file keyring needs its password" in said) == (77, True)


def test_a_question_that_is_interrupted_ends_the_program(file: Path, terminal: Terminal) -> None:
    child = terminal(*RUN, env=_given(PASSWORD))
    child.expect_exact(ASKED)
    child.sendintr()
    code, said = _end(child)
    assert (code, "Traceback" in said) == (130, False)


def test_a_short_password_is_refused_before_anything_is_kept(
    cli: Cli, user: aws.User, terminal: Terminal, state: Path
) -> None:
    code, said = _configure(terminal, user, "short")
    assert (code, "too short: at least 8 characters" in said) == (78, True)
    assert not (state / "keyring").exists()


# ---- the file, damaged ----------------------------------------------------------------------------

_OPENED = "cannot be opened: the password is wrong, or the file is damaged"
_DAMAGED = "is damaged"
_UNTRUSTED = (
    "is not trusted: it must be a plain file of yours that nobody else can read, of at most"
)


def _flip(file: Path) -> None:
    """Change one bit of what is sealed."""
    found = json.loads(file.read_text())
    first = found["sealed"][0]
    found["sealed"] = ("B" if first == "A" else "A") + found["sealed"][1:]
    file.write_text(json.dumps(found))


# Damage -> what is said of it.
SAID = {
    "one byte": _OPENED,
    "truncated": _DAMAGED,
    "empty": _DAMAGED,
    "garbage": _DAMAGED,
    "another schema": _DAMAGED,
    "10 MB": _UNTRUSTED,
    "another's": _UNTRUSTED,
    "world-readable": _UNTRUSTED,
    "group-readable": _UNTRUSTED,
    "a link": _UNTRUSTED,
    "a directory": _UNTRUSTED,
    "a pipe": _UNTRUSTED,
}


def test_every_damage_has_its_line() -> None:
    assert set(SAID) == {"one byte", *DAMAGE}


@pytest.fixture
def kept(cli: Cli, user: aws.User, state: Path) -> Path:
    """A file of the keyring, made without a terminal."""
    from wrapper import world as outside
    from wrapper.auth import keyring

    world = outside.real()._replace(environ=dict(cli.environment))
    store = keyring.opened(keyring.settings({"keyring": {"type": "file"}}, world), world)
    keyring.keep(store, "vault", "glass", keyring.Keys(user.access_key_id, user.secret_access_key))
    (found,) = (state / "keyring").iterdir()
    return found


@pytest.mark.parametrize("damage", SAID)
def test_a_damaged_file_is_an_error_with_its_path_and_never_another_way_in(
    cli: Cli, kept: Path, fake_aws: aws.Fake, tmp_path: Path, damage: str
) -> None:
    {"one byte": _flip, **DAMAGE}[damage](kept)
    done = cli(*RUN, timeout=60)
    assert (done.exit, done.stdout) == (69, "")
    assert done.stderr.startswith(f"error: {kept} {SAID[damage]}"), done.stderr
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr
    assert (fake_aws.calls(), (tmp_path / "opened").exists()) == ([], False)


@pytest.mark.parametrize("damage", ["one byte", "a link", "a pipe", "another's"])
def test_keys_that_are_stored_again_replace_what_was_damaged(
    cli: Cli, kept: Path, user: aws.User, terminal: Terminal, damage: str
) -> None:
    {"one byte": _flip, **DAMAGE}[damage](kept)
    code, said = _configure(terminal, user)
    assert code == 0, said
    assert cli(*RUN).exit == 0
    status = kept.lstat()
    assert (stat.S_ISREG(status.st_mode), stat.S_IMODE(status.st_mode)) == (True, 0o600)
    assert status.st_uid == os.geteuid()
