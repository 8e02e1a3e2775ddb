"""A root session of a member account, for one task.

Source: reference/atmos-auth.md 4.3, AWS: AssumeRoot.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from wrapper import ui
from wrapper.auth.kinds import _aws, _partitions
from wrapper.auth.model import Credential
from wrapper.auth.rules import ROOT_TASKS, TASK_POLICIES, root_task
from wrapper.env import EnvDelta
from wrapper.errors import AuthError, ConfigError, near
from wrapper.typed import Any, NamedTuple
from wrapper.world import World

LONGEST = 900


class Spec(NamedTuple):
    """`account` is 12 digits, `policy` a task or its ARN, `duration` seconds, None for STS's own."""

    name: str
    account: str
    policy: str
    region: str = ""
    duration: int | None = None
    warning: str = ""
    endpoint: str = ""


def parse(name: str, raw: Mapping[str, Any]) -> Spec:
    """Return the root session. Raises: ConfigError for another target or task than AWS knows."""
    principal = raw.get("principal")
    given = principal if isinstance(principal, Mapping) else {}
    account = given.get("target_principal")
    if not isinstance(account, str) or not re.fullmatch(r"[0-9]{12}", account):
        raise ConfigError(f'identity "{name}": principal.target_principal is 12 digits, in quotes')
    spec = raw.get("spec")
    seconds, warning = _seconds(given.get("duration"))
    return Spec(
        name,
        account,
        _policy(name, given.get("task_policy_arn")),
        str(given.get("region") or ""),
        seconds,
        warning,
        str(spec.get("endpoint_url") or "") if isinstance(spec, Mapping) else "",
    )


def _policy(name: str, given: Any) -> str:
    task = root_task(given) if isinstance(given, str) else ""
    if task in ROOT_TASKS:
        return str(given)
    found = near(task, ROOT_TASKS) if task else None
    raise ConfigError(
        f'identity "{name}": principal.task_policy_arn "{given or ""}" is no root task',
        hint=[*([found] if found else []), f"one of {', '.join(ROOT_TASKS)}"],
    )


def _arn(policy: str, region: str) -> str:
    """Return the ARN of a task policy; a short name is one of the region's partition."""
    if policy.startswith("arn:"):
        return policy
    found = _partitions.of_region(region)
    return TASK_POLICIES[found.name if found else "aws"] + policy


def _seconds(given: Any) -> tuple[int | None, str]:
    if given in (None, ""):
        return None, ""
    seconds = _aws.go_duration(str(given))
    if not seconds:
        return None, f'duration "{given}" is not like 10m; STS decides'
    if seconds > LONGEST:
        return LONGEST, f"duration {given} is too long: a root session lives 15 minutes at most"
    return int(seconds), ""


def obtain(spec: Spec, base: Credential | None, world: World) -> Credential:
    """Call AssumeRoot with the base credential. Raises: AuthError, ConfigError."""
    from botocore.exceptions import ClientError

    if base is None or base.cloud != "aws":
        raise ConfigError(
            f'identity "{spec.name}": a root session needs AWS credentials to start from',
            hint="let `via: {identity: …}` name an identity of the management account",
        )
    if spec.warning:
        ui.warn(world, f'identity "{spec.name}": {spec.warning}')
    region = _partitions.region(
        f'identity "{spec.name}"',
        spec.policy,
        spec.region or base.region,
        anywhere=bool(spec.endpoint or _aws.configured_endpoint("sts", world.environ)),
    )
    # The global endpoint does not know AssumeRoot.
    regional = {**world.environ, "AWS_STS_REGIONAL_ENDPOINTS": "regional"}
    sts = _aws.client("sts", region, world._replace(environ=regional), base, spec.endpoint)
    asked: dict[str, Any] = {
        "TargetPrincipal": spec.account,
        "TaskPolicyArn": {"arn": _arn(spec.policy, region)},
    }
    if spec.duration:
        asked["DurationSeconds"] = spec.duration
    what = f'identity "{spec.name}": AssumeRoot on {spec.account}'
    try:
        answer = _aws.call(sts, "assume_root", what, **asked)
    except ClientError as error:
        code, message = _aws.refused(error)
        signer = base.principal or "the identity it goes via"
        raise AuthError(
            f'identity "{spec.name}": STS refused a root session of {spec.account}: '
            f"{code}: {message}",
            hint=[
                *_aws.advice(error, world),
                f"{signer} needs sts:AssumeRoot, in the management account or a delegated one",
                "and root access management must be switched on for the organization",
            ],
        ) from error
    return _aws.credential(answer, region, "", world.now(), what)


def environment(spec: Spec, credential: Credential, world: World) -> EnvDelta:  # noqa: ARG001
    """Return the keys as variables."""
    return _aws.keys_environment(credential)


def forget(spec: Spec, world: World, *, dry: bool = False) -> tuple[str, ...]:  # noqa: ARG001
    """Do nothing: a root session leaves nothing outside its session."""
    return ()
