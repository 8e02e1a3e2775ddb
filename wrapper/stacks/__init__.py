"""Manifests to one component: found through the index, merged, named, evaluated on demand."""

from __future__ import annotations

import os
from collections.abc import Mapping

from wrapper.errors import ConfigError, Location, StackError
from wrapper.merge import Layer, deep_merge
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.stacks.deferred import Deferred
    from wrapper.stacks.imports import Tree
    from wrapper.stacks.others import Reader
    from wrapper.stacks.repository import Repository
    from wrapper.stacks.sections import Resolved
    from wrapper.stacks.settings import Settings
    from wrapper.stacks.sources import Source
    from wrapper.world import World


class Component(NamedTuple):
    """One component of one stack. `section` is what `describe component` shows.

    `manifest` and `files` are absolute. `layers` holds, lowest first, each piece of a file that
    fed the component, with its section; `auth_layers` those that say something about `auth`.
    `secret_vars` names variables that hold what `!secret` gave; `deferred` is what is merged again
    when its YAML functions have run.
    """

    name: str
    stack: str
    kind: str
    section: dict[str, Any]
    manifest: str
    files: tuple[str, ...]
    auth_layers: tuple[Layer, ...]
    context_prefix: str
    layers: tuple[tuple[str, Source], ...] = ()
    secret_vars: frozenset[str] = frozenset()
    deferred: tuple[Deferred, ...] = ()

    def where(self, *keys: str) -> Location | None:
        """Return the place of a key in the file that set it last, or None."""
        from wrapper.stacks.sources import place

        for _, source in reversed(self.layers):
            data: Any = source.data
            for key in keys:
                if not isinstance(data, Mapping) or key not in data:
                    break
                data = data[key]
            else:
                return place(source.path, (*source.prefix, *keys))
        return None


def component(
    config: Config,
    world: World,
    name: str,
    stack: str,
    kind: str = "terraform",
    *,
    templates: bool = True,
    reader: Reader | None = None,
) -> Component:
    """Return one component; YAML functions are still text. `kind` '' takes the first type.

    `reader` reads what templates ask of other components (default: an error for outputs).

    Raises: StackError for what is not there or wrong; ConfigError without essentials.
    Source: reference/atmos-stacks.md 3, 4.
    """
    repository = opened(config, world, reader=reader)
    by_path = repository.by_path(stack)
    manifests = [by_path] if by_path else repository.by_name(stack)
    if not manifests:
        raise repository.unknown(stack, name)
    found: list[Component] = []
    known: list[str] = []
    for path in manifests:
        tree = repository.loader.tree(path)
        for one in (kind,) if kind else _types():
            group = _group(tree, one)
            known += group
            if name in group:
                made = component_of(
                    repository, tree, one, name, stack, by_path=bool(by_path), templates=templates
                )
                if made is not None:
                    found.append(made)
                    break
    if not found:
        from wrapper.stacks.names import not_there

        raise not_there(name, stack, known)
    from wrapper.stacks.duplicates import same

    return same(found, repository.settings)


def stack_names(config: Config, world: World, component: str | None = None) -> list[str]:
    """Return the names of all stacks, or of those that have a component, sorted."""
    repository = opened(config, world)
    if component is None:
        return repository.stacks()
    return repository.having(component)


def component_names(
    config: Config, world: World, stack: str | None = None, kind: str = "terraform"
) -> list[str]:
    """Return the names of the components that can be run, of one stack or of all, sorted."""
    return opened(config, world).components(kind, stack)


def stack_auth(
    config: Config, world: World, stack: str
) -> tuple[dict[str, Any], tuple[Layer, ...], tuple[str, ...]]:
    """Return the `auth` that holds for a whole stack, its layers, and the files of the stack.

    Raises: StackError for a stack that is not there.
    """
    repository = opened(config, world)
    manifests = repository.by_name(stack)
    if not manifests:
        raise repository.unknown(stack, "")
    merged: dict[str, Any] = dict(config.data.get("auth") or {})
    layers: list[Layer] = []
    paths: list[str] = []
    for path in manifests:
        tree = repository.loader.tree(path)
        merged = deep_merge(merged, tree.merged.get("auth") or {})
        paths += tree.paths
        for source in tree.files:
            if isinstance(source.data.get("auth"), dict):
                layers.append(Layer("stack", source.path, ("auth",), source.data["auth"]))
    return merged, tuple(layers), tuple(dict.fromkeys(paths))


