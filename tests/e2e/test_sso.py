"""The installed program signs in to IAM Identity Center, and real clients use what it gives."""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli
from tests.e2e.ends import left_alone
from tests.fakes import portal
from tests.fakes.portal import Portal

CONFIG = """
base_path: ./
auth:
  realm: lab
  providers:
    sso: {kind: aws/iam-identity-center, start_url: "https://acme.awsapps.com/start", region: eu-west-1}
    job: {kind: github/oidc, region: eu-west-1, spec: {audience: sts.amazonaws.com}}
  identities:
    dev: {kind: aws/permission-set, default: true, via: {provider: sso}, principal: {name: Admin, account: {name: dev}}}
    ops: {kind: aws/permission-set, via: {provider: sso}, principal: {name: Ops, account: {id: "111111111111"}}}
    hop:
      kind: aws/assume-role
      via: {identity: dev}
      principal:
        assume_role: arn:aws:iam::222222222222:role/Hop
        session_name: hop
        session_tags: {Team: blue}
        transitive_tag_keys: [Team]
        source_identity: alice
        policy_arns: ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
        policy: {Version: "2012-10-17", Statement: []}
    root: {kind: aws/assume-root, via: {identity: hop}, principal: {target_principal: "333333333333", task_policy_arn: S3UnlockBucketPolicy, duration: 1h}}
    direct: {kind: aws/assume-role, via: {provider: sso}, principal: {assume_role: "arn:aws:iam::222222222222:role/Hop"}}
    deploy: {kind: aws/assume-role, via: {provider: job}, principal: {assume_role: "arn:aws:iam::444444444444:role/Deploy", session_name: ci}}
"""
WHO = ("auth", "exec", "-i")
CLOUD = [
    "GetRoleCredentials",
    "AssumeRole",
    "AssumeRoot",
    "AssumeRoleWithWebIdentity",
    "GetCallerIdentity",
]


@pytest.fixture
def sso(sso_portal: Portal, cli: Cli) -> Portal:
    """Write the repository and point every client at the portal."""
    sso_portal.accounts = [("111111111111", "dev", ["Admin", "Ops"])]
    (cli.cwd / "atmos.yaml").write_text(CONFIG)
    cli.environment |= {
        "AWS_ENDPOINT_URL": sso_portal.endpoint,
        "ATMOS_FORCE_TTY": "true",
        "CI": "true",
    }
    return sso_portal


def aws(cli: Cli, identity: str, **env: str) -> str:
    """Return the ARN that the AWS CLI finds itself to be."""
    program = Path(sys.executable).parent / "aws"
    done = cli(
        *WHO, identity, "--", str(program), "sts", "get-caller-identity", env=env, timeout=120
    )
    assert done.exit == 0, done.stderr
    return str(json.loads(done.stdout)["Arn"])


def signed(sso: Portal) -> list[tuple[str, str | None]]:
    return [(call.action, call.signer) for call in sso.calls if call.action in CLOUD]


def test_a_real_client_is_the_permission_set_after_one_sign_in(cli: Cli, sso: Portal) -> None:
    admin = "arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_Admin_abc/me"
    assert cli("auth", "login").exit == 0
    assert [aws(cli, "dev"), aws(cli, "dev")] == [admin, admin]
    assert Counter(sso.actions())["StartDeviceAuthorization"] == 1
    assert Counter(sso.actions())["GetRoleCredentials"] == 1


def test_each_link_from_the_portal_to_root_is_signed_by_the_one_before(
    cli: Cli, sso: Portal
) -> None:
    assert aws(cli, "root") == "arn:aws:iam::333333333333:root"
    admin = "arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_Admin_abc/me"
    hop = "arn:aws:sts::222222222222:assumed-role/Hop/hop"
    assert signed(sso) == [
        ("GetRoleCredentials", None),
        ("AssumeRole", admin),
        ("AssumeRoot", hop),
        ("GetCallerIdentity", "arn:aws:iam::333333333333:root"),
    ]
    asked = {call.action: call.params for call in sso.calls}
    assert asked["AssumeRole"] == {
        "RoleArn": "arn:aws:iam::222222222222:role/Hop",
        "RoleSessionName": "hop",
        "Policy": '{"Version":"2012-10-17","Statement":[]}',
        "PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}],
        "Tags": [{"Key": "Team", "Value": "blue"}],
        "TransitiveTagKeys": ["Team"],
        "SourceIdentity": "alice",
    }
    assert asked["AssumeRoot"] == {
        "TargetPrincipal": "333333333333",
        "TaskPolicyArn": {"arn": "arn:aws:iam::aws:policy/root-task/S3UnlockBucketPolicy"},
        "DurationSeconds": 900,
    }


def test_many_cold_runs_at_once_sign_in_once_and_ask_once_per_role(cli: Cli, sso: Portal) -> None:
    sso.pending = 2
    runs = [cli.start(*WHO, ("dev", "ops")[n % 2], "--", "true") for n in range(8)]
    ends = [run.communicate(timeout=120) for run in runs]
    assert [run.returncode for run in runs] == [0] * 8, ends
    found = Counter(sso.actions())
    assert (found["StartDeviceAuthorization"], found["GetRoleCredentials"]) == (1, 2)


