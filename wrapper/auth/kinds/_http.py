"""One HTTP request to a service that has no SDK here, by the user's proxies and CA bundles."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from wrapper.auth.kinds import _aws, _bounds
from wrapper.errors import AuthError
from wrapper.typed import Any
from wrapper.world import World

# Tries of one request, and the seconds (twice as many each time) between them.
ATTEMPTS = 4
_PAUSE = 0.5
# What a service may ask for by `Retry-After`.
LONGEST_WAIT = 30.0


def fetch(
    url: str,
    world: World,
    *,
    headers: Mapping[str, str] | Callable[[], Mapping[str, str]] | None = None,
    body: bytes | None = None,
) -> tuple[int, Mapping[str, str], bytes]:
    """Return status, headers (names in lower case) and body; POST with a body, else GET.

    A function gives the headers of each try anew. Redirects are not followed. A service that stumbles or is busy is asked again, with jitter.
    Raises: Unreached when there is no answer.
    """
    import random

    bounds = _bounds.of(world)
    ends = time.monotonic() + bounds.tries
    for attempt in range(1, ATTEMPTS + 1):
        last = attempt == ATTEMPTS or time.monotonic() > ends
        wait = random.random() * _PAUSE * 2 ** (attempt - 1)  # noqa: S311
        try:
            given_headers = headers() if callable(headers) else headers
            status, named, data = _once(url, world, given_headers, body, bounds)
        except Unreached:
            if last:
                raise
        else:
            if last or (status < 500 and status != 429):
                return status, named, data
            given = named.get("retry-after", "").strip()
            wait = max(wait, min(float(given), LONGEST_WAIT)) if given.isdecimal() else wait
        time.sleep(wait)
    raise AssertionError


def _once(
    url: str,
    world: World,
    headers: Mapping[str, str] | None,
    body: bytes | None,
    bounds: _bounds.Bounds,
) -> tuple[int, Mapping[str, str], bytes]:
    import http.client
    import ssl
    import urllib.error
    import urllib.request

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            """Follow nothing: a token in a header must not go elsewhere."""

    through: dict[str, str] = {}
    try:
        through = _aws.proxies(url, world.environ)
        context = ssl.create_default_context(cafile=_aws.authorities(world.environ))
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler(through),
            urllib.request.HTTPSHandler(context=context),
            Stay(),
        )
        request = urllib.request.Request(url, data=body, headers=dict(headers or {}))  # noqa: S310
        ends = time.monotonic() + bounds.answer
        try:
            given = opener.open(request, timeout=bounds.answer)
        except urllib.error.HTTPError as error:
            given = error
        with given:
            data = _bounds.read(given.read1, ends)
            if _bounds.short(data, given.headers.get("Content-Length")):
                raise http.client.IncompleteRead(data)
            return int(given.status or 0), _named(given.headers), data
    except _bounds.TooLarge as error:
        raise Unreached("it is larger than any that there is") from error
    except (http.client.HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise Unreached(_why(reason, proxied=bool(through))) from error


def _why(reason: Any, *, proxied: bool) -> str:
    import errno
    import http.client
    import socket
    import ssl

    if isinstance(reason, TimeoutError):
        return "it did not answer in time"
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"it cannot be trusted: {reason.verify_message}"
    if isinstance(reason, ConnectionRefusedError | http.client.InvalidURL):
        return "it cannot be reached"
    if isinstance(reason, ConnectionError | http.client.HTTPException):
        return "it closed the connection"
    if isinstance(reason, socket.gaierror):
        return f"no address was found for {'the proxy' if proxied else 'its name'}"
    if isinstance(reason, OSError) and reason.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return "there is no way to it from here"
    text = getattr(reason, "strerror", None) or str(reason)
    return _aws.tunnel(str(text)) or str(text) or type(reason).__name__


def _named(headers: Any) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in headers.items()}


class Unreached(Exception):
    """No answer came; the text says why, without the address."""


def unreachable(what: str, url: str, error: Unreached) -> AuthError:
    """Return the error for a request without an answer; what follows `?` is not shown."""
    return AuthError(
        f"{what}: no answer from {url.partition('?')[0]}: {error}",
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
