"""A role assumed by the identity before it in the chain.

Source: reference/atmos-auth.md 4.2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from wrapper import ui
from wrapper.auth.kinds import _aws, _mfa, _partitions
from wrapper.auth.model import Credential
from wrapper.env import EnvDelta
from wrapper.errors import AuthError, ConfigError
from wrapper.typed import Any, NamedTuple
from wrapper.world import World


class Spec(NamedTuple):
    """`duration` in seconds, None for what STS gives; `session_name` empty for one of ours."""

    name: str
    arn: str
    region: str = ""
    session_name: str = ""
    external_id: str = ""
    duration: int | None = None
    bad_duration: str = ""
    endpoint: str = ""
    policy: str = ""
    policy_arns: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    transitive: tuple[str, ...] = ()
    source_identity: str = ""
    mfa_serial: str = ""


def parse(name: str, raw: Mapping[str, Any]) -> Spec:
    """Return the role. Raises: ConfigError without an ARN."""
    principal = raw.get("principal")
    given = principal if isinstance(principal, Mapping) else {}
    arn = given.get("assume_role")
    if not isinstance(arn, str) or not arn:
        raise ConfigError(f'identity "{name}": principal.assume_role is required')
    duration = given.get("duration")
    seconds = _aws.go_duration(str(duration)) if duration not in (None, "") else None
    spec = raw.get("spec")
    return Spec(
        name,
        arn,
        str(given.get("region") or ""),
        str(given.get("session_name") or ""),
        _text(given.get("external_id")),
        int(seconds) if seconds else None,
        str(duration) if duration not in (None, "") and not seconds else "",
        str(spec.get("endpoint_url") or "") if isinstance(spec, Mapping) else "",
        _policy(name, given.get("policy")),
        _texts(name, "policy_arns", given.get("policy_arns")),
        _tags(name, given.get("session_tags")),
        _texts(name, "transitive_tag_keys", given.get("transitive_tag_keys")),
        _text(given.get("source_identity")),
        _text(given.get("mfa_serial")),
    )


def _policy(name: str, given: Any) -> str:
    """Return a session policy as JSON; it may be written as a map or as text."""
    import json

    if given in (None, ""):
        return ""
    if isinstance(given, Mapping):
        return json.dumps(given, separators=(",", ":"))
    try:
        if isinstance(given, str) and isinstance(json.loads(given), dict):
            return given
    except ValueError:
        pass
    raise ConfigError(f'identity "{name}": principal.policy must be a map or a JSON object')


def _texts(name: str, key: str, given: Any) -> tuple[str, ...]:
    if given in (None, ""):
        return ()
    found = given if isinstance(given, list) else [given]
    if not all(isinstance(one, str) and one for one in found):
        raise ConfigError(f'identity "{name}": principal.{key} must be a list of texts')
    return tuple(found)


def _tags(name: str, given: Any) -> tuple[tuple[str, str], ...]:
    if given in (None, ""):
        return ()
    if not isinstance(given, Mapping):
        raise ConfigError(f'identity "{name}": principal.session_tags must be a map')
    return tuple((str(key), _text(value)) for key, value in given.items())


def _text(value: Any) -> str:
    """Return an external id; a number is sent as it is written (Atmos sends none at all)."""
    return "" if value is None or isinstance(value, bool) else str(value)


def session_name(spec: Spec, now: float) -> str:
    """Return a name that STS accepts. Source: reference/atmos-auth.md 4.2."""
    wanted = spec.session_name or f"atmos-{spec.name}-{int(now)}"
    clean = re.sub(r"[^A-Za-z0-9+=,.@-]", "-", wanted)[:64].rstrip("-")
    return clean or "atmos-session"


def obtain(spec: Spec, base: Credential | None, world: World) -> Credential:
    """Call AssumeRole with the base credential, or AssumeRoleWithWebIdentity with a token.

    Raises: AuthError, ConfigError, NeedsLogin when an MFA code is wanted and nobody can type it.
    """
    from botocore.exceptions import ClientError

    if base is not None and base.cloud == "aws-saml":
        from wrapper.auth.kinds import _saml_role

        return _saml_role.assumed(spec, base, world)
    if base is None or base.cloud not in ("aws", "oidc"):
        raise ConfigError(
            f'identity "{spec.name}": a role needs AWS credentials or an OIDC token to start from',
            hint="let `via` name an AWS identity or a provider of kind github/oidc or oidc",
        )
    region = _partitions.region(
        f'identity "{spec.name}"',
        spec.arn,
        spec.region or base.region,
        anywhere=bool(spec.endpoint or _aws.configured_endpoint("sts", world.environ)),
    )
    signer = base if base.cloud == "aws" else None
    sts = _aws.client("sts", region, world, signer, spec.endpoint)
    asked = _common(spec, world)
    if spec.bad_duration:
        text = f'identity "{spec.name}": duration "{spec.bad_duration}" is not like 1h30m'
        ui.warn(world, f"{text}; STS decides")
    what = f'identity "{spec.name}": AssumeRole on {spec.arn}'
    if signer is None:
        _warn_unsent(spec, world)
        operation = "assume_role_with_web_identity"
        asked["WebIdentityToken"] = base.fields["web_identity_token"]
    else:
        operation = "assume_role"
        asked |= _signed(spec, world)
    try:
        answer = _aws.call(sts, operation, what, **asked)
    except ClientError as error:
        refusal = _refusal(spec, base, *_aws.refused(error))
        refusal.hints = (*_aws.advice(error, world), *refusal.hints)
        raise refusal from error
    principal = str(answer.get("AssumedRoleUser", {}).get("Arn", ""))
    return _aws.credential(answer, region, principal, world.now(), what)


def _common(spec: Spec, world: World) -> dict[str, Any]:
    """Return the parameters that both operations have."""
    asked: dict[str, Any] = {
        "RoleArn": spec.arn,
        "RoleSessionName": session_name(spec, world.now()),
    }
    if spec.duration:
        asked["DurationSeconds"] = spec.duration
    if spec.policy:
        asked["Policy"] = spec.policy
    if spec.policy_arns:
        asked["PolicyArns"] = [{"arn": arn} for arn in spec.policy_arns]
    return asked


def _signed(spec: Spec, world: World) -> dict[str, Any]:
    """Return the parameters of AssumeRole alone. Raises: NeedsLogin, Interrupted."""
    asked: dict[str, Any] = {}
    if spec.external_id:
        asked["ExternalId"] = spec.external_id
    if spec.tags:
        asked["Tags"] = [{"Key": key, "Value": value} for key, value in spec.tags]
    if spec.transitive:
        asked["TransitiveTagKeys"] = list(spec.transitive)
    if spec.source_identity:
        asked["SourceIdentity"] = spec.source_identity
    if spec.mfa_serial:
        code = _mfa.code(spec.name, spec.mfa_serial, world)
        asked |= {"SerialNumber": spec.mfa_serial, "TokenCode": code}
    return asked


def _warn_unsent(spec: Spec, world: World) -> None:
    """Say which fields a web identity cannot carry; STS has no place for them."""
    fields = {
        "external_id": spec.external_id,
        "session_tags": spec.tags,
        "transitive_tag_keys": spec.transitive,
        "source_identity": spec.source_identity,
        "mfa_serial": spec.mfa_serial,
    }
    names = [name for name, value in fields.items() if value]
    if names:
        text = f'identity "{spec.name}": not sent with an OIDC token: {", ".join(names)}'
        ui.warn(world, f"{text}; AssumeRoleWithWebIdentity does not take it")


def _refusal(spec: Spec, base: Credential, code: str, message: str) -> AuthError:
    if base.cloud == "oidc":
        return _refused_token(spec, base, code, message)
    signer = base.principal or "the identity it goes via"
    hints = {
        "AccessDenied": [
            f"the trust policy of {spec.arn} must allow {signer}, with the external id that it asks for",
            "and the policies of that identity must allow sts:AssumeRole on the role",
        ],
        "ValidationError": ["see `duration`, `session_name` and `assume_role` of the identity"],
        "ExpiredToken": [f"run `atmos-wrap auth logout` and sign in to {signer} again"],
    }
    return AuthError(
        f'identity "{spec.name}": STS refused to assume {spec.arn}: {code}: {message}',
        hint=hints.get(code, [f"it was asked by {signer}"]),
    )


def _refused_token(spec: Spec, base: Credential, code: str, message: str) -> AuthError:
    """Say what the token was and what of it AWS must know; claims are no secrets."""
    issuer, audience = (base.fields.get(key) or "?" for key in ("issuer", "audience"))
    account = (*spec.arn.split(":"), *[""] * 5)[4]
    host = f"oidc-provider/{issuer.partition('://')[2]}"
    provider = [
        f"account {account} needs an IAM OIDC provider for {issuer}",
        f"with {audience} among its audiences",
    ]
    hints = {
        "AccessDenied": [
            f"the trust policy of {spec.arn} must allow it to {host},",
            f"with the audience {audience} and the subject {base.principal or '?'}",
        ],
        "InvalidIdentityToken": provider,
        "IDPRejectedClaim": provider,
        "ExpiredTokenException": [
            "get a new token: see the clock, and how long the job ran before"
        ],
        "IDPCommunicationError": [f"AWS could not fetch the keys of {issuer}: try again"],
    }
    return AuthError(
        f'identity "{spec.name}": STS refused to assume {spec.arn}: {code}: {message}',
        hint=hints.get(code, [f"it was asked by the token of provider {base.fields['provider']}"]),
    )


def environment(spec: Spec, credential: Credential, world: World) -> EnvDelta:  # noqa: ARG001
    """Return the keys as variables."""
    return _aws.keys_environment(credential)


def forget(spec: Spec, world: World, *, dry: bool = False) -> tuple[str, ...]:  # noqa: ARG001
    """Do nothing: a role leaves nothing outside its session."""
    return ()
