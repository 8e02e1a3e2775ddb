"""`provision.backend`: the bucket of the state is made before init, once, as it should be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pexpect
import pytest

from tests.conftest import Cli, Result
from tests.fakes import aws, google

ACCOUNT, BUCKET = "111111111111", "states"
ATMOS = """\
base_path: .
components: {terraform: {base_path: components, auto_generate_backend_file: true}}
stacks: {base_path: stacks, included_paths: ["*.yaml"], name_pattern: "{stage}"}
auth:
  identities:
    alice:
      kind: aws/user
      default: true
      credentials: {access_key_id: !env KEY_ID, secret_access_key: !env KEY, region: us-east-1}
"""
STACK = """\
vars: {stage: dev}
terraform:
  backend_type: s3
  backend:
    s3: {bucket: %s, key: terraform.tfstate, region: %s, use_path_style: true}
  provision: {backend: {enabled: true}}
components:
  terraform:
    app: {}
    other: {metadata: {component: app}, provision: {workdir: {enabled: true}}}
    ready: {metadata: {component: app}, provision: {backend: {enabled: false}}}
"""
MODULE = (
    'variable "stage" { type = string }\nresource "terraform_data" "app" { input = var.stage }\n'
)


class Repo(NamedTuple):
    """A repository whose bucket is not there yet, and the user who may make it."""

    cli: Cli
    fake: aws.Fake
    user: aws.User
    env: dict[str, str]

    def __call__(self, *args: str) -> Result:
        """Run a terraform command of a component."""
        return self.cli("terraform", *args, "-s", "dev", env=self.env)

    def admin(self) -> Any:
        """Return a client of one who may do everything."""
        root = self.fake.user(ACCOUNT, "root")
        self.fake.allow(root.arn, "*")
        return self.fake.client("s3", root)

    def asked(self) -> list[str]:
        """Return what the user asked S3 to make, change or delete of buckets, in order."""
        found = self.fake.calls(service="s3")
        return [
            f"{call.action} {call.params['query']}".strip()
            for call in found
            if call.signer == self.user.arn and call.action in ("PutBucket", "DeleteBucket")
        ]


@pytest.fixture
def repo(cli: Cli, fake_aws: aws.Fake, terraform: str) -> Repo:
    """Write the repository."""
    user = fake_aws.user(ACCOUNT, "alice")
    fake_aws.allow(user.arn, "s3:*")
    for name, content in {
        "atmos.yaml": ATMOS,
        "stacks/dev.yaml": STACK % (BUCKET, aws.REGION),
        "components/app/main.tf": MODULE,
    }.items():
        path = cli.cwd / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    keys = {"KEY_ID": user.access_key_id, "KEY": user.secret_access_key}
    return Repo(cli, fake_aws, user, {**fake_aws.environment(), **keys})


def as_it_should_be(s3: Any, bucket: str = BUCKET) -> None:
    """Make sure of everything that a bucket for states needs."""
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    closed = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert len(closed) == 4
    assert all(closed.values())
    tags = s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
    assert {one["Key"]: one["Value"] for one in tags} == {"Name": bucket, "ManagedBy": "Atmos"}


def test_the_bucket_is_made_before_init_as_the_identity_and_only_once(repo: Repo) -> None:
    done = repo("deploy", "app")
    assert done.exit == 0, done.stderr
    assert f"the bucket {BUCKET} was made" in done.stderr
    as_it_should_be(repo.admin())
    assert list(repo.fake.objects(ACCOUNT, BUCKET)) == ["app/dev/terraform.tfstate"]
    made = repo.asked()
    assert made.count("PutBucket") == 1

    again = repo("plan", "app", "--init", "-detailed-exitcode")
    assert again.exit == 0, again.stderr
    assert "was made" not in again.stderr
    assert repo.asked() == made


def test_two_machines_that_make_it_at_once_both_get_their_state(repo: Repo, tmp_path: Path) -> None:
    stack = STACK % (BUCKET, "eu-central-1")  # there the second who asks is told so
    (repo.cli.cwd / "stacks/dev.yaml").write_text(stack)
    repo.fake.script("s3:PutBucket", times=1, error=(409, "OperationAborted"))
    repo.fake.script("s3:HeadBucket", times=2, delay=1.5)
    running = [
        repo.cli.start(
            "terraform", "deploy", name, "-s", "dev",
            env={**repo.env, "XDG_STATE_HOME": str(tmp_path / name), "TF_DATA_DIR": None},
        )
        for name in ("app", "other")
    ]  # fmt: skip
    ended = [(one.communicate(timeout=90), one.returncode) for one in running]
    assert [code for _, code in ended] == [0, 0], ended
    assert repo.asked().count("PutBucket") >= 2
    as_it_should_be(repo.admin())
    states = sorted(repo.fake.objects(ACCOUNT, BUCKET))
    assert states == ["app/dev-other/terraform.tfstate", "app/dev/terraform.tfstate"]


def test_a_bucket_that_another_run_has_just_made_is_set_up_all_the_same(repo: Repo) -> None:
    (repo.cli.cwd / "stacks/dev.yaml").write_text(STACK % (BUCKET, "eu-central-1"))
    s3 = repo.admin()
    place = {"LocationConstraint": "eu-central-1"}
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
    repo.fake.script("s3:HeadBucket", times=1, error=(404, "NotFound"))
    repo.fake.script("s3:PutBucket", times=2, error=(409, "OperationAborted"))
    done = repo("backend", "create", "app")
    assert done.exit == 0, done.stderr
    assert repo.asked().count("PutBucket") == 3
    as_it_should_be(s3)


def test_a_bucket_that_is_there_is_not_touched(repo: Repo) -> None:
    repo.fake.bucket(ACCOUNT, BUCKET)
    done = repo("deploy", "app")
    assert done.exit == 0, done.stderr
    assert repo.asked() == []


def test_a_bucket_that_cannot_be_set_up_does_not_stay(repo: Repo) -> None:
    repo.fake.deny(repo.user.arn, "s3:PutBucketVersioning")
    done = repo("plan", "app")
    assert done.exit == 78
    assert f"the bucket {BUCKET} cannot be made: RuntimeError" in done.stderr
    assert "it is removed again" in done.stderr
    assert "at stacks/dev.yaml:6:25" in done.stderr
    assert "the identity needs s3:CreateBucket" in done.stderr
    assert repo.admin().list_buckets()["Buckets"] == []


def test_nothing_is_made_where_it_is_not_asked_for_or_only_shown(repo: Repo) -> None:
    off = repo("init", "ready")
    assert off.exit == 1
    assert "NoSuchBucket" in off.stderr or "does not exist" in off.stderr
    shown = repo("plan", "app", "--dry-run")
    assert "# make states unless it is there\nterraform init" in shown.stdout
    assert repo.asked() == []


def test_storage_that_is_not_built_stops_only_who_needs_it_made(repo: Repo) -> None:
    stack = repo.cli.cwd / "stacks/dev.yaml"
    with google.running() as cloud:
        place = f"storage_custom_endpoint: {cloud.url}/storage/v1/b"
        backend = f"{{bucket: {BUCKET}, access_token: {cloud.token('ci')}, {place}}}"
        stack.write_text(f"""\
