"""The fake AWS refuses what AWS refuses; the tests of the chain stand on it."""

from __future__ import annotations

import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError

from tests.fakes import aws

HOME, AWAY = "111111111111", "222222222222"


class Chain(NamedTuple):
    user: aws.User
    near: str
    far: str


@pytest.fixture
def chain(fake_aws: aws.Fake) -> Chain:
    user = fake_aws.user(HOME, "dev", mfa_code="123456")
    near = fake_aws.role(HOME, "near", trusts=user.arn)
    far = fake_aws.role(AWAY, "far", trusts=near, external_id="shared-word")
    fake_aws.allow(user.arn, "sts:AssumeRole", near)
    fake_aws.allow(near, "sts:AssumeRole", far)
    fake_aws.allow(far, "s3:*")
    fake_aws.bucket(AWAY, "state")
    return Chain(user, near, far)


def session(fake: aws.Fake, chain: Chain, **more: Any) -> Mapping[str, Any]:
    return fake.client("sts", chain.user).get_session_token(**more)["Credentials"]


def assume(fake: aws.Fake, key: Any, role: str, **more: Any) -> Mapping[str, Any]:
    more.setdefault("RoleSessionName", "test")
    return fake.client("sts", key).assume_role(RoleArn=role, **more)["Credentials"]


def walk(fake: aws.Fake, chain: Chain) -> Mapping[str, Any]:
    near = assume(fake, session(fake, chain), chain.near)
    return assume(fake, near, chain.far, ExternalId="shared-word")


def who(fake: aws.Fake, key: Any) -> str:
    return str(fake.client("sts", key).get_caller_identity()["Arn"])


