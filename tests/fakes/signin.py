"""A loopback AWS sign-in service: a page to sign in on, and the tokens that its code gives.

What is asked and answered is checked against botocore's `signin` model; PKCE verifiers, one-time
codes and proofs of possession are verified, and refresh tokens are bound to the proofs' key.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

import botocore.session
from botocore.validate import ParamValidator
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from tests.fakes import portal_pages, sigv4
from tests.fakes.portal import Portal

CLIENT = "arn:aws:signin:::devtools/same-device"
USER = "arn:aws:sts::111111111111:assumed-role/Console/alice"
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
Answer = tuple[int, dict[str, str], bytes]
# The OAuth names of a form, by those of the service model.
_NAMES = {
    "clientId": "client_id",
    "grantType": "grant_type",
    "code": "code",
    "codeVerifier": "code_verifier",
    "redirectUri": "redirect_uri",
    "refreshToken": "refresh_token",
}


class Refusal(Exception):
    """An answer that says no: an OAuth error."""

    def __init__(self, code: str, status: int = 400) -> None:
        super().__init__(code)
        self.code, self.status = code, status


class Granted(NamedTuple):
    """What a code or a refresh token stands for."""

    challenge: str = ""
    redirect: str = ""
    thumbprint: str = ""


class SignIn(Portal):
    """The service, its one user, and what it was asked; the portal's STS knows its keys."""

    def __init__(self) -> None:
        super().__init__()
        self.user, self.password, self.mfa = "alice", secrets.token_hex(6), ""
        self.seconds = 900
        self.accepts: tuple[str, ...] = (FORM, JSON)
        self.tokens: list[dict[str, Any]] = []  # requests, by the names of the model
        self.refusals: list[tuple[str, int]] = []  # scripted: code and status of the next answers
        self.codes: dict[str, Granted] = {}
        self.refresh: dict[str, Granted] = {}
        self._proofs: set[str] = set()
        self._pages: dict[str, Mapping[str, str]] = {}
        self._token_model = (
            botocore.session.Session()
            .get_service_model("signin")
            .operation_model("CreateOAuth2Token")
        )

    def grants(self) -> list[str]:
        """Return the grant types of the token requests, in order."""
        return [str(asked["grantType"]) for asked in self.tokens]

    def answer(self, request: sigv4.Request) -> Answer:
        """Answer one request: a page, a filled form, a token, or the API of STS."""
        parts = urlsplit(request.target)
        if parts.path == "/v1/authorize":
            return self._login(dict(parse_qsl(parts.query)))
        if parts.path == "/v1/login":
            return self._entered(dict(parse_qsl(request.body.decode())))
        if parts.path == "/v1/token":
            with self._lock:
                try:
                    return 200, {"Content-Type": JSON}, json.dumps(self._token(request)).encode()
                except Refusal as no:
                    body = {"error": no.code, "message": "no"}
                    return no.status, {"Content-Type": JSON}, json.dumps(body).encode()
        return super().answer(request)

    # ---- the pages ------------------------------------------------------------------------------

    def _login(self, query: Mapping[str, str]) -> Answer:
        back = urlsplit(query["redirect_uri"])
        assert (back.scheme, back.hostname, back.path) == ("http", "127.0.0.1", "/oauth/callback")
        assert (query["client_id"], query["scope"]) == (CLIENT, "openid")
        assert (query["response_type"], query["code_challenge_method"]) == ("code", "SHA-256")
        assert len(query["state"]) >= 20
        name = secrets.token_hex(8)
        self._pages[name] = query
        return self._form(name, "Sign in")

    def _form(self, name: str, title: str) -> Answer:
        names = ["user", "password", *(["mfa"] if self.mfa else [])]
        fields = "".join(f'<label>{n} <input name="{n}"></label>' for n in names)
        given = {"page": name}
        return portal_pages.page(title, "/v1/login", given, "Sign in", "Cancel", body=fields)

    def _entered(self, form: Mapping[str, str]) -> Answer:
        query = self._pages[form["page"]]
        answer = {"state": query["state"]}
        if form["button"] == "cancel":
            answer |= {"error": "access_denied", "error_description": "the user cancelled"}
        elif (form.get("user"), form.get("password")) != (self.user, self.password):
            return self._form(form["page"], "Wrong user name or password")
        elif self.mfa and form.get("mfa") != self.mfa:
            return self._form(form["page"], "Wrong MFA code")
        else:
            answer["code"] = self.code(query["code_challenge"], query["redirect_uri"])
        del self._pages[form["page"]]
        return 302, {"Location": f"{query['redirect_uri']}?{urlencode(answer)}"}, b""

    def code(self, challenge: str, redirect: str) -> str:
        """Mint a code that can be used once."""
        made = secrets.token_urlsafe(24)
        self.codes[made] = Granted(challenge, redirect)
        return made

    # ---- tokens ---------------------------------------------------------------------------------

    def _token(self, request: sigv4.Request) -> dict[str, Any]:
        kind = request.headers.get("content-type", "")
        if kind not in self.accepts:
            raise Refusal("UnsupportedMediaType", 415)
        thumbprint = self._proved(request)
        if kind == JSON:
            asked = json.loads(request.body)
        else:
            form = dict(parse_qsl(request.body.decode()))
            asked = {name: form.pop(wire) for name, wire in _NAMES.items() if wire in form}
            assert form == {}, f"unknown: {sorted(form)}"
        self._conforms({"tokenInput": asked}, self._token_model.input_shape)
        self.tokens.append(asked)
        if self.refusals:
            raise Refusal(*self.refusals.pop(0))
        if asked["grantType"] == "refresh_token":
            granted = self.refresh.pop(asked["refreshToken"], None)
            if granted is None or granted.thumbprint != thumbprint:
                raise Refusal("invalid_grant")
        else:
            granted = self.codes.pop(asked["code"], None)
            digest = hashlib.sha256(asked["codeVerifier"].encode()).digest()
            proved = Granted(base64.urlsafe_b64encode(digest).rstrip(b"=").decode())
            if granted != proved._replace(redirect=asked["redirectUri"]):
                raise Refusal("invalid_grant")
        refresh = secrets.token_hex(16)
        self.refresh[refresh] = Granted(thumbprint=thumbprint)
        key, secret, token = self.key(USER, self.seconds)
        found = {
            "accessToken": {"accessKeyId": key, "secretAccessKey": secret, "sessionToken": token},
            "tokenType": "aws_sigv4",
            "expiresIn": self.seconds,
            "refreshToken": refresh,
        }
        self._conforms({"tokenOutput": found}, self._token_model.output_shape)
        return found

    def _proved(self, request: sigv4.Request) -> str:
        """Verify the DPoP proof (RFC 9449 4.3); return the thumbprint of its key (RFC 7638)."""
        try:
            head, claims, signature = request.headers["dpop"].split(".")
            given, said = json.loads(unpadded(head)), json.loads(unpadded(claims))
            jwk, raw = given["jwk"], unpadded(signature)
            x, y = (int.from_bytes(unpadded(jwk[axis])) for axis in "xy")
            r, s = int.from_bytes(raw[:32]), int.from_bytes(raw[32:])
            ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key().verify(
                utils.encode_dss_signature(r, s), f"{head}.{claims}".encode(), ec.ECDSA(SHA256())
            )
        except (KeyError, ValueError, InvalidSignature) as error:
            raise Refusal("invalid_dpop_proof") from error
        right = (
            (given["typ"], given["alg"], sorted(jwk))
            == ("dpop+jwt", "ES256", ["crv", "kty", "x", "y"])
            and (said["htm"], said["htu"]) == ("POST", f"{self.endpoint}/v1/token")
            and abs(said["iat"] - time.time()) < 60
            and said["jti"] not in self._proofs
        )
        if not right:
            raise Refusal("invalid_dpop_proof")
        self._proofs.add(said["jti"])
        members = json.dumps(jwk, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(members.encode()).hexdigest()

    @staticmethod
    def _conforms(value: Mapping[str, Any], shape: Any) -> None:
        report = ParamValidator().validate(value, shape)
        assert not report.has_errors(), report.generate_report()
        (member,) = shape.members
        assert set(value[member]) <= set(shape.members[member].members)


def unpadded(text: str) -> bytes:
    """Return the bytes of base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@contextmanager
def running() -> Iterator[SignIn]:
    """Serve the service on a loopback port until the block ends."""
    from tests.fakes import portal

    with portal.served(SignIn()) as found:
        yield found
