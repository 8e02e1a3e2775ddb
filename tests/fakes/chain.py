"""A repository whose component runs as the third role of a chain, and the accounts behind it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.fakes import aws

HOME, HUB, LEAF = "111111111111", "222222222222", "333333333333"
BUCKET = "chain-state"
LINKS = ("gate", "hub", "deploy")
EXTERNAL_IDS = {"gate": None, "hub": "hub-4711", "deploy": "deploy-0815"}

ATMOS = """\
base_path: .
components:
  terraform:
    base_path: components
    auto_generate_backend_file: true
stacks:
  base_path: stacks
  included_paths: ["*.yaml"]
  name_pattern: "{stage}"
auth:
  realm: chain
  identities:
    alice:
      kind: aws/user
      credentials:
        access_key_id: !env ALICE_KEY_ID
        secret_access_key: !env ALICE_SECRET
        region: us-east-1
    gate:
      kind: aws/assume-role
      via: {identity: alice}
      principal:
        assume_role: arn:aws:iam::111111111111:role/gate
        session_name: alice-gate
    hub:
      kind: aws/assume-role
      via: {identity: gate}
      principal:
        assume_role: arn:aws:iam::222222222222:role/hub
        session_name: alice-hub
        external_id: hub-4711
        duration: 20m
    deploy:
      kind: aws/assume-role
      default: true
      via: {identity: hub}
      principal:
        assume_role: arn:aws:iam::333333333333:role/deploy
        session_name: alice-deploy
        external_id: deploy-0815
        duration: 30m
"""

LOCAL_STACK = """\
vars:
  stage: prod
components:
  terraform:
    app:
      vars:
        text: hello
"""

BACKEND = f"""\
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

VARIABLES = """\
variable "stage" { type = string }
variable "text" { type = string }
"""

MODULE = """\
resource "terraform_data" "app" {
  input = "${var.text} ${var.stage}"
}
"""


class Chain(NamedTuple):
    """The repository, its user and roles, and the variables that hold the user's keys."""

    repo: Path
    user: aws.User
    roles: Mapping[str, str]  # identity -> ARN of the role
    environment: Mapping[str, str]

    def session(self, identity: str) -> str:
        """Return the ARN under which AWS knows an identity."""
        account, name = {"gate": HOME, "hub": HUB, "deploy": LEAF}[identity], identity
        return f"arn:aws:sts::{account}:assumed-role/{name}/alice-{name}"


Make = Callable[..., Chain]


def prepare(
    fake: aws.Fake,
    repo: Path,
    *,
    module: str = MODULE,
    identities: str = "",
    atmos: str = "",
    remote: bool = True,
    mfa_code: str | None = None,
) -> Chain:
    """Make the accounts, then write the repository.

    `identities` is YAML to be added to the identities, `atmos` to be added at the top level of
    atmos.yaml; `remote` keeps the state in S3; with `mfa_code` the user has a device.
    """
    user = fake.user(HOME, "alice", mfa_code=mfa_code)
    gate = fake.role(HOME, "gate", trusts=user.arn)
    hub = fake.role(HUB, "hub", trusts=gate, external_id=EXTERNAL_IDS["hub"])
    deploy = fake.role(LEAF, "deploy", trusts=hub, external_id=EXTERNAL_IDS["deploy"])
    for signer, role in ((user.arn, gate), (gate, hub), (hub, deploy)):
        fake.allow(signer, "sts:AssumeRole", role, name="assume")
    fake.bucket(LEAF, BUCKET)
    fake.allow(deploy, "s3:*", name="state")
    device = f"        mfa_arn: {user.mfa_arn}\n" if user.mfa_arn else ""
    text = ATMOS.replace("        region: us-east-1\n", f"        region: us-east-1\n{device}", 1)
    files = {
        "atmos.yaml": text + textwrap.indent(textwrap.dedent(identities), "    ") + atmos,
        "stacks/prod.yaml": LOCAL_STACK + (BACKEND if remote else ""),
        "components/app/main.tf": VARIABLES + module,
    }
    for name, content in files.items():
        path = repo / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return Chain(
        repo,
        user,
        {"gate": gate, "hub": hub, "deploy": deploy},
        {
            "ALICE_KEY_ID": user.access_key_id,
            "ALICE_SECRET": user.secret_access_key,
            **fake.environment(),
        },
    )
