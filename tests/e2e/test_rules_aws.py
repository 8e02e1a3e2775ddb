"""The rules of AWS identities, by the installed program: what is refused, and what reaches AWS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.fakes import aws, proxy
from tests.fakes.portal import Portal

TASKS = (
    "IAMAuditRootUserCredentials, IAMCreateRootUserPassword, IAMDeleteRootUserCredentials,"
    " S3UnlockBucketPolicy, SQSUnlockQueuePolicy, or its ARN"
    " (arn:aws:iam::aws:policy/root-task/…)"
)
SSO = """\
auth:
  realm: lab
  providers:
    sso: {kind: aws/iam-identity-center, start_url: "https://acme.awsapps.com/start", region: eu-west-1}
    job: {kind: github/oidc, spec: {audience: sts.amazonaws.com}}
  identities:
    dev: {kind: aws/permission-set, default: true, via: {provider: sso}, principal: {name: Admin, account: {id: "111111111111"}}}
"""
ROLE = "arn:aws:iam::222222222222:role/x"
# Identity and what is told of it: message, the text at whose place it is, hint.
BROKEN = {
    "permission_set_without_name": (
        'kind: aws/permission-set, via: {provider: sso}, principal: {account: {name: dev}}',
        "principal.name is required", "principal:", "add `principal: {name: …}`",
    ),
    "permission_set_without_account": (
        "kind: aws/permission-set, via: {provider: sso}, principal: {name: Admin}",
        "principal.account needs an id or a name", "principal:", "",
    ),
    "permission_set_with_a_number": (
        "kind: aws/permission-set, via: {provider: sso}, principal: {name: A, account: {id: 111111111111}}",
        "principal.account.id must be text", "id:", "put the number in quotes",
    ),
    "role_without_arn": (
        "kind: aws/assume-role, via: {identity: dev}, principal: {region: eu-west-1}",
        "principal.assume_role is required", "principal:", "add `principal: {assume_role: …}`",
    ),
    "role_without_via": (
        f'kind: aws/assume-role, principal: {{assume_role: "{ROLE}"}}',
        "has no via", "", "add `via: {identity: …}` or `via: {provider: …}`",
    ),
    "role_with_an_empty_via": (
        f'kind: aws/assume-role, via: {{}}, principal: {{assume_role: "{ROLE}"}}',
        "via needs a provider or an identity", "via:",
        "write `via: {identity: …}` or `via: {provider: …}`",
    ),
    "root_without_target": (
        "kind: aws/assume-root, via: {identity: dev}, principal: {task_policy_arn: S3UnlockBucketPolicy}",
        "principal.target_principal is required", "principal:",
        "add `principal: {target_principal: …}`",
    ),
    "root_without_task": (
        'kind: aws/assume-root, via: {identity: dev}, principal: {target_principal: "333333333333"}',
        "principal.task_policy_arn is required", "principal:",
        "add `principal: {task_policy_arn: …}`",
    ),
    "root_of_a_name": (
        'kind: aws/assume-root, via: {identity: dev}, principal: {target_principal: "prod", task_policy_arn: S3UnlockBucketPolicy}',
        "target_principal is 12 digits", "target_principal:", "",
    ),
    "root_for_another_policy": (
        'kind: aws/assume-root, via: {identity: dev}, principal: {target_principal: "333333333333", task_policy_arn: "arn:aws:iam::aws:policy/AdministratorAccess"}',
        '"arn:aws:iam::aws:policy/AdministratorAccess" is no root task', "task_policy_arn:",
        f"one of {TASKS}",
    ),
    "root_for_an_unknown_task": (
        'kind: aws/assume-root, via: {identity: dev}, principal: {target_principal: "333333333333", task_policy_arn: "arn:aws:iam::aws:policy/root-task/S3Unlock"}',
        '"arn:aws:iam::aws:policy/root-task/S3Unlock" is no root task', "task_policy_arn:",
        f"one of {TASKS}",
    ),
    "user_with_half_a_key": (
        "kind: aws/user, credentials: {access_key_id: AKIA}",
        "access_key_id and secret_access_key must both be given, or neither", "credentials:", "",
    ),
    "ambient_with_via": (
        "kind: aws/ambient, via: {provider: sso}",
        "aws/ambient must not define via", "via:", "",
    ),
}  # fmt: skip
# Faults between two entries; `at` is the text at whose place each is.
UNFIT = {
    "via_with_both_keys": (
        f'kind: aws/assume-role, via: {{identity: dev, provider: job}}, principal: {{assume_role: "{ROLE}"}}',
        ": via.provider and via.identity are both set",
        ("provider:", "identity:"),
        "set one of them to null: `provider: null` or `identity: null`",
    ),
    "role_of_a_portal": (
        f'kind: aws/assume-role, via: {{provider: sso}}, principal: {{assume_role: "{ROLE}"}}',
        " needs AWS credentials, and an SSO provider gives none by itself",
        ("via:",),
        "go via an aws/permission-set of that provider: `via: {identity: …}`",
    ),
    "root_of_a_portal": (
        'kind: aws/assume-root, via: {provider: sso}, principal: {target_principal: "333333333333", task_policy_arn: S3UnlockBucketPolicy}',
        " needs AWS credentials, and an SSO provider gives none by itself",
        ("via:",),
        "go via an aws/permission-set of that provider: `via: {identity: …}`",
    ),
    "permission_set_of_a_job": (
        "kind: aws/permission-set, via: {provider: job}, principal: {name: Admin, account: {name: dev}}",
        ' goes via provider "job", which is no SSO provider',
        ("via:",),
        "write `via: {provider: …}` with a provider of kind aws/iam-identity-center",
    ),
}


def write(cli: Cli, identities: dict[str, str]) -> None:
    text = SSO + "".join(f"    {name}: {{{raw}}}\n" for name, raw in identities.items())
    (cli.cwd / "atmos.yaml").write_text(text, encoding="utf-8")


def place(cli: Cli, name: str, key: str) -> str:
    """Return where a key of an identity stands: file, line and column."""
    for number, line in enumerate((cli.cwd / "atmos.yaml").read_text().splitlines(), 1):
        if line.startswith(f"    {name}: "):
            column = line.index(key, len(name) + 6) if key else line.index(name)
            return f"atmos.yaml:{number}:{column + 1}"
    raise AssertionError(name)


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_rule_is_told_with_its_place(cli: Cli, rule: str) -> None:
    raw, message, key, hint = BROKEN[rule]
    write(cli, {rule: raw})
    done = cli("auth", "validate")
    assert (done.exit, done.stdout) == (78, "")
    assert done.stderr.splitlines()[1:] == [
        f'error: identity "{rule}": {message}',
        f"  at {place(cli, rule, key)}",
        *([f"hint: {hint}"] if hint else []),
    ]


@pytest.mark.parametrize("rule", UNFIT)
def test_a_via_that_cannot_work_is_refused_with_the_way_out(cli: Cli, rule: str) -> None:
    raw, message, keys, hint = UNFIT[rule]
    write(cli, {rule: raw})
    done = cli("auth", "validate")
    assert (done.exit, done.stdout) == (78, "")
    assert done.stderr.splitlines()[1:] == [
        f'error: identity "{rule}"{message}',
        *(f"  at {place(cli, rule, key)}" for key in keys),
        f"hint: {hint}",
    ]


def test_all_broken_rules_are_told_in_one_run_and_stop_only_their_own(cli: Cli) -> None:
    usable = {name: row[0] for name, row in BROKEN.items() if name != "ambient_with_via"}
    write(cli, {**usable, "pretended": "kind: ambient"})
    told = cli("auth", "validate").stderr
    assert told.count("error: ") == len(usable)
    assert cli("auth", "exec", "-i", "pretended", "--", "true").exit == 0
    assert cli("auth", "exec", "-i", "role_without_arn", "--", "true").exit == 78


# ---- permission sets ------------------------------------------------------------------------------


@pytest.fixture
def sso(sso_portal: Portal, cli: Cli) -> Portal:
    sso_portal.accounts = [
        ("111111111111", "dev", ["Admin"]),
        ("222222222222", "Dev", ["Admin"]),
        ("333333333333", "Prod", ["Admin"]),
    ]
    cli.environment |= {
        "AWS_ENDPOINT_URL": sso_portal.endpoint,
        "ATMOS_FORCE_TTY": "true",
        "CI": "true",
    }
    return sso_portal


@pytest.mark.parametrize(
    ("account", "number", "lists"),
    [
        ("name: dev", "111111111111", 1),
        ("name: Dev", "222222222222", 1),
        ("name: pROD", "333333333333", 1),
        ('id: "333333333333"', "333333333333", 0),
        ('id: "333333333333", name: dev', "333333333333", 0),
    ],
)
def test_an_account_is_found_by_exact_name_then_without_case_or_by_id(
    cli: Cli, sso: Portal, account: str, number: str, lists: int
) -> None:
    raw = f"kind: aws/permission-set, via: {{provider: sso}}, principal: {{name: Admin, account: {{{account}}}}}"
    write(cli, {"set": raw})
    done = cli("auth", "exec", "-i", "set", "--", "true")
    assert done.exit == 0, done.stderr
    asked = [call.params for call in sso.calls if call.action == "GetRoleCredentials"]
    assert [one["accountId"] for one in asked] == [number]
    assert sso.actions().count("ListAccounts") == lists


@pytest.mark.parametrize(
    ("name", "told", "hint"),
    [
        (
            "DEV",
            'several accounts are named "DEV": dev (111111111111), Dev (222222222222)',
            'give `account: {id: "…"}` instead of the name',
        ),
        ("prd", 'account "prd" is not among the 3 of this user', 'did you mean "Prod"?'),
    ],
)
def test_a_name_that_is_not_one_account_lists_what_there_is(
    cli: Cli, sso: Portal, name: str, told: str, hint: str
) -> None:
    raw = f"kind: aws/permission-set, via: {{provider: sso}}, principal: {{name: Admin, account: {{name: {name}}}}}"
    write(cli, {"set": raw})
    done = cli("auth", "exec", "-i", "set", "--", "true")
    assert (done.exit, done.stdout) == (78, "")
    assert f'error: identity "set": {told}\n' in done.stderr
    assert f"hint: {hint}\n" in done.stderr
    assert "GetRoleCredentials" not in sso.actions()


# ---- roles and root sessions ----------------------------------------------------------------------


def test_a_chain_from_permission_set_by_two_roles_to_root_is_signed_link_by_link(
    cli: Cli, sso: Portal
) -> None:
    write(
        cli,
        {
            "one": f'kind: aws/assume-role, via: {{identity: dev}}, principal: {{assume_role: "{ROLE}", session_name: one}}',
            "two": 'kind: aws/assume-role, via: {identity: one}, principal: {assume_role: "arn:aws:iam::333333333333:role/y", session_name: two}',
            "root": 'kind: aws/assume-root, via: {identity: two}, principal: {target_principal: "444444444444", task_policy_arn: SQSUnlockQueuePolicy}',
        },
    )
    done = cli("auth", "exec", "-i", "root", "--", "true")
    assert done.exit == 0, done.stderr
    assert [(c.action, c.signer) for c in sso.calls if c.action.startswith(("Assume", "GetR"))] == [
        ("GetRoleCredentials", None),
        ("AssumeRole", "arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_Admin_abc/me"),
        ("AssumeRole", "arn:aws:sts::222222222222:assumed-role/x/one"),
        ("AssumeRoot", "arn:aws:sts::333333333333:assumed-role/y/two"),
    ]


def test_every_field_of_a_role_reaches_sts(cli: Cli, sso: Portal) -> None:
    write(
        cli,
        {
            "full": f'kind: aws/assume-role, via: {{identity: dev}}, principal: {{assume_role: "{ROLE}",'
            " session_name: me, external_id: 4711, duration: 90m, session_tags: {Team: blue, Cost: 7},"
            " transitive_tag_keys: [Team], source_identity: alice, mfa_serial:"
            ' "arn:aws:iam::111111111111:mfa/me", policy_arns: ["arn:aws:iam::aws:policy/ReadOnlyAccess"],'
            ' policy: {Version: "2012-10-17", Statement: []}}'
        },
    )
    code = {"ATMOS_WRAP_MFA_CODE": "123456"}
    done = cli("auth", "exec", "-i", "full", "--", "true", env=code)
    assert (done.exit, done.stdout) == (0, ""), done.stderr
    asked = [call.params for call in sso.calls if call.action == "AssumeRole"]
    assert asked == [
        {
            "RoleArn": ROLE,
            "RoleSessionName": "me",
            "ExternalId": "4711",
            "DurationSeconds": 5400,
            "Tags": [{"Key": "Team", "Value": "blue"}, {"Key": "Cost", "Value": "7"}],
            "TransitiveTagKeys": ["Team"],
            "SourceIdentity": "alice",
            "SerialNumber": "arn:aws:iam::111111111111:mfa/me",
            "TokenCode": "123456",
            "PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}],
            "Policy": '{"Version":"2012-10-17","Statement":[]}',
        }
    ]


@pytest.fixture
def through(tmp_path: Path) -> Iterator[proxy.Proxy]:
    with proxy.running(tmp_path) as found:
        yield found


GOV = "arn:aws-us-gov:iam::aws:policy/root-task/"


@pytest.mark.parametrize(
    ("region", "task", "host", "arn"),
    [
        ("us-east-1", task, "sts.us-east-1.amazonaws.com", f"arn:aws:iam::aws:policy/root-task/{task}")
        for task in TASKS.partition(", or")[0].split(", ")
    ]
    + [
        (
            "eu-west-1",
            "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials",
            "sts.eu-west-1.amazonaws.com",
            "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials",
        ),
        (
            "us-gov-west-1",
            "S3UnlockBucketPolicy",
            "sts.us-gov-west-1.amazonaws.com",
            f"{GOV}S3UnlockBucketPolicy",
        ),
        (
            "us-gov-east-1",
            f"{GOV}SQSUnlockQueuePolicy",
            "sts.us-gov-east-1.amazonaws.com",
            f"{GOV}SQSUnlockQueuePolicy",
        ),
        (
            "cn-north-1",
            "S3UnlockBucketPolicy",
            "sts.cn-north-1.amazonaws.com.cn",
            "arn:aws-cn:iam::aws:policy/root-task/S3UnlockBucketPolicy",
        ),
    ],
)  # fmt: skip
def test_a_root_task_is_asked_of_the_regional_endpoint_in_its_partition(
    cli: Cli,
    sso_portal: Portal,
    through: proxy.Proxy,
    region: str,
    task: str,
    host: str,
    arn: str,
) -> None:
    through.route(host, sso_portal.endpoint)
    key, secret, token = sso_portal.key("arn:aws:iam::111111111111:user/management")
    write(
        cli,
        {
            "machine": "kind: aws/ambient",
            "root": "kind: aws/assume-root, via: {identity: machine}, principal:"
            f' {{target_principal: "333333333333", task_policy_arn: "{task}", region: {region}}}',
        },
    )
    env = {
        **through.environment(),
        "AWS_STS_REGIONAL_ENDPOINTS": "legacy",
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_SESSION_TOKEN": token,
    }
    done = cli("auth", "exec", "-i", "root", "--", "true", env=env)
    assert (done.exit, done.stderr) == (0, "")
    assert (through.asked, through.refused) == ([host], [])
    assert [call.params for call in sso_portal.calls] == [
        {"TargetPrincipal": "333333333333", "TaskPolicyArn": {"arn": arn}}
    ]


def test_a_root_session_of_more_than_15_minutes_is_cut_and_says_so(cli: Cli, sso: Portal) -> None:
    raw = 'kind: aws/assume-root, via: {identity: dev}, principal: {target_principal: "333333333333", task_policy_arn: S3UnlockBucketPolicy, duration: 16m}'
    write(cli, {"root": raw})
    done = cli("auth", "exec", "-i", "root", "--", "true")
    assert done.exit == 0
    assert "duration 16m is too long: a root session lives 15 minutes at most" in done.stderr
    asked = [call.params for call in sso.calls if call.action == "AssumeRoot"]
    assert [one["DurationSeconds"] for one in asked] == [900]


@pytest.mark.parametrize(
    ("written", "seconds", "told"),
    [
        ("15m", "900", ""),
        ("12h", "43200", ""),
        ("10m", "900", "session.duration 10m is out of bounds: 900 seconds are used"),
        ("13h", "43200", "session.duration 13h is out of bounds: 43200 seconds are used"),
        ("soon", "43200", 'session.duration "soon" is no duration: 12h are used'),
    ],
)
def test_a_users_session_lives_from_15_minutes_to_12_hours_without_mfa(
    cli: Cli, cloud: aws.Fake, written: str, seconds: str, told: str
) -> None:
    user = cloud.user("111111111111", f"user-{written}")
    keys = f"access_key_id: {user.access_key_id}, secret_access_key: {user.secret_access_key}"
    write(
        cli, {"user": f"kind: aws/user, credentials: {{{keys}}}, session: {{duration: {written}}}"}
    )
    done = cli("auth", "exec", "-i", "user", "--", "true", env=dict(cloud.environment()))
    assert done.exit == 0, done.stderr
    assert (told in done.stderr) if told else done.stderr == ""
    asked = [call for call in cloud.calls("GetSessionToken") if call.signer == user.arn]
    assert [call.params["DurationSeconds"] for call in asked] == [seconds]


@pytest.fixture(scope="module")
def cloud() -> Iterator[aws.Fake]:
    with aws.running() as found:
        yield found
