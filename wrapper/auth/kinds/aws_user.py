"""An IAM user: a session by GetSessionToken, never the long-lived keys themselves.

Source: reference/atmos-auth.md 4.4.
"""

from __future__ import annotations

from collections.abc import Mapping

from wrapper import ui
from wrapper.auth import keyring
from wrapper.auth.kinds import _aws, _mfa
from wrapper.auth.lookup import truth
from wrapper.auth.model import Credential
from wrapper.auth.references import Secret
from wrapper.env import EnvDelta
from wrapper.errors import AuthError, ConfigError, NeedsLogin
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple
from wrapper.world import World

if TYPE_CHECKING:
    from wrapper.auth.kinds import _signin

DEFAULT_DURATION = 43_200
SHORTEST = 900
LONGEST = 43_200
# Set by `auth login --webflow`: the browser, whatever keys there are.
WEBFLOW = "ATMOS_WRAP_WEBFLOW"
LONGEST_WITH_MFA = 129_600
_ABOUT_MFA = (
    "multifactorauthentication failed",
    "invalid mfa",
    "mfa token",
    "one time pass code",
)


class Spec(NamedTuple):
    """The keys by reference; `duration` as written."""

    name: str
    access_key_id: Secret
    secret_access_key: Secret
    mfa_arn: str = ""
    region: str = _aws.DEFAULT_REGION
    duration: str = ""
    endpoint: str = ""
    webflow: bool = True
    realm: str = ""
    keyring: keyring.Settings = keyring.Settings()


def parse(name: str, raw: Mapping[str, Any]) -> Spec:
    """Return the user. Raises: ConfigError when only one of the two keys is given."""
    given = raw.get("credentials")
    keys = given if isinstance(given, Mapping) else {}
    key_id = _secret(keys.get("access_key_id"))
    secret = _secret(keys.get("secret_access_key"))
    if _given(key_id) != _given(secret):
        raise ConfigError(
            f'identity "{name}": access_key_id and secret_access_key must both be given, or neither'
        )
    session, spec = raw.get("session"), raw.get("spec")
    duration = session.get("duration") if isinstance(session, Mapping) else None
    return Spec(
        name,
        key_id,
        secret,
        str(keys.get("mfa_arn") or ""),
        str(keys.get("region") or _aws.DEFAULT_REGION),
        "" if duration is None else str(duration),
        str(spec.get("endpoint_url") or "") if isinstance(spec, Mapping) else "",
        truth(keys.get("webflow_enabled")) is not False,
        *_store(raw.get("keyring")),
    )


def _store(given: Any) -> tuple[str, keyring.Settings]:
    """Return the realm and the keyring that the section put beside the user."""
    found = given if isinstance(given, Mapping) else {}
    fields = (found.get("type"), found.get("path"), found.get("variable"))
    return str(found.get("realm") or ""), keyring.Settings(*(str(f or "") for f in fields))


def _secret(value: Any) -> Secret:
    return value if isinstance(value, Secret) else Secret(None if value is None else str(value))


def configured(spec: Spec) -> bool:
    """Say whether the configuration names the keys, so that no keyring is asked for them."""
    return _given(spec.access_key_id)


def _given(secret: Secret) -> bool:
    return bool(secret.value or secret.variable)


def seconds(spec: Spec) -> tuple[int, str]:
    """Return the session's length and, if it is not as configured, why."""
    longest = LONGEST_WITH_MFA if spec.mfa_arn else LONGEST
    if not spec.duration:
        return DEFAULT_DURATION, ""
    text = spec.duration.strip()
    if text.isdigit():
        wanted: float | None = float(text)
    elif text.endswith("d") and text[:-1].isdigit():
        wanted = float(text[:-1]) * 86_400
    else:
        wanted = _aws.go_duration(text)
    if wanted is None:
        return DEFAULT_DURATION, f'session.duration "{text}" is no duration: 12h are used'
    clamped = int(min(max(wanted, SHORTEST), longest))
    if clamped != int(wanted):
        return clamped, f"session.duration {text} is out of bounds: {clamped} seconds are used"
    return clamped, ""


