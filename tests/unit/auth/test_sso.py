"""IAM Identity Center: the sign-in, its token, and the credentials that it gives."""

from __future__ import annotations

import io
import json
import os
import stat
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import portal
from tests.fakes.portal import Portal
from wrapper import auth
from wrapper.auth import chain, provisioned
from wrapper.auth.kinds import _sso_token, aws_permission_set, aws_sso
from wrapper.auth.model import Credential
from wrapper.errors import AuthError, ConfigError, NeedsLogin
from wrapper.world import World

DEVICE_SIGN_IN = ["RegisterClient", "StartDeviceAuthorization", "CreateToken"]


@pytest.fixture
def world(outside: World) -> World:
    import time

    forced = {**outside.environ, "ATMOS_FORCE_TTY": "true", "CI": "true"}
    return outside._replace(environ=forced, now=time.time)


@pytest.fixture
def spec(sso_portal: Portal) -> aws_sso.Spec:
    return aws_sso.Spec("sso", portal.START_URL, portal.REGION, sso_portal.endpoint)


def token_file(spec: aws_sso.Spec, world: World) -> Path:
    return Path(_sso_token.path(spec.start_url, spec.region, spec.endpoint, world))


def silent(world: World) -> World:
    return world._replace(environ={"HOME": world.environ["HOME"]})


def said(world: World) -> str:
    assert isinstance(world.stderr, io.StringIO)
    return world.stderr.getvalue()


def test_the_device_flow_shows_page_and_code_and_waits(
    sso_portal: Portal, spec: aws_sso.Spec, world: World
) -> None:
    sso_portal.pending = 1
    aws_sso.obtain(spec, None, world)
    assert sso_portal.actions() == [
        *DEVICE_SIGN_IN[:2],
        "CreateToken!AuthorizationPendingException",
        "CreateToken",
    ]
    assert "  open  https://device.example.com/?user_code=WXYZ-1234\n  code  WXYZ-1234\n" in said(
        world
    )


def test_the_token_is_private_and_used_again_without_a_terminal(
    sso_portal: Portal, spec: aws_sso.Spec, world: World
) -> None:
    first = aws_sso.obtain(spec, None, world)
    second = aws_sso.obtain(spec, None, silent(world))
    assert second.fields == first.fields
    assert sso_portal.actions() == DEVICE_SIGN_IN
    assert stat.S_IMODE(token_file(spec, world).stat().st_mode) == 0o600


def test_an_ended_token_is_refreshed_without_a_person(
    sso_portal: Portal, spec: aws_sso.Spec, world: World
) -> None:
    sso_portal.token_seconds = 240
    aws_sso.obtain(spec, None, world)
    sso_portal.token_seconds = 28800
    aws_sso.obtain(spec, None, silent(world))
    assert sso_portal.actions() == [*DEVICE_SIGN_IN, "CreateToken"]


def test_a_registration_outlives_its_token(
    sso_portal: Portal, spec: aws_sso.Spec, world: World
) -> None:
    sso_portal.token_seconds = 240
    aws_sso.obtain(spec, None, world)
    sso_portal.revoke()
    aws_sso.obtain(spec, None, world)
    assert sso_portal.actions() == [
        *DEVICE_SIGN_IN,
        "CreateToken!InvalidGrantException",
        *DEVICE_SIGN_IN[1:],
    ]


def test_a_registration_that_has_ended_or_is_forgotten_is_made_anew(
    sso_portal: Portal, spec: aws_sso.Spec, world: World
) -> None:
    aws_sso.obtain(spec, None, world)
    file = str(token_file(spec, world))
    kept = _sso_token.load(file)
    ended = kept.clients[0]._replace(expires=world.now() + 60)
    _sso_token.store(file, "", _sso_token.Token(clients=(ended,)))
    aws_sso.obtain(spec, None, world)
    unknown = ended._replace(id="forgotten", expires=world.now() + 86400)
    _sso_token.store(file, "", _sso_token.Token(clients=(unknown,)))
    aws_sso.obtain(spec, None, world)
    assert sso_portal.actions() == [
        *DEVICE_SIGN_IN * 2,
        "StartDeviceAuthorization!InvalidClientException",
        *DEVICE_SIGN_IN,
    ]


