"""Where the blocks of a page run: a directory with what the page takes for given."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fakes import aws, ci, net, portal, proxy, saml

CLONE = aws.CLONE
HUB, DEV, PROD = "111111111111", "222222222222", "333333333333"
BUCKET = "acme-terraform-state"


def empty(place: Path, environment: dict[str, str]) -> Iterator[None]:
    """An empty directory."""
    yield


def clone(place: Path, environment: dict[str, str]) -> Iterator[None]:
    """The clone, as far as a reader copies from it."""
    shutil.copytree(CLONE / "docs" / "examples", place / "docs" / "examples")
    yield


def shop(place: Path, environment: dict[str, str]) -> Iterator[None]:
    """The example `shop`: two stacks and identities that need no cloud."""
    shutil.copytree(CLONE / "docs" / "examples" / "shop", place, dirs_exist_ok=True)
    yield


def direnv(place: Path, environment: dict[str, str]) -> Iterator[None]:
    """The example `shop`, and direnv."""
    _installed("direnv", environment)
    yield from shop(place, environment)


def mise(place: Path, environment: dict[str, str]) -> Iterator[None]:
    """The example `shop`, and a mise that asks nobody on the net."""
    _installed("mise", environment)
    environment["MISE_OFFLINE"] = "1"
    yield from shop(place, environment)


def _installed(name: str, environment: dict[str, str]) -> None:
    found = shutil.which(name)
    if found is None:
        reason = f"{name} is not installed"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    Path(environment["PATH"].partition(os.pathsep)[0], name).symlink_to(found)


def cloud(place: Path, environment: dict[str, str]) -> Iterator[None]:
    """An empty directory, and an AWS with the user, roles and bucket that the tutorial names."""
    with aws.running() as fake:
        alice = fake.user(HUB, "alice")
        hub = fake.role(HUB, "hub", trusts=alice.arn)
        dev = fake.role(DEV, "deploy", trusts=hub)
        prod = fake.role(PROD, "deploy", trusts=hub, external_id="acme-prod")
        audit = fake.role(HUB, "audit", trusts=hub)
        fake.allow(alice.arn, "sts:AssumeRole", hub)
        for number, role in enumerate((dev, prod, audit)):
            fake.allow(hub, "sts:AssumeRole", role, name=f"assume{number}")
        fake.bucket(HUB, BUCKET)
        for role in (dev, prod):
            fake.allow(role, "s3:*", f"arn:aws:s3:::{BUCKET}", name="list")
            fake.allow(role, "s3:*", f"arn:aws:s3:::{BUCKET}/*", name="state")
        fake.allow(dev, ["ssm:*", "secretsmanager:*"], name="stores")
        fake.allow(dev, "s3:*", "arn:aws:s3:::acme-dev-*", name="own")
        environment.update(fake.environment())
        environment["ALICE_KEY_ID"] = alice.access_key_id
        environment["ALICE_SECRET_KEY"] = alice.secret_access_key
        yield


def shop_in_cloud(place: Path, environment: dict[str, str]) -> Iterator[None]:
    """The repository at the end of the tutorial, and its AWS."""
    shutil.copytree(CLONE / "docs" / "examples" / "cloud", place, dirs_exist_ok=True)
    yield from cloud(place, environment)


PROFILES = f"""\
[profile alice]
region = us-east-1

[profile hub]
source_profile = alice
role_arn = arn:aws:iam::{HUB}:role/hub
mfa_serial = arn:aws:iam::{HUB}:mfa/alice
role_session_name = alice

[profile prod-deploy]
source_profile = hub
role_arn = arn:aws:iam::{PROD}:role/deploy
external_id = acme-prod
role_session_name = alice-prod
duration_seconds = 1800

[sso-session acme]
sso_start_url = {portal.START_URL}
sso_region = {portal.REGION}
sso_registration_scopes = sso:account:access

