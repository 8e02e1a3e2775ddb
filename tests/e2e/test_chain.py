"""A chain of roles, signed in to by the installed program against an AWS that enforces IAM."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.e2e.ends import OVER, SHORT
from tests.fakes.aws import Fake, User, alias

CALLER = (
    "import boto3\n"
    "client = boto3.Session().client('sts')\n"
    "print(client.get_caller_identity()['Arn'], flush=True)\n"
)


class Repository:
    """A repository whose default identity is the end of user → one → two → three."""

    def __init__(self, cli: Cli, fake: Fake, directory: Path) -> None:
        self.cli, self.fake, self.directory = cli, fake, directory
        self.user: User = fake.user("111111111111", "ci")
        self.roles: dict[str, str] = {}
        signer = self.user.arn
        for name, account in (
            ("one", "111111111111"),
            ("two", "222222222222"),
            ("three", "333333333333"),
        ):
            external = "12345" if name == "two" else None
            role = fake.role(account, name, trusts=signer, external_id=external)
            fake.allow(signer, "sts:AssumeRole", role, name=f"to-{name}")
            self.roles[name] = signer = role
        cli.environment |= {
            **fake.environment(),
            "CI_KEY": self.user.access_key_id,
            "CI_SECRET": self.user.secret_access_key,
            "ATMOS_AUTH_REALM": "test",
        }
        self.write()

    def write(self, extra: str = "") -> None:
        config = f"""\
