"""`auth user configure|show|delete`: the keys of IAM users in the keyring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from wrapper.cli import group
from wrapper.cli.auth_section import read, write_table
from wrapper.errors import AuthError, ConfigError, Interrupted, NeedsLogin

if TYPE_CHECKING:
    from wrapper.auth.kinds.aws_user import Spec
    from wrapper.auth.model import Auth, Entry
    from wrapper.cli.session import Session
    from wrapper.world import World


def register(auth: typer.Typer) -> None:
    """Add the commands of this module below `auth`."""
    user = group(auth, "user", "The keys of IAM users in the keyring.")
    user.command("configure")(configure)
    user.command("show")(show)
    user.command("delete")(delete)


def configure(
    ctx: typer.Context,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Store the keys without asking AWS about them.")
    ] = False,
) -> int:
    """Ask for an IAM user's keys, check them, and store them in the keyring."""
    from wrapper import ui
    from wrapper.auth import keyring, logout
    from wrapper.auth.model import Credential

    auth, world = read(ctx.obj)
    if not world.can_ask:
        raise NeedsLogin(
            "asking for keys needs a terminal",
            hint="in CI, give them by `!env NAME` in the configuration",
        )
    entry = _chosen(auth, ctx.obj, world)
    spec = _spec(entry)
    if spec.access_key_id.value and spec.secret_access_key.value:
        ui.note(world, f"{entry.title} has its keys from the configuration: nothing to store")
        return 0
    keys = _typed(spec, world)
    if not no_verify:
        _verify(spec, keys, world, Credential)
    store = keyring.opened(spec.keyring, world)
    keyring.keep(store, spec.realm, spec.name, keys)
    logout.entries(auth, [entry], world, dry=False)  # sessions of the keys before these
    ui.note(world, f"✓ Keys of {entry.title} are in the {store.title}")
    return 0


def _chosen(auth: Auth, session: Session, world: World) -> Entry:
    """Return the aws/user identity that is meant; on a terminal it is asked for."""
    from wrapper.auth import selection

    users = [entry for entry in auth.identities.values() if entry.kind == "aws/user"]
    wanted = selection.wish(session.globals.identity, world)
    if wanted is not None and wanted.value != "__SELECT__":
        entry = auth.identities[selection.named(auth, wanted)]
        if entry.kind != "aws/user":
            raise ConfigError(
                f"{entry.title} is {entry.kind}: it has no keys to store", at=entry.at
            )
        return entry
    if not users:
        raise ConfigError("there is no identity of kind aws/user")
    if not world.can_ask:
        raise NeedsLogin("which identity? asking requires a TTY", hint="name it with --identity")
    names = sorted(entry.name for entry in users)
    return auth.identities[selection.ask(names, "Choose an identity to configure:")]


def _spec(entry: Entry) -> Spec:
    from wrapper.auth.kinds import aws_user

    return aws_user.parse(entry.name, entry.raw)


def _typed(spec: Spec, world: World) -> Any:
    import getpass

    from wrapper.auth import keyring
    from wrapper.auth.kinds import _mfa, aws_user

    key_id = _line("AWS access key ID: ", world)
    try:
        secret = getpass.getpass("AWS secret access key: ").strip()
    except EOFError as error:
        raise Interrupted("no key was given") from error
    if not key_id or not secret:
        raise ConfigError("both parts of the key are needed")
    mfa = spec.mfa_arn or _line("MFA device ARN (empty: none): ", world)
    wrong = _mfa.fault(mfa) if mfa else None
    if wrong is not None:
        raise ConfigError(wrong[0], hint=wrong[1])
    duration = spec.duration or _line("session duration (empty: 12h): ", world)
    if aws_user.seconds(spec._replace(duration=duration))[1].endswith("12h are used"):
        raise ConfigError(f'"{duration}" is no duration', hint="like 3600, 1h, 12h or 1d")
    return keyring.Keys(key_id, secret, mfa, duration)


def _line(question: str, world: World) -> str:
    from wrapper import ui

    ui.write(world, question)
    line = world.stdin.readline()
    if not line:
        raise Interrupted("no key was given")
    return line.strip()


def _verify(spec: Spec, keys: Any, world: World, credential: Any) -> None:
    """Ask AWS whose the keys are. Raises: AuthError when it does not know them."""
    from wrapper import ui
    from wrapper.auth.kinds import _aws

    given = {"access_key_id": keys.access_key_id, "secret_access_key": keys.secret_access_key}
    try:
        principal = _aws.caller(credential("aws", given), spec.region, world, spec.endpoint)
    except AuthError as error:
        raise AuthError(
            f"the keys were not stored: {error.message}",
            hint=[*error.hints, "--no-verify stores them unseen"],
        ) from error
    ui.note(world, f"the keys belong to {principal}")


def show(ctx: typer.Context) -> int:
    """Show what the keyring holds of an IAM user; never a secret."""
    from wrapper.auth import keyring

    auth, world = read(ctx.obj)
    entry = _chosen(auth, ctx.obj, world)
    spec = _spec(entry)
    store = keyring.opened(spec.keyring, world)
    found = keyring.keys_of(store, spec.realm, spec.name)
    if found is None:
        raise ConfigError(
            f"the {store.title} holds no keys of {entry.title}",
            hint=f"store them: atmos-wrap auth user configure -i {entry.name}",
        )
    rows = [("Access key", f"…{found.access_key_id[-4:]}")]
    rows += [("MFA device", found.mfa_arn)] if found.mfa_arn else []
    rows += [("Session", found.duration)] if found.duration else []
    write_table(world, f"{entry.title} in the {store.title}", rows)
    return 0


def delete(ctx: typer.Context) -> int:
    """Remove an IAM user's keys from the keyring."""
    from wrapper import ui
    from wrapper.auth import keyring

    auth, world = read(ctx.obj)
    entry = _chosen(auth, ctx.obj, world)
    spec = _spec(entry)
    store = keyring.opened(spec.keyring, world)
    gone = store.remove(keyring.entry(spec.realm, spec.name))
    state = "removed" if gone else "not there"
    ui.note(world, f"keys of {entry.title} in the {store.title}: {state}")
    return 0
