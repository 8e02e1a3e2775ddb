"""The installed program opens the AWS console of each partition, and lets nothing else be seen of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pexpect
import pytest

from tests.conftest import Cli
from tests.e2e.ends import ended
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


@pytest.mark.parametrize(
    ("identity", "asked", "sent", "told"),
    [
        ("dev", "4h", "14400", ""),
        ("dev", "15m", "900", ""),
        ("dev", "1m", "900", "--duration 1m: AWS gives 15m to 12h"),
        ("dev", "20h", "43200", "--duration 20h: AWS gives 15m to 12h"),
        ("hop", "4h", None, REFUSED),
        ("hop", "30m", None, REFUSED),
    ],
)
def test_a_duration_is_asked_for_where_aws_takes_one_and_else_it_is_said(
    lab: Lab, identity: str, asked: str, sent: str | None, told: str
) -> None:
    done = lab.cli("auth", "console", "-i", identity, "--print", "--duration", asked)
    assert (done.exit, told in done.stderr) == (0, True)
    assert done.stderr.count("warning: ") == bool(told)
    assert [found.get("SessionDuration") for found in lab.cloud.asked] == [sent]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (("--duration", "soon"), 'invalid duration "soon"'),
        (("--destination", "lamda"), 'unknown destination "lamda"'),
        (("-i", "nobody"), '"nobody"'),
    ],
)
def test_what_is_wrong_is_said_before_anybody_is_asked(
    lab: Lab, wrong: tuple[str, str], told: str
) -> None:
    done = lab.cli("auth", "console", "--print", *wrong)
    assert (done.exit != 0, done.stdout, told in done.stderr) == (True, "", True), done.stderr
    assert (lab.cloud.calls, lab.cloud.asked, lab.network.asked) == ([], [], [])


def test_the_issuer_is_the_one_that_is_asked_for(lab: Lab) -> None:
    assert lab.page("--issuer", "acme ops & more")["Issuer"] == "acme ops & more"


def test_a_role_of_a_role_is_shown_by_its_own_session(lab: Lab) -> None:
    lab.page("-i", "hop")
    assert lab.cloud.asked[0]["who"].startswith("arn:aws:sts::222222222222:assumed-role/Hop/")


def test_a_role_by_saml_has_a_console_too(lab: Lab, tool: Callable[[str], str]) -> None:
    tool("chromium")
    with saml.running() as (idp, sts):
        lab.partition(idp=idp.url)
        lab.cloud._keys = sts._keys
        lab.cli.environment |= {"AWS_ENDPOINT_URL": sts.endpoint, "PASSWORD": idp.users["alice"]}
        lab.page("-i", "admin", "--duration", "8h")
    (asked,) = lab.cloud.asked
    assert asked["SessionDuration"] == "28800"
    assert asked["who"].startswith("arn:aws:sts::111111111111:assumed-role/Admin/")


@pytest.mark.parametrize("more", [(), ("--duration", "2h")], ids=["plain", "long"])
def test_a_refusal_says_what_can_be_done(lab: Lab, more: tuple[str, ...]) -> None:
    lab.cloud.status = 400
    done = lab.cli("auth", "console", "--print", *more)
    assert (done.exit, done.stdout) == (77, "")
    assert "AWS gave no sign-in token for the console (HTTP 400)" in done.stderr
    assert ("try without --duration" in done.stderr) == bool(more)


def test_no_secret_is_shown_but_in_the_address(lab: Lab) -> None:
    lab.page()
    for options in (("--no-open",), ("--print",)):
        done = lab.cli("auth", "console", *options, "--logs-level", "Trace")
        address = lab.cloud.given[-1]
        shown = done.stderr if options == ("--no-open",) else done.stdout
        assert (done.exit, shown.count(address)) == (0, 1)
        rest = (done.stdout + done.stderr).replace(address, "")
        secret = [part for key in lab.cloud._keys.values() for part in key[:2]]
        known = [*secret, *lab.cloud.given, "Session="]
        assert [part for part in known if part and part in rest] == []


@pytest.mark.parametrize("option", ["", "--no-open"])
def test_the_users_browser_opens_the_page_and_the_terminal_does_not_show_it(
    lab: Lab, tmp_path: Path, option: str
) -> None:
    seen = tmp_path / "seen"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>{seen}\n')
    browser.chmod(0o755)
    assert lab.cli("auth", "login").exit == 0
    child = pexpect.spawn(
        lab.cli.program,
        ["auth", "console", "--destination", "ec2", *([option] if option else [])],
        cwd=str(lab.cli.cwd),
        env=lab.cli.child_environment({"CI": None, "BROWSER": str(browser)}),
        encoding="utf-8",
        timeout=60,
        dimensions=(50, 2000),
    )
    ended(child)
    screen = child.before or ""
    assert child.exitstatus == 0, screen
    (token,) = lab.cloud.given
    opened = seen.read_text().splitlines() if seen.exists() else []
    assert [token in line for line in opened] == ([] if option else [True])
    assert (token in screen, "Opened console in browser" in screen) == (bool(option), not option)


def test_where_no_browser_is_the_address_is_shown(lab: Lab) -> None:
    done = lab.cli("auth", "console", env={"CI": None, "BROWSER": "/nowhere", "PATH": "/nowhere"})
    assert (done.exit, done.stdout) == (0, "")
    assert lab.cloud.given[0] in done.stderr
    assert "Opened console" not in done.stderr
