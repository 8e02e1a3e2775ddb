"""`describe dependents`: which components name one as something they need."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wrapper.cli import group, output

if TYPE_CHECKING:
    from wrapper.cli.session import Session
    from wrapper.config import Config
    from wrapper.stacks import Component
    from wrapper.stacks.dependencies import Node

_CONTEXT = ("namespace", "tenant", "environment", "stage")


def register(app: typer.Typer) -> None:
    """Add this command to the application."""
    found = group(app, "describe", "Show what the configuration means.")
    found.command("dependents")(describe_dependents)


def describe_dependents(
    ctx: typer.Context,
    component: Annotated[str, typer.Argument(help="the component's name")],
    form: Annotated[str, typer.Option("--format", "-f", help="json or yaml")] = "json",
    query: Annotated[
        str, typer.Option("--query", "-q", help="show one value, such as .[0].component")
    ] = "",
    file: Annotated[str, typer.Option("--file", help="write to this file, not to stdout")] = "",
    process_templates: Annotated[str, typer.Option(help="false: leave templates as text")] = "true",
) -> None:
    """Show the components that depend on one component of one stack, and those on them."""
    from wrapper import run, stacks
    from wrapper.cli.described import truth
    from wrapper.errors import UsageError
    from wrapper.stacks import dependencies, overview
    from wrapper.stacks.settings import settings_of

    session: Session = ctx.obj
    stack = session.globals.stack
    if not stack:
        raise UsageError("stack is required", hint="`--stack NAME`, in short `-s NAME`")
    config, world = session.config(), session.world
    templates = truth(process_templates)
    reader = run.reader(config, session.globals.identity, world, masks=True)
    own = stacks.component(config, world, component, stack, templates=templates, reader=reader)
    known: dict[Node, Component] = {}
    needs: dict[Node, tuple[Node, ...]] = {}
    for one in overview.each(config, world, templates=templates, reader=reader):
        node = dependencies.Node(one.name, one.stack)
        if one.kind == "terraform" and node not in known:
            known[node] = one
            needs[node] = dependencies.needs(one, settings_of(config))
    start = dependencies.Node(own.name, own.context_prefix if "/" in stack else own.stack)
    found: Any = _after(start, known, needs, config, (start,))
    if query:
        from wrapper.stacks import query as expressions

        found = expressions.run(query, found)
    output.emit(session, found, form, file, apart=bool(query))


def _after(
    node: Node,
    known: Mapping[Node, Component],
    needs: Mapping[Node, tuple[Node, ...]],
    config: Config,
    way: tuple[Node, ...],
) -> list[dict[str, Any]]:
    """Return who needs a node, each with those who need it in turn; a circle ends where it began."""
    found = [one for one, before in needs.items() if node in before and one not in way]
    return [
        {
            **shown(known[one], config),
            "dependents": _after(one, known, needs, config, (*way, one)),
        }
        for one in sorted(found, key=lambda one: (one.stack, one.component))
    ]


def shown(component: Component, config: Config) -> dict[str, Any]:
    """Return what lists of components show of one."""
    variables = component.section.get("vars") or {}
    info = component.section.get("component_info") or {}
    path = str(info.get("component_path") or "")
    if path.startswith(config.base_path + os.sep):
        path = os.path.relpath(path, config.base_path)
    context = {key: variables[key] for key in _CONTEXT if variables.get(key)}
    return {
        "component": component.name,
        "component_type": component.kind,
        "component_path": path,
        "stack": component.stack,
        "stack_slug": f"{component.stack}-{component.name.replace('/', '-')}",
        "included_in_dependents": False,
        **context,
    }
