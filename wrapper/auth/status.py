"""Who an identity is just now: from its session, or by asking the cloud.

Source: reference/atmos-auth.md 7.2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from wrapper.auth import chain, delivery, sessions
from wrapper.auth.lookup import follow
from wrapper.auth.model import Auth, Credential, Entry
from wrapper.errors import AuthError
from wrapper.typed import Any, NamedTuple
from wrapper.world import World

_REDACTED = re.compile(r"SECRET|TOKEN|PASSWORD|PRIVATE|ACCESS_KEY|SESSION")


class Status(NamedTuple):
    """What is known of one identity; times in seconds since the epoch."""

    realm: str
    realm_source: str
    provider: str
    identity: str
    principal: str
    account: str
    region: str
    expires: float | None
    environment: Mapping[str, str]


def provider_of(auth: Auth, entry: Entry) -> str:
    """Return what an identity is shown to come from: its direct `via`, or a stand-in."""
    step = follow(auth, entry)
    return step.name if isinstance(step, Entry) else entry.kind.replace("/", "-")


def status(auth: Auth, name: str, found: Credential, world: World, *, verify: bool) -> Status:
    """Return who an identity's credential is.

    The cloud is asked when `verify` says so, or when nothing else tells the principal; then the
    answer is kept with the session. Raises: AuthError with `verify`, StoreError.
    """
    entry = auth.identities[name]
    region = found.region or chain.region(chain.entries(auth, name))
    principal = found.principal
    if found.cloud == "aws" and (verify or (not principal and region)):
        principal = _ask(auth, name, found, region, world, verify=verify)
    account = principal.split(":")[4] if principal.count(":") >= 5 else ""
    shown = delivery.printed(auth, name, world).set
    home = world.home
    environment = {
        k: "***REDACTED***" if _REDACTED.search(k) and k != "AWS_SHARED_CREDENTIALS_FILE" else
        (f"~{v[len(home) :]}" if v.startswith(home + "/") else v)
        for k, v in sorted(shown.items())
    }  # fmt: skip
    return Status(
        auth.realm, auth.realm_source, provider_of(auth, entry), name, principal, account,
        region, found.expires, environment,
    )  # fmt: skip


def _ask(
    auth: Auth, name: str, found: Credential, region: str, world: World, *, verify: bool
) -> str:
    from wrapper.auth.kinds import _aws

    link = chain.links(auth, name, world)[-1]
    try:
        principal = _aws.caller(found, region, world, getattr(link.spec, "endpoint", ""))
    except AuthError as error:
        if verify:
            raise AuthError(
                f'identity "{name}": {error.message}', hint=error.hints, at=error.at
            ) from error
        return found.principal
    if link.key is not None and principal != found.principal:
        realm = sessions.realm_dir(world.environ, auth.realm)
        told = found._replace(principal=principal)
        sessions.store(realm, link.key, link.entry.title, told)
    return principal


def as_json(found: Status, now: float) -> dict[str, Any]:
    """Return a status as the object that `auth whoami -o json` prints."""
    values: dict[str, Any] = {
        "realm": found.realm,
        "realm_source": found.realm_source,
        "provider": found.provider,
        "identity": found.identity,
        "principal": found.principal,
        "account": found.account,
        "region": found.region,
        "expiration": "" if found.expires is None else delivery.timestamp(found.expires),
        "environment": dict(found.environment),
        "last_updated": delivery.timestamp(now),
    }
    always = ("provider", "identity", "principal", "last_updated")
    return {k: v for k, v in values.items() if v or k in always}


def rows(found: Status, now: float) -> list[tuple[str, str]]:
    """Return a status as the table that a person reads."""
    source = f"{found.realm} ({found.realm_source})"
    given = [
        ("Realm", source),
        ("Provider", found.provider),
        ("Identity", found.identity),
        ("Principal", found.principal),
        ("Account", found.account),
        ("Region", found.region),
        ("Expires", expiry(found.expires, now)),
    ]
    return [(title, value) for title, value in given if value]


def expiry(expires: float | None, now: float) -> str:
    """Return a time in the local zone and how long it is until then; empty for None."""
    import time

    if expires is None:
        return ""
    local = time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(expires))
    left = int(expires - now)
    hours, rest = divmod(max(left, 0), 3600)
    minutes, seconds = divmod(rest, 60)
    if left <= 0:
        return f"{local} (expired)"
    if hours:
        return f"{local} ({hours}h {minutes}m)"
    return f"{local} ({minutes}m {seconds}s)" if minutes else f"{local} ({seconds}s)"
