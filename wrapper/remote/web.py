"""Files and archives by https: one download, encrypted all the way, unpacked without surprises."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

from wrapper.remote.git import FetchError

if TYPE_CHECKING:
    from wrapper.remote.address import Address
    from wrapper.world import World

# Seconds for one answer of the server, for all of it; bytes as they come, and unpacked.
ANSWER, ALL = 30.0, 300.0
LARGEST, UNPACKED = 1 << 28, 1 << 30
_MOST = 100_000
_REDIRECTS = 5
_CHUNK = 1 << 16


def download(address: Address, target: str, world: World) -> str:
    """Put what an address names into the new directory `target`; return the SHA-256 of what came.

    An archive is unpacked; anything else is one file, named as in the address.
    Raises: FetchError.
    """
    os.mkdir(target, 0o700)
    path = f"{target}.part"
    try:
        with open(path, "xb") as stream:
            revision = _stream(address, stream, world)
        if address.archive:
            from wrapper.remote import archive

            archive.unpack(path, address, target, UNPACKED, _MOST)
        else:
            os.replace(path, os.path.join(target, file_name(address)))
    finally:
        if os.path.lexists(path):
            os.unlink(path)
    return revision


def file_name(address: Address) -> str:
    """Return the name under which a single file is kept."""
    from urllib.parse import unquote

    name = os.path.basename(unquote(address.source.rstrip("/")))
    return (
        name if name.isprintable() and name not in ("", ".", "..") and "/" not in name else "file"
    )


def _stream(address: Address, stream: IO[bytes], world: World) -> str:
    import http.client
    import ssl
    import urllib.error

    wanted = address.checksum.partition(":")[0]
    digest = hashlib.sha256()
    other = hashlib.sha512() if wanted == "sha512" else digest
    ends, size = time.monotonic() + ALL, 0
    try:
        with _opener(address, world.environ).open(_request(address), timeout=ANSWER) as answer:
            length = answer.headers.get("Content-Length") or ""
            while data := answer.read1(_CHUNK):
                size += len(data)
                if size > LARGEST:
                    raise FetchError(_told(address, f"it is larger than {LARGEST >> 20} MB"))
                if time.monotonic() > ends:
                    raise FetchError(_told(address, f"it took longer than {ALL:.0f} s"))
                digest.update(data)
                if other is not digest:
                    other.update(data)
                stream.write(data)
            if length.isdigit() and size < int(length):
                raise FetchError(_told(address, "the connection ended before all of it had come"))
    except urllib.error.HTTPError as error:
        error.close()
        raise FetchError(_told(address, f"the server answered {error.code}")) from None
    except (http.client.HTTPException, ssl.SSLError, OSError, ValueError) as error:
        raise FetchError(_told(address, _why(getattr(error, "reason", None) or error))) from None
    if wanted and other.hexdigest() != address.checksum.partition(":")[2]:
        raise FetchError(_told(address, f"its {wanted} is {other.hexdigest()}, not what is named"))
    return digest.hexdigest()


def _told(address: Address, why: str) -> str:
    return f"cannot fetch {address.source}: {why}"


def _why(reason: Any) -> str:
    import ssl

    if isinstance(reason, TimeoutError):
        return "it did not answer in time"
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"it cannot be trusted: {reason.verify_message}"
    text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return str(text).splitlines()[0]


def _request(address: Address) -> Any:
    import urllib.request

    request = urllib.request.Request(address.url, headers={"User-Agent": "atmos-wrap"})  # noqa: S310
    if address.login:
        import base64
        from urllib.parse import unquote

        pair = unquote(address.login if ":" in address.login else f"{address.login}:")
        # Unredirected: it is for this host alone.
        request.add_unredirected_header(
            "Authorization", "Basic " + base64.b64encode(pair.encode()).decode()
        )
    return request


def _opener(address: Address, environ: Mapping[str, str]) -> Any:
    import ssl
    import urllib.request

    class Encrypted(urllib.request.HTTPRedirectHandler):
        max_redirections = _REDIRECTS

        def redirect_request(
            self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
        ) -> Any:
            """Follow only to what is encrypted as well."""
            if not newurl.lower().startswith("https://"):
                raise FetchError(_told(address, "it leads to what is not encrypted"))
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    bundle = next((environ[name] for name in names if environ.get(name)), None)
    context = ssl.create_default_context(cafile=bundle)
    proxy = environ.get("https_proxy") or environ.get("HTTPS_PROXY") or ""
    through = {"https": proxy} if proxy and not _direct(address.url, environ) else {}
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(through),
        urllib.request.HTTPSHandler(context=context),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        Encrypted(),
    ):
        opener.add_handler(handler)
    return opener


def _direct(url: str, environ: Mapping[str, str]) -> bool:
    from urllib.parse import urlsplit
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

    listed = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    return bool(proxy_bypass_environment(urlsplit(url).hostname or "", {"no": listed}))
