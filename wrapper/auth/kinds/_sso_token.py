"""The token of an IAM Identity Center portal on disk, per start URL and region, for all realms."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping

from wrapper import files
from wrapper.auth import sessions
from wrapper.errors import StoreError
from wrapper.typed import Any, NamedTuple
from wrapper.world import World

# A token counts as valid while it lives longer than this. Source: reference/atmos-auth.md 6.4.
BUFFER = 300.0


class Client(NamedTuple):
    """A client registration; it must be the same one that a token is refreshed with."""

    id: str
    secret: str
    expires: float
    grant: str = ""


class Token(NamedTuple):
    """What is kept of one portal. Times are seconds since the epoch; secrets appear in no text.

    `access` is empty when only registrations are left. `refused` is the digest of a token of the
    AWS CLI that the portal refuses: that file is not ours to remove.
    """

    access: str = ""
    expires: float = 0.0
    refresh: str = ""
    client: Client | None = None
    clients: tuple[Client, ...] = ()
    refused: str = ""

    def __repr__(self) -> str:
        return f"Token(expires={self.expires})"

    def good(self, now: float) -> bool:
        """Say whether the token can be used."""
        return bool(self.access) and self.expires - now > BUFFER


def path(start_url: str, region: str, endpoint: str, world: World) -> str:
    """Return the file of a portal; another endpoint is another portal."""
    own = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SSO", "AWS_ENDPOINT_URL_SSO_OIDC")
    endpoints = [endpoint, *(world.environ.get(name, "") for name in own)]
    text = json.dumps([sessions.VERSION, plain_url(start_url), region, endpoints])
    digest = hashlib.sha256(text.encode()).hexdigest()
    directory = os.path.join(os.path.abspath(files.state_dir(world.environ)), "sso")
    return os.path.join(directory, f"{digest}.json")


def others(file: str, start_url: str, region: str) -> list[tuple[str, str]]:
    """Return the files of a portal that were got at other endpoints than `file`, each with its own."""
    directory = os.path.dirname(file)
    try:
        names = sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = []
    for name in names:
        path = os.path.join(directory, name)
        if not name.endswith(".json") or path == file:
            continue
        held = sessions.record(path) or {}
        same = plain_url(_text(held.get("for"))) == plain_url(start_url)
        if same and held.get("region") == region:
            found.append((path, _text(held.get("endpoint"))))
    return found


def plain_url(start_url: str) -> str:
    """Return a start URL as it is compared: `…/start/` and `…/start#/` are `…/start`."""
    return start_url.strip().partition("#")[0].rstrip("/")


def load(file: str) -> Token:
    """Return what a file holds; an empty token when it cannot be trusted or read."""
    found = sessions.record(file) or {}
    client = _client(found.get("client"))
    clients = found.get("clients")
    kept = [_client(one) for one in clients] if isinstance(clients, list) else []
    expires = found.get("expires")
    return Token(
        _text(found.get("access")),
        float(expires) if isinstance(expires, int | float) else 0.0,
        _text(found.get("refresh")),
        client,
        tuple(one for one in kept if one is not None),
        _text(found.get("refused")),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _client(found: Any) -> Client | None:
    if not isinstance(found, Mapping):
        return None
    expires = found.get("expires")
    if not isinstance(expires, int | float) or not found.get("id"):
        return None
    return Client(
        _text(found["id"]), _text(found.get("secret")), float(expires), _text(found.get("grant"))
    )


def store(file: str, start_url: str, token: Token, region: str = "", endpoint: str = "") -> None:
    """Write a token of a portal; `endpoint` is where it was got, if not at AWS. Raises: StoreError."""
    found = {
        "version": sessions.VERSION,
        "for": start_url,
        "region": region,
        "endpoint": endpoint,
        "access": token.access,
        "expires": token.expires,
        "refresh": token.refresh,
        "client": token.client._asdict() if token.client else None,
        "clients": [client._asdict() for client in token.clients],
        "refused": token.refused,
    }
    files.make_private_dir(os.path.dirname(file))
    files.write_atomic(file, json.dumps(found).encode())


def digest(access: str) -> str:
    """Return what stands for a token that must not be used again."""
    return hashlib.sha256(access.encode()).hexdigest()


def of_aws_cli(start_url: str, region: str, world: World, refused: str) -> Token:
    """Return the AWS CLI's token for the same portal, an empty one without any; only read.

    It is never refreshed by us: that would take the refresh token from under the CLI.
    """
    directory = os.path.join(world.home, ".aws", "sso", "cache")
    best = Token()
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return best
    for name in names:
        found = cli_file(os.path.join(directory, name)) if name.endswith(".json") else {}
        if plain_url(_text(found.get("startUrl"))) != plain_url(start_url):
            continue
        token = Token(_text(found.get("accessToken")), seconds(found.get("expiresAt")))
        wanted = found.get("region") == region and digest(token.access) != refused
        if wanted and token.good(world.now()) and token.expires > best.expires:
            best = token
    return best


def cli_file(file: str) -> dict[str, Any]:
    """Return what a file of the AWS CLI's cache holds; an empty map when it cannot be read."""
    try:
        data = files.read_private(file)
        found = json.loads(data) if data is not None else {}
    except (ValueError, RecursionError, StoreError):
        return {}
    return found if isinstance(found, dict) else {}


def seconds(value: Any) -> float:
    """Return a time of the AWS CLI's cache as seconds since the epoch; 0 when it is none."""
    from datetime import UTC, datetime

    try:
        found = datetime.fromisoformat(str(value).replace("UTC", "Z"))
    except ValueError:
        return 0.0
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
