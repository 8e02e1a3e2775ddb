"""Whatever the AWS SDK finds in the shell.

Source: reference/atmos-auth.md 4.5.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from wrapper.auth.model import Credential
from wrapper.env import EnvDelta
from wrapper.errors import AuthError
from wrapper.typed import Any, NamedTuple
from wrapper.world import World


class Spec(NamedTuple):
    """`region` empty: the shell's."""

    name: str
    region: str = ""


def parse(name: str, raw: Mapping[str, Any]) -> Spec:
    """Return the identity; raises nothing."""
    principal = raw.get("principal")
    region = principal.get("region") if isinstance(principal, Mapping) else ""
    return Spec(name, str(region or ""))


def obtain(spec: Spec, base: Credential | None, world: World) -> Credential:  # noqa: ARG001
    """Ask the SDK's own chain, with the environment of this process. Raises: AuthError."""
    import botocore.session
    from botocore.exceptions import BotoCoreError

    try:
        found = botocore.session.Session().get_credentials()
        frozen = found.get_frozen_credentials() if found is not None else None
    except (BotoCoreError, OSError, ValueError) as error:
        raise AuthError(
            f'identity "{spec.name}": the AWS SDK found no usable credential: {error}',
            hint="see AWS_PROFILE and the other AWS_* variables of this shell",
        ) from error
    if frozen is None or not frozen.access_key:
        raise AuthError(
            f'identity "{spec.name}": the AWS SDK found no credential in this shell',
            hint=_advice(world),
        )
    fields = {"access_key_id": frozen.access_key, "secret_access_key": frozen.secret_key}
    if frozen.token:
        fields["session_token"] = frozen.token
    expiry = getattr(found, "_expiry_time", None)
    return Credential(
        "aws",
        {k: str(v) for k, v in fields.items()},
        expiry.timestamp() if expiry is not None else None,
        "",
        spec.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION", ""),
        world.now(),
    )


def _advice(world: World) -> list[str]:
    found = ["set AWS_PROFILE or keys, or use an identity that signs in by itself"]
    if world.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        found.append("AWS_EC2_METADATA_DISABLED keeps the SDK from asking the machine itself")
    return found


def environment(spec: Spec, credential: Credential, world: World) -> EnvDelta:  # noqa: ARG001
    """Return the region, if one is configured; the shell's own variables stay."""
    if not spec.region:
        return EnvDelta()
    return EnvDelta({"AWS_REGION": spec.region, "AWS_DEFAULT_REGION": spec.region})


def forget(spec: Spec, world: World, *, dry: bool = False) -> tuple[str, ...]:  # noqa: ARG001
    """Do nothing: nothing of it is kept."""
    return ()
