"""The sections of one component, merged from their layers.

Source: reference/atmos-stacks.md 3.7.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from wrapper.errors import ConfigError, Location, StackError
from wrapper.merge import UNSET, Append, deep_merge, merge_all, prune
from wrapper.stacks import backend, deferred
from wrapper.stacks.deferred import Deferred
from wrapper.stacks.imports import Tree
from wrapper.stacks.inherit import (
    Bases,
    InheritsError,
    bases_of,
    check_legacy,
    legacy_root,
    metadata_component,
)
from wrapper.stacks.manifest import Fault
from wrapper.stacks.settings import Settings, known_strategy, with_github
from wrapper.stacks.sources import place
from wrapper.typed import Any, NamedTuple

# Sections that are merged global, type, bases, component, overrides; which of these count.
_ALL = ("global", "type", "bases", "component", "overrides")
LAYERS: dict[str, tuple[str, ...]] = {
    "vars": _ALL,
    "settings": _ALL,
    "env": _ALL,
    "auth": _ALL,
    "hooks": _ALL,
    "generate": _ALL,
    "secrets": _ALL,
    "providers": ("type", "bases", "component", "overrides"),
    "required_providers": ("bases", "component", "overrides"),
    "retry": ("bases", "component", "overrides"),
    "dependencies": ("global", "type", "bases", "component"),
    "source": ("global", "type", "bases", "component"),
    "provision": ("global", "type", "bases", "component"),
    "locals": ("bases", "component"),
}
# Texts, and the layers that count; `last` is the last base.
SCALARS = {
    "command": ("type", "last", "component", "overrides"),
    "required_version": ("bases", "component", "overrides"),
    "backend_type": ("type", "last", "component"),
    "remote_state_backend_type": ("type", "last", "component"),
}
# Shown even when empty.
ALWAYS = ("vars", "settings", "env", "providers", "hooks")
GLOBAL_METADATA = frozenset(
    ("labels", "tags", "custom", "enabled", "locked", "terraform_workspace_pattern")
)


class Resolved(NamedTuple):
    """A component's merged sections before names and templates.

    `base` is the effective `metadata.component`, own, inherited or legacy, '' for none. `deferred`
    is what is merged again when its YAML functions have run, `strategy` how its lists are merged.
    """

    section: dict[str, Any]
    bases: Bases
    base: str
    kind: str
    deferred: tuple[Deferred, ...] = ()
    strategy: str = ""


class _Parts(NamedTuple):
    tree: Tree
    kind: str
    name: str
    body: Mapping[str, Any]
    type_section: Mapping[str, Any]
    bases: tuple[Mapping[str, Any], ...]
    base_names: tuple[str, ...]
    settings: Settings


def resolve(
    tree: Tree, kind: str, name: str, settings: Settings, only: tuple[str, ...] = ()
) -> Resolved:
    """Return the merged sections of one component of one manifest.

    With `only`, just these sections and `metadata` are built. Raises: StackError with the place
    for wrong types, missing bases and a backend without its section.
    """
    label = os.path.relpath(tree.path, settings.stacks_dir)
    components = components_of(tree, kind, settings)
    body = _body(tree, kind, name, components)
    try:
        bases = bases_of(name, _checked(components), label)
        if kind == "terraform" and not only:
            check_legacy(name, _checked(components), bases, settings.terraform_dir, label)
    except InheritsError as error:
        keys = ("components", kind, error.component, *error.key)
        error.at = (place(_setter(tree, keys), keys),)
        raise
    type_section = _root_map(tree, kind, settings)
    bodies = tuple(_body(tree, kind, base, components) for base in bases.order)
    parts = _Parts(tree, kind, name, body, type_section, bodies, bases.order, settings)
    strategy = _strategy(parts)
    section: dict[str, Any] = {}
    again: list[Deferred] = []
    for key, layers in LAYERS.items():
        if only and key not in only:
            continue
        if key in deferred.SECTIONS:
            merged, waiting = deferred.merged(key, _layers(parts, key, layers, strategy), strategy)
            again += waiting
        else:
            merged = _merged(parts, key, layers, settings.strategy if key == "retry" else strategy)
        if merged or key in ALWAYS:
            section[key] = prune(merged)
            if key == "settings" and settings.github:
                section[key] = with_github(section[key], settings)
    metadata = _metadata(parts, strategy)
    section["metadata"] = prune(metadata)
    legacy = legacy_root(name, _checked(components), bases)
    written = section["metadata"].get("component")
    base = written if isinstance(written, str) and written else legacy
    if only:
        return Resolved(section, bases, base, kind)
    _finish(section, parts)
    _pointers(parts)
    own = metadata_component(body) or legacy
    section["component"] = own or name
    if kind == "terraform":
        _backends(section, parts, own)
    section["inheritance"] = list(bases.chain)
    return Resolved(section, bases, base, kind, tuple(again), strategy)


def components_of(tree: Tree, kind: str, settings: Settings) -> Mapping[str, Any]:
    """Return the merged components of one type. Raises: StackError for wrong types."""
    found = tree.merged.get("components")
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise _invalid(tree, ("components",), "components", settings)
    group = found.get(kind)
    if group is None:
        return {}
    if not isinstance(group, dict):
        raise _invalid(tree, ("components", kind), f"components.{kind}", settings)
    return group


def _checked(components: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the components that are maps; what is wrong with the others is told when used."""
    return {name: body for name, body in components.items() if isinstance(body, dict)}


