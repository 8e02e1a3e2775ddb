"""`list values|vars|settings|metadata`: one component's values in all stacks side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wrapper.cli import group, listing, output
from wrapper.cli.listing import Columns, Delimiter, Filter, Form, Shape, Sort
from wrapper.errors import StackError, UsageError, near

if TYPE_CHECKING:
    from wrapper.cli.session import Session
    from wrapper.stacks import Component
    from wrapper.stacks.catalog import Row

Name = Annotated[str, typer.Argument(help="the component's name")]
Maybe = Annotated[str, typer.Argument(help="the component's name; all without")]
Query = Annotated[str, typer.Option("--query", "-q", help="show a part, such as .vars.tags")]
Abstract = Annotated[bool, typer.Option("--abstract", help="abstract components too")]
Most = Annotated[int, typer.Option("--max-columns", help="so many stacks at most; 0: all")]
Flag = Annotated[str, typer.Option(help="false: leave them as text")]
Skip = Annotated[list[str], typer.Option("--skip", help="functions (without !) that stay text")]

KEY = listing.Column("Key", "", ("key",))
# A stack's cell for a key that it does not have.
ABSENT = ""


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    lists = group(app, "list", "List what there is.")
    lists.command("values")(list_values)
    lists.command("vars")(list_vars)
    lists.command("settings")(list_settings)
    lists.command("metadata")(list_metadata)


def list_values(
    ctx: typer.Context,
    component: Name,
    form: Form = "",
    query: Query = "",
    abstract: Abstract = False,
    max_columns: Most = 0,
    columns: Columns = "",
    sort: Sort = "",
    filter: Filter = "",  # noqa: A002  the flag's name
    delimiter: Delimiter = "",
    process_functions: Flag = "true",
    process_templates: Flag = "true",
    skip: Skip = [],  # noqa: B006
) -> None:
    """List all values of a component, one column for each stack."""
    found = _sections(ctx.obj, component, abstract, process_templates, process_functions, skip)
    shape = Shape(form, columns, sort, filter, delimiter)
    _write(ctx.obj, found, "", query, max_columns, shape)


def list_vars(
    ctx: typer.Context,
    component: Name,
    form: Form = "",
    query: Query = "",
    abstract: Abstract = False,
    max_columns: Most = 0,
    columns: Columns = "",
    sort: Sort = "",
    filter: Filter = "",  # noqa: A002  the flag's name
    delimiter: Delimiter = "",
    process_functions: Flag = "true",
    process_templates: Flag = "true",
    skip: Skip = [],  # noqa: B006
) -> None:
    """List the variables of a component, one column for each stack."""
    found = _sections(ctx.obj, component, abstract, process_templates, process_functions, skip)
    shape = Shape(form, columns, sort, filter, delimiter)
    _write(ctx.obj, found, "vars", query, max_columns, shape)


def list_settings(
    ctx: typer.Context,
    component: Maybe = "",
    form: Form = "",
    query: Query = "",
    max_columns: Most = 0,
    columns: Columns = "",
    sort: Sort = "",
    filter: Filter = "",  # noqa: A002  the flag's name
    delimiter: Delimiter = "",
    process_functions: Flag = "true",
    process_templates: Flag = "true",
    skip: Skip = [],  # noqa: B006
) -> None:
    """List the settings of a component, or of all, one column for each stack."""
    found = _sections(ctx.obj, component, False, process_templates, process_functions, skip)
    shape = Shape(form, columns, sort, filter, delimiter)
    _write(ctx.obj, found, "settings", query, max_columns, shape, named=not component)


def list_metadata(
    ctx: typer.Context,
    component: Maybe = "",
    form: Form = "",
    query: Query = "",
    max_columns: Most = 0,
    columns: Columns = "",
    sort: Sort = "",
    filter: Filter = "",  # noqa: A002  the flag's name
    delimiter: Delimiter = "",
    process_functions: Flag = "true",
    process_templates: Flag = "true",
    skip: Skip = [],  # noqa: B006
) -> None:
    """List the metadata of a component, or of all, one column for each stack."""
    found = _sections(ctx.obj, component, False, process_templates, process_functions, skip)
    shape = Shape(form, columns, sort, filter, delimiter)
    _write(ctx.obj, found, "metadata", query, max_columns, shape, named=not component)


def _sections(
    session: Session,
    component: str,
    abstract: bool,
    templates: str,
    functions: str,
    skip: list[str],
) -> dict[tuple[str, str], dict[str, Any]]:
    """Return (stack, component) -> section. Raises: StackError when there is no such component."""
    from wrapper import run, stacks
    from wrapper.cli.described import names_of, truth
    from wrapper.stacks import overview

    config, world = session.config(), session.world
    reader = run.reader(config, session.globals.identity, world, masks=True)

    def evaluated(one: Component) -> Component:
        return stacks.evaluate(
            one, config, world, config.environ, skip=names_of(skip), reader=reader
        )

    chosen = overview.Chosen(session.globals.stack, (component,) if component else ())
    found = overview.values(
        config,
        world,
        chosen,
        abstract=abstract,
        templates=truth(templates),
        evaluated=evaluated if truth(functions) else None,
        reader=reader,
    )
    if not found and component:
        raise _missing(component, chosen.stack or "", overview.rows(config, world))
    return found


def _missing(component: str, stack: str, rows: Sequence[Row]) -> StackError:
    """Return the error for a component that nothing is known of."""
    from wrapper.stacks import globs

    names = {row.stack or "" for row in rows}
    if stack and not any(stack == name or globs.matches(stack, name) for name in names):
        return StackError(
            f"could not find the stack `{stack}`",
            hint=near(stack, sorted(names)) or "`atmos-wrap list stacks` shows all stacks",
        )
    known = sorted({row.component for row in rows})
    where = f" in the stack `{stack}`" if stack else " in any stack"
    if component in known:
        return StackError(
            f"there is no component `{component}`{where} that is not abstract",
            hint="`atmos-wrap list instances` shows where it is; --abstract takes abstract ones too",
        )
    return StackError(
        f"could not find the component `{component}`{where}",
        hint=near(component, known) or "`atmos-wrap list components` shows all components",
    )


def _write(
    session: Session,
    sections: Mapping[tuple[str, str], Mapping[str, Any]],
    key: str,
    query: str,
    limit: int,
    shape: Shape,
    *,
    named: bool = False,
) -> None:
    """Write one section of all, or what a query finds; `named`: component by component."""
    from wrapper.stacks import query as expressions

    if limit < 0:
        raise UsageError("--max-columns cannot be less than 0")
    found: dict[str, Any] = {}
    for (stack, component), section in sorted(sections.items()):
        value: Any = section.get(key) if key else section
        # As in Atmos a query begins at the component, whatever the command shows.
        value = expressions.run(query, section) if query else value
        if value is None or value == {}:
            continue
        if named:
            found.setdefault(stack, {})[component] = value
        else:
            found[stack] = value
    if shape.form in output.FORMATS and shape.is_plain:
        output.emit(session, found, shape.form)
        return
    columns = dict(list(found.items())[: limit or None])
    items = [row for row in rows(columns) if _is_wanted(row, shape.filter)]
    default = [KEY, *(listing.Column(stack, "", (stack,)) for stack in columns)]
    chosen = listing.columns_of(session, (), default, shape.columns)
    shown = [{name: _cell(value) for name, value in row.items()} for row in items]
    listing.write(session, shown, chosen, shape._replace(filter=""), header=True)


def _is_wanted(row: Mapping[str, Any], condition: str) -> bool:
    from wrapper.stacks import condition as conditions

    return not condition or conditions.holds(condition, dict(row))


def rows(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one row for each key of nested maps: `key`, and the value of each stack, or ABSENT."""
    from wrapper.origins import leaves

    cells = {
        stack: {".".join(path) or "value": leaf for path, leaf in leaves(value)}
        for stack, value in columns.items()
    }
    keys = sorted({key for column in cells.values() for key in column})
    return [
        {"key": key, **{stack: cells[stack].get(key, ABSENT) for stack in cells}} for key in keys
    ]


def _cell(value: Any) -> str:
    """Return a value on one line: text as it is, when it has no line breaks or tabs."""
    if isinstance(value, str) and value.isprintable():
        return value
    return output.inline(value)
