"""How a credential reaches a program: pointers to a private AWS configuration, files, or keys.

`credential_process` is on a path of 35 ms: nothing heavy is imported at the top.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence

from wrapper import files, sha256
from wrapper.auth import sessions
from wrapper.errors import NeedsLogin, UsageError, WrapError
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.auth.model import Auth, Credential
    from wrapper.env import EnvDelta
    from wrapper.world import World

VERSION = 1


def environment(auth: Auth, name: str, world: World) -> EnvDelta:
    """Return what a program gets and loses to run as an identity; the files are not yet written.

    Names of the shell that could sign instead are in `unset`. Raises: ConfigError, AuthError.
    """
    from wrapper.auth import kinds
    from wrapper.auth.model import Credential
    from wrapper.env import EnvDelta

    entry = auth.identities[name]
    if entry.kind in kinds.AWS_PROFILES:
        delta = _aws(auth, name, world)
    else:
        module = kinds.module(entry)
        spec = module.parse(name, entry.raw)
        delta = module.environment(spec, Credential("", {}), world)
    own = EnvDelta(set=own_variables(entry.raw))
    return EnvDelta(unset=withheld(auth, name)).then(delta).then(own)


def printed(auth: Auth, name: str, world: World) -> EnvDelta:
    """Return what `auth env` shows: the pointers and the identity's own variables.

    Source: reference/atmos-auth.md 7.3.
    """
    from wrapper.auth import kinds
    from wrapper.env import EnvDelta

    entry = auth.identities[name]
    shown = None
    if entry.kind not in kinds.AWS_PROFILES:
        module = kinds.module(entry)
        shown = getattr(module, "shown", None)
        if shown is not None:
            values = {**shown(module.parse(name, entry.raw)), **own_variables(entry.raw)}
            return EnvDelta(values)
        if entry.kind in kinds.UNSTORED:
            return EnvDelta(own_variables(entry.raw))
    delta = environment(auth, name, world)
    quiet = ["AWS_SDK_LOAD_CONFIG", "AWS_EC2_METADATA_DISABLED"]
    if entry.kind == "aws/user" and not (entry.raw.get("credentials") or {}).get("region"):
        quiet += ["AWS_REGION", "AWS_DEFAULT_REGION"]  # Source: reference/atmos-auth.md 5.5
    values = {k: v for k, v in delta.set.items() if k not in quiet}
    # What only the wrapper may see is taken from programs, not from the shell that asks.
    unset = delta.unset - frozenset(quiet) - withheld(auth, name)
    return EnvDelta(values, unset, delta.files, delta.secret)


def own_variables(raw: Mapping[str, Any]) -> dict[str, str]:
    """Return the `env` list of an identity as variables."""
    given = raw.get("env")
    pairs = given if isinstance(given, list) else []
    return {
        str(pair["key"]): "" if pair.get("value") is None else _text(pair["value"])
        for pair in pairs
        if isinstance(pair, Mapping) and pair.get("key")
    }


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def withheld(auth: Auth, name: str) -> frozenset[str]:
    """Return the variables that only the wrapper may see (design 6)."""
    from wrapper.auth import chain

    try:
        root = chain.entries(auth, name)[0]
    except WrapError:
        return auth.withheld
    if root.kind == "oidc":
        from wrapper.auth.kinds import _ci

        return auth.withheld | _ci.secrets(root.raw.get("spec") or {})
    return auth.withheld | frozenset(chain.JOB_VARIABLES if root.kind == "github/oidc" else ())


# ---- AWS ------------------------------------------------------------------------------------------


def _aws(auth: Auth, name: str, world: World) -> EnvDelta:
    from wrapper.auth import chain, kinds
    from wrapper.env import EnvDelta, scrubbed

    entry = auth.identities[name]
    region = chain.region(chain.entries(auth, name))
    values = {"AWS_SDK_LOAD_CONFIG": "1", "AWS_EC2_METADATA_DISABLED": "true"}
    if region:
        values |= {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    secret: frozenset[str] = frozenset()
    found: dict[str, bytes]
    if auth.delivery == "env":
        module = kinds.module(entry)
        keys = module.environment(
            module.parse(name, entry.raw), chain.obtain(auth, name, world), world
        )
        values, secret = {**values, **keys.set}, keys.secret
        directory, found = _directory(auth, world, {"config": b"", "credentials": b""})
    elif auth.delivery == "files":
        values["AWS_PROFILE"] = name
        directory, found = _plain_files(auth, world)
    else:
        values["AWS_PROFILE"] = name
        directory, found = _pointers(auth, world)
    values["AWS_CONFIG_FILE"] = os.path.join(directory, "config")
    values["AWS_SHARED_CREDENTIALS_FILE"] = os.path.join(directory, "credentials")
    unset = scrubbed("aws", world.environ) - frozenset(values)
    return EnvDelta(values, unset, found, secret)


def _directory(
    auth: Auth, world: World, content: Mapping[str, bytes], label: str = ""
) -> tuple[str, dict[str, bytes]]:
    """Return the directory that is named after its content, and the files in it.

    Raises: StoreError where somebody else could change them: programs trust their AWS configuration.
    """
    digest = sha256.new()
    for part in (label.encode(), *content.values()):
        digest.update(len(part).to_bytes(8, "big") + part)
    realm = sessions.realm_dir(world.environ, auth.realm)
    sessions.check(realm)
    directory = os.path.join(realm, "aws", digest.hexdigest()[:16])
    files.check_own((directory,))
    return directory, {os.path.join(directory, k): v for k, v in content.items()}


def profiles(auth: Auth) -> dict[str, str]:
    """Return profile -> identity: every AWS identity by its name and, if unique, in lower case."""
    from wrapper.auth import kinds

    names = [n for n, e in auth.identities.items() if e.kind in kinds.AWS_PROFILES]
    found = {name: name for name in names}
    for name in names:
        lower = name.lower()
        if lower not in found and [n.lower() for n in names].count(lower) == 1:
            found[lower] = name
    return dict(sorted(found.items()))


def _section(profile: str) -> str:
    if profile == "default":
        return "[default]"
    plain = all(c.isalnum() or c in "_-./+@=,:" for c in profile)
    return f"[profile {profile}]" if plain else f'[profile "{profile}"]'


def _pointers(auth: Auth, world: World) -> tuple[str, dict[str, bytes]]:
    """Return the private configuration: a pure function of the section and its session keys."""
    import shlex

    from wrapper.auth import chain

    written: dict[str, Any] = {}
    handles: dict[str, str] = {}
    regions: dict[str, str] = {}
    for name in sorted(set(profiles(auth).values())):
        handles[name], written_chain = _chain(auth, name, world)
        written[handles[name]] = written_chain
        try:
            regions[name] = chain.region(chain.entries(auth, name))
        except WrapError:
            regions[name] = ""
    snapshot: dict[str, Any] = {"version": VERSION, "chains": written}
    if any(e.kind == "aws/ambient" for e in auth.identities.values()):
        snapshot["ambient"] = {
            k: world.environ[k] for k in chain.AMBIENT_POINTERS if k in world.environ
        }
    chains = json.dumps(snapshot, sort_keys=True, indent=1).encode()
    command = f"{shlex.quote(sys.executable)} -E -P -m wrapper credential-process"

    def config(directory: str) -> bytes:
        lines: list[str] = []
        for profile, name in profiles(auth).items():
            lines.append(_section(profile))
            if regions[name]:
                lines.append(f"region = {regions[name]}")
            path = shlex.quote(os.path.join(directory, "chains.json"))
            lines += [f"credential_process = {command} {path} {handles[name]}", ""]
        return "\n".join(lines).encode()

    directory, _ = _directory(auth, world, {"config": config("."), "chains": chains})
    content = {"config": config(directory), "credentials": b"", "chains.json": chains}
    return directory, {os.path.join(directory, k): v for k, v in content.items()}


def _chain(auth: Auth, name: str, world: World) -> tuple[str, dict[str, Any]]:
    """Return the handle of an identity's chain and its snapshot; a faulty chain tells its fault."""
    from wrapper.auth import chain

    try:
        keys = chain.keys_of(auth, name, world)
        steps = chain.snapshot(chain.entries(auth, name), keys)
        if keys[-1] is not None:
            return keys[-1], {"identity": name, "links": steps}
        fault = f'identity "{name}" has nothing to hand out'
    except WrapError as error:
        fault = error.message
    handle = sha256.hexdigest(name.encode())
    return handle, {"identity": name, "error": fault}