def _body(tree: Tree, kind: str, name: str, components: Mapping[str, Any]) -> Mapping[str, Any]:
    body = components.get(name)
    if isinstance(body, Fault):
        raise body.error()
    if not isinstance(body, dict):
        keys = ("components", kind, name)
        raise StackError(
            f"invalid component map type for component {name}",
            at=place(_setter(tree, keys), keys),
            hint="a component without settings is written `{}`",
        )
    return body


def _setter(tree: Tree, keys: tuple[str, ...]) -> str:
    """Return the file that set a key last, or the manifest."""
    data: Any
    for source in reversed(tree.files):
        data = source.data
        for key in keys:
            if not isinstance(data, Mapping) or key not in data:
                break
            data = data[key]
        else:
            return str(source.path)
    return tree.path


def _invalid(
    tree: Tree,
    keys: tuple[str, ...],
    label: str,
    settings: Settings,
    hint: str = "it must be a map",
) -> StackError:
    found: Any = tree.merged
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    if isinstance(found, Fault):  # what could not be read is told, not that it is no map
        return found.error()
    path = _setter(tree, keys)
    from wrapper.stacks.names import import_name

    if len(keys) == 1:
        message = f"invalid {label} section in file '{import_name(path, settings.stacks_dir)}'"
    else:
        kind = "component " if keys[0] == "components" and len(keys) > 3 else ""
        name = import_name(path, settings.stacks_dir)
        message = f"invalid {kind}{keys[-1]} section: '{'.'.join(keys)}' in the file '{name}'"
    return StackError(message, at=place(path, keys), hint=hint)


def _root_map(tree: Tree, key: str, settings: Settings) -> Mapping[str, Any]:
    if key not in tree.merged:
        return {}
    found = tree.merged[key]
    if not isinstance(found, dict):
        raise _invalid(tree, (key,), key, settings)
    return found


def _section(parts: _Parts, data: Mapping[str, Any], keys: tuple[str, ...], key: str) -> Any:
    """Return one layer of one section as a map, with Append settled: it counts only across files."""
    if key not in data:
        return {}
    found = data[key]
    if not isinstance(found, dict):
        raise _invalid(parts.tree, (*keys, key), key, parts.settings)
    return settled(found)


