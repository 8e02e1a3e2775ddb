"""How a token of IAM Identity Center is got: refreshed, by a code on another screen, by browser.

Source: reference/atmos-auth.md 3.1, RFC 8628, RFC 7636.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from wrapper import ui
from wrapper.auth.kinds import _aws, _loopback, _partitions
from wrapper.auth.kinds._sso_token import Client, Token
from wrapper.errors import AuthError, NeedsLogin
from wrapper.typed import TYPE_CHECKING, Any
from wrapper.world import World

if TYPE_CHECKING:
    from wrapper.auth.kinds.aws_sso import Spec

SCOPE = "sso:account:access"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
CODE = "authorization_code"
# Set by `auth login --device`, and by whoever always wants the code.
BY_CODE = "ATMOS_WRAP_DEVICE_CODE"
_SLOWER = 5.0
# However long the portal would wait.
_LONGEST = 900.0
_WHAT = "signing in to IAM Identity Center"
_REDIRECT = "http://127.0.0.1/oauth/callback"


def refreshed(spec: Spec, kept: Token, world: World) -> Token | None:
    """Return a token for the kept refresh token; None when a person has to sign in.

    Raises: AuthError when the portal gives no answer.
    """
    client = kept.client
    if client is None or client.expires <= world.now():
        return None
    asked = {"grantType": "refresh_token", "refreshToken": kept.refresh}
    try:
        return _created(_oidc(spec, world), client, asked, kept, world)
    except _Refused as refused:
        ui.debug(world, f'provider "{spec.name}": refresh refused: {refused.code}')
        return None


def signed_in(spec: Spec, kept: Token, world: World) -> Token:
    """Let a person sign in. Raises: NeedsLogin when nobody is there, AuthError when they do not."""
    if not world.can_show:
        raise NeedsLogin(
            f'provider "{spec.name}": signing in to {spec.start_url} needs a terminal',
            hint=[
                f"sign in at a terminal first: atmos-wrap auth login --provider {spec.name}",
                "ATMOS_FORCE_TTY=true shows page and code without one; CI jobs use github/oidc",
            ],
        )
    _warn_of_region(spec, world)
    oidc = _oidc(spec, world)
    try:
        try:
            return _asked_for(spec, oidc, kept, world)
        except _Refused as refused:
            if refused.code not in _UNKNOWN_CLIENT or not kept.clients:
                raise
        return _asked_for(spec, oidc, kept._replace(clients=()), world)  # registers anew
    except _Refused as refused:
        raise AuthError(
            f'provider "{spec.name}": {_SAID.get(refused.code, refused.text)}',
            hint=refused.advice or f"sign in again: atmos-wrap auth login --provider {spec.name}",
        ) from refused


def _warn_of_region(spec: Spec, world: World) -> None:
    wanted, given = _partitions.of_start_url(spec.start_url), _partitions.of_region(spec.region)
    if wanted and given and wanted != given:
        text = f'provider "{spec.name}": region {spec.region} is not in {wanted.name}'
        ui.warn(world, f"{text}, where {spec.start_url} is")


def _asked_for(spec: Spec, oidc: Any, kept: Token, world: World) -> Token:
    """Let a person confirm: in a browser of this machine, else by a code. Raises: _Refused."""
    if world.environ.get(BY_CODE) or not _loopback.has_browser(world):
        return _by_code(spec, oidc, kept, world)
    return _by_browser(spec, oidc, kept, world)


# The service has forgotten a registration that we kept.
_UNKNOWN_CLIENT = ("InvalidClientException", "UnauthorizedClientException")
_SAID = {
    "AccessDeniedException": "the sign-in was declined in the browser",
    "ExpiredTokenException": "the code expired before the sign-in was confirmed",
}


class _Refused(Exception):
    """An answer of the service that says no."""

    def __init__(self, code: str, message: str, advice: Sequence[str] = ()) -> None:
        super().__init__(code)
        self.code = code
        self.advice = advice
        self.text = f"IAM Identity Center refused the sign-in: {code}: {message}"


def _oidc(spec: Spec, world: World) -> Any:
    return _aws.client("sso-oidc", spec.region, world, None, spec.endpoint)


def _asked(oidc: Any, operation: str, given: Mapping[str, Any], world: World) -> Mapping[str, Any]:
    """Call one operation. Raises: _Refused, AuthError without an answer."""
    from botocore.exceptions import ClientError

    try:
        return _aws.call(oidc, operation, _WHAT, **given)
    except ClientError as error:
        code, message = _aws.refused(error)
        if _aws.passing(error):
            raise AuthError(
                f"{_WHAT}: {code}: {message}", hint=_aws.advice(error, world)
            ) from error
        raise _Refused(code, message, _aws.advice(error, world)) from error


def _text(found: Mapping[str, Any], key: str, oidc: Any) -> str:
    """Return a text of an answer. Raises: AuthError without it."""
    value = found.get(key)
    if not isinstance(value, str) or not value:
        raise _aws.unreadable(_WHAT, oidc.meta.endpoint_url)
    return value


def _number(found: Mapping[str, Any], key: str, default: float) -> float:
    value = found.get(key)
    return float(value) if isinstance(value, int | float) and value > 0 else default


def _registered(spec: Spec, oidc: Any, kept: Token, world: World, grant: str) -> Client:
    """Return our client registration for one way to sign in, kept or new."""
    for client in kept.clients:
        if client.grant == grant and client.expires - world.now() > 3600:
            return client
    asked: dict[str, Any] = {
        "clientName": "atmos-wrap",
        "clientType": "public",
        "scopes": [SCOPE],
        "grantTypes": [grant, "refresh_token"],
    }
    if grant == CODE:
        asked |= {"redirectUris": [_REDIRECT], "issuerUrl": spec.start_url}
    found = _asked(oidc, "register_client", asked, world)
    ends = _number(found, "clientSecretExpiresAt", world.now() + 3600)
    return Client(_text(found, "clientId", oidc), _text(found, "clientSecret", oidc), ends, grant)


def _created(
    oidc: Any, client: Client, asked: Mapping[str, Any], kept: Token, world: World
) -> Token:
    """Call CreateToken. Raises: _Refused, AuthError."""
    given = {"clientId": client.id, "clientSecret": client.secret, **asked}
    found = _asked(oidc, "create_token", given, world)
    access, refresh = _text(found, "accessToken", oidc), found.get("refreshToken")
    life = _number(found, "expiresIn", 3600.0)
    if not isinstance(refresh, str) or not refresh:
        refresh = str(asked.get("refreshToken", ""))
    others = tuple(one for one in kept.clients if one.grant != client.grant)
    return Token(access, world.now() + life, refresh, client, (*others, client), kept.refused)


# ---- a code on another screen ---------------------------------------------------------------------


def _by_code(spec: Spec, oidc: Any, kept: Token, world: World) -> Token:
    client = _registered(spec, oidc, kept, world, DEVICE)
    given = {"clientId": client.id, "clientSecret": client.secret, "startUrl": spec.start_url}
    begun = _asked(oidc, "start_device_authorization", given, world)
    page = begun.get("verificationUriComplete") or _text(begun, "verificationUri", oidc)
    _show(spec, str(page), _text(begun, "userCode", oidc), world)
    asked = {"grantType": DEVICE, "deviceCode": _text(begun, "deviceCode", oidc)}
    wait = _number(begun, "interval", 1.0)
    ends = time.monotonic() + min(_number(begun, "expiresIn", 600.0), _LONGEST)
    while time.monotonic() + wait < ends:
        time.sleep(wait)
        try:
            return _created(oidc, client, asked, kept, world)
        except _Refused as refused:
            if refused.code == "SlowDownException":
                wait += _SLOWER
            elif refused.code != "AuthorizationPendingException":
                raise
    raise _Refused("ExpiredTokenException", "nobody confirmed")


def _show(spec: Spec, page: str, code: str, world: World) -> None:
    ui.note(world, f'sign in to provider "{spec.name}", {spec.start_url}')
    ui.show(world, f"  open  {page}")
    ui.show(world, f"  code  {code}")
    if _loopback.has_browser(world):
        world.open_browser(page)
    ui.show(world, "waiting for the confirmation in the browser")


# ---- the browser of this machine ------------------------------------------------------------------


def _by_browser(spec: Spec, oidc: Any, kept: Token, world: World) -> Token:
    """Sign in by authorization code with PKCE, answered on a loopback port."""
    client = _registered(spec, oidc, kept, world, CODE)
    proof = _loopback.Proof.new()
    with _loopback.Callback(proof.state) as callback:
        asked = {
            "response_type": "code",
            "client_id": client.id,
            "redirect_uri": callback.url,
            "state": proof.state,
            "code_challenge_method": "S256",
            "scopes": SCOPE,
            "code_challenge": proof.challenge,
        }
        page = f"{oidc.meta.endpoint_url.rstrip('/')}/authorize?{urlencode(asked)}"
        ui.note(world, f'sign in to provider "{spec.name}", {spec.start_url}')
        ui.show(world, f"  open  {page}")
        if not world.open_browser(page):
            return _by_code(spec, oidc, kept, world)
        ui.note(
            world, "waiting for the sign-in in the browser (`--device` asks for a code instead)"
        )
        code = callback.wait(f'provider "{spec.name}"')
    return _created(
        oidc,
        client,
        {
            "grantType": CODE,
            "code": code,
            "redirectUri": callback.url,
            "codeVerifier": proof.verifier,
        },
        kept,
        world,
    )
