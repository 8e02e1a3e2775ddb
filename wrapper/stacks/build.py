"""Filling the index: reading manifests on all cores, listing only what changed.

docs/explanation/index.md says what is read when.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping

from wrapper.errors import StackError, WrapError
from wrapper.stacks import catalog, identities, inputs
from wrapper.stacks.catalog import Listing, Row
from wrapper.stacks.imports import Loader
from wrapper.stacks.index import Index, Stored
from wrapper.stacks.manifest import EXTENSIONS, Manifest, encode, is_template, parse, read_bytes
from wrapper.stacks.settings import Settings
from wrapper.stacks.stamps import sure_stamp
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.world import World

# Below this many files, starting processes costs more than it saves.
_PARALLEL = 100


class Parsed(NamedTuple):
    """A file read afresh: its stamp, the stamps of what it includes, and its text for the index."""

    manifest: Manifest
    stamp: int
    reads: tuple[tuple[str, int], ...]
    doc: str


class NeedsAll(Exception):
    """A closure holds templates over sections that do not decide names."""


def read_file(path: str, settings: Settings) -> tuple[Manifest, int]:
    """Read and parse one manifest; return it with its stamp. Raises: StackError."""
    now = sure_stamp(path)
    content = read_bytes(path)
    key = (path, hash(content), settings.delimiter)
    if key in _refused:
        raise _refused[key]
    roots = (settings.base_path, settings.stacks_dir)
    try:
        return parse(content, path, roots, settings.delimiter), now
    except StackError as error:
        # Without the frames that it came through: they hold all that was read so far.
        _refused[key] = StackError(error.message, at=error.at, hint=error.hints)
        raise


# What this process could not parse: to find out a second time takes as long.
_refused: dict[tuple[str, int, str], StackError] = {}


def row_for(path: str, manifest: Manifest, now: int) -> tuple[str, int, str, str]:
    """Return a parsed file as the index stores it."""
    import json

    reads = [[one, sure_stamp(one)] for one in manifest.reads]
    return path, now, json.dumps(reads) if reads else "", encode(manifest)


class Update(NamedTuple):
    """What a look at the files gave."""

    listings: dict[str, Listing]
    docs: list[tuple[str, int, str, str]]
    depends: dict[str, tuple[str, ...]]


def listings(
    settings: Settings,
    paths: list[str],
    read: Callable[[str], Manifest],
    fresh: Mapping[str, tuple[Manifest, bool]],
    world: World | None = None,
) -> Update:
    """Return what the given manifests hold.

    `fresh` maps files that were just parsed to their part that decides names, and whether that
    part is not enough; all others come from `read`.
    """
    wanted = _wanted(settings)
    narrowed: dict[str, Manifest] = {}

    def narrow_read(path: str) -> Manifest:
        if path not in narrowed:
            if path in fresh:
                manifest, all_of_it = fresh[path]
                if all_of_it:
                    raise NeedsAll
                narrowed[path] = manifest
            else:
                manifest = read(path)
                if catalog.needs_all(manifest, settings):
                    raise NeedsAll
                narrowed[path] = catalog.narrow(manifest, wanted)
        return narrowed[path]

    loader = Loader(settings, narrow_read, world)
    whole = Loader(settings, read, world)
    found: dict[str, Listing] = {}
    depends: dict[str, tuple[str, ...]] = {}
    for path in paths:
        # What a broken closure depends on is not known: it is looked at every time.
        needs: tuple[str, ...] = ("",)
        with inputs.noted() as asked:
            try:
                try:
                    tree = loader.tree(path)
                except NeedsAll:
                    tree = whole.tree(path)
                held = identities.of(tree)
                found[path] = catalog.listing(tree, settings)._replace(identities=held)
                needs = (*tree.paths, *tree.reads, *tree.asked)
            except WrapError as error:
                found[path] = Listing((), (catalog.told(error),))
            except (MemoryError, RecursionError):
                told = f"{path}: the manifest is too large or nested too deeply"
                found[path] = Listing((), (told,))
        depends[path] = tuple(dict.fromkeys((*needs, *asked)))
    return Update(found, [], depends)


def parse_all(
    settings: Settings, paths: list[str]
) -> tuple[dict[str, tuple[Manifest, bool]], list[tuple[str, int, str, str]]]:
    """Parse many files, on all cores when that pays; those that cannot be parsed are left out."""
    plain = [path for path in paths if not is_template(path)]
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    if len(plain) < _PARALLEL or cores < 2:
        results = _parse_some((settings, plain))
    else:
        import multiprocessing

        size = max(16, len(plain) // (cores * 8))
        parts = [(settings, plain[at : at + size]) for at in range(0, len(plain), size)]
        with multiprocessing.get_context("fork").Pool(cores) as pool:
            results = [one for part in pool.imap_unordered(_parse_some, parts) for one in part]
    fresh = {row[0]: (narrow, all_of_it) for narrow, all_of_it, row in results}
    return fresh, [row for _, _, row in results]


def _wanted(settings: Settings) -> tuple[tuple[str, ...], ...] | None:
    """Return the field paths that decide names and identities; None when all fields may."""
    wanted = catalog.needed(settings)
    return None if wanted is None else (*wanted, identities.FIELD)


_Result = tuple[Manifest, bool, tuple[str, int, str, str]]


def _parse_some(task: tuple[Settings, list[str]]) -> list[_Result]:
    import gc

    settings, paths = task
    wanted = _wanted(settings)
    found: list[_Result] = []
    gc.disable()
    for path in paths:
        try:
            manifest, now = read_file(path, settings)
        except (WrapError, MemoryError, RecursionError):
            continue  # whoever needs it meets the same
        all_of_it = catalog.needs_all(manifest, settings)
        narrow = Manifest({}) if all_of_it else catalog.narrow(manifest, wanted)
        found.append((narrow, all_of_it, row_for(path, manifest, now)))
    gc.enable()
    return found


def stored(found: Listing, depends: tuple[str, ...]) -> Stored:
    """Return a listing as the index keeps it."""
    import json

    return Stored(
        json.dumps([list(row) for row in found.rows]),
        json.dumps(list(found.problems)),
        "\0".join(depends),
    )


def restored(one: Stored) -> Listing:
    """Return a listing from the index. Raises: ValueError when it is not one."""
    import json

    rows = []
    for row in json.loads(one.rows):
        kind, component, stack, abstract, enabled, locked, tags, labels = row
        pairs = tuple((key, value) for key, value in labels)
        rows.append(Row(kind, component, stack, abstract, enabled, locked, tuple(tags), pairs))
    problems: list[Any] = json.loads(one.problems)
    return Listing(tuple(rows), tuple(problems), None)


def refresh(
    index: Index,
    settings: Settings,
    read: Callable[[str], Manifest],
    world: World | None = None,
) -> dict[str, Listing]:
    """Return what every top-level manifest holds, reading only what changed, and store it."""
    changed = index.changed()
    before = index.listings() if changed is not None else {}
    whole = changed is None or not before
    manifests, directories = catalog.discover(settings)
    found: dict[str, Listing] = {}
    depends: dict[str, tuple[str, ...]] = {}
    stamps = {path: sure_stamp(path) for path in directories}
    for path in manifests:
        if path in before and changed is not None:
            known = tuple(before[path].depends.split("\0"))
            if not changed.intersection(known) and known[:1] != ("",):
                try:
                    found[path] = restored(before[path])
                    depends[path] = known
                except (ValueError, TypeError):
                    continue
    todo = [path for path in manifests if path not in found]
    stale = [path for path in changed or () if path.endswith(EXTENSIONS) and os.path.isfile(path)]
    new = [path for path in todo if path not in before]
    again = catalog.below(settings) if whole else list(dict.fromkeys((*new, *stale)))
    fresh, docs = parse_all(settings, again)
    stamps |= {path: now for path, now, _, _ in docs}
    update = listings(settings, todo, read, fresh, world)
    found |= update.listings
    depends |= update.depends
    old = index.watched()
    needed = [*manifests, *(one for some in depends.values() for one in some)]
    if "" in needed:
        needed += catalog.below(settings)
    for path in dict.fromkeys(needed):
        if path and path not in stamps and path[0] != "$":
            keep = not whole and path in old and path not in (changed or ())
            stamps[path] = old[path] if keep else sure_stamp(path)
    index.save(
        stamps,
        {path: stored(found[path], depends[path]) for path in todo},
        [(path, name) for path in todo for name in _names(found[path], path, settings)],
        _components(found, settings),
        [path for path in before if path not in found],
        docs,
        inputs.stamps({one for one in needed if one[:1] == "$"}),
        "\n".join(dict.fromkeys(line for path in manifests for line in found[path].problems)),
        {path: found[path].identities or "" for path in todo},
        whole=whole,
    )
    return {path: found[path] for path in manifests}


def _names(found: Listing, path: str, settings: Settings) -> list[str]:
    from wrapper.stacks.names import path_name

    shown = path_name(path, settings.stacks_dir)
    return list(dict.fromkeys(row.stack or shown for row in found.rows))


def _components(found: Mapping[str, Listing], settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield each component with the types that can be run, and its stacks."""
    from wrapper.stacks.names import path_name

    kinds: dict[str, set[str]] = {}
    stacks: dict[str, set[str]] = {}
    for path, one in found.items():
        shown = path_name(path, settings.stacks_dir)
        for row in one.rows:
            stacks.setdefault(row.component, set()).add(row.stack or shown)
            known = kinds.setdefault(row.component, set())
            if not row.abstract:
                known.add(row.kind)
    for name, some in stacks.items():
        yield name, "\0".join(sorted(kinds[name])), "\0".join(sorted(some))
