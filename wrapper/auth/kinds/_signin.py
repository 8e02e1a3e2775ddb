"""Sign-in to AWS by browser: an authorization code with PKCE, proofs of possession, a refresh token.

Source: reference/atmos-auth.md 4.4, RFC 9449.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import select
import time
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs, urlencode, urlsplit

from wrapper import files, ui
from wrapper.auth import sessions
from wrapper.auth.kinds import _aws, _http, _loopback, _partitions
from wrapper.auth.model import Credential
from wrapper.errors import AuthError, NeedsLogin
from wrapper.typed import Any, NamedTuple
from wrapper.world import World

CLIENT = "arn:aws:signin:::devtools/same-device"
# A refresh token ends with the sign-in that it comes from.
LIFE = 12 * 3600.0
_LEFT = 60.0


class Place(NamedTuple):
    """Whose sign-in it is: `region` says where, `endpoint` replaces the address."""

    name: str
    realm: str
    region: str
    endpoint: str = ""


class _Kept(NamedTuple):
    refresh: str
    expires: float
    key: str

    def __repr__(self) -> str:
        return "_Kept()"


def address(place: Place, world: World) -> str:
    """Return the address of the sign-in service."""
    given = place.endpoint
    if not given and not _aws.yes(world.environ, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):
        given = world.environ.get("AWS_ENDPOINT_URL_SIGNIN", "")
    if given:
        return given.rstrip("/")
    fips = _aws.yes(world.environ, "AWS_USE_FIPS_ENDPOINT")
    dual = _aws.yes(world.environ, "AWS_USE_DUALSTACK_ENDPOINT")
    return f"https://{_partitions.sign_in_host(place.region, fips=fips, dual=dual)}"


def path(place: Place, world: World) -> str:
    """Return the file that keeps the refresh token."""
    text = json.dumps([place.realm, place.name, address(place, world)])
    digest = hashlib.sha256(text.encode()).hexdigest()
    directory = os.path.join(os.path.abspath(files.state_dir(world.environ)), "sso")
    return os.path.join(directory, f"signin-{digest}.json")


def obtain(place: Place, world: World, *, force: bool = False) -> Credential:
    """Return a short-lived credential: by the refresh token, else by a new sign-in.

    Raises: NeedsLogin when nobody is there to sign in, AuthError.
    """
    file = path(place, world)

    def waiting(holder: str) -> None:
        ui.note(world, f"waiting for {holder or 'another process'}, which signs in")

    # A refresh token can be used once: one process at a time.
    with files.lock(f"{file}.lock", f'atmos-wrap identity "{place.name}"', waiting):
        kept = None if force else _load(file, world.now())
        if kept is not None:
            try:
                return _refreshed(place, kept, file, world)
            except _Refused as refused:
                if refused.busy:
                    raise _told(place, refused) from refused
                if refused.code in _OVER:
                    files.remove(file)
        if not world.can_show:
            raise NeedsLogin(
                f'identity "{place.name}": signing in by browser needs a terminal',
                hint=f"sign in at a terminal first: atmos-wrap auth login -i {place.name}"
                + (" --webflow" if force else ""),
            )
        return _signed_in(place, file, world)


# What says that a sign-in is over for good. Source: RFC 6749 5.2, botocore's `signin` model.
_OVER = (
    "invalid_grant",
    "invalid_token",
    "TOKEN_EXPIRED",
    "AUTHCODE_EXPIRED",
    "USER_CREDENTIALS_CHANGED",
)


def _told(place: Place, refused: _Refused) -> AuthError:
    return AuthError(
        f'identity "{place.name}": AWS refused the sign-in: {refused.text}',
        hint=refused.advice or f"sign in again: atmos-wrap auth login -i {place.name}",
    )


def forget(place: Place, world: World, *, dry: bool = False) -> tuple[str, ...]:
    """Remove the refresh token; return the file that went, or would. Raises: StoreError."""
    file = path(place, world)
    return (file,) if (os.path.lexists(file) if dry else files.remove(file)) else ()


def _load(file: str, now: float) -> _Kept | None:
    found = sessions.record(file) or {}
    refresh, expires, key = (found.get(name) for name in _Kept._fields)
    if not isinstance(refresh, str) or not isinstance(key, str):
        return None
    if not isinstance(expires, int | float) or not now + _LEFT < expires <= now + LIFE + _LEFT:
        return None
    return _Kept(refresh, expires, key)


def _store(file: str, place: Place, kept: _Kept) -> None:
    files.make_private_dir(os.path.dirname(file))
    found = {"version": sessions.VERSION, "for": f'identity "{place.name}"', **kept._asdict()}
    files.write_atomic(file, json.dumps(found).encode())


# ---- the flow -------------------------------------------------------------------------------------


def _signed_in(place: Place, file: str, world: World) -> Credential:
    proof = _loopback.Proof.new()
    with _loopback.Callback(proof.state) as callback:
        asked = {
            "client_id": CLIENT,
            "redirect_uri": callback.url,
            "response_type": "code",
            "code_challenge": proof.challenge,
            "code_challenge_method": "SHA-256",
            "scope": "openid",
            "state": proof.state,
        }
        page = f"{address(place, world)}/v1/authorize?{urlencode(asked)}"
        ui.note(world, f'sign in to identity "{place.name}"')
        ui.show(world, f"  open  {page}")
        opened = _loopback.has_browser(world) and world.open_browser(page)
        paste = world.asks and world.stdin_tty and not opened
        ui.show(world, "waiting for the sign-in in the browser")
        if paste:
            ui.note(world, "on another machine: paste the code, or the address that it ends at")
        code = _code(place, callback, proof.state, world, paste=paste)
        key = _new_key()
        given = {
            "client_id": CLIENT,
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": proof.verifier,
            "redirect_uri": callback.url,
        }
    try:
        answer = _token(place, given, key, world)
    except _Refused as refused:
        raise _told(place, refused) from refused
    ends = world.now() + LIFE
    return _credential(place, answer, _Kept("", ends, _text_of(key)), file, world)


def _code(
    place: Place, callback: _loopback.Callback, state: str, world: World, *, paste: bool
) -> str:
    """Return the code that comes by the loopback port, or that somebody pastes."""
    title = f'identity "{place.name}"'
    if not paste:
        return callback.wait(title)
    ends = time.monotonic() + _loopback.WAIT
    while time.monotonic() < ends:
        port, typed = callback.fileno(), world.stdin.fileno()
        ready, _, _ = select.select([port, typed], [], [], 1.0)
        if port in ready:
            return callback.result(title)
        if typed in ready:
            line = world.stdin.readline()
            if not line:
                return callback.wait(title, ends - time.monotonic())
            code = _pasted(line.strip(), state)
            if code:
                return code
            ui.note(world, "that is no code of this sign-in")
    raise AuthError(f"{title}: nobody signed in within 5 minutes", hint="start the command again")


def _pasted(text: str, state: str) -> str:
    """Return the code of a pasted code or address; empty when it belongs to another sign-in."""
    if "://" not in text:
        return text if text.isprintable() and " " not in text else ""
    given = parse_qs(urlsplit(text).query)
    same = secrets.compare_digest(given.get("state", [""])[0].encode(), state.encode())
    return given.get("code", [""])[0] if same else ""


def _refreshed(place: Place, kept: _Kept, file: str, world: World) -> Credential:
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    try:
        key = load_der_private_key(base64.b64decode(kept.key), None)
    except (ValueError, TypeError):
        raise _Refused("invalid_token", "the kept key is damaged") from None
    given = {"client_id": CLIENT, "grant_type": "refresh_token", "refresh_token": kept.refresh}
    answer = _token(place, given, key, world)
    return _credential(place, answer, kept, file, world)


class _Refused(Exception):
    """An answer of the service that says no."""

    def __init__(
        self, code: str, text: str, advice: Sequence[str] = (), *, busy: bool = False
    ) -> None:
        super().__init__(code)
        self.code, self.text, self.advice, self.busy = code, text, advice, busy


def _token(place: Place, given: Mapping[str, str], key: Any, world: World) -> Mapping[str, Any]:
    """Ask for tokens: as OAuth has it, and where that is not understood as the service model has it.

    Raises: _Refused, AuthError without an answer.
    """
    form = urlencode(given).encode()
    status, named, answer = _sent(place, _FORM, form, key, world)
    if status == 415 or (status == 400 and _error(answer, status) in _NOT_READ):
        model = {_camel(name): value for name, value in given.items()}
        status, named, answer = _sent(place, _JSON, json.dumps(model).encode(), key, world)
    if status == 200:
        return answer
    code = _error(answer, status)
    said = str(answer.get("error_description") or answer.get("message") or "")
    url = f"{address(place, world)}/v1/token"
    text = f"{code} (HTTP {status}) {said[:300]} at {url}".replace("  ", " ")
    busy = status >= 500 or status == 429 or 300 <= status < 400  # also a page of the network
    raise _Refused(code[:100], text, _aws.clock(named.get("date", ""), world), busy=busy)


_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"
_NOT_READ = ("INVALID_REQUEST", "invalid_request", "SerializationException", "UnsupportedMediaType")


def _error(answer: Mapping[str, Any], status: int) -> str:
    return str(answer.get("error") or answer.get("__type") or f"HTTP {status}")


def _camel(name: str) -> str:
    """Return `grantType` for `grant_type`."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _sent(
    place: Place, kind: str, body: bytes, key: Any, world: World
) -> tuple[int, Mapping[str, str], Mapping[str, Any]]:
    url = f"{address(place, world)}/v1/token"

    def headers() -> dict[str, str]:  # a proof counts once
        return {
            "Content-Type": kind,
            "Accept": _JSON,
            "DPoP": _proof(url, key, world.now()),
        }

    try:
        status, named, data = _http.fetch(url, world, headers=headers, body=body)
    except _http.Unreached as error:
        raise _http.unreachable(f'identity "{place.name}": the sign-in', url, error) from error
    return status, named, _http.json_of(data)


