"""Who acts: the `auth` section, the choice of an identity, its sign-in and what a program gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wrapper.auth.model import SELECT, Auth, Choice, Credential, Setting
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.env import EnvDelta
    from wrapper.merge import Layer
    from wrapper.world import World

__all__ = [
    "SELECT",
    "Auth",
    "Choice",
    "Credential",
    "Setting",
    "check",
    "environment",
    "obtain",
    "read",
    "select",
    "sign_in",
]


def check(
    section: Any,
    layers: Sequence[Layer],
    config_dir: str,
    world: World,
    wrap: Mapping[str, Any] | None = None,
) -> Auth:
    """Return the section with all its faults in `problems`; raises nothing."""
    from wrapper.auth import parse

    return parse.read(section, layers, config_dir, world, wrap)


def read(
    section: Any,
    layers: Sequence[Layer],
    config_dir: str,
    world: World,
    wrap: Mapping[str, Any] | None = None,
    *,
    only_providers: bool = False,
) -> Auth:
    """Return the merged section, ready for use.

    `layers` are the files that made it, lowest first; `wrap` is our own top-level section of
    atmos.yaml. With `only_providers` faults of identities break nothing.
    Raises: Problems with every fault, when one of them breaks every command.
    """
    from wrapper.auth.model import FATAL
    from wrapper.errors import Problems

    auth = check(section, layers, config_dir, world, wrap)
    fatal = [problem for problem in auth.problems if problem.weight == FATAL]
    if any(not (only_providers and one.subject.startswith("identity ")) for one in fatal):
        raise Problems([problem.error for problem in auth.problems])
    return auth


def select(auth: Auth, wanted: Setting | None, world: World) -> Choice:
    """Return the identity to use, and why. Raises: ConfigError, NeedsLogin, Interrupted."""
    from wrapper.auth import selection

    return selection.select(auth, wanted, world)


def obtain(auth: Auth, name: str, world: World) -> Credential:
    """Return an identity's credential. Raises: ConfigError, AuthError, StoreError."""
    from wrapper.auth import chain

    return chain.obtain(auth, name, world)


def sign_in(auth: Auth, name: str, world: World) -> tuple[str, ...]:
    """Sign in to an identity and to all `required` ones; return what went wrong with the latter.

    Raises: ConfigError, AuthError, StoreError; those of a required one with `wrap.required: strict`.
    """
    from wrapper.auth import required

    return required.sign_in(auth, name, world)


def environment(auth: Auth, name: str, world: World) -> EnvDelta:
    """Return what a program gets and loses to run as an identity; files are not yet written.

    Raises: ConfigError, AuthError.
    """
    from wrapper.auth import delivery

    return delivery.environment(auth, name, world)
