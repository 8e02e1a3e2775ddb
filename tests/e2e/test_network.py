"""The user's endpoints, proxies and CA bundles: what holds for us, what a program gets, what hides."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.fakes import proxy
from tests.fakes.portal import Portal

ATMOS = """\
base_path: .
auth:
  realm: network
  identities:
    machine: {{kind: aws/ambient}}
    role:
      kind: aws/assume-role
      default: true
      via: {{identity: machine}}
      principal: {{assume_role: "arn:aws:iam::222222222222:role/role", region: us-east-2}}{more}
"""
ROLE = "arn:aws:sts::222222222222:assumed-role/role/"
STS, FIPS = "sts.us-east-2.amazonaws.com", "sts-fips.us-east-2.amazonaws.com"
AWS = str(Path(sys.executable).parent / "aws")
WHO = ("exec", "--", AWS, "sts", "get-caller-identity")


@pytest.fixture
def network(tmp_path: Path, cli: Cli, sso_portal: Portal) -> Iterator[proxy.Proxy]:
    """A network behind a proxy, and the keys of somebody who may be the role."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    session = sso_portal.key("arn:aws:iam::111111111111:user/alice")
    (cli.cwd / "atmos.yaml").write_text(ATMOS.format(more=""))
    with proxy.running(tmp_path) as found:
        for host in (STS, FIPS):
            found.route(host, sso_portal.endpoint)
        cli.environment |= {**found.environment(), **dict(zip(names, session, strict=True))}
        yield found


KEPT = {
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
    "NO_PROXY": "127.0.0.1",
    "no_proxy": "127.0.0.1",
    "AWS_CA_BUNDLE": "/ca.pem",
    "SSL_CERT_FILE": "/ca.pem",
    "REQUESTS_CA_BUNDLE": "/ca.pem",
    "CURL_CA_BUNDLE": "/ca.pem",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_ENDPOINT_URL_S3": "https://s3.example.com",
    "AWS_ENDPOINT_URL_DYNAMODB": "https://dynamodb.example.com",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
    "AWS_STS_REGIONAL_ENDPOINTS": "legacy",
    "AWS_MAX_ATTEMPTS": "7",
    "AWS_RETRY_MODE": "adaptive",
}


@pytest.mark.parametrize("delivery", ["pointers", "files", "env"])
def test_settings_of_the_network_reach_the_program(
    cli: Cli, sso_portal: Portal, network: proxy.Proxy, delivery: str
) -> None:
    kept = {**KEPT, "AWS_ENDPOINT_URL": sso_portal.endpoint}
    env = {**kept, "AWS_ENDPOINT_URL_STS": sso_portal.endpoint, "ATMOS_WRAP_DELIVERY": delivery}
    done = cli("exec", "--", "env", "-0", env=env)
    assert done.exit == 0, done.stderr
    found = dict(line.split("=", 1) for line in done.stdout.rstrip("\0").split("\0"))
    assert {name: found.get(name) for name in kept} == kept


def test_we_and_a_real_client_ask_the_hosts_of_the_shells_settings(
    cli: Cli, network: proxy.Proxy
) -> None:
    done = cli(*WHO, env={"AWS_USE_FIPS_ENDPOINT": "true"}, timeout=120)
    assert done.exit == 0, done.stderr
    assert json.loads(done.stdout)["Arn"].startswith(ROLE)
    assert (network.asked, network.refused) == ([FIPS, FIPS], [])


OWN = """\
[default]
region = ap-south-1
use_fips_endpoint = true
use_dualstack_endpoint = true
ca_bundle = /nowhere.pem
endpoint_url = http://127.0.0.1:9
sts_regional_endpoints = legacy
retry_mode = adaptive
max_attempts = 9
services = mine

[profile role]
region = ap-south-1
use_fips_endpoint = true

[services mine]
sts =
  endpoint_url = http://127.0.0.1:9
"""
READ = """\
import botocore.session, json
session = botocore.session.Session()
names = ("region", "use_fips_endpoint", "use_dualstack_endpoint", "ca_bundle", "endpoint_url",
         "retry_mode", "max_attempts", "services")
profile = session.get_scoped_config()
print(json.dumps({name: profile.get(name) for name in names}))
"""


@pytest.mark.parametrize("delivery", ["pointers", "files", "env"])
def test_the_users_own_configuration_is_not_inherited(
    cli: Cli, home: Path, network: proxy.Proxy, delivery: str
) -> None:
    (home / ".aws").mkdir()
    (home / ".aws/config").write_text(OWN)
    env = {"ATMOS_WRAP_DELIVERY": delivery}
    done = cli("exec", "--", sys.executable, "-c", READ, env=env)
    assert done.exit == 0, done.stderr
    region = None if delivery == "env" else "us-east-2"
    read = json.loads(done.stdout)
    assert read.pop("region") == region
    assert set(read.values()) == {None}
    assert json.loads(cli(*WHO, env=env, timeout=120).stdout)["Arn"].startswith(ROLE)
    assert (set(network.asked), network.refused) == ({STS}, [])


