"""Sign-in to AWS by browser: what is asked, proved and kept."""

from __future__ import annotations

import base64
import io
import json
import secrets
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from wrapper.auth.kinds import _signin
from wrapper.auth.kinds._signin import Place
from wrapper.errors import AuthError, NeedsLogin
from wrapper.world import World


def unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Service:
    """A sign-in service: one-time codes, verified proofs, rotating refresh tokens."""

    def __init__(self) -> None:
        self.endpoint = ""
        self.forms: list[dict[str, str]] = []
        self.proofs: set[str] = set()
        self.codes = {secrets.token_hex(8)}
        self.refresh: set[str] = set()

    def answer(self, body: bytes, header: str) -> tuple[int, dict[str, Any]]:
        self._verify(header)
        form = dict(parse_qsl(body.decode()))
        self.forms.append(form)
        known = self.codes if form["grant_type"] == "authorization_code" else self.refresh
        given = form.get("code") or form.get("refresh_token", "")
        if given not in known:
            return 400, {"error": "invalid_grant"}
        known.discard(given)
        token = secrets.token_hex(8)
        self.refresh.add(token)
        keys = dict.fromkeys(("access_key_id", "secret_access_key", "session_token"), token)
        return 200, {"access_token": keys, "expires_in": 900, "refresh_token": token}

    def _verify(self, header: str) -> None:
        head, claims, signature = header.split(".")
        given, said = json.loads(unpadded(head)), json.loads(unpadded(claims))
        assert (given["typ"], given["alg"]) == ("dpop+jwt", "ES256")
        assert (said["htm"], said["htu"]) == ("POST", f"{self.endpoint}/v1/token")
        assert abs(said["iat"] - time.time()) < 60
        assert said["jti"] not in self.proofs
        self.proofs.add(said["jti"])
        x, y = (int.from_bytes(unpadded(given["jwk"][axis])) for axis in "xy")
        key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        raw = unpadded(signature)
        r, s = int.from_bytes(raw[:32]), int.from_bytes(raw[32:])
        key.verify(
            utils.encode_dss_signature(r, s), f"{head}.{claims}".encode(), ec.ECDSA(SHA256())
        )


@contextmanager
def served() -> Iterator[Service]:
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, found = service.answer(body, self.headers["DPoP"])
            data = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield service
    server.shutdown()
    server.server_close()


@pytest.fixture
def service() -> Iterator[Service]:
    with served() as found:
        yield found


@pytest.fixture
def place(service: Service) -> Place:
    return Place("me", "lab", "us-east-1", service.endpoint)


def desktop(outside: World, service: Service, *answers: dict[str, str]) -> World:
    """Return a desktop whose browser gives these answers; `state` is the right one if left out."""
    given = answers or ({"code": next(iter(service.codes))},)

    def visit(url: str) -> bool:
        query = dict(parse_qsl(urlsplit(url).query))

        def back() -> None:
            for answer in given:
                target = urlencode({"state": query["state"], **answer})
                try:
                    urllib.request.urlopen(f"{query['redirect_uri']}?{target}", timeout=10).close()
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
    outside: World, service: Service, place: Place
) -> None:
    found = _signin.obtain(place, desktop(outside, service))
    (form,) = service.forms
    assert (found.cloud, form["grant_type"]) == ("aws", "authorization_code")
    assert form["client_id"] == "arn:aws:signin:::devtools/same-device"


def test_the_refresh_token_is_private_and_rotates_without_a_browser(
    outside: World, service: Service, place: Place
) -> None:
    world = desktop(outside, service)
    _signin.obtain(place, world)
    alone = world._replace(asks=False)
    _signin.obtain(place, alone)
    _signin.obtain(place, alone)
    kinds = [form["grant_type"] for form in service.forms]
    assert kinds == ["authorization_code", "refresh_token", "refresh_token"]
    assert Path(_signin.path(place, world)).stat().st_mode & 0o777 == 0o600


def test_a_refresh_token_ends_twelve_hours_after_the_sign_in(
    outside: World, service: Service, place: Place
) -> None:
    world = desktop(outside, service)
    _signin.obtain(place, world)
    later = world._replace(asks=False, now=lambda: time.time() + 12 * 3600)
    with pytest.raises(NeedsLogin):
        _signin.obtain(place, later)


def test_a_refused_refresh_token_is_removed(outside: World, service: Service, place: Place) -> None:
    world = desktop(outside, service)
    _signin.obtain(place, world)
    service.refresh.clear()
    with pytest.raises(NeedsLogin):
        _signin.obtain(place, world._replace(asks=False))
    assert not Path(_signin.path(place, world)).exists()


def test_an_answer_with_a_foreign_state_is_turned_away_and_the_sign_in_goes_on(
    outside: World, service: Service, place: Place
) -> None:
    code = next(iter(service.codes))
    world = desktop(outside, service, {"code": "evil", "state": "other"}, {"code": code})
    _signin.obtain(place, world)
    assert [form["code"] for form in service.forms] == [code]


def test_a_declined_sign_in_says_so(outside: World, service: Service, place: Place) -> None:
    world = desktop(outside, service, {"error": "access_denied"})
    with pytest.raises(AuthError) as caught:
        _signin.obtain(place, world)
    assert caught.value.message == (
        'identity "me": the sign-in was declined in the browser (access_denied)'
    )


def test_a_wrong_code_is_refused_by_the_service(
    outside: World, service: Service, place: Place
) -> None:
    with pytest.raises(AuthError) as caught:
        _signin.obtain(place, desktop(outside, service, {"code": "wrong"}))
    assert caught.value.message.startswith('identity "me": AWS refused the sign-in: invalid_grant')


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