def settled(value: Any) -> Any:
    """Return a value with Append as plain lists; UNSET stays."""
    if isinstance(value, dict):
        return {key: settled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [settled(item) for item in value] if isinstance(value, Append) else value
    return value


def _layers(parts: _Parts, key: str, which: tuple[str, ...], strategy: str) -> list[Any]:
    """Return what counts as a layer of a section, lowest first.

    What files say for all, by the strategy of the configuration; all bases together, by that of the
    component; the component; overrides.
    """
    low: Any = {}
    if "global" in which:
        low = _section(parts, parts.tree.merged, (), key)
    if "type" in which:
        typed = _section(parts, parts.type_section, (parts.kind,), key)
        low = deep_merge(low, typed, parts.settings.strategy)
    if key == "env" and parts.settings.env:
        low = deep_merge(dict(parts.settings.env), low)
    layers = [low]
    here = ("components", parts.kind)
    bases = zip(parts.base_names, parts.bases, strict=True)
    layers.append(merge_all((_section(parts, b, (*here, n), key) for n, b in bases), strategy))
    layers.append(_section(parts, parts.body, (*here, parts.name), key))
    overrides = parts.body.get("overrides")
    if "overrides" in which and isinstance(overrides, dict):
        layers.append(_section(parts, overrides, (*here, parts.name, "overrides"), key))
    return layers


def _merged(parts: _Parts, key: str, which: tuple[str, ...], strategy: str) -> Any:
    return merge_all(_layers(parts, key, which, strategy), strategy)


def _strategy(parts: _Parts) -> str:
    """Return the component's own list strategy, else that of `atmos.yaml`."""
    found = parts.settings.strategy
    for layer in _layers(parts, "settings", LAYERS["settings"], found):
        wanted = layer.get("list_merge_strategy")
        found = wanted if isinstance(wanted, str) and wanted else found
    try:
        return known_strategy(found)
    except ConfigError as error:
        error.at = (_written(parts, ("settings", "list_merge_strategy")),)
        raise


def _metadata(parts: _Parts, strategy: str) -> Any:
    shared = _section(parts, parts.tree.merged, (), "metadata")
    for key in shared:
        if key not in GLOBAL_METADATA:
            keys = ("metadata", key)
            raise StackError(
                f"metadata field is not allowed at global (stack-wide) scope: '{key}'",
                at=place(_setter(parts.tree, keys), keys),
                hint="Move component-identity fields (component, inherits, type, name, "
                "terraform_workspace) under components.<type>.<name>.metadata",
            )
    here = ("components", parts.kind)
    bases = []
    for base, body in zip(parts.base_names, parts.bases, strict=True):
        found = _section(parts, body, (*here, base), "metadata")
        if parts.settings.inherit_metadata:
            bases.append({k: v for k, v in found.items() if k not in ("inherits", "type")})
    own = _section(parts, parts.body, (*here, parts.name), "metadata")
    return merge_all([shared, merge_all(bases, strategy), own], strategy)


def _finish(section: dict[str, Any], parts: _Parts) -> None:
    """Add the scalars and what stands in `overrides`."""
    overrides = parts.body.get("overrides", {})
    if not isinstance(overrides, dict) and overrides is not UNSET:
        keys = ("components", parts.kind, parts.name, "overrides")
        raise _invalid(parts.tree, keys, "overrides", parts.settings)
    section["overrides"] = prune(settled(overrides)) if isinstance(overrides, dict) else {}
    default = parts.settings.command if parts.kind == "terraform" else ""
    section["command"] = _scalar(parts, "command") or default or parts.kind
    version = _scalar(parts, "required_version")
    if version:
        section["required_version"] = version


def _pointers(parts: _Parts) -> None:
    """Look at what names the directory. Raises: StackError for what is no text."""
    metadata = parts.body.get("metadata")
    for keys, data in (((), parts.body), (("metadata",), metadata)):
        value = data.get("component", "") if isinstance(data, Mapping) else ""
        if not isinstance(value, str) and value is not UNSET:
            where = ("components", parts.kind, parts.name, *keys, "component")
            raise _invalid(parts.tree, where, "component", parts.settings, "it must be text")


def _scalar(parts: _Parts, key: str) -> str:
    """Return a text by the highest of its layers that has one, or ''.

    Of the bases the last alone counts, even when it has none. Raises: StackError for what is no text.
    """
    here = ("components", parts.kind)
    which = SCALARS[key]
    bases = zip(parts.base_names, parts.bases, strict=True)
    layers = [
        ("type", (parts.kind,), parts.type_section if "type" in which else {}),
        *(("bases", (*here, base), body) for base, body in bases),
        ("last", (), parts.bases[-1] if parts.bases else {}),
        ("component", (*here, parts.name), parts.body),
        ("overrides", (*here, parts.name, "overrides"), parts.body.get("overrides")),
    ]
    found = ""
    for layer, keys, data in layers:
        value = data.get(key, "") if isinstance(data, Mapping) else ""
        if not isinstance(value, str) and value is not UNSET:
            told = "it must be text"
            raise _invalid(parts.tree, (*keys, key), key, parts.settings, told)
        if layer in which and isinstance(value, str):
            found = value or found
    return found


def _backends(section: dict[str, Any], parts: _Parts, own: str) -> None:
    strategy = parts.settings.strategy
    which = ("type", "bases", "component")
    metadata = section["metadata"]
    name = metadata.get("name")
    given = backend.Given(
        component=parts.name,
        stack=os.path.relpath(parts.tree.path, parts.settings.stacks_dir),
        kind=_scalar(parts, "backend_type"),
        merged=prune(_merged(parts, "backend", which, strategy)),
        own=_section(parts, parts.body, ("components", parts.kind, parts.name), "backend"),
        globally=_section(parts, parts.type_section, (parts.kind,), "backend"),
        remote_kind=_scalar(parts, "remote_state_backend_type"),
        remote=prune(_merged(parts, "remote_state_backend", which, strategy)),
        state_name=name if isinstance(name, str) and name else own or parts.name,
        separator=parts.settings.separator,
        strategy=strategy,
    )
    try:
        found = backend.resolve(given)
    except backend.BackendError as error:
        of_type = f"{error.section}_type"
        keys = ((error.section, given.kind), (of_type,), ("backend_type",), (error.section,))
        error.at = (_written(parts, *keys),)
        raise
    section["backend_type"] = found.kind
    section["backend"] = found.values
    section["remote_state_backend_type"] = found.remote_kind
    section["remote_state_backend"] = found.remote_values


def _written(parts: _Parts, *wanted: tuple[str, ...]) -> Location:
    """Return where the first of some keys stands that is there, the highest layer first."""
    here = ("components", parts.kind)
    layers = [(*here, name) for name in (parts.name, *reversed(parts.base_names))]
    for keys in wanted:
        for layer in (*layers, (parts.kind,), ()):
            data: Any = parts.tree.merged
            for key in (*layer, *keys):
                data = data.get(key, UNSET) if isinstance(data, Mapping) else UNSET
            if data is not UNSET:
                return place(_setter(parts.tree, (*layer, *keys)), (*layer, *keys))
    return Location(parts.tree.path, 1, 1)