def evaluate(
    component: Component,
    config: Config,
    world: World,
    environ: Mapping[str, str],
    *,
    skip: frozenset[str] = frozenset(),
    reader: Reader | None = None,
    strict: bool = False,
) -> Component:
    """Return the component with its YAML functions run in `environ`.

    `skip` names functions (without `!`) that stay text; `reader` reads other components' outputs.
    Unless `strict`, an output of a component without a state is the text `(computed)`. Raises: StackError with the place of one
    that fails or is not supported. Source: reference/atmos-stacks.md 3.10.
    """
    from wrapper.stacks import functions

    section = functions.evaluate(
        component, config, world, environ, skip, reader=reader, strict=strict
    )
    texts = reader.known.get(("secrets",)) if reader is not None else None
    hidden = functions.holding(section.get("vars"), texts) if texts else frozenset()
    return component._replace(section=section, secret_vars=hidden)


def opened(
    config: Config, world: World, *, quiet: bool = False, reader: Reader | None = None
) -> Repository:
    """Return the repository of a configuration. Raises: ConfigError without essentials."""
    from wrapper.stacks.repository import Repository
    from wrapper.stacks.settings import settings_of

    settings = settings_of(config)
    if not os.path.isdir(settings.stacks_dir):
        raise ConfigError(
            f"directory for Atmos stacks does not exist: {settings.stacks_dir}",
            at=config.where("stacks", "base_path"),
            hint="check stacks.base_path and base_path"
            if config.files
            else "no atmos.yaml was found here or above: change to the repository, or use --chdir",
        )
    return Repository(settings, config, world, quiet=quiet, reader=reader)


def _types() -> tuple[str, ...]:
    from wrapper.stacks.sources import TYPES

    return TYPES


def _group(tree: Tree, kind: str) -> list[str]:
    components = tree.merged.get("components")
    group = components.get(kind) if isinstance(components, dict) else None
    return list(group) if isinstance(group, dict) else []


def component_of(
    repository: Repository,
    tree: Tree,
    kind: str,
    name: str,
    stack: str,
    *,
    by_path: bool = False,
    templates: bool = True,
) -> Component | None:
    """Return a manifest's component if its stack has the wanted name."""
    from wrapper.stacks import deferred, names, sections
    from wrapper.stacks.manifest import first_fault

    settings = repository.settings
    resolved = sections.resolve(tree, kind, name, settings)
    section = resolved.section
    root_name = None if by_path else tree.merged.get("name")
    fault = first_fault(section)
    if fault is not None:
        raise fault.error()
    context = _context(section, name, tree, settings)
    logical = names.stack_name(context, settings, tree.path, root_name)
    if logical is None:
        lacking = ", ".join(names.missing_tokens(settings.name_pattern, section.get("vars")))
        raise StackError(
            "stack name pattern references a context part that is not defined in the stack file: "
            f"`{settings.name_pattern}` needs {lacking}",
            at=Location(tree.path, 1, 1),
        )
    if not by_path and logical != stack:
        return None
    _complete(section, resolved, tree, settings, name, stack, logical, bool(root_name))
    section["auth"] = deep_merge(
        dict(settings.auth), section.get("auth") or {}, resolved.strategy or settings.strategy
    )
    waiting = resolved.deferred
    if templates and settings.rendering:
        if waiting:
            section[deferred.HELD] = [list(one.values) for one in waiting]
        section = _rendered(section, resolved, tree, repository, name, stack)
        values = section.pop(deferred.HELD, [])
        waiting = tuple(
            one._replace(values=tuple(made)) for one, made in zip(waiting, values, strict=True)
        )
    return Component(
        name, stack, kind, section, tree.path, tree.paths,
        auth_layers(tree, resolved, name), logical, _layers(tree, resolved, name),
        deferred=waiting,
    )  # fmt: skip


def auth_layers(tree: Tree, resolved: Resolved, name: str) -> tuple[Layer, ...]:
    """Return what files say about a component's `auth`, lowest first."""
    found: dict[tuple[object, ...], Layer] = {}
    for label, source in _layers(tree, resolved, name):
        data = source.data.get("auth")
        if isinstance(data, dict):
            key = (label, source.path, source.prefix)
            found.pop(key, None)
            found[key] = Layer(label, source.path, (*source.prefix, "auth"), data)
    return tuple(found.values())


