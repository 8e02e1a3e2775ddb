"""What an OIDC token says of itself, read without verifying it: for errors that help, never to trust."""

from __future__ import annotations

from collections.abc import Mapping

from wrapper.auth.model import Credential
from wrapper.typed import Any

CLOUD = "oidc"


def claims(token: str) -> Mapping[str, Any] | None:
    """Return the claims of a JWT, None for what is none."""
    import base64
    import json

    parts = token.split(".")
    if len(parts) != 3 or not all(parts):
        return None
    try:
        head, body = (
            json.loads(base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_"))
            for part in parts[:2]
        )
    except (ValueError, RecursionError):
        return None
    return body if isinstance(head, dict) and isinstance(body, dict) else None


def audiences(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Return whom a token is for; `aud` is a text or a list. Source: RFC 7519, 4.1.3."""
    given = found.get("aud")
    return tuple(str(one) for one in (given if isinstance(given, list) else [given]) if one)


def credential(provider: str, token: str, region: str, now: float) -> Credential:
    """Return a provider's token as what a role starts from; its subject is the principal."""
    found = claims(token) or {}
    fields = {
        "web_identity_token": token,
        "provider": provider,
        "issuer": str(found.get("iss") or ""),
        "audience": ", ".join(audiences(found)),
    }
    return Credential(CLOUD, fields, None, str(found.get("sub") or ""), region, now)
