"""The small Atmos repository of the demo, and the accounts that belong to it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tests.fakes import aws

HUB, DEV, PROD = "111111111111", "222222222222", "333333333333"
BUCKET = "acme-terraform-state"
STACKS = ("dev", "staging", "prod")

ATMOS = """\
base_path: .

components:
  terraform:
    base_path: components/terraform
    auto_generate_backend_file: true

stacks:
  base_path: stacks
  included_paths: ["deploy/**/*"]
  name_pattern: "{stage}"

auth:
  realm: demo
  identities:
    alice:
      kind: aws/user
      credentials:
        access_key_id: !env DEMO_ACCESS_KEY_ID
        secret_access_key: !env DEMO_SECRET_ACCESS_KEY
        region: us-east-1
    hub:
      kind: aws/assume-role
      via: {identity: alice}
      principal:
        assume_role: arn:aws:iam::111111111111:role/hub
        session_name: alice
    dev-deploy:
      kind: aws/assume-role
      via: {identity: hub}
      principal:
        assume_role: arn:aws:iam::222222222222:role/deploy
        session_name: alice-dev
        duration: 15m
    prod-deploy:
      kind: aws/assume-role
      via: {identity: hub}
      principal:
        assume_role: arn:aws:iam::333333333333:role/deploy
        session_name: alice-prod
        external_id: acme-prod
        duration: 15m
    audit:
      kind: aws/assume-role
      required: true        # signed in for every run: providers may say profile = "audit"
      via: {identity: hub}
      principal:
        assume_role: arn:aws:iam::111111111111:role/audit
        session_name: alice-audit
"""

PROFILE = """\
# atmos-wrap --profile ci …: the same roles, under another session name
auth:
  identities:
    hub:
      kind: aws/assume-role
      via: {identity: alice}
      principal:
        assume_role: arn:aws:iam::111111111111:role/hub
        session_name: ci
"""

CATALOG = """\
components:
  terraform:
    app:
      vars:
        name: shop
        replicas: 1
"""

GLOBALS = f"""\
terraform:
  backend_type: s3
  backend:
    s3:
      bucket: {BUCKET}
      key: terraform.tfstate
      region: us-east-1
      use_lockfile: true
      use_path_style: true
"""

STACK = """\
import:
  - catalog/globals
  - catalog/app

vars:
  stage: {stage}

auth:
  identities:
    {identity}:
      default: true

components:
  terraform:
    app:
      vars:
        replicas: {replicas}
"""

MODULE = """\
terraform {
  required_version = ">= 1.10"
}

variable "name" { type = string }
variable "stage" { type = string }
variable "replicas" { type = number }

resource "terraform_data" "app" {
  input = {
    name     = "${var.name}-${var.stage}"
    replicas = var.replicas
  }
}

output "app" { value = terraform_data.app.output }
"""


class Demo(NamedTuple):
    """The repository's directory, the user, and who each stack runs as."""

    repo: Path
    user: aws.User
    runs_as: dict[str, str]  # stack -> ARN of the session


def write(repo: Path) -> None:
    """Write the repository."""
    files = {
        "atmos.yaml": ATMOS,
        "profiles/ci/atmos.yaml": PROFILE,
        "stacks/catalog/globals.yaml": GLOBALS,
        "stacks/catalog/app.yaml": CATALOG,
        "components/terraform/app/main.tf": MODULE,
    }
    for stage, identity, replicas in (
        ("dev", "dev-deploy", 1),
        ("staging", "dev-deploy", 2),
        ("prod", "prod-deploy", 3),
    ):
        files[f"stacks/deploy/{stage}.yaml"] = STACK.format(
            stage=stage, identity=identity, replicas=replicas
        )
    for name, text in files.items():
        path = repo / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def prepare(fake: aws.Fake, repo: Path) -> Demo:
    """Write the repository and make its user, roles, policies and bucket.

    Each deploying role reaches only the state of its own stages.
    """
    write(repo)
    user = fake.user(HUB, "alice")
    hub = fake.role(HUB, "hub", trusts=user.arn)
    dev = fake.role(DEV, "deploy", trusts=hub)
    prod = fake.role(PROD, "deploy", trusts=hub, external_id="acme-prod")
    audit = fake.role(HUB, "audit", trusts=hub)
    fake.allow(user.arn, "sts:AssumeRole", hub)
    for role in (dev, prod, audit):
        fake.allow(hub, "sts:AssumeRole", role, name=role.replace(":", "-").replace("/", "-"))
    fake.bucket(HUB, BUCKET)
    bucket = f"arn:aws:s3:::{BUCKET}"
    for role, stages in ((dev, ("dev", "staging")), (prod, ("prod",))):
        fake.allow(role, "s3:*", bucket, name="list")
        # `init` looks whether the workspace "default" has a state.
        fake.allow(
            role, ["s3:GetObject", "s3:HeadObject"], f"{bucket}/terraform.tfstate", name="look"
        )
        for stage in stages:
            fake.allow(role, "s3:*", f"{bucket}/app/{stage}/*", name=f"state-{stage}")
    return Demo(
        repo,
        user,
        {
            "dev": f"arn:aws:sts::{DEV}:assumed-role/deploy/alice-dev",
            "staging": f"arn:aws:sts::{DEV}:assumed-role/deploy/alice-dev",
            "prod": f"arn:aws:sts::{PROD}:assumed-role/deploy/alice-prod",
        },
    )
