"""The token of a GitHub Actions job: when it is asked for, and what is said when it is not there."""

from __future__ import annotations

import pytest

from wrapper.auth.kinds import github_oidc
from wrapper.auth.kinds.github_oidc import Spec
from wrapper.errors import AuthError, ConfigError, NeedsLogin
from wrapper.world import World

SPEC = Spec("gh", "sts.amazonaws.com", "eu-west-1")
JOB = {
    "GITHUB_ACTIONS": "true",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request",
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://127.0.0.1:9/token?api-version=2.0",
}


def obtain(outside: World, **environ: str) -> str:
    world = outside._replace(environ={k: v for k, v in {**JOB, **environ}.items() if v})
    return github_oidc.obtain(SPEC, None, world).fields["web_identity_token"]


def test_a_given_token_needs_no_request(outside: World) -> None:
    assert obtain(outside, ACTIONS_ID_TOKEN="a.b.c") == "a.b.c"


def test_outside_a_job_even_a_given_token_is_refused(outside: World) -> None:
    with pytest.raises(NeedsLogin) as caught:
        obtain(outside, GITHUB_ACTIONS="", ACTIONS_ID_TOKEN="a.b.c")
    assert caught.value.message == (
        'provider "gh": github/oidc signs in only in a GitHub Actions job'
    )


@pytest.mark.parametrize("name", ["ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL"])
def test_a_job_without_permission_is_told_which_one(outside: World, name: str) -> None:
    with pytest.raises(NeedsLogin) as caught:
        obtain(outside, **{name: ""})
    assert caught.value.message == f'provider "gh": {name} not set: this job may not sign in'
    assert "id-token: write" in caught.value.hints[0]


def test_the_request_token_is_never_sent_in_the_clear(outside: World) -> None:
    with pytest.raises(AuthError) as caught:
        obtain(outside, ACTIONS_ID_TOKEN_REQUEST_URL="http://127.0.0.1:9/token")
    assert caught.value.message.endswith("is no https address")


def test_a_service_that_never_answers_is_named_without_its_query(outside: World) -> None:
    with pytest.raises(AuthError) as caught:
        obtain(outside)
    assert "no answer from https://127.0.0.1:9/token: it cannot be" in caught.value.message


def test_an_audience_is_required() -> None:
    with pytest.raises(ConfigError):
        github_oidc.parse("gh", {"spec": {}})