def test_a_refresh_needs_a_registration_that_still_counts(
    sso_portal: Portal, spec: aws_sso.Spec, world: World
) -> None:
    sso_portal.token_seconds = 240
    aws_sso.obtain(spec, None, world)
    file = str(token_file(spec, world))
    kept = _sso_token.load(file)
    assert kept.client is not None
    _sso_token.store(file, "", kept._replace(client=kept.client._replace(expires=world.now() - 1)))
    with pytest.raises(NeedsLogin):
        aws_sso.obtain(spec, None, silent(world))
    assert sso_portal.actions() == DEVICE_SIGN_IN


def test_nobody_is_asked_without_a_terminal(
    sso_portal: Portal, spec: aws_sso.Spec, world: World
) -> None:
    with pytest.raises(NeedsLogin) as caught:
        aws_sso.obtain(spec, None, silent(world))
    assert caught.value.message == (
        'provider "sso": signing in to https://acme.awsapps.com/start needs a terminal'
    )
    assert sso_portal.calls == []


def test_a_program_that_asks_on_its_own_disturbs_nobody(
    sso_portal: Portal, spec: aws_sso.Spec, world: World
) -> None:
    with pytest.raises(NeedsLogin):
        aws_sso.obtain(spec, None, world._replace(asks=False))
    assert sso_portal.calls == []


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("AccessDeniedException", "the sign-in was declined in the browser"),
        ("ExpiredTokenException", "the code expired before the sign-in was confirmed"),
    ],
)
def test_a_refusal_says_what_happened(
    sso_portal: Portal, spec: aws_sso.Spec, world: World, answer: str, message: str
) -> None:
    sso_portal.device_answer = answer
    with pytest.raises(AuthError) as caught:
        aws_sso.obtain(spec, None, world)
    assert caught.value.message == f'provider "sso": {message}'
    assert not token_file(spec, world).exists()


def test_a_code_that_nobody_confirms_ends_by_itself(
    sso_portal: Portal, spec: aws_sso.Spec, world: World
) -> None:
    sso_portal.pending, sso_portal.device_expires = 99, 2
    with pytest.raises(AuthError) as caught:
        aws_sso.obtain(spec, None, world)
    assert caught.value.message == (
        'provider "sso": the code expired before the sign-in was confirmed'
    )


def test_several_at_once_sign_in_once(sso_portal: Portal, spec: aws_sso.Spec, world: World) -> None:
    sso_portal.delay = 0.05
    found: list[str] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(aws_sso.obtain(spec, None, world).fields["access_token"])
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert sso_portal.actions() == DEVICE_SIGN_IN


def test_those_that_wait_share_a_refusal(
    sso_portal: Portal, spec: aws_sso.Spec, world: World
) -> None:
    sso_portal.device_answer = "AccessDeniedException"
    faults: list[str] = []
    begun = world._replace(age=lambda: 60.0)  # all have begun, whenever their threads run

    def one() -> None:
        try:
            aws_sso.obtain(spec, None, begun)
        except AuthError as error:
            faults.append(error.message)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == ['provider "sso": the sign-in was declined in the browser'] * 8
    assert sso_portal.actions().count("StartDeviceAuthorization") == 1


def visit(url: str) -> bool:
    """Be a browser in which somebody is signed in already: follow the redirect."""
    threading.Thread(target=lambda: urllib.request.urlopen(url, timeout=60).read()).start()
    return True


def test_a_browser_signs_in_by_code_and_verifier(
    sso_portal: Portal, spec: aws_sso.Spec, world: World
) -> None:
    desktop = {"HOME": world.environ["HOME"], "DISPLAY": ":0"}
    seen = world._replace(environ=desktop, stderr_tty=True, open_browser=visit)
    aws_sso.obtain(spec, None, seen)
    assert sso_portal.actions() == ["RegisterClient", "CreateToken"]
    registered, created = (call.params for call in sso_portal.calls)
    assert registered["grantTypes"] == ["authorization_code", "refresh_token"]
    assert registered["redirectUris"] == ["http://127.0.0.1/oauth/callback"]
    assert created["grantType"] == "authorization_code"


