"""Directories of ours that somebody else owns or can write in: nothing is signed from there."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.e2e.conftest import Terminal
from tests.e2e.ends import hang_up
from tests.fakes import aws
from tests.fakes.damage import NOBODY, give_away
from wrapper.hook.code import FORM

CONFIG = """\
base_path: .
auth:
  realm: lab
  keyring: {type: file}
  identities:
    me:
      kind: aws/user
      default: true
      credentials: {access_key_id: !env KEY_ID, secret_access_key: !env SECRET, region: us-east-1}
    glass: {kind: aws/user, credentials: {region: us-east-1}}
"""
RUN = ("exec", "-i", "me", "--", "env")


@pytest.fixture
def variables(cli: Cli, fake_aws: aws.Fake) -> dict[str, str]:
    """The environment of a program that was started once: everything of ours is there."""
    user = fake_aws.user("111111111111", "me")
    (cli.cwd / "atmos.yaml").write_text(CONFIG)
    cli.environment |= {
        **fake_aws.environment(),
        "KEY_ID": user.access_key_id,
        "SECRET": user.secret_access_key,
        "ATMOS_KEYRING_PASSWORD": "correct horse",
    }
    done = cli(*RUN)
    assert (done.exit, done.stderr) == (0, "")
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


def _writable(mode: int) -> Callable[[Path], str]:
    def change(directory: Path) -> str:
        directory.chmod(mode)
        return (
            f"error: others can write in {directory} (mode {mode:04o}), and could change what signs\n"
            f"hint: chmod go-w {directory}\n"
            "hint: or point XDG_STATE_HOME to a directory of yours\n"
        )

    return change


def _foreign(directory: Path) -> str:
    give_away(directory)
    return (
        f"error: {directory} belongs to somebody else (user id {NOBODY}):"
        " what signs is not kept there\n"
        "hint: with sudo, use `sudo -H`; else point XDG_STATE_HOME to a directory of yours\n"
    )


CHANGES = {"group": _writable(0o770), "world": _writable(0o703), "owner": _foreign}


@pytest.mark.parametrize("change", CHANGES)
def test_a_directory_that_others_can_change_is_an_error_that_names_it(
    cli: Cli, variables: dict[str, str], fake_aws: aws.Fake, state: Path, change: str
) -> None:
    before = len(fake_aws.calls())
    realm = state / "realms/lab"
    digest = Path(variables["AWS_CONFIG_FILE"]).parent
    below = [realm / name for name in ("sessions", "users", "aws")]
    for directory in (state, state / "realms", realm, *below, digest):
        told = CHANGES[change](directory)
        done = cli(*RUN)
        assert (done.exit, done.stdout, done.stderr) == (69, "", told), directory
        os.chown(directory, os.geteuid(), os.getegid())
        directory.chmod(0o700)
    assert cli(*RUN).exit == 0
    assert len(fake_aws.calls()) == before


@pytest.mark.parametrize("change", CHANGES)
def test_a_program_that_asks_again_gets_the_same_error(
    cli: Cli, variables: dict[str, str], state: Path, change: str
) -> None:
    text = Path(variables["AWS_CONFIG_FILE"]).read_text()
    command = shlex.split(text.partition("credential_process = ")[2].splitlines()[0])
    told = CHANGES[change](state)
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (69, "", told)


def test_a_prompt_gets_no_pointers_into_such_a_directory(
    cli: Cli, variables: dict[str, str], state: Path, home: Path
) -> None:
    home.chmod(0o700)
    assert cli("allow").exit == 0
    for whole in (cli("auth", "env", "-i", "me"), cli("hook-env", "bash", str(cli.cwd), FORM)):
        assert (whole.exit, "AWS_CONFIG_FILE" in whole.stdout) == (0, True)
    told = _writable(0o770)(state)
    done = cli("auth", "env", "-i", "me")
    assert (done.exit, done.stdout, done.stderr) == (69, "", told)
    hooked = cli("hook-env", "bash", str(cli.cwd), FORM)
    assert "AWS_CONFIG_FILE" not in hooked.stdout


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_keyring_in_such_a_directory_is_not_read_and_not_written(
    cli: Cli, variables: dict[str, str], state: Path, terminal: Terminal, change: str
) -> None:
    directory = state / "keyring"
    directory.mkdir(mode=0o700)
    told = CHANGES[change](directory)
    done = cli("auth", "user", "show", "-i", "glass")
    assert (done.exit, done.stderr) == (69, told)
    child = terminal("auth", "user", "configure", "-i", "glass", "--no-verify")
    for question in ("key ID: ", "secret access key: ", "none): ", "12h): "):
        child.expect_exact(question)
        child.sendline("AKIA" if "key" in question else "")
    child.expect_exact(told.splitlines()[0])
    hang_up(child)
    assert list(directory.iterdir()) == []


def test_without_an_identity_nothing_is_said_about_it(
    cli: Cli, variables: dict[str, str], state: Path
) -> None:
    state.chmod(0o777)
    assert cli("exec", "--identity=false", "--", "true").exit == 0
