"""`auth list` and `list identities`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from wrapper.cli import listing
from wrapper.cli.auth_section import (
    Format,
    Tags,
    has_tag,
    read,
)
from wrapper.cli.listing import Column, Columns, Delimiter, Filter, Shape, Sort
from wrapper.errors import ConfigError, UsageError, near

if TYPE_CHECKING:
    from wrapper.auth.model import Auth, Entry
    from wrapper.cli.session import Session
    from wrapper.world import World

IDENTITIES = (
    Column("Name", "{{ .name }}"),
    Column("Kind", "{{ .kind }}"),
    Column("Via", "{{ .via }}"),
    Column("Default", "{{ .default }}"),
    Column("Alias", "{{ .alias }}"),
    Column("Left", "{{ .left }}"),
)


def list_all(
    ctx: typer.Context,
    form: Format = None,
    providers: Annotated[
        str | None, typer.Option("--providers", help="Only these providers (a,b; empty: all).")
    ] = None,
    identities: Annotated[
        str | None, typer.Option("--identities", help="Only these identities (a,b; empty: all).")
    ] = None,
    tags: Tags = "",
) -> int:
    """List providers and identities: tree, table, json, yaml, graphviz, mermaid, markdown."""
    return _list(ctx.obj, form or "tree", providers, identities, tags)


def list_identities(
    ctx: typer.Context,
    form: Format = None,
    columns: Columns = "",
    sort: Sort = "",
    filter: Filter = "",  # noqa: A002  the flag's name
    delimiter: Delimiter = "",
) -> int:
    """List the identities."""
    shape = Shape(form or "", columns, sort, filter, delimiter)
    if shape.is_plain and form not in ("csv", "tsv"):
        return _list(ctx.obj, form or "table", None, "", "")
    session: Session = ctx.obj
    auth, world = read(session)
    left = _left(auth, world)
    entries = sorted(auth.identities.values(), key=lambda one: (one.name.lower(), one.name))
    chosen = listing.columns_of(session, (), IDENTITIES, columns)
    listing.write(session, [_item(one, left.get(one.name)) for one in entries], chosen, shape)
    return 0


def _item(entry: Entry, left: float | None) -> dict[str, Any]:
    """Return what columns may show of an identity: what it says, without secrets, and its session."""
    from wrapper.auth import listing as texts

    said = texts.values(entry)
    via = said.get("via") if isinstance(said.get("via"), dict) else {}
    return {
        **dict.fromkeys(("alias", "principal", "tags"), ""),
        **said,
        "name": entry.name,
        "kind": entry.kind,
        "provider": (via or {}).get("provider") or "",
        "identity": (via or {}).get("identity") or "",
        "via": (via or {}).get("provider") or (via or {}).get("identity") or "",
        "default": bool(said.get("default")),
        "required": bool(said.get("required")),
        "left": "" if left is None else texts.duration(left),
    }


def _list(
    session: Session, form: str, providers: str | None, identities: str | None, tags: str
) -> int:
    from wrapper import ui
    from wrapper.auth import listing as texts
    from wrapper.auth import selection

    if providers is not None and identities is not None:
        raise UsageError("--providers and --identities are mutually exclusive")
    if form not in texts.FORMATS:
        texts.render(form, None)  # type: ignore[arg-type]
    auth, world = read(session)
    advice = selection.in_profiles(auth) if not (auth.providers or auth.identities) else []
    if advice:
        raise ConfigError("no providers or identities are configured", hint=advice)
    shown = texts.Shown(
        auth,
        [] if identities is not None else _some(auth.providers, providers, tags, "provider"),
        [] if providers is not None else _some(auth.identities, identities, tags, "identity"),
        _left(auth, world),
    )
    text = texts.render(form, shown)
    world.stdout.write(text if form in ("json", "yaml") else ui.escape(text))
    return 0


def _some(known: Any, wanted: str | None, tags: str, role: str) -> list[Entry]:
    from wrapper.auth.lookup import match

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
    return [e for e in entries if not asked or has_tag(e, asked)]


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
