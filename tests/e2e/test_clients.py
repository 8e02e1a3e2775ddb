"""Real clients act as each kind of AWS identity: two AWS CLIs, boto3, terraform with its state in S3.

The portal, the identity provider and the AWS on loopback are one cloud here: what they grant holds
in IAM. Each identity has a bucket of its own, which nobody else may use.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from tests.conftest import Cli
from tests.e2e.ends import OVER, SHORT
from tests.fakes import aws, portal, saml, web_identity
from wrapper.auth.kinds import AWS_PROFILES, IDENTITY_KINDS, KINDS, PROVIDER_KINDS

HOME, DEV, PROD, MEMBER = "111111111111", "222222222222", "333333333333", "444444444444"
ADMIN = f"arn:aws:sts::{DEV}:assumed-role/AWSReservedSSO_Admin_abc/me"


class Row(NamedTuple):
    """One identity: its kind, the principal that AWS must see, and who answers for STS."""

    kind: str
    principal: str
    sts: str = "aws"


ROWS = {
    "alice": Row("aws/user", f"arn:aws:iam::{HOME}:user/alice"),
    "of-user": Row("aws/assume-role", f"arn:aws:sts::{PROD}:assumed-role/of-user/test"),
    "of-set": Row("aws/assume-role", f"arn:aws:sts::{PROD}:assumed-role/of-set/test"),
    "of-job": Row("aws/assume-role", f"arn:aws:sts::{PROD}:assumed-role/of-job/test", "portal"),
    "of-file": Row("aws/assume-role", f"arn:aws:sts::{PROD}:assumed-role/of-file/test"),
    "of-saml": Row("aws/assume-role", f"arn:aws:sts::{PROD}:assumed-role/of-saml/test", "saml"),
    "set": Row("aws/permission-set", ADMIN),
    "machine": Row("aws/ambient", f"arn:aws:iam::{HOME}:user/machine"),
}
ROOT = Row("aws/assume-root", f"arn:aws:iam::{MEMBER}:root")

ATMOS = f"""\
base_path: .
components:
  terraform:
    base_path: components
    auto_generate_backend_file: true
stacks:
  base_path: stacks
  included_paths: ["*.yaml"]
  name_pattern: "{{stage}}"
auth:
  realm: clients
  providers:
    sso: {{kind: aws/iam-identity-center, start_url: "{portal.START_URL}", region: eu-west-1}}
    job: {{kind: github/oidc, region: us-east-1, spec: {{audience: sts.amazonaws.com}}}}
    file: {{kind: oidc, region: us-east-1, spec: {{audience: sts.amazonaws.com, file: !env TOKEN_FILE}}}}
    acme: {{kind: aws/saml, url: "{{idp}}", region: us-east-1, username: alice, password: !env IDP_PASSWORD}}
    pretend: {{kind: mock/aws}}
  identities:
    alice:
      kind: aws/user
      credentials: {{access_key_id: !env ALICE_KEY_ID, secret_access_key: !env ALICE_SECRET, region: us-east-1}}
    of-user: {{kind: aws/assume-role, via: {{identity: alice}}, principal: {{assume_role: "arn:aws:iam::{PROD}:role/of-user", session_name: test}}}}
    of-set: {{kind: aws/assume-role, via: {{identity: set}}, principal: {{assume_role: "arn:aws:iam::{PROD}:role/of-set", session_name: test}}}}
    of-job: {{kind: aws/assume-role, via: {{provider: job}}, principal: {{assume_role: "arn:aws:iam::{PROD}:role/of-job", session_name: test}}}}
    of-file: {{kind: aws/assume-role, via: {{provider: file}}, principal: {{assume_role: "arn:aws:iam::{PROD}:role/of-file", session_name: test}}}}
    of-saml: {{kind: aws/assume-role, via: {{provider: acme}}, principal: {{assume_role: "arn:aws:iam::{PROD}:role/of-saml"}}}}
    set: {{kind: aws/permission-set, via: {{provider: sso}}, principal: {{name: Admin, account: {{name: dev}}}}}}
    machine: {{kind: aws/ambient, principal: {{region: us-east-1}}}}
    root: {{kind: aws/assume-root, via: {{identity: of-set}}, principal: {{target_principal: "{MEMBER}", task_policy_arn: S3UnlockBucketPolicy}}}}
    nobody: {{kind: mock/aws, via: {{provider: pretend}}}}
