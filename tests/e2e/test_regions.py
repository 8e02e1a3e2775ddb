"""Regions, partitions and the SDKs' endpoint settings: which host is asked, and which is not."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.conftest import Cli
from tests.fakes import proxy, signin
from tests.fakes.portal import Portal
from wrapper.auth.kinds import _partitions

PAGE = Path(__file__).parents[2] / "docs/reference/regions.md"
FIPS, DUAL = {"AWS_USE_FIPS_ENDPOINT": "true"}, {"AWS_USE_DUALSTACK_ENDPOINT": "true"}
LEGACY = {"AWS_STS_REGIONAL_ENDPOINTS": "legacy"}
SETTINGS: dict[str, Mapping[str, str]] = {"": {}, "FIPS": FIPS, "dual-stack": DUAL}
# A partition's region, as named by the page's table.
ARNS = {"us-gov": "aws-us-gov", "cn": "aws-cn", "eusc": "aws-eusc"}
ROLE = """\
base_path: .
auth:
  realm: regions
  identities:
    machine: {{kind: aws/ambient}}
    role:
      kind: aws/assume-role
      default: true
      via: {{identity: machine}}
      principal: {{assume_role: "{arn}"{more}}}
"""
SSO = """\
base_path: .
auth:
  realm: regions
  providers:
    acme: {{kind: aws/iam-identity-center, start_url: "https://acme.awsapps.com/start", region: {region}}}
  identities:
    dev: {{kind: aws/permission-set, default: true, via: {{provider: acme}}, principal: {{name: Admin, account: {{name: dev}}{more}}}}}
"""
USER = """\
base_path: .
auth:
  realm: regions
  identities:
    me: {{kind: aws/user, default: true, credentials: {{region: {region}}}}}
"""
ROOT = """\
base_path: .
auth:
  realm: regions
  identities:
    machine: {{kind: aws/ambient}}
    root:
      kind: aws/assume-root
      default: true
      via: {{identity: machine}}
      principal: {{target_principal: "333333333333", task_policy_arn: "{task}", region: {region}}}
"""


def table() -> list[tuple[str, ...]]:
    """Return the rows of the page's table of hosts: region, setting, four hosts."""
    lines = PAGE.read_text().split("<!-- hosts -->")[1].split("<!-- end -->")[0].splitlines()
    rows = [tuple(c.strip().strip("`") for c in line.strip("|").split("|")) for line in lines]
    return [row for row in rows if len(row) == 6 and row[0] not in ("region", "---")]


HOSTS = table()
NAMES = [f"{row[0]} {row[1]}".strip() for row in HOSTS]


@pytest.fixture
def network(tmp_path: Path) -> Iterator[proxy.Proxy]:
    """A network in which only those hosts are there that a test names."""
    with proxy.running(tmp_path) as found:
        yield found


def arn_in(region: str) -> str:
    partition = next((name for begins, name in ARNS.items() if region.startswith(begins)), "aws")
    return f"arn:{partition}:iam::222222222222:role/role"


