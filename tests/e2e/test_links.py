"""A user and three roles in three accounts: every link is signed by its parent, or refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.conftest import Cli
from tests.fakes import aws, chain

PLAN = ("terraform", "plan", "app", "-s", "prod")
ASKED = ("RoleArn", "RoleSessionName", "ExternalId", "DurationSeconds")


def _described(call: aws.Call) -> Mapping[str, Any]:
    asked = {name: value for name, value in call.params.items() if name in ASKED}
    return {"action": call.action, "signer": call.signer, "kind": call.kind, **asked}


def test_each_link_is_asked_for_with_its_parents_key_and_as_configured(
    cli: Cli, make_chain: chain.Make, fake_aws: aws.Fake, terraform: str
) -> None:
    made = make_chain()
    done = cli("terraform", "apply", "app", "-s", "prod", "-auto-approve")
    assert done.exit == 0, done.stderr
    calls = [call for call in fake_aws.calls(service="sts") if call.action != "GetCallerIdentity"]
    assert [_described(call) for call in calls] == [
        {
            "action": "GetSessionToken",
            "signer": made.user.arn,
            "kind": "user",
            "DurationSeconds": "43200",
        },
        {
            "action": "AssumeRole",
            "signer": made.user.arn,
            "kind": "session",
            "RoleArn": made.roles["gate"],
            "RoleSessionName": "alice-gate",
        },
        {
            "action": "AssumeRole",
            "signer": made.session("gate"),
            "kind": "role",
            "RoleArn": made.roles["hub"],
            "RoleSessionName": "alice-hub",
            "ExternalId": "hub-4711",
            "DurationSeconds": "1200",
        },
        {
            "action": "AssumeRole",
            "signer": made.session("hub"),
            "kind": "role",
            "RoleArn": made.roles["deploy"],
            "RoleSessionName": "alice-deploy",
            "ExternalId": "deploy-0815",
            "DurationSeconds": "1800",
        },
    ]
    parents = [aws.alias(made.user.access_key_id), *(call.granted for call in calls[:-1])]
    assert [call.key for call in calls] == parents
    stored = fake_aws.calls(service="s3")
    assert {(call.signer, call.key) for call in stored} == {
        (made.session("deploy"), calls[-1].granted)
    }
    assert list(fake_aws.objects(chain.LEAF, chain.BUCKET)) == ["app/prod/terraform.tfstate"]


@pytest.mark.parametrize("how", ["trust", "policy"])
@pytest.mark.parametrize("link", chain.LINKS)
def test_a_link_without_its_policy_is_refused(
    cli: Cli, make_chain: chain.Make, fake_aws: aws.Fake, link: str, how: str
) -> None:
    made = make_chain()
    signers = {"gate": made.user.arn, "hub": made.roles["gate"], "deploy": made.roles["hub"]}
    if how == "trust":
        somebody = aws.trust_policy("999999999999", external_id=chain.EXTERNAL_IDS[link])
        fake_aws.set_trust(made.roles[link], somebody)
    else:
        fake_aws.drop_policy(signers[link], "assume")
    done = cli(*PLAN)
    assert (done.exit, done.stdout) == (77, "")
    assert done.stderr.startswith(
        f'error: identity "{link}": STS refused to assume {made.roles[link]}: AccessDenied: '
    )
    assert "hint: " in done.stderr
    asked = fake_aws.calls("AssumeRole")
    before = chain.LINKS[: chain.LINKS.index(link)]
    assert [(call.params["RoleArn"], call.error) for call in asked] == [
        *((made.roles[name], None) for name in before),
        (made.roles[link], "AccessDenied"),
    ]


@pytest.mark.parametrize("link", ["hub", "deploy"])
def test_a_link_with_another_external_id_is_refused(
    cli: Cli, make_chain: chain.Make, fake_aws: aws.Fake, link: str
) -> None:
    made = make_chain()
    manifest = made.repo / "atmos.yaml"
    wrong = manifest.read_text().replace(str(chain.EXTERNAL_IDS[link]), "another")
    manifest.write_text(wrong)
    done = cli(*PLAN)
    assert done.exit == 77
    assert f'identity "{link}": STS refused to assume {made.roles[link]}' in done.stderr


def test_a_user_that_may_not_have_a_session_is_refused(
    cli: Cli, make_chain: chain.Make, fake_aws: aws.Fake
) -> None:
    made = make_chain()
    fake_aws.deny(made.user.arn, "sts:GetSessionToken")
    done = cli(*PLAN)
    assert done.exit == 77
    assert 'identity "alice": STS refused GetSessionToken: AccessDenied' in done.stderr
    assert fake_aws.calls("AssumeRole") == []


def test_a_rotated_key_is_named_as_the_reason(
    cli: Cli, make_chain: chain.Make, fake_aws: aws.Fake
) -> None:
    made = make_chain()
    fake_aws.revoke(made.user.access_key_id)
    done = cli(*PLAN)
    assert done.exit == 77
    assert "STS refused GetSessionToken: InvalidClientTokenId" in done.stderr
    assert "hint: the access key was rotated, deactivated or never existed" in done.stderr
    assert made.user.access_key_id not in done.stderr


def test_a_session_that_lives_is_used_again(
    cli: Cli, make_chain: chain.Make, fake_aws: aws.Fake
) -> None:
    make_chain()
    assert cli("exec", "-c", "app", "-s", "prod", "--", "true").exit == 0
    before = len(fake_aws.calls())
    assert cli("exec", "-c", "app", "-s", "prod", "--", "true").exit == 0
    assert len(fake_aws.calls()) == before


def test_an_unreachable_sts_is_said_to_be_so(cli: Cli, make_chain: chain.Make) -> None:
    make_chain()
    nowhere = {"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    done = cli(*PLAN, env=nowhere)
    assert (done.exit, done.stdout) == (77, "")
    assert (
        'error: identity "alice": GetSessionToken: no answer from http://127.0.0.1:9' in done.stderr
    )


def test_a_failure_that_was_noted_does_not_outlive_its_reason(
    cli: Cli, make_chain: chain.Make, fake_aws: aws.Fake, terraform: str
) -> None:
    made = make_chain()
    fake_aws.drop_policy(made.roles["hub"], "assume")
    assert cli(*PLAN).exit == 77
    fake_aws.allow(made.roles["hub"], "sts:AssumeRole", made.roles["deploy"], name="assume")
    done = cli(*PLAN)
    assert done.exit == 0, done.stderr
