"""Lists as tables: which columns, which rows, in which order, and in which format.

Source: reference/atmos-stacks.md 6.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

import typer

from wrapper import ui
from wrapper.cli import output
from wrapper.errors import UsageError, near
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.cli.session import Session

Item = Mapping[str, Any]
Form = Annotated[str, typer.Option("--format", "-f", help="table, json, yaml, csv, tsv")]
Columns = Annotated[
    str,
    typer.Option("--columns", help="by comma: column, field: vars.region, or Name={{ .field }}"),
]
Sort = Annotated[str, typer.Option("--sort", help="by comma: column, or column:desc")]
Filter = Annotated[
    str, typer.Option("--filter", help="""only where this is true: '.vars.stage == "dev"'""")
]
Delimiter = Annotated[str, typer.Option("--delimiter", help="between columns of csv and tsv")]


class Column(NamedTuple):
    """A column: its name, and a Go template over the item; `keys` instead for a plain field."""

    name: str
    value: str
    keys: tuple[str, ...] = ()


class Shape(NamedTuple):
    """How a list is asked for: all as typed, '' where nothing was."""

    form: str = ""
    columns: str = ""
    sort: str = ""
    filter: str = ""
    delimiter: str = ""

    @property
    def is_plain(self) -> bool:
        """Say whether only the format was asked for."""
        return not (self.columns or self.sort or self.filter)


def columns_of(
    session: Session, place: tuple[str, ...], default: Sequence[Column], wanted: str
) -> list[Column]:
    """Return the columns: those of `--columns`, else of `atmos.yaml` at a place, else the default.

    A name of `--columns` is that of a configured or a default column, else a field of the items,
    such as `vars.region`; `Name=VALUE` gives a field or a template a name of its own. Raises:
    ConfigError for a configured column without a name or a value, UsageError for a given one.
    """
    from wrapper.errors import ConfigError

    config = session.config()
    found: Any = config.data
    for key in place:
        found = found.get(key) if isinstance(found, Mapping) else None
    known: list[Column] = []
    for one in found if isinstance(found, list) else ():
        given = one if isinstance(one, Mapping) else {}
        name, value = str(given.get("name") or ""), str(given.get("value") or "")
        if not name or not value:
            raise ConfigError(
                f"a column of {'.'.join(place)} needs a name and a value", at=config.where(*place)
            )
        known.append(Column(name, value))
    if not wanted:
        return known or list(default)
    by_name = {one.name.lower(): one for one in (*default, *known)}
    # A comma within a template parts nothing.
    names = [part.strip() for part in re.findall(r"(?:\{\{.*?\}\}|[^,])+", wanted)]
    return [by_name.get(name.lower()) or _given(name, by_name) for name in names if name]


def _given(text: str, known: Mapping[str, Column]) -> Column:
    name, mark, value = (part.strip() for part in text.partition("="))
    if not mark:
        return _field(name)
    if not name or not value:
        raise UsageError(
            f'the column "{text}" needs a name and a value', hint="--columns Name=VALUE"
        )
    if "{{" in value:
        return Column(name, value)
    return (known.get(value.lower()) or _field(value))._replace(name=name)


def _field(name: str) -> Column:
    return Column(name, "", tuple(name.strip(".").split(".")))


def fields(columns: Iterable[Column], shape: Shape) -> set[str]:
    """Return the first words of all fields that columns, filter and order read."""
    texts = [shape.filter, *(column.value for column in columns)]
    found = {word for text in texts for word in re.findall(r"\.([A-Za-z_]\w*)", text)}
    found |= {column.keys[0] for column in columns if column.keys}
    names = {column.name.lower() for column in columns}
    return found | {
        name.partition(".")[0] for name, _ in _order(shape.sort) if name.lower() not in names
    }


def rows(items: Iterable[Item], columns: Sequence[Column], shape: Shape) -> list[dict[str, str]]:
    """Return the rows that a filter leaves, in the order that was asked for.

    Raises: UsageError for a filter or an order that cannot be read, StackError for a template.
    """
    from wrapper.stacks import condition

    kept = [
        (item, {column.name: _cell(column, item) for column in columns})
        for item in items
        if not shape.filter or condition.holds(shape.filter, dict(item))
    ]
    names = {column.name.lower(): column.name for column in columns}
    # The last first: each order keeps that of the ones before it among equals.
    for name, down in reversed(_order(shape.sort)):
        shown = names.get(name.lower())
        known = list(names) + (sorted(kept[0][0]) if kept else [])
        if shown is None and kept and name.partition(".")[0] not in kept[0][0]:
            raise UsageError(f'there is no column "{name}" to sort by', hint=near(name, known))
        field = _field(name)
        kept.sort(
            key=lambda one: _natural(one[1][shown] if shown else _cell(field, one[0])),
            reverse=down,
        )
    return [cells for _, cells in kept]


def _natural(text: str) -> tuple[int, float, str]:
    """Return what to sort a cell by: numbers by size, before all texts."""
    try:
        return 0, float(text), text
    except ValueError:
        return 1, 0.0, text


def _order(sort: str) -> list[tuple[str, bool]]:
    """Return the names to sort by, and whether downwards. Raises: UsageError."""
    found = []
    for part in (one.strip() for one in sort.split(",")):
        name, _, way = part.partition(":")
        if way.lower() not in ("", "asc", "ascending", "desc", "descending"):
            raise UsageError(f'"{way}" is no order', hint="write: --sort stack:asc,component:desc")
        if name:
            found.append((name.strip(), way.lower().startswith("desc")))
    return found


def _cell(column: Column, item: Item) -> str:
    from wrapper.stacks import template

    if column.keys:
        value, known = template.lookup(item, column.keys)
        return _text(value) if known and value is not None else ""
    return template.render(
        column.value,
        {**item, "raw": item},
        what=f'the column "{column.name}"',
        strict=False,
        functions=_functions,
    )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.isprintable():
        return value
    return output.inline(value)


def _functions() -> Mapping[str, Any]:
    """Return what columns may call: sprig, gomplate, and what Atmos has for columns alone."""
    from wrapper.stacks import gotemplate
    from wrapper.stacks.template import go_text

    def truncate(text: str, length: int) -> str:
        room = int(length)
        if len(text) <= room:
            return text
        return text[: max(room, 0)] if room <= 3 else f"{text[: room - 3]}..."

    def get_or(known: Mapping[str, Any] | None, key: str, default: Any) -> Any:
        return known[key] if known and key in known else default

    return {
        **gotemplate.families(sprig=True, gomplate=True, environ={}),
        "truncate": truncate,
        "pad": lambda text, length: str(text).ljust(int(length)),
        "toString": lambda value: "" if value is None else go_text(value),
        "get": lambda known, key: (known or {}).get(key),
        "getOr": get_or,
        "has": lambda known, key: key in (known or {}),
    }


def write(
    session: Session,
    items: Iterable[Item],
    columns: Sequence[Column],
    shape: Shape,
    *,
    header: bool = False,
    about_stacks: bool = True,
) -> None:
    """Write items in the format that was asked for; `about_stacks`: none means that `-s` has none.

    Raises: as `rows`, UsageError for a format.
    """
    items = list(items)
    found = rows(items, columns, shape)
    if not items and session.globals.stack and about_stacks:
        ui.warn(session.world, f'nothing is known of a stack "{session.globals.stack}"')
    _warn_of_unknown(session, items, columns)
    output.table(session, found, shape.form, header=header, delimiter=shape.delimiter)


def _warn_of_unknown(session: Session, items: Sequence[Item], columns: Sequence[Column]) -> None:
    """Warn of columns that are empty because no item has them."""
    known = sorted({key for item in items for key in item})
    for column in columns if items else ():
        if column.keys and column.keys[0] not in known:
            told = near(column.keys[0], known)
            ui.warn(
                session.world,
                f'nothing in the list has the field "{column.name}"{f"; {told}" if told else ""}',
            )


def tree(title: str, branches: Mapping[str, Any]) -> str:
    """Return nested names as a drawing; a map holds branches, a list leaves."""
    lines = [title]

    def draw(inner: Mapping[str, Any] | Sequence[str], margin: str) -> None:
        names = list(inner)
        for position, name in enumerate(names):
            last = position == len(names) - 1
            lines.append(f"{margin}{'└── ' if last else '├── '}{ui.line(name)}")
            if isinstance(inner, Mapping):
                draw(inner[name] or (), margin + ("    " if last else "│   "))

    draw(branches, "")
    return "\n".join(lines) + "\n"
