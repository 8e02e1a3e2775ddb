"""`auth logout` removes what its dry run names, wherever a token came from, and tells who gave it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from tests.conftest import Cli
from tests.e2e.conftest import Terminal
from tests.e2e.ends import left_alone
from tests.fakes import aws, portal, saml
from tests.fakes.portal import Portal

CONFIG = """
base_path: ./
wrap: {{sso: {{share: {share}}}}}
auth:
  realm: lab
  providers:
    sso: {{kind: aws/iam-identity-center, start_url: "https://acme.awsapps.com/start", region: eu-west-1, auto_provision_identities: true}}
    acme: {{kind: aws/saml, url: "{idp}", region: eu-west-1, username: alice, password: !env PASSWORD}}
  identities:
    dev: {{kind: aws/permission-set, default: true, via: {{provider: sso}}, principal: {{name: Admin, account: {{name: dev}}}}}}
    hop: {{kind: aws/assume-role, via: {{identity: dev}}, principal: {{assume_role: "arn:aws:iam::222222222222:role/Hop"}}}}
    admin: {{kind: aws/assume-role, via: {{provider: acme}}, principal: {{assume_role: "{role}"}}}}
"""
SSO = ("--provider", "sso")
GLASS = """
base_path: .
auth:
  realm: lab
  keyring: {type: file}
  identities:
    glass: {kind: aws/user, default: true, credentials: {region: us-east-1}}
