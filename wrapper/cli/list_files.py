"""`list workflows|vendor`: what stands in files beside the manifests of stacks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wrapper import ui
from wrapper.cli import group, listing
from wrapper.cli.described import split
from wrapper.cli.listing import Column, Columns, Delimiter, Filter, Form, Shape, Sort
from wrapper.errors import Location, WrapError

if TYPE_CHECKING:
    from wrapper.cli.session import Session
    from wrapper.config import Config
    from wrapper.world import World

WORKFLOWS = (
    Column("File", "{{ .file }}"),
    Column("Workflow", "{{ .workflow }}"),
    Column("Description", "{{ .description }}"),
    Column("Steps", "{{ .steps }}"),
)
VENDOR = (
    Column("Component", "{{ .component }}"),
    Column("Type", "{{ .type }}"),
    Column("Tags", "{{ .tags }}"),
    Column("Manifest", "{{ .manifest }}"),
    Column("Folder", "{{ .folder }}"),
)
_KINDS = ("terraform", "helmfile", "packer")
_MANIFEST = "component.yaml"
_DEEPEST = 10


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    lists = group(app, "list", "List what there is.")
    lists.command("workflows")(list_workflows)
    lists.command("vendor")(list_vendor)


def list_workflows(
    ctx: typer.Context,
    file: Annotated[
        str, typer.Option("--file", help="only this file, below `workflows.base_path` or here")
    ] = "",
    form: Form = "",
    columns: Columns = "",
    sort: Sort = "",
    filter: Filter = "",  # noqa: A002  the flag's name
    delimiter: Delimiter = "",
) -> None:
    """List the workflows with their files; one that `workflow` cannot read is a warning."""
    session: Session = ctx.obj
    config = session.config()
    items = sorted(_workflows(file, config, session.world), key=lambda one: one["key"])
    _write(session, items, WORKFLOWS, "workflows", Shape(form, columns, sort, filter, delimiter))


def _workflows(file: str, config: Config, world: World) -> Iterator[dict[str, Any]]:
    from wrapper.cli import workflow

    if file:
        here = os.path.join(world.cwd, file)
        named = here if os.path.isfile(here) else workflow.path_of(file, config)
        paths = {file: named}
    else:
        directory = workflow.directory_of(config)
        names = workflow.files_in(directory)
        paths = {name: os.path.join(directory, name) for name in names}
    for name, path in paths.items():
        try:
            found = workflow.read_file(path).get("workflows", {}).map("workflows").value
        except WrapError as error:
            if file:
                raise
            _left_out(world, name, error)
            continue
        for key, body in found.items():
            given = body if isinstance(body, Mapping) else {}
            steps = given.get("steps")
            yield {
                "key": (name, str(key)),
                "file": name,
                "workflow": str(key),
                "description": str(given.get("description") or ""),
                "stack": str(given.get("stack") or ""),
                "steps": len(steps) if isinstance(steps, list) else 0,
            }


def list_vendor(
    ctx: typer.Context,
    tags: Annotated[str, typer.Option(help="only with one of these tags, by comma")] = "",
    form: Form = "",
    columns: Columns = "",
    sort: Sort = "",
    filter: Filter = "",  # noqa: A002  the flag's name
    delimiter: Delimiter = "",
) -> None:
    """List what is vendored: by vendor manifests, and by `component.yaml` of components."""
    session: Session = ctx.obj
    config, world = session.config(), session.world
    wanted = set(split(tags))
    items = [
        item
        for item in (*_component_manifests(config, world), *_vendor_manifests(config, world))
        if not wanted or not wanted.isdisjoint(item["tags_list"])
    ]
    items.sort(key=lambda one: (one["component"], one["manifest"], one["folder"]))
    _write(session, items, VENDOR, "vendor", Shape(form, columns, sort, filter, delimiter))


def _write(
    session: Session,
    items: list[dict[str, Any]],
    default: tuple[Column, ...],
    section: str,
    shape: Shape,
) -> None:
    chosen = listing.columns_of(session, (section, "list", "columns"), default, shape.columns)
    shown = [{key: value for key, value in item.items() if key != "key"} for item in items]
    listing.write(session, shown, chosen, shape, about_stacks=False)


def _left_out(world: World, name: str, error: WrapError) -> None:
    place = f"{ui.place(error.at[0], world.cwd)}: " if error.at else ""
    ui.warn(world, f"{name} is left out: {place}{error.message}")


def _component_manifests(config: Config, world: World) -> Iterator[dict[str, Any]]:
    """Yield what each `component.yaml` below the components says of its component."""
    for kind in _KINDS:
        top = _components(config, kind)
        for place, directories, files in os.walk(top):
            deep = os.path.relpath(place, top).count(os.sep) + 1 >= _DEEPEST
            directories[:] = [] if deep else sorted(d for d in directories if d[0] != ".")
            if _MANIFEST not in files or place == top:
                continue
            path = os.path.join(place, _MANIFEST)
            found = _read(path, ("ComponentVendorConfig", "Component"), config, world)
            if found is None:
                continue
            name = os.path.relpath(place, top)
            source = _within(found, "spec", "source")
            yield _item(name, "Component Manifest", path, place, config) | _said(source, [])


def _components(config: Config, kind: str) -> str:
    if kind == "terraform":
        return config.terraform_dir
    base = _within(config.data, "components", kind).get("base_path")
    return os.path.join(config.base_path, base) if isinstance(base, str) and base else os.devnull


def _vendor_manifests(config: Config, world: World) -> Iterator[dict[str, Any]]:
    """Yield each target of each source of the vendor manifests."""
    for path in _vendor_files(config):
        found = _read(path, ("AtmosVendorConfig",), config, world)
        sources = _within(found or {}, "spec").get("sources")
        for source in sources if isinstance(sources, list) else ():
            if not isinstance(source, Mapping):
                continue
            name = str(source.get("component") or "")
            tags = source.get("tags")
            said = _said(source, [str(tag) for tag in tags] if isinstance(tags, list) else [])
            targets = source.get("targets")
            for target in targets if isinstance(targets, list) else ():
                given = target.get("path") if isinstance(target, Mapping) else target
                folder = _folder(str(given or ""), name, said["version"], path)
                item = _item(name, "Vendor Manifest", path, folder, config)
                own = source.get("file")
                manifest = {"manifest": own, "atmos_vendor_file": own} if own else {}
                yield item | said | manifest


def _vendor_files(config: Config) -> list[str]:
    """Return the vendor manifests: `vendor.base_path`, a file or a directory, or `vendor.yaml`."""
    from wrapper.cli import workflow

    base = _within(config.data, "vendor").get("base_path")
    path = os.path.join(config.base_path, base if isinstance(base, str) and base else "vendor.yaml")
    path = os.path.normpath(path)
    if os.path.isdir(path):
        return [os.path.join(path, name) for name in workflow.files_in(path)]
    ends = ("", ".yaml", ".yml")
    return [path + end for end in ends if os.path.isfile(path + end)][:1]


def _folder(target: str, component: str, version: str, path: str) -> str:
    """Return a target with the component's name, and the version where there is one."""
    from wrapper.stacks import template

    # A version that is not there must not look like one.
    known = {"Component": component, "Version": version or "{{ .Version }}"}
    at = Location(path, 1, 1)
    try:
        return template.render(target, known, what="a target", at=at, strict=False)
    except WrapError:
        return target


