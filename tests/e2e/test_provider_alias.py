"""Provider aliases with `profile = "<another identity>"`: required ones, and those that are not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.conftest import Cli
from tests.fakes import aws, chain, provider

IDENTITIES = """
audit:
  kind: aws/assume-role
  required: true
  via: {identity: gate}
  principal: {assume_role: "arn:aws:iam::444444444444:role/audit", session_name: alice-audit}
Spoke:
  kind: aws/assume-role
  via: {identity: hub}
  principal: {assume_role: "arn:aws:iam::555555555555:role/spoke", session_name: alice-spoke}
unused:
  kind: aws/assume-role
  via: {identity: hub}
  principal: {assume_role: "arn:aws:iam::555555555555:role/unused", session_name: alice-unused}
"""

MODULE = """
terraform {
  required_providers {
    who = { source = "example.com/acme/who" }
  }
}
provider "who" {}
provider "who" {
  alias   = "audit"
  profile = "audit"
}
provider "who" {
  alias   = "spoke"
  profile = "Spoke"
}
data "who_caller" "own" {}
data "who_caller" "audit" { provider = who.audit }
data "who_caller" "spoke" { provider = who.spoke }
output "callers" {
  value = {
    own   = data.who_caller.own.arn
    audit = data.who_caller.audit.arn
    spoke = data.who_caller.spoke.arn
  }
}
"""


@pytest.fixture
def made(
    cli: Cli, make_chain: chain.Make, fake_aws: aws.Fake, terraform: str, tmp_path: Path
) -> Iterator[chain.Chain]:
    """The chain, and a component with three providers."""
    made = make_chain(module=MODULE, identities=IDENTITIES)
    audit = fake_aws.role("444444444444", "audit", trusts=made.roles["gate"])
    spoke = fake_aws.role("555555555555", "spoke", trusts=made.roles["hub"])
    fake_aws.allow(made.roles["gate"], "sts:AssumeRole", audit, name="audit")
    fake_aws.allow(made.roles["hub"], "sts:AssumeRole", spoke, name="spoke")
    provider.install(tmp_path / "mirror", tmp_path / "terraform.rc")
    cli.environment["TF_CLI_CONFIG_FILE"] = str(tmp_path / "terraform.rc")
    with TemporaryDirectory(prefix="who-") as short:  # a socket's path has room for 107 bytes
        cli.environment["TMPDIR"] = short
        yield made


def _assumed(fake: aws.Fake) -> list[str]:
    return sorted(call.params["RoleArn"].rpartition("/")[2] for call in fake.calls("AssumeRole"))


def test_a_provider_alias_acts_as_the_identity_that_its_profile_names(
    cli: Cli, made: chain.Chain, fake_aws: aws.Fake
) -> None:
    applied = cli("terraform", "apply", "app", "-s", "prod", "-auto-approve", timeout=100)
    assert applied.exit == 0, applied.stderr
    shown = cli("terraform", "output", "app", "-s", "prod", "-json", "callers")
    assert json.loads(shown.stdout) == {
        "own": made.session("deploy"),
        "audit": "arn:aws:sts::444444444444:assumed-role/audit/alice-audit",
        "spoke": "arn:aws:sts::555555555555:assumed-role/spoke/alice-spoke",
    }
    assert _assumed(fake_aws) == ["audit", "deploy", "gate", "hub", "spoke"]


def test_what_is_required_is_signed_in_before_and_the_rest_when_asked_for(
    cli: Cli, made: chain.Chain, fake_aws: aws.Fake
) -> None:
    begun = cli("exec", "-c", "app", "-s", "prod", "--", "true")
    assert (begun.exit, begun.stderr) == (0, "")
    assert _assumed(fake_aws) == ["audit", "deploy", "gate", "hub"]


def test_a_provider_whose_identity_is_refused_says_which_one(
    cli: Cli, made: chain.Chain, fake_aws: aws.Fake
) -> None:
    fake_aws.drop_policy(made.roles["hub"], "spoke")
    only = ("-no-color", "-target=data.who_caller.spoke")
    done = cli("terraform", "plan", "app", "-s", "prod", *only, timeout=100)
    assert done.exit == 1
    said = " ".join(done.stderr.replace("│", " ").split())
    assert 'identity "Spoke": STS refused to assume arn:aws:iam::555555555555:role/spoke' in said
