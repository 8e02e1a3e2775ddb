"""What every kind of the registry must keep to."""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.fakes import portal
from tests.fakes.aws import Fake
from wrapper import world as outside
from wrapper.auth.kinds import IDENTITY_KINDS, KINDS, PROVIDER_KINDS, module
from wrapper.auth.model import Credential, Entry
from wrapper.env import EnvDelta
from wrapper.errors import AuthError
from wrapper.world import World

NOW = 1_800_000_000.0
BASE = Credential(
    "aws",
    {"access_key_id": "KEY", "secret_access_key": "SECRET", "session_token": "TOKEN"},
    NOW + 3600,
    "arn:aws:iam::111111111111:user/base",
    "us-east-1",
    NOW,
)


class Lab(NamedTuple):
    """The fake clouds of one test, and the environment of its world."""

    aws: Fake
    portal: portal.Portal
    environ: dict[str, str]


class Row(NamedTuple):
    """One kind: its configuration, made for a fake cloud, and the credential it starts from."""

    raw: Callable[[Lab], dict[str, Any]]
    base: Callable[[Lab], Credential | None]
    cloud: str


def _nothing(lab: Lab) -> None:
    return None


def _user(lab: Lab) -> dict[str, Any]:
    user = lab.aws.user("111111111111", "ci")
    keys = {"access_key_id": user.access_key_id, "secret_access_key": user.secret_access_key}
    return {"kind": "aws/user", "credentials": keys, "spec": {"endpoint_url": lab.aws.endpoint}}


def _role(lab: Lab) -> dict[str, Any]:
    user = lab.aws.user("111111111111", "ci")
    role = lab.aws.role("222222222222", "it", trusts=user.arn)
    lab.aws.allow(user.arn, "sts:AssumeRole", role)
    spec = {"endpoint_url": lab.aws.endpoint}
    return {"kind": "aws/assume-role", "principal": {"assume_role": role}, "spec": spec}


def _user_credential(lab: Lab) -> Credential:
    user = lab.aws.user("111111111111", "ci")
    keys = {"access_key_id": user.access_key_id, "secret_access_key": user.secret_access_key}
    return Credential("aws", keys, None, user.arn, "us-east-1", NOW)


def _ambient(lab: Lab) -> dict[str, Any]:
    os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"] = "KEY", "SECRET"
    return {"kind": "aws/ambient", "principal": {"region": "eu-north-1"}}


def _portal(lab: Lab) -> dict[str, Any]:
    return {
        "kind": "aws/iam-identity-center",
        "start_url": portal.START_URL,
        "region": portal.REGION,
        "spec": {"endpoint_url": lab.portal.endpoint},
    }


def _saml(lab: Lab) -> dict[str, Any]:
    return {
        "kind": "aws/saml",
        "url": "https://idp.example.com/aws",
        "region": portal.REGION,
        "username": "alice",
        "password": "no one reads this",
    }


def _permission_set(lab: Lab) -> dict[str, Any]:
    return {
        "kind": "aws/permission-set",
        "principal": {"name": "Admin", "account": {"name": "dev"}},
        "spec": {"endpoint_url": lab.portal.endpoint},
    }


def _portal_token(lab: Lab) -> Credential:
    raw = _portal(lab)
    world = outside.real()._replace(environ=lab.environ, now=lambda: NOW, stderr=io.StringIO())
    implementation = module(entry("aws/iam-identity-center", raw))
    return implementation.obtain(implementation.parse("sso", raw), None, world)


def _root(lab: Lab) -> dict[str, Any]:
    principal = {"target_principal": "333333333333", "task_policy_arn": "S3UnlockBucketPolicy"}
    spec = {"endpoint_url": lab.portal.endpoint}
    return {"kind": "aws/assume-root", "principal": principal, "spec": spec}


def _management(lab: Lab) -> Credential:
    key, secret, token = lab.portal.key("arn:aws:iam::111111111111:user/management")
    keys = {"access_key_id": key, "secret_access_key": secret, "session_token": token}
    return Credential("aws", keys, NOW + 3600, "", "us-east-1", NOW)


def _job(lab: Lab) -> dict[str, Any]:
    lab.environ.update(GITHUB_ACTIONS="true", ACTIONS_ID_TOKEN="a.b.c")
    return {"kind": "github/oidc", "spec": {"audience": "sts.amazonaws.com"}}


