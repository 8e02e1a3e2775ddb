"""What the `auth` commands share: reading the section, options, tables, choosing by tag."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wrapper.errors import ConfigError, near

if TYPE_CHECKING:
    from wrapper.auth.model import Auth, Entry
    from wrapper.cli.session import Session
    from wrapper.world import World

Format = Annotated[str | None, typer.Option("--format", "-f", help="Output format.")]
Tags = Annotated[str, typer.Option("--tags", help="Only what has one of these tags (a,b).")]
Provider = Annotated[str, typer.Option("--provider", "-p", help="A provider instead.")]


def read(session: Session, *, only_providers: bool = False) -> tuple[Auth, World]:
    """Return the section of this invocation, and the world with the configuration's environment.

    With `only_providers` a broken identity stops nobody: a portal may have to name it first. Unknown keys are told as warnings. Raises: ConfigError.
    """
    from wrapper import auth as section
    from wrapper import ui
    from wrapper.config import places

    config = session.config()
    world = session.world._replace(environ=dict(config.environ))
    auth = section.read(
        config.data.get("auth") or {}, config.auth_layers, config.dir, world,
        config.data.get("wrap"), only_providers=only_providers,
    )  # fmt: skip
    auth = auth._replace(elsewhere=lambda name: places.profiles_with(config, world, name))
    for warning in auth.warnings:
        place = f" ({warning.at[0]})" if warning.at else ""
        hint = f"; {warning.hints[0]}" if warning.hints else ""
        ui.warn(world, f"{warning.message}{place}{hint}")
    return auth, world


def write_table(world: World, title: str, rows: Sequence[tuple[str, str]]) -> None:
    """Write a title and two columns to stderr."""
    from wrapper import ui

    width = max((len(name) for name, _ in rows), default=0)
    lines = [title, "", *(f"  {name:<{width}}  {value}" for name, value in rows)]
    ui.write(world, "".join(ui.escape(line) + "\n" for line in lines))


def tags_of(entry: Entry) -> list[Any]:
    """Return the tags of an entry."""
    given = entry.raw.get("tags")
    return given if isinstance(given, list) else []


def has_tag(entry: Entry, asked: Sequence[str]) -> bool:
    """Say whether an entry has any of the tags."""
    return any(str(tag) in asked for tag in tags_of(entry))


def provider_of(auth: Auth, wanted: str, world: World) -> Entry:
    """Return the provider of that name, without a name the only one. Raises: ConfigError."""
    from wrapper.auth import selection
    from wrapper.auth.lookup import match

    if wanted:
        name = match(wanted, auth.providers)
        if name is None:
            raise ConfigError(
                f'provider "{wanted}" is not defined',
                hint=near(wanted, list(auth.providers)) or known("providers", auth.providers),
            )
        return auth.providers[name]
    if not auth.providers:
        hint = selection.in_profiles(auth) or "add `auth.providers` to atmos.yaml"
        raise ConfigError("no providers are available", hint=hint)
    if len(auth.providers) == 1:
        return next(iter(auth.providers.values()))
    if world.can_ask and not auth.identities:
        return auth.providers[selection.ask(sorted(auth.providers), "Select a provider:")]
    raise ConfigError(
        "no default identity is configured, and there are several providers",
        hint="use --identity NAME or --provider NAME",
    )


def known(title: str, names: Any) -> str:
    """Return the hint that lists what there is."""
    return f"available {title}: {', '.join(sorted(names)) or 'none'}"
