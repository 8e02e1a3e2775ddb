"""`auth logout` removes what its dry run names, wherever a token came from, and tells who gave it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.fakes import portal, saml
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
