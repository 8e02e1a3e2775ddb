"""IAM Identity Center: one sign-in whose token gives the credentials of many permission sets.

Source: reference/atmos-auth.md 3.1.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from wrapper import files, ui
from wrapper.auth import sessions
from wrapper.auth.kinds import _aws, _sso_shared, _sso_token
from wrapper.auth.kinds._sso_token import Token
from wrapper.auth.model import Credential
from wrapper.env import EnvDelta
from wrapper.errors import AuthError, ConfigError, NeedsLogin
from wrapper.typed import Any, NamedTuple
from wrapper.world import World

CLOUD = "aws-sso"
# A refused token that would soon have ended anyway: perhaps only the clocks differ.
_SKEW = 15 * 60.0


class Spec(NamedTuple):
    """A portal; `name` is the provider's. `provision` lists its permission sets as identities.

    `share` gives its token to the AWS CLI, too.
    """

    name: str
    start_url: str
    region: str
    endpoint: str = ""
    provision: bool = False
    share: bool = False


def parse(name: str, raw: Mapping[str, Any]) -> Spec:
    """Return the portal. Raises: ConfigError without a start URL or region."""
    for key in ("start_url", "region"):
        if not isinstance(raw.get(key), str) or not raw[key].strip():
            raise ConfigError(f'provider "{name}": {key} is required')
    if not raw["start_url"].strip().startswith(("https://", "http://")):
        raise ConfigError(
            f'provider "{name}": start_url "{raw["start_url"]}" is no URL',
            hint="it looks like https://NAME.awsapps.com/start",
        )
    from wrapper.auth.lookup import truth

    spec = raw.get("spec")
    return Spec(
        name,
        raw["start_url"].strip(),
        raw["region"].strip(),
        str(spec.get("endpoint_url") or "") if isinstance(spec, Mapping) else "",
        truth(raw.get("auto_provision_identities")) is True,
        raw.get("share") is True,
    )


def obtain(spec: Spec, base: Credential | None, world: World) -> Credential:  # noqa: ARG001
    """Return the portal's token: the stored one, a refreshed one, or that of a new sign-in.

    Raises: NeedsLogin when somebody would have to be asked and cannot be, AuthError, StoreError.
    """
    return _credential(spec, _token(spec, world, ""), world)


def renewed(base: Credential, world: World) -> Credential:
    """Return another token than `base`, which the portal refuses. Raises: as `obtain`."""
    given = base.fields
    spec = Spec(given["provider"], given["start_url"], base.region, given["endpoint"])
    spec = spec._replace(provision=bool(given["provision"]), share=bool(given["share"]))
    world = world._replace(anew=False)  # the person has just done so
    return _credential(spec, _token(spec, world, given["access_token"]), world)


def _credential(spec: Spec, token: Token, world: World) -> Credential:
    fields = {
        "access_token": token.access,
        "provider": spec.name,
        "start_url": spec.start_url,
        "endpoint": spec.endpoint,
        "provision": "yes" if spec.provision else "",
        "share": "yes" if spec.share else "",
    }
    return Credential(CLOUD, fields, token.expires, "", spec.region, world.now())


def _token(spec: Spec, world: World, refused: str) -> Token:
    """Return a good token that is not the refused one; one process at a time looks for it.

    Who signs in anew takes none that was there when the command began, and loses none if it fails.
    """
    from wrapper.auth.kinds import _sso_sign_in

    started = world.now() - world.age()
    file = _sso_token.path(spec.start_url, spec.region, spec.endpoint, world)
    before = _sso_token.load(file).access if world.anew else refused
    found = None if world.anew else _usable(spec, file, world, refused)
    if found is not None:
        return found
    title = f'provider "{spec.name}"'

    def waiting(holder: str) -> None:
        ui.note(world, f"waiting for {holder or 'another process'}, which signs in to {title}")

    with files.lock(f"{file}.lock", f"atmos-wrap {title}", waiting):
        found = _usable(spec, file, world, before)
        if found is not None:
            return found
        failed = sessions.remembered_failure(f"{file}.failed", started, world.now())
        if failed is not None:
            raise AuthError(failed[0], hint=failed[1])
        kept = _dropped(spec, file, world, refused)
        if world.anew:
            kept = kept._replace(refresh="")
        elif spec.share:
            kept = _sso_shared.newer(spec.start_url, spec.region, kept, world)
        try:
            token = _sso_sign_in.refreshed(spec, kept, world) if kept.refresh else None
            token = token or _sso_sign_in.signed_in(spec, kept, world)
        except NeedsLogin:  # of this process only: another one may be able to ask
            raise
        except AuthError as error:
            sessions.remember_failure(f"{file}.failed", error.message, error.hints, world.now())
            raise
        _keep(spec, file, token, world)
        if spec.share:
            _sso_shared.store(spec.start_url, spec.region, token, world)
    _provision(spec, token, world)
    return token


def _usable(spec: Spec, file: str, world: World, refused: str) -> Token | None:
    """Return our own token, else the AWS CLI's, if it is good and another one than the refused."""
    own = _sso_token.load(file)
    if own.good(world.now()) and own.access != refused:
        return own
    if world.anew:
        return None
    shared = _sso_token.of_aws_cli(spec.start_url, spec.region, world, own.refused)
    return shared if shared.access and shared.access != refused else None