"""

STACK = """\
vars: {{stage: {name}}}
auth: {{identities: {{{name}: {{default: true}}}}}}
terraform:
  backend_type: s3
  backend:
    s3: {{bucket: "clients-{name}", key: state, region: us-east-1, use_lockfile: true, use_path_style: true}}
components: {{terraform: {{app: {{}}}}}}
"""

MODULE = """\
variable "stage" { type = string }
resource "terraform_data" "app" { input = var.stage }
"""

SDK = """
import boto3, sys
print(boto3.client("sts").get_caller_identity()["Arn"])
s3 = boto3.client("s3")
s3.put_object(Bucket=sys.argv[1], Key="sdk", Body=b"by boto3")
print(s3.get_object(Bucket=sys.argv[1], Key="sdk")["Body"].read().decode())
"""


class Cloud:
    """An AWS and a portal whose sessions it enforces, with all that the table needs."""

    def __init__(
        self, fake: aws.Fake, sso: portal.Portal, idp: saml.Idp, sts: saml.Sts, token: Path
    ) -> None:
        self.fake, self.sso, self.idp, self.token = fake, sso, idp, token
        self.sts = {"aws": fake.endpoint, "portal": sso.endpoint, "saml": sts.endpoint}
        sso.mint = sts.mint = fake.session
        sso.accounts = [(DEV, "dev", ["Admin"])]
        self.alice = fake.user(HOME, "alice")
        self.machine = fake.user(HOME, "machine")
        admin = fake.role(DEV, "AWSReservedSSO_Admin_abc", trusts=[])
        roles = {
            "of-user": fake.role(PROD, "of-user", trusts=self.alice.arn),
            "of-set": fake.role(PROD, "of-set", trusts=admin),
            **{name: fake.role(PROD, name, trusts=[]) for name in ("of-job", "of-file", "of-saml")},
        }
        self.issuer = web_identity.Issuer("https://ci.example.com")
        known = self.issuer.url, self.issuer.keys(), [web_identity.AUDIENCE]
        fake.issuer(PROD, *known)
        trust = web_identity.trust_policy(PROD, self.issuer.url, "job")
        fake.set_trust(roles["of-file"], trust)
        idp.roles = [f"{roles['of-saml']},arn:aws:iam::{PROD}:saml-provider/acme"]
        idp.changed = {"name": "test"}
        fake.allow(self.alice.arn, "sts:AssumeRole", roles["of-user"], name="role")
        fake.allow(admin, "sts:AssumeRole", roles["of-set"], name="role")
        fake.allow(roles["of-set"], "sts:AssumeRoot", name="root")
        owners = {"alice": self.alice.arn, "set": admin, "machine": self.machine.arn, **roles}
        for name, owner in owners.items():
            fake.bucket(HOME, f"clients-{name}")
            fake.allow(owner, "s3:*", f"arn:aws:s3:::clients-{name}", name="bucket")
            fake.allow(owner, "s3:*", f"arn:aws:s3:::clients-{name}/*", name="objects")
        fake.bucket(MEMBER, "clients-root")

    def environment(self, sts: str) -> dict[str, str]:
        """Return what the installed program and its children find in the shell."""
        self.token.write_text(self.issuer.token("job"), encoding="ascii")
        return {
            **self.fake.environment(),
            "AWS_ENDPOINT_URL_STS": self.sts[sts],
            "AWS_ENDPOINT_URL_SSO": self.sso.endpoint,
            "AWS_ENDPOINT_URL_SSO_OIDC": self.sso.endpoint,
            "ALICE_KEY_ID": self.alice.access_key_id,
            "ALICE_SECRET": self.alice.secret_access_key,
            "AWS_ACCESS_KEY_ID": self.machine.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.machine.secret_access_key,
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN": self.sso.jwt,
            "TOKEN_FILE": str(self.token),
            "IDP_PASSWORD": self.idp.users["alice"],
            "ATMOS_FORCE_TTY": "true",
            "CI": "true",
        }


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Return the cloud that all tests of this file share; each row has its own bucket in it."""
    token = tmp_path_factory.mktemp("job") / "token"
    with aws.running() as fake, portal.running() as sso, saml.running() as (idp, sts):
        yield Cloud(fake, sso, idp, sts, token)


