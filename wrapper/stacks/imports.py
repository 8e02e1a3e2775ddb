"""Manifests with what they import: resolution of paths, deep merge, scopes of overrides."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from wrapper.errors import Location, StackError
from wrapper.merge import deep_merge, merge_all
from wrapper.remote import is_remote
from wrapper.stacks import globs, inputs, overrides, paths
from wrapper.stacks.manifest import Manifest, is_template
from wrapper.stacks.overrides import Scope
from wrapper.stacks.settings import Settings
from wrapper.stacks.sources import TYPES, Source, place
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.world import World

# Further than anybody's imports: how deep, and how many (each as often as it is reached).
_DEPTH, _IMPORTS = 200, 50_000
# What may stand beside the path of an import.
_FIELDS: tuple[tuple[str, type, str], ...] = (
    ("context", dict, "a map"),
    ("skip_templates_processing", bool, "true or false"),
    ("ignore_missing_template_values", bool, "true or false"),
    ("skip_if_missing", bool, "true or false"),
    ("nested_imports", str, "text"),
)


class Entry(NamedTuple):
    """One item of an `import` list.

    `nested` and `ttl` are those of remote ones; `base` is the directory for plain paths where that
    is not the stacks directory. `lent` is what the templates of an import see of the files with
    locals that lead to it.
    """

    path: str
    context: Mapping[str, Any] = {}
    skip_templates: bool = False
    ignore_missing: bool = False
    skip_if_missing: bool = False
    nested: str = ""
    ttl: Any = None
    base: str = ""
    lent: Mapping[str, Any] = {}


class _Handed(NamedTuple):
    """What a file hands back to the one that imports it: overrides of its imports, and inline."""

    imported: dict[str, Scope]
    inline: dict[str, Scope]


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


class Loader:
    """Reads manifests through `read` and merges closures, each file once where that is allowed."""

    def __init__(
        self, settings: Settings, read: Callable[[str], Manifest], world: World | None = None
    ) -> None:
        self.settings = settings
        self.read = read
        self.world = world
        self.done: dict[tuple[object, ...], tuple[Tree, _Handed]] = {}
        self.indifferent: dict[tuple[object, ...], bool] = {}
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
        inline: dict[str, Scope],
        before: dict[str, Scope],
        chain: tuple[str, ...],
    ) -> tuple[Tree, _Handed]:
        if entry.lent and not entry.context and self._indifferent(path, entry, chain):
            entry = entry._replace(lent={})
        plain = not inline and not before
        same = not entry.context and not entry.lent
        key = (path, *entry[2:4], entry.base) if same else (path, repr(entry[1:]))
        if plain and key in self.done:
            return self.done[key]
        with inputs.noted() as asked:
            tree, handed = self._merged(path, entry, inline, before, chain)
        result = (tree._replace(asked=tuple(sorted({*asked, *tree.asked}))), handed)
        if plain:
            self.done[key] = result
        return result

    def _indifferent(self, path: str, entry: Entry, chain: tuple[str, ...]) -> bool:
        """Say whether no file of a closure has a template, so that one merge of it serves all."""
        key = (path, *entry[2:4], entry.base)
        if key not in self.indifferent:
            try:
                tree = self._tree(path, entry._replace(lent={}), {}, {}, chain)[0]
            except StackError:
                self.indifferent[key] = False
            else:
                from wrapper.stacks.rendering import has_template

                self.indifferent[key] = not any(
                    is_template(one) or has_template(self.read(one).data) for one in tree.paths
                )
        return self.indifferent[key]

    def _merged(
        self,
        path: str,
        entry: Entry,
        inline: dict[str, Scope],
        before: dict[str, Scope],
        chain: tuple[str, ...],
    ) -> tuple[Tree, _Handed]:
        strategy = self.settings.strategy
        data, lent = self._data(path, entry)
        inside = overrides.both(overrides.inline(data, path, strategy), inline, strategy)
        after = dict(before)
        asked: set[str] = set()
        layers: list[Any] = []
        files: list[Source] = []
        reads: list[str] = [*self.read(path).reads] if not is_template(path) else []
        overridden: dict[tuple[str, str], tuple[Source, ...]] = {}
        carried: dict[str, Any] = {"settings": {}, "vars": {}, "env": {}}
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
                context = deep_merge(item.context, entry.context, strategy)
                given = item._replace(context=context, lent=lent)
                # Files of one glob do not see each other's overrides.
                tree, handed = self._tree(target, given, inside, start, (*chain, target))
                after = overrides.both(after, handed.imported, strategy)
                after = overrides.both(after, handed.inline, strategy)
                layers.append(tree.merged)
                files.extend(tree.files)
                reads += tree.reads
                asked.update(tree.asked)
                overridden.update(tree.overrides)
                carried = {
                    section: deep_merge(values, _map(tree.merged.get(section)), strategy)
                    for section, values in carried.items()
                }
        data = overrides.put_on(data, overrides.both(after, inside, strategy), overridden)
        merged = merge_all([*layers, data], strategy)
        whole, looked_at = (*files, Source(path, (), data)), tuple(dict.fromkeys(reads))
        tree = Tree(path, merged, whole, overridden, looked_at, tuple(asked))
        return tree, _Handed(after, inside)

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

    def _data(self, path: str, entry: Entry) -> tuple[dict[str, Any], Mapping[str, Any]]:
        """Return what a file holds, and what the templates of its imports see of it."""
        if not is_template(path) and not entry.context and not entry.lent:
            data = self.read(path).data
            if not has_locals(data):
                return data, {}
        from wrapper.stacks import rendering

        return rendering.import_stage(path, entry, self.settings, self.read)

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


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def has_locals(data: Mapping[str, Any]) -> bool:
    """Say whether a file has locals, if only an empty section of them."""
    typed = (data.get(kind) for kind in TYPES)
    return "locals" in data or any(isinstance(one, dict) and "locals" in one for one in typed)


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
        for key, kind, told in _FIELDS:
            if not isinstance(item.get(key), kind | None):
                raise StackError(
                    f"invalid import in the file '{loader.rel(path)}': `{key}` must be {told}",
                    at=loader.where(path, position, key),
                )
        return Entry(
            item["path"],
            item.get("context") or {},
            item.get("skip_templates_processing") is True,
            item.get("ignore_missing_template_values") is True,
            item.get("skip_if_missing") is True,
            item.get("nested_imports") or "",
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
