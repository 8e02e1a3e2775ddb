"""Regions, partitions and the SDKs' endpoint settings: which host an identity's role is asked from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.fakes import aws, proxy

ATMOS = """\
base_path: .
auth:
  realm: regions
  identities:
    alice:
      kind: aws/user
      credentials: {{access_key_id: !env KEY_ID, secret_access_key: !env SECRET, region: {region}}}
    role:
      kind: aws/assume-role
      default: true
      via: {{identity: alice}}
      principal: {{assume_role: "{arn}", region: {region}}}
"""


@pytest.fixture
def network(tmp_path: Path) -> Iterator[proxy.Proxy]:
    """A network in which only those hosts are there that a test names."""
    with proxy.running(tmp_path) as found:
        yield found


@pytest.mark.parametrize(
    ("region", "settings", "host"),
    [
        ("eu-west-1", {}, "sts.eu-west-1.amazonaws.com"),
        ("us-gov-west-1", {}, "sts.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", {}, "sts.cn-north-1.amazonaws.com.cn"),
        ("us-east-2", {"AWS_USE_FIPS_ENDPOINT": "true"}, "sts-fips.us-east-2.amazonaws.com"),
        ("eu-west-1", {"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "sts.eu-west-1.api.aws"),
        ("us-west-2", {"AWS_STS_REGIONAL_ENDPOINTS": "legacy"}, "sts.amazonaws.com"),
        ("us-west-2", {"AWS_REGION": "eu-west-1"}, "sts.us-west-2.amazonaws.com"),
        ("us-west-2", {"AWS_ENDPOINT_URL_STS": "https://sts.example.com"}, "sts.example.com"),
    ],
)
def test_the_host_that_is_asked(
    cli: Cli,
    fake_aws: aws.Fake,
    network: proxy.Proxy,
    region: str,
    settings: dict[str, str],
    host: str,
) -> None:
    alice = fake_aws.user("111111111111", "alice")
    arn = fake_aws.role("222222222222", "role", trusts=alice.arn)
    fake_aws.allow(alice.arn, "sts:AssumeRole", arn)
    (cli.cwd / "atmos.yaml").write_text(ATMOS.format(region=region, arn=arn))
    network.route(host, fake_aws.environment()["AWS_ENDPOINT_URL"])
    keys = {"KEY_ID": alice.access_key_id, "SECRET": alice.secret_access_key}
    done = cli("auth", "login", env={**network.environment(), **keys, **settings})
    assert (done.exit, set(network.asked), network.refused) == (0, {host}, []), done.stderr


def test_settings_of_the_network_reach_the_program(cli: Cli, fake_aws: aws.Fake) -> None:
    alice = fake_aws.user("111111111111", "alice")
    arn = fake_aws.role("222222222222", "role", trusts=alice.arn)
    fake_aws.allow(alice.arn, "sts:AssumeRole", arn)
    (cli.cwd / "atmos.yaml").write_text(ATMOS.format(region="eu-west-1", arn=arn))
    kept = {
        **fake_aws.environment(),
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1",
        "SSL_CERT_FILE": "/ca.pem",
        "REQUESTS_CA_BUNDLE": "/ca.pem",
        "AWS_USE_FIPS_ENDPOINT": "false",
        "AWS_USE_DUALSTACK_ENDPOINT": "false",
        "AWS_STS_REGIONAL_ENDPOINTS": "regional",
        "AWS_MAX_ATTEMPTS": "7",
    }
    keys = {"KEY_ID": alice.access_key_id, "SECRET": alice.secret_access_key}
    done = cli("exec", "--", "env", env={**kept, **keys})
    found = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert {name: found.get(name) for name in kept} == kept
