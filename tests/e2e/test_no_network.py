"""Without a network each sign-in ends soon and says in plain words whom it did not reach."""

from __future__ import annotations

import pytest

from tests.conftest import Cli
from tests.fakes.portal import Portal

CONFIG = """
base_path: ./
auth:
  realm: lab
  providers:
    sso: {kind: aws/iam-identity-center, start_url: "https://acme.awsapps.com/start", region: eu-west-1}
    gh: {kind: github/oidc, region: eu-west-1, spec: {audience: sts.amazonaws.com}}
    job: {kind: oidc, region: eu-west-1, spec: {audience: sts.amazonaws.com, source: github}}
  identities:
    dev: {kind: aws/permission-set, default: true, via: {provider: sso}, principal: {name: Admin, account: {name: dev}}}
"""
# A name that no resolver knows. Source: RFC 6761.
NOWHERE = "nowhere.invalid"
PROXY = {"HTTPS_PROXY": f"http://{NOWHERE}:3128", "NO_PROXY": "127.0.0.1"}
FEDERATION = "https://signin.aws.amazon.com/federation"
OIDC = "https://oidc.eu-west-1.amazonaws.com"
JOB = {"GITHUB_ACTIONS": "true", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "secret"}


@pytest.fixture(autouse=True)
def repository(cli: Cli) -> None:
    (cli.cwd / "atmos.yaml").write_text(CONFIG)


@pytest.mark.parametrize("provider", ["gh", "job"])
@pytest.mark.parametrize(
    ("variables", "why"),
    [({}, "no address was found for its name"), (PROXY, "no address was found for the proxy")],
    ids=["name", "proxy"],
)
def test_a_token_service_without_an_address(
    cli: Cli, provider: str, variables: dict[str, str], why: str
) -> None:
    url = f"https://{NOWHERE}/token"
    env = {**JOB, "ACTIONS_ID_TOKEN_REQUEST_URL": f"{url}?a=b", **variables}
    done = cli("auth", "login", "--provider", provider, env=env)
    assert (done.exit, done.stderr.splitlines()[0]) == (
        77,
        f'error: provider "{provider}": the OIDC token of this job: no answer from {url}: {why}',
    )
    assert "hint: check the network, proxy and CA settings" in done.stderr
    assert "Errno" not in done.stderr


def test_the_console_behind_a_proxy_that_is_not_there(cli: Cli, sso_portal: Portal) -> None:
    env = {"AWS_ENDPOINT_URL": sso_portal.endpoint, "ATMOS_FORCE_TTY": "true", "CI": "true"}
    assert cli("auth", "login", env=env).exit == 0
    done = cli("auth", "console", "--print", env={**env, **PROXY})
    assert (done.exit, done.stdout, done.stderr.splitlines()) == (
        77,
        "",
        [
            f"error: the console: no answer from {FEDERATION}: no address was found for the proxy",
            "hint: check the network, proxy and CA settings (HTTPS_PROXY, SSL_CERT_FILE)",
        ],
    )


def test_a_portal_behind_a_proxy_that_is_not_there(cli: Cli) -> None:
    env = {"ATMOS_FORCE_TTY": "true", "CI": "true", "ATMOS_WRAP_TIMEOUT": "3", **PROXY}
    done = cli("auth", "login", "--provider", "sso", env=env)
    assert (done.exit, done.stderr.splitlines()[0]) == (
        77,
        f"error: signing in to IAM Identity Center: no answer from {OIDC}: the proxy cannot be reached",
    )
