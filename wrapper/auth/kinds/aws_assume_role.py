"""A role assumed by the identity before it in the chain.

Source: reference/atmos-auth.md 4.2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from wrapper.auth.kinds import _aws
from wrapper.auth.model import Credential
from wrapper.env import EnvDelta
from wrapper.errors import AuthError, ConfigError
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
    )


def _text(value: Any) -> str:
    """Return an external id; a number is sent as it is written (Atmos sends none at all)."""
    return "" if value is None or isinstance(value, bool) else str(value)


def session_name(spec: Spec, now: float) -> str:
    """Return a name that STS accepts. Source: reference/atmos-auth.md 4.2."""
    wanted = spec.session_name or f"atmos-{spec.name}-{int(now)}"
    clean = re.sub(r"[^A-Za-z0-9+=,.@-]", "-", wanted)[:64].rstrip("-")
    return clean or "atmos-session"


def obtain(spec: Spec, base: Credential | None, world: World) -> Credential:
    """Call AssumeRole with the base credential. Raises: AuthError, ConfigError."""
    from botocore.exceptions import BotoCoreError, ClientError

    if base is None or base.cloud != "aws":
        raise ConfigError(
            f'identity "{spec.name}": a role needs AWS credentials to start from',
            hint="let `via` name an AWS identity",
        )
    region = spec.region or base.region or _aws.DEFAULT_REGION
    sts = _aws.client("sts", region, world, base, spec.endpoint)
    asked: dict[str, Any] = {
        "RoleArn": spec.arn,
        "RoleSessionName": session_name(spec, world.now()),
    }
    if spec.external_id:
        asked["ExternalId"] = spec.external_id
    if spec.duration:
        asked["DurationSeconds"] = spec.duration
    if spec.bad_duration:
        from wrapper import ui

        text = f'identity "{spec.name}": duration "{spec.bad_duration}" is not like 1h30m'
        ui.warn(world, f"{text}; STS decides")
    try:
        answer = sts.assume_role(**asked)
    except ClientError as error:
        raise _refusal(spec, base, *_aws.refused(error)) from error
    except BotoCoreError as error:
        what = f'identity "{spec.name}": AssumeRole on {spec.arn}'
        raise _aws.unreachable(what, error, sts.meta.endpoint_url) from error
    principal = str(answer.get("AssumedRoleUser", {}).get("Arn", ""))
    return _aws.credential(answer, region, principal, world.now())


def _refusal(spec: Spec, base: Credential, code: str, message: str) -> AuthError:
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


def environment(spec: Spec, credential: Credential, world: World) -> EnvDelta:  # noqa: ARG001
    """Return the keys as variables."""
    return _aws.keys_environment(credential)


def forget(spec: Spec, world: World) -> tuple[str, ...]:  # noqa: ARG001
    """Do nothing: a role leaves nothing outside its session."""
    return ()
