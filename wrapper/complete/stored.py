"""Names as they were found before, checked against every file that they come from.

Two files per question: what the configuration of a directory says, and what the manifests of a
repository say. An answer is given only if all variables read, all files and directories are as they
were; the check is one `stat` for each file, on two cores when they are many. It is a cache: anything
wrong with it means that `wrapper.complete.reading` reads the files again.
"""

from __future__ import annotations

import marshal
import os
import sys
import zlib

from wrapper import __version__
from wrapper.complete.place import Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FORMAT = (2, __version__, sys.hexversion)
# From this many files on, a second process pays.
_TWO_HANDS = 2000
# So many files of one directory are one piece of work.
_PIECE = 500
_LIMIT = 1 << 26
ABSENT = 0
# Flags that decide which configuration is read, as the commands themselves take them.
_ASKED = (
    "--base-path", "--config", "--config-path", "--profile", "--stacks-dir", "--terraform-dir",
    "--settings-list-merge-strategy",
)  # fmt: skip

Group = tuple[str, list[str], int]
# The stacks, each with the number of its set of components; the sets; identities, see `held`.
Manifests = tuple[dict[str, int], list[list[str]], bytes, bytes]


def names(found: Place, what: str) -> Any:
    """Return one list of the configuration: pairs of name and text; `commands` is a map."""
    return _config(found)[what]


def stacks(found: Place, component: str) -> list[str]:
    """Return the names of the stacks, of those that have a component if one is named."""
    every, sets, _, _ = _manifests(found)
    if not component:
        return list(every)
    fitting = {number for number, some in enumerate(sets) if component in some}
    return [name for name, number in every.items() if number in fitting]


def components(found: Place, stack: str) -> list[str]:
    """Return the names of the components that can be run, of one stack if one is named."""
    every, sets, _, _ = _manifests(found)
    if stack:
        return sorted(sets[every[stack]]) if stack in every else []
    return sorted({name for number in set(every.values()) for name in sets[number]})


def identities(found: Place) -> list[tuple[str, str]]:
    """Return the identities with kind and account: of a component, a stack, or the repository."""
    known: list[tuple[str, str]] = names(found, "identities")
    every, sets, entries, where = _manifests(found)
    if not entries:
        return known
    from wrapper.complete import held

    component = found.component
    if found.stack in every:
        have = sets[every[found.stack]]
        some = have if not component else [component] if component in have else []
        return held.there(dict(known), entries, where, [(found.stack, some)])
    having = stacks(found, component) if component else []
    if having:
        asked = [(stack, [component]) for stack in having]
        return held.there(dict(known), entries, where, asked)
    return held.anywhere(dict(known), entries)


_read: dict[str, object] = {}


def _config(found: Place) -> Any:
    if "config" not in _read:
        known = _known_config(found)
        if known is None:
            from wrapper.complete import reading

            known = reading.config(found, question(found))
        _read["config"] = known
    return _read["config"]


def _manifests(found: Place) -> Any:
    if "manifests" not in _read:
        config = _config(found)
        if config["manifests"] is None:
            return {}, [], b"", b""
        known = _known_manifests(config["manifests"])
        if known is None:
            from wrapper.complete import reading

            known = reading.manifests(found, question(found))
        _read["manifests"] = known
    return _read["manifests"]


def question(found: Place) -> tuple[str, tuple[tuple[str, tuple[str, ...]], ...]]:
    """Return what decides which configuration is read: the directory, and flags with values."""
    from wrapper.complete import answers

    cwd = answers.directory()
    chosen = found.values.get("--chdir", [])[-1:] or [os.environ.get("ATMOS_CHDIR", "")]
    if chosen[0]:
        cwd = os.path.normpath(os.path.join(cwd, os.path.expanduser(chosen[0])))
    given = [(name, tuple(found.values[name])) for name in _ASKED if found.values.get(name)]
    return cwd, tuple(given)


def _known_config(found: Place) -> Any:
    asked = question(found)
    place = config_file(asked)
    kept = load(place) if place else None
    if kept is None or kept[0] != asked or not asked[0]:
        return None
    _, variables, groups, payload = kept
    for name, digest in variables.items():
        if name and variable(os.environ.get(name)) != digest:
            return None
    if "" in variables and everything() != variables[""]:
        return None
    return payload if unchanged(groups) else None


def _known_manifests(reference: tuple[str, str]) -> Any:
    directory = cache_dir()
    kept = load(manifests_file(directory, reference[0])) if directory else None
    if kept is None or kept[0] != reference or not unchanged(kept[1]):
        return None
    return kept[2]


