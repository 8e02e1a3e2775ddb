"""Which stacks and components the manifests hold, with the least work that tells their names."""

from __future__ import annotations

import os
from collections.abc import Mapping

from wrapper.errors import WrapError
from wrapper.stacks import globs, names, sections, template
from wrapper.stacks.imports import Tree, has_locals
from wrapper.stacks.manifest import EXTENSIONS, Manifest
from wrapper.stacks.settings import Settings
from wrapper.stacks.sources import TYPES
from wrapper.typed import Any, NamedTuple


class Row(NamedTuple):
    """One component of one manifest. `stack` is None when a part of the name has no value."""

    kind: str
    component: str
    stack: str | None
    abstract: bool = False
    enabled: bool = True
    locked: bool = False
    tags: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()


class Listing(NamedTuple):
    """What one manifest holds, and what is wrong with it.

    `identities` is what it says of them (see `identities`), None where only the index knows.
    """

    rows: tuple[Row, ...] = ()
    problems: tuple[str, ...] = ()
    identities: str | None = ""


def discover(settings: Settings) -> tuple[list[str], list[str]]:
    """Return the top-level manifests by path, and every directory that was read for it.

    Source: reference/atmos-stacks.md 3.1.
    """
    root = settings.stacks_dir
    directories, files = _walk(root)
    included = [globs.matcher(pattern) for pattern in _included(settings)]
    excluded = [globs.matcher(_relative(pattern)) for pattern in settings.excluded]
    cut = len(root.rstrip("/")) + 1
    found = []
    for path in files:
        relative = path[cut:]
        if any(one.fullmatch(relative) for one in included):
            if not any(one.fullmatch(relative) for one in excluded):
                found.append(path)
    return sorted(found), directories


def below(settings: Settings) -> list[str]:
    """Return every manifest file below the stacks directory, by path."""
    return sorted(_walk(settings.stacks_dir)[1])


def all_files(settings: Settings) -> list[str]:
    """Return every manifest below the stacks directory that is not rendered first, by path."""
    cut = len(settings.stacks_dir.rstrip("/")) + 1
    excluded = [globs.matcher(_relative(pattern)) for pattern in settings.excluded]
    return [
        path
        for path in below(settings)
        if not path.endswith(".tmpl") and not any(one.fullmatch(path[cut:]) for one in excluded)
    ]


def _walk(root: str) -> tuple[list[str], list[str]]:
    """Return the directories and the manifest files below one."""
    directories = list(globs.tree(root))
    files = [
        path
        for directory in directories
        for _, path, is_dir in globs.listing(directory)
        if not is_dir and path.endswith(EXTENSIONS)
    ]
    return directories, files


def _included(settings: Settings) -> list[str]:
    patterns = []
    for pattern in settings.included:
        pattern = _relative(pattern)
        if os.path.splitext(os.path.basename(pattern))[1]:
            patterns.append(pattern)
        else:
            patterns += [pattern + extension for extension in EXTENSIONS]
    return patterns


def _relative(pattern: str) -> str:
    return os.path.normpath(pattern)


def needed(settings: Settings) -> tuple[tuple[str, ...], ...] | None:
    """Return the field paths that decide a stack's name; None when all fields may."""
    if settings.name_template:
        found = template.fields(settings.name_template)
        if found is None or any(path[0] not in sections.LAYERS for path in found):
            return None
        return tuple(found)
    if settings.name_pattern:
        return tuple(
            ("vars", token) for token in names.TOKENS if "{" + token + "}" in settings.name_pattern
        )
    return ()


def needs_all(manifest: Manifest, settings: Settings) -> bool:
    """Say whether a file's text depends on more than what decides names."""
    data = manifest.data
    if settings.rendering and "{{" in str(data.get("import", "")):
        return True
    return has_locals(data)


