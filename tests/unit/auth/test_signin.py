"""Sign-in to AWS by browser: what is asked, proved and kept."""

from __future__ import annotations

import io
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from tests.fakes import signin
from tests.fakes.signin import SignIn
from wrapper.auth.kinds import _signin
from wrapper.auth.kinds._signin import Place
from wrapper.errors import AuthError, NeedsLogin
from wrapper.world import World


@pytest.fixture
def service() -> Iterator[SignIn]:
    with signin.running() as found:
        yield found


@pytest.fixture
def place(service: SignIn) -> Place:
    return Place("me", "lab", "us-east-1", service.endpoint)


def desktop(outside: World, service: SignIn, *answers: dict[str, str]) -> World:
    """Return a desktop whose browser gives these answers, and a code if they do not count."""

    def visit(url: str) -> bool:
        query = dict(parse_qsl(urlsplit(url).query))
        code = service.code(query["code_challenge"], query["redirect_uri"])
        given = list(answers)
        if all("state" in answer for answer in answers):
            given.append({"code": code})

        def back() -> None:
            for answer in given:
                target = urlencode({"state": query["state"], **answer})
                try:
                    urllib.request.urlopen(f"{query['redirect_uri']}?{target}", timeout=60).close()
                except urllib.error.HTTPError as error:
                    error.close()

        threading.Thread(target=back).start()
        return True

    return outside._replace(
        environ={**outside.environ, "DISPLAY": ":0"},
        stderr=io.StringIO(),
        stderr_tty=True,
        open_browser=visit,
        now=time.time,
    )


def test_a_sign_in_gives_keys_and_proves_who_asks(
    outside: World, service: SignIn, place: Place
) -> None:
    found = _signin.obtain(place, desktop(outside, service))
    assert (found.cloud, service.grants()) == ("aws", ["authorization_code"])


def test_the_refresh_token_is_private_and_rotates_without_a_browser(
    outside: World, service: SignIn, place: Place
) -> None:
    world = desktop(outside, service)
    _signin.obtain(place, world)
    alone = world._replace(asks=False)
    _signin.obtain(place, alone)
    _signin.obtain(place, alone)
    assert service.grants() == ["authorization_code", "refresh_token", "refresh_token"]
    assert Path(_signin.path(place, world)).stat().st_mode & 0o777 == 0o600


def test_a_refresh_token_ends_twelve_hours_after_the_sign_in(
    outside: World, service: SignIn, place: Place
) -> None:
    world = desktop(outside, service)
    _signin.obtain(place, world)
    later = world._replace(asks=False, now=lambda: time.time() + 12 * 3600)
    with pytest.raises(NeedsLogin):
        _signin.obtain(place, later)


def test_a_refused_refresh_token_is_removed(outside: World, service: SignIn, place: Place) -> None:
    world = desktop(outside, service)
    _signin.obtain(place, world)
    service.refresh.clear()
    with pytest.raises(NeedsLogin):
        _signin.obtain(place, world._replace(asks=False))
    assert not Path(_signin.path(place, world)).exists()


def test_an_answer_with_a_foreign_state_is_turned_away_and_the_sign_in_goes_on(
    outside: World, service: SignIn, place: Place
) -> None:
    world = desktop(outside, service, {"code": "evil", "state": "other"})
    _signin.obtain(place, world)
    assert [asked["code"] == "evil" for asked in service.tokens] == [False]


def test_a_declined_sign_in_says_so(outside: World, service: SignIn, place: Place) -> None:
    world = desktop(outside, service, {"error": "access_denied"})
    with pytest.raises(AuthError) as caught:
        _signin.obtain(place, world)
    assert caught.value.message == (
        'identity "me": the sign-in was declined in the browser (access_denied)'
    )


def test_a_wrong_code_is_refused_by_the_service(
    outside: World, service: SignIn, place: Place
) -> None:
    with pytest.raises(AuthError) as caught:
        _signin.obtain(place, desktop(outside, service, {"code": "wrong"}))
    assert caught.value.message.startswith('identity "me": AWS refused the sign-in: invalid_grant')


def test_a_service_that_stumbles_is_asked_again_with_a_new_proof(
    outside: World, service: SignIn, place: Place
) -> None:
    service.refusals = [("server_error", 500)]
    with pytest.raises(AuthError, match="invalid_grant"):  # the code was spent by then
        _signin.obtain(place, desktop(outside, service, {"code": "spent"}))
    assert service.grants() == ["authorization_code"] * 2


def test_a_service_that_takes_json_only_gets_what_its_model_says(
    outside: World, service: SignIn, place: Place
) -> None:
    service.accepts = (signin.JSON,)
    world = desktop(outside, service)
    _signin.obtain(place, world)
    _signin.obtain(place, world._replace(asks=False))
    assert service.grants() == ["authorization_code", "refresh_token"]


def test_a_busy_service_is_no_reason_for_a_new_sign_in(
    outside: World, service: SignIn, place: Place
) -> None:
    world = desktop(outside, service)
    _signin.obtain(place, world)
    service.refusals = [("rate_exceeded", 429)] * 4
    with pytest.raises(AuthError, match="rate_exceeded"):
        _signin.obtain(place, world)
    assert Path(_signin.path(place, world)).exists()
    _signin.obtain(place, world._replace(asks=False))


@pytest.mark.parametrize("code", ["TOKEN_EXPIRED", "USER_CREDENTIALS_CHANGED"])
def test_what_the_service_calls_over_is_forgotten(
    outside: World, service: SignIn, place: Place, code: str
) -> None:
    world = desktop(outside, service)
    _signin.obtain(place, world)
    service.refusals = [(code, 400)]
    with pytest.raises(NeedsLogin):
        _signin.obtain(place, world._replace(asks=False))
    assert not Path(_signin.path(place, world)).exists()


def test_several_at_once_use_the_refresh_token_one_after_the_other(
    outside: World, service: SignIn, place: Place
) -> None:
    alone = desktop(outside, service)._replace(asks=False)
    _signin.obtain(place, alone._replace(asks=True))
    found: list[str] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(_signin.obtain(place, alone).fields["access_key_id"])
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 4


def test_nobody_is_asked_without_a_terminal(outside: World, place: Place) -> None:
    with pytest.raises(NeedsLogin):
        _signin.obtain(place, outside)


@pytest.mark.parametrize(
    ("region", "address"),
    [
        ("us-east-1", "https://signin.aws.amazon.com"),
        ("eu-west-1", "https://eu-west-1.signin.aws.amazon.com"),
        ("us-gov-west-1", "https://us-gov-west-1.signin.amazonaws-us-gov.com"),
        ("cn-north-1", "https://cn-north-1.signin.amazonaws.cn"),
    ],
)
def test_the_address_follows_the_region(outside: World, region: str, address: str) -> None:
    assert _signin.address(Place("me", "lab", region), outside) == address


@pytest.mark.parametrize(
    ("pasted", "code"),
    [
        ("abc", "abc"),
        ("http://127.0.0.1:1/oauth/callback?code=abc&state=right", "abc"),
        ("http://127.0.0.1:1/oauth/callback?code=abc&state=wrong", ""),
        ("two words", ""),
    ],
)
def test_a_code_or_its_address_can_be_pasted(pasted: str, code: str) -> None:
    assert _signin._pasted(pasted, "right") == code
