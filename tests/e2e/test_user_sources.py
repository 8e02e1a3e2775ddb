"""Whose keys an IAM user signs with: the configuration's, the keyring's, the browser's, in order."""

from __future__ import annotations

from pathlib import Path

import pexpect
import pytest

from tests.conftest import Cli
from tests.e2e.ends import ended
from tests.fakes import aws

PLACES = ("configuration", "keyring", "ambient")
ATMOS = """
base_path: ./
auth:
  realm: lab
  keyring: {{type: file}}
  identities:
    me: {{kind: aws/user, default: true, {session}credentials: {{region: us-east-1{more}}}}}
"""
BY_VARIABLE = ", access_key_id: !env KEY_ID, secret_access_key: !env SECRET_KEY"
LOGIN = ("auth", "login")


@pytest.fixture
def users(fake_aws: aws.Fake, cli: Cli, home: Path) -> dict[str, aws.User]:
    """Three users, each with keys in one place; those of `ambient` are in the shell and `~/.aws`."""
    found = {name: fake_aws.user("111111111111", name) for name in PLACES}
    ambient = found["ambient"]
    (home / ".aws").mkdir()
    (home / ".aws/credentials").write_text(
        f"[default]\naws_access_key_id = {ambient.access_key_id}\n"
        f"aws_secret_access_key = {ambient.secret_access_key}\n"
    )
    cli.environment |= {
        **fake_aws.environment(),
        "AWS_ACCESS_KEY_ID": ambient.access_key_id,
        "AWS_SECRET_ACCESS_KEY": ambient.secret_access_key,
        "KEY_ID": found["configuration"].access_key_id,
        "SECRET_KEY": found["configuration"].secret_access_key,
        "ATMOS_KEYRING_PASSWORD": "correct horse",
    }
    return found


def write(cli: Cli, more: str = "", session: str = "") -> None:
    (cli.cwd / "atmos.yaml").write_text(ATMOS.format(more=more, session=session))


def keep(cli: Cli, user: aws.User) -> None:
    """Store keys as a person does."""
    child = pexpect.spawn(
        cli.program,
        ["auth", "user", "configure", "-i", "me"],
        cwd=str(cli.cwd),
        env=cli.child_environment({"CI": None}),
        encoding="utf-8",
        timeout=60,
    )
    answers = (user.access_key_id, user.secret_access_key, "", "")
    for question, answer in zip(("ID: ", "key: ", "none\\): ", "12h\\): "), answers, strict=True):
        child.expect(question)
        child.sendline(answer)
    ended(child)
    assert child.exitstatus == 0, child.before


def signer(fake_aws: aws.Fake) -> list[str | None]:
    return [call.signer for call in fake_aws.calls("GetSessionToken")]


def test_keys_of_the_configuration_come_first(
    cli: Cli, users: dict[str, aws.User], fake_aws: aws.Fake
) -> None:
    write(cli)
    keep(cli, users["keyring"])
    write(cli, BY_VARIABLE)
    done = cli(*LOGIN)
    assert done.exit == 0, done.stderr
    assert signer(fake_aws) == [users["configuration"].arn]


def test_keys_of_the_keyring_come_second(
    cli: Cli, users: dict[str, aws.User], fake_aws: aws.Fake
) -> None:
    write(cli)
    keep(cli, users["keyring"])
    done = cli(*LOGIN)
    assert done.exit == 0, done.stderr
    assert signer(fake_aws) == [users["keyring"].arn]


def test_the_browser_comes_third_and_keys_of_the_shell_never(
    cli: Cli, users: dict[str, aws.User], fake_aws: aws.Fake
) -> None:
    write(cli)
    done = cli(*LOGIN)
    assert done.exit == 77
    assert 'identity "me": signing in by browser needs a terminal' in done.stderr
    assert "hint: sign in at a terminal first: atmos-wrap auth login -i me\n" in done.stderr
    done = cli(*LOGIN, "--webflow")
    assert done.exit == 77
    assert "hint: sign in at a terminal first: atmos-wrap auth login -i me --webflow" in done.stderr
    assert fake_aws.calls() == []


@pytest.mark.parametrize("damage", ["truncated", "password"])
def test_a_keyring_that_cannot_be_read_never_leads_to_the_browser(
    cli: Cli, users: dict[str, aws.User], home: Path, fake_aws: aws.Fake, damage: str
) -> None:
    write(cli)
    keep(cli, users["keyring"])
    env = {"ATMOS_FORCE_TTY": "true"}
    if damage == "password":
        env["ATMOS_KEYRING_PASSWORD"] = "another one"
    else:
        files = list((home / ".local/state/atmos-wrap/keyring").glob("*.json"))
        assert files
        for file in files:
            file.write_bytes(file.read_bytes()[:20])
    done = cli(*LOGIN, env=env)
    assert done.exit in (69, 77)
    assert ("browser" in done.stderr, signer(fake_aws)) == (False, []), done.stderr


@pytest.mark.parametrize(
    ("duration", "mfa", "seconds"),
    [("15m", False, 900), ("1m", False, 900), ("24h", False, 43200), ("36h", True, 129600)],
)
def test_a_session_is_as_long_as_sts_allows(
    cli: Cli,
    users: dict[str, aws.User],
    fake_aws: aws.Fake,
    duration: str,
    mfa: bool,
    seconds: int,
) -> None:
    more, options = BY_VARIABLE, []
    if mfa:
        user = fake_aws.user("111111111111", "guarded", mfa_code="123456")
        cli.environment |= {"KEY_ID": user.access_key_id, "SECRET_KEY": user.secret_access_key}
        more += f", mfa_arn: {user.mfa_arn!r}"
        options = ["--mfa-code", "123456"]
    write(cli, more, f"session: {{duration: {duration}}}, ")
    done = cli(*LOGIN, *options)
    assert done.exit == 0, done.stderr
    (asked,) = fake_aws.calls("GetSessionToken")
    assert int(asked.params["DurationSeconds"]) == seconds
    assert ("out of bounds" in done.stderr) == (duration in ("1m", "24h"))


def test_a_command_gives_the_code_of_the_device(
    cli: Cli, users: dict[str, aws.User], fake_aws: aws.Fake, tmp_path: Path
) -> None:
    user = fake_aws.user("111111111111", "guarded", mfa_code="123456")
    cli.environment |= {"KEY_ID": user.access_key_id, "SECRET_KEY": user.secret_access_key}
    write(cli, f"{BY_VARIABLE}, mfa_arn: {user.mfa_arn!r}")
    asked = tmp_path / "asked"
    program = tmp_path / "code"
    program.write_text(f'#!/bin/sh\nprintf %s "$1" >{asked}\necho 123456\n')
    program.chmod(0o700)
    done = cli(*LOGIN, env={"ATMOS_WRAP_MFA_COMMAND": str(program)})
    assert done.exit == 0, done.stderr
    assert asked.read_text() == user.mfa_arn