@pytest.fixture
def repo(cli: Cli, cloud: Cloud) -> Cli:
    """Write the repository: one stack for each identity."""
    files = {
        "atmos.yaml": ATMOS.replace("{idp}", cloud.idp.url),
        "components/app/main.tf": MODULE,
        **{f"stacks/{name}.yaml": STACK.format(name=name) for name in (*ROWS, "root")},
    }
    for name, content in files.items():
        (cli.cwd / name).parent.mkdir(parents=True, exist_ok=True)
        (cli.cwd / name).write_text(content, encoding="utf-8")
    return cli


class Act(NamedTuple):
    """The program under one row's environment, and what the row's clients asked of AWS."""

    cli: Cli
    cloud: Cloud
    name: str
    row: Row
    since: int

    def __call__(self, *args: str, expect: int = 0) -> str:
        """Run the installed program; return its output."""
        done = self.cli(*args, env=self.cloud.environment(self.row.sts), timeout=120)
        assert done.exit == expect, done.stderr
        return done.stdout if not expect else done.stderr

    def signers(self) -> set[str | None]:
        """Return who signed the requests to S3 of this test."""
        calls = self.cloud.fake.calls()[self.since :]
        return {call.signer for call in calls if call.service == "s3"}


@pytest.fixture
def act(repo: Cli, cloud: Cloud, tool: Callable[[str], str]) -> Callable[[str], Act]:
    """Return a function that says as whom to act."""

    def begin(name: str) -> Act:
        if name == "of-saml":
            tool("chromium")
        row = ROOT if name == "root" else ROWS[name]
        return Act(repo, cloud, name, row, len(cloud.fake.calls()))

    return begin


@pytest.fixture(params=["v2", "v1"])
def aws_cli(request: pytest.FixtureRequest, repo: Cli, tool: Callable[[str], str]) -> str:
    """Put one of the two AWS CLIs into the children's PATH."""
    found = {"v1": str(Path(sys.executable).with_name("aws")), "v2": "/usr/bin/aws"}
    Path(repo.environment["PATH"].partition(":")[0], "aws").symlink_to(tool(found[request.param]))
    return str(request.param)


def test_every_kind_that_gives_aws_credentials_has_a_row() -> None:
    giving = AWS_PROFILES | {kind for kind in IDENTITY_KINDS if kind.startswith("aws/")}
    rows = {row.kind for row in (*ROWS.values(), ROOT)}
    assert rows == {kind for kind in giving if kind in KINDS}


def test_every_provider_that_aws_knows_begins_the_chain_of_a_row() -> None:
    class Loader(yaml.SafeLoader):
        """YAML in which `!env` is a text."""

    Loader.add_constructor("!env", lambda _, node: node.value)
    auth = yaml.load(ATMOS, Loader)["auth"]
    begun = set()
    for name in ROWS:
        via = {"identity": name}
        while "identity" in via:
            via = auth["identities"][via["identity"]].get("via", {})
        begun |= {auth["providers"][via["provider"]]["kind"]} if via else set()
    others = ("mock", "azure/", "gcp/", "atmos/")
    known = [kind for kind in PROVIDER_KINDS if kind in KINDS]
    assert begun == {kind for kind in known if not kind.startswith(others)}


@pytest.mark.parametrize("name", ROWS)
def test_the_aws_cli_acts_as_the_identity(
    act: Callable[[str], Act], aws_cli: str, name: str
) -> None:
    run = act(name)
    sts = run.cloud.environment(run.row.sts)["AWS_ENDPOINT_URL_STS"]
    who = run("aws", "-i", name, "--endpoint-url", sts, "sts", "get-caller-identity")
    assert json.loads(who)["Arn"] == run.row.principal
    copied = ("s3", "cp", "atmos.yaml", f"s3://clients-{name}/{aws_cli}")
    run("auth", "exec", "-i", name, "--", "aws", "--endpoint-url", run.cloud.fake.endpoint, *copied)
    copy = run.cloud.fake.objects(HOME, f"clients-{name}")[aws_cli]
    assert copy == (run.cli.cwd / "atmos.yaml").read_text(encoding="utf-8")
    assert run.signers() == {run.row.principal}


@pytest.mark.parametrize("name", ROWS)
def test_an_sdk_acts_as_the_identity(act: Callable[[str], Act], name: str) -> None:
    run = act(name)
    said = run("auth", "exec", "-i", name, "--", sys.executable, "-c", SDK, f"clients-{name}")
    assert said.splitlines() == [run.row.principal, "by boto3"]
    assert run.signers() == {run.row.principal}