def _plain_files(auth: Auth, world: World) -> tuple[str, dict[str, bytes]]:
    """Return plain INI files with the sessions that are there now (`wrap.delivery: files`).

    Source: reference/atmos-auth.md 5.3.
    """
    from wrapper.auth import chain

    config: list[str] = []
    credentials: list[str] = []
    for profile, name in profiles(auth).items():
        try:
            found = chain.cached(auth, name, world)
            region = chain.region(chain.entries(auth, name))
        except WrapError:
            continue
        config += [_section(profile), f"region = {region or 'us-east-1'}", ""]
        if found is None or (found.expires is not None and found.expires <= world.now()):
            continue
        if found.expires is not None:
            credentials.append(f"; atmos: expiration={timestamp(found.expires)}")
        credentials.append(f"[{profile}]")
        names = ("access_key_id", "secret_access_key", "session_token")
        credentials += [f"aws_{k} = {found.fields[k]}" for k in names if found.fields.get(k)]
        credentials.append("")
    realm = sessions.realm_dir(world.environ, auth.realm)
    label = json.dumps(sorted(profiles(auth).items()))
    digest, _ = _directory(auth, world, {}, label)
    directory = os.path.join(realm, "aws", f"files-{os.path.basename(digest)}")
    content = {"config": "\n".join(config), "credentials": "\n".join(credentials)}
    return directory, {os.path.join(directory, k): v.encode() for k, v in content.items()}


