"""AWS Signature Version 4: check the one a request carries, and sign it anew with another key."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ALGORITHM = "AWS4-HMAC-SHA256"
MAX_SKEW = 300.0  # seconds


class Signed(NamedTuple):
    """What the `Authorization` header of a request says."""

    access_key_id: str
    region: str
    service: str
    headers: tuple[str, ...]
    signature: str


class Request(NamedTuple):
    """One HTTP request; `target` is path and query as they came over the wire."""

    method: str
    target: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @property
    def url(self) -> str:
        """Return the whole address."""
        return f"http://{self.headers.get('host', 'localhost')}{self.target}"


class BadSignature(Exception):
    """The signature does not fit the request; the text is an AWS error code."""


def read(authorization: str) -> Signed | None:
    """Take an `Authorization` header apart; None if it is no Signature Version 4."""
    scheme, _, rest = authorization.partition(" ")
    if scheme != ALGORITHM:
        return None
    parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    scope = parts.get("Credential", "").split("/")
    if len(scope) != 5:
        return None
    return Signed(
        access_key_id=scope[0],
        region=scope[2],
        service=scope[3],
        headers=tuple(parts.get("SignedHeaders", "").split(";")),
        signature=parts.get("Signature", ""),
    )


def verify(request: Request, signed: Signed, secret: str, token: str | None, now: float) -> None:
    """Compute the signature again and compare. Raises: BadSignature.

    `now` is in seconds since the epoch; a request may be five minutes off. Where the body's digest
    is signed, the body is compared as well.
    """
    stamp = request.headers.get("x-amz-date", "")
    try:
        sent = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise BadSignature("IncompleteSignature") from None
    if abs(sent.timestamp() - now) > MAX_SKEW:
        raise BadSignature("RequestTimeTooSkewed")
    digest = request.headers.get("x-amz-content-sha256", "")
    if len(digest) == 64 and digest != hashlib.sha256(request.body).hexdigest():
        raise BadSignature("XAmzContentSHA256Mismatch")
    if token is not None and "x-amz-security-token" not in signed.headers:
        raise BadSignature("IncompleteSignature")
    if "host" not in signed.headers:
        raise BadSignature("IncompleteSignature")
    if _signature(request, signed, secret, stamp) != signed.signature:
        raise BadSignature("SignatureDoesNotMatch")


def resign(request: Request, signed: Signed, credentials: Credentials) -> dict[str, str]:
    """Return the `Authorization` and token headers for the same request under another key."""
    headers = dict(request.headers)
    headers.pop("x-amz-security-token", None)
    if credentials.token:
        headers["x-amz-security-token"] = credentials.token
    names = [name for name in signed.headers if name != "x-amz-security-token"]
    if credentials.token:
        names.append("x-amz-security-token")
    again = signed._replace(access_key_id=credentials.access_key, headers=tuple(sorted(names)))
    stamp = headers["x-amz-date"]
    signature = _signature(
        request._replace(headers=headers), again, credentials.secret_key or "", stamp
    )
    scope = f"{again.access_key_id}/{stamp[:8]}/{signed.region}/{signed.service}/aws4_request"
    result = {
        "authorization": f"{ALGORITHM} Credential={scope}, SignedHeaders={';'.join(again.headers)},"
        f" Signature={signature}"
    }
    if credentials.token:
        result["x-amz-security-token"] = credentials.token
    return result


def _signature(request: Request, signed: Signed, secret: str, stamp: str) -> str:
    kind = S3SigV4Auth if signed.service == "s3" else SigV4Auth
    signer = kind(Credentials(signed.access_key_id, secret), signed.service, signed.region)
    again = AWSRequest(
        method=request.method,
        url=request.url,
        data=request.body,
        headers={name: value for name, value in request.headers.items() if name in signed.headers},
    )
    again.context["timestamp"] = stamp
    canonical = signer.canonical_request(again)
    return str(signer.signature(signer.string_to_sign(again, canonical), again))