def test_the_env_of_an_identity_is_for_programs_and_not_for_us(
    cli: Cli, network: proxy.Proxy
) -> None:
    more = '\n      env: [{key: AWS_USE_FIPS_ENDPOINT, value: "true"}]'
    (cli.cwd / "atmos.yaml").write_text(ATMOS.format(more=more))
    assert cli(*WHO, timeout=120).exit == 0
    assert (network.asked, network.refused) == ([STS, FIPS], [])


# ---- proxies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("excepted", "around"),
    [
        ("amazonaws.com", True),
        (".us-east-2.amazonaws.com", True),
        ("example.com, STS.us-east-2.amazonaws.com", True),
        ("*", True),
        ("us-east-2", False),
        ("amazon*", False),
        ("0.0.0.0/0", False),
        ("sts.us-east-2.amazonaws.com:8443", False),
        ("sts.amazonaws.com", False),
    ],
)
def test_hosts_that_no_proxy_excepts(
    cli: Cli, network: proxy.Proxy, excepted: str, around: bool
) -> None:
    # A host of AWS is nowhere but behind the proxy: without it nothing is reached.
    env = {"NO_PROXY": excepted, "AWS_MAX_ATTEMPTS": "1", "ATMOS_WRAP_TIMEOUT": "3"}
    done = cli("auth", "login", env=env)
    assert (done.exit, network.asked) == ((77, []) if around else (0, [STS])), done.stderr


@pytest.mark.parametrize(
    ("excepted", "around"),
    [("127.0.0.1", True), ("127.0.0.1:{port}", True), ("127.0.0.1:1", False), ("127.0.0.0/8", False)],
)  # fmt: skip
def test_an_endpoint_with_a_port(
    cli: Cli, network: proxy.Proxy, sso_portal: Portal, excepted: str, around: bool
) -> None:
    port = sso_portal.endpoint.rpartition(":")[2]
    env = {
        "AWS_ENDPOINT_URL": sso_portal.endpoint,
        "HTTP_PROXY": network.url,
        "NO_PROXY": excepted.format(port=port),
        "AWS_MAX_ATTEMPTS": "1",
    }
    done = cli("auth", "login", env=env)
    assert (done.exit, network.refused) == ((0, []) if around else (77, ["127.0.0.1"]))


@pytest.mark.parametrize(
    ("portal", "refused"),
    [("portal.sso.eu-west-1.amazonaws.com", []), ("portal.sso.eu-west-1.api.aws", ["x"])],
)
def test_no_proxy_is_about_the_host_that_is_asked(
    cli: Cli, network: proxy.Proxy, sso_portal: Portal, portal: str, refused: list[str]
) -> None:
    network.route("oidc.eu-west-1.amazonaws.com", sso_portal.endpoint)
    (cli.cwd / "atmos.yaml").write_text(
        "base_path: .\nauth:\n  providers:\n    acme: {kind: aws/iam-identity-center,"
        " start_url: 'https://acme.awsapps.com/start', region: eu-west-1}\n  identities:\n"
        "    dev: {kind: aws/permission-set, default: true, via: {provider: acme},"
        " principal: {name: Admin, account: {name: dev}}}\n"
    )
    env = {"NO_PROXY": portal, "ATMOS_FORCE_TTY": "true", "AWS_MAX_ATTEMPTS": "1"}
    done = cli("auth", "login", env={**env, "ATMOS_WRAP_TIMEOUT": "3"})
    assert done.exit == 77  # the portal has no route through the proxy, nor around it
    assert set(network.asked) == {"oidc.eu-west-1.amazonaws.com"}
    assert bool(network.refused) == bool(refused)


