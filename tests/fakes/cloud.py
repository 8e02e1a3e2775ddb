"""Everything that the AWS kinds may call, in one: the portal, STS, sign-in, GitHub, the console."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from tests.fakes import portal, sigv4
from tests.fakes.portal import Portal

Answer = tuple[int, dict[str, str], bytes]
USER = "arn:aws:iam::111111111111:user/alice"
_OTHERS = {"/v1/token": "signin", "/oidc/token": "GitHub token", "/federation": "getSigninToken"}


class Cloud(Portal):
    """A portal with the services beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.user = ("AKIA" + secrets.token_hex(8).upper(), secrets.token_hex(20))
        self._keys[self.user[0]] = (self.user[1], None, USER)
        self.bearer = secrets.token_hex(16)
        self._sign_in: dict[str, str] = {}  # code or refresh token -> challenge or ""

    @staticmethod
    def service(request: sigv4.Request) -> str:
        """Return the service that a request is for."""
        path = urlsplit(request.target).path
        if path in _OTHERS:
            return _OTHERS[path]
        return portal.ROUTES.get((request.method, path), ("sts", ""))[0]

    @staticmethod
    def action(request: sigv4.Request) -> str:
        """Return the operation that a request is for."""
        path = urlsplit(request.target).path
        if path in _OTHERS:
            return _OTHERS[path]
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        return portal.ROUTES.get((request.method, path), ("", form.get("Action", "?")))[1]

    def answer(self, request: sigv4.Request) -> Answer:
        """Answer one request."""
        parts = urlsplit(request.target)
        query = dict(parse_qsl(parts.query))
        if parts.path == "/v1/authorize":
            return self._page(query)
        if parts.path == "/v1/token":
            return _json(*self._tokens_for(request))
        if parts.path == "/oidc/token":
            assert query["audience"] == "sts.amazonaws.com"
            known = request.headers.get("authorization") == f"bearer {self.bearer}"
            return _json(200, {"value": self.jwt}) if known else _json(401, {"message": "no"})
        if parts.path == "/federation":
            session = json.loads(query["Session"])
            secret, token, _ = self._keys.get(session["sessionId"], ("", "", ""))
            if (secret, token) != (session["sessionKey"], session["sessionToken"]):
                return _json(400, {"message": "no"})
            return _json(200, {"SigninToken": secrets.token_hex(16)})
        return super().answer(request)

    def refusal(self, request: sigv4.Request, status: int, code: str) -> Answer:
        """Return how the service of a request says no."""
        service = self.service(request)
        if service in _OTHERS.values():
            return _json(status, {"error": code})
        return portal.refused(service, portal.Refusal(code, status))

    def secrets(self) -> set[str]:
        """Return everything that was handed out and must be shown to nobody."""
        found: set[str] = {
            self.user[1],
            self.bearer,
            self.jwt,
            *self._tokens,
            *self._refresh,
            *self._codes,
        }
        found |= {secret for secret, _ in self._clients.values()} | set(self._devices)
        for secret, token, _ in self._keys.values():
            found |= {secret, token or secret}
        return found | set(self._sign_in)

    # ---- sts ------------------------------------------------------------------------------------

    def do_GetSessionToken(self, params: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002, N802
        return self._granted(USER)

    # ---- sign-in --------------------------------------------------------------------------------

    def _page(self, query: Mapping[str, str]) -> Answer:
        """Be the page on which a person has just signed in."""
        assert query["code_challenge_method"] == "SHA-256"
        code = secrets.token_urlsafe(24)
        self._sign_in[code] = query["code_challenge"]
        back = urlencode({"code": code, "state": query["state"]})
        return 302, {"Location": f"{query['redirect_uri']}?{back}"}, b""

    def _tokens_for(self, request: sigv4.Request) -> tuple[int, dict[str, Any]]:
        form = dict(parse_qsl(request.body.decode()))
        issued = _proved(request.headers["dpop"])
        if abs(issued - self.now()) > sigv4.MAX_SKEW:
            return 400, {"error": "invalid_dpop_proof", "error_description": "iat is not recent"}
        given = form.get("code") or form.get("refresh_token", "")
        challenge = self._sign_in.pop(given, None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        proved = base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge
        if challenge is None or (challenge and not proved):
            return 400, {"error": "invalid_grant"}
        refresh = secrets.token_hex(16)
        self._sign_in[refresh] = ""
        key, secret, token = self.key(USER)
        keys = {"access_key_id": key, "secret_access_key": secret, "session_token": token}
        return 200, {"access_token": keys, "expires_in": 900, "refresh_token": refresh}


def _proved(header: str) -> int:
    """Verify a DPoP proof; return when it was issued."""
    head, claims, signature = header.split(".")
    key = json.loads(_unpadded(head))["jwk"]
    x, y = (int.from_bytes(_unpadded(key[axis])) for axis in "xy")
    raw = _unpadded(signature)
    r, s = int.from_bytes(raw[:32]), int.from_bytes(raw[32:])
    ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key().verify(
        utils.encode_dss_signature(r, s), f"{head}.{claims}".encode(), ec.ECDSA(SHA256())
    )
    return int(json.loads(_unpadded(claims))["iat"])


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _json(status: int, found: Mapping[str, Any]) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(found).encode()
