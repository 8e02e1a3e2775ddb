"""Manifests with what they import: resolution of paths, deep merge, scopes of overrides."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from wrapper.errors import Location, StackError, WrapError
from wrapper.merge import deep_merge, merge_all
from wrapper.remote import is_remote
from wrapper.stacks import globs, inputs, paths
from wrapper.stacks.manifest import Manifest, is_template, read_bytes
from wrapper.stacks.settings import Settings
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.world import World

TYPES = (
    "terraform",
    "helmfile",
    "packer",
    "ansible",
    "container",
    "emulator",
    "kubernetes",
    "helm",
)


# Further than anybody's imports: how deep, and how many (each as often as it is reached).
_DEPTH, _IMPORTS = 200, 50_000


class Entry(NamedTuple):
    """One item of an `import` list.

    `nested` and `ttl` are those of remote ones; `base` is the directory for plain paths where that
    is not the stacks directory.
    """

    path: str
    context: Mapping[str, Any] = {}
    skip_templates: bool = False
    ignore_missing: bool = False
    skip_if_missing: bool = False
    nested: str = ""
    ttl: Any = None
    base: str = ""


class Source(NamedTuple):
    """A piece of one file: the absolute path, the key path inside it, and what stands there."""

    path: str
    prefix: tuple[str, ...]
    data: Any


class Tree(NamedTuple):
    """A manifest merged with everything it imports.

    `files` are the parsed files, in merge order, lowest first, the manifest itself last.
    `overrides` maps (type, component) to the sources of its overrides, lowest first. `reads`
    are the included files, and the directories in which imports were looked for; `asked` is what
    else it depends on, see `inputs`.
    """

    path: str
    merged: dict[str, Any]
    files: tuple[Source, ...]
    overrides: dict[tuple[str, str], tuple[Source, ...]]
    reads: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """Return the closure without repeats, lowest first."""
        return tuple(dict.fromkeys(source.path for source in self.files))


class _Scope(NamedTuple):
    """Overrides in force while a file is read: merged per type, and their sources."""

    merged: Mapping[str, Any] = {}
    sources: tuple[Source, ...] = ()


class Loader:
    """Reads manifests through `read` and merges closures, each file once where that is allowed."""

    def __init__(
        self, settings: Settings, read: Callable[[str], Manifest], world: World | None = None
    ) -> None:
        self.settings = settings
        self.read = read
        self.world = world
        self.done: dict[tuple[object, ...], tuple[Tree, dict[str, _Scope]]] = {}
        self.reached = 0
        self.found: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
        # Where the plain imports of what a remote address brings lead, if not here.
        self.bases: dict[str, str] = {}

    def tree(self, path: str) -> Tree:
        """Return one top-level manifest with its imports.

        Raises: StackError for what is missing, cyclic or wrongly typed.
        """
        self.reached = 0
        return self._tree(path, Entry(path), {}, {}, (path,))[0]

    def _tree(
        self,
        path: str,
        entry: Entry,
        inline: dict[str, _Scope],
        before: dict[str, _Scope],
        chain: tuple[str, ...],
    ) -> tuple[Tree, dict[str, _Scope]]:
        plain = not inline and not before
        key = (path, *entry[2:4], entry.base) if not entry.context else (path, repr(entry[1:]))
        if plain and key in self.done:
            return self.done[key]
        with inputs.noted() as asked:
            tree, handed = self._merged(path, entry, inline, before, chain)
        result = (tree._replace(asked=tuple(sorted({*asked, *tree.asked}))), handed)
        if plain:
            self.done[key] = result
        return result

    def _merged(
        self,
        path: str,
        entry: Entry,
        inline: dict[str, _Scope],
        before: dict[str, _Scope],
        chain: tuple[str, ...],
    ) -> tuple[Tree, dict[str, _Scope]]:
        data = self._data(path, entry)
        own = _own_overrides(data, path, self.settings.strategy)
        inside = _both(own, inline, self.settings.strategy)
        after = dict(before)
        asked: set[str] = set()
        layers: list[Any] = []
        files: list[Source] = []
        reads: list[str] = [*self.read(path).reads] if not is_template(path) else []
        overridden: dict[tuple[str, str], tuple[Source, ...]] = {}
        carried: dict[str, dict[str, Any]] = {"settings": {}, "vars": {}, "env": {}}
        for position, item in enumerate(_entries(data, path, self)):
            item = item._replace(base=entry.base)
            targets, looked = self._targets(item, path, position, carried)
            if is_remote(item.path):
                item = item._replace(base=self.bases.get(item.path, ""))
            reads += looked
            start = after
            for target in targets:
                if target in chain:
                    raise _cycle(path, target, chain, self)
                self._count(path, position, chain, len(files))
                context = deep_merge(item.context, entry.context, self.settings.strategy)
                # Files of one glob do not see each other's overrides.
                tree, handed = self._tree(
                    target, item._replace(context=context), inside, start, (*chain, target)
                )
                after = handed if after is start else _both(after, handed, self.settings.strategy)
                layers.append(tree.merged)
                files.extend(tree.files)
                reads += tree.reads
                asked.update(tree.asked)
                overridden.update(tree.overrides)
                for section, values in carried.items():
                    found = tree.merged.get(section)
                    if isinstance(found, dict):
                        values.update(found)
        final = _both(after, inside, self.settings.strategy)
        data = _with_overrides(data, final, overridden)
        merged = merge_all([*layers, data], self.settings.strategy)
        # What this file hands on to those processed later: all before it, and its own on top.
        handed = _both(after, own, self.settings.strategy)
        whole, looked_at = (*files, Source(path, (), data)), tuple(dict.fromkeys(reads))
        return Tree(path, merged, whole, overridden, looked_at, tuple(asked)), handed

    def _count(self, path: str, position: int, chain: tuple[str, ...], files: int) -> None:
        """Count an import. Raises: StackError for imports without measure."""
        self.reached += 1
        if len(chain) > _DEPTH:
            message = f"imports are nested more than {_DEPTH} deep"
        elif max(self.reached, files) > _IMPORTS:
            message = f"more than {_IMPORTS:,} imports make one manifest"
        else:
            return
        raise StackError(message, at=self.where(path, position))

    def _data(self, path: str, entry: Entry) -> dict[str, Any]:
        from wrapper.stacks import rendering

        text_first = is_template(path)
        if text_first or entry.context:
            return rendering.import_stage(path, entry, self.settings, self.read)
        data = self.read(path).data
        if "locals" in data or any(
            isinstance(data.get(kind), dict) and "locals" in data[kind] for kind in TYPES
        ):
            data = rendering.with_locals(data, path)
        return data

    def _targets(
        self, item: Entry, path: str, position: int, carried: Mapping[str, Any]
    ) -> tuple[list[str], list[str]]:
        wanted = item.path
        templated = "{{" in wanted
        if templated:
            if not self.settings.rendering:
                return [], []
            from wrapper.stacks import rendering

            wanted = rendering.import_path(item, carried, self.where(path, position))
            templated = "{{" in wanted
        if is_remote(wanted):
            return self._fetched(item._replace(path=wanted), path, position)
        base = item.base or self.settings.stacks_dir
        key = (os.path.dirname(path) if wanted.startswith(("./", "../")) else base, wanted)
        if key not in self.found:
            try:
                self.found[key] = paths.resolve(wanted, path, base)
            except StackError as error:
                raise StackError(error.message, at=self.where(path, position)) from error
        targets, looked = self.found[key]
        if not targets and not item.skip_if_missing and not templated:
            raise self._missing(wanted, path, position)
        if path in targets:
            if not globs.has_magic(wanted):
                raise StackError(
                    f"stack manifest imports itself: '{self.rel(path)}'",
                    at=self.where(path, position),
                )
            targets = [target for target in targets if target != path]
        if "/atmos-wrap/remote/" in path:
            from wrapper.stacks import fetched

            fetched.confine(targets, path, self.settings, self.where(path, position))
        return targets, looked

    def _fetched(self, item: Entry, path: str, position: int) -> tuple[list[str], list[str]]:
        """Return the files of a remote import, and what changes with them."""
        from wrapper.remote.address import hidden
        from wrapper.stacks import fetched

        at = self.where(path, position)
        found = fetched.targets(item, at, self.settings, self.world)
        self.bases[item.path] = found.base
        if not found.files and not item.skip_if_missing:
            raise StackError(
                f"stack import not found: nothing at '{hidden(item.path)}' "
                f"in file '{self.rel(path)}'",
                at=at,
            )
        return found.files, found.reads

    def _missing(self, wanted: str, path: str, position: int) -> StackError:
        from wrapper.errors import near

        message = (
            f"stack import not found: import '{wanted}' in file '{self.rel(path)}': "
            "failed to find import"
        )
        full = os.path.join(self.settings.stacks_dir, wanted.rstrip("/"))
        names = [name.split(".")[0] for name, _, _ in globs.listing(os.path.dirname(full))]
        hint = near(wanted, [os.path.join(os.path.dirname(wanted), name) for name in names])
        if os.path.isdir(full):
            hint = f"it is a directory: what is in it is imported by `{wanted.rstrip('/')}/*`"
        return StackError(message, at=self.where(path, position), hint=hint)

    def where(self, path: str, *keys: int | str) -> Location:
        """Return the place of an import of a file, or of another key."""
        return place(path, ("import", *keys) if keys and isinstance(keys[0], int) else keys)

    def rel(self, path: str) -> str:
        """Return a file's path as messages show it: from the stacks directory."""
        return os.path.relpath(path, self.settings.stacks_dir)


