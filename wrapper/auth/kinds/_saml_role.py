"""A role assumed with a SAML assertion: exactly the one that the identity names.

Source: reference/atmos-auth.md 3.2, AWS: AssumeRoleWithSAML.
"""

from __future__ import annotations

from collections.abc import Mapping

from wrapper import ui
from wrapper.auth.kinds import _aws, _partitions, _saml_sign_in, aws_saml
from wrapper.auth.kinds._saml_assertion import Assertion, Role
from wrapper.auth.model import Credential
from wrapper.errors import AuthError
from wrapper.typed import TYPE_CHECKING, Any
from wrapper.world import World

if TYPE_CHECKING:
    from wrapper.auth.kinds.aws_assume_role import Spec

_HOUR = 3600
_LISTED = 20
# STS may think an assertion too old that we still think good.
_STALE = ("ExpiredTokenException", "ExpiredToken", "InvalidIdentityToken")


def assumed(spec: Spec, base: Credential, world: World) -> Credential:
    """Sign in to the provider and call AssumeRoleWithSAML, which is not signed.

    Raises: NeedsLogin, AuthError, ToolMissing, StoreError.
    """
    provider = aws_saml.of(base)
    region = _region(spec, base.region, world)
    _warn_unsent(spec, world)
    found, shared = _saml_sign_in.assertion(provider, world)
    role = _chosen(found, spec)
    try:
        return _asked(spec, provider, found, role, region, world)
    except _Stale as stale:
        if not shared:
            raise stale.error from stale.__cause__
    found, _ = _saml_sign_in.assertion(provider, world, refused=found.encoded)
    try:
        return _asked(spec, provider, found, _chosen(found, spec), region, world)
    except _Stale as stale:
        raise stale.error from stale.__cause__


class _Stale(Exception):
    """STS does not take the assertion; another one may do."""

    def __init__(self, error: AuthError) -> None:
        super().__init__(error.message)
        self.error = error


def _region(spec: Spec, given: str, world: World) -> str:
    region = spec.region or given or _aws.DEFAULT_REGION
    wanted = _partitions.foreign(spec.arn, region)
    if wanted is None:
        return region
    text = f'identity "{spec.name}": region {region} is not in {wanted.name}'
    ui.warn(world, f"{text}; STS is asked in {wanted.region}")
    return wanted.region


def _chosen(found: Assertion, spec: Spec) -> Role:
    """Return the role on offer with exactly the wanted ARN. Raises: AuthError that lists them."""
    for role in found.roles:
        if role.arn == spec.arn:
            return role
    arns = list(dict.fromkeys(role.arn for role in found.roles))
    more = f", and {len(arns) - _LISTED} more" if len(arns) > _LISTED else ""
    raise AuthError(
        f'identity "{spec.name}": the identity provider does not offer {spec.arn}',
        hint=f"it offers: {', '.join(arns[:_LISTED])}{more}",
    )


def _asked(
    spec: Spec, provider: aws_saml.Spec, found: Assertion, role: Role, region: str, world: World
) -> Credential:
    from botocore.exceptions import ClientError

    wished = int(provider.seconds) if provider.seconds else found.seconds
    asked: dict[str, Any] = {
        "RoleArn": role.arn,
        "PrincipalArn": role.principal,
        "SAMLAssertion": found.encoded,
        "DurationSeconds": spec.duration or wished or _HOUR,
    }
    if spec.policy:
        asked["Policy"] = spec.policy
    if spec.policy_arns:
        asked["PolicyArns"] = [{"arn": arn} for arn in spec.policy_arns]
    sts = _aws.client("sts", region, world, None, spec.endpoint)
    what = f'identity "{spec.name}": AssumeRoleWithSAML on {spec.arn}'
    try:
        answer = _aws.call(sts, "assume_role_with_saml", what, **asked)
    except ClientError as error:
        code, message = _aws.refused(error)
        refused = _refusal(spec, role, code, message)
        refused.hints = (*refused.hints, *_aws.advice(error, world))
        raise (_Stale(refused) if code in _STALE else refused) from error
    user = answer.get("AssumedRoleUser")
    principal = str(user.get("Arn", "")) if isinstance(user, Mapping) else ""
    return _aws.credential(answer, region, principal, world.now(), what)


def _warn_unsent(spec: Spec, world: World) -> None:
    """Say which fields an assertion's request cannot carry: the identity provider sets them."""
    fields = {
        "session_name": spec.session_name,
        "external_id": spec.external_id,
        "session_tags": spec.tags,
        "transitive_tag_keys": spec.transitive,
        "source_identity": spec.source_identity,
        "mfa_serial": spec.mfa_serial,
    }
    names = [name for name, value in fields.items() if value]
    if names:
        text = f'identity "{spec.name}": not sent with a SAML assertion: {", ".join(names)}'
        ui.warn(world, f"{text}; the identity provider decides them")
    if spec.bad_duration:
        text = f'identity "{spec.name}": duration "{spec.bad_duration}" is not like 1h30m'
        ui.warn(world, f"{text}; the provider's counts")


def _refusal(spec: Spec, role: Role, code: str, message: str) -> AuthError:
    hints = {
        "AccessDenied": [
            f"the trust policy of {role.arn} must allow sts:AssumeRoleWithSAML to {role.principal}",
            "for the audience that the assertion has (SAML:aud)",
        ],
        "ValidationError": [
            "see `duration` of the identity and `session.duration` of the provider"
        ],
        "InvalidIdentityToken": [
            f"the certificate of {role.principal} in IAM must be the one that signs",
            "and the assertion needs a RoleSessionName",
        ],
    }
    return AuthError(
        f'identity "{spec.name}": STS refused to assume {role.arn}: {code}: {message}',
        hint=hints.get(code, [f"it was asked with an assertion of {role.principal}"]),
    )
