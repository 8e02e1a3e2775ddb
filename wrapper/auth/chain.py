"""From an identity's name to its credential: the links, their sessions, the walk along them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence

from wrapper import files, sha256, ui
from wrapper.auth import kinds, references, rules, sessions
from wrapper.auth.lookup import follow
from wrapper.auth.model import NOT_SIGNED, USED, Auth, Credential, Entry, Link
from wrapper.errors import AuthError, ConfigError, Location, NeedsLogin, Problems, WrapError
from wrapper.typed import Any
from wrapper.world import World

# Part of every session key: a new meaning of the inputs is a new version.
SCHEMA = 1
# What decides, without being a secret, whom the SDK's own chain finds.
AMBIENT_POINTERS = (
    "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_EC2_METADATA_DISABLED", "AWS_REGION",
    "AWS_DEFAULT_REGION",
)  # fmt: skip
# What tells one GitHub job from another; secret, so that only a digest of them is ever used.
JOB_VARIABLES = (
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ACTIONS_ID_TOKEN",
)
_SECRET_NAME = re.compile(r"(?i)password|secret|token(?!_url)|private_key")
_ENDPOINTS = (
    "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_SSO", "AWS_ENDPOINT_URL_SSO_OIDC",
    "AWS_ENDPOINT_URL_SIGNIN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
)  # fmt: skip


def entries(auth: Auth, name: str) -> tuple[Entry, ...]:
    """Return the chain of an identity, its root first.

    Raises: Problems, ConfigError when a link is missing, faulty, or the chain is a circle.
    """
    found: list[Entry] = []
    step: Entry | WrapError | None = auth.identities[name]
    while isinstance(step, Entry):
        if step in found:
            break
        found.insert(0, step)
        step = follow(auth, step)
    titles = {entry.title for entry in found}
    broken = [p.error for p in auth.problems if p.subject in titles and p.weight >= USED]
    if broken:
        raise broken[0] if len(broken) == 1 else Problems(broken)
    if isinstance(step, WrapError):
        raise step
    if isinstance(step, Entry):
        raise ConfigError(f'circular chain at identity "{step.name}"', at=step.at)
    return tuple(found)


def links(auth: Auth, name: str, world: World) -> tuple[Link, ...]:
    """Return the chain with each link's spec and session key, its root first.

    Raises: as `entries`, and AuthError for a kind that this version has not.
    """
    steps = entries(auth, name)
    steps = tuple(entry._replace(raw=_with_endpoint(entry, steps[0])) for entry in steps)
    realm = sessions.realm_dir(world.environ, auth.realm)
    found = []
    for entry, key in zip(steps, keys(steps, realm, world.environ), strict=True):
        found.append(Link(entry, kinds.module(entry).parse(entry.name, entry.raw), key))
    return tuple(found)


def keys(steps: Sequence[Entry], realm: str, environ: Mapping[str, str]) -> tuple[str | None, ...]:
    """Return the session key of each link: SHA-256 over every input of the chain so far.

    The same inputs give the same key in every process. None for what is never stored.
    """
    endpoints = {name: environ[name] for name in _ENDPOINTS if environ.get(name)}
    inputs: list[Any] = [SCHEMA, endpoints]
    found: list[str | None] = []
    for entry in steps:
        raw = {k: v for k, v in plain(entry.raw).items() if k not in NOT_SIGNED}
        inputs.append([entry.role, entry.name, entry.kind, raw])
        if entry.kind == "aws/user":
            inputs.append(_fingerprint(entry, _digest(inputs), realm))
        elif entry.kind == "aws/ambient":
            names = (*AMBIENT_POINTERS, "AWS_ACCESS_KEY_ID")
            inputs.append([environ.get(name, "") for name in names])
        elif entry.kind == "github/oidc":  # another job is another caller
            inputs.append(_digest([environ.get(name, "") for name in JOB_VARIABLES]))
        elif entry.kind == "oidc":
            from wrapper.auth.kinds import _ci

            inputs.append(_digest(_ci.caller(entry.raw.get("spec") or {}, environ)))
        found.append(None if entry.kind in kinds.UNSTORED else _digest(inputs))
    return tuple(found)


def _digest(inputs: Sequence[Any]) -> str:
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"), default=str)
    return sha256.hexdigest(text.encode())


def plain(value: Any, *, places: bool = False) -> Any:
    """Return configuration as JSON.

    IAM users' keys are never in it. With `places`, for what is written down: nothing that is called
    a secret is, only where the keys are to be found.
    """
    if isinstance(value, references.Secret):
        place = value.place()
        return place if places or "variable" in place else {}
    if isinstance(value, Mapping):
        return {
            str(k): plain(v, places=places)
            for k, v in value.items()
            if not (places and isinstance(v, str) and _SECRET_NAME.search(str(k)))
        }
    if isinstance(value, list):
        return [plain(v, places=places) for v in value]
    return value


def _fingerprint(entry: Entry, inputs: str, realm: str) -> str:
    """Return what tells one pair of keys from another.

    When the variables that hold the keys are not there, it is that of the keys last used.
    """
    given = rules.look(entry.raw, ("credentials",)) or {}
    pair = [given.get(key) for key in ("access_key_id", "secret_access_key")]
    values = [p.value if isinstance(p, references.Secret) else p for p in pair]
    pointer = os.path.join(realm, "users", f"{inputs}.json")
    if all(values):
        return _digest([str(value) for value in values])
    return str((sessions.record(pointer) or {}).get("keys", ""))


def remember_keys(steps: Sequence[Entry], realm: str, environ: Mapping[str, str]) -> None:
    """Note which keys an IAM user used last, by fingerprint. Raises: StoreError."""
    root = steps[0]
    if root.kind != "aws/user":
        return
    endpoints = {name: environ[name] for name in _ENDPOINTS if environ.get(name)}
    raw = {k: v for k, v in plain(root.raw).items() if k not in NOT_SIGNED}
    inputs = _digest([SCHEMA, endpoints, [root.role, root.name, root.kind, raw]])
    found = _fingerprint(root, inputs, realm)
    data = json.dumps({"version": sessions.VERSION, "for": root.title, "keys": found}).encode()
    path = os.path.join(realm, "users", f"{inputs}.json")
    files.make_private_dir(os.path.dirname(path))
    files.write_if_changed(path, data)


def _with_endpoint(entry: Entry, root: Entry) -> Mapping[str, Any]:
    """Put the endpoint that counts into the spec. Source: reference/atmos-auth.md 1.2."""
    url = (
        rules.look(entry.raw, ("spec", "endpoint_url"))
        or rules.look(entry.raw, ("credentials", "aws", "resolver", "url"))
        or rules.look(root.raw, ("spec", "endpoint_url"))
        or rules.look(root.raw, ("spec", "aws", "resolver", "url"))
    )
    if not url:
        return entry.raw
    return {**entry.raw, "spec": {**(entry.raw.get("spec") or {}), "endpoint_url": str(url)}}


def region(steps: Sequence[Entry]) -> str:
    """Return the region of a chain's last link, empty when nothing says one.

    Source: reference/atmos-auth.md 5.5; roles of an IAM user take the user's.
    """
    for entry in reversed(steps):
        found = rules.look(entry.raw, ("principal", "region"))
        if found:
            return str(found)
    root = steps[0]
    if root.kind == "aws/user":
        return str(rules.look(root.raw, ("credentials", "region")) or "us-east-1")
    if steps[-1].kind in ("mock", "mock/aws"):
        return "us-east-1"
    return str(root.raw.get("region") or "")


# ---- the walk -------------------------------------------------------------------------------------


def obtain(auth: Auth, name: str, world: World, *, again: bool = False) -> Credential:
    """Return an identity's credential, from its session or by signing in.

    `again` signs the last link anew. Raises: ConfigError, AuthError, NeedsLogin, StoreError.
    """
    realm = sessions.realm_dir(world.environ, auth.realm)
    chain = links(auth, name, world)
    found = walk(chain, realm, world, again=again)
    remember_keys([link.entry for link in chain], realm, world.environ)
    return found


def obtain_provider(auth: Auth, entry: Entry, world: World, *, again: bool = False) -> Credential:
    """Return a provider's own credential. Raises: ConfigError, AuthError, NeedsLogin, StoreError."""
    broken = [p.error for p in auth.problems if p.subject == entry.title and p.weight >= USED]
    if broken:
        raise broken[0] if len(broken) == 1 else Problems(broken)
    realm = sessions.realm_dir(world.environ, auth.realm)
    entry = entry._replace(raw=_with_endpoint(entry, entry))
    key = keys([entry], realm, world.environ)[0]
    link = Link(entry, kinds.module(entry).parse(entry.name, entry.raw), key)
    return walk([link], realm, world, again=again)


