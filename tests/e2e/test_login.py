"""`auth login --force` signs in anew, whatever is kept, and a failure of it takes nothing away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.fakes import saml
from tests.fakes.portal import Portal

SSO = """
base_path: ./
auth:
  realm: lab
  providers:
    sso: {kind: aws/iam-identity-center, start_url: "https://acme.awsapps.com/start", region: eu-west-1}
  identities:
    dev: {kind: aws/permission-set, default: true, via: {provider: sso}, principal: {name: Admin, account: {name: dev}}}
    hop: {kind: aws/assume-role, via: {identity: dev}, principal: {assume_role: "arn:aws:iam::222222222222:role/Hop"}}
"""
SAML = """
base_path: ./
auth:
  realm: lab
  providers:
    acme: {{kind: aws/saml, url: "{url}", region: eu-west-1, username: alice, password: !env PASSWORD}}
  identities:
    admin: {{kind: aws/assume-role, via: {{provider: acme}}, principal: {{assume_role: "{role}"}}}}
"""
SIGN_IN = ["StartDeviceAuthorization", "CreateToken"]


@pytest.fixture
def sso(sso_portal: Portal, cli: Cli) -> Portal:
    """Write the repository, and be signed in to the portal and to both identities."""
    (cli.cwd / "atmos.yaml").write_text(SSO)
    cli.environment |= {
        "AWS_ENDPOINT_URL": sso_portal.endpoint,
        "ATMOS_FORCE_TTY": "true",
        "CI": "true",
    }
    done = cli("auth", "login", "-i", "hop")
    assert done.exit == 0, done.stderr
    sso_portal.calls.clear()
    return sso_portal


@pytest.mark.parametrize(
    ("what", "then"),
    [
        (("--provider", "sso"), []),
        (("-i", "dev"), ["GetRoleCredentials"]),
        (("-i", "hop"), ["GetRoleCredentials", "AssumeRole"]),
    ],
    ids=["provider", "identity", "chain"],
)
def test_sso_with_force_signs_in_anew_and_signs_every_link(
    cli: Cli, sso: Portal, state: Path, what: tuple[str, str], then: list[str]
) -> None:
    (file,) = (state / "sso").glob("*.json")
    before = file.read_bytes()
    assert cli("auth", "login", *what).exit == 0
    assert [action for action in sso.actions() if action in SIGN_IN] == []
    assert file.read_bytes() == before
    sso.calls.clear()
    done = cli("auth", "login", *what, "--force")
    assert done.exit == 0, done.stderr
    found = [action for action in sso.actions() if action != "ListAccounts"]
    assert found == [*SIGN_IN, *then]
    assert file.read_bytes() != before


def test_a_forced_sign_in_that_is_declined_leaves_the_one_before(
    cli: Cli, sso: Portal, state: Path
) -> None:
    kept = {path: path.read_bytes() for path in state.rglob("*.json")}
    sso.device_answer = "AccessDeniedException"
    for what in (("--provider", "sso"), ("-i", "hop")):
        done = cli("auth", "login", *what, "--force")
        assert (done.exit, "declined in the browser" in done.stderr) == (77, True), done.stderr
    assert {path: path.read_bytes() for path in state.rglob("*.json")} == kept
    assert cli("auth", "login", "--provider", "sso").exit == 0


def test_several_forced_sign_ins_at_once_are_one(cli: Cli, sso: Portal) -> None:
    sso.pending = 1_000_000
    runs = [cli.start("auth", "login", "--provider", "sso", "--force") for _ in range(3)]
    # Each has said that it asks or that it waits.
    assert all(run.stderr is not None and run.stderr.readline() for run in runs)
    sso.decide()
    said = [run.communicate(timeout=120)[1] for run in runs]
    assert [run.returncode for run in runs] == [0] * 3, said
    assert sso.actions().count("StartDeviceAuthorization") == 1


@pytest.fixture
def idp(cli: Cli, tool: Callable[[str], str]) -> Iterator[saml.Idp]:
    """An identity provider, and a repository that uses it."""
    tool("chromium")
    with saml.running() as (found, sts):
        (cli.cwd / "atmos.yaml").write_text(SAML.format(url=found.url, role=saml.ADMIN))
        cli.environment |= {
            "AWS_ENDPOINT_URL": sts.endpoint,
            "CI": "true",
            "PASSWORD": found.users["alice"],
        }
        yield found


def test_saml_with_force_fills_the_form_although_the_browser_is_signed_in(
    cli: Cli, idp: saml.Idp
) -> None:
    forms = []
    for options in ((), (), ("--force",)):
        done = cli("auth", "login", "-i", "admin", *options)
        assert done.exit == 0, done.stderr
        forms.append(idp.seen().count("POST /login"))
    assert forms == [1, 1, 2]
