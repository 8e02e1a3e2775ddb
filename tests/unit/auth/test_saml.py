"""SAML: which role is taken, what the configuration may be, and who can be asked."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import saml
from tests.fakes.saml import ADMIN, AUDIT, PROVIDER
from tests.unit.auth.conftest import Read
from wrapper.auth import chain
from wrapper.auth.kinds import _saml_assertion, _saml_role, _saml_sign_in, aws_assume_role, aws_saml
from wrapper.auth.kinds._saml_assertion import Assertion
from wrapper.auth.references import Secret
from wrapper.errors import AuthError, ConfigError, NeedsLogin
from wrapper.world import World

# ---- the role -------------------------------------------------------------------------------------


@pytest.fixture
def cloud() -> Iterator[tuple[saml.Idp, saml.Sts]]:
    with saml.running() as found:
        yield found


def link(arn: str, **principal: Any) -> aws_assume_role.Spec:
    return aws_assume_role.parse("dev", {"principal": {"assume_role": arn, **principal}})


def provider(url: str = "https://idp.example.com/aws", **more: Any) -> aws_saml.Spec:
    return aws_saml.parse("acme", {"url": url, "region": "eu-west-1", **more})


@pytest.fixture
def signed_in(
    cloud: tuple[saml.Idp, saml.Sts], outside: World
) -> tuple[saml.Sts, World, Assertion]:
    """A process that has just signed in, and STS."""
    import time

    idp, sts = cloud
    world = outside._replace(
        environ={**outside.environ, "AWS_ENDPOINT_URL": sts.endpoint}, now=time.time
    )
    text = idp.signer.signed(saml.response(time.time(), idp.roles, duration="5400"))
    found = _saml_assertion.read(text, time.time())
    _saml_sign_in.hold(_saml_sign_in.path(provider(), world), found, world)
    return sts, world, found


def assume(world: World, spec: aws_assume_role.Spec, given: aws_saml.Spec) -> Any:
    base = aws_saml.obtain(given, None, world)
    return aws_assume_role.obtain(spec, base, world)


def said(world: World) -> str:
    assert isinstance(world.stderr, io.StringIO)
    return world.stderr.getvalue()


def test_the_role_of_the_link_is_assumed_with_its_own_provider(
    signed_in: tuple[saml.Sts, World, Assertion],
) -> None:
    sts, world, found = signed_in
    given = assume(world, link(AUDIT), provider())
    assert given.principal == "arn:aws:sts::222222222222:assumed-role/Audit/alice"
    assert [call.params for call in sts.calls] == [
        {
            "RoleArn": AUDIT,
            "PrincipalArn": PROVIDER,
            "SAMLAssertion": found.encoded,
            "DurationSeconds": 5400,
        }
    ]


@pytest.mark.parametrize(
    ("principal", "session", "asked"),
    [
        ({"duration": "30m"}, {"duration": "2h"}, 1800),
        ({}, {"duration": "2h"}, 7200),
        ({}, {"duration": "5m"}, 900),
        ({}, {"duration": "2d"}, 43200),
        ({}, {"duration": "soon"}, 5400),
        ({}, {}, 5400),
    ],
)
def test_the_duration_is_the_identitys_then_the_providers_then_the_assertions(
    signed_in: tuple[saml.Sts, World, Assertion],
    principal: dict[str, str],
    session: dict[str, str],
    asked: int,
) -> None:
    sts, world, _ = signed_in
    assume(world, link(ADMIN, **principal), provider(session=session))
    assert sts.calls[-1].params["DurationSeconds"] == asked


def test_policies_go_along_and_what_sts_does_not_take_is_told(
    signed_in: tuple[saml.Sts, World, Assertion],
) -> None:
    sts, world, _ = signed_in
    arns = ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
    spec = link(ADMIN, policy={"a": 1}, policy_arns=arns, session_name="me", external_id="x")
    assume(world, spec, provider())
    params = sts.calls[-1].params
    assert (params["Policy"], params["PolicyArns"]) == ('{"a":1}', [{"arn": arns[0]}])
    told = (
        "not sent with a SAML assertion: session_name, external_id; the identity provider decides"
    )
    assert told in said(world)


@pytest.mark.parametrize(
    "wanted", [f"{ADMIN}istrator", ADMIN[:-1], ADMIN.lower(), "arn:aws:iam::111111111111:role/No"]
)
def test_a_role_that_is_not_offered_is_an_error_that_lists_those_that_are(
    signed_in: tuple[saml.Sts, World, Assertion], wanted: str
) -> None:
    sts, world, _ = signed_in
    with pytest.raises(AuthError) as caught:
        assume(world, link(wanted), provider())
    told = f'identity "dev": the identity provider does not offer {wanted}'
    assert (caught.value.message, caught.value.hints) == (told, (f"it offers: {ADMIN}, {AUDIT}",))
    assert sts.calls == []


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("AccessDenied", f"the trust policy of {ADMIN} must allow sts:AssumeRoleWithSAML"),
        ("ValidationError", "see `duration` of the identity"),
    ],
)
def test_a_refusal_of_sts_says_what_to_do(
    signed_in: tuple[saml.Sts, World, Assertion], code: str, hint: str
) -> None:
    sts, world, _ = signed_in
    sts.errors = [("AssumeRoleWithSAML", code, 403)]
    with pytest.raises(AuthError) as caught:
        assume(world, link(ADMIN), provider())
    assert caught.value.message.startswith(f'identity "dev": STS refused to assume {ADMIN}: {code}')
    assert caught.value.hints[0].startswith(hint)


def test_an_assertion_that_sts_finds_too_old_is_replaced_once(
    signed_in: tuple[saml.Sts, World, Assertion],
) -> None:
    sts, world, _ = signed_in
    sts.errors = [("AssumeRoleWithSAML", "ExpiredTokenException", 400)]
    with pytest.raises(NeedsLogin):  # nobody can be asked here
        assume(world, link(ADMIN), provider())
    assert sts.actions() == ["AssumeRoleWithSAML!ExpiredTokenException"]


@pytest.mark.parametrize(
    ("arn", "given", "region"),
    [
        ("arn:aws:iam::111111111111:role/R", "eu-west-1", "eu-west-1"),
        ("arn:aws-us-gov:iam::111111111111:role/R", "eu-west-1", "us-gov-west-1"),
        ("arn:aws-us-gov:iam::111111111111:role/R", "us-gov-east-1", "us-gov-east-1"),
        ("arn:aws-cn:iam::111111111111:role/R", "us-east-1", "cn-north-1"),
        ("arn:aws-cn:iam::111111111111:role/R", "cn-northwest-1", "cn-northwest-1"),
    ],
)
def test_sts_is_asked_in_the_partition_of_the_role(
    outside: World, arn: str, given: str, region: str
) -> None:
    assert _saml_role._region(link(arn), given, outside) == region
    assert ("STS is asked in" in said(outside)) == (given != region)


# ---- the configuration ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({"region": "eu-west-1"}, "url is required"),
        ({"url": "https://idp.example.com"}, "region is required"),
        ({"url": "idp.example.com", "region": "eu-west-1"}, 'url "idp.example.com" is no URL'),
        (
            {"url": "https://x.example", "region": "r", "browser_type": "chromum"},
            'browser_type "chromum" is not known',
        ),
    ],
)
def test_what_a_provider_needs(raw: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        aws_saml.parse("acme", raw)
    assert caught.value.message == f'provider "acme": {told}'


def test_an_unknown_driver_is_a_warning_and_a_known_one_is_none(outside: World) -> None:
    for driver in ("Okta", "googleapps", "Browser", "ADFS"):
        aws_saml.obtain(provider(driver=driver), None, outside)
    assert said(outside) == ""
    aws_saml.obtain(provider(driver="Oktta"), None, outside)
    assert 'driver "Oktta" is not known, did you mean "Okta"?; the browser is used' in said(outside)


CONFIG = """
providers:
  acme:
    kind: aws/saml
    url: https://idp.example.com/aws
    region: eu-west-1
    username: alice
    password: {password}
