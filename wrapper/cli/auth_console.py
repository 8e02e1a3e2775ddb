"""`auth console`."""

from __future__ import annotations

from typing import Annotated

import typer

from wrapper.cli.auth_section import read, write_table
from wrapper.errors import ConfigError, UsageError


def console(
    ctx: typer.Context,
    destination: Annotated[
        str, typer.Option("--destination", help="A service, such as s3, or an address.")
    ] = "",
    duration: Annotated[
        str, typer.Option("--duration", help="How long the console stays open, 15m to 12h.")
    ] = "",
    issuer: Annotated[str, typer.Option("--issuer", help="Shown by the console.")] = "atmos",
    print_only: Annotated[
        bool, typer.Option("--print-only", "--print", help="Print the address to stdout.")
    ] = False,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open a browser.")] = False,
) -> int:
    """Open the AWS console as an identity."""
    from wrapper import auth as access
    from wrapper import ui
    from wrapper.auth import chain, selection, status
    from wrapper.auth import console as federation

    auth, world = read(ctx.obj)
    choice = selection.insist(access.select(auth, ctx.obj.globals.identity, world), auth)
    if choice.name is None:
        raise ConfigError(f"no identity for the console: {choice.why}")
    name, entry = choice.name, auth.identities[choice.name]
    region = chain.region(chain.entries(auth, name))
    federation.destination(destination, region)
    seconds, told = None, ""
    if duration:
        seconds, told = federation.duration(_seconds(duration), chain.entries(auth, name))
    if entry.kind.startswith(("mock", "ambient")):
        raise ConfigError(f'kind "{entry.kind}" does not support web console access', at=entry.at)
    if told:
        ui.warn(world, f"--duration {duration}: {told}")
    found = chain.obtain(auth, name, world)
    found = found._replace(region=found.region or region)
    url = federation.sign_in_url(found, federation.Wish(destination, issuer, seconds), world)
    if print_only:
        world.stdout.write(url + "\n")
        return 0
    ends = found.expires if seconds is None else world.now() + seconds
    rows = [
        ("Provider", status.provider_of(auth, entry)),
        ("Identity", name),
        *([("Session ends", status.expiry(ends, world.now()))] if ends is not None else []),
    ]
    write_table(world, "✓ Console URL Generated", rows)
    if not no_open and not world.in_ci and world.open_browser(url):
        ui.note(world, "✓ Opened console in browser")
    else:
        ui.note(world, f"Console URL:\n{url}")
    return 0


def _seconds(text: str) -> float:
    from wrapper.auth.kinds import _aws

    seconds = _aws.go_duration(text)
    if seconds is None:
        raise UsageError(f'invalid duration "{text}"', hint="like 4h or 90m")
    return seconds