def timestamp(seconds: float) -> str:
    """Return a time as RFC 3339 in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


# ---- credential-process ---------------------------------------------------------------------------


def credential_process(argv: Sequence[str], world: World) -> int:
    """Answer an AWS SDK: print the credential of the chain that a snapshot names.

    `argv` is the snapshot's path and a handle in it. Nobody is asked anything, unless the user wants
    to be (`wrap.shell.login: ask`). Raises: UsageError, AuthError, StoreError.
    """
    if len(argv) != 2:
        raise UsageError(
            "credential-process takes a snapshot and a handle",
            hint="it is called by AWS SDKs, from the configuration that atmos-wrap writes",
        )
    path, handle = argv
    realm = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(path))))
    sessions.check(realm)
    found = sessions.load(realm, handle) if handle.isalnum() else None
    if found is None or not sessions.good(found, world.now()):
        found = _renew(path, handle, realm, world)
    world.stdout.write(_answer(found))
    return 0


def _answer(found: Credential) -> str:
    answer: dict[str, Any] = {
        "Version": 1,
        "AccessKeyId": found.fields["access_key_id"],
        "SecretAccessKey": found.fields["secret_access_key"],
    }
    if found.fields.get("session_token"):
        answer["SessionToken"] = found.fields["session_token"]
    if found.expires is not None:
        answer["Expiration"] = timestamp(found.expires)
    return json.dumps(answer) + "\n"


def _renew(path: str, handle: str, realm: str, world: World) -> Credential:
    """Walk the snapshot's chain. Raises: AuthError, NeedsLogin, StoreError."""
    import shlex

    from wrapper.auth import chain

    snapshot = sessions.record(path)
    written = (snapshot or {}).get("chains", {}).get(handle)
    if snapshot is None or not isinstance(written, dict):
        raise NeedsLogin(
            "this shell's AWS configuration is gone or of another version",
            hint="start the program again through atmos-wrap",
        )
    if "error" in written:
        raise NeedsLogin(str(written["error"]))
    environ = dict(world.environ)
    if any(step["kind"] == "aws/ambient" for step in written["links"]):
        environ = _as_before(environ, snapshot.get("ambient") or {})
    links = chain.restore(written["links"], environ)
    quiet = world._replace(environ=environ, stdin_tty=False, asks=False)
    try:
        return chain.walk(links, realm, quiet)
    except NeedsLogin as error:
        name = str(written.get("identity") or links[-1].name)
        others = [hint for hint in error.hints if not hint.startswith("sign in at a terminal")]
        error.hints = (f"sign in: atmos-wrap auth login {shlex.quote(name)}", *others)
        from wrapper.auth import offer

        def walk(there: World) -> Credential:
            return chain.walk(links, realm, there)

        return offer.sign_in(name, walk, realm, world._replace(environ=environ), error)


def _as_before(environ: dict[str, str], pointers: Mapping[str, str]) -> dict[str, str]:
    """Give the SDK's own chain the pointers of the shell that the program was started from."""
    from wrapper.auth import chain

    for name in chain.AMBIENT_POINTERS:
        environ.pop(name, None)
        os.environ.pop(name, None)
    environ.update(pointers)
    os.environ.update(pointers)
    return environ