def cached(auth: Auth, name: str, world: World) -> Credential | None:
    """Return the identity's stored credential however little time it has left, or None."""
    realm = sessions.realm_dir(world.environ, auth.realm)
    key = keys_of(auth, name, world)[-1]
    return sessions.load(realm, key) if key else None


def keys_of(auth: Auth, name: str, world: World) -> tuple[str | None, ...]:
    """Return the session keys of an identity's chain without importing any kind."""
    steps = entries(auth, name)
    steps = tuple(entry._replace(raw=_with_endpoint(entry, steps[0])) for entry in steps)
    return keys(steps, sessions.realm_dir(world.environ, auth.realm), world.environ)


def walk(chain: Sequence[Link], realm: str, world: World, *, again: bool = False) -> Credential:
    """Go from the target back to the first good session, then forward. Raises: as `obtain`.

    `again` signs the last link anew, and a world that signs in `anew` each one.
    """
    sessions.check(realm)
    started = world.now() - world.age()
    base: Credential | None = None
    start = 0
    for index in range(len(chain) - 1, -1, -1):
        key = chain[index].key
        found = sessions.load(realm, key) if key and not world.anew else None
        if sessions.good(found, world.now()) and not (again and index == len(chain) - 1):
            base, start = found, index + 1
            break
    for index, link in enumerate(chain[start:], start):
        last = index == len(chain) - 1
        try:
            base = _step(link, base, realm, world, started, again=world.anew or (again and last))
        except (AuthError, ConfigError) as error:
            raise _placed(error, chain, link) from error.__cause__
    assert base is not None
    return base