@pytest.mark.parametrize("name", ROWS)
def test_terraform_keeps_its_state_as_the_identity(
    act: Callable[[str], Act], terraform: str, name: str
) -> None:
    run = act(name)
    run("terraform", "plan", "app", "-s", name)
    run("terraform", "apply", "app", "-s", name, "--from-plan")
    kept = run.cloud.fake.objects(HOME, f"clients-{name}")
    assert json.loads(kept[f"app/{name}/state"])["resources"][0]["name"] == "app"
    assert run.signers() == {run.row.principal}
    locked = [
        c for c in run.cloud.fake.calls() if c.params.get("Key") == f"app/{name}/state.tflock"
    ]
    assert {"PutObject", "DeleteObject"} <= {call.action for call in locked}


@pytest.mark.parametrize("name", ROWS)
def test_nobody_else_may_use_the_bucket(act: Callable[[str], Act], name: str) -> None:
    run = act(name)
    other = "of-user" if name == "alice" else "alice"
    code = SDK.replace("sys.argv[1]", repr(f"clients-{other}"))
    said = run("auth", "exec", "-i", name, "--", sys.executable, "-c", code, expect=1)
    assert "AccessDenied" in said
    assert run.signers() == {run.row.principal}


# ---- a root session: one task, and nothing else --------------------------------------------------

UNLOCK = ("s3api", "delete-bucket-policy", "--bucket", "clients-root")


def test_the_aws_cli_does_the_task_of_a_root_session_and_nothing_else(
    act: Callable[[str], Act], aws_cli: str
) -> None:
    run = act("root")
    as_root = ("aws", "-i", "root", "--endpoint-url", run.cloud.fake.endpoint)
    assert json.loads(run(*as_root, "sts", "get-caller-identity"))["Arn"] == ROOT.principal
    run(*as_root, *UNLOCK)
    copied = ("s3", "cp", "atmos.yaml", "s3://clients-root/x")
    assert "AccessDenied" in run(*as_root, *copied, expect=1)
    assert run.signers() == {ROOT.principal}


def test_terraform_and_sdks_act_as_a_root_session(
    act: Callable[[str], Act], terraform: str
) -> None:
    run = act("root")
    code = (
        "import boto3; print(boto3.client('sts').get_caller_identity()['Arn']);"
        "boto3.client('s3').delete_bucket_policy(Bucket='clients-root')"
    )
    said = run("auth", "exec", "-i", "root", "--", sys.executable, "-c", code)
    assert said == f"{ROOT.principal}\n"
    refused = run("terraform", "plan", "app", "-s", "root", "-no-color", expect=1)
    assert "AccessDenied" in refused
    assert run.signers() == {ROOT.principal}
    assert run.cloud.fake.objects(MEMBER, "clients-root") == {}


# ---- what is neither -----------------------------------------------------------------------------


def test_a_pretended_identity_reaches_nothing(repo: Cli, cloud: Cloud, aws_cli: str) -> None:
    before = len(cloud.fake.calls())
    asked = ("aws", "-i", "nobody", "--endpoint-url", cloud.fake.endpoint, "sts")
    shell = cloud.environment("aws")
    done = repo(*asked, "get-caller-identity", env=shell)
    assert done.exit != 0
    assert "nobody" in done.stderr
    assert len(cloud.fake.calls()) == before


ASK = """
import boto3
sts = boto3.client("sts")
print(sts.get_caller_identity()["Arn"], flush=True)
"""


def test_sessions_of_a_permission_set_that_end_during_a_run_are_renewed(
    act: Callable[[str], Act], state: Path
) -> None:
    run = act("of-set")
    fake, sso = run.cloud.fake, run.cloud.sso
    begun, usual = len(sso.calls), sso.role_seconds
    sso.role_seconds = int(SHORT)
    fake.script("sts:AssumeRole", signer=ADMIN, lifetime=SHORT)
    twice = ASK + OVER + ASK.splitlines()[-1]
    try:
        said = run("auth", "exec", "-i", "of-set", "--", sys.executable, "-c", twice, str(state))
    finally:
        sso.role_seconds = usual
        fake.unscript()
    assert said.splitlines() == [run.row.principal] * 2
    calls = fake.calls()[run.since :]
    assert [call.error for call in calls if call.error] == []
    assert len({call.key for call in calls if call.action == "GetCallerIdentity"}) == 2
    actions = [call.action for call in sso.calls[begun:]]
    assert actions.count("GetRoleCredentials") == 2
    assert actions.count("StartDeviceAuthorization") == 1
