"""How credentials reach real clients: pointers, plain files, keys in the environment."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.fakes import aws, chain

DELIVERIES = ("pointers", "files", "env")
ENV = ("exec", "-c", "app", "-s", "prod", "--", "env")


def _variables(cli: Cli) -> dict[str, str]:
    done = cli(*ENV)
    assert done.exit == 0, done.stderr
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


@pytest.fixture
def aws_cli(environment: dict[str, str]) -> None:
    """Put the AWS CLI into the children's PATH."""
    Path(environment["PATH"].partition(":")[0], "aws").symlink_to(
        Path(sys.executable).parent / "aws"
    )


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_terraform_and_its_backend_act_as_the_identity(
    cli: Cli, make_chain: chain.Make, fake_aws: aws.Fake, terraform: str, delivery: str
) -> None:
    made = make_chain(atmos=f"wrap: {{delivery: {delivery}}}\n")
    done = cli("terraform", "apply", "app", "-s", "prod", "-auto-approve")
    assert done.exit == 0, done.stderr
    stored = fake_aws.calls(service="s3")
    assert {call.signer for call in stored} == {made.session("deploy")}
    assert list(fake_aws.objects(chain.LEAF, chain.BUCKET)) == ["app/prod/terraform.tfstate"]


@pytest.mark.parametrize(
    ("delivery", "command"),
    [
        *((each, ("aws", "-i", "deploy")) for each in DELIVERIES),
        ("pointers", ("exec", "-i", "deploy", "--", "aws")),
    ],
    ids=[*DELIVERIES, "exec"],
)
def test_the_aws_cli_acts_as_the_identity(
    cli: Cli, make_chain: chain.Make, aws_cli: None, delivery: str, command: tuple[str, ...]
) -> None:
    made = make_chain(atmos=f"wrap: {{delivery: {delivery}}}\n")
    done = cli(*command, "sts", "get-caller-identity", "--output", "json")
    assert (done.exit, done.stderr) == (0, "")
    assert json.loads(done.stdout)["Arn"] == made.session("deploy")


def test_the_aws_cli_reaches_other_identities_by_their_profiles(
    cli: Cli, make_chain: chain.Make, aws_cli: None
) -> None:
    made = make_chain()
    done = cli("aws", "sts", "get-caller-identity", "--profile", "hub")
    assert done.exit == 0, done.stderr
    assert json.loads(done.stdout)["Arn"] == made.session("hub")


def test_pointers_name_a_profile_and_no_key(cli: Cli, make_chain: chain.Make, state: Path) -> None:
    make_chain()
    found = {k: v for k, v in _variables(cli).items() if k.startswith("AWS_")}
    config = Path(found.pop("AWS_CONFIG_FILE"))
    empty = Path(found.pop("AWS_SHARED_CREDENTIALS_FILE"))
    endpoints = {name for name in found if name.startswith("AWS_ENDPOINT_URL")}
    assert {k: v for k, v in found.items() if k not in endpoints} == {
        "AWS_PROFILE": "deploy",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_SDK_LOAD_CONFIG": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    assert config.is_relative_to(state)
    assert empty.read_bytes() == b""
    assert "credential_process" in config.read_text()


def test_files_hold_the_keys_that_the_environment_does_not(
    cli: Cli, make_chain: chain.Make, state: Path
) -> None:
    make_chain(atmos="wrap: {delivery: files}\n")
    found = _variables(cli)
    credentials = Path(found["AWS_SHARED_CREDENTIALS_FILE"])
    assert credentials.is_relative_to(state)
    assert credentials.stat().st_mode & 0o777 == 0o600
    assert "[deploy]\naws_access_key_id = ASIA" in credentials.read_text()
    assert found["AWS_PROFILE"] == "deploy"
    assert "AWS_SECRET_ACCESS_KEY" not in found


def test_env_hands_over_the_session_and_nothing_that_lives_longer(
    cli: Cli, make_chain: chain.Make
) -> None:
    made = make_chain(atmos="wrap: {delivery: env}\n")
    found = _variables(cli)
    assert found["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert {"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} <= set(found)
    assert "AWS_PROFILE" not in found
    assert Path(found["AWS_CONFIG_FILE"]).read_bytes() == b""
    assert Path(found["AWS_SHARED_CREDENTIALS_FILE"]).read_bytes() == b""
    assert made.user.secret_access_key not in found.values()
    assert made.user.access_key_id not in found.values()
