"""`describe config|schema`, `profile list|show`, `list profiles`, `version`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wrapper import ui
from wrapper.cli import group, listing, output
from wrapper.cli.listing import Column, Columns, Delimiter, Filter, Form, Shape, Sort

if TYPE_CHECKING:
    from wrapper.cli.session import Session
    from wrapper.config.profiles import Profile

Format = Annotated[str, typer.Option("--format", "-f", help="json or yaml")]
TextFormat = Annotated[str, typer.Option("--format", "-f", help="text, json or yaml")]
Query = Annotated[str, typer.Option("--query", "-q", help="show one value, such as .stacks")]
File = Annotated[str, typer.Option("--file", help="write to this file instead of stdout")]

PROFILES = (
    Column("Name", "{{ .name }}"),
    Column("Path", "{{ .path }}"),
    Column("LocationType", "{{ .type }}"),
    Column("Active", "{{ .active }}"),
)


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    group(app, "describe", "Show what the configuration means.").command("config")(describe_config)
    group(app, "describe", "Show what the configuration means.").command("schema")(describe_schema)
    profile = group(app, "profile", "Show profiles.")
    profile.command("list")(list_profiles)
    profile.command("show")(show_profile)
    group(app, "list", "List what there is.").command("profiles")(list_profiles)
    app.command("version")(version)


def describe_config(
    ctx: typer.Context, form: Format = "json", file: File = "", query: Query = ""
) -> None:
    """Show the merged configuration. Values that `!env` read for credentials are masked."""
    from wrapper import config

    session: Session = ctx.obj
    found: Any = config.describe(session.config())
    if query:
        from wrapper.stacks import query as expressions

        found = expressions.run(query, found)
    output.emit(session, found, form, file, apart=bool(query))


def describe_schema(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="config (atmos.yaml) or manifest")],
    file: File = "",
) -> None:
    """Show the JSON Schema of a kind of file, for editors."""
    from wrapper import schemas

    output.emit(ctx.obj, schemas.load(name), "json", file)


def list_profiles(
    ctx: typer.Context,
    form: Form = "table",
    columns: Columns = "",
    sort: Sort = "",
    filter: Filter = "",  # noqa: A002  the flag's name
    delimiter: Delimiter = "",
) -> None:
    """List the profiles that can be selected; `*` marks the active ones."""
    from wrapper.config import places

    session: Session = ctx.obj
    config = session.config()
    found = places.available_profiles(config, session.world)
    shape = Shape(form, columns, sort, filter, delimiter)
    if form in ("csv", "tsv") or not shape.is_plain:
        items = [
            {
                "name": one.name,
                "path": one.path,
                "type": one.kind,
                "files": list(one.files),
                "active": one.name in config.profiles,
            }
            for one in found
        ]
        chosen = listing.columns_of(session, (), PROFILES, columns)
        listing.write(session, items, chosen, shape)
        return
    if form != "table":
        output.emit(session, [_row(profile) for profile in found], form)
        return
    if not found:
        ui.note(session.world, "no profiles are configured")
    width = max((len(profile.name) for profile in found), default=0)
    for profile in found:
        mark = "*" if profile.name in config.profiles else " "
        place = os.path.relpath(profile.path, session.world.cwd)
        text = f"{mark} {profile.name:<{width}}  {profile.kind}  {place}"
        session.world.stdout.write(f"{ui.line(text)}\n")


def show_profile(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="the profile's name")],
    form: TextFormat = "text",
) -> None:
    """Show what one profile sets, and its files."""
    from wrapper import config
    from wrapper.config import places, profiles

    session: Session = ctx.obj
    options = session.globals.options._replace(profiles=(name,))
    loaded = config.load(session.world, options)
    profile = profiles.find(name, places.profile_places(loaded, session.world))
    content = places.profile_content(loaded)
    if form != "text":
        output.emit(session, {**_row(profile), "Content": content}, form)
        return
    lines = [
        f"profile {profile.name} ({profile.kind})",
        *profile.files,
        "",
        output.as_yaml(content),
    ]
    text = "\n".join(lines) + f"use it with: --profile {profile.name}\n"
    session.world.stdout.write(ui.escape(text))


def version(ctx: typer.Context, form: TextFormat = "text") -> None:
    """Show the version of this program."""
    from wrapper import __version__

    session: Session = ctx.obj
    if form == "text":
        session.world.stdout.write(f"atmos-wrap {__version__}\n")
    else:
        output.emit(session, {"version": __version__}, form)


def _row(profile: Profile) -> Mapping[str, Any]:
    from wrapper.config import profiles
    from wrapper.merge import merge_all

    return {
        "Name": profile.name,
        "Path": profile.path,
        "LocationType": profile.kind,
        "Files": list(profile.files),
        "Metadata": merge_all(profiles.said(profile, "metadata")) or None,
    }