def obtain(spec: Spec, base: Credential | None, world: World) -> Credential:  # noqa: ARG001
    """Return a session: by keys from the configuration or the keyring, else by browser.

    A keyring that fails is told as such and never leads to the browser. Raises: NeedsLogin when
    somebody would have to be asked and cannot be, AuthError, StoreError.
    """
    from wrapper.auth.kinds import _signin

    if world.environ.get(WEBFLOW):
        if not spec.webflow:
            raise AuthError(
                f'identity "{spec.name}": sign-in by browser is disabled by webflow_enabled'
            )
        return _signin.obtain(_place(spec), world, force=True)
    spec, keys = _keys(spec, world)
    if keys is None:
        try:
            return _signin.obtain(_place(spec), world)
        except NeedsLogin as error:
            store = f"or store keys: atmos-wrap auth user configure -i {spec.name}"
            error.hints = (*error.hints, store)
            raise
    length, warning = seconds(spec)
    if warning:
        ui.warn(world, f'identity "{spec.name}": {warning}')
    sts = _aws.client("sts", spec.region, world, keys, spec.endpoint)
    asked: dict[str, Any] = {"DurationSeconds": length}
    answer = None
    for attempt in (1, 2):
        if spec.mfa_arn:
            code = _mfa.code(spec.name, spec.mfa_arn, world, again=attempt == 2)
            asked |= {"SerialNumber": spec.mfa_arn, "TokenCode": code}
        answer = _call(spec, sts, asked, world, again=attempt == 1 and bool(spec.mfa_arn))
        if answer is not None:
            break
    assert answer is not None
    what = f'identity "{spec.name}": GetSessionToken'
    return _aws.credential(answer, spec.region, "", world.now(), what)


def _place(spec: Spec) -> _signin.Place:
    from wrapper.auth.kinds import _signin

    return _signin.Place(spec.name, spec.realm, spec.region, spec.endpoint)


def _keys(spec: Spec, world: World) -> tuple[Spec, Credential | None]:
    """Return the user with its long-lived keys; None instead of them when the browser's turn is.

    Order: configuration, keyring. Raises: NeedsLogin, StoreError.
    """
    pair = (spec.access_key_id, spec.secret_access_key)
    if all(s.value for s in pair):
        return spec, _signer(spec.name, str(pair[0].value), str(pair[1].value))
    unset = [s.variable for s in pair if s.variable and not s.value]
    # A program asks without the variables: keys of the keyring could be another user's.
    given = any(s.value for s in pair) or (unset and not world.asks)
    found = None
    if not given and spec.keyring.type:
        store = keyring.opened(spec.keyring, world)
        found = keyring.keys_of(store, spec.realm, spec.name)
    if found is not None:
        spec = spec._replace(
            mfa_arn=spec.mfa_arn or found.mfa_arn, duration=spec.duration or found.duration
        )
        return spec, _signer(spec.name, found.access_key_id, found.secret_access_key)
    if unset:
        verb = "is" if len(unset) == 1 else "are"
        raise NeedsLogin(
            f'identity "{spec.name}" has no session left, and {" and ".join(unset)} {verb} not set',
            hint=f"set them and sign in again: atmos-wrap auth login -i {spec.name}",
        )
    if spec.webflow:
        return spec, None
    raise NeedsLogin(
        f'identity "{spec.name}" has no keys to sign in with',
        hint=[
            f"store them: atmos-wrap auth user configure -i {spec.name}",
            "or give `credentials.access_key_id` and `secret_access_key`, best by `!env NAME`",
        ],
    )


def _signer(name: str, key_id: str, secret: str) -> Credential:
    if not (key_id + secret).isascii():
        raise NeedsLogin(
            f'identity "{name}": its keys hold characters that no AWS key has',
            hint="look for quotes, blanks or an editor's marks where they are set",
        )
    return Credential("aws", {"access_key_id": key_id, "secret_access_key": secret})


def _call(spec: Spec, sts: Any, asked: Mapping[str, Any], world: World, *, again: bool) -> Any:
    """Return the answer; None when the code was wrong and may be asked for once more."""
    from botocore.exceptions import ClientError

    try:
        what = f'identity "{spec.name}": GetSessionToken'
        return _aws.call(sts, "get_session_token", what, **asked)
    except ClientError as error:
        code, message = _aws.refused(error)
        if again and code == "AccessDenied" and any(w in message.lower() for w in _ABOUT_MFA):
            return None
        raise AuthError(
            f'identity "{spec.name}": STS refused GetSessionToken: {code}: {message}',
            hint=_aws.advice(error, world, _HINTS.get(code))
            or f"see `credentials` of the identity {spec.name}",
        ) from error


_HINTS = {
    "InvalidClientTokenId": "the access key was rotated, deactivated or never existed",
    "SignatureDoesNotMatch": "the secret access key does not belong to the access key id",
    "ExpiredTokenException": "the configured keys are temporary ones that are over",
    "ExpiredToken": "the configured keys are temporary ones that are over",
    "AccessDenied": "the user needs sts:GetSessionToken; a policy may ask for an MFA code (`mfa_arn`)",
}


def environment(spec: Spec, credential: Credential, world: World) -> EnvDelta:  # noqa: ARG001
    """Return the session's keys as variables."""
    return _aws.keys_environment(credential)


def forget(spec: Spec, world: World, *, dry: bool = False) -> tuple[str, ...]:
    """Remove the refresh token of a sign-in by browser; keys in a keyring stay."""
    from wrapper.auth.kinds import _signin

    return _signin.forget(_place(spec), world, dry=dry)
