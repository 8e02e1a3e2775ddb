"""`list stacks|components|instances`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wrapper import ui
from wrapper.cli import group, listing
from wrapper.cli.described import names_of, split, truth
from wrapper.cli.listing import Column, Columns, Delimiter, Filter, Form, Shape, Sort
from wrapper.errors import UsageError

if TYPE_CHECKING:
    from wrapper.cli.session import Session
    from wrapper.stacks import Component
    from wrapper.stacks.catalog import Row

Format = Annotated[
    str,
    typer.Option("--format", "-f", help="table, json, yaml, csv, tsv; tree of stacks, instances"),
]
Tags = Annotated[str, typer.Option(help="only with one of these tags, by comma")]
Labels = Annotated[str, typer.Option(help="only with all of these k=v, by comma")]
Flag = Annotated[str, typer.Option(help="false: leave them as text")]
Skip = Annotated[list[str], typer.Option("--skip", help="functions (without !) that stay text")]
Imports = Annotated[
    bool, typer.Option("--provenance", help="with --format tree: the files, the nearest first")
]

STACKS = (Column("Stack", "{{ .stack }}"),)
COMPONENTS = (
    Column("Component", "{{ .component }}"),
    Column("Type", "{{ .type }}"),
    Column("Stacks", "{{ .stack_count }}"),
)
INSTANCES = (Column("Component", "{{ .component }}"), Column("Stack", "{{ .stack }}"))
# What is known of a component without its sections.
_FACTS = frozenset(
    """stack component type enabled locked abstract kind stack_name component_name component_type
    component_path stack_path stack_file stack_count atmos_stack atmos_component
    atmos_component_type tags labels""".split()
)


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    lists = group(app, "list", "List what there is.")
    lists.command("stacks")(list_stacks)
    lists.command("components")(list_components)
    lists.command("instances")(list_instances)


def list_stacks(
    ctx: typer.Context,
    component: Annotated[str, typer.Option("--component", "-c", help="that have this one")] = "",
    form: Format = "",
    columns: Columns = "",
    sort: Sort = "",
    filter: Filter = "",  # noqa: A002  the flag's name
    delimiter: Delimiter = "",
    provenance: Imports = False,
) -> None:
    """List the stacks."""
    from wrapper import stacks
    from wrapper.stacks import overview

    session: Session = ctx.obj
    shape = Shape(form, columns, sort, filter, delimiter)
    config = session.config()
    default = (*STACKS, Column("Component", "{{ .component }}")) if component else STACKS
    chosen = listing.columns_of(session, ("stacks", "list", "columns"), default, columns)
    names = stacks.stack_names(config, session.world, component or None)
    if form == "tree":
        files = overview.manifests(config, session.world)
        shown = {name: files.get(name, ()) if provenance else () for name in names}
        session.world.stdout.write(listing.tree("Stacks", shown))
        return
    if not form and not component and shape.is_plain and tuple(chosen) == STACKS:
        session.world.stdout.write("".join(f"{ui.line(name)}\n" for name in names))
        return
    files = {}
    if {"stack_path", "stack_file"} & listing.fields(chosen, shape):
        files = overview.manifests(config, session.world)
    items = []
    for name in names:
        item: dict[str, Any] = {"stack": name, "stack_name": name, "atmos_stack": name}
        path = files.get(name, ("",))[0]
        items.append({**item, "stack_path": path, "stack_file": path, "component": component})
    listing.write(session, items, chosen, shape)


def list_components(
    ctx: typer.Context,
    form: Form = "",
    kind: Annotated[str, typer.Option("--type", "-t", help="real, abstract or all")] = "real",
    enabled: Annotated[str, typer.Option(help="true or false: only such ones")] = "",
    locked: Annotated[str, typer.Option(help="true or false: only such ones")] = "",
    abstract: Annotated[bool, typer.Option("--abstract", help="show abstract ones too")] = False,
    tags: Tags = "",
    labels: Labels = "",
    columns: Columns = "",
    sort: Sort = "",
    filter: Filter = "",  # noqa: A002  the flag's name
    delimiter: Delimiter = "",
    process_functions: Flag = "true",
    process_templates: Flag = "true",
    skip: Skip = [],  # noqa: B006
) -> None:
    """List the components, with the number of stacks that have them."""
    from wrapper.stacks import overview

    session: Session = ctx.obj
    shape = Shape(form, columns, sort, filter, delimiter)
    kind = "all" if abstract and kind == "real" else kind
    if kind not in ("real", "abstract", "all"):
        raise UsageError(f'unknown type "{kind}"', hint="real, abstract and all are known")
    rows = [
        row
        for row in overview.rows(session.config(), session.world, session.globals.stack)
        if (kind == "all" or row.abstract == (kind == "abstract"))
        and (not enabled or row.enabled == truth(enabled))
        and (not locked or row.locked == truth(locked))
        and _marked(row, tags, labels)
    ]
    place = ("components", "list", "columns")
    chosen = listing.columns_of(session, place, COMPONENTS, columns)
    counted: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        counted.setdefault((row.component, row.kind), []).append(row)
    items, base = [], _base(session)
    deep = bool(listing.fields(chosen, shape) - _FACTS)
    sections = _sections(session, process_templates, process_functions, skip, kind) if deep else {}
    for _, same in sorted(counted.items()):
        facts = _facts(base, same[0], "")
        # What differs from stack to stack is that of the first.
        section = sections.get((same[0].stack or "", same[0].component), {})
        items.append({**section, **facts, "stack_count": len({row.stack for row in same})})
    listing.write(session, items, chosen, shape)


def list_instances(
    ctx: typer.Context,
    form: Annotated[
        str,
        typer.Option("--format", "-f", help="table, json, yaml, csv, tsv, tree, matrix"),
    ] = "",
    tags: Tags = "",
    labels: Labels = "",
    columns: Columns = "",
    sort: Sort = "",
    filter: Filter = "",  # noqa: A002  the flag's name
    delimiter: Delimiter = "",
    provenance: Imports = False,
    output_file: Annotated[
        str, typer.Option("--output-file", "-o", help="with --format matrix: add key=value here")
    ] = "",
    process_functions: Flag = "true",
    process_templates: Flag = "true",
    skip: Skip = [],  # noqa: B006
) -> None:
    """List each component of each stack."""
    from wrapper.stacks import overview

    session: Session = ctx.obj
    shape = Shape(form, columns, sort, filter, delimiter)
    if output_file and form != "matrix":
        raise UsageError("--output-file is for --format matrix")
    place = ("components", "list", "columns")
    chosen = listing.columns_of(session, place, INSTANCES, columns)
    found = {
        (row.component, row.stack or ""): row
        for row in overview.rows(session.config(), session.world, session.globals.stack)
        if not row.abstract and _marked(row, tags, labels)
    }
    items, base = [], _base(session)
    deep = bool(listing.fields(chosen, shape) - _FACTS)
    sections = _sections(session, process_templates, process_functions, skip, "") if deep else {}
    for (name, stack), row in sorted(found.items()):
        section = sections.get((stack, name), {})
        items.append({**section, **_facts(base, row, stack)})
    if form in ("tree", "matrix"):
        kept = listing.rows(
            items, (Column("c", "{{ .component }}"), Column("s", "{{ .stack }}")), shape
        )
        rows = [found[one["c"], one["s"]] for one in kept]
        draw = _matrix if form == "matrix" else _tree
        draw(session, rows, output_file, provenance)
        return
    listing.write(session, items, chosen, shape)


def _marked(row: Row, tags: str, labels: str) -> bool:
    pairs = [tuple(part.partition("=")[::2]) for part in split(labels)]
    return (not tags or bool(set(split(tags)) & set(row.tags))) and all(
        pair in row.labels for pair in pairs
    )


def _base(session: Session) -> str:
    config = session.config()
    return os.path.relpath(config.terraform_dir or ".", config.base_path or ".")


def _facts(base: str, row: Row, stack: str) -> dict[str, Any]:
    """Return what is known of a component without its sections, under Atmos's names.

    `base` is the directory of components, relative to the base path.
    """
    return {
        "component": row.component,
        "component_name": row.component,
        "atmos_component": row.component,
        "component_path": f"{base}/{row.component}" if row.kind == "terraform" else row.component,
        "type": row.kind,
        "kind": row.kind,
        "component_type": row.kind,
        "atmos_component_type": row.kind,
        "enabled": row.enabled,
        "locked": row.locked,
        "abstract": row.abstract,
        "tags": list(row.tags),
        "labels": dict(row.labels),
        **({"stack": stack, "stack_name": stack, "atmos_stack": stack} if stack else {}),
    }


def _sections(
    session: Session, templates: str, functions: str, skip: list[str], kind: str
) -> Mapping[tuple[str, str], Mapping[str, Any]]:
    """Return (stack, component) -> section of all components, evaluated."""
    from wrapper import run, stacks
    from wrapper.stacks import overview

    config, world = session.config(), session.world
    reader = run.reader(config, session.globals.identity, world, masks=True)

    def evaluated(one: Component) -> Component:
        return stacks.evaluate(
            one, config, world, config.environ, skip=names_of(skip), reader=reader
        )

    return overview.values(
        config,
        world,
        overview.Chosen(session.globals.stack),
        abstract=kind in ("abstract", "all"),
        templates=truth(templates),
        evaluated=evaluated if truth(functions) else None,
        reader=reader,
    )


def _tree(session: Session, rows: list[Row], _file: str, provenance: bool) -> None:
    from wrapper.stacks import overview

    files = overview.manifests(session.config(), session.world) if provenance else {}
    drawn: dict[str, dict[str, Any]] = {}
    for row in rows:
        drawn.setdefault(row.stack or "", {})[row.component] = files.get(row.stack or "", ())
    session.world.stdout.write(listing.tree("Component Instances", dict(sorted(drawn.items()))))


def _matrix(session: Session, rows: list[Row], file: str, _provenance: bool) -> None:
    """Write the instances as a matrix of GitHub Actions, or add it to a file as `key=value`."""
    import json

    from wrapper.errors import StoreError
    from wrapper.stacks import overview

    paths = overview.module_paths(session.config(), session.world, rows)
    entries = [
        {
            "stack": row.stack or "",
            "component": row.component,
            "component_path": path,
            "component_type": row.kind,
        }
        for row, path in zip(rows, paths, strict=True)
    ]
    text = json.dumps({"include": entries}, separators=(",", ":"), ensure_ascii=False)
    if not file:
        session.world.stdout.write(f"{text}\n")
        return
    path = os.path.join(session.world.cwd, file)
    try:
        with open(path, "a", encoding="utf-8") as stream:
            stream.write(f"matrix={text}\ncount={len(entries)}\n")
    except OSError as error:
        raise StoreError(f"cannot write the matrix: {error.strerror}", at=path) from error