def cache_dir() -> str:
    """Return our directory of the cache (see `wrapper.files`), '' where HOME does not say it."""
    for name in ("ATMOS_XDG_CACHE_HOME", "XDG_CACHE_HOME"):
        if os.environ.get(name):
            return os.path.join(os.environ[name], "atmos-wrap", "complete")
    home = os.environ.get("HOME", "")
    return os.path.join(home, ".cache", "atmos-wrap", "complete") if os.path.isabs(home) else ""


def config_file(asked: tuple[str, tuple[tuple[str, tuple[str, ...]], ...]]) -> str:
    """Return where the answer to a question is kept, '' for nowhere."""
    directory = cache_dir()
    return os.path.join(directory, f"config-{_short(repr(asked))}") if directory else ""


def manifests_file(directory: str, root: str) -> str:
    """Return where the names in the manifests below `root` are kept."""
    return os.path.join(directory, f"stacks-{_short(root)}")


def _short(text: str) -> str:
    data = text.encode("utf-8", "surrogateescape")
    return f"{zlib.crc32(data):08x}{zlib.adler32(data):08x}"


def load(path: str) -> Any:
    """Return what `pack` packed into a file of this user, None for anything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or status.st_mode & 0o177022 != 0o100000:
            return None
        data = os.read(descriptor, min(status.st_size, _LIMIT))
    except OSError:
        return None
    finally:
        os.close(descriptor)
    body = memoryview(data)[8:]
    if data[:8] != b"%08x" % zlib.crc32(body):
        return None
    try:
        form, value = marshal.loads(body)  # noqa: S302  as it was written, by this very Python
    except (ValueError, EOFError, TypeError):
        return None
    return value if form == FORMAT else None


def pack(value: Any) -> bytes:
    """Return a value as `load` reads it."""
    body = marshal.dumps((FORMAT, value))
    return b"%08x" % zlib.crc32(body) + body


def variable(value: str | None) -> str:
    """Return a digest of a variable's value, '' where it is not set."""
    from wrapper import sha256

    if value is None:
        return ""
    return sha256.hexdigest(value.encode("utf-8", "surrogateescape"))


def everything() -> str:
    """Return a digest of the whole environment."""
    return variable(repr(sorted(os.environ.items())))


def groups_of(paths: list[str]) -> list[tuple[str, list[str]]]:
    """Return paths by directory, in pieces."""
    found: dict[str, list[str]] = {}
    for path in paths:
        directory, _, name = path.rpartition("/")
        found.setdefault(directory or "/", []).append(name or ".")
    return [
        (directory, some[begin : begin + _PIECE])
        for directory, some in found.items()
        for begin in range(0, len(some), _PIECE)
    ]


def digest(directory: str, some: list[str]) -> int:
    """Return a number that changes with each of the files of a directory, also with their absence."""
    status = os.stat
    stamps: list[int] = []
    try:
        where = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return _far(directory, some)
    try:
        for name in some:
            try:
                one = status(name, dir_fd=where)
            except OSError:
                stamps.append(ABSENT)
            else:
                stamps += (one.st_mtime_ns, one.st_ctime_ns, one.st_size, one.st_ino)
    finally:
        os.close(where)
    return hash(tuple(stamps))


def _far(directory: str, some: list[str]) -> int:
    """Return the number for files of a directory that cannot be opened, by their whole paths."""
    stamps: list[int] = []
    for name in some:
        try:
            one = os.stat(f"{directory}/{name}")
        except OSError:
            stamps.append(ABSENT)
        else:
            stamps += (one.st_mtime_ns, one.st_ctime_ns, one.st_size, one.st_ino)
    return hash(tuple(stamps))


def unchanged(groups: list[Group]) -> bool:
    """Say whether all files still are as they were."""
    total = sum(len(some) for _, some, _ in groups)
    if total < _TWO_HANDS:
        return all(digest(where, some) == known for where, some, known in groups)
    half = len(groups) // 2
    try:
        child = os.fork()
    except OSError:
        return all(digest(where, some) == known for where, some, known in groups)
    if not child:
        same = False
        try:
            same = all(digest(where, some) == known for where, some, known in groups[half:])
        finally:
            os._exit(0 if same else 1)
    same = all(digest(where, some) == known for where, some, known in groups[:half])
    _, status = os.waitpid(child, 0)
    return same and status == 0
