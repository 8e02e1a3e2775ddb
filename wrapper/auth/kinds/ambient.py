"""The shell as it is, whatever the cloud.

Source: reference/atmos-auth.md 4.5.
"""

from __future__ import annotations

from collections.abc import Mapping

from wrapper.auth.model import Credential
from wrapper.env import EnvDelta
from wrapper.typed import Any, NamedTuple
from wrapper.world import World


class Spec(NamedTuple):
    """Only a name."""

    name: str


def parse(name: str, raw: Mapping[str, Any]) -> Spec:  # noqa: ARG001
    """Return the identity; raises nothing."""
    return Spec(name)


def obtain(spec: Spec, base: Credential | None, world: World) -> Credential:  # noqa: ARG001
    """Return a credential that holds nothing."""
    return Credential("", {}, issued=world.now())


def environment(spec: Spec, credential: Credential, world: World) -> EnvDelta:  # noqa: ARG001
    """Change nothing."""
    return EnvDelta()


def forget(spec: Spec, world: World, *, dry: bool = False) -> tuple[str, ...]:  # noqa: ARG001
    """Do nothing: nothing of it is kept."""
    return ()