auth:
  identities:
    ci:
      kind: aws/user
      credentials: {{access_key_id: !env CI_KEY, secret_access_key: !env CI_SECRET}}
    one: {{kind: aws/assume-role, via: {{identity: ci}}, principal: {{assume_role: "{self.roles["one"]}"}}}}
    two:
      kind: aws/assume-role
      via: {{identity: one}}
      principal: {{assume_role: "{self.roles["two"]}", external_id: 12345, session_name: hop_two, duration: 30m}}
    three:
      kind: aws/assume-role
      default: true
      via: {{identity: two}}
      principal: {{assume_role: "{self.roles["three"]}", region: eu-west-1}}
{extra}"""
        (self.directory / "atmos.yaml").write_text(config, encoding="utf-8")

    def assumed(self) -> list[tuple[str | None, str, str | None]]:
        """Return signer, role and external id of each AssumeRole that was granted."""
        return [
            (c.signer, c.params["RoleArn"], c.params.get("ExternalId"))
            for c in self.fake.calls("AssumeRole")
            if c.status == 200
        ]


@pytest.fixture
def repository(cli: Cli, fake_aws: Fake) -> Repository:
    return Repository(cli, fake_aws, cli.cwd)


def exec_caller() -> tuple[str, ...]:
    return ("exec", "--", sys.executable, "-c", CALLER)


def test_each_link_is_signed_by_the_one_before_it(repository: Repository) -> None:
    done = repository.cli(*exec_caller())
    session = f"arn:aws:sts::111111111111:assumed-role/one/{_session(repository, 'one')}"
    assert (done.exit, done.stderr) == (0, "")
    assert done.stdout.startswith("arn:aws:sts::333333333333:assumed-role/three/atmos-three-")
    assert repository.assumed() == [
        (repository.user.arn, repository.roles["one"], None),
        (session, repository.roles["two"], "12345"),
        ("arn:aws:sts::222222222222:assumed-role/two/hop-two", repository.roles["three"], None),
    ]
    two = [c for c in repository.fake.calls("AssumeRole") if c.params["RoleArn"].endswith("/two")]
    assert (two[0].params["RoleSessionName"], two[0].params["DurationSeconds"]) == (
        "hop-two",
        "1800",
    )


def _session(repository: Repository, role: str) -> str:
    for call in repository.fake.calls("AssumeRole"):
        if call.params["RoleArn"] == repository.roles[role]:
            return call.params["RoleSessionName"]
    raise AssertionError(role)


def test_the_users_key_signs_nothing_but_its_own_session(repository: Repository) -> None:
    repository.cli(*exec_caller())
    key = alias(repository.user.access_key_id)
    assert [c.action for c in repository.fake.calls() if c.key == key] == ["GetSessionToken"]


def test_a_second_run_asks_for_nothing(repository: Repository) -> None:
    repository.cli(*exec_caller())
    before = len(repository.fake.calls("AssumeRole")) + len(
        repository.fake.calls("GetSessionToken")
    )
    repository.cli(*exec_caller())
    after = len(repository.fake.calls("AssumeRole")) + len(repository.fake.calls("GetSessionToken"))
    assert (before, after) == (4, 4)


def test_twenty_cold_runs_at_once_request_each_link_once(repository: Repository) -> None:
    runs = [repository.cli.start("exec", "--", "true") for _ in range(20)]
    ended = [(*run.communicate(timeout=90)[:1], run.returncode) for run in runs]
    assert ended == [("", 0)] * 20
    assert len(repository.fake.calls("GetSessionToken")) == 1
    assert len(repository.assumed()) == 3


@pytest.mark.parametrize("name", ["one", "two", "three"])
def test_a_link_whose_policy_is_gone_stops_with_its_role(repository: Repository, name: str) -> None:
    signers = {
        "one": repository.user.arn,
        "two": repository.roles["one"],
        "three": repository.roles["two"],
    }
    repository.fake.drop_policy(signers[name], f"to-{name}")
    done = repository.cli(*exec_caller())
    assert (done.exit, done.stdout) == (77, "")
    assert repository.roles[name] in done.stderr
    assert f'identity "{name}"' in done.stderr


def test_an_unreachable_sts_is_told_with_its_endpoint(repository: Repository) -> None:
    done = repository.cli(
        *exec_caller(), env={"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    )
    assert done.exit == 77
    assert "no answer from http://127.0.0.1:9" in done.stderr


def test_a_foreign_key_in_the_shell_never_signs(repository: Repository) -> None:
    foreign = repository.fake.user("999999999999", "stranger")
    pollution = {
        "AWS_ACCESS_KEY_ID": foreign.access_key_id,
        "AWS_SECRET_ACCESS_KEY": foreign.secret_access_key,
        "AWS_PROFILE": "nobody",
        "AWS_CONFIG_FILE": "/nonexistent",
    }
    done = repository.cli(*exec_caller(), env=pollution)
    assert done.stdout.startswith("arn:aws:sts::333333333333:assumed-role/three/")
    assert [c for c in repository.fake.calls() if c.signer == foreign.arn] == []


def test_the_program_sees_pointers_and_no_secret(repository: Repository) -> None:
    done = repository.cli(
        "exec", "--", "env", env={"AWS_SESSION_TOKEN": "foreign", "AWS_VAULT": "x"}
    )
    seen = dict(line.split("=", 1) for line in done.stdout.splitlines())
    given = {k for k in seen if k.startswith(("AWS_", "CI_"))}
    endpoints = set(repository.fake.environment())
    assert given - endpoints == {
        "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_PROFILE", "AWS_REGION",
        "AWS_DEFAULT_REGION", "AWS_SDK_LOAD_CONFIG", "AWS_EC2_METADATA_DISABLED",
    }  # fmt: skip
    assert (seen["AWS_PROFILE"], seen["AWS_REGION"]) == ("three", "eu-west-1")
    state = Path(repository.cli.environment["HOME"], ".local/state/atmos-wrap")
    texts = [p.read_text(encoding="utf-8") for p in state.rglob("*") if p.is_file()]
    assert not [t for t in texts if repository.user.secret_access_key in t]
    assert {p.stat().st_mode & 0o777 for p in state.rglob("*") if p.is_file()} == {0o600}


def test_a_session_that_ends_during_the_run_is_renewed(repository: Repository, state: Path) -> None:
    repository.fake.script("sts:AssumeRole", lifetime=SHORT)
    twice = CALLER + OVER + CALLER.splitlines()[-1]
    done = repository.cli("exec", "--", sys.executable, "-c", twice, str(state))
    principals = done.stdout.splitlines()
    assert (done.exit, len(principals)) == (0, 2)
    assert len({p.rsplit("/", 1)[0] for p in principals}) == 1
    assert [c[1] for c in repository.assumed()] == [*repository.roles.values()] * 2


def test_another_profile_signs_in_when_it_is_asked_for(repository: Repository) -> None:
    spare = repository.fake.role("444444444444", "Spare", trusts=repository.roles["one"])
    repository.fake.allow(repository.roles["one"], "sts:AssumeRole", spare, name="spare")
    repository.write(
        f'    Spare: {{kind: aws/assume-role, via: {{identity: one}}, principal: {{assume_role: "{spare}"}}}}\n'
    )
    code = CALLER.replace("Session()", "Session(profile_name='spare')")
    done = repository.cli("exec", "--", sys.executable, "-c", code)
    assert done.stdout.startswith("arn:aws:sts::444444444444:assumed-role/Spare/atmos-Spare-")


def test_required_identities_are_signed_in_before_the_program_starts(
    repository: Repository,
) -> None:
    denied = repository.fake.role("444444444444", "denied", trusts="arn:aws:iam::1:user/x")
    repository.write(
        f"    spare: {{kind: aws/assume-role, required: true, via: {{identity: two}}, "
        f'principal: {{assume_role: "{denied}"}}}}\n'
    )
    done = repository.cli("exec", "--", "true")
    strict = repository.cli("exec", "--", "true", env={"ATMOS_WRAP_REQUIRED": "strict"})
    assert (done.exit, strict.exit) == (0, 77)
    assert done.stderr.startswith('warning: required identity "spare": ')
    assert denied in strict.stderr


def test_plain_files_serve_programs_without_credential_process(repository: Repository) -> None:
    code = (
        "import configparser, json, os\n"
        "found = configparser.RawConfigParser()\n"
        "found.read(os.environ['AWS_SHARED_CREDENTIALS_FILE'])\n"
        "print(json.dumps({s: sorted(found[s]) for s in found.sections()}))\n"
    )
    done = repository.cli(
        "exec", "--", sys.executable, "-c", code, env={"ATMOS_WRAP_DELIVERY": "files"}
    )
    names = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"]
    assert json.loads(done.stdout) == dict.fromkeys(("ci", "one", "three", "two"), names)


def test_keys_in_the_environment_are_delivered_when_asked_for(repository: Repository) -> None:
    done = repository.cli(*exec_caller(), env={"ATMOS_WRAP_DELIVERY": "env"})
    assert done.stdout.startswith("arn:aws:sts::333333333333:assumed-role/three/")


def test_logout_removes_every_file_with_the_credential(repository: Repository) -> None:
    repository.cli("auth", "login")
    first = repository.cli("auth", "logout", "three")
    second = repository.cli("auth", "logout", "three")
    assert (first.exit, second.exit) == (0, 0)
    assert "1 file removed" in first.stderr
    assert second.stderr == "nothing was stored for three (realm: test)\n"


def test_whoami_knows_a_role_without_asking_and_verifies_on_demand(repository: Repository) -> None:
    repository.cli("auth", "login")
    before = len(repository.fake.calls())
    offline = json.loads(repository.cli("auth", "whoami", "-o", "json").stdout)
    asked = len(repository.fake.calls()) - before
    verified = json.loads(repository.cli("auth", "whoami", "-o", "json", "--verify").stdout)
    assert asked == 0
    assert (offline["principal"], offline["account"]) == (verified["principal"], "333333333333")
    assert repository.fake.calls()[-1].action == "GetCallerIdentity"


def test_other_keys_in_the_same_variables_are_another_session(repository: Repository) -> None:
    other = repository.fake.user("111111111111", "other")
    repository.cli("auth", "login", "-i", "ci")
    code = [*exec_caller()]
    code[1:1] = ["-i", "ci"]
    keys = {"CI_KEY": other.access_key_id, "CI_SECRET": other.secret_access_key}
    assert repository.cli(*code, env=keys).stdout == other.arn + "\n"
    assert repository.cli(*code).stdout == repository.user.arn + "\n"
    gone = repository.cli(*code, env=dict.fromkeys(keys))
    assert gone.stdout == repository.user.arn + "\n"


def test_credential_process_without_the_users_keys_says_what_to_do(repository: Repository) -> None:
    done = repository.cli("auth", "env", "-f", "json")
    config = Path(json.loads(done.stdout)["AWS_CONFIG_FILE"]).read_text(encoding="utf-8")
    line = next(x for x in config.splitlines() if x.startswith("credential_process"))
    asked = subprocess.run(
        line.partition(" = ")[2],
        shell=True,
        env=repository.cli.child_environment({"CI_KEY": None, "CI_SECRET": None}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (asked.returncode, asked.stdout) == (77, "")
    assert asked.stderr.splitlines()[0] == (
        'error: identity "ci" has no session left, and CI_KEY and CI_SECRET are not set'
    )