def keys(sso_portal: Portal) -> dict[str, str]:
    """Return the variables of somebody's session, whom `aws/ambient` finds."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    return dict(zip(names, sso_portal.key("arn:aws:iam::111111111111:user/alice"), strict=True))


def role(cli: Cli, arn: str, region: str = "") -> None:
    more = f", region: {region}" if region else ""
    (cli.cwd / "atmos.yaml").write_text(ROLE.format(arn=arn, more=more))


@pytest.mark.parametrize("row", HOSTS, ids=NAMES)
def test_sts_of_the_region_is_asked(
    cli: Cli, sso_portal: Portal, network: proxy.Proxy, row: tuple[str, ...]
) -> None:
    region, setting, host, *_ = row
    role(cli, arn_in(region), region)
    network.route(host, sso_portal.endpoint)
    env = {**network.environment(), **keys(sso_portal), **SETTINGS[setting]}
    done = cli("auth", "login", env=env)
    assert (done.exit, set(network.asked), network.refused) == (0, {host}, []), done.stderr


@pytest.mark.parametrize(
    ("region", "settings", "host"),
    [
        ("us-west-2", LEGACY, "sts.amazonaws.com"),
        ("us-gov-west-1", LEGACY, "sts.us-gov-west-1.amazonaws.com"),
        ("us-west-2", {"AWS_REGION": "eu-west-1"}, "sts.us-west-2.amazonaws.com"),
        ("us-west-2", {"AWS_ENDPOINT_URL_STS": "https://sts.example.com"}, "sts.example.com"),
        (
            "us-west-2",
            {
                "AWS_ENDPOINT_URL_STS": "https://sts.example.com",
                "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
            },
            "sts.us-west-2.amazonaws.com",
        ),
    ],
    ids=["legacy", "legacy in GovCloud", "the shell's region", "endpoint", "endpoint ignored"],
)
def test_what_settings_of_the_shell_do_to_the_host(
    cli: Cli,
    sso_portal: Portal,
    network: proxy.Proxy,
    region: str,
    settings: dict[str, str],
    host: str,
) -> None:
    role(cli, arn_in(region), region)
    network.route(host, sso_portal.endpoint)
    env = {**network.environment(), **keys(sso_portal), **settings}
    done = cli("auth", "login", env=env)
    assert (done.exit, set(network.asked), network.refused) == (0, {host}, []), done.stderr


@pytest.mark.parametrize("row", HOSTS, ids=NAMES)
def test_portal_and_sign_in_of_sso_are_those_of_the_region(
    cli: Cli, sso_portal: Portal, network: proxy.Proxy, row: tuple[str, ...]
) -> None:
    region, setting, _, portal, oidc, _ = row
    (cli.cwd / "atmos.yaml").write_text(SSO.format(region=region, more=""))
    for host in (portal, oidc):
        network.route(host, sso_portal.endpoint)
    env = {**network.environment(), **SETTINGS[setting], "ATMOS_FORCE_TTY": "true"}
    done = cli("auth", "login", env=env)
    assert (done.exit, network.refused) == (0, []), done.stderr
    assert list(dict.fromkeys(network.asked)) == [oidc, portal]


@pytest.mark.parametrize("row", HOSTS, ids=NAMES)
def test_a_user_signs_in_by_the_page_of_the_region(
    cli: Cli, network: proxy.Proxy, row: tuple[str, ...]
) -> None:
    region, setting, *_, host = row
    (cli.cwd / "atmos.yaml").write_text(USER.format(region=region))
    with signin.running() as service:
        network.route(host, service.endpoint)
        service.endpoint = f"https://{host}"
        env = {**network.environment(), **SETTINGS[setting], "ATMOS_FORCE_TTY": "true"}
        with cli.start("auth", "login", env=env) as child:
            try:
                assert child.stderr is not None
                page = next((one.split()[-1] for one in child.stderr if "open  http" in one), "")
                assert page.startswith(f"https://{host}/v1/authorize?")
                confirm(service, page)
                _, told = child.communicate(timeout=60)
            finally:
                child.kill()
    assert (child.returncode, network.asked, network.refused) == (0, [host], []), told


def confirm(service: signin.SignIn, page: str) -> None:
    """Be the person, who signs in on the page."""
    asked = dict(parse_qsl(urlsplit(page).query))
    code = service.code(asked["code_challenge"], asked["redirect_uri"])
    back = f"{asked['redirect_uri']}?code={code}&state={asked['state']}"
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(back, timeout=60).close()


@pytest.mark.parametrize("partition", _partitions.PARTITIONS, ids=lambda p: p.name)
@pytest.mark.parametrize("fips", [False, True], ids=["", "FIPS"])
@pytest.mark.parametrize("dual", [False, True], ids=["", "dual-stack"])
def test_sign_in_hosts_are_those_of_the_sdk(
    partition: _partitions.Partition, fips: bool, dual: bool
) -> None:
    region = "eu-west-1" if partition.name == "aws" else partition.region
    assert _partitions.sign_in_host(region, fips=fips, dual=dual) == sdk(region, fips, dual)


def sdk(region: str, fips: bool, dual: bool) -> str:
    """Return the host that botocore's own rules name for the sign-in service."""
    from botocore.endpoint_provider import EndpointProvider
    from botocore.loaders import Loader

    loader = Loader()
    rules = loader.load_service_model("signin", "endpoint-rule-set-1")
    provider = EndpointProvider(rules, loader.load_data("partitions"))
    found = provider.resolve_endpoint(Region=region, UseFIPS=fips, UseDualStack=dual)
    return str(urlsplit(found.url).hostname)


def test_regions_belong_to_the_partitions_of_the_sdk() -> None:
    from botocore.loaders import Loader

    for partition in Loader().load_data("partitions")["partitions"]:
        for region in partition["regions"]:
            found = _partitions.of_region(region)
            if re.fullmatch(partition["regionRegex"], region):
                assert found is not None
                assert (found.name, found.suffix, found.dual) == (
                    partition["id"],
                    partition["outputs"]["dnsSuffix"],
                    partition["outputs"]["dualStackDnsSuffix"],
                )
            else:  # `aws-global` and the like
                assert found is None


# ---- a region of another partition -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("partition", "host"),
    [
        ("aws", "sts.us-east-1.amazonaws.com"),
        ("aws-us-gov", "sts.us-gov-west-1.amazonaws.com"),
        ("aws-cn", "sts.cn-north-1.amazonaws.com.cn"),
        ("aws-eusc", "sts.eusc-de-east-1.amazonaws.eu"),
    ],
)
def test_without_a_region_the_role_is_asked_for_in_its_partition(
    cli: Cli, sso_portal: Portal, network: proxy.Proxy, partition: str, host: str
) -> None:
    role(cli, f"arn:{partition}:iam::222222222222:role/role")
    network.route(host, sso_portal.endpoint)
    done = cli("auth", "login", env={**network.environment(), **keys(sso_portal)})
    assert (done.exit, network.asked, network.refused) == (0, [host], []), done.stderr


