"""A permission set of IAM Identity Center, in an account by id or by name.

Source: reference/atmos-auth.md 4.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wrapper import ui
from wrapper.auth.kinds import _aws, _partitions, aws_sso
from wrapper.auth.model import Credential
from wrapper.env import EnvDelta
from wrapper.errors import AuthError, ConfigError, near
from wrapper.typed import Any, NamedTuple
from wrapper.world import World

# The portal throttles who lists many accounts; botocore waits longer each time, with jitter.
ATTEMPTS = 8


class Spec(NamedTuple):
    """`role` is the permission set's name; one of `account_id` and `account_name` is given."""

    name: str
    role: str
    account_id: str = ""
    account_name: str = ""
    region: str = ""
    endpoint: str = ""


def parse(name: str, raw: Mapping[str, Any]) -> Spec:
    """Return the permission set. Raises: ConfigError without a name or an account."""
    principal = raw.get("principal")
    given = principal if isinstance(principal, Mapping) else {}
    role = given.get("name")
    if not isinstance(role, str) or not role:
        raise ConfigError(f'identity "{name}": principal.name is required')
    account = given.get("account")
    account = account if isinstance(account, Mapping) else {}
    found = [account.get(key) for key in ("id", "name")]
    by_id, by_name = (value if isinstance(value, str) else "" for value in found)
    if not by_id and not by_name:
        raise ConfigError(f'identity "{name}": principal.account needs an id or a name')
    spec = raw.get("spec")
    return Spec(
        name,
        role,
        by_id,
        by_name,
        str(given.get("region") or ""),
        str(spec.get("endpoint_url") or "") if isinstance(spec, Mapping) else "",
    )


def obtain(spec: Spec, base: Credential | None, world: World) -> Credential:
    """Ask the portal for the set's credentials; a token that it refuses is replaced once.

    Raises: AuthError, NeedsLogin, ConfigError when the account's name is unknown or ambiguous.
    """
    if base is None or base.cloud != aws_sso.CLOUD:
        raise ConfigError(
            f'identity "{spec.name}": a permission set comes from an SSO provider',
            hint="write `via: {provider: …}` with a provider of kind aws/iam-identity-center",
        )
    wanted, given = _partitions.of_region(base.region), _partitions.of_region(spec.region)
    if wanted and given and wanted != given:
        text = f'identity "{spec.name}": region {spec.region} is not in {wanted.name}'
        ui.warn(world, f"{text}, where the credentials of provider {base.fields['provider']} are")
    try:
        return _asked(spec, base, world)
    except _Refused:
        pass
    try:
        return _asked(spec, aws_sso.renewed(base, world), world)
    except _Refused as error:
        raise AuthError(
            f'identity "{spec.name}": the portal refuses a token that it has just given',
            hint="check the clock of this machine, and start_url and region of the provider",
        ) from error


class _Refused(Exception):
    """The portal does not know the token."""


def _asked(spec: Spec, base: Credential, world: World) -> Credential:
    from botocore.exceptions import ClientError

    endpoint = spec.endpoint or base.fields["endpoint"]
    portal = _aws.client("sso", base.region, world, None, endpoint, attempts=ATTEMPTS)
    token = base.fields["access_token"]
    account = spec.account_id
    what = f'identity "{spec.name}": permission set {spec.role}'
    try:
        account = account or _account(spec, accounts(portal, token, what))
        asked = {"roleName": spec.role, "accountId": account, "accessToken": token}
        answer = _aws.call(portal, "get_role_credentials", what, **asked)
    except ClientError as error:
        code, message = _aws.refused(error)
        if code == "UnauthorizedException":
            raise _Refused from error
        where = f"account {account or spec.account_name}"
        raise AuthError(
            f'identity "{spec.name}": the portal refused permission set {spec.role} in {where}: '
            f"{code}: {message}",
            hint=_aws.advice(error, world, _HINTS.get(code)) or f"see {base.fields['start_url']}",
        ) from error
    return _credential(spec, answer, spec.region or base.region, world.now())


_NOT_YOURS = "the set's name must be exact, and assigned to you in that account"
_HINTS = {
    "ForbiddenException": _NOT_YOURS,
    "ResourceNotFoundException": _NOT_YOURS,
}


def accounts(portal: Any, token: str, what: str) -> list[tuple[str, str]]:
    """Return id and name of every account of the user. Raises: as `listed`."""
    found = listed(portal, "list_accounts", "accountList", what, accessToken=token)
    return [(str(one.get("accountId", "")), str(one.get("accountName", ""))) for one in found]


def listed(
    portal: Any, operation: str, key: str, what: str, **asked: Any
) -> list[Mapping[str, Any]]:
    """Return what all pages list. Raises: AuthError, botocore's ClientError for a refusal."""
    found: list[Mapping[str, Any]] = []
    seen: list[str] = []
    while True:
        page = _aws.call(portal, operation, what, **asked)
        rows, after = page.get(key), page.get("nextToken")
        if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
            raise _aws.unreadable(what, portal.meta.endpoint_url)
        found += rows
        if not after:
            return found
        if not isinstance(after, str) or after in seen:
            raise _aws.unreadable(what, portal.meta.endpoint_url)
        seen.append(after)
        asked["nextToken"] = after


def _account(spec: Spec, known: Sequence[tuple[str, str]]) -> str:
    """Return the id of the account that a name means: exact, else without case if unique."""
    wanted = spec.account_name
    for same in (str.__eq__, lambda a, b: a.lower() == b.lower()):
        found = [one for one in known if same(one[1], wanted)]
        if len(found) == 1:
            return found[0][0]
        if found:
            drawn = ", ".join(f"{name} ({number})" for number, name in sorted(found))
            raise ConfigError(
                f'identity "{spec.name}": several accounts are named "{wanted}": {drawn}',
                hint='give `account: {id: "…"}` instead of the name',
            )
    names = sorted({name for _, name in known})
    raise ConfigError(
        f'identity "{spec.name}": account "{wanted}" is not among the {len(known)} of this user',
        hint=near(wanted, names) or f"accounts: {', '.join(names[:20]) or 'none'}",
    )


def _credential(spec: Spec, answer: Any, region: str, now: float) -> Credential:
    given = answer.get("roleCredentials")
    given = given if isinstance(given, Mapping) else {}
    fields = {
        "access_key_id": given.get("accessKeyId"),
        "secret_access_key": given.get("secretAccessKey"),
        "session_token": given.get("sessionToken"),
    }
    texts = {key: value for key, value in fields.items() if isinstance(value, str) and value}
    expires = given.get("expiration")
    if len(texts) < len(fields) or not isinstance(expires, int | float):
        raise AuthError(f'identity "{spec.name}": the portal answered without a credential')
    return Credential("aws", texts, expires / 1000, "", region, now)


def environment(spec: Spec, credential: Credential, world: World) -> EnvDelta:  # noqa: ARG001
    """Return the keys as variables."""
    return _aws.keys_environment(credential)


def forget(spec: Spec, world: World, *, dry: bool = False) -> tuple[str, ...]:  # noqa: ARG001
    """Do nothing: a permission set leaves nothing outside its session."""
    return ()
