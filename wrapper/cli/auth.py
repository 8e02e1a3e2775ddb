"""`auth login|logout|whoami|list|env|validate` and `list identities`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wrapper.cli import group
from wrapper.errors import ConfigError, NeedsLogin, UsageError, near

if TYPE_CHECKING:
    from wrapper.auth.model import Auth, Credential, Entry
    from wrapper.cli.session import Session
    from wrapper.world import World

_Format = Annotated[str | None, typer.Option("--format", "-f", help="Output format.")]
_Tags = Annotated[str, typer.Option("--tags", help="Only what has one of these tags (a,b).")]
_Provider = Annotated[str, typer.Option("--provider", "-p", help="A provider instead.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    auth = group(app, "auth", "Sign in and out, and see who you are.")
    auth.command("login")(login)
    auth.command("logout")(logout)
    auth.command("whoami")(whoami)
    auth.command("list")(list_all)
    auth.command("env")(env)
    auth.command("validate")(validate)
    listing = group(app, "list", "List stacks, components, identities, profiles.")
    listing.command("identities")(list_identities)


def _read(session: Session) -> tuple[Auth, World]:
    from wrapper import run, ui

    config = session.config()
    world = session.world._replace(environ=dict(config.environ))
    auth = run.auth_of(config, None, world)
    for warning in auth.warnings:
        place = f" ({warning.at[0]})" if warning.at else ""
        hint = f"; {warning.hints[0]}" if warning.hints else ""
        ui.warn(world, f"{warning.message}{place}{hint}")
    return auth, world


def _write_table(world: World, title: str, rows: Sequence[tuple[str, str]]) -> None:
    from wrapper import ui

    width = max((len(name) for name, _ in rows), default=0)
    lines = [title, "", *(f"  {name:<{width}}  {value}" for name, value in rows)]
    ui.write(world, "".join(ui.escape(line) + "\n" for line in lines))


# ---- login ----------------------------------------------------------------------------------------


def login(
    ctx: typer.Context,
    provider: _Provider = "",
    tags: _Tags = "",
    webflow: Annotated[bool, typer.Option("--webflow", help="Sign in by browser.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Sign in even if signed in.")] = False,
) -> int:
    """Sign in to an identity, or to a provider."""
    from wrapper.auth import chain

    auth, world = _read(ctx.obj)
    if webflow:
        raise UsageError("sign-in by browser is not supported by this version")
    name = None if provider else _identity_to_login(auth, tags, ctx.obj, world)
    if name == "":
        return 0
    if name is None:
        entry = _provider(auth, provider, world)
        found = chain.obtain_provider(auth, entry, world, again=force)
        _told(auth, world, entry, None, found)
        return 0
    found = chain.obtain(auth, name, world, again=force)
    _told(auth, world, auth.identities[name], name, found)
    return 0


def _identity_to_login(auth: Auth, tags: str, session: Session, world: World) -> str | None:
    """Return the identity, None for a provider's turn, "" when nothing is to be done."""
    from wrapper import auth as access
    from wrapper import ui
    from wrapper.auth import selection

    wanted = selection.wish(session.globals.identity, world)
    if wanted is None and tags:
        return _tagged(auth, tags, world)
    undecided = wanted is None and not auth.defaults
    if undecided and (not auth.identities or (auth.providers and not world.can_ask)):
        return None
    choice = access.select(auth, session.globals.identity, world)
    if choice.name is None:
        ui.note(world, f"no identity to sign in to: {choice.why}")
        return ""
    return choice.name


