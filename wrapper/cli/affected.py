"""`describe affected`: which components a change of the repository affects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wrapper.cli import group, output
from wrapper.cli.stacks import File, Query, Skip

if TYPE_CHECKING:
    from wrapper.cli.session import Session
    from wrapper.stacks.affected import Found, Item
    from wrapper.stacks.dependencies import Node
    from wrapper.stacks.sides import Key, Side

_CONTEXT = ("namespace", "tenant", "environment", "stage")
Base = Annotated[
    str,
    typer.Option(help="branch of origin, or commit, to compare with; X...: where HEAD left X"),
]
Ref = Annotated[str, typer.Option(help="the same, as a full reference: refs/heads/main")]
Sha = Annotated[str, typer.Option(help="the same, as the name of a commit")]
RepoPath = Annotated[str, typer.Option(help="compare with this other clone as it is")]
Clone = Annotated[
    bool, typer.Option("--clone-target-ref", help="fetch the commit from origin, beside the clone")
]
SshKey = Annotated[str, typer.Option(help="private key to fetch with")]
SshPassword = Annotated[str, typer.Option(help="the password of that key")]
Dependents = Annotated[
    bool, typer.Option("--include-dependents", help="also what depends on these")
]
Unlocked = Annotated[bool, typer.Option("--exclude-locked", help="leave out what is locked")]
Tags = Annotated[str, typer.Option(help="only with one of these tags, by comma")]
Labels = Annotated[str, typer.Option(help="only with all of these k=v, by comma")]
Templates = Annotated[str, typer.Option(help="false: leave templates as text")]
Functions = Annotated[str, typer.Option(help="false: leave YAML functions as text")]

_ADMIN = "stack.settings.spacelift.admin_stack_selector"


def register(app: typer.Typer) -> None:
    """Add this command to the application."""
    group(app, "describe", "Show what the configuration means.").command("affected")(
        describe_affected
    )


def describe_affected(
    ctx: typer.Context,
    base: Base = "",
    ref: Ref = "",
    sha: Sha = "",
    repo_path: RepoPath = "",
    clone_target_ref: Clone = False,
    ssh_key: SshKey = "",
    ssh_key_password: SshPassword = "",
    form: Annotated[str, typer.Option("--format", "-f", help="json or yaml")] = "json",
    query: Query = "",
    file: File = "",
    include_dependents: Dependents = False,
    include_settings: Annotated[
        bool, typer.Option("--include-settings", help="also their section settings")
    ] = False,
    include_spacelift_admin_stacks: Annotated[
        bool,
        typer.Option("--include-spacelift-admin-stacks", help="also the stacks that manage them"),
    ] = False,
    exclude_locked: Unlocked = False,
    tags: Tags = "",
    labels: Labels = "",
    process_templates: Templates = "true",
    process_functions: Functions = "true",
    skip: Skip = [],  # noqa: B006
    upload: Annotated[bool, typer.Option("--upload", help="refused: there is no server")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="say what was compared, and which files differ")
    ] = False,
) -> None:
    """Show the components that differ from another commit, with the reasons."""
    from wrapper import run, ui
    from wrapper.cli.described import names_of, truth
    from wrapper.errors import UsageError
    from wrapper.stacks import affected
    from wrapper.stacks.baseline import Against
    from wrapper.stacks.sides import Asked

    if upload:
        raise UsageError(
            "--upload sends the list to Atmos Pro, which this program does not talk to",
            hint="write it to a file with --file, and send that",
        )
    session: Session = ctx.obj
    config, world = session.config(), session.world
    asked = Asked(
        lambda side: run.reader(side, session.globals.identity, world),
        stack=session.globals.stack or "",
        templates=truth(process_templates),
        functions=truth(process_functions),
        skip=names_of(skip),
        locked=not exclude_locked,
    )
    against = Against(base, ref, sha, repo_path, clone_target_ref, ssh_key, ssh_key_password)
    found = affected.compared(config, world, against, asked, files=verbose)
    if verbose:
        ui.note(world, f"compared with {found.shown}; files that differ:")
        for path in found.changed:
            ui.note(world, f"  {path}")
    items = list(found.items)
    if include_spacelift_admin_stacks:
        items += _admin_stacks(found)
    items = [item for item in items if fits(item, tags, labels)]
    needed = needed_by(found.own, asked.stack) if include_dependents else {}
    shown: Any = [entry_of(item, found.own, needed, settings=include_settings) for item in items]
    within = {pair for entry in shown for pair in _below(entry)}
    for entry in shown:
        entry["included_in_dependents"] = (entry["component"], entry["stack"]) in within
    if query:
        from wrapper.stacks import query as expressions

        shown = expressions.run(query, shown)
    output.emit(session, shown, form, file, apart=bool(query))


def entry_of(
    item: Item, own: Side, needed: Mapping[Node, list[Node]], *, settings: bool
) -> dict[str, Any]:
    """Return an item as Atmos shows it; what is not asked for is empty."""
    from wrapper.cli import dependents

    section = item.component.section
    found = dependents.shown(item.component, own.config)
    found |= {
        key: section[key] for key in ("spacelift_stack", "atlantis_project") if section.get(key)
    }
    found |= {"affected": item.reasons[0], "affected_all": list(item.reasons)}
    found |= {key: path for key, path in (("file", item.file), ("folder", item.folder)) if path}
    if item.deletion:
        found |= {"deleted": True, "deletion_type": item.deletion}
    alive = item.row.kind == "terraform" and not item.deletion
    found["dependents"] = _after(item.node, own, needed, (item.node,)) if alive else []
    found["settings"] = (section.get("settings") or {}) if settings else {}
    return found


def needed_by(own: Side, stack: str) -> dict[Node, list[Node]]:
    """Return for each component those that need it, in the stack that is asked for."""
    from wrapper.stacks import dependencies, names
    from wrapper.stacks.overview import Chosen

    found: dict[Node, list[Node]] = {}
    settings = own.repository.settings
    for key, row in sorted(own.rows.items()):
        shown = names.path_name(own.manifests[key], settings.stacks_dir)
        wanted = Chosen(stack or None).has_stack(key.stack, shown)
        if row.kind != "terraform" or row.abstract or not wanted:
            continue
        for other in dependencies.needs(own.component(key), settings):
            found.setdefault(other, []).append(dependencies.Node(key.name, key.stack))
    return found


def _after(
    node: Node, own: Side, needed: Mapping[Node, list[Node]], way: tuple[Node, ...]
) -> list[dict[str, Any]]:
    """Return who needs a component, each with who needs it in turn; a circle ends where it began."""
    from wrapper.cli import dependents
    from wrapper.stacks.sides import Key

    return [
        {
            **dependents.shown(
                own.component(Key(one.stack, "terraform", one.component)), own.config
            ),
            "dependents": _after(one, own, needed, (*way, one)),
        }
        for one in needed.get(node, ())
        if one not in way
    ]


def _below(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for one in entry["dependents"]:
        yield one["component"], one["stack"]
        yield from _below(one)


def fits(item: Item, tags: str, labels: str) -> bool:
    """Say whether a component has one of the tags and all of the labels."""
    from wrapper.cli.terraform_bulk import label, several

    wanted = several(tags)
    return (not wanted or not set(wanted).isdisjoint(item.row.tags)) and all(
        label(pair) in item.row.labels for pair in several(labels)
    )


def _admin_stacks(found: Found) -> list[Item]:
    """Return the Spacelift administration stacks that manage what is affected, each once."""
    from wrapper.stacks.affected import Item

    listed = {item.node for item in found.items}
    made: list[Item] = []
    for item in found.items:
        selector = _within(item.component.section, "settings", "spacelift", "admin_stack_selector")
        if not isinstance(selector, Mapping) or item.deletion:
            continue
        for key, row in found.own.rows.items():
            if row.component == selector.get("component") and _manages(found.own, key, selector):
                one = Item(found.own.component(key), row, (_ADMIN,))
                if one.node not in listed:
                    listed.add(one.node)
                    made.append(one)
    return made


def _manages(own: Side, key: Key, selector: Mapping[str, Any]) -> bool:
    section = own.component(key).section
    variables = section.get("vars") or {}
    return _within(section, "settings", "spacelift", "workspace_enabled") is True and all(
        variables.get(name) == selector[name] for name in _CONTEXT if name in selector
    )


def _within(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