identities:
  dev:
    kind: aws/assume-role
    via: {{provider: acme}}
    principal: {{assume_role: "arn:aws:iam::111111111111:role/Admin"}}
"""


def test_a_password_is_only_known_by_its_place(check: Read) -> None:
    environ = {"IDP_PASSWORD": "very secret"}
    auth = check(CONFIG.format(password="!env IDP_PASSWORD"), environ=environ)
    assert auth.problems == ()
    assert auth.providers["acme"].raw["password"] == Secret("very secret", "IDP_PASSWORD")
    assert "IDP_PASSWORD" in auth.withheld
    steps = chain.entries(auth, "dev")
    written = chain.snapshot(steps, chain.keys(steps, "realm", environ))
    assert "very secret" not in json.dumps(written)
    again = chain.restore(written, environ)[0].spec
    assert (again.password, again.username) == ("very secret", "alice")
    assert chain.restore(written, {})[0].spec.unset == "IDP_PASSWORD"


def test_another_password_is_the_same_session_and_another_user_is_not(check: Read) -> None:
    texts = (
        CONFIG.format(password="one"),
        CONFIG.format(password="two"),
        CONFIG.format(password="one").replace("alice", "bob"),
    )
    auths = [check(text) for text in texts]
    keys = [chain.keys(chain.entries(a, "dev"), "realm", {})[-1] for a in auths]
    assert keys[0] == keys[1] != keys[2]


def test_a_password_in_a_file_is_read_there_again(check: Read) -> None:
    auth = check(CONFIG.format(password="in-the-file"))
    steps = chain.entries(auth, "dev")
    written = chain.snapshot(steps, chain.keys(steps, "realm", {}))
    assert "in-the-file" not in json.dumps(written)
    assert chain.restore(written, {})[0].spec.password == "in-the-file"


def test_a_root_session_cannot_start_from_an_assertion(check: Read) -> None:
    text = CONFIG.format(password="x").replace("aws/assume-role", "aws/assume-root")
    auth = check(text.replace("assume_role:", "target_principal: '333333333333', task_policy_arn:"))
    told = [p.error.message for p in auth.problems]
    assert 'identity "dev" needs AWS credentials, and a SAML provider gives none by itself' in told


# ---- where nobody can be asked --------------------------------------------------------------------


def test_without_a_window_and_a_password_somebody_is_needed(outside: World) -> None:
    with pytest.raises(NeedsLogin) as caught:
        _saml_sign_in.assertion(provider("https://idp.example.com/aws?secret=1"), outside)
    told = (
        'provider "acme": signing in to https://idp.example.com/aws needs a window and a terminal'
    )
    assert caught.value.message == told
    assert "auth login --provider acme" in caught.value.hints[0]


def test_a_password_that_should_be_in_a_variable_is_missed_by_name(outside: World) -> None:
    spec = provider(username="alice", password=Secret(None, variable="IDP_PASSWORD"))
    with pytest.raises(NeedsLogin) as caught:
        _saml_sign_in.assertion(spec, outside)
    assert caught.value.hints[0] == "the password is to be in IDP_PASSWORD, which is not set"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"version": 1, "state": {"cookies": 1}}'])
def test_a_broken_browser_session_is_none(outside: World, data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_bytes(data)
    file.chmod(0o600)
    assert _saml_sign_in._kept(str(file)) is None


def test_a_browser_session_that_is_too_large_keeps_its_cookies(
    outside: World, tmp_path: Path
) -> None:
    file = tmp_path / "saml" / "state.json"
    state = {"cookies": [{"name": "a"}], "origins": [{"localStorage": "x" * (2 << 20)}]}
    _saml_sign_in._keep(str(file), provider(), state, outside)
    assert _saml_sign_in._kept(str(file)) == {"cookies": [{"name": "a"}], "origins": []}
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