@pytest.mark.parametrize("small", ["https_proxy", "HTTPS_PROXY"])
def test_small_letters_win(cli: Cli, network: proxy.Proxy, small: str) -> None:
    env = {"HTTPS_PROXY": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1", small: network.url}
    assert cli("auth", "login", env=env).exit == 0
    assert network.asked == [STS]


def test_an_empty_name_in_small_letters_takes_the_proxy_away(
    cli: Cli, network: proxy.Proxy
) -> None:
    env = {"https_proxy": "", "AWS_MAX_ATTEMPTS": "1", "ATMOS_WRAP_TIMEOUT": "3"}
    assert (cli("auth", "login", env=env).exit, network.asked) == (77, [])


SECRET = "5ecret-of-the-proxy"
ADDRESSES = {
    "nobody listens": f"http://me:{SECRET}@127.0.0.1:9",
    "refuses": f"http://me:{SECRET}@{{proxy}}",
    "no such host": f"http://me:{SECRET}@proxy.invalid:3128",
    "no port": f"http://me:{SECRET}@127.0.0.1:port",
    "slash": f"http://me:x/{SECRET}@127.0.0.1:9",
    "slash after a number": f"http://me:12/{SECRET}@127.0.0.1:9",
    "number sign": f"http://me:x#{SECRET}@127.0.0.1:9",
    "question mark": f"http://me:x?{SECRET}@127.0.0.1:9",
    "percent": f"http://me:%zz{SECRET}@127.0.0.1:9",
    "bracket": f"http://me:[{SECRET}@127.0.0.1:9",
    "no scheme": f"me:{SECRET}@127.0.0.1:9",
    "other scheme": f"socks5://me:{SECRET}@127.0.0.1:9",
    "blank": f"http://me:x {SECRET}@127.0.0.1:9",
}
UNREADABLE = ("no port", "slash", "slash after a number", "number sign", "question mark", "bracket")
GITHUB = """\
base_path: .
auth:
  providers: {job: {kind: github/oidc, region: us-east-2, spec: {audience: sts.amazonaws.com}}}
  identities: {ci: {kind: aws/assume-role, default: true, via: {provider: job}, principal: {assume_role: "arn:aws:iam::222222222222:role/role"}}}
"""
JOB = {
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://token.actions.example.com/oidc/token",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t",
    "GITHUB_ACTIONS": "true",
}


@pytest.mark.parametrize(
    ("address", "way"),
    [
        *((address, "SDK") for address in ADDRESSES),
        *((address, "HTTP") for address in (*UNREADABLE, "refuses", "percent")),
    ],
)
def test_a_proxys_password_is_never_shown(
    cli: Cli, network: proxy.Proxy, tmp_path: Path, address: str, way: str
) -> None:
    unreadable = address in UNREADABLE
    network.route("sts.us-east-2.amazonaws.com", "http://127.0.0.1:9")
    env = {
        "HTTPS_PROXY": ADDRESSES[address].format(proxy=network.url.partition("//")[2]),
        "AWS_MAX_ATTEMPTS": "1",
        "ATMOS_WRAP_TIMEOUT": "3",
        "ATMOS_LOGS_LEVEL": "Trace",
    }
    if way == "HTTP":
        (cli.cwd / "atmos.yaml").write_text(GITHUB)
        env |= JOB
    done = cli("auth", "login", env=env)
    assert done.exit in (77, 78), done.stderr
    assert "hint:" in done.stderr
    assert ("HTTPS_PROXY is not the address of a proxy" in done.stderr) == unreadable
    assert "HTTPClientError" not in done.stderr
    assert (SECRET in done.stderr, SECRET in done.stdout) == (False, False), done.stderr
    kept = [p for p in tmp_path.rglob("*") if p.is_file() and SECRET in p.read_text("latin-1")]
    assert kept == []


def test_a_proxys_password_is_sent_to_the_proxy(cli: Cli, network: proxy.Proxy) -> None:
    network.password = f"{SECRET}@/"
    env = {"HTTPS_PROXY": network.url.replace("//", f"//me:{SECRET}%40%2F@")}
    assert cli("auth", "login", env=env).exit == 0
    assert network.asked == [STS]


@pytest.mark.parametrize(
    ("password", "told"),
    [
        ("another", "the proxy wants another name and password (HTTP 407)"),
        (SECRET, "the proxy refuses to connect to it (HTTP 403)"),
    ],
)
@pytest.mark.parametrize("way", ["SDK", "HTTP"])
def test_a_proxy_that_refuses_is_told_as_such(
    cli: Cli, network: proxy.Proxy, password: str, told: str, way: str
) -> None:
    network.password = SECRET
    env = {"HTTPS_PROXY": network.url.replace("//", f"//me:{password}@"), "AWS_MAX_ATTEMPTS": "1"}
    if way == "HTTP":
        (cli.cwd / "atmos.yaml").write_text(GITHUB)
        env |= JOB
    else:
        text = (cli.cwd / "atmos.yaml").read_text()
        (cli.cwd / "atmos.yaml").write_text(text.replace("us-east-2", "us-west-1"))
    done = cli("auth", "login", env=env)
    assert (done.exit, told in done.stderr) == (77, True), done.stderr


def test_the_metadata_of_the_machine_is_not_asked_for_defaults(
    cli: Cli, network: proxy.Proxy
) -> None:
    env = {"AWS_DEFAULTS_MODE": "auto", "HTTP_PROXY": network.url}
    assert cli("auth", "login", env=env).exit == 0
    assert (network.asked, network.refused) == ([STS], [])


BUNDLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


@pytest.mark.parametrize("name", BUNDLES)
def test_each_name_of_a_ca_bundle_is_enough(cli: Cli, network: proxy.Proxy, name: str) -> None:
    env = {**dict.fromkeys(BUNDLES), "AWS_MAX_ATTEMPTS": "1"}
    assert cli("auth", "login", env={**env, name: network.bundle}).exit == 0
    assert network.asked == [STS]