def _tagged(auth: Auth, tags: str, world: World) -> str:
    from wrapper.auth import selection

    asked = [tag.strip() for tag in tags.split(",") if tag.strip()]
    names = [e.name for e in auth.identities.values() if _has_tag(e, asked)]
    if len(names) == 1:
        return names[0]
    if not names:
        known = sorted({str(t) for e in auth.identities.values() for t in _tags_of(e)})
        raise ConfigError(
            f"no identity has a tag of [{', '.join(asked)}]",
            hint=f"available tags: {', '.join(known)}",
        )
    if not world.can_ask:
        raise NeedsLogin(
            f"several identities match the tags [{', '.join(asked)}]; choosing requires a TTY",
            hint=f"name one with --identity: {', '.join(sorted(names))}",
        )
    return selection.ask(sorted(names), f"Several identities match [{', '.join(asked)}]:")


def _tags_of(entry: Entry) -> list[Any]:
    given = entry.raw.get("tags")
    return given if isinstance(given, list) else []


def _has_tag(entry: Entry, asked: Sequence[str]) -> bool:
    return any(str(tag) in asked for tag in _tags_of(entry))


def _provider(auth: Auth, wanted: str, world: World) -> Entry:
    from wrapper.auth import selection
    from wrapper.auth.parse import match

    if wanted:
        name = match(wanted, auth.providers)
        if name is None:
            raise ConfigError(
                f'provider "{wanted}" is not defined',
                hint=near(wanted, list(auth.providers)) or _known("providers", auth.providers),
            )
        return auth.providers[name]
    if not auth.providers:
        raise ConfigError("no providers are available", hint="add `auth.providers` to atmos.yaml")
    if len(auth.providers) == 1:
        return next(iter(auth.providers.values()))
    if world.can_ask and not auth.identities:
        return auth.providers[selection.ask(sorted(auth.providers), "Select a provider:")]
    raise ConfigError(
        "no default identity is configured, and there are several providers",
        hint="use --identity NAME or --provider NAME",
    )


def _known(title: str, names: Any) -> str:
    return f"available {title}: {', '.join(sorted(names)) or 'none'}"


def _told(auth: Auth, world: World, entry: Entry, name: str | None, found: Credential) -> None:
    from wrapper.auth import chain, status

    now = world.now()
    rows = []
    if name is None:
        rows.append(("Provider", entry.name))
    else:
        region = found.region or chain.region(chain.entries(auth, name))
        rows += [
            ("Realm", f"{auth.realm} ({auth.realm_source})"),
            ("Provider", status.provider_of(auth, entry)),
            ("Identity", name),
            *([("Region", region)] if region else []),
        ]
    if found.expires is not None:
        rows.append(("Expires", status.expiry(found.expires, now)))
    _write_table(world, "✓ Authentication successful!", rows)


# ---- logout ---------------------------------------------------------------------------------------


def logout(
    ctx: typer.Context,
    identity: Annotated[str, typer.Argument(help="The identity to sign out of.")] = "",
    provider: _Provider = "",
    tags: _Tags = "",
    everything: Annotated[bool, typer.Option("--all", help="All of this configuration.")] = False,
    all_realms: Annotated[
        bool, typer.Option("--all-realms", help="Everything, of all configurations.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show.")] = False,
    keychain: Annotated[bool, typer.Option("--keychain", hidden=True)] = False,
    force: Annotated[bool, typer.Option("--force", hidden=True)] = False,
) -> int:
    """Remove what is stored of an identity, a provider, or all."""
    _ = force
    world = ctx.obj.world
    if tags and (everything or provider or identity):
        raise UsageError("--tags excludes --all, --provider and an identity")
    if keychain:
        raise UsageError("there is no keyring in this version, so --keychain has nothing to remove")
    if all_realms:
        return _logout_realms(world, dry=dry_run)
    from wrapper.auth import logout as removal

    auth, world = _read(ctx.obj)
    chosen, title = _to_logout(auth, ctx.obj, world, identity, provider, tags, everything)
    done = removal.entries(auth, chosen, world, dry=dry_run)
    _tell_removal(world, title, auth.realm, done)
    return 0


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
        entries = [e for e in auth.providers.values() if _has_tag(e, asked)]
        if not entries:
            raise ConfigError(f"no provider has a tag of [{', '.join(asked)}]")
    elif provider:
        entries = [_provider(auth, provider, world)]
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