[profile dev-admin]
sso_session = acme
sso_account_id = {DEV}
sso_role_name = AdministratorAccess
region = us-east-1
"""


def company(place: Path, environment: dict[str, str]) -> Iterator[None]:
    """An empty directory, a company's AWS and its portal, and a user's own profiles.

    The user has keys, an MFA device that shows 123456, and a keyring that is unlocked.
    """
    with aws.running() as fake, portal.running() as sso:
        sso.mint = fake.session
        sso.accounts = [
            (DEV, "dev", ["AdministratorAccess", "ReadOnly"]),
            (PROD, "prod", ["ReadOnly"]),
        ]
        alice = fake.user(HUB, "alice", mfa_code="123456")
        admin = fake.role(DEV, "AWSReservedSSO_AdministratorAccess_abc", trusts=[])
        hub = fake.role(HUB, "hub", trusts=alice.arn, mfa=True)
        deploy = fake.role(PROD, "deploy", trusts=hub, external_id="acme-prod")
        spoke = fake.role(PROD, "spoke", trusts=admin)
        for signer, role in ((alice.arn, hub), (hub, deploy), (admin, spoke)):
            fake.allow(signer, "sts:AssumeRole", role, name="assume")
        for account, name in ((DEV, "ReadOnly"), (PROD, "ReadOnly")):
            fake.role(account, f"AWSReservedSSO_{name}_abc", trusts=[])
        own = Path(environment["HOME"], ".aws")
        own.mkdir()
        (own / "config").write_text(PROFILES, encoding="utf-8")
        (own / "credentials").write_text(
            f"[alice]\naws_access_key_id = {alice.access_key_id}\n"
            f"aws_secret_access_key = {alice.secret_access_key}\n",
            encoding="utf-8",
        )
        environment.update(fake.environment())
        environment |= {
            "AWS_ENDPOINT_URL_SSO": sso.endpoint,
            "AWS_ENDPOINT_URL_SSO_OIDC": sso.endpoint,
            "ALICE_KEY_ID": alice.access_key_id,
            "ALICE_SECRET_KEY": alice.secret_access_key,
            "ATMOS_KEYRING_TYPE": "file",
            "ATMOS_KEYRING_PASSWORD": "correct horse",
            "ATMOS_FORCE_TTY": "true",
        }
        yield


@contextmanager
def jobs_in_cloud(place: Path, environment: dict[str, str]) -> Iterator[ci.Jobs]:
    """The example `ci`, and the AWS that trusts the jobs of its systems."""
    shutil.copytree(CLONE / "docs" / "examples" / "ci", place, dirs_exist_ok=True)
    with aws.running() as fake:
        environment.update(fake.environment())
        environment |= {"CI": "true", "ATMOS_PROFILE": "ci"}
        yield ci.Jobs(fake, DEV, "deploy", BUCKET)


def gitlab_job(place: Path, environment: dict[str, str]) -> Iterator[None]:
    """The example `ci` in a job of GitLab."""
    with jobs_in_cloud(place, environment) as jobs:
        environment |= {"GITLAB_CI": "true", "AWS_ID_TOKEN": jobs.token("gitlab")}
        yield


def github_job(place: Path, environment: dict[str, str]) -> Iterator[None]:
    """The example `ci` in a job of GitHub Actions."""
    with (
        jobs_in_cloud(place, environment) as jobs,
        proxy.running(Path(environment["TMPDIR"])) as through,
        ci.github(lambda audience: jobs.token("github", audience)) as service,
    ):
        environment.update(service.environment(through))
        yield


def root_session(place: Path, environment: dict[str, str]) -> Iterator[None]:
    """An AWS whose role `security` may ask for root sessions, and a bucket of another account."""
    with aws.running() as fake:
        alice = fake.user(HUB, "alice")
        security = fake.role(HUB, "security", trusts=alice.arn)
        fake.allow(alice.arn, "sts:AssumeRole", security)
        fake.allow(security, "sts:AssumeRoot")
        fake.bucket(PROD, "locked")
        environment.update(fake.environment())
        environment["ALICE_KEY_ID"] = alice.access_key_id
        environment["ALICE_SECRET_KEY"] = alice.secret_access_key
        yield


def saml_provider(place: Path, environment: dict[str, str]) -> Iterator[None]:
    """The configuration of the page on SAML, its identity provider, and STS."""
    with saml.running() as (idp, sts):
        (place / "atmos.yaml").write_text(
            "auth:\n  realm: acme\n  providers:\n    acme:\n      kind: aws/saml\n"
            f"      url: {idp.url}\n      region: eu-west-1\n      username: alice\n"
            "      password: !env IDP_PASSWORD\n  identities:\n"
            + "".join(
                f"    {name}: {{kind: aws/assume-role, via: {{provider: acme}},"
                f" principal: {{assume_role: '{arn}'}}}}\n"
                for name, arn in (("dev", saml.ADMIN), ("audit", saml.AUDIT))
            )
        )
        environment |= {
            "AWS_ENDPOINT_URL": sts.endpoint,
            "CI": "true",
            "IDP_PASSWORD": idp.users["alice"],
        }
        yield


PLATFORM = {
    "stacks/catalog/bucket.yaml": "components: {terraform: {bucket: {vars: {owner: platform}}}}\n",
    "modules/bucket/main.tf": 'variable "owner" {}\nvariable "stage" {}\n'
    'resource "terraform_data" "bucket" { input = "${var.owner}-${var.stage}" }\n',
}


def library(place: Path, environment: dict[str, str]) -> Iterator[None]:
    """An empty directory, and the repository `platform/catalog` on git.example.com."""
    scratch, git = Path(environment["TMPDIR"]), shutil.which("git", path=environment["PATH"])
    assert git is not None
    (scratch / "git" / "platform").mkdir(parents=True)
    with net.running(scratch, git, tls=False) as host, proxy.running(scratch) as through:
        host.repository("platform/catalog", {})
        host.tag("platform/catalog", "1.0.0", host.commit("platform/catalog", PLATFORM))
        through.route("git.example.com", host.url)
        environment.update(through.environment())
        yield


FIXTURES = {
    "saml": saml_provider,
    "empty": empty,
    "library": library,
    "clone": clone,
    "shop": shop,
    "direnv": direnv,
    "mise": mise,
    "cloud": cloud,
    "shop-in-cloud": shop_in_cloud,
    "company": company,
    "github-job": github_job,
    "gitlab-job": gitlab_job,
    "root-session": root_session,
}


@contextmanager
def prepared(name: str, place: Path, environment: dict[str, str]) -> Iterator[None]:
    """Have a fixture; what the shell needs to find it goes into `environment`."""
    yield from FIXTURES[name](place, environment)
