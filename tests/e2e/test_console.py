"""The installed program opens the AWS console of each partition, and lets nothing else be seen of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pexpect
import pytest

from tests.conftest import Cli
from tests.fakes import cloud, portal, proxy, saml, sigv4

CONFIG = """\
base_path: .
auth:
  realm: lab
  providers:
    sso: {{kind: aws/iam-identity-center, start_url: "https://acme.awsapps.com/start", region: {region}, console: {{session_duration: 2h}}}}
    acme: {{kind: aws/saml, url: "{idp}", region: {region}, username: alice, password: !env PASSWORD}}
  identities:
    dev: {{kind: aws/permission-set, default: true, via: {{provider: sso}}, principal: {{name: Admin, account: {{name: dev}}}}}}
    hop: {{kind: aws/assume-role, via: {{identity: dev}}, principal: {{assume_role: "arn:aws:iam::222222222222:role/Hop", session_name: hop}}}}
    admin: {{kind: aws/assume-role, via: {{provider: acme}}, principal: {{assume_role: "{role}"}}}}
    alice: {{kind: aws/user, credentials: {{access_key_id: !env KEY_ID, secret_access_key: !env SECRET, region: {region}}}}}
"""
COMMERCIAL = ("us-east-1", "signin.aws.amazon.com", "console.aws.amazon.com")
GOVCLOUD = ("us-gov-west-1", "signin.amazonaws-us-gov.com", "console.amazonaws-us-gov.com")
CHINA = ("cn-north-1", "signin.amazonaws.cn", "console.amazonaws.cn")
REFUSED = "AWS refuses it for a role that is assumed from another session"


class Federation(cloud.Cloud):
    """The cloud, with a record of what its federation endpoint was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[dict[str, str]] = []
        self.given: list[str] = []
        self.status = 200

    def answer(self, request: sigv4.Request) -> cloud.Answer:
        """Answer one request."""
        parts = urlsplit(request.target)
        if parts.path != "/federation":
            return super().answer(request)
        assert (request.method, request.body) == ("GET", b"")
        query = dict(parse_qsl(parts.query, strict_parsing=True))
        session = json.loads(query.pop("Session"))
        assert sorted(session) == ["sessionId", "sessionKey", "sessionToken"]
        self.asked.append({**query, "who": self._keys[session["sessionId"]][2]})
        if self.status != 200:
            return self.status, {}, b"no"
        status, headers, body = super().answer(request)
        self.given.append(json.loads(body).get("SigninToken", ""))
        return status, headers, body


class Lab:
    """A repository, a cloud, and a network in which only its console is."""

    def __init__(self, cli: Cli, there: Federation, network: proxy.Proxy) -> None:
        self.cli, self.cloud, self.network = cli, there, network
        cli.environment |= {
            **network.environment(),
            "AWS_ENDPOINT_URL": there.endpoint,
            "ATMOS_FORCE_TTY": "true",
            "CI": "true",
        }
        self.partition()

    def partition(
        self, place: tuple[str, str, str] = COMMERCIAL, idp: str = "http://127.0.0.1:9/"
    ) -> None:
        """Write the repository for a partition, and let its console be there."""
        region, host, _ = place
        text = CONFIG.format(region=region, idp=idp, role=saml.ADMIN)
        (self.cli.cwd / "atmos.yaml").write_text(text)
        self.network.route(host, self.cloud.endpoint)

    def page(self, *args: str) -> dict[str, str]:
        """Return what the printed address asks for, and its host; nothing else may be told."""
        done = self.cli("auth", "console", "--print", *args)
        assert (done.exit, done.stdout.count("\n")) == (0, 1), done.stderr
        parts = urlsplit(done.stdout.strip())
        assert (parts.scheme, parts.path) == ("https", "/federation")
        found = dict(parse_qsl(parts.query, strict_parsing=True))
        assert (found.pop("Action"), found.pop("SigninToken")) == ("login", self.cloud.given[-1])
        return {**found, "host": parts.hostname or ""}


@pytest.fixture
def lab(cli: Cli, tmp_path: Path) -> Iterator[Lab]:
    """A repository whose default identity is signed in by SSO when it is needed."""
    with portal.served(Federation()) as there, proxy.running(tmp_path) as network:
        yield Lab(cli, there, network)


ADMIN = "arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_Admin_abc/me"


@pytest.mark.parametrize("place", [COMMERCIAL, GOVCLOUD, CHINA], ids=lambda place: place[0])
def test_each_partition_has_its_own_sign_in_and_console(
    lab: Lab, place: tuple[str, str, str]
) -> None:
    lab.partition(place)
    _, host, console = place
    wanted = {
        (): f"https://{console}/",
        ("--destination", "s3"): f"https://{console}/s3",
        ("--destination", " SSM"): f"https://{console}/systems-manager",
        ("--destination", "serverless"): f"https://{console}/lambda/home#/applications",
        ("--destination", "https://example.com/x?y=z"): "https://example.com/x?y=z",
    }
    for given, address in wanted.items():
        assert lab.page(*given) == {"host": host, "Destination": address, "Issuer": "atmos"}
    assert lab.cloud.asked == [{"Action": "getSigninToken", "who": ADMIN}] * len(wanted)
    assert (set(lab.network.asked), lab.network.refused) == ({host}, [])