def _dropped(spec: Spec, file: str, world: World, refused: str) -> Token:
    """Forget the refused token, and return what can still be used of the file.

    A token that should have lived on was revoked: its refresh token is not tried either, it belongs
    to the same sign-in. Raises: StoreError.
    """
    kept = _sso_token.load(file)
    if not refused:
        return kept
    if kept.access == refused:
        revoked = kept.expires - world.now() > _SKEW
        kept = kept._replace(access="", refresh="" if revoked else kept.refresh)
    else:
        kept = kept._replace(refused=_sso_token.digest(refused))
    _keep(spec, file, kept, world)
    return kept


def _keep(spec: Spec, file: str, token: Token, world: World) -> None:
    endpoint = spec.endpoint or _aws.configured_endpoint("sso", world.environ)
    _sso_token.store(file, spec.start_url, token, spec.region, endpoint)


def _provision(spec: Spec, token: Token, world: World) -> None:
    """Refresh the list of what the user may be, after a sign-in; a failure is a warning."""
    if not spec.provision or not world.asks:
        return
    from wrapper.auth import provisioned

    provisioned.refresh(spec, _credential(spec, token, world), world)


def environment(spec: Spec, credential: Credential, world: World) -> EnvDelta:  # noqa: ARG001
    """Return the region; the token is nothing that a program can use."""
    return EnvDelta({"AWS_REGION": spec.region, "AWS_DEFAULT_REGION": spec.region})


def forget(spec: Spec, world: World, *, dry: bool = False) -> tuple[str, ...]:
    """End the session at the portal and remove its token and list; return the files that went.

    Those that were got at another endpoint go, too, and the session is ended there. A portal that
    cannot be reached is told, and the files go all the same. Raises: StoreError.
    """
    own = _sso_token.path(spec.start_url, spec.region, spec.endpoint, world)
    gone = _gone(spec, own, world, dry=dry)
    for file, endpoint in _sso_token.others(own, spec.start_url, spec.region):
        # A token is told to nobody but who gave it.
        environ = {k: v for k, v in world.environ.items() if not k.startswith("AWS_ENDPOINT_URL")}
        there = spec._replace(endpoint=endpoint)
        gone += _gone(there, file, world._replace(environ=environ), dry=dry)
    shared = _sso_token.of_aws_cli(spec.start_url, spec.region, world, "").access
    known = _sso_shared.holding(spec.start_url, spec.region, shared, world)
    if shared and not set(known) & set(gone):
        ui.note(world, f"the AWS CLI is still signed in to {spec.start_url}: `aws sso logout`")
    return tuple(gone)


def _gone(spec: Spec, file: str, world: World, *, dry: bool) -> list[str]:
    """Forget one token of the portal, with what belongs to it; return the files."""
    from wrapper.auth import provisioned

    def held(token: Token) -> list[str]:
        found = [path for path in (file, provisioned.path(file)) if os.path.lexists(path)]
        if spec.share:
            found += _sso_shared.holding(spec.start_url, spec.region, token.access, world)
        return found

    if dry:
        token = _sso_token.load(file)
        if token.access:
            ui.note(world, f"would end the session at {spec.start_url}")
        return held(token)
    with files.lock(f"{file}.lock", f"atmos-wrap logout of {spec.name}"):
        token = _sso_token.load(file)
        if token.access:
            revoke(spec, token, world)
        files.remove(f"{file}.failed")
        return [path for path in held(token) if files.remove(path)]


def revoke(spec: Spec, token: Token, world: World) -> None:
    """Tell the portal that the token's session is over; say whether that went well."""
    from botocore.exceptions import ClientError

    portal = _aws.client("sso", spec.region, world, None, spec.endpoint)
    try:
        _aws.call(portal, "logout", "the portal could not be told", accessToken=token.access)
        ui.note(
            world, f"✓ Session at {spec.start_url} ended; a browser stays signed in there by itself"
        )
    except ClientError as error:
        code, message = _aws.refused(error)
        if code == "UnauthorizedException":
            ui.note(world, f"the session at {spec.start_url} was over already")
        else:
            ui.warn(world, f"the portal did not end the session: {code}: {message}")
    except AuthError as error:
        ui.warn(world, f"{error.message}; the token stays valid there until it expires")
