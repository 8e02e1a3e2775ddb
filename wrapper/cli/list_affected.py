"""`list affected`: what `describe affected` finds, as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import typer  # noqa: TC002  read by Typer itself, from the annotations

from wrapper.cli import affected, group, listing
from wrapper.cli.affected import (
    Base,
    Clone,
    Dependents,
    Functions,
    Labels,
    Ref,
    RepoPath,
    Sha,
    SshKey,
    SshPassword,
    Tags,
    Templates,
    Unlocked,
)
from wrapper.cli.listing import Column, Columns, Delimiter, Filter, Form, Shape, Sort
from wrapper.cli.stacks import Skip

if TYPE_CHECKING:
    from wrapper.cli.session import Session
    from wrapper.stacks.sides import Side

COLUMNS = (
    Column("Status", "{{ .status }}"),
    Column("Component", "{{ .component }}"),
    Column("Stack", "{{ .stack }}"),
    Column("Type", "{{ .component_type }}"),
    Column("Affected", "{{ .affected }}"),
    Column("File", "{{ .file }}"),
)
# Every row has these, so that a column of one that is empty is no mistake.
_TEXTS = (
    "namespace", "tenant", "environment", "stage", "file", "folder", "spacelift_stack",
    "atlantis_project", "deletion_type",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add this command to the application."""
    group(app, "list", "List what there is.").command("affected")(list_affected)


def list_affected(
    ctx: typer.Context,
    base: Base = "",
    ref: Ref = "",
    sha: Sha = "",
    repo_path: RepoPath = "",
    clone_target_ref: Clone = False,
    ssh_key: SshKey = "",
    ssh_key_password: SshPassword = "",
    form: Form = "",
    columns: Columns = "",
    sort: Sort = "",
    filter: Filter = "",  # noqa: A002  the flag's name
    delimiter: Delimiter = "",
    include_dependents: Dependents = False,
    exclude_locked: Unlocked = False,
    tags: Tags = "",
    labels: Labels = "",
    process_templates: Templates = "true",
    process_functions: Functions = "true",
    skip: Skip = [],  # noqa: B006
) -> None:
    """List the components that differ from another commit."""
    from wrapper import run
    from wrapper.cli.described import names_of, truth
    from wrapper.stacks import affected as comparison
    from wrapper.stacks.baseline import Against
    from wrapper.stacks.sides import Asked

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
    found = comparison.compared(config, world, against, asked)
    needed = affected.needed_by(found.own, asked.stack) if include_dependents else {}
    items: list[dict[str, Any]] = []
    for item in found.items:
        if affected.fits(item, tags, labels):
            entry = affected.entry_of(item, found.own, needed, settings=True)
            items += _rows(entry, found.own, item.row.enabled, item.row.locked, 0)
    shape = Shape(form, columns, sort, filter, delimiter)
    chosen = listing.columns_of(session, (), COLUMNS, columns)
    # That nothing is affected says nothing of the stack.
    listing.write(session, items, chosen, shape, about_stacks=False)


def _rows(
    entry: Mapping[str, Any], own: Side, enabled: bool, locked: bool, depth: int
) -> Iterator[dict[str, Any]]:
    """Yield an entry of `describe affected` as a row, and those that depend on it after it."""
    from wrapper.stacks.sides import Key

    dependents = entry["dependents"]
    reasons = {"affected": "dependent", "affected_all": "dependent"} if depth else {}
    yield {
        **dict.fromkeys(_TEXTS, ""),
        **{key: value for key, value in entry.items() if key != "dependents"},
        **reasons,
        **({} if depth else {"affected_all": ",".join(entry["affected_all"])}),
        "deleted": bool(entry.get("deleted")),
        "settings": entry.get("settings") or {},
        "enabled": enabled,
        "locked": locked,
        "status": "locked" if locked else "enabled" if enabled else "disabled",
        "is_dependent": depth > 0,
        "depth": depth,
        "dependents_count": len(dependents),
    }
    for one in dependents:
        row = own.rows[Key(one["stack"], "terraform", one["component"])]
        yield from _rows(one, own, row.enabled, row.locked, depth + 1)
