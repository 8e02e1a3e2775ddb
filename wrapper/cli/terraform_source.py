"""`terraform source …` and `terraform workdir …`: modules from elsewhere, working directories.

Source: reference/atmos-stacks.md 3.14, 5.8; docs/explanation/working-directories.md.
"""

from __future__ import annotations

import os

from wrapper import ui
from wrapper.cli import output
from wrapper.cli.terraform_storage import agreed, component_of, form_of
from wrapper.errors import StackError, UsageError
from wrapper.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from wrapper.cli.session import Session
    from wrapper.config import Config
    from wrapper.stacks import Component
    from wrapper.terraform.invocation import Invocation
    from wrapper.terraform.source import Spec
    from wrapper.terraform.workdirs import Place


def main(session: Session, invocation: Invocation) -> int:
    """Carry out one of the commands; return the exit code. Raises: UsageError, StackError."""
    commands = {
        "source pull": _pull,
        "source list": _list,
        "source describe": _describe,
        "source delete": _delete,
        "workdir list": _workdirs,
        "workdir show": _show,
        "workdir describe": _described,
        "workdir clean": _clean,
    }
    return commands[invocation.command](session, invocation)


# ---- source -------------------------------------------------------------------------------------


def _source_of(session: Session, invocation: Invocation) -> tuple[Config, Component, Spec]:
    from wrapper.terraform import source

    config, component = component_of(session, invocation)
    spec = source.of(component)
    if spec is None:
        raise StackError(
            f'the component "{component.name}" in "{component.stack}" has no `source`',
            at=component.where(),
            hint="for example: source: {uri: github.com/org/repo//modules/vpc, version: 1.2.0}",
        )
    return config, component, spec


def _pull(session: Session, invocation: Invocation) -> int:
    """Put a module where Terraform runs; with `--force` what its source holds now."""
    from wrapper.terraform import files, vendor, workdir

    config, component, spec = _source_of(session, invocation)
    world = session.world
    if files.has_workdir(component, config):
        workdir.provision(component, config, world, anew=invocation.force)
        ui.note(world, f"{workdir.path(component, config)} is as the source is")
    elif not vendor.fill(component, config, spec, world, force=invocation.force):
        target = vendor.directory(component, config, spec)
        ui.note(world, f"{target} is filled already: --force lays what is there now over it")
    return 0


def _list(session: Session, invocation: Invocation) -> int:
    """List the components that have a source, of a stack or of all."""
    from wrapper.remote.address import hidden
    from wrapper.stacks import overview
    from wrapper.terraform import source

    chosen = overview.Chosen(invocation.stack, kinds=("terraform",))
    known = overview.values(session.config(), session.world, chosen)
    rows = []
    for (stack, name), section in sorted(known.items()):
        spec = source.of_section(section, None)
        folder = str((section.get("metadata") or {}).get("component") or name)
        if spec is not None and invocation.component in (None, name, folder):
            rows.append(
                {"Stack": stack, "Component": name, "Folder": folder, "URI": hidden(spec.uri),
                 "Version": spec.version}
            )  # fmt: skip
    unneeded = {"Stack"} if invocation.stack else set()
    if all(row["Component"] == row["Folder"] for row in rows):
        unneeded.add("Folder")
    shown = [{key: row[key] for key in row if key not in unneeded} for row in rows]
    output.table(session, shown, invocation.format or "", header=True)
    if not rows:
        ui.note(session.world, "no component has a source")
    return 0


def _describe(session: Session, invocation: Invocation) -> int:
    """Show a component's source, as in a manifest."""
    _, component, _ = _source_of(session, invocation)
    told = component.section["source"]
    form = form_of(invocation, "yaml", ("yaml", "json"))
    output.emit(session, {"components": {"terraform": {component.name: {"source": told}}}}, form)
    return 0


def _delete(session: Session, invocation: Invocation) -> int:
    """Delete what was fetched for a component; what else is there stays."""
    from wrapper.terraform import files, vendor, workdirs

    config, component, spec = _source_of(session, invocation)
    world = session.world
    if files.has_workdir(component, config):
        place = workdirs.of(config, world, component.name, component.stack)
        return _delete_all(session, invocation, [place], "source delete deletes files")
    found = vendor.vendored(component, config, spec)
    if found is None:
        ui.note(world, f"{vendor.directory(component, config, spec)} is not there")
        return 0
    listing = f"  {found.target}: {len(found.fetched)} files of the source\n"
    listing += "".join(f"  {os.path.join(found.target, path)}\n" for path in found.made)
    if not agreed(world, invocation, listing, "source delete deletes files"):
        return 0 if invocation.dry_run else 1
    vendor.delete(found, world)
    if found.left:
        ui.note(world, f"not of the source, so they stay: {', '.join(found.left)}")
    return 0