def place(path: str, keys: tuple[int | str, ...]) -> Location:
    """Return the place of a key path in a file, by parsing it again."""
    from wrapper import yamlio

    try:
        return yamlio.locate(read_bytes(path), path, keys)
    except WrapError:
        return Location(path, 1, 1)


def _entries(data: Mapping[str, Any], path: str, loader: Loader) -> list[Entry]:
    found = data.get("import")
    if found is None:
        return []
    if not isinstance(found, list):
        raise StackError(
            f"invalid import section in the file '{loader.rel(path)}'",
            at=place(path, ("import",)),
            hint="`import` is a list of paths",
        )
    return [_entry(item, path, position, loader) for position, item in enumerate(found)]


def _entry(item: Any, path: str, position: int, loader: Loader) -> Entry:
    if isinstance(item, str) and item:
        return Entry(item)
    if isinstance(item, dict) and isinstance(item.get("path"), str) and item["path"]:
        context = item.get("context")
        return Entry(
            item["path"],
            context if isinstance(context, dict) else {},
            item.get("skip_templates_processing") is True,
            item.get("ignore_missing_template_values") is True,
            item.get("skip_if_missing") is True,
            str(item.get("nested_imports") or ""),
            item.get("ttl"),
        )
    raise StackError(
        f"invalid import in the file '{loader.rel(path)}'",
        at=loader.where(path, position),
        hint="an import is a path, or a map with `path`",
    )