def _credential(
    place: Place, answer: Mapping[str, Any], kept: _Kept, file: str, world: World
) -> Credential:
    """Return the keys of an answer, and keep its refresh token for as long as the first sign-in."""
    keys = answer.get("access_token") or answer.get("accessToken")
    seconds = answer.get("expires_in") or answer.get("expiresIn")
    refresh = answer.get("refresh_token") or answer.get("refreshToken") or kept.refresh
    found = {}
    for name, other in (
        ("access_key_id", "accessKeyId"),
        ("secret_access_key", "secretAccessKey"),
        ("session_token", "sessionToken"),
    ):
        value = (keys.get(name) or keys.get(other)) if isinstance(keys, Mapping) else None
        if not isinstance(value, str) or not value:
            raise AuthError(f'identity "{place.name}": the sign-in service gave no credential')
        found[name] = value
    life = float(seconds) if isinstance(seconds, int | float) and seconds > 0 else 900.0
    if isinstance(refresh, str) and refresh:
        _store(file, place, kept._replace(refresh=refresh))
    return Credential("aws", found, world.now() + life, "", place.region, world.now())


# ---- proof of possession --------------------------------------------------------------------------


def _new_key() -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _text_of(key: Any) -> str:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return base64.b64encode(der).decode()


def _proof(url: str, key: Any, now: float) -> str:
    """Return a DPoP proof for one POST."""
    from cryptography.hazmat.primitives.asymmetric import ec, utils
    from cryptography.hazmat.primitives.hashes import SHA256

    numbers = key.public_key().public_numbers()
    axes = {name: _b64(getattr(numbers, name).to_bytes(32, "big")) for name in ("x", "y")}
    head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": {"kty": "EC", "crv": "P-256", **axes}}
    claims = {"jti": secrets.token_urlsafe(16), "htm": "POST", "htu": url, "iat": int(now)}
    text = ".".join(
        _b64(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims)
    )
    r, s = utils.decode_dss_signature(key.sign(text.encode(), ec.ECDSA(SHA256())))
    return f"{text}.{_b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