def _item(component: str, kind: str, manifest: str, folder: str, config: Config) -> dict[str, Any]:
    """Return a row under Atmos's names, short and long; paths are below the base path."""
    file = os.path.relpath(manifest, config.base_path)
    if os.path.isabs(folder):
        folder = os.path.relpath(folder, config.base_path)
    short = {"component": component, "type": kind, "manifest": file, "folder": folder}
    long = ("atmos_component", "atmos_vendor_type", "atmos_vendor_file", "atmos_vendor_target")
    return short | dict(zip(long, short.values(), strict=True))


def _said(source: Mapping[str, Any], tags: list[str]) -> dict[str, Any]:
    """Return what a source says of itself."""
    shown = ", ".join(tags)
    return {
        "source": str(source.get("source") or source.get("uri") or ""),
        "version": str(source.get("version") or ""),
        "tags": shown,
        "atmos_vendor_tags": shown,
        "tags_list": tags,
    }


def _read(
    path: str, kinds: tuple[str, ...], config: Config, world: World
) -> Mapping[str, Any] | None:
    """Return a file of one of the kinds; None for another, and for one that cannot be read."""
    from wrapper import yamlio

    name = os.path.relpath(path, config.base_path)
    try:
        with open(path, "rb") as stream:
            data = yamlio.load(stream.read(), path, lambda tag, value, _at: f"{tag} {value}").data
    except OSError as error:
        ui.warn(world, f"{name} is left out: {error.strerror}")
        return None
    except WrapError as error:
        _left_out(world, name, error)
        return None
    return data if isinstance(data, dict) and data.get("kind") in kinds else None


def _within(value: Any, *keys: str) -> Mapping[str, Any]:
    """Return the map at a key path; empty where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}