def narrow(manifest: Manifest, wanted: tuple[tuple[str, ...], ...] | None) -> Manifest:
    """Return the part of a manifest that decides names and what `list` shows."""
    if wanted is None:
        return manifest
    keys: dict[str, set[str] | None] = {}
    for path in wanted:
        if len(path) < 2:
            keys[path[0]] = None
        else:
            known = keys.setdefault(path[0], set())
            if known is not None:
                known.add(path[1])
    data = manifest.data
    out = _cut(data, keys)
    for key in ("import", "name", "locals", "metadata"):
        if key in data:
            out[key] = data[key]
    for kind in TYPES:
        if isinstance(data.get(kind), dict):
            out[kind] = _cut(data[kind], keys)
    components = data.get("components")
    if isinstance(components, dict):
        out["components"] = {
            kind: {name: _cut_component(body, keys) for name, body in group.items()}
            if isinstance(group, dict)
            else group
            for kind, group in components.items()
        }
    elif "components" in data:
        out["components"] = components
    return Manifest(out, manifest.reads)


def _cut(data: Mapping[str, Any], keys: Mapping[str, set[str] | None]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, known in keys.items():
        if key in data:
            found = data[key]
            if known is not None and isinstance(found, dict):
                found = {name: found[name] for name in known if name in found}
            out[key] = found
    overrides = data.get("overrides")
    if isinstance(overrides, dict):
        cut = _cut(overrides, keys)
        if cut:
            out["overrides"] = cut
    return out


def _cut_component(body: Any, keys: Mapping[str, set[str] | None]) -> Any:
    if not isinstance(body, dict):
        return body
    out = _cut(body, keys)
    for key in ("component",):
        if key in body:
            out[key] = body[key]
    metadata = body.get("metadata")
    if isinstance(metadata, dict):
        if "metadata" not in keys:
            metadata = {k: metadata[k] for k in _METADATA if k in metadata}
        out["metadata"] = metadata
    return out


_METADATA = ("component", "inherits", "type", "enabled", "locked", "tags", "labels")


def listing(tree: Tree, settings: Settings) -> Listing:
    """Return the components of one manifest with the names of their stacks."""
    rows: list[Row] = []
    problems: dict[str, None] = {}
    wanted = needed(settings)
    only = None if wanted is None else tuple(dict.fromkeys(path[0] for path in wanted))
    shared: dict[str, str | None] = {}
    for kind in TYPES:
        try:
            components = sections.components_of(tree, kind, settings)
        except WrapError as error:
            problems[told(error)] = None
            continue
        for name, body in components.items():
            try:
                rows.append(_row(tree, kind, name, body, settings, only, shared))
            except WrapError as error:
                problems[told(error)] = None
    return Listing(tuple(rows), tuple(problems))


def _row(
    tree: Tree,
    kind: str,
    name: str,
    body: Any,
    settings: Settings,
    only: tuple[str, ...] | None,
    shared: dict[str, str | None],
) -> Row:
    root_name = tree.merged.get("name")
    metadata = body.get("metadata") if isinstance(body, dict) else None
    metadata = metadata if isinstance(metadata, dict) else {}
    plain = (
        only is not None
        and isinstance(body, dict)
        and not any(key in body for key in (*only, "overrides", "component"))
        and not metadata.get("inherits")
        and "metadata" not in tree.merged
    )
    if plain and kind in shared:
        stack = shared[kind]
    else:
        section: Mapping[str, Any] = {}
        if not isinstance(root_name, str) or not root_name:
            if only == ():
                section = {}
            else:
                found = sections.resolve(tree, kind, name, settings, only or ())
                section = found.section
                if only is not None:
                    metadata = section["metadata"]
        stack = names.stack_name(section, settings, tree.path, root_name)
        if plain:
            shared[kind] = stack
    return Row(
        kind,
        name,
        stack,
        metadata.get("type") == "abstract",
        metadata.get("enabled") is not False,
        metadata.get("locked") is True,
        tuple(str(tag) for tag in _list(metadata.get("tags"))),
        tuple((str(key), str(value)) for key, value in _dict(metadata.get("labels")).items()),
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def told(error: WrapError) -> str:
    """Return an error as one line: place and message."""
    place = f"{error.at[0]}: " if error.at else ""
    return place + error.message
