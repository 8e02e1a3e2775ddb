"""The OIDC token of a GitHub Actions job.

Source: reference/atmos-auth.md 3.3.
"""

from __future__ import annotations

from collections.abc import Mapping

from wrapper.auth.kinds import _http, _jwt
from wrapper.auth.model import Credential
from wrapper.env import EnvDelta
from wrapper.errors import AuthError, ConfigError, NeedsLogin
from wrapper.typed import Any, NamedTuple
from wrapper.world import World

CLOUD = _jwt.CLOUD


class Spec(NamedTuple):
    """`audience` is whom the token is for; `region` that of STS."""

    name: str
    audience: str
    region: str = ""


def parse(name: str, raw: Mapping[str, Any]) -> Spec:
    """Return the provider. Raises: ConfigError without an audience."""
    spec = raw.get("spec")
    audience = spec.get("audience") if isinstance(spec, Mapping) else None
    if not isinstance(audience, str) or not audience:
        raise ConfigError(
            f'provider "{name}": spec.audience is required',
            hint="for AWS: `spec: {audience: sts.amazonaws.com}`",
        )
    return Spec(name, audience, str(raw.get("region") or ""))


def obtain(spec: Spec, base: Credential | None, world: World) -> Credential:  # noqa: ARG001
    """Return the job's token for the audience; GitHub is asked again when it stumbles.

    Raises: NeedsLogin outside a job that may ask, AuthError.
    """
    environ = world.environ
    if environ.get("GITHUB_ACTIONS") != "true":
        raise NeedsLogin(
            f'provider "{spec.name}": github/oidc signs in only in a GitHub Actions job',
            hint="GITHUB_ACTIONS is not `true` here; elsewhere use another identity",
        )
    token = environ.get("ACTIONS_ID_TOKEN") or requested(spec.name, spec.audience, world)
    return _jwt.credential(spec.name, token, spec.region, world.now())


def requested(name: str, audience: str, world: World) -> str:
    """Ask GitHub for a token of this job; a refusal that may pass is waited for, with jitter.

    `name` is the provider's. Raises: NeedsLogin when the job may not ask, AuthError.
    Source: docs.github.com/actions/reference/security/oidc.
    """
    from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

    bearer = world.environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")
    address = world.environ.get("ACTIONS_ID_TOKEN_REQUEST_URL", "")
    parts = urlsplit(address)
    missing = [
        variable
        for variable, value in (
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", bearer),
            ("ACTIONS_ID_TOKEN_REQUEST_URL", address),
        )
        if not value
    ]
    if missing:
        raise NeedsLogin(
            f'provider "{name}": {" and ".join(missing)} not set: this job may not sign in',
            hint="the job needs `permissions: {id-token: write}`; programs that it starts never see them",
        )
    if parts.scheme != "https" or not parts.hostname:
        raise AuthError(f'provider "{name}": ACTIONS_ID_TOKEN_REQUEST_URL is no https address')
    query = [(k, v) for k, v in parse_qsl(parts.query) if k != "audience"]
    url = urlunsplit(parts._replace(query=urlencode([*query, ("audience", audience)])))
    sent = {"Authorization": f"bearer {bearer}", "Accept": "application/json"}
    try:
        status, _, body = _http.fetch(url, world, headers=sent)
    except _http.Unreached as error:
        what = f'provider "{name}": the OIDC token of this job'
        raise _http.unreachable(what, url, error) from error
    token = _http.json_of(body).get("value")
    if status != 200 or not isinstance(token, str) or not token:
        raise _refused(name, status)
    return token


def _refused(name: str, status: int) -> AuthError:
    if status == 200:
        return AuthError(f'provider "{name}": GitHub answered without a token')
    if status >= 500 or status == 429:
        return AuthError(
            f'provider "{name}": GitHub gave no OIDC token (HTTP {status})',
            hint="the fault is on the side of GitHub: run the job again",
        )
    return AuthError(
        f'provider "{name}": GitHub refused the OIDC token of this job (HTTP {status})',
        hint="the job needs `permissions: {id-token: write}`, and the request token ends with it",
    )


def environment(spec: Spec, credential: Credential, world: World) -> EnvDelta:  # noqa: ARG001
    """Change nothing: the token is for the wrapper alone."""
    return EnvDelta()


def forget(spec: Spec, world: World, *, dry: bool = False) -> tuple[str, ...]:  # noqa: ARG001
    """Do nothing: the token is never kept."""
    return ()