"""
AWS = str(Path(sys.executable).parent / "aws")
WHO = ("sts", "get-caller-identity")
NOBODY = {"ATMOS_FORCE_TTY": None}


@pytest.fixture
def sso(sso_portal: Portal, cli: Cli) -> Portal:
    """Write the repository and point every client at the portal."""
    configure(cli)
    cli.environment |= {
        "AWS_ENDPOINT_URL": sso_portal.endpoint,
        "ATMOS_FORCE_TTY": "true",
        "CI": "true",
    }
    return sso_portal


def configure(cli: Cli, *, share: str = "false", idp: str = "http://127.0.0.1:9/") -> None:
    text = CONFIG.format(share=share, idp=idp, role=saml.ADMIN)
    (cli.cwd / "atmos.yaml").write_text(text)


def present(home: Path) -> set[str]:
    """Return all files but locks, which hold nothing."""
    return {str(p) for p in home.rglob("*") if p.is_file() and p.suffix != ".lock"}


def named(text: str) -> list[str]:
    return sorted(line.strip() for line in text.splitlines() if line.startswith("  /"))


@pytest.mark.parametrize("share", ["false", "true"], ids=["own", "shared"])
@pytest.mark.parametrize("what", [SSO, ("--all",), ("hop",), ("dev",)], ids=lambda what: what[-1])
def test_a_dry_run_names_what_the_real_one_removes_and_touches_nothing(
    cli: Cli, sso: Portal, home: Path, share: str, what: tuple[str, ...]
) -> None:
    configure(cli, share=share)
    (home / ".aws/sso/cache").mkdir(parents=True)
    for login in (("-i", "hop"), SSO):
        done = cli("auth", "login", *login)
        assert done.exit == 0, done.stderr
    left_alone(home)  # identities may be listed in the background
    before, asked = present(home), len(sso.calls)
    dry = cli("auth", "logout", *what, "--dry-run")
    assert (dry.exit, present(home), sso.actions()[asked:]) == (0, before, []), dry.stderr
    real = cli("auth", "logout", *what)
    assert real.exit == 0, real.stderr
    gone = before - present(home)
    assert named(dry.stderr) == sorted(gone)
    assert len(gone) >= (4 if what[0].startswith("--") else 1)
    assert f": {len(gone)} file" in real.stderr
    ended = sso.actions()[asked:] == ["Logout"]
    assert ended == (f"would end the session at {portal.START_URL}" in dry.stderr)
    assert ended == (f"✓ Session at {portal.START_URL} ended" in real.stderr)
    assert ended == what[0].startswith("--")
    again = cli("auth", "logout", *what, "--dry-run")
    assert (again.exit, named(again.stderr)) == (0, [])


def test_a_dry_run_names_the_browsers_session_of_a_saml_provider(
    cli: Cli, home: Path, tool: Callable[[str], str]
) -> None:
    tool("chromium")
    with saml.running() as (idp, sts):
        configure(cli, idp=idp.url)
        cli.environment |= {"AWS_ENDPOINT_URL": sts.endpoint, "CI": "true"}
        password = {"PASSWORD": idp.users["alice"]}
        done = cli("auth", "login", "-i", "admin", env=password)
        assert done.exit == 0, done.stderr
    before = present(home)
    dry = cli("auth", "logout", "--provider", "acme", "--dry-run")
    assert (dry.exit, present(home)) == (0, before), dry.stderr
    assert f"session of {idp.url} would be removed, and not ended there" in dry.stderr
    real = cli("auth", "logout", "--provider", "acme")
    assert (real.exit, "is removed; it was not ended there" in real.stderr) == (0, True)
    gone = before - present(home)
    assert named(dry.stderr) == sorted(gone)
    assert {Path(path).parent.name for path in gone} == {"saml", "sessions"}


def test_a_logout_finds_the_token_that_was_got_at_another_endpoint_and_ends_it_there(
    cli: Cli, sso: Portal, state: Path
) -> None:
    elsewhere = (state / "sso" / "other.json", '{"version": 1, "for": "https://x/", "region": ""}')
    with portal.running() as other:
        for endpoint in (sso.endpoint, other.endpoint):
            env = {"AWS_ENDPOINT_URL": endpoint}
            assert cli("auth", "login", *SSO, env=env).exit == 0
        elsewhere[0].write_text(elsewhere[1])
        elsewhere[0].chmod(0o600)
        assert len(list((state / "sso").glob("*.json"))) == 3
        for options in (("--dry-run",), ()):
            nowhere = {"AWS_ENDPOINT_URL_SSO": "http://127.0.0.1:9"}
            done = cli("auth", "logout", *SSO, *options, env=nowhere)
            assert done.exit == 0, done.stderr
            assert len(named(done.stderr)) == (4 if options else 0)
    assert [p for p in (state / "sso").iterdir() if p.suffix != ".lock"] == [elsewhere[0]]
    # Each token went to the portal that gave it, and to no other: these would not know it.
    ends = [[c.error for c in p.calls if c.action == "Logout"] for p in (sso, other)]
    assert ends == [[None], [None]]


def test_an_identity_goes_alone_and_what_signs_it_in_again_is_said_to_stay(
    cli: Cli, sso: Portal, state: Path
) -> None:
    assert cli("auth", "login", "-i", "hop").exit == 0
    before = present(state)
    done = cli("auth", "logout", "dev")
    assert done.exit == 0, done.stderr
    assert 'The sign-in to provider "sso" stays; --provider sso ends it.' in done.stderr
    (gone,) = before - present(state)
    assert Path(gone).parent.name == "sessions"
    assert sso.actions().count("Logout") == 0
    # It is true: nobody is asked, and the other's session is the one from before.
    asked = len(sso.calls)
    for name in ("hop", "dev"):
        assert cli("exec", "-i", name, "--", AWS, *WHO, env=NOBODY).exit == 0
    actions = [action for action in sso.actions()[asked:] if not action.startswith("List")]
    assert actions == ["GetCallerIdentity", "GetRoleCredentials", "GetCallerIdentity"]
    assert "stays; --provider" not in cli("auth", "logout", *SSO, "--dry-run").stderr
    ended = cli("auth", "logout", *SSO)
    assert "a browser stays signed in there" in ended.stderr
    for name in ("dev", "hop", "--all"):
        assert "stays; --provider" not in cli("auth", "logout", name).stderr
    done = cli("exec", "-i", "dev", "--", "true", env=NOBODY)
    assert (done.exit, "needs a terminal" in done.stderr) == (77, True)


@pytest.mark.parametrize("what", [("dev",), SSO, ("--all",)], ids=lambda what: what[-1])
def test_twice_is_no_error_and_the_second_has_nothing_to_tell(
    cli: Cli, sso: Portal, what: tuple[str, ...]
) -> None:
    assert cli("auth", "login", "-i", "dev").exit == 0
    title = {"dev": "dev", "sso": "provider sso", "--all": "all identities"}[what[-1]]
    assert f"✓ Logged out {title} (realm: lab): " in cli("auth", "logout", *what).stderr
    done = cli("auth", "logout", *what)
    first, *_ = done.stderr.splitlines()
    assert (done.exit, first) == (0, f"nothing was stored for {title} (realm: lab)")
    assert sso.actions().count("Logout") == (0 if what == ("dev",) else 1)


@pytest.mark.parametrize(
    ("what", "told"),
    [(("dve",), '"dve"'), (("--provider", "acmee"), '"acmee"'), (("--tags", "none"), "none")],
    ids=lambda what: what[-1],
)
def test_a_name_that_is_not_there_removes_nothing(
    cli: Cli, sso: Portal, state: Path, what: tuple[str, ...], told: str
) -> None:
    assert cli("auth", "login", "-i", "dev").exit == 0
    before = present(state)
    done = cli("auth", "logout", *what)
    assert (done.exit, told in done.stderr.splitlines()[0]) == (78, True), done.stderr
    assert (present(state), "Logout" in sso.actions()) == (before, False)


def test_a_session_that_the_portal_has_ended_is_told_as_over(
    cli: Cli, sso: Portal, state: Path
) -> None:
    assert cli("auth", "login", "-i", "dev").exit == 0
    sso.revoke()
    done = cli("auth", "logout", "--all")
    assert done.exit == 0, done.stderr
    assert f"the session at {portal.START_URL} was over already" in done.stderr
    assert present(state) == set()


def test_a_portal_that_is_away_is_told_and_the_files_go(cli: Cli, sso: Portal, state: Path) -> None:
    assert cli("auth", "login", "-i", "dev").exit == 0
    sso.errors.append(("Logout", "InvalidRequestException", 400))
    done = cli("auth", "logout", *SSO)
    assert (done.exit, present(state)) == (0, set()), done.stderr
    assert "the portal did not end the session" in done.stderr
    assert "✓ Session" not in done.stderr


def test_keys_in_a_keyring_stay_until_they_are_named(
    cli: Cli, fake_aws: aws.Fake, terminal: Terminal, state: Path
) -> None:
    (cli.cwd / "atmos.yaml").write_text(GLASS)
    cli.environment |= {**fake_aws.environment(), "ATMOS_KEYRING_PASSWORD": "correct horse"}
    user = fake_aws.user("111111111111", "glass")
    child = terminal("auth", "user", "configure", "-i", "glass", "--no-verify")
    for answer in (user.access_key_id, user.secret_access_key, "", ""):
        child.expect(": $")
        child.sendline(answer)
    child.expect(pexpect.EOF)
    (keys,) = present(state)
    assert cli("auth", "login").exit == 0
    stay = 'Keys of identity "glass" in the file keyring, if any, stay; --keychain removes them.'
    done = cli("auth", "logout", "glass")
    assert (done.exit, stay in done.stderr, present(state)) == (0, True, {keys}), done.stderr
    assert cli("auth", "login").exit == 0
    before = present(state)
    asked = cli("auth", "logout", "glass", "--keychain")
    assert (asked.exit, present(state)) == (77, before), asked.stderr
    done = cli("auth", "logout", "glass", "--keychain", "--force")
    assert (done.exit, present(state), stay in done.stderr) == (0, set(), False), done.stderr
    assert '✓ Keys of identity "glass" removed from the file keyring' in done.stderr


def test_all_realms_go_and_the_sign_ins_that_stay_are_counted(
    cli: Cli, sso: Portal, state: Path
) -> None:
    stay = "1 sign-in(s) to portals and SAML providers stay"
    assert "stay" not in cli("auth", "logout", "--all-realms").stderr
    assert cli("auth", "login", *SSO).exit == 0
    assert cli("auth", "login", "-i", "hop").exit == 0
    assert stay in cli("auth", "logout", "--all-realms", "--dry-run").stderr
    assert list(state.glob("realms/lab/sessions/*.json"))
    assert stay in cli("auth", "logout", "--all-realms").stderr
    assert list(state.glob("realms/*")) == []
    assert cli("exec", "-i", "dev", "--", "true", env=NOBODY).exit == 0
    assert sso.actions().count("CreateToken") == 1
    assert cli("auth", "logout", "--all").exit == 0
    assert present(state / "sso") == set()
    assert "stay" not in cli("auth", "logout", "--all-realms").stderr
