"""Who an identity is, is read from its session, and AWS is asked where that is wished for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.fakes import aws, proxy

CONFIG = """\
base_path: .
auth:
  realm: lab
  identities:
    alice: {{kind: aws/user, credentials: {{access_key_id: !env KEY_ID, secret_access_key: !env SECRET, region: eu-west-1}}}}
    role: {{kind: aws/assume-role, default: true, via: {{identity: alice}}, principal: {{assume_role: "{arn}", session_name: me, region: eu-west-1}}}}
"""
ME = "arn:aws:sts::222222222222:assumed-role/role/me"
WHOAMI = ("auth", "whoami", "-o", "json")
HOST = "sts.eu-west-1.amazonaws.com"


class Lab:
    """A role that is signed in, in a network that refuses all until a host is let in."""

    def __init__(self, cli: Cli, fake: aws.Fake, network: proxy.Proxy) -> None:
        self.cli, self.fake, self.network = cli, fake, network
        self.user = fake.user("111111111111", "alice")
        self.arn = fake.role("222222222222", "role", trusts=self.user.arn)
        fake.allow(self.user.arn, "sts:AssumeRole", self.arn)
        (cli.cwd / "atmos.yaml").write_text(CONFIG.format(arn=self.arn))
        keys = {"KEY_ID": self.user.access_key_id, "SECRET": self.user.secret_access_key}
        cli.environment |= {**keys, **network.environment()}
        self.reach()
        done = cli("auth", "login")
        assert done.exit == 0, done.stderr
        network.block(HOST)

    def reach(self) -> None:
        """Let STS be there."""
        self.network.route(HOST, self.fake.endpoint)


@pytest.fixture
def lab(cli: Cli, fake_aws: aws.Fake, tmp_path: Path) -> Iterator[Lab]:
    """A role that is signed in."""
    with proxy.running(tmp_path) as network:
        yield Lab(cli, fake_aws, network)


def test_without_verify_nothing_is_contacted(lab: Lab) -> None:
    done = lab.cli(*WHOAMI)
    assert (done.exit, lab.network.asked, lab.network.refused) == (0, [], []), done.stderr
    found = json.loads(done.stdout)
    assert (found["principal"], found["account"], found["identity"]) == (ME, "222222222222", "role")
    shown = lab.cli("auth", "whoami")
    assert (shown.stdout, ME in shown.stderr) == ("", True)
    assert lab.network.refused == []


def test_verify_asks_sts_as_the_identity(lab: Lab) -> None:
    lab.reach()
    done = lab.cli(*WHOAMI, "--verify")
    assert (done.exit, json.loads(done.stdout)["principal"]) == (0, ME), done.stderr
    assert (lab.network.asked, lab.network.refused) == ([HOST], [])
    last = lab.fake.calls()[-1]
    assert (last.action, last.kind, last.signer) == ("GetCallerIdentity", "role", ME)


def test_verify_finds_a_key_that_aws_no_longer_knows(lab: Lab) -> None:
    lab.reach()
    granted = lab.fake.calls("AssumeRole")[-1].granted
    kept = Path(lab.cli.environment["HOME"]).rglob("sessions/*.json")
    keys = [_key(json.loads(path.read_text())) for path in kept]
    (key,) = (key for key in keys if aws.alias(key) == granted)
    lab.fake.revoke(key)
    assert json.loads(lab.cli(*WHOAMI).stdout)["principal"] == ME
    done = lab.cli(*WHOAMI, "--verify")
    assert (done.exit, done.stdout) == (77, "")
    first = done.stderr.splitlines()[0]
    assert first.startswith('error: identity "role": STS refused GetCallerIdentity: InvalidClient')


def test_verify_without_a_network_is_an_error_and_not_an_answer(lab: Lab) -> None:
    done = lab.cli(*WHOAMI, "--verify", env={"ATMOS_WRAP_TIMEOUT": "2"})
    assert (done.exit, done.stdout) == (77, "")
    assert done.stderr.startswith('error: identity "role": ')
    assert (set(lab.network.refused), lab.network.asked) == ({HOST}, [])


def _key(found: object) -> str:
    """Return the access key id, wherever in a session file it is."""
    if isinstance(found, dict):
        if "access_key_id" in found:
            return str(found["access_key_id"])
        return next((key for part in found.values() if (key := _key(part))), "")
    return ""