def _logout_realms(world: World, *, dry: bool) -> int:
    from wrapper import ui
    from wrapper.auth import logout as removal

    names = removal.realms(world)
    if not names:
        ui.note(world, "✓ No realms found - nothing to logout")
        return 0
    if dry:
        ui.note(world, f"would remove credentials from {len(names)} realm(s):")
    for name in names:
        if not dry:
            removal.realm(name, world)
        ui.note(world, f"  {name}" if dry else f"✓ Realm: {name}")
    if not dry:
        ui.note(world, f"✓ Logged out from {len(names)} realm(s)")
    return 0


# ---- whoami, env ----------------------------------------------------------------------------------


def whoami(
    ctx: typer.Context,
    output: Annotated[
        str, typer.Option("--output", "-o", envvar="ATMOS_AUTH_WHOAMI_OUTPUT", help="json or table")
    ] = "",
    verify: Annotated[bool, typer.Option("--verify", help="Ask the cloud who it is.")] = False,
) -> int:
    """Show who an identity is, from its session; signs in if there is none."""
    import json

    from wrapper import auth as access
    from wrapper.auth import chain, selection, status

    if output not in ("", "json", "table"):
        raise UsageError(f"unsupported output: {output}", hint="json or table")
    auth, world = _read(ctx.obj)
    choice = selection.insist(access.select(auth, ctx.obj.globals.identity, world))
    if choice.name is None:
        if output == "json":
            world.stdout.write(json.dumps({"identity": "", "why": choice.why}, indent=2) + "\n")
        else:
            _write_table(world, f"no identity: {choice.why}", [])
        return 0
    quiet = world._replace(stdin_tty=False)
    found = chain.obtain(auth, choice.name, quiet)
    told = status.status(auth, choice.name, found, quiet, verify=verify)
    if output == "json":
        text = json.dumps(status.as_json(told, world.now()), indent=2, ensure_ascii=False)
        world.stdout.write(text + "\n")
    else:
        rows = status.rows(told, world.now())
        _write_table(world, "✓ Current Authentication Status", rows)
    return 0


def env(
    ctx: typer.Context,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            envvar="ATMOS_AUTH_ENV_FORMAT",
            help="bash, zsh, fish, dotenv, env, github, json",
        ),
    ] = "bash",
    output_file: Annotated[
        str,
        typer.Option("--output-file", "-o", envvar="ATMOS_AUTH_ENV_OUTPUT_FILE", help="Append to."),
    ] = "",
    sign_in: Annotated[bool, typer.Option("--login", help="Sign in first.")] = False,
) -> int:
    """Print the variables of an identity, for a shell or a file."""
    from wrapper import auth as access
    from wrapper import run, shells, ui
    from wrapper.auth import delivery, selection

    shells.render(form, {})
    auth, world = _read(ctx.obj)
    choice = selection.insist(access.select(auth, ctx.obj.globals.identity, world))
    values: dict[str, str] = {}
    unset: list[str] = []
    if choice.name is not None:
        if sign_in:
            for warning in access.sign_in(auth, choice.name, world):
                ui.warn(world, warning)
        delta = delivery.printed(auth, choice.name, world)
        run.write_files(delta)
        values = dict(delta.set)
        unset = sorted(delta.unset & frozenset(ctx.obj.world.environ))
    text = shells.render(form, values, unset)
    if unset and form not in shells.UNSETTING:
        ui.warn(world, f"unset these yourself, they would win: {', '.join(unset)}")
    target = output_file or (world.environ.get("GITHUB_ENV", "") if form == "github" else "")
    if form == "github" and not target:
        raise UsageError(
            "--format=github requires GITHUB_ENV to be set",
            hint="or name a file with --output-file",
        )
    if target:
        _append(target, text, replace=form == "json", cwd=world.cwd)
    else:
        world.stdout.write(text)
    return 0


