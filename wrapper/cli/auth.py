"""`auth login|logout|whoami|list|env|shell|validate` and `list identities`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wrapper.cli import auth_user, group
from wrapper.cli.auth_console import console
from wrapper.cli.auth_list import list_all, list_identities
from wrapper.cli.auth_logout import logout
from wrapper.cli.auth_section import (
    Provider,
    Tags,
    has_tag,
    provider_of,
    read,
    tags_of,
    write_table,
)
from wrapper.cli.auth_shell import shell
from wrapper.errors import AuthError, ConfigError, NeedsLogin, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrapper.auth.model import Auth, Credential, Entry
    from wrapper.cli.session import Session
    from wrapper.world import World


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    auth = group(app, "auth", "Sign in and out, and see who you are.")
    auth.command("login")(login)
    auth.command("logout")(logout)
    auth.command("whoami")(whoami)
    auth.command("list")(list_all)
    auth.command("env")(env)
    auth.command("shell")(shell)
    auth.command("validate")(validate)
    auth.command("console")(console)
    auth_user.register(auth)
    listing = group(app, "list", "List stacks, components, identities, profiles.")
    listing.command("identities")(list_identities)


# ---- login ----------------------------------------------------------------------------------------


def login(
    ctx: typer.Context,
    identity: Annotated[str, typer.Argument(metavar="[IDENTITY]")] = "",
    provider: Provider = "",
    tags: Tags = "",
    webflow: Annotated[bool, typer.Option("--webflow", help="Sign in by browser.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Sign in even if signed in.")] = False,
    device: Annotated[
        bool, typer.Option("--device", help="Sign in to SSO by a code, also where a browser is.")
    ] = False,
    mfa_code: Annotated[str, typer.Option("--mfa-code", help="The code of the MFA device.")] = "",
) -> int:
    """Sign in to an identity, or to a provider."""
    from wrapper.auth import chain

    session: Session = _named(ctx.obj, identity, provider)
    auth, world = read(session, only_providers=bool(provider))
    auth = _of_stack(auth, session, world)
    if device:
        world = world._replace(environ={**world.environ, "ATMOS_WRAP_DEVICE_CODE": "1"})
    if webflow and provider:
        raise UsageError(
            "--webflow requires an aws/user identity, it cannot be used with --provider"
        )
    if mfa_code:
        world = world._replace(environ={**world.environ, "ATMOS_WRAP_MFA_CODE": mfa_code})
    world = world._replace(anew=force)
    name = None if provider else _identity_to_login(auth, tags, session, world)
    if name == "":
        if webflow:
            raise UsageError("--webflow requires an aws/user identity, and none is chosen")
        return 0
    if name is None:
        entry = provider_of(auth, provider, world)
        found = chain.obtain_provider(auth, entry, world, again=force)
        _provision(entry, found, world)
        _told(auth, world, entry, None, found, _offered(entry, found, world, again=force))
        return 0
    if webflow:
        world = _by_browser(auth.identities[name], world)
    # The last link is signed anew, so that a login tells whether it still can be. A user's keys are
    # only asked for a session when there is none: an MFA code may be needed.
    again = force or webflow or auth.identities[name].kind != "aws/user"
    found = chain.obtain(auth, name, world, again=again)
    _told(auth, world, auth.identities[name], name, found)
    return 0


def _named(session: Session, identity: str, provider: str) -> Session:
    """Return the invocation with an identity that was named without a flag."""
    if not identity:
        return session
    from wrapper.auth.model import Setting

    if provider or session.globals.identity is not None:
        raise UsageError("name the identity once, and no provider with it")
    given = Setting(identity, "the command line")
    return session._replace(globals=session.globals._replace(identity=given))


def _of_stack(auth: Auth, session: Session, world: World) -> Auth:
    """Return the `auth` that the shell has here, where manifests that are allowed make the identity."""
    from wrapper.auth import selection
    from wrapper.hook import evaluate

    wanted = selection.wish(session.globals.identity, world)
    view = evaluate.look(world) if wanted is not None else evaluate.View()
    found = view.found
    if wanted is None or found is None or found.auth is None or found.verdict is None:
        return auth
    return found.auth if wanted.value in found.auth.identities else auth


def _by_browser(entry: Entry, world: World) -> World:
    if entry.kind != "aws/user":
        raise UsageError(f"--webflow requires an aws/user identity, {entry.title} is {entry.kind}")
    return world._replace(environ={**world.environ, "ATMOS_WRAP_WEBFLOW": "1"})


def _provision(entry: Entry, found: Credential, world: World) -> None:
    """Refresh the list of what the user may be, unless the sign-in has just done it."""
    from wrapper.auth import provisioned
    from wrapper.auth.kinds import aws_sso

    if entry.kind != provisioned.SSO:
        return
    spec = aws_sso.parse(entry.name, entry.raw)
    age = provisioned.age(spec, world)
    if spec.provision and (age is None or not 0 <= age < provisioned.FRESH):
        provisioned.refresh(spec, found, world)


def _offered(
    entry: Entry, found: Credential, world: World, *, again: bool
) -> list[tuple[str, str]]:
    """Sign in to a SAML provider, which else happens when a role needs it; return its roles."""
    from wrapper.auth.kinds import aws_saml

    if found.cloud != aws_saml.CLOUD:
        return []
    try:
        return [("Role", arn) for arn in aws_saml.offered(found, world, again=again)]
    except AuthError as error:
        error.at = error.at or ((entry.at,) if entry.at else ())
        raise


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
    names = [e.name for e in auth.identities.values() if has_tag(e, asked)]
    if len(names) == 1:
        return names[0]
    if not names:
        known = sorted({str(t) for e in auth.identities.values() for t in tags_of(e)})
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


def _told(
    auth: Auth,
    world: World,
    entry: Entry,
    name: str | None,
    found: Credential,
    more: Sequence[tuple[str, str]] = (),
) -> None:
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
    rows += more
    write_table(world, "✓ Authentication successful!", rows)


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
    auth, world = read(ctx.obj)
    choice = selection.insist(access.select(auth, ctx.obj.globals.identity, world), auth)
    if choice.name is None:
        if output == "json":
            world.stdout.write(json.dumps({"identity": "", "why": choice.why}, indent=2) + "\n")
        else:
            write_table(world, f"no identity: {choice.why}", [])
        return 0
    quiet = world._replace(stdin_tty=False, asks=False)
    found = chain.obtain(auth, choice.name, quiet)
    told = status.status(auth, choice.name, found, quiet, verify=verify)
    if output == "json":
        text = json.dumps(status.as_json(told, world.now()), indent=2, ensure_ascii=False)
        world.stdout.write(text + "\n")
    else:
        rows = status.rows(told, world.now())
        write_table(world, "✓ Current Authentication Status", rows)
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
    auth, world = read(ctx.obj)
    choice = selection.insist(access.select(auth, ctx.obj.globals.identity, world), auth)
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


# ---- validate ------------------------------------------------------------------------------------


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
