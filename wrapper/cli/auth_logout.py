"""`auth logout`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from wrapper.cli.auth_section import (
    Provider,
    Tags,
    has_tag,
    provider_of,
    read,
)
from wrapper.errors import ConfigError, NeedsLogin, UsageError

if TYPE_CHECKING:
    from wrapper.auth.model import Auth, Entry
    from wrapper.cli.session import Session
    from wrapper.world import World


def logout(
    ctx: typer.Context,
    identity: Annotated[str, typer.Argument(help="The identity to sign out of.")] = "",
    provider: Provider = "",
    tags: Tags = "",
    everything: Annotated[bool, typer.Option("--all", help="All of this configuration.")] = False,
    all_realms: Annotated[
        bool, typer.Option("--all-realms", help="The sessions of all configurations.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show.")] = False,
    keychain: Annotated[
        bool, typer.Option("--keychain", help="Also the keys in the keyring.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Do not ask.")] = False,
) -> int:
    """Remove what is stored of an identity, a provider, or all."""
    world = ctx.obj.world
    if tags and (everything or provider or identity):
        raise UsageError("--tags excludes --all, --provider and an identity")
    if all_realms:
        return _logout_realms(world, dry=dry_run)
    from wrapper.auth import logout as removal

    auth, world = read(ctx.obj, only_providers=everything or bool(provider))
    chosen, title = _to_logout(auth, ctx.obj, world, identity, provider, tags, everything)
    if keychain and not dry_run:
        _insist(title, world, force=force)
    done = removal.entries(auth, chosen, world, dry=dry_run)
    if keychain:
        _remove_keys(chosen, world, dry=dry_run)
    _tell_removal(world, title, auth.realm, done)
    _tell_kept(auth, chosen, world, keys=not keychain)
    return 0


def _insist(title: str, world: World, *, force: bool) -> None:
    """Ask before keys go that may be nowhere else. Raises: NeedsLogin, Interrupted."""
    from wrapper.errors import Interrupted

    if force:
        return
    if not world.can_ask:
        raise NeedsLogin("removing keys from the keyring asks first", hint="--force does not ask")
    import questionary

    if not questionary.confirm(
        f"Remove the keys of {title} from the keyring?", default=False
    ).ask():
        raise Interrupted("nothing was removed")


def _remove_keys(chosen: list[Entry], world: World, *, dry: bool) -> None:
    from wrapper import ui
    from wrapper.auth import keyring
    from wrapper.auth.kinds import aws_user

    for entry in chosen:
        if entry.kind == "aws/user":
            spec = aws_user.parse(entry.name, entry.raw)
            store = keyring.opened(spec.keyring, world)
            if dry:
                ui.note(
                    world,
                    f"would remove keys of {entry.title} from the {store.title}, if there are",
                )
            elif store.remove(keyring.entry(spec.realm, spec.name)):
                ui.note(world, f"✓ Keys of {entry.title} removed from the {store.title}")


def _to_logout(
    auth: Auth,
    session: Session,
    world: World,
    identity: str,
    provider: str,
    tags: str,
    everything: bool,
) -> tuple[list[Entry], str]:
    from wrapper.auth import logout as removal
    from wrapper.auth import selection
    from wrapper.auth.model import Setting

    if everything:
        return [*auth.providers.values(), *auth.identities.values()], "all identities"
    if tags:
        asked = [tag.strip() for tag in tags.split(",")]
        entries = [e for e in auth.providers.values() if has_tag(e, asked)]
        if not entries:
            raise ConfigError(f"no provider has a tag of [{', '.join(asked)}]")
    elif provider:
        entries = [provider_of(auth, provider, world)]
    else:
        wanted = Setting(identity, "argument") if identity else session.globals.identity
        wanted = selection.wish(wanted, world)
        if wanted is None:
            names = sorted(auth.identities)
            if not world.can_ask or not names:
                raise NeedsLogin(
                    "which identity to sign out of? asking requires a TTY",
                    hint="name it, or use --provider NAME or --all",
                )
            wanted = Setting(selection.ask(names, "Sign out of which identity?"), "prompt")
        name = selection.named(auth, wanted)
        return [auth.identities[name]], name
    names = [name for e in entries for name in removal.rooted(auth, e.name)]
    title = ", ".join(f"provider {e.name}" for e in entries)
    return [*entries, *(auth.identities[n] for n in dict.fromkeys(names))], title


def _tell_removal(world: World, title: str, realm: str, done: Any) -> None:
    from wrapper import ui

    if not done.paths:
        ui.note(world, f"nothing was stored for {title} (realm: {realm})")
    elif not done.removed:
        ui.note(world, f"would remove for {title} (realm: {realm}):")
        for path in done.paths:
            ui.note(world, f"  {path}")
    else:
        count = f"{len(done.paths)} file{'s' if len(done.paths) > 1 else ''}"
        ui.note(world, f"✓ Logged out {title} (realm: {realm}): {count} removed")
        ui.note(world, "  Credentials that programs hold already stay valid until they expire.")


def _tell_kept(auth: Auth, chosen: list[Entry], world: World, *, keys: bool) -> None:
    """Say what still lets somebody sign in without being asked."""
    from wrapper import ui
    from wrapper.auth import logout as removal
    from wrapper.auth.kinds import aws_user

    for entry in removal.standing(auth, chosen, world):
        ui.note(world, f"  The sign-in to {entry.title} stays; --provider {entry.name} ends it.")
    for entry in chosen if keys else ():
        if entry.kind == "aws/user":
            spec = aws_user.parse(entry.name, entry.raw)
            if not aws_user.configured(spec):
                told = f"Keys of {entry.title} in the {spec.keyring.type} keyring, if any, stay"
                ui.note(world, f"  {told}; --keychain removes them.")


def _logout_realms(world: World, *, dry: bool) -> int:
    from wrapper import ui
    from wrapper.auth import logout as removal

    names = removal.realms(world)
    if not names:
        ui.note(world, "✓ No realms found - nothing to logout")
        _tell_sign_ins(world)
        return 0
    if dry:
        ui.note(world, f"would remove credentials from {len(names)} realm(s):")
    for name in names:
        if not dry:
            removal.realm(name, world)
        ui.note(world, f"  {name}" if dry else f"✓ Realm: {name}")
    if not dry:
        ui.note(world, f"✓ Logged out from {len(names)} realm(s)")
    _tell_sign_ins(world)
    return 0


def _tell_sign_ins(world: World) -> None:
    from wrapper import ui
    from wrapper.auth import logout as removal

    count = removal.sign_ins(world)
    if count:
        ends = "`auth logout --all` where they are configured ends them"
        ui.note(world, f"  {count} sign-in(s) to portals and SAML providers stay; {ends}.")