def _cycle(path: str, target: str, chain: tuple[str, ...], loader: Loader) -> StackError:
    loop = [*chain[chain.index(target) :], target]
    return StackError(
        "circular import: " + " -> ".join(loader.rel(one) for one in loop),
        at=place(path, ("import",)),
    )


def _own_overrides(data: Mapping[str, Any], path: str, strategy: str) -> dict[str, _Scope]:
    """Return a file's inline overrides per component type, the type's over the root's."""
    root = data.get("overrides")
    scopes: dict[str, _Scope] = {}
    for kind in TYPES:
        section = data.get(kind)
        typed = section.get("overrides") if isinstance(section, dict) else None
        scope: _Scope | None = None
        for prefix, found in ((("overrides",), root), ((kind, "overrides"), typed)):
            if found is None and (
                prefix[0] != kind or not isinstance(section, dict) or "overrides" not in section
            ):
                if prefix != ("overrides",) or "overrides" not in data:
                    continue
            if not isinstance(found, dict):
                raise StackError(
                    f"invalid '{'.'.join(prefix)}' section in the file '{os.path.basename(path)}'",
                    at=place(path, prefix),
                    hint="it must be a map",
                )
            if found:
                scope = _over(scope, _Scope(found, (Source(path, prefix, found),)), strategy)
        if scope is not None:
            scopes[kind] = scope
    return scopes


def _both(
    lower: Mapping[str, _Scope], upper: Mapping[str, _Scope], strategy: str
) -> dict[str, _Scope]:
    return {kind: _over(lower.get(kind), upper.get(kind), strategy) for kind in {*lower, *upper}}


def _over(lower: _Scope | None, upper: _Scope | None, strategy: str) -> _Scope:
    if lower is None or upper is None:
        return upper or lower or _Scope()
    sources = tuple(dict.fromkeys((*_ids(lower), *_ids(upper))))
    by_id = {id(one.data): one for one in (*lower.sources, *upper.sources)}
    return _Scope(
        deep_merge(lower.merged, upper.merged, strategy), tuple(by_id[one] for one in sources)
    )


def _ids(scope: _Scope) -> list[int]:
    return [id(source.data) for source in scope.sources]


def _with_overrides(
    data: dict[str, Any],
    final: Mapping[str, _Scope],
    overridden: dict[tuple[str, str], tuple[Source, ...]],
) -> dict[str, Any]:
    """Return a file's data with the overrides in force put on each of its components."""
    components = data.get("components")
    if not isinstance(components, dict):
        return data
    changed: dict[str, Any] = {}
    for kind, scope in final.items():
        group = components.get(kind)
        if scope.merged and isinstance(group, dict):
            changed[kind] = {
                name: {**body, "overrides": scope.merged} if isinstance(body, dict) else body
                for name, body in group.items()
            }
            overridden.update(dict.fromkeys(((kind, name) for name in group), scope.sources))
    return {**data, "components": {**components, **changed}} if changed else data
