"""The registry of kinds, and what a kind's module must have.

A provider is a kind that needs no base credential, an identity one that takes one. A module is the
implementation; it is imported only when its kind is used.
"""

from __future__ import annotations

from collections.abc import Mapping

from wrapper.errors import AuthError
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Protocol

    from wrapper.auth.model import Credential, Entry
    from wrapper.env import EnvDelta
    from wrapper.world import World
else:
    Protocol = object


class Kind(Protocol):
    """What every module of the registry offers."""

    def parse(self, name: str, raw: Mapping[str, Any]) -> Any:
        """Return the kind's own spec. Raises: ConfigError."""

    def obtain(self, spec: Any, base: Credential | None, world: World) -> Credential:
        """Sign in. Raises: Unavailable, NeedsLogin, AuthError."""

    def environment(self, spec: Any, credential: Credential, world: World) -> EnvDelta:
        """Return what hands this credential itself to a program; no I/O."""

    def forget(self, spec: Any, world: World, *, dry: bool = False) -> tuple[str, ...]:
        """Remove what this kind keeps outside the sessions; return the paths that are gone.

        A `dry` one changes nothing and returns what would go.
        """


# Kind -> module below `wrapper.auth.kinds`.
KINDS: Mapping[str, str] = {
    "aws/iam-identity-center": "aws_sso",
    "aws/saml": "aws_saml",
    "aws/permission-set": "aws_permission_set",
    "aws/assume-root": "aws_assume_root",
    "github/oidc": "github_oidc",
    "oidc": "oidc",
    "aws/user": "aws_user",
    "aws/assume-role": "aws_assume_role",
    "aws/ambient": "aws_ambient",
    "ambient": "ambient",
    "mock": "mock",
    "mock/aws": "mock_aws",
}

PROVIDER_KINDS = (
    "aws/iam-identity-center",
    "aws/saml",
    "github/oidc",
    "oidc",
    "azure/cli",
    "azure/device-code",
    "azure/interactive",
    "azure/oidc",
    "gcp/adc",
    "gcp/workload-identity-federation",
    "atmos/pro",
    "mock",
    "mock/aws",
)
IDENTITY_KINDS = (
    "aws/permission-set",
    "aws/assume-role",
    "aws/assume-root",
    "aws/user",
    "aws/ambient",
    "ambient",
    "atmos/pro",
    "azure/subscription",
    "gcp/service-account",
    "gcp/project",
    "aws/emulator",
    "azure/emulator",
    "gcp/emulator",
    "kubernetes/emulator",
    "mock",
    "mock/aws",
)
# Identities that need no `via`. Source: reference/atmos-auth.md 0.1.
STANDALONE = frozenset(
    (
        "aws/user",
        "aws/ambient",
        "ambient",
        "aws/emulator",
        "azure/emulator",
        "gcp/emulator",
        "kubernetes/emulator",
    )
)
# Kinds whose own credential is never stored; what was signed with it is.
UNSTORED = frozenset(
    ("aws/ambient", "ambient", "github/oidc", "oidc", "aws/iam-identity-center", "aws/saml")
)
# Identities that get a profile in the private AWS configuration file.
AWS_PROFILES = frozenset(("aws/permission-set", "aws/assume-role", "aws/assume-root", "aws/user"))


def module(entry: Entry) -> Kind:
    """Return the module of an entry's kind. Raises: AuthError when this version has none."""
    name = KINDS.get(entry.kind)
    if name is None:
        raise AuthError(
            f'kind "{entry.kind}" is not supported by this version',
            at=entry.at,
            hint=f"supported here: {', '.join(sorted(KINDS))}",
        )
    import importlib

    module: Any = importlib.import_module(f"wrapper.auth.kinds.{name}")
    kind: Kind = module
    return kind