def test_the_code_can_be_asked_for_where_a_browser_is(
    sso_portal: Portal, spec: aws_sso.Spec, world: World
) -> None:
    desktop = {"HOME": world.environ["HOME"], "DISPLAY": ":0", "ATMOS_WRAP_DEVICE_CODE": "1"}
    opened: list[str] = []
    seen = world._replace(
        environ=desktop, stderr_tty=True, open_browser=lambda url: not opened.append(url)
    )
    aws_sso.obtain(spec, None, seen)
    assert sso_portal.actions() == DEVICE_SIGN_IN
    assert opened == ["https://device.example.com/?user_code=WXYZ-1234"]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"version": 99}', b'{"version": 1, "access": 7, "expires": "x"}'],
)
def test_a_damaged_token_file_is_replaced(
    sso_portal: Portal, spec: aws_sso.Spec, world: World, content: bytes
) -> None:
    file = token_file(spec, world)
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    file.chmod(0o600)
    aws_sso.obtain(spec, None, world)
    assert sso_portal.actions() == DEVICE_SIGN_IN


def test_a_token_file_that_others_can_read_is_not_trusted(
    sso_portal: Portal, spec: aws_sso.Spec, world: World
) -> None:
    aws_sso.obtain(spec, None, world)
    token_file(spec, world).chmod(0o644)
    with pytest.raises(NeedsLogin):
        aws_sso.obtain(spec, None, silent(world))


def cli_token(world: World, **changes: Any) -> Path:
    """Write what the AWS CLI keeps of a sign-in to the same portal."""
    written = {
        "startUrl": portal.START_URL,
        "region": portal.REGION,
        "accessToken": "of-the-cli",
        "expiresAt": "2099-01-01T00:00:00Z",
        **changes,
    }
    file = Path(world.home, ".aws/sso/cache/0.json")
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(written))
    file.chmod(0o600)
    return file


def test_a_token_of_the_aws_cli_is_used_and_left_alone(
    sso_portal: Portal, spec: aws_sso.Spec, world: World
) -> None:
    file = cli_token(world)
    before = file.read_bytes()
    found = aws_sso.obtain(spec, None, silent(world))
    assert found.fields["access_token"] == "of-the-cli"
    assert (file.read_bytes(), sso_portal.calls) == (before, [])


@pytest.mark.parametrize(
    "changes",
    [
        {"region": "us-east-2"},
        {"startUrl": "https://other.awsapps.com/start"},
        {"expiresAt": "2020-01-01T00:00:00Z"},
        {"accessToken": None},
    ],
)
def test_another_token_of_the_aws_cli_is_not_used(
    spec: aws_sso.Spec, world: World, changes: dict[str, Any]
) -> None:
    cli_token(world, **changes)
    with pytest.raises(NeedsLogin):
        aws_sso.obtain(spec, None, silent(world))


# ---- permission sets ------------------------------------------------------------------------------


def permission_set(spec: aws_sso.Spec, world: World, **account: str) -> Credential:
    raw = {"principal": {"name": "Admin", "account": account}}
    return aws_permission_set.obtain(
        aws_permission_set.parse("dev", raw), aws_sso.obtain(spec, None, world), world
    )


def test_an_account_of_the_last_page_is_found_by_name(
    sso_portal: Portal, spec: aws_sso.Spec, world: World
) -> None:
    sso_portal.accounts = [(f"{n:012}", f"account {n}", ["Admin"]) for n in range(1, 6)]
    sso_portal.page_size = 2
    permission_set(spec, world, name="account 5")
    assert sso_portal.calls[-1].params["accountId"] == "000000000005"


@pytest.mark.parametrize(
    ("wanted", "number"),
    [("prod", "000000000001"), ("Prod", "000000000002"), ("DEV", "000000000003")],
)
def test_an_account_is_meant_exactly_or_uniquely_without_case(
    sso_portal: Portal, spec: aws_sso.Spec, world: World, wanted: str, number: str
) -> None:
    names = ("prod", "Prod", "dev")
    sso_portal.accounts = [(f"{n:012}", name, ["Admin"]) for n, name in enumerate(names, 1)]
    permission_set(spec, world, name=wanted)
    assert sso_portal.calls[-1].params["accountId"] == number


def test_an_ambiguous_account_is_refused_with_all_that_are_meant(
    sso_portal: Portal, spec: aws_sso.Spec, world: World
) -> None:
    names = ("Prod", "prod")
    sso_portal.accounts = [(f"{n:012}", name, ["Admin"]) for n, name in enumerate(names, 1)]
    with pytest.raises(ConfigError) as caught:
        permission_set(spec, world, name="PROD")
    assert caught.value.message == (
        'identity "dev": several accounts are named "PROD": '
        "Prod (000000000001), prod (000000000002)"
    )