def code(act: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as caught:
        act()
    return str(caught.value.response["Error"]["Code"])


def test_a_session_of_a_user_is_the_user(fake_aws: aws.Fake, chain: Chain) -> None:
    assert who(fake_aws, session(fake_aws, chain)) == f"arn:aws:iam::{HOME}:user/dev"


def test_a_chain_ends_in_the_other_account(fake_aws: aws.Fake, chain: Chain) -> None:
    assert who(fake_aws, walk(fake_aws, chain)) == f"arn:aws:sts::{AWAY}:assumed-role/far/test"


def test_each_link_is_signed_by_the_one_before(fake_aws: aws.Fake, chain: Chain) -> None:
    walk(fake_aws, chain)
    calls = fake_aws.calls(service="sts")
    assert [(call.action, call.signer, call.kind, call.params) for call in calls] == [
        ("GetSessionToken", chain.user.arn, "user", {}),
        (
            "AssumeRole",
            chain.user.arn,
            "session",
            {"RoleArn": chain.near, "RoleSessionName": "test"},
        ),
        (
            "AssumeRole",
            f"arn:aws:sts::{HOME}:assumed-role/near/test",
            "role",
            {"RoleArn": chain.far, "RoleSessionName": "test", "ExternalId": "shared-word"},
        ),
    ]
    assert calls[0].key == aws.alias(chain.user.access_key_id)
    assert [call.key for call in calls[1:]] == [call.granted for call in calls[:-1]]


def test_objects_are_written_under_the_roles_policy(fake_aws: aws.Fake, chain: Chain) -> None:
    s3 = fake_aws.client("s3", walk(fake_aws, chain))
    s3.put_object(Bucket="state", Key="env:/dev/x y+ü~.tfstate", Body=b"{}")
    assert fake_aws.objects(AWAY, "state") == {"env:/dev/x y+ü~.tfstate": "{}"}


def test_who_has_no_policy_for_objects_is_refused(fake_aws: aws.Fake, chain: Chain) -> None:
    s3 = fake_aws.client("s3", session(fake_aws, chain))
    assert code(lambda: s3.list_objects_v2(Bucket="state")) == "AccessDenied"


def test_a_dropped_policy_counts_at_once(fake_aws: aws.Fake, chain: Chain) -> None:
    s3 = fake_aws.client("s3", walk(fake_aws, chain))
    fake_aws.drop_policy(chain.far)
    assert code(lambda: s3.list_objects_v2(Bucket="state")) == "AccessDenied"


@pytest.mark.parametrize("broken", ["user", "near"])
def test_a_link_needs_the_callers_policy(fake_aws: aws.Fake, chain: Chain, broken: str) -> None:
    fake_aws.drop_policy(chain.user.arn if broken == "user" else chain.near)
    assert code(lambda: walk(fake_aws, chain)) == "AccessDenied"


@pytest.mark.parametrize("broken", ["near", "far"])
def test_a_link_needs_the_roles_trust(fake_aws: aws.Fake, chain: Chain, broken: str) -> None:
    role = chain.near if broken == "near" else chain.far
    fake_aws.set_trust(role, aws.trust_policy("333333333333"))
    assert code(lambda: walk(fake_aws, chain)) == "AccessDenied"


@pytest.mark.parametrize("given", [{}, {"ExternalId": "other-word"}])
def test_a_wrong_external_id_is_refused(
    fake_aws: aws.Fake, chain: Chain, given: dict[str, str]
) -> None:
    near = assume(fake_aws, session(fake_aws, chain), chain.near)
    assert code(lambda: assume(fake_aws, near, chain.far, **given)) == "AccessDenied"


def test_a_role_may_ask_for_mfa(fake_aws: aws.Fake, chain: Chain) -> None:
    fake_aws.set_trust(chain.near, aws.trust_policy(chain.user.arn, mfa=True))
    plain = session(fake_aws, chain)
    strong = session(fake_aws, chain, SerialNumber=chain.user.mfa_arn, TokenCode="123456")
    assert code(lambda: assume(fake_aws, plain, chain.near)) == "AccessDenied"
    assert who(fake_aws, assume(fake_aws, strong, chain.near)).endswith(":assumed-role/near/test")


def test_a_wrong_mfa_code_is_refused(fake_aws: aws.Fake, chain: Chain) -> None:
    given = {"SerialNumber": chain.user.mfa_arn, "TokenCode": "000000"}
    assert code(lambda: session(fake_aws, chain, **given)) == "AccessDenied"


def test_a_wrong_secret_is_refused(fake_aws: aws.Fake, chain: Chain) -> None:
    wrong = chain.user._replace(secret_access_key="x" * 40)
    assert code(lambda: who(fake_aws, wrong)) == "SignatureDoesNotMatch"


def test_a_key_of_another_token_is_refused(fake_aws: aws.Fake, chain: Chain) -> None:
    one, other = session(fake_aws, chain), session(fake_aws, chain)
    mixed = {**one, "SessionToken": other["SessionToken"]}
    assert code(lambda: who(fake_aws, mixed)) == "InvalidClientTokenId"


def test_an_unsigned_request_is_refused(fake_aws: aws.Fake, chain: Chain) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(urllib.error.HTTPError) as caught:
        opener.open(f"{fake_aws.endpoint}/state/key", timeout=60)
    assert caught.value.code == 403
    caught.value.close()


def test_a_short_session_ends(fake_aws: aws.Fake, chain: Chain) -> None:
    fake_aws.script("sts:GetSessionToken", lifetime=1.0)
    short = session(fake_aws, chain)
    time.sleep(1.1)
    assert code(lambda: who(fake_aws, short)) == "ExpiredToken"


def test_a_scripted_error_comes_as_often_as_asked(fake_aws: aws.Fake, chain: Chain) -> None:
    fake_aws.script("sts:AssumeRole", times=1, error=(403, "AccessDenied"))
    key = session(fake_aws, chain)
    assert code(lambda: assume(fake_aws, key, chain.near)) == "AccessDenied"
    assert who(fake_aws, assume(fake_aws, key, chain.near)).endswith(":assumed-role/near/test")


def test_a_chained_role_lives_an_hour_at_most(fake_aws: aws.Fake, chain: Chain) -> None:
    near = assume(fake_aws, session(fake_aws, chain), chain.near)
    asked = {"ExternalId": "shared-word", "DurationSeconds": 7200}
    assert code(lambda: assume(fake_aws, near, chain.far, **asked)) == "ValidationError"


def test_no_secret_is_in_the_record(fake_aws: aws.Fake, chain: Chain) -> None:
    keys = [session(fake_aws, chain), walk(fake_aws, chain)]
    text = fake_aws.log.read_text()
    secrets = [value for key in keys for value in (key["SecretAccessKey"], key["SessionToken"])]
    assert [secret for secret in [*secrets, chain.user.secret_access_key] if secret in text] == []


def test_it_ends_with_the_block() -> None:
    with aws.running() as fake:
        pid = fake.process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_it_ends_by_itself() -> None:
    with aws.running(lifetime=0.2) as fake:
        assert fake.process.wait(timeout=60) == 3


TASK = {"TaskPolicyArn": {"arn": "arn:aws:iam::aws:policy/root-task/S3UnlockBucketPolicy"}}


def test_a_root_session_may_do_its_task_and_nothing_else(fake_aws: aws.Fake, chain: Chain) -> None:
    far = walk(fake_aws, chain)
    sts = fake_aws.client("sts", far)
    assert code(lambda: sts.assume_root(TargetPrincipal=AWAY, **TASK)) == "AccessDenied"
    fake_aws.allow(chain.far, "sts:AssumeRoot", name="root")
    root = sts.assume_root(TargetPrincipal=AWAY, **TASK)["Credentials"]
    s3 = fake_aws.client("s3", root)
    assert who(fake_aws, root) == f"arn:aws:iam::{AWAY}:root"
    assert s3.delete_bucket_policy(Bucket="state")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert code(lambda: s3.put_object(Bucket="state", Key="x", Body=b"")) == "AccessDenied"
    longer = {**TASK, "DurationSeconds": 901}
    assert code(lambda: sts.assume_root(TargetPrincipal=AWAY, **longer)) == "ValidationError"


def test_a_session_that_another_service_grants_is_its_role_until_it_ends(
    fake_aws: aws.Fake, chain: Chain
) -> None:
    arn = f"arn:aws:sts::{AWAY}:assumed-role/far/me"
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
    now, old = (dict(zip(names, fake_aws.session(arn, s), strict=True)) for s in (60, -1))
    assert who(fake_aws, now) == arn
    assert fake_aws.client("s3", now).list_objects_v2(Bucket="state")["KeyCount"] == 0
    assert code(lambda: who(fake_aws, old)) == "ExpiredToken"
