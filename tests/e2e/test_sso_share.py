"""One sign-in for atmos-wrap and the real AWS CLI v2, if the user shares it; else each its own."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Cli, Result
from tests.fakes import proxy
from tests.fakes.portal import Portal

ATMOS = """
base_path: ./
auth:
  realm: lab
  providers:
    acme: {kind: aws/iam-identity-center, start_url: "https://acme.awsapps.com/start", region: eu-west-1}
  identities:
    dev: {kind: aws/permission-set, default: true, via: {provider: acme}, principal: {name: Admin, account: {id: "111111111111"}}}
"""
# As a person writes them: by start URL, and by a session.
AWS_CONFIG = """
[profile old]
sso_start_url = https://acme.awsapps.com/start
sso_region = eu-west-1
sso_account_id = 111111111111
sso_role_name = Admin
region = eu-west-1

[profile new]
sso_session = work
sso_account_id = 111111111111
sso_role_name = Admin
region = eu-west-1

[sso-session work]
sso_start_url = https://acme.awsapps.com/start
sso_region = eu-west-1
sso_registration_scopes = sso:account:access
"""
ADMIN = "arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_Admin_abc/me"
SHARE = "wrap: {sso: {share: true}}\n"


@pytest.fixture
def sso(sso_portal: Portal, cli: Cli, home: Path, tmp_path: Path) -> Iterator[Portal]:
    """The portal under its real names, and a user of the AWS CLI who is not signed in."""
    (home / ".aws").mkdir()
    (home / ".aws/config").write_text(AWS_CONFIG)
    (cli.cwd / "atmos.yaml").write_text(ATMOS)
    with proxy.running(tmp_path) as way:
        for host in ("oidc", "portal.sso", "sts"):
            way.route(f"{host}.eu-west-1.amazonaws.com", sso_portal.endpoint)
        cli.environment |= {**way.environment(), "ATMOS_FORCE_TTY": "true", "CI": "true"}
        yield sso_portal


@pytest.fixture
def shared(sso: Portal, home: Path) -> Path:
    """Let the user share; return the AWS CLI's cache."""
    (home / ".atmos").mkdir()
    (home / ".atmos/atmos.yaml").write_text(SHARE)
    return home / ".aws/sso/cache"


@pytest.fixture
def aws(cli: Cli, tool: Callable[[str], str]) -> Callable[..., Result]:
    """Return a function that runs the real AWS CLI v2, without atmos-wrap."""
    program = tool("/usr/bin/aws")

    def run(*args: str) -> Result:
        done = subprocess.run(
            [program, *args],
            env=cli.child_environment({"CI": None}),
            cwd=cli.cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return run


def who(done: Result) -> str:
    assert done.exit == 0, done.stderr
    return str(json.loads(done.stdout)["Arn"])


ME = ("sts", "get-caller-identity", "--output", "json")


def test_the_aws_cli_needs_no_sign_in_of_its_own(
    cli: Cli, shared: Path, sso: Portal, aws: Callable[..., Result]
) -> None:
    assert aws(*ME, "--profile", "old").exit != 0
    assert cli("auth", "login").exit == 0
    signed_in = sso.actions().count("StartDeviceAuthorization")
    assert [who(aws(*ME, "--profile", name)) for name in ("old", "new")] == [ADMIN, ADMIN]
    assert sso.actions().count("StartDeviceAuthorization") == signed_in == 1
    names = sorted(file.stem for file in shared.iterdir())
    keys = ("https://acme.awsapps.com/start", "work")
    assert names == sorted(hashlib.sha1(key.encode()).hexdigest() for key in keys)
    for file in shared.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert sorted(json.loads(file.read_text())) == [
            *("accessToken", "clientId", "clientSecret", "expiresAt", "refreshToken", "region"),
            *("registrationExpiresAt", "startUrl"),
        ]


def test_what_the_aws_cli_signs_in_is_used_and_kept_as_it_is(
    cli: Cli, sso: Portal, home: Path, aws: Callable[..., Result]
) -> None:
    done = aws("sso", "login", "--profile", "old", "--no-browser")
    assert done.exit == 0, done.stderr
    cache = home / ".aws/sso/cache"
    before = {file.name: file.read_bytes() for file in cache.iterdir()}
    sso.calls.clear()
    done = cli("exec", "--", "/usr/bin/aws", *ME, env={"ATMOS_FORCE_TTY": None})
    assert who(done) == ADMIN
    assert sso.actions() == ["GetRoleCredentials", "GetCallerIdentity"]
    assert {file.name: file.read_bytes() for file in cache.iterdir()} == before


def test_nothing_is_shared_unless_the_user_says_so(cli: Cli, sso: Portal, home: Path) -> None:
    assert cli("auth", "login").exit == 0
    assert not (home / ".aws/sso").exists()


def test_a_repository_cannot_share_what_is_not_its_own(cli: Cli, sso: Portal, home: Path) -> None:
    provider = ATMOS.replace("region: eu-west-1}", "region: eu-west-1, share: true}")
    (cli.cwd / "atmos.yaml").write_text(provider + SHARE)
    done = cli("auth", "login")
    assert done.exit == 0, done.stderr
    assert re.search(r"warning: wrap\.sso\.share of \S+atmos\.yaml is ignored", done.stderr)
    assert not (home / ".aws/sso").exists()


def test_the_variable_shares_too(cli: Cli, sso: Portal, home: Path) -> None:
    assert cli("auth", "login", env={"ATMOS_WRAP_SSO_SHARE": "true"}).exit == 0
    assert len(list((home / ".aws/sso/cache").iterdir())) == 2


def test_a_refresh_renews_both_and_takes_the_later_refresh_token(
    cli: Cli, shared: Path, sso: Portal, aws: Callable[..., Result]
) -> None:
    sso.token_seconds = 200
    assert cli("auth", "login").exit == 0
    # The AWS CLI was first, and has the refresh token that counts.
    later = secrets.token_hex(16)
    sso._refresh[later] = sso._refresh.popitem()[1]
    for file in shared.iterdir():
        kept = json.loads(file.read_text())
        kept["refreshToken"] = later
        kept["expiresAt"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 250))
        file.write_text(json.dumps(kept))
    sso.token_seconds = 28800
    done = cli("auth", "login", env={"ATMOS_FORCE_TTY": None})
    assert done.exit == 0, done.stderr
    assert sso.actions().count("StartDeviceAuthorization") == 1
    assert [who(aws(*ME, "--profile", name)) for name in ("old", "new")] == [ADMIN, ADMIN]


def test_a_logout_takes_the_shared_token_along(cli: Cli, shared: Path, sso: Portal) -> None:
    assert cli("auth", "login").exit == 0
    theirs = shared / "other.json"
    theirs.write_text(json.dumps({"accessToken": "of another portal"}))
    assert cli("auth", "logout", "--provider", "acme").exit == 0
    assert list(shared.iterdir()) == [theirs]