def _rendered(
    section: dict[str, Any],
    resolved: Resolved,
    tree: Tree,
    repository: Repository,
    name: str,
    stack: str,
) -> dict[str, Any]:
    """Return the section with its templates run. Raises: StackError."""
    from functools import lru_cache

    from wrapper.stacks import localvalues, others, rendering

    at = Location(tree.path, 1, 1)
    reader, settings = repository.reader, repository.settings

    @lru_cache(maxsize=1)
    def functions() -> Mapping[str, Any]:
        return others.template_functions(
            section, at, settings, repository.config, repository.world, reader, whole
        )

    merged = section

    def whole() -> Component:
        return Component(
            name, stack, resolved.kind, merged, tree.path, tree.paths,
            auth_layers(tree, resolved, name), "", _layers(tree, resolved, name),
        )  # fmt: skip

    def find(keys: tuple[str | int, ...], text: str) -> Location | None:
        from wrapper.stacks import provenance

        if keys[0] == "\0":  # what a layer says beside a function: keys of the layer's own value
            one = resolved.deferred[int(keys[1])]
            keys = (one.section, *one.path, *keys[3:])
        return provenance.place_of(whole(), repository.config, keys, text)

    others.enter(reader, name, stack, at)
    try:
        own = section.get("locals")
        if own:
            environ = repository.world.environ
            shared = localvalues.of_component(tree, resolved.kind, name, repository.read, environ)
            body = tree.merged["components"][resolved.kind][name]
            section = rendering.with_component_locals(section, body, {**shared, **own}, at, find)
        return rendering.component_stage(section, settings, at, functions, find)
    finally:
        reader.chain.pop()


def _context(
    section: Mapping[str, Any], name: str, tree: Tree, settings: Settings
) -> dict[str, Any]:
    from wrapper.stacks.names import path_name

    manifest = path_name(tree.path, settings.stacks_dir)
    return {
        **section,
        "atmos_component": name,
        "atmos_manifest": manifest,
        "atmos_stack_file": manifest,
    }


def _complete(
    section: dict[str, Any],
    resolved: Resolved,
    tree: Tree,
    settings: Settings,
    name: str,
    stack: str,
    logical: str,
    named: bool,
) -> None:
    """Add what follows from the name of the stack and from the files."""
    from wrapper.stacks import names

    manifest = names.path_name(tree.path, settings.stacks_dir)
    imported = sorted({names.import_name(path, settings.stacks_dir) for path in tree.paths[:-1]})
    section |= {
        "atmos_component": name,
        "atmos_stack": stack,
        "stack": stack,
        "atmos_stack_file": manifest,
        "atmos_manifest": manifest,
        "imports": imported,
        "deps": sorted({*imported, manifest}),
        "deps_all": sorted({*imported, manifest}),
        "component_type": resolved.kind,
    }
    if resolved.kind == "terraform":
        directory = os.path.normpath(os.path.join(settings.terraform_dir, resolved.base or name))
        section["component_info"] = {"component_path": directory, "component_type": resolved.kind}
        try:
            found = names.workspace(section, settings, logical, name, resolved.base, named=named)
        except StackError as error:
            error.at = (_metadata_place(tree, resolved, name, "terraform_workspace_template"),)
            raise
        section["workspace"] = found
        if section["metadata"].get("type") == "abstract":
            section["settings"] = names.without_workspace(section["settings"])
        section |= names.integrations(section, logical, name)


def _metadata_place(tree: Tree, resolved: Resolved, name: str, key: str) -> Location:
    """Return where the highest layer that has a key of `metadata` writes it."""
    from wrapper.stacks.sources import place

    for _, source in reversed(_layers(tree, resolved, name)):
        metadata = source.data.get("metadata")
        if isinstance(metadata, dict) and key in metadata:
            return place(source.path, (*source.prefix, "metadata", key))
    return Location(tree.path, 1, 1)


def _layers(tree: Tree, resolved: Resolved, name: str) -> tuple[tuple[str, Source], ...]:
    """Return the pieces of files that feed a component, lowest first."""
    from wrapper.stacks.sources import Source

    kind = resolved.kind
    wanted: list[tuple[str, tuple[str, ...]]] = [("stack", ()), ("type", (kind,))]
    wanted += [("base", ("components", kind, base)) for base in resolved.bases.order]
    wanted.append(("component", ("components", kind, name)))
    if not tree.overrides.get((kind, name)):
        wanted.append(("overrides", ("components", kind, name, "overrides")))
    found: list[tuple[str, Source]] = []
    for label, prefix in wanted:
        for source in tree.files:
            data: Any = source.data
            for key in prefix:
                data = data.get(key) if isinstance(data, dict) else None
            if isinstance(data, dict) and data:
                found.append((label, Source(source.path, prefix, data)))
    found += [("overrides", source) for source in tree.overrides.get((kind, name), ())]
    return tuple(found)
