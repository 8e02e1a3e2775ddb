"""Issuers of OIDC tokens, and how STS decides about such a token: signature, audience, trust.

Source: RFC 7515, RFC 7517, RFC 7519; STS API reference, "AssumeRoleWithWebIdentity".
"""

from __future__ import annotations

import base64
import functools
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import botocore.session
from botocore.validate import ParamValidator
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

AUDIENCE = "sts.amazonaws.com"


class Issuer:
    """Somebody who signs tokens with a key of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._id = secrets.token_hex(4)

    def keys(self) -> dict[str, Any]:
        """Return the JWKS that the issuer publishes."""
        numbers = self._key.public_key().public_numbers()
        one = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self._id}
        return {"keys": [{**one, "n": _number(numbers.n), "e": _number(numbers.e)}]}

    def token(self, subject: str, audience: str | Sequence[str] = AUDIENCE, **claims: Any) -> str:
        """Return a signed token that lives for five minutes; `claims` replace what it says."""
        now = int(time.time())
        body = {
            "iss": self.url, "sub": subject, "aud": audience, "iat": now, "exp": now + 300,
            "jti": secrets.token_hex(8), **claims,
        }  # fmt: skip
        head = {"alg": "RS256", "typ": "JWT", "kid": self._id}
        text = f"{_part(head)}.{_part(body)}"
        signature = self._key.sign(text.encode(), padding.PKCS1v15(), SHA256())
        return f"{text}.{_encoded(signature)}"


class Trusted(NamedTuple):
    """An issuer that an account knows, as IAM holds it."""

    keys: Mapping[str, Any]
    audiences: Sequence[str]


class Refused(Exception):
    """STS's answer to a token."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


def provider_arn(account: str, url: str) -> str:
    """Return the ARN of an issuer in an account."""
    return f"arn:aws:iam::{account}:oidc-provider/{_bare(url)}"


def trust_policy(account: str, issuer: str, subject: str, audience: str = AUDIENCE) -> Any:
    """Return a trust policy for the tokens of an issuer; `subject` may hold `*`."""
    host = _bare(issuer)
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider_arn(account, issuer)},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {f"{host}:aud": audience},
            "StringLike": {f"{host}:sub": subject},
        },
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def checked(form: Mapping[str, str]) -> None:
    """Compare a request with botocore's model of the operation. Raises: Refused."""
    shape = _shape()
    given: dict[str, Any] = {
        key: int(value) if key == "DurationSeconds" else value
        for key, value in form.items()
        if key not in ("Action", "Version") and not key.startswith("PolicyArns.")
    }
    report = ParamValidator().validate(given, shape)
    unknown = set(given) - set(shape.members)
    if report.has_errors() or unknown:
        raise Refused("ValidationError", f"{report.generate_report()} {sorted(unknown)}")


@functools.cache
def _shape() -> Any:
    model = botocore.session.Session().get_service_model("sts")
    return model.operation_model("AssumeRoleWithWebIdentity").input_shape


def verified(token: str, known: Mapping[str, Trusted], now: float) -> dict[str, Any]:
    """Return the claims of a token that one of an account's issuers (by URL) signed for it.

    Raises: Refused.
    """
    try:
        head, body, signature = token.split(".")
        header, claims = json.loads(_decoded(head)), json.loads(_decoded(body))
    except ValueError:
        raise Refused("InvalidIdentityToken", "The ID Token provided is not a valid JWT.") from None
    trusted = known.get(str(claims.get("iss")))
    if trusted is None:
        message = f"No OpenIDConnect provider found in your account for {claims.get('iss')}"
        raise Refused("InvalidIdentityToken", message)
    found = [key for key in trusted.keys["keys"] if key["kid"] == header.get("kid")]
    if header.get("alg") != "RS256" or not found:
        raise Refused("InvalidIdentityToken", "Couldn't retrieve verification key")
    n, e = (int.from_bytes(_decoded(found[0][name])) for name in "ne")
    try:
        rsa.RSAPublicNumbers(e, n).public_key().verify(
            _decoded(signature), f"{head}.{body}".encode(), padding.PKCS1v15(), SHA256()
        )
    except InvalidSignature:
        raise Refused("InvalidIdentityToken", "Token signature is invalid") from None
    given = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if not set(given) & set(trusted.audiences):
        raise Refused("InvalidIdentityToken", "Incorrect token audience")
    if claims["exp"] <= now:
        raise Refused("ExpiredTokenException", f"Token expired: current date {int(now)}")
    return dict(claims)


def condition_values(claims: Mapping[str, Any]) -> dict[str, str]:
    """Return the context keys that a trust policy may ask for."""
    host = _bare(str(claims["iss"]))
    audience = claims["aud"][0] if isinstance(claims["aud"], list) else claims["aud"]
    return {f"{host}:aud": str(audience), f"{host}:sub": str(claims["sub"])}


def _bare(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.netloc}{parts.path}".rstrip("/")


def _part(value: Any) -> str:
    return _encoded(json.dumps(value).encode())


def _number(value: int) -> str:
    return _encoded(value.to_bytes((value.bit_length() + 7) // 8))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