@pytest.mark.parametrize(
    ("partition", "region", "first"),
    [
        ("aws-us-gov", "eu-west-1", "us-gov-west-1"),
        ("aws-cn", "us-gov-west-1", "cn-north-1"),
        ("aws", "us-gov-east-1", "us-east-1"),
        ("aws", "cn-north-1", "us-east-1"),
    ],
)
def test_a_role_is_not_asked_for_in_a_region_of_another_partition(
    cli: Cli, sso_portal: Portal, network: proxy.Proxy, partition: str, region: str, first: str
) -> None:
    arn = f"arn:{partition}:iam::222222222222:role/role"
    role(cli, arn, region)
    done = cli("auth", "login", env={**network.environment(), **keys(sso_portal)})
    assert (done.exit, network.asked, network.refused) == (78, [], [])
    told = f'identity "role": region {region} is not in {partition}, where {arn} is'
    assert told in done.stderr
    assert f"set `region` to one of {partition}, as {first}" in done.stderr


def test_an_endpoint_that_is_configured_is_asked_whatever_the_region(
    cli: Cli, sso_portal: Portal
) -> None:
    role(cli, "arn:aws-us-gov:iam::222222222222:role/role", "eu-west-1")
    env = {"AWS_ENDPOINT_URL": sso_portal.endpoint, **keys(sso_portal)}
    assert cli("auth", "login", env=env).exit == 0
    assert sso_portal.actions() == ["AssumeRole"]


def test_a_root_task_is_not_asked_for_in_a_region_of_another_partition(
    cli: Cli, sso_portal: Portal, network: proxy.Proxy
) -> None:
    task = "arn:aws-us-gov:iam::aws:policy/root-task/S3UnlockBucketPolicy"
    (cli.cwd / "atmos.yaml").write_text(ROOT.format(task=task, region="eu-west-1"))
    done = cli("auth", "login", env={**network.environment(), **keys(sso_portal)})
    assert (done.exit, network.asked, network.refused) == (78, [], [])
    assert f'identity "root": region eu-west-1 is not in aws-us-gov, where {task}' in done.stderr


@pytest.mark.parametrize(
    ("region", "task"),
    [
        ("eusc-de-east-1", "arn:aws-eusc:iam::aws:policy/root-task/S3UnlockBucketPolicy"),
        ("us-iso-east-1", "arn:aws-iso:iam::aws:policy/root-task/S3UnlockBucketPolicy"),
    ],
)
def test_a_short_root_task_is_that_of_the_regions_partition(
    cli: Cli, sso_portal: Portal, region: str, task: str
) -> None:
    (cli.cwd / "atmos.yaml").write_text(ROOT.format(task="S3UnlockBucketPolicy", region=region))
    env = {"AWS_ENDPOINT_URL": sso_portal.endpoint, **keys(sso_portal)}
    assert cli("auth", "login", env=env).exit == 0
    assert [c.params["TaskPolicyArn"] for c in sso_portal.calls] == [{"arn": task}]


def test_a_permission_set_says_that_its_region_is_of_another_partition(
    cli: Cli, sso_portal: Portal
) -> None:
    written = SSO.format(region="eu-west-1", more=", region: us-gov-west-1")
    (cli.cwd / "atmos.yaml").write_text(written)
    env = {"AWS_ENDPOINT_URL": sso_portal.endpoint, "ATMOS_FORCE_TTY": "true"}
    done = cli("auth", "login", env=env)
    assert done.exit == 0, done.stderr
    assert 'identity "dev": region us-gov-west-1 is not in aws' in done.stderr


@pytest.mark.parametrize(
    ("start", "region", "partition"),
    [
        ("https://start.us-gov-home.awsapps.com/directory/acme", "eu-west-1", "aws-us-gov"),
        ("https://acme.awsapps.cn/start", "us-gov-west-1", "aws-cn"),
        ("https://acme.portal.eu-west-1.app.aws", "cn-north-1", "aws"),
    ],
)
def test_a_portal_says_that_its_region_is_of_another_partition(
    cli: Cli, network: proxy.Proxy, start: str, region: str, partition: str
) -> None:
    written = SSO.format(region=region, more="")
    written = written.replace("https://acme.awsapps.com/start", start)
    (cli.cwd / "atmos.yaml").write_text(written)
    env = {**network.environment(), "ATMOS_FORCE_TTY": "true", "AWS_MAX_ATTEMPTS": "1"}
    done = cli("auth", "login", env=env)
    assert done.exit == 77
    told = f'provider "acme": region {region} is not in {partition}, where {start} is'
    assert told in done.stderr
