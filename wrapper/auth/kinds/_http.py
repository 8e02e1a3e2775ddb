"""One HTTP request to a service that has no SDK here, by the user's proxies and CA bundles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wrapper.auth.kinds import _aws
from wrapper.errors import AuthError
from wrapper.world import World

# An answer is a small JSON document; more than this is not read.
LIMIT = 1 << 20


def fetch(
    url: str,
    world: World,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    seconds: float = 10.0,
) -> tuple[int, bytes]:
    """Return status and body; POST with a body, else GET. Redirects are not followed.

    Raises: Unreached when there is no answer.
    """
    status, _, found = answer(url, world, headers=headers, body=body, seconds=seconds)
    return status, found


def answer(
    url: str,
    world: World,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    seconds: float = 10.0,
) -> tuple[int, Mapping[str, str], bytes]:
    """Return status, headers (names in lower case) and body, as `fetch` does.

    Raises: Unreached when there is no answer.
    """
    import http.client
    import ssl
    import urllib.error
    import urllib.request

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            """Follow nothing: a token in a header must not go elsewhere."""

    try:
        context = ssl.create_default_context(cafile=_aws.authorities(world.environ))
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler(_aws.proxies(url, world.environ)),
            urllib.request.HTTPSHandler(context=context),
            Stay(),
        )
        request = urllib.request.Request(url, data=body, headers=dict(headers or {}))  # noqa: S310
        with opener.open(request, timeout=seconds) as given:
            return int(given.status), _named(given.headers), given.read(LIMIT)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _named(error.headers), error.read(LIMIT)
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise Unreached(f"{type(error).__name__}: {reason}") from error


def _named(headers: Any) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in headers.items()}


class Unreached(Exception):
    """No answer came; the text says why, without the address."""


def unreachable(what: str, url: str, error: Unreached) -> AuthError:
    """Return the error for a request without an answer; what follows `?` is not shown."""
    return AuthError(
        f"{what}: no answer from {url.partition('?')[0]} ({error})",
        hint="check the network, proxy and CA settings (HTTPS_PROXY, SSL_CERT_FILE)",
    )


def json_of(body: bytes) -> Mapping[str, Any]:
    """Return the JSON object of an answer, an empty one when it is none."""
    import json

    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
