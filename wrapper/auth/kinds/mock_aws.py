"""A pretended AWS identity, to try a configuration without any cloud.

Source: reference/atmos-auth.md 3.12, 4.7, appendix C.
"""

from __future__ import annotations

from wrapper.auth.kinds import mock
from wrapper.auth.kinds.mock import Spec, forget, parse
from wrapper.auth.model import Credential
from wrapper.env import EnvDelta
from wrapper.world import World

__all__ = ["Spec", "environment", "forget", "obtain", "parse", "shown"]

PRINCIPAL = "arn:aws:iam::123456789012:user/mock-user"


def obtain(spec: Spec, base: Credential | None, world: World) -> Credential:
    """Return made-up keys that bear the identity's name."""
    if base is None:
        return mock.obtain(spec, base, world)
    fields = {
        "access_key_id": f"MOCK_KEY_{spec.name}",
        "secret_access_key": f"MOCK_SECRET_{spec.name}",
        "session_token": f"MOCK_TOKEN_{spec.name}",
    }
    return Credential("mock", fields, mock.EXPIRES, PRINCIPAL, "us-east-1", world.now())


def _variables(name: str) -> dict[str, str]:
    return {
        "AWS_CONFIG_FILE": "/tmp/mock-config",  # noqa: S108  a name that Atmos made up, never opened
        "AWS_SHARED_CREDENTIALS_FILE": "/tmp/mock-credentials",  # noqa: S108
        "AWS_PROFILE": name,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def environment(spec: Spec, credential: Credential, world: World) -> EnvDelta:  # noqa: ARG001
    """Return variables that look like an AWS identity's; two switches of the SDKs only if not set."""
    switches = {"AWS_SDK_LOAD_CONFIG": "1", "AWS_EC2_METADATA_DISABLED": "true"}
    unset = {k: v for k, v in switches.items() if k not in world.environ}
    return EnvDelta({**unset, **_variables(spec.name), "ATMOS_IDENTITY": spec.name})


def shown(spec: Spec) -> dict[str, str]:
    """Return what `auth env` prints, which is not quite what a program gets."""
    return {**_variables(spec.name), "MOCK_IDENTITY": spec.name}