# ---- workdir ------------------------------------------------------------------------------------

_TOLD = ("component", "stack", "source_type", "source", "created_at", "updated_at")
_COLUMNS = ("Workdir", "Component", "Stack", "Source", "Created", "Updated")


def _workdirs(session: Session, invocation: Invocation) -> int:
    """List the working directories that are there."""
    from wrapper.terraform import workdirs

    places = [
        place
        for place in workdirs.found(session.config(), session.world)
        if invocation.stack in (None, place.says("stack"))
    ]
    form = form_of(invocation, "table", ("table", "json", "yaml"))
    if form != "table":
        facts = [{"name": place.name, **_facts(place)} for place in places]
        output.emit(session, facts, form)
        return 0
    keys = ("component", "stack", "source_type", "created_at", "updated_at")
    rows = [
        dict(zip(_COLUMNS, (place.name, *map(place.says, keys)), strict=True)) for place in places
    ]
    output.table(session, rows, "", header=True)
    return 0


def _facts(place: Place) -> dict[str, str]:
    told = {key: place.says(key) for key in _TOLD} | {"source": place.source}
    return {**{key: value for key, value in told.items() if value}, "path": place.path}


def _place_of(session: Session, invocation: Invocation) -> Place:
    from wrapper.terraform import workdirs

    config, world = session.config(), session.world
    return workdirs.of(config, world, invocation.component or "", invocation.stack or "")


def _show(session: Session, invocation: Invocation) -> int:
    """Show what is known of a component's working directory."""
    from datetime import UTC, datetime

    from wrapper.terraform import workdirs

    place = _place_of(session, invocation)
    used = datetime.fromtimestamp(place.used, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    facts = {"name": place.name, **_facts(place), "last_accessed": used}
    for key, value in facts.items():
        session.world.stdout.write(f"{key.replace('_', ' '):<15}{ui.line(value)}\n")
    for state in workdirs.states(place):
        session.world.stdout.write(f"{'local state':<15}{ui.line(state)}\n")
    return 0


def _described(session: Session, invocation: Invocation) -> int:
    """Show the same as a piece of a manifest."""
    place = _place_of(session, invocation)
    facts = {
        key: value for key, value in _facts(place).items() if key not in ("component", "stack")
    }
    told = {place.says("component"): {"metadata": {"workdir": {"name": place.name, **facts}}}}
    form = form_of(invocation, "yaml", ("yaml", "json"))
    output.emit(session, {"components": {"terraform": told}}, form)
    return 0


def _clean(session: Session, invocation: Invocation) -> int:
    """Delete a component's working directory, all of them, or those long unused."""
    from wrapper.remote import store
    from wrapper.terraform import workdirs

    ways = [invocation.everywhere, invocation.expired, invocation.component is not None]
    if sum(ways) != 1 or (invocation.component is not None and not invocation.stack):
        raise UsageError(
            "workdir clean needs one of: COMPONENT -s STACK, --all, --expired --ttl TIME"
        )
    if invocation.expired != bool(invocation.ttl):
        raise UsageError("--expired and --ttl go together", hint="--expired --ttl 7d")
    if invocation.component is not None:
        places = [_place_of(session, invocation)]
    else:
        places = workdirs.found(session.config(), session.world)
        if invocation.stack:
            places = [place for place in places if place.says("stack") == invocation.stack]
    if invocation.expired:
        try:
            seconds = store.ttl(invocation.ttl) or 0.0
        except ValueError as error:
            raise UsageError(f"--ttl: {error}") from error
        places = [place for place in places if place.used + seconds < session.world.now()]
    return _delete_all(session, invocation, places, "workdir clean deletes directories")


def _delete_all(session: Session, invocation: Invocation, places: list[Place], what: str) -> int:
    from wrapper.terraform import workdirs

    world = session.world
    if not places:
        ui.note(world, "there is no working directory to delete")
        return 0
    listing = ""
    for place in places:
        listing += f"  {ui.line(place.path)}\n"
        for state in workdirs.states(place):
            listing += f"    with the local state {ui.line(state)}\n"
    if not agreed(world, invocation, listing, what):
        return 0 if invocation.dry_run else 1
    for place in places:
        workdirs.delete(place, world)
    ui.note(world, f"deleted: {', '.join(place.name for place in places)}")
    return 0