def _placed(error: WrapError, chain: Sequence[Link], link: Link) -> WrapError:
    """Give an error the link's place and, if it is not the last, the way it was needed for."""
    if not error.at and link.entry.at is not None:
        error.at = (link.entry.at,)
    if link is not chain[-1]:
        way = " → ".join(step.name for step in chain)
        error.hints = (*error.hints, f"it is a link of the chain {way}")
    return error


def _step(
    link: Link,
    base: Credential | None,
    realm: str,
    world: World,
    started: float,
    *,
    again: bool,
) -> Credential:
    if link.key is None:
        return kinds.module(link.entry).obtain(link.spec, base, world)
    title = link.entry.title

    def waiting(holder: str) -> None:
        ui.note(world, f"waiting for {holder or 'another process'}, which signs in to {title}")

    with files.lock(sessions.path(realm, link.key) + ".lock", f"atmos-wrap {title}", waiting):
        found = sessions.load(realm, link.key)
        if found is not None and sessions.good(found, world.now()):
            if not again or found.issued > started:
                return found
        _raise_remembered(realm, link, started, world.now())
        try:
            found = kinds.module(link.entry).obtain(link.spec, base, world)
        except NeedsLogin:  # of this process only: another one may be able to ask
            raise
        except AuthError as error:
            file = _failure_path(realm, link)
            sessions.remember_failure(file, error.message, error.hints, world.now())
            raise
        sessions.store(realm, link.key, title, found)
    return found


def _failure_path(realm: str, link: Link) -> str:
    return os.path.join(realm, "sessions", f"{link.key}.failed")


def _raise_remembered(realm: str, link: Link, started: float, now: float) -> None:
    """Take over the answer of a sign-in that failed while this one waited for its lock."""
    found = sessions.remembered_failure(_failure_path(realm, link), started, now)
    if found is not None:
        raise AuthError(found[0], at=link.entry.at, hint=found[1])


# ---- a chain that another process can walk --------------------------------------------------------


def snapshot(steps: Sequence[Entry], found: Sequence[str | None]) -> list[dict[str, Any]]:
    """Return a chain as JSON that holds no secret, only where the secrets are."""
    steps = [entry._replace(raw=_with_endpoint(entry, steps[0])) for entry in steps]
    return [
        {
            "role": entry.role,
            "name": entry.name,
            "kind": entry.kind,
            "raw": {k: v for k, v in plain(entry.raw, places=True).items() if k not in NOT_SIGNED},
            "at": list(entry.at) if entry.at else None,
            "key": key,
        }
        for entry, key in zip(steps, found, strict=True)
    ]


def restore(written: Sequence[Mapping[str, Any]], environ: Mapping[str, str]) -> list[Link]:
    """Return the links of a snapshot; secrets are read from where they are now."""
    found = []
    for step in written:
        raw = dict(step["raw"])
        given = dict(raw.get("credentials") or {})
        for key in ("access_key_id", "secret_access_key"):
            if isinstance(given.get(key), Mapping):
                given[key] = references.restore(given[key], environ)
        if given:
            raw["credentials"] = given
        if isinstance(raw.get("password"), Mapping):
            raw["password"] = references.restore(raw["password"], environ)
        at = Location(*step["at"]) if step.get("at") else None
        entry = Entry(step["role"], step["name"], step["kind"], raw, at)
        found.append(Link(entry, kinds.module(entry).parse(entry.name, raw), step["key"]))
    return found
