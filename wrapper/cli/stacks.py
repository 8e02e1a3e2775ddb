"""`describe component|stacks`, `validate stacks`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wrapper.cli import described, group, output
from wrapper.cli.described import names_of, split, truth

if TYPE_CHECKING:
    from wrapper.cli.session import Session
    from wrapper.stacks import Component

Format = Annotated[str, typer.Option("--format", "-f", help="json or yaml")]
Query = Annotated[str, typer.Option("--query", "-q", help="show one value, such as .vars.region")]
File = Annotated[str, typer.Option("--file", help="write to this file instead of stdout")]
Functions = Annotated[
    bool, typer.Option("--process-functions/--no-process-functions", help="run YAML functions")
]
Skip = Annotated[list[str], typer.Option("--skip", help="functions (without !) that stay text")]
ErrorMode = Annotated[
    str, typer.Option("--error-mode", help="strict: an output that is not there is an error")
]


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    describe = group(app, "describe", "Show what the configuration means.")
    describe.command("component")(describe_component)
    describe.command("stacks")(describe_stacks)
    group(app, "validate", "Check files.").command("stacks")(validate_stacks)


def describe_component(
    ctx: typer.Context,
    component: Annotated[str, typer.Argument(help="the component's name")],
    form: Format = "yaml",
    query: Query = "",
    file: File = "",
    process_functions: Annotated[
        str, typer.Option(help="false: leave YAML functions as text")
    ] = "true",
    process_templates: Annotated[str, typer.Option(help="false: leave templates as text")] = "true",
    skip: Skip = [],  # noqa: B006
    provenance: Annotated[
        bool, typer.Option("--provenance", help="show the file and line of each key, in YAML")
    ] = False,
    error_mode: ErrorMode = "",
) -> None:
    """Show one component of one stack, resolved."""
    described.component(
        ctx.obj,
        component,
        form=form,
        query=query,
        file=file,
        functions=process_functions,
        templates=process_templates,
        skip=skip,
        provenance=provenance,
        error_mode=error_mode,
    )


def describe_stacks(
    ctx: typer.Context,
    form: Format = "yaml",
    query: Query = "",
    file: File = "",
    components: Annotated[str, typer.Option(help="only these, by comma")] = "",
    component_types: Annotated[str, typer.Option(help="only these types, by comma")] = "",
    sections: Annotated[str, typer.Option(help="only these sections, by comma; none")] = "",
    process_functions: Annotated[
        str, typer.Option(help="false: leave YAML functions as text")
    ] = "true",
    process_templates: Annotated[str, typer.Option(help="false: leave templates as text")] = "true",
    skip: Skip = [],  # noqa: B006
    include_empty_stacks: Annotated[
        bool, typer.Option("--include-empty-stacks", help="also manifests without components")
    ] = False,
    error_mode: ErrorMode = "",
) -> None:
    """Show every component of every stack, resolved."""
    from wrapper import run, stacks
    from wrapper.stacks import overview

    session: Session = ctx.obj
    config = session.config()
    reader = run.reader(config, session.globals.identity, session.world, masks=True)
    strict = described.is_strict(session, error_mode)

    def evaluated(one: Component) -> Component:
        return stacks.evaluate(
            one,
            config,
            session.world,
            config.environ,
            skip=names_of(skip),
            reader=reader,
            strict=strict,
        )

    chosen = overview.Chosen(
        session.globals.stack, split(components), split(component_types), derived=True
    )
    each = overview.described(
        config,
        session.world,
        chosen,
        templates=truth(process_templates),
        evaluated=evaluated if truth(process_functions) else None,
        reader=reader,
        empty=include_empty_stacks,
        order=output.order(form),
    )
    wanted = split(sections)
    shown = ((name, _with_sections(body, wanted) if wanted else body) for name, body in each)
    if query:
        from wrapper.stacks import query as expressions

        output.emit(session, expressions.run(query, dict(shown)), form, file)
    else:
        given = session.globals.stack or components or component_types
        output.emit_each(session, _counted(session, shown) if given else shown, form, file)


def validate_stacks(ctx: typer.Context) -> int:
    """Check every manifest: syntax, imports, sections, inheritance, duplicates."""
    import os

    from wrapper.errors import StackError
    from wrapper.stacks import overview

    session: Session = ctx.obj
    config = session.config()
    if not os.path.isdir(config.stacks_dir):
        return 0
    problems = overview.problems(config, session.world)
    if problems:
        session.world.stderr.write("".join(f"- {line}\n" for line in problems))
        raise StackError(f"{len(problems)} problem(s) in the stack manifests")
    session.world.stderr.write("✓ All stacks validated successfully\n")
    return 0


def _counted(session: Session, entries: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Yield the entries, and warn when there are none: a name was mistyped."""
    none = True
    for entry in entries:
        none = False
        yield entry
    if none:
        from wrapper import ui

        ui.warn(session.world, "no component is as -s, --components and --component-types say")


def _with_sections(stack: Mapping[str, Any], wanted: tuple[str, ...]) -> dict[str, Any]:
    return {
        "components": {
            kind: {
                name: {key: value for key, value in body.items() if key in wanted}
                for name, body in members.items()
            }
            for kind, members in stack["components"].items()
        }
    }
