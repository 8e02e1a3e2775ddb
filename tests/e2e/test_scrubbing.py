"""From a polluted shell, terraform sees one truth, and only the configured chain signs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import trustme

from tests.conftest import Cli
from tests.fakes import aws, chain
from wrapper.env import SCRUB

MODULE = """
resource "terraform_data" "app" {
  input = var.text
  provisioner "local-exec" { command = "env > $OUT" }
}
"""
# Names that the tables know by their beginning only.
FURTHER = {
    "aws": ("AWS_CONTAINER_NEW", "AWS_SSO_NEW", "AWS_BEARER_TOKEN_NEW", "AWS_VAULT_NEW"),
    "azure": (),
    "gcp": (),
}
OURS = {
    "AWS_PROFILE": "deploy",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_SDK_LOAD_CONFIG": "1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
POINTERS = {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"}


def _polluted(cloud: str) -> dict[str, str]:
    names = (*SCRUB[cloud].names, *FURTHER[cloud], *(f"{p}X" for p in SCRUB[cloud].prefixes))
    return {name: f"polluted-{name.lower()}" for name in names}


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    """A file of CA certificates."""
    path = tmp_path / "authorities.pem"
    trustme.CA().cert_pem.write_to_path(path)
    return str(path)


def _seen(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)


def test_a_program_in_terraform_sees_nothing_of_a_polluted_shell(
    cli: Cli, make_chain: chain.Make, terraform: str, tmp_path: Path, state: Path
) -> None:
    make_chain(module=MODULE)
    out = tmp_path / "seen"
    pollution = {**_polluted("aws"), "AWS_REGION": "mars-1", "AWS_DEFAULT_REGION": "mars-1"}
    done = cli(
        *("terraform", "apply", "app", "-s", "prod", "-auto-approve"),
        env={**pollution, "OUT": str(out)},
    )
    assert done.exit == 0, done.stderr
    seen = _seen(out)
    assert {name: value for name, value in seen.items() if "polluted" in value} == {}
    left = {name: seen[name] for name in pollution if name in seen and name not in POINTERS}
    assert left == OURS
    for name in POINTERS:
        assert Path(seen[name]).is_relative_to(state)
    assert [name for name in seen if name.startswith("ALICE_")] == []


def test_what_is_no_credential_is_kept(
    cli: Cli, make_chain: chain.Make, terraform: str, tmp_path: Path, bundle: str
) -> None:
    made = make_chain(module=MODULE)
    out = tmp_path / "seen"
    kept = {
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1,localhost",
        "AWS_CA_BUNDLE": bundle,
        "SSL_CERT_FILE": bundle,
        "REQUESTS_CA_BUNDLE": bundle,
        "AWS_RETRY_MODE": "standard",
        "AWS_MAX_ATTEMPTS": "4",
        "AWS_STS_REGIONAL_ENDPOINTS": "regional",
        "AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:9",
        "TF_VAR_other": "1",
        "TF_REGISTRY_CLIENT_TIMEOUT": "7",
        "EDITOR": "ed",
        **{name: value for name, value in made.environment.items() if name.startswith("AWS_")},
        # Clouds that no identity of the component names stay as they are.
        **_polluted("azure"),
        **_polluted("gcp"),
    }
    done = cli(
        *("terraform", "apply", "app", "-s", "prod", "-auto-approve"),
        env={**kept, "OUT": str(out)},
    )
    assert done.exit == 0, done.stderr
    seen = _seen(out)
    assert {name: seen.get(name) for name in kept} == kept


@pytest.fixture
def mallory(fake_aws: aws.Fake, home: Path, tmp_path: Path) -> tuple[aws.User, dict[str, str]]:
    """Somebody else who may do anything, in every place where an SDK looks for keys."""
    user = fake_aws.user(chain.HOME, "mallory")
    fake_aws.allow(user.arn, "*")
    keys = (
        f"aws_access_key_id = {user.access_key_id}\n"
        f"aws_secret_access_key = {user.secret_access_key}\n"
    )
    profiles = ("default", "alice", "gate", "hub", "deploy", "mallory")
    dotaws = home / ".aws"
    dotaws.mkdir()
    for place in (dotaws, tmp_path):
        (place / "credentials").write_text("".join(f"[{name}]\n{keys}\n" for name in profiles))
        sections = ("[default]" if n == "default" else f"[profile {n}]" for n in profiles)
        (place / "config").write_text("".join(f"{each}\n{keys}\n" for each in sections))
    (tmp_path / "token").write_text("header.payload.signature")
    return user, {
        "AWS_ACCESS_KEY_ID": user.access_key_id,
        "AWS_SECRET_ACCESS_KEY": user.secret_access_key,
        "AWS_PROFILE": "mallory",
        "AWS_DEFAULT_PROFILE": "mallory",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
        "AWS_ROLE_ARN": "arn:aws:iam::333333333333:role/deploy",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{fake_aws.endpoint}/keys",
    }


def _words(state: Path) -> str:
    return "".join(file.read_text() for file in state.rglob("*") if file.is_file())


@pytest.mark.parametrize("delivery", ["pointers", "files", "env"])
def test_only_the_configured_chain_signs(
    cli: Cli,
    make_chain: chain.Make,
    fake_aws: aws.Fake,
    terraform: str,
    mallory: tuple[aws.User, dict[str, str]],
    state: Path,
    delivery: str,
) -> None:
    made = make_chain(atmos=f"wrap: {{delivery: {delivery}}}\n")
    user, shell = mallory
    done = cli("terraform", "apply", "app", "-s", "prod", "-auto-approve", env=shell)
    assert done.exit == 0, done.stderr
    signers = {call.signer for call in fake_aws.calls()}
    assert signers == {made.user.arn, *(made.session(name) for name in chain.LINKS)}
    assert aws.alias(user.access_key_id) not in {call.key for call in fake_aws.calls()}
    stored = _words(state)
    assert user.access_key_id not in stored
    assert user.secret_access_key not in stored


@pytest.mark.parametrize("lost", ["ALICE_KEY_ID", "ALICE_SECRET"])
def test_nobody_steps_in_for_a_key_that_is_missing(
    cli: Cli,
    make_chain: chain.Make,
    fake_aws: aws.Fake,
    mallory: tuple[aws.User, dict[str, str]],
    lost: str,
) -> None:
    make_chain()
    done = cli("terraform", "plan", "app", "-s", "prod", env={**mallory[1], lost: None})
    assert (done.exit, done.stdout) == (77, "")
    assert re.match(rf'error: identity "alice".*{lost} is not set\n', done.stderr)
    assert fake_aws.calls() == []


def test_a_session_signed_in_from_another_shell_stays_the_same(
    cli: Cli,
    make_chain: chain.Make,
    fake_aws: aws.Fake,
    mallory: tuple[aws.User, dict[str, str]],
) -> None:
    make_chain()
    clean = cli("auth", "env", "-i", "deploy", "--format", "json")
    foreign = cli("auth", "env", "-i", "deploy", "--format", "json", env=mallory[1])
    assert (clean.exit, foreign.exit) == (0, 0)
    assert json.loads(foreign.stdout) == json.loads(clean.stdout)
