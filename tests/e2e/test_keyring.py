"""IAM users' keys in a real gnome-keyring: stored, used, locked, damaged, gone; never in a browser."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jeepney import DBusAddress, new_method_call

from tests.conftest import Cli
from tests.e2e.conftest import Terminal
from tests.e2e.ends import ended
from tests.fakes import aws, secret_service
from tests.fakes.secret_service import SecretService

if TYPE_CHECKING:
    import pexpect

CONFIG = """\
base_path: .
auth:
  realm: vault
  identities:
    glass: {kind: aws/user, default: true, credentials: {region: us-east-1}}
"""
RUN = ("exec", "-i", "glass", "--", "env")
CONFIGURE = ("auth", "user", "configure", "-i", "glass")
NAME = '["vault","glass"]'


@pytest.fixture
def vault(tool: Callable[[str], str]) -> Iterator[SecretService]:
    """A keyring on a bus of its own."""
    for program in ("dbus-daemon", "gnome-keyring-daemon"):
        tool(program)
    with secret_service.running() as found:
        yield found


@pytest.fixture
def user(fake_aws: aws.Fake) -> aws.User:
    """The break-glass user, without MFA."""
    return fake_aws.user("111111111111", "glass")


@pytest.fixture
def browser(tmp_path: Path) -> Path:
    """What a browser that must not be opened leaves behind."""
    return tmp_path / "opened"


@pytest.fixture
def cli(cli: Cli, vault: SecretService, fake_aws: aws.Fake, browser: Path) -> Cli:
    """The program in a repository with one user, with the keyring, and a browser that tells."""
    (cli.cwd / "atmos.yaml").write_text(CONFIG)
    script = browser.with_name("browser")
    script.write_text(f'#!/bin/sh\necho "$1" >> {browser}\n')
    script.chmod(0o755)
    cli.environment |= {**fake_aws.environment(), **vault.environment, "BROWSER": str(script)}
    return cli


def _end(child: pexpect.spawn[str]) -> tuple[int, str]:
    ended(child)
    assert child.exitstatus is not None
    return child.exitstatus, (child.before or "").replace("\r\n", "\n")


def _configure(
    terminal: Terminal, key_id: str, secret: str, *options: str, mfa: str = ""
) -> tuple[int, str]:
    """Type keys and an MFA device, without a duration."""
    child = terminal(*CONFIGURE, *options)
    for question, answer in (
        ("AWS access key ID: ", key_id),
        ("AWS secret access key: ", secret),
        ("MFA device ARN (empty: none): ", mfa),
        ("session duration (empty: 12h): ", ""),
    ):
        if child.expect_exact([question, "error: "]):
            break
        child.sendline(answer)
    return _end(child)


@pytest.fixture
def stored(cli: Cli, vault: SecretService, user: aws.User, terminal: Terminal) -> aws.User:
    """The user, whose keys somebody has typed."""
    code, said = _configure(terminal, user.access_key_id, user.secret_access_key)
    assert code == 0, said
    return user


@pytest.mark.parametrize(
    ("device", "told"),
    [
        ("123456", '"123456" is no MFA device'),
        ("arn:aws:iam::111111111111:user/glass", ':user/glass" is no MFA device'),
        ("arn:aws:iam::11111:mfa/glass", ':mfa/glass" is no MFA device'),
        ("arn:aws:iam::111111111111:u2f/user/glass/key-1", "it is a security key or passkey"),
    ],
    ids=["code", "user", "account", "security-key"],
)
def test_what_is_no_mfa_device_is_refused_with_what_one_looks_like(
    cli: Cli, vault: SecretService, user: aws.User, terminal: Terminal, device: str, told: str
) -> None:
    code, said = _configure(terminal, user.access_key_id, user.secret_access_key, mfa=device)
    assert (code, told in said) == (78, True), said
    assert "it looks like arn:aws:iam::111111111111:mfa/NAME" in said
    assert vault.entries() == {}


def test_keys_are_checked_stored_and_sign(
    cli: Cli, vault: SecretService, stored: aws.User, fake_aws: aws.Fake
) -> None:
    held = vault.entries()
    assert list(held) == [NAME]
    assert json.loads(held[NAME]) == {
        "version": 1,
        "access_key_id": stored.access_key_id,
        "secret_access_key": stored.secret_access_key,
        "mfa_arn": "",
        "duration": "",
    }
    done = cli(*RUN)
    assert (done.exit, done.stderr) == (0, "")
    assert [(call.action, call.signer) for call in fake_aws.calls()] == [
        ("GetCallerIdentity", stored.arn),
        ("GetSessionToken", stored.arn),
    ]
    assert [k for k in (stored.access_key_id, stored.secret_access_key) if k in done.stdout] == []


def test_no_secret_is_in_output_arguments_logs_or_files(
    cli: Cli, stored: aws.User, terminal: Terminal, home: Path
) -> None:
    told = [_configure(terminal, stored.access_key_id, stored.secret_access_key)[1]]
    for command in (
        RUN,
        ("auth", "user", "show", "-i", "glass"),
        ("auth", "whoami", "-i", "glass"),
        ("auth", "user", "delete", "-i", "glass"),
    ):
        done = cli(*command, env={"ATMOS_LOGS_LEVEL": "Trace"})
        told += [done.stdout, done.stderr]
    assert [text for text in told if stored.secret_access_key in text] == []
    written = [path for path in home.rglob("*") if path.is_file() and not path.is_symlink()]
    assert written
    secret = stored.secret_access_key.encode()
    assert [path for path in written if secret in path.read_bytes()] == []


def test_show_tells_the_end_of_the_key_and_delete_takes_it(
    cli: Cli, vault: SecretService, stored: aws.User
) -> None:
    shown = cli("auth", "user", "show", "-i", "glass")
    assert (shown.exit, shown.stdout) == (0, "")
    assert f"…{stored.access_key_id[-4:]}" in shown.stderr
    assert stored.access_key_id not in shown.stderr
    gone = cli("auth", "user", "delete", "-i", "glass")
    assert (gone.exit, gone.stderr) == (
        0,
        'keys of identity "glass" in the system keyring: removed\n',
    )
    assert vault.entries() == {}
    again = cli("auth", "user", "delete", "-i", "glass")
    assert again.stderr == 'keys of identity "glass" in the system keyring: not there\n'
    assert cli("auth", "user", "show", "-i", "glass").exit == 78


def test_keys_that_aws_does_not_know_are_not_stored_and_the_old_ones_stay(
    cli: Cli, vault: SecretService, stored: aws.User, terminal: Terminal
) -> None:
    before = vault.entries()
    code, said = _configure(terminal, "AKIAUNKNOWN", "wrong")
    assert code == 77
    assert "the keys were not stored:" in said
    assert "hint: --no-verify stores them unseen" in said
    assert vault.entries() == before


def test_no_verify_stores_what_nobody_was_asked_about(
    cli: Cli, vault: SecretService, fake_aws: aws.Fake, terminal: Terminal
) -> None:
    code, said = _configure(terminal, "AKIAUNKNOWN", "wrong", "--no-verify")
    assert code == 0, said
    assert json.loads(vault.entries()[NAME])["access_key_id"] == "AKIAUNKNOWN"
    assert fake_aws.calls() == []


def test_new_keys_end_the_sessions_of_the_old_ones(
    cli: Cli, stored: aws.User, fake_aws: aws.Fake, terminal: Terminal
) -> None:
    assert cli(*RUN).exit == 0
    other = fake_aws.user("111111111111", "glass")
    assert _configure(terminal, other.access_key_id, other.secret_access_key)[0] == 0
    assert cli(*RUN).exit == 0
    keys = [call.key for call in fake_aws.calls("GetSessionToken")]
    assert keys == [aws.alias(user.access_key_id) for user in (stored, other)]


# ---- a keyring that cannot be read: said as such, and no browser ----------------------------------


def _damaged(text: bytes) -> Callable[[SecretService], None]:
    return lambda vault: vault.overwrite(text)


def _unconnected(vault: SecretService) -> None:
    vault.stop()


def _crashed(vault: SecretService) -> None:
    vault.kill()


KEYS = b'{"version": 1, "access_key_id": "AKIA", "secret_access_key": "x"}'
FAILURES = {
    "locked": (SecretService.lock, "the system keyring is locked"),
    "no json": (_damaged(b"AKIA:secret"), 'the entry of identity "glass" in the system keyring is'),
    "empty": (_damaged(b""), 'the entry of identity "glass" in the system keyring is damaged'),
    "no text": (_damaged(b"\xff\xfe"), "the entry in the system keyring is damaged: it is no text"),
    "a list": (_damaged(b"[]"), 'the entry of identity "glass" in the system keyring is damaged'),
    "a field missing": (
        _damaged(KEYS.replace(b"secret_access_key", b"other")),
        "is damaged: secret_access_key",
    ),
    "a number": (_damaged(KEYS.replace(b'"x"', b"7")), "is damaged: secret_access_key"),
    "another schema": (_damaged(KEYS.replace(b"1", b"2", 1)), "is damaged: another version"),
    "the daemon crashed": (_crashed, "the system keyring is locked"),
    "the bus is gone": (_unconnected, "the session bus that DBUS_SESSION_BUS_ADDRESS names cannot"),
}


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("at_terminal", [True, False], ids=["terminal", "pipe"])
def test_a_keyring_that_cannot_be_read_says_why_and_opens_no_browser(
    cli: Cli,
    vault: SecretService,
    stored: aws.User,
    fake_aws: aws.Fake,
    terminal: Terminal,
    browser: Path,
    name: str,
    at_terminal: bool,
) -> None:
    fail, message = FAILURES[name]
    fail(vault)
    if at_terminal:
        code, said = _end(terminal(*RUN))
    else:
        done = cli(*RUN)
        code, said = done.exit, done.stderr
        assert done.stdout == ""
    assert code == 69, said
    assert message in said
    assert "hint: " in said
    assert "Traceback" not in said
    assert not browser.exists()
    assert [call.action for call in fake_aws.calls()] == ["GetCallerIdentity"]


def test_show_and_configure_say_that_the_keyring_is_locked(
    cli: Cli, vault: SecretService, stored: aws.User, terminal: Terminal
) -> None:
    vault.lock()
    for what in ("show", "delete"):
        done = cli("auth", "user", what, "-i", "glass")
        assert done.exit == 69
        assert done.stderr.startswith("error: the system keyring is locked\n")
    code, said = _configure(terminal, stored.access_key_id, stored.secret_access_key)
    assert code == 69
    assert "error: the system keyring is locked" in said


def test_a_damaged_entry_can_be_replaced_and_deleted(
    cli: Cli, vault: SecretService, stored: aws.User, terminal: Terminal
) -> None:
    vault.overwrite(b"\xff")
    assert _configure(terminal, stored.access_key_id, stored.secret_access_key)[0] == 0
    assert cli(*RUN).exit == 0
    vault.overwrite(b"\xff")
    assert cli("auth", "user", "delete", "-i", "glass").exit == 0
    assert vault.entries() == {}


def test_a_question_that_nobody_answers_ends(
    cli: Cli, vault: SecretService, stored: aws.User, terminal: Terminal, browser: Path
) -> None:
    vault.lock()
    waits = "the system keyring is locked: waiting for its password"
    with _deaf_prompter(vault):
        for seconds in ("1", "5", "20"):  # in which a busy machine may not come to the question
            code, said = _end(terminal(*RUN, env={"ATMOS_WRAP_KEYRING_TIMEOUT": seconds}))
            if waits in said:
                break
    assert code == 69
    assert waits in said
    assert f"the system keyring gave no answer within {seconds} seconds" in said
    assert not browser.exists()


def test_a_daemon_that_hangs_does_not_hang_us(
    cli: Cli, vault: SecretService, stored: aws.User
) -> None:
    vault.daemon.send_signal(signal.SIGSTOP)
    done = cli(*RUN, env={"ATMOS_WRAP_KEYRING_TIMEOUT": "1"}, timeout=60)
    assert done.exit == 69
    assert "error: the system keyring gave no answer within 1 seconds" in done.stderr


def test_without_any_keyring_the_keys_are_just_not_there(cli: Cli, stored: aws.User) -> None:
    done = cli(*RUN, env={"DBUS_SESSION_BUS_ADDRESS": None})
    assert done.exit == 77
    assert "signing in by browser needs a terminal" in done.stderr
    kept = cli("auth", "user", "show", "-i", "glass", env={"DBUS_SESSION_BUS_ADDRESS": None})
    assert kept.exit == 78


def test_without_any_keyring_storing_says_so(cli: Cli, user: aws.User, terminal: Terminal) -> None:
    cli.environment.pop("DBUS_SESSION_BUS_ADDRESS")
    code, said = _configure(terminal, user.access_key_id, user.secret_access_key)
    assert code == 69
    assert "error: there is no system keyring here" in said
    assert "ATMOS_KEYRING_TYPE=file" in said


def test_keys_of_a_keyring_renew_a_session_for_a_program(
    cli: Cli, vault: SecretService, stored: aws.User, state: Path
) -> None:
    variables = dict(line.split("=", 1) for line in cli(*RUN).stdout.splitlines())
    config = Path(variables["AWS_CONFIG_FILE"]).read_text()
    command = config.partition("credential_process = ")[2].splitlines()[0].split()
    for file in state.glob("realms/*/sessions/*.json"):
        file.unlink()
    found = _ran(command, variables)
    assert set(json.loads(found)) >= {"AccessKeyId", "SecretAccessKey", "SessionToken"}


def _ran(command: list[str], variables: dict[str, str]) -> str:
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@contextmanager
def _deaf_prompter(vault: SecretService) -> Iterator[None]:
    """Put a prompter on the bus that takes every question and never answers."""
    bus = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
    name = ("org.gnome.keyring.SystemPrompter", 4)
    with closing(vault.connect()) as connection:
        reply = connection.send_and_get_reply(new_method_call(bus, "RequestName", "su", name))
        assert reply.body == (1,)
        yield
