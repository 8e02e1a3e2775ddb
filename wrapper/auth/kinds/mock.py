"""A pretended identity, to try a configuration without any cloud.

Source: reference/atmos-auth.md 3.12, 4.7.
"""

from __future__ import annotations

from collections.abc import Mapping

from wrapper.auth.model import Credential
from wrapper.env import EnvDelta
from wrapper.typed import Any, NamedTuple
from wrapper.world import World

# 2099-12-31T23:59:59Z
EXPIRES = 4_102_444_799.0


class Spec(NamedTuple):
    """Only a name."""

    name: str


def parse(name: str, raw: Mapping[str, Any]) -> Spec:  # noqa: ARG001
    """Return the identity or provider; raises nothing."""
    return Spec(name)


def obtain(spec: Spec, base: Credential | None, world: World) -> Credential:  # noqa: ARG001
    """Return made-up keys: a provider's when there is no base, else an identity's."""
    names = ("access_key_id", "secret_access_key", "session_token")
    own = ("mock-access-key", "mock-secret-key", "mock-session-token")
    provider = ("MOCK_ACCESS_KEY_ID", "MOCK_SECRET_ACCESS_KEY", "MOCK_SESSION_TOKEN")
    values = provider if base is None else own
    fields = dict(zip(names, values, strict=True))
    return Credential("mock", fields, EXPIRES, "", "us-east-1", world.now())


def environment(spec: Spec, credential: Credential, world: World) -> EnvDelta:  # noqa: ARG001
    """Return the name as variables."""
    return EnvDelta({"ATMOS_IDENTITY": spec.name})


def shown(spec: Spec) -> dict[str, str]:
    """Return what `auth env` prints, which is not quite what a program gets."""
    return {"ATMOS_IDENTITY": spec.name, "MOCK_IDENTITY": spec.name}


def forget(spec: Spec, world: World, *, dry: bool = False) -> tuple[str, ...]:  # noqa: ARG001
    """Do nothing: nothing of it is kept outside its session."""
    return ()
