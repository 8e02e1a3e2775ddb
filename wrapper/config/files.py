"""Which files take part: discovery of atmos.yaml, drop-in directories, import lists."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from wrapper.errors import ConfigError, Location
from wrapper.remote import is_remote
from wrapper.typed import Any, NamedTuple

SYSTEM_DIR = "/usr/local/etc/atmos"
_NAMES = ("atmos.yaml", "atmos.yml")
_HIDDEN = (".atmos.yaml", ".atmos.yml")
_LOCAL = ("atmos.yaml", ".atmos.yaml", ".atmos", ".atmos.d", "atmos.d")
_MAX_DEPTH = 10

# Reads one file: absolute path -> its data with schema keys in lower case.
Reader = Callable[[str], dict[str, Any]]
# Gives the files that a remote address in a file brings, lowest first.
Fetch = Callable[[str, str], list[str]]


class Source(NamedTuple):
    """A main file; `plain` ones have no imports and no drop-ins.

    `given` ones are named by the command line: they have no drop-ins, and what they import is laid
    over them.
    """

    path: str
    plain: bool = False
    given: bool = False


class Tree(NamedTuple):
    """One file with what it imports, in the order of its list."""

    path: str
    data: Mapping[str, Any]
    imports: tuple[Tree, ...] = ()


def git_root(start: str) -> str:
    """Return the nearest directory at or above `start` that holds `.git`; '' if there is none."""
    for directory in _upwards(start):
        if os.path.lexists(os.path.join(directory, ".git")):
            return directory
    return ""


def has_local_config(directory: str) -> bool:
    """Say whether a directory counts as configured. Source: reference/atmos-stacks.md 1.1."""
    return any(os.path.lexists(os.path.join(directory, name)) for name in _LOCAL)


def discover(environ: Mapping[str, str], home: str, cwd: str, root: str) -> list[Source]:
    """Return the main files, lowest first; `root` is the git root to look in, '' for none.

    Source: reference/atmos-stacks.md 1.1.
    """
    found = [Source(path, plain=True) for path in _main_file(SYSTEM_DIR)]
    directories = [os.path.join(home, ".atmos")]
    chosen = environ.get("ATMOS_CLI_CONFIG_PATH", "")
    if not chosen and not has_local_config(cwd):
        directories += _nearest_parent(cwd)
        if root:
            directories.append(root)
    directories.append(cwd)
    if chosen:
        directories.append(os.path.join(cwd, chosen))
    for directory in directories:
        for path in _main_file(os.path.normpath(directory)):
            found = [source for source in found if source.path != path]
            found.append(Source(path))
    return found


def given(files: Sequence[str], directories: Sequence[str], cwd: str) -> list[Source]:
    """Return the main files that the command line names, lowest first.

    Raises: ConfigError for one that is not there or of the wrong type.
    Source: reference/atmos-stacks.md 1.2.
    """
    found = []
    for name in files:
        path = os.path.normpath(os.path.join(cwd, name))
        if not name:
            raise ConfigError("--config needs the path of a file, not an empty one")
        if os.path.isdir(path):
            raise ConfigError(f"--config: {name} is a directory", hint="use --config-path")
        if not os.path.isfile(path):
            raise ConfigError(f"--config: there is no file {name}")
        found.append(Source(path, given=True))
    for name in directories:
        path = os.path.normpath(os.path.join(cwd, name))
        if os.path.isfile(path):
            raise ConfigError(f"--config-path: {name} is a file", hint="use --config")
        if not os.path.isdir(path):
            raise ConfigError(f"--config-path: there is no directory {name}")
        found += [Source(file) for file in _main_file(path, (*_NAMES, *_HIDDEN))]
    if not found:
        raise ConfigError(
            "no atmos.yaml in the directories that --config-path names",
            at=[os.path.join(cwd, name) for name in directories],
        )
    return found


def drop_ins(directory: str) -> list[str]:
    """Return the files of `atmos.d` and `.atmos.d` in a directory, lowest first."""
    return [
        path
        for name in ("atmos.d", ".atmos.d")
        for path in yaml_below(os.path.join(directory, name))
    ]


def yaml_below(directory: str) -> list[str]:
    """Return all YAML files below a directory, shallow first, then by path.

    Of `a.yaml` and `a.yml` only the first counts. A missing directory has none.
    Source: reference/atmos-stacks.md 1.3.
    """
    found: list[tuple[int, str]] = []
    for base, folders, names in os.walk(directory):
        folders.sort()
        depth = base.count(os.sep)
        present = set(names)
        for name in names:
            stem, extension = os.path.splitext(name)
            if extension == ".yaml" or (extension == ".yml" and f"{stem}.yaml" not in present):
                found.append((depth, os.path.join(base, name)))
    return [path for _, path in sorted(found)]


def read_tree(
    path: str,
    read: Reader,
    anchors: tuple[str, str],
    warn: Callable[[str], None],
    trail: tuple[str, ...] = (),
    fetch: Fetch | None = None,
) -> Tree:
    """Read a file and everything that it imports.

    `anchors` are the directories for plain paths and for those that begin with a dot. An import
    that does not exist is a warning; `fetch` gives the files of a remote one.
    Raises: ConfigError for a cycle or more than ten levels.
    Source: reference/atmos-stacks.md 1.3.
    """
    trail = (*trail, path)
    data = read(path)
    imports: list[Tree] = []
    for entry in _entries(data.get("import"), path):
        remote = fetch is not None and ("://" in entry or "::" in entry or is_remote(entry))
        targets = fetch(entry, path) if remote and fetch else _targets(entry, anchors)
        if not targets:
            warn(f"{path}: the import {entry} matches no file")
        for target in targets:
            if target in trail:
                chain = " -> ".join((*trail, target))
                raise ConfigError(f"files import each other: {chain}", at=_import_of(path))
            if len(trail) > _MAX_DEPTH:
                deep = f"imports are nested more than {_MAX_DEPTH} deep"
                raise ConfigError(deep, at=_import_of(path))
            start = (_own_base(target, read(target), anchors[0]), anchors[1])
            imports.append(read_tree(target, read, start, warn, trail, fetch))
    return Tree(path, data, tuple(imports))


def _own_base(path: str, data: Mapping[str, Any], above: str) -> str:
    """Return where the imports of an imported file start: at a base path of its own, if any."""
    base = str(data.get("base_path") or "")
    dotted = base.split("/", maxsplit=1)[0] in (".", "..")
    return os.path.normpath(os.path.join(os.path.dirname(path) if dotted else above, base))


def upper_last(tree: Tree) -> list[Tree]:
    """Return an imported file, then what it imports: in config files the deepest wins."""
    return [tree, *(below for child in tree.imports for below in upper_last(child))]


def importer_last(tree: Tree) -> list[Tree]:
    """Return what a file imports, then the file."""
    return [*(below for child in tree.imports for below in importer_last(child)), tree]


def _upwards(start: str) -> list[str]:
    directories = [start]
    while (parent := os.path.dirname(directories[-1])) != directories[-1]:
        directories.append(parent)
    return directories


def _nearest_parent(cwd: str) -> list[str]:
    for directory in _upwards(cwd)[1:]:
        if any(os.path.isfile(os.path.join(directory, name)) for name in _LOCAL[:2]):
            return [directory]
    return []


def _main_file(directory: str, names: Sequence[str] = _NAMES) -> list[str]:
    for name in names:
        path = os.path.join(directory, name)
        if os.path.isfile(path):
            return [path]
    return []


def _entries(value: Any, path: str) -> list[str]:
    entries = [value] if isinstance(value, str) else value or []
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        raise ConfigError("`import` must be a list of paths", at=_import_of(path))
    return [entry for entry in entries if entry]


def _import_of(path: str) -> Location:
    from wrapper import yamlio

    with open(path, "rb") as stream:
        return yamlio.locate(stream.read(), path, ("import",))


def _targets(entry: str, anchors: tuple[str, str]) -> list[str]:
    plain, dotted = anchors
    target = os.path.normpath(os.path.join(dotted if entry.startswith(".") else plain, entry))
    if os.path.isdir(target):
        return yaml_below(target)
    if any(char in entry for char in "*?[{"):
        return _glob(target)
    if os.path.splitext(target)[1] in (".yaml", ".yml"):
        return [target] if os.path.isfile(target) else []
    return [file for file in (f"{target}.yaml", f"{target}.yml") if os.path.isfile(file)][:1]


def _glob(pattern: str) -> list[str]:
    from wcmatch import glob

    flags = glob.GLOBSTAR | glob.BRACE | glob.DOTGLOB | glob.NODIR
    return sorted(
        path
        for path in glob.glob(pattern, flags=flags)
        if os.path.splitext(path)[1] in (".yaml", ".yml")
    )
