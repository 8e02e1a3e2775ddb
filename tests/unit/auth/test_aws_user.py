from __future__ import annotations

import io
import time

import pytest

from tests.fakes.aws import Fake
from wrapper.auth.kinds import aws_user
from wrapper.auth.kinds.aws_user import Spec
from wrapper.auth.references import Secret
from wrapper.errors import AuthError, Interrupted, NeedsLogin
from wrapper.world import World

MISSING = Secret(None)


@pytest.mark.parametrize(
    ("duration", "mfa", "seconds"),
    [
        ("", "", 43_200),
        ("1800", "", 1_800),
        ("2h", "", 7_200),
        ("60", "", 900),
        ("1d", "", 43_200),
        ("1d", "arn:mfa", 86_400),
        ("48h", "arn:mfa", 129_600),
        ("later", "", 43_200),
    ],
)
def test_the_length_of_a_session_is_kept_within_what_sts_takes(
    duration: str, mfa: str, seconds: int
) -> None:
    found, _ = aws_user.seconds(Spec("u", MISSING, MISSING, mfa, duration=duration))
    assert found == seconds


def with_mfa(fake: Fake, world: World, typed: str) -> tuple[Spec, World]:
    user = fake.user("111111111111", "ci", mfa_code="123456")
    keys = (Secret(user.access_key_id), Secret(user.secret_access_key))
    spec = Spec("u", *keys, user.mfa_arn or "", endpoint=fake.endpoint)
    asked = world._replace(stdin=io.StringIO(typed), stdin_tty=True, stderr_tty=True)
    return spec, asked


def test_a_wrong_code_is_asked_for_once_more(fake_aws: Fake, outside: World) -> None:
    spec, world = with_mfa(fake_aws, outside, "999999\n123456\n")
    found = aws_user.obtain(spec, None, world)
    answers = [c.status for c in fake_aws.calls("GetSessionToken")]
    assert (found.cloud, answers) == ("aws", [403, 200])


def test_two_wrong_codes_are_enough(fake_aws: Fake, outside: World) -> None:
    spec, world = with_mfa(fake_aws, outside, "999999\n888888\n123456\n")
    with pytest.raises(AuthError, match="STS refused GetSessionToken: AccessDenied"):
        aws_user.obtain(spec, None, world)


def test_without_a_terminal_nobody_is_asked(fake_aws: Fake, outside: World) -> None:
    spec, world = with_mfa(fake_aws, outside, "123456\n")
    with pytest.raises(NeedsLogin, match="needs an MFA code"):
        aws_user.obtain(spec, None, world._replace(stdin_tty=False))
    assert fake_aws.calls() == []


def test_the_end_of_input_is_a_no(fake_aws: Fake, outside: World) -> None:
    spec, world = with_mfa(fake_aws, outside, "")
    with pytest.raises(Interrupted):
        aws_user.obtain(spec, None, world)


def test_keys_that_aws_does_not_know_are_told_as_such(fake_aws: Fake, outside: World) -> None:
    spec = Spec("u", Secret("AKIAUNKNOWN"), Secret("x"), endpoint=fake_aws.endpoint)
    with pytest.raises(AuthError) as caught:
        aws_user.obtain(spec, None, outside._replace(now=time.time))
    assert "InvalidClientTokenId" in caught.value.message
    assert caught.value.hints == ("the access key was rotated, deactivated or never existed",)


def test_a_user_without_keys_says_how_to_give_some(outside: World) -> None:
    with pytest.raises(NeedsLogin) as caught:
        aws_user.obtain(Spec("u", MISSING, MISSING, webflow=False), None, outside)
    assert caught.value.message == 'identity "u" has no keys to sign in with'


def test_a_user_without_keys_and_terminal_hears_of_both_ways_to_sign_in(outside: World) -> None:
    with pytest.raises(NeedsLogin) as caught:
        aws_user.obtain(Spec("u", MISSING, MISSING), None, outside)
    assert caught.value.hints == (
        "sign in at a terminal first: atmos-wrap auth login -i u",
        "or store keys: atmos-wrap auth user configure -i u",
    )