def _append(target: str, text: str, *, replace: bool, cwd: str) -> None:
    import os

    from wrapper.errors import StoreError

    path = os.path.join(cwd, target)
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if replace else os.O_APPEND)
    try:
        with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error


# ---- list, validate -------------------------------------------------------------------------------


def list_all(
    ctx: typer.Context,
    form: _Format = None,
    providers: Annotated[
        str | None, typer.Option("--providers", help="Only these providers (a,b; empty: all).")
    ] = None,
    identities: Annotated[
        str | None, typer.Option("--identities", help="Only these identities (a,b; empty: all).")
    ] = None,
    tags: _Tags = "",
) -> int:
    """List providers and identities: tree, table, json, yaml, graphviz, mermaid, markdown."""
    return _list(ctx.obj, form or "tree", providers, identities, tags)


def list_identities(ctx: typer.Context, form: _Format = None) -> int:
    """List the identities."""
    return _list(ctx.obj, form or "table", None, "", "")


def _list(
    session: Session, form: str, providers: str | None, identities: str | None, tags: str
) -> int:
    from wrapper.auth import listing

    if providers is not None and identities is not None:
        raise UsageError("--providers and --identities are mutually exclusive")
    if form not in listing.FORMATS:
        listing.render(form, None)  # type: ignore[arg-type]
    auth, world = _read(session)
    shown = listing.Shown(
        auth,
        [] if identities is not None else _some(auth.providers, providers, tags, "provider"),
        [] if providers is not None else _some(auth.identities, identities, tags, "identity"),
        _left(auth, world),
    )
    world.stdout.write(listing.render(form, shown))
    return 0


def _some(known: Any, wanted: str | None, tags: str, role: str) -> list[Entry]:
    from wrapper.auth.parse import match

    names = list(known)
    if wanted:
        names = []
        for word in (w.strip() for w in wanted.split(",") if w.strip()):
            name = match(word, known)
            if name is None:
                raise ConfigError(f'{role} "{word}" is not defined', hint=near(word, list(known)))
            names.append(name)
    asked = [tag.strip() for tag in tags.split(",") if tag.strip()]
    entries = [known[name] for name in sorted(set(names), key=lambda n: (n.lower(), n))]
    return [e for e in entries if not asked or _has_tag(e, asked)]


def _left(auth: Auth, world: World) -> dict[str, float]:
    """Return the seconds that each stored session has left; ATMOS_TEST_NOW is the clock if set."""
    import contextlib
    from datetime import datetime

    from wrapper.auth import chain
    from wrapper.errors import WrapError

    now = world.now()
    given = world.environ.get("ATMOS_TEST_NOW", "")
    if given:
        with contextlib.suppress(ValueError):
            now = datetime.fromisoformat(given).timestamp()
    left = {}
    for name in auth.identities:
        try:
            found = chain.cached(auth, name, world)
        except WrapError:
            continue
        if found is not None and found.expires is not None:
            left[name] = found.expires - now
    return left


def validate(
    ctx: typer.Context,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", envvar="ATMOS_AUTH_VALIDATE_VERBOSE", help="Say more."),
    ] = False,
) -> int:
    """Check the `auth` section; every fault is shown, with its place."""
    from wrapper import auth as access
    from wrapper import ui
    from wrapper.errors import Problems

    config = ctx.obj.config()
    world = ctx.obj.world._replace(environ=dict(config.environ))
    if verbose:
        ui.note(world, "Validating authentication configuration...")
    auth = access.check(
        config.data.get("auth"), config.auth_layers, config.dir, world, config.data.get("wrap")
    )
    for warning in auth.warnings:
        ui.write(world, ui.render(warning, world.cwd).replace("error: ", "warning: ", 1))
    if auth.problems:
        ui.note(world, "❌ Authentication configuration validation failed:")
        raise Problems([problem.error for problem in auth.problems])
    ui.note(world, "✅ Authentication configuration is valid")
    return 0