def _token_file(lab: Lab) -> dict[str, Any]:
    path = Path(lab.environ["HOME"], "token")
    parts = ({"alg": "none"}, {"aud": "sts.amazonaws.com", "exp": NOW + 60})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    path.write_bytes(b".".join([*encoded, b"signature"]))
    return {"kind": "oidc", "spec": {"audience": "sts.amazonaws.com", "file": str(path)}}


ROWS = {
    "aws/iam-identity-center": Row(_portal, _nothing, "aws-sso"),
    "aws/saml": Row(_saml, _nothing, "aws-saml"),
    "aws/permission-set": Row(_permission_set, _portal_token, "aws"),
    "aws/assume-root": Row(_root, _management, "aws"),
    "oidc": Row(_token_file, _nothing, "oidc"),
    "github/oidc": Row(_job, _nothing, "oidc"),
    "aws/user": Row(_user, _nothing, "aws"),
    "aws/assume-role": Row(_role, _user_credential, "aws"),
    "aws/ambient": Row(_ambient, _nothing, "aws"),
    "ambient": Row(lambda _: {"kind": "ambient"}, _nothing, ""),
    "mock": Row(lambda _: {"kind": "mock"}, lambda _: BASE, "mock"),
    "mock/aws": Row(lambda _: {"kind": "mock/aws"}, lambda _: BASE, "mock"),
}


@pytest.fixture(autouse=True)
def restored_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")


@pytest.fixture
def lab(home: Path, fake_aws: Fake, sso_portal: portal.Portal) -> Lab:
    environ = {"HOME": str(home), "ATMOS_FORCE_TTY": "true", "CI": "true"}
    return Lab(fake_aws, sso_portal, environ)


@pytest.fixture
def world(lab: Lab) -> World:
    return outside.real()._replace(
        environ=lab.environ, now=lambda: NOW, stdin_tty=False, stderr=io.StringIO()
    )


def entry(kind: str, raw: dict[str, Any]) -> Entry:
    return Entry("identity", "dev", kind, raw)


def test_every_registered_kind_has_a_row() -> None:
    assert set(ROWS) == set(KINDS)


def test_every_registered_kind_is_a_known_one() -> None:
    assert set(KINDS) <= {*PROVIDER_KINDS, *IDENTITY_KINDS}


@pytest.mark.parametrize("kind", sorted({*PROVIDER_KINDS, *IDENTITY_KINDS} - set(KINDS)))
def test_a_known_kind_without_a_module_is_refused_by_name(kind: str) -> None:
    with pytest.raises(AuthError) as caught:
        module(entry(kind, {"kind": kind}))
    assert caught.value.message == f'kind "{kind}" is not supported by this version'


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_module_offers_the_protocol(kind: str) -> None:
    found = module(entry(kind, {"kind": kind}))
    names = ("parse", "obtain", "environment", "forget")
    assert [callable(getattr(found, name)) for name in names] == [True] * 4


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_obtain_gives_a_credential_that_shows_no_secret(kind: str, lab: Lab, world: World) -> None:
    row = ROWS[kind]
    raw, base = row.raw(lab), row.base(lab)
    implementation = module(entry(kind, raw))
    found = implementation.obtain(implementation.parse("dev", raw), base, world)
    assert found.cloud == row.cloud
    assert found.issued == NOW
    assert [v for v in found.fields.values() if v and v in repr(found)] == []


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_spec_shows_no_secret(kind: str, lab: Lab) -> None:
    raw = ROWS[kind].raw(lab)
    keys = {**raw, **raw.get("credentials", {})}
    secret = keys.get("secret_access_key", keys.get("password", "no secret at all"))
    assert secret not in repr(module(entry(kind, raw)).parse("dev", raw))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_environment_is_pure(kind: str, lab: Lab, world: World, tmp_path: Path) -> None:
    raw = ROWS[kind].raw(lab)
    implementation = module(entry(kind, raw))
    spec = implementation.parse("dev", raw)
    before = (sorted(tmp_path.rglob("*")), dict(os.environ))
    first = implementation.environment(spec, BASE, world)
    second = implementation.environment(spec, BASE, world)
    assert isinstance(first, EnvDelta)
    assert tuple(first) == tuple(second)
    assert (sorted(tmp_path.rglob("*")), dict(os.environ)) == before


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_forget_can_be_repeated(kind: str, lab: Lab, world: World) -> None:
    raw = ROWS[kind].raw(lab)
    implementation = module(entry(kind, raw))
    spec = implementation.parse("dev", raw)
    implementation.forget(spec, world)
    assert implementation.forget(spec, world) == ()