vars: {{stage: dev}}
terraform: {{backend_type: gcs, backend: {{gcs: {backend}}}}}
components:
  terraform:
    app:
      provision:
        backend:
          enabled: true
""")
        refused = repo("init", "app")
        assert refused.exit == 78
        assert "`provision.backend` is not built for gcs: states is not made" in refused.stderr
        assert "at stacks/dev.yaml:8:11" in refused.stderr
        cloud.bucket(BUCKET)
        assert repo("init", "app").exit == 0


def test_backends_are_made_described_completed_and_deleted_by_command(
    repo: Repo, terminal: Callable[..., pexpect.spawn[str]]
) -> None:
    assert repo("backend", "create", "app").exit == 0
    made = repo.asked()
    again = repo("backend", "create", "app")
    assert (again.exit, "states is there already" in again.stderr) == (0, True)
    assert repo.asked() == made
    s3 = repo.admin()
    as_it_should_be(s3)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    s3.delete_public_access_block(Bucket=BUCKET)
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": [{"Key": "cost", "Value": "7"}]})

    unmarked = repo("backend", "delete", "app", "--force")
    assert unmarked.exit == 78
    assert "was not made by `provision.backend`: it is not deleted" in unmarked.stderr
    told = repo("backend", "update", "app")
    said = "states: public access is blocked, versions are kept, tags are there"
    assert (told.exit, said in told.stderr) == (0, True), told.stderr
    tags = s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"]
    assert {one["Key"] for one in tags} == {"cost", "Name", "ManagedBy"}
    s3.put_object(Bucket=BUCKET, Key="app/dev/terraform.tfstate", Body=b"1")
    s3.put_object(Bucket=BUCKET, Key="app/dev/terraform.tfstate", Body=b"2")

    refused = repo("backend", "delete", "app")
    assert (refused.exit, "nobody can be asked here" in refused.stderr) == (64, True)
    asked = terminal("terraform", "backend", "delete", "app", "-s", "dev", env=repo.env)
    asked.expect_exact("the bucket states: 2 versions of objects, states among them: 1")
    asked.expect_exact("app/dev/terraform.tfstate")
    asked.expect_exact("Go on? [y/N] ")
    asked.sendline("y")
    asked.expect(pexpect.EOF)
    assert s3.list_buckets()["Buckets"] == []
    gone = repo("backend", "delete", "app", "--force")
    assert (gone.exit, "there is no bucket states" in gone.stderr) == (78, True)


def test_backends_are_shown_without_asking_a_cloud(repo: Repo) -> None:
    listed = repo("backend", "list").stdout
    assert listed.split("\n")[:2] == [
        "Component\tType\tStorage\tProvision",
        "app\ts3\tstates\ttrue",
    ]
    assert "ready\ts3\tstates\tfalse" in listed
    told = json.loads(repo("backend", "describe", "app", "--format", "json").stdout)
    shown = told["components"]["terraform"]["app"]
    assert (shown["backend_type"], shown["backend"]["s3"]["bucket"]) == ("s3", BUCKET)
    off = repo("backend", "create", "ready")
    assert (off.exit, "set provision.backend.enabled: true" in off.stderr) == (78, True)
    assert "at stacks/dev.yaml:11:" in off.stderr
    assert repo.fake.calls() == []


def test_where_nobody_may_ask_for_the_bucket_init_decides(repo: Repo) -> None:
    repo.fake.bucket(ACCOUNT, BUCKET)
    repo.fake.script("s3:HeadBucket", error=(403, "AccessDenied"))
    assert repo("deploy", "app").exit == 0
    told = repo("backend", "create", "app")
    assert told.exit == 78
    assert f"the bucket {BUCKET} cannot be made: An error occurred (403)" in told.stderr
    assert repo.asked() == []