def test_many_cold_runs_share_a_declined_sign_in(cli: Cli, sso: Portal) -> None:
    sso.pending, sso.device_answer = 1 << 30, "AccessDeniedException"
    runs = [cli.start(*WHO, ("dev", "ops")[n % 2], "--", "true") for n in range(6)]
    sso.decide()
    ends = [run.communicate(timeout=120)[1] for run in runs]
    assert [run.returncode for run in runs] == [77] * 6
    assert all("the sign-in was declined in the browser" in text for text in ends), ends
    assert Counter(sso.actions())["StartDeviceAuthorization"] == 1


def test_a_role_directly_from_sso_is_refused_with_the_way_out(cli: Cli, sso: Portal) -> None:
    done = cli(*WHO, "direct", "--", "true")
    assert done.exit == 78
    assert 'identity "direct" needs AWS credentials, and an SSO provider gives none' in done.stderr
    assert "go via an aws/permission-set" in done.stderr
    assert sso.calls == []


def test_no_token_of_the_portal_reaches_a_program(cli: Cli, sso: Portal, state: Path) -> None:
    done = cli(*WHO, "dev", "--", "env")
    tokens = [json.loads(file.read_text())["access"] for file in (state / "sso").glob("*.json")]
    assert len(tokens) == 1
    assert [token for token in tokens if token in done.stdout] == []
    held = [
        p.name for p in (state / "realms").rglob("*") if p.is_file() and tokens[0] in p.read_text()
    ]
    assert held == []


def test_a_job_signs_in_by_its_token_which_the_program_never_sees(cli: Cli, sso: Portal) -> None:
    job = {"GITHUB_ACTIONS": "true", "ACTIONS_ID_TOKEN": sso.jwt}
    assert aws(cli, "deploy", **job) == "arn:aws:sts::444444444444:assumed-role/Deploy/ci"
    done = cli(
        *WHO, "deploy", "--", "env", env={**job, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request"}
    )
    assert done.exit == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("ACTIONS_ID_TOKEN")] == []


def test_another_job_does_not_get_the_sessions_of_the_first(cli: Cli, sso: Portal) -> None:
    first = cli(
        *WHO, "deploy", "--", "true", env={"GITHUB_ACTIONS": "true", "ACTIONS_ID_TOKEN": sso.jwt}
    )
    assert first.exit == 0, first.stderr
    done = cli(*WHO, "deploy", "--", "true", env={"GITHUB_ACTIONS": "true"})
    assert done.exit == 77
    assert "id-token: write" in done.stderr


def test_a_logout_of_the_provider_ends_the_session_at_the_portal(
    cli: Cli, sso: Portal, state: Path
) -> None:
    assert cli("auth", "login").exit == 0
    assert cli("auth", "logout", "--provider", "sso").exit == 0
    assert sso.actions()[-1] == "Logout"
    assert [*state.rglob("sessions/*.json"), *(state / "sso").glob("*.json")] == []
    done = cli(*WHO, "dev", "--", "true", env={"ATMOS_FORCE_TTY": None})
    assert done.exit == 77
    assert f"signing in to {portal.START_URL} needs a terminal" in done.stderr


def test_a_change_of_an_identity_that_no_portal_has_listed_says_where_to_sign_in(
    cli: Cli, sso: Portal, home: Path
) -> None:
    config = CONFIG.partition("  identities:\n")[0].replace(
        "region: eu-west-1}", "region: eu-west-1, auto_provision_identities: true}", 1
    )
    own = "  identities:\n    dev/admin: {default: true, alias: mine}\n"
    (cli.cwd / "atmos.yaml").write_text(config + own)
    before = cli("auth", "exec", "--", "true")
    assert before.exit == 78
    assert "hint: if a portal lists it, sign in there: auth login --provider sso" in before.stderr
    assert cli("auth", "login", "--provider", "sso").exit == 0
    left_alone(home)  # the list may be made in the background
    assert (
        cli("auth", "exec", "-i", "mine", "--", "printenv", "AWS_PROFILE").stdout == "dev/admin\n"
    )
    for ended in (("--provider", "sso"), ("--all",)):
        assert cli("auth", "logout", *ended).exit == 0


def test_a_login_does_not_wait_for_a_portal_that_lists_slowly(cli: Cli, sso: Portal) -> None:
    held = threading.Event()
    answer = sso.do_ListAccountRoles

    def slowly(params: Mapping[str, Any]) -> dict[str, Any]:
        held.wait(300)
        return answer(params)

    sso.do_ListAccountRoles = slowly  # type: ignore[method-assign]
    config = cli.cwd / "atmos.yaml"
    text = config.read_text().replace(
        "region: eu-west-1}", "region: eu-west-1, auto_provision_identities: true}", 1
    )
    config.write_text(text)
    done = cli("auth", "login", "--provider", "sso")
    assert done.exit == 0, done.stderr
    assert "still being listed, in the background" in done.stderr
    assert "dev/ops" not in cli("list", "identities").stdout
    held.set()
    while "dev/ops" not in cli("list", "identities").stdout:
        pass