def test_an_unknown_account_is_refused_with_the_nearest(spec: aws_sso.Spec, world: World) -> None:
    with pytest.raises(ConfigError) as caught:
        permission_set(spec, world, name="devv")
    assert caught.value.hints == ('did you mean "dev"?',)


def test_a_revoked_token_is_dropped_and_replaced_by_a_new_sign_in(
    sso_portal: Portal, spec: aws_sso.Spec, world: World
) -> None:
    permission_set(spec, world, id="111111111111")
    sso_portal.revoke()
    sso_portal.calls.clear()
    permission_set(spec, world, id="111111111111")
    assert sso_portal.actions() == [
        "GetRoleCredentials!UnauthorizedException",
        *DEVICE_SIGN_IN[1:],
        "GetRoleCredentials",
    ]


def test_a_revoked_token_needs_a_sign_in_where_nobody_is(
    sso_portal: Portal, spec: aws_sso.Spec, world: World
) -> None:
    permission_set(spec, world, id="111111111111")
    sso_portal.revoke()
    with pytest.raises(NeedsLogin):
        permission_set(spec, silent(world), id="111111111111")
    assert _sso_token.load(str(token_file(spec, world))).access == ""


def test_a_throttled_portal_is_asked_again(
    sso_portal: Portal, spec: aws_sso.Spec, world: World
) -> None:
    sso_portal.errors = [("GetRoleCredentials", "TooManyRequestsException", 429)]
    permission_set(spec, world, id="111111111111")
    assert sso_portal.actions()[-2:] == [
        "GetRoleCredentials!TooManyRequestsException",
        "GetRoleCredentials",
    ]


# ---- provisioned identities -----------------------------------------------------------------------

SECTION = """
providers:
  sso:
    kind: aws/iam-identity-center
    start_url: https://acme.awsapps.com/start
    region: eu-west-1
    auto_provision_identities: true
    spec: {{endpoint_url: "{endpoint}"}}
identities:
  dev/admin: {{kind: aws/permission-set, via: {{provider: sso}}, principal: {{name: Own, account: {{id: "1"}}}}}}
  dev/ops: {{default: true}}
"""


def test_every_set_of_every_page_becomes_an_identity_and_what_is_written_wins(
    sso_portal: Portal, spec: aws_sso.Spec, world: World, check: Callable[..., auth.Auth]
) -> None:
    sso_portal.accounts = [
        ("111111111111", "dev", ["Admin", "Ops", "Read"]),
        ("222222222222", "Prod East", ["Admin"]),
        ("333333333333", "twin", ["Admin"]),
        ("444444444444", "twin", ["Admin"]),
    ]
    sso_portal.page_size = 2
    aws_sso.obtain(spec._replace(provision=True), None, world)
    provisioned.settle(world)
    found = check(SECTION.format(endpoint=sso_portal.endpoint))
    assert [problem.error.message for problem in found.problems] == []
    assert sorted(found.identities) == [
        "dev/admin",
        "dev/ops",
        "dev/read",
        "prod east/admin",
        "twin-333333333333/admin",
        "twin-444444444444/admin",
    ]
    assert found.identities["dev/admin"].raw["principal"]["name"] == "Own"
    assert [default.name for default in found.defaults] == ["dev/ops"]


def test_a_logout_ends_the_session_and_takes_token_and_list(
    sso_portal: Portal, spec: aws_sso.Spec, world: World
) -> None:
    aws_sso.obtain(spec._replace(provision=True), None, world)
    provisioned.settle(world)
    file = str(token_file(spec, world))
    gone = aws_sso.forget(spec, world)
    assert gone == (file, provisioned.path(file))
    assert sso_portal.actions()[-1] == "Logout"
    assert [name for name in os.listdir(os.path.dirname(file)) if not name.endswith(".lock")] == []


def test_a_chain_through_the_portal_keeps_its_token_out_of_the_realm(
    sso_portal: Portal, world: World, check: Callable[..., auth.Auth]
) -> None:
    found = check(SECTION.format(endpoint=sso_portal.endpoint))
    chain.obtain_provider(found, found.providers["sso"], world)
    state = Path(world.home, ".local/state/atmos-wrap")
    assert [path.name for path in (state / "realms").rglob("*.json")] == []
