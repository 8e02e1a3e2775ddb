"""The index: parsed manifests and the stacks in them, kept in sqlite between runs.

It is a cache. What it answers is checked against the files first; anything wrong with it means
that the files are read again. docs/explanation/index.md says what is checked and why.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Mapping, Sequence

from wrapper import __version__
from wrapper.stacks.manifest import Manifest, decode
from wrapper.stacks.settings import Settings
from wrapper.stacks.stamps import ABSENT, UNSURE, changes, stamp
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import sqlite3

    from wrapper.world import World

_FORMAT = 3
_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
CREATE TABLE files (path TEXT PRIMARY KEY, stamp INTEGER, reads TEXT, doc TEXT) WITHOUT ROWID;
CREATE TABLE manifests (path TEXT PRIMARY KEY, rows TEXT, problems TEXT, depends TEXT)
  WITHOUT ROWID;
CREATE TABLE stacks (path TEXT, name TEXT, PRIMARY KEY (path, name)) WITHOUT ROWID;
CREATE INDEX names ON stacks (name, path);
CREATE TABLE components (name TEXT PRIMARY KEY, kinds TEXT, stacks TEXT) WITHOUT ROWID;
CREATE TABLE identities (path TEXT PRIMARY KEY, told TEXT) WITHOUT ROWID;
"""


class Stored(NamedTuple):
    """A manifest's stored listing: rows and problems as JSON, and what it depends on."""

    rows: str
    problems: str
    depends: str


class Index:
    """One opened index. Every failure of sqlite is the same as an empty index."""

    def __init__(self, settings: Settings, world: World) -> None:
        from wrapper import files

        self.key = _key(settings)
        self.directory = world.index_dir or files.cache_dir(world.environ)
        self.path = os.path.join(self.directory, f"index-{_short(settings.stacks_dir)}.sqlite")
        self._base: sqlite3.Connection | None = None
        self._opened = False

    def _connection(self) -> sqlite3.Connection | None:
        """Return a connection, or None without a usable index.

        Each question is a transaction of its own: a writer in between is never kept waiting, and
        what it stores is as true as what was there.
        """
        if self._opened:
            return self._base
        self._opened = True
        if not self._whole():
            return None
        import sqlite3

        base = None
        try:
            base = sqlite3.connect(
                f"file:{_quoted(self.path)}?mode=ro",
                uri=True,
                timeout=1,
                isolation_level=None,
                check_same_thread=False,  # closing may fall to another thread
            )
            row = base.execute("SELECT value FROM meta WHERE key = 'key'").fetchone()
            if row is not None and row[0] == self.key:
                self._base, base = base, None
        except (sqlite3.Error, UnicodeError):
            return None
        finally:
            if base is not None:
                base.close()
        return self._base

    def _whole(self) -> bool:
        """Say whether the file is as one of us left it: nobody else wrote, none of us broke off.

        A changed byte in it would change an answer, and sqlite would not notice.
        """
        try:
            with open(f"{self.path}.stamp", "rb") as stream:
                return stream.read(64) == self._mark()
        except OSError:
            return False

    def _mark(self) -> bytes:
        now = stamp(self.path)
        return b"" if now == ABSENT else b"%d\n" % now

    def _rows(self, query: str, *values: Any) -> list[Any]:
        base = self._connection()
        if base is None:
            return []
        import sqlite3

        try:
            return base.execute(query, values).fetchall()
        except (sqlite3.Error, UnicodeError):
            return []

    def __del__(self) -> None:
        """Close what nobody asks any more."""
        if getattr(self, "_base", None) is not None:
            self.close()

    def close(self) -> None:
        """Let others write; what is asked afterwards opens the index again."""
        if self._base is not None:
            self._base.close()
        self._base = None
        self._opened = False

    def watched(self) -> dict[str, int]:
        """Return every path the listings depend on with its stamp."""
        both = self._watch()
        return {} if both is None else dict(zip(*both, strict=True))

    def _watch(self) -> tuple[list[str], array[int]] | None:
        """Return the watched paths and their stamps; None without an index."""
        rows = self._rows("SELECT value FROM meta WHERE key IN ('paths', 'stamps') ORDER BY key")
        if len(rows) != 2 or not all(isinstance(row[0], bytes) for row in rows):
            return None
        stamps = array("q")
        try:
            stamps.frombytes(rows[1][0])
            paths = rows[0][0].decode("utf-8", "surrogateescape").split("\0")
        except (ValueError, UnicodeError):
            return None
        return (paths, stamps) if len(paths) == len(stamps) else None

    def changed(self) -> set[str] | None:
        """Return the watched paths that changed; None when nothing is known."""
        both = self._watch()
        if both is None:
            return None
        return {*changes(*both), *self._asked()}

    def _asked(self) -> set[str]:
        """Return what the listings depend on besides files and is another now, see `inputs`."""
        import json

        from wrapper.stacks import inputs

        rows = self._rows("SELECT value FROM meta WHERE key = 'inputs'")
        try:
            return inputs.changed(json.loads(rows[0][0]))
        except (LookupError, ValueError, TypeError, AttributeError):
            return {inputs.ALWAYS}

    def stale(self, below: str) -> bool:
        """Say whether manifests came or went, or one below a directory changed; True without an index.

        Looks at directories and at that part only: enough to find what is then read itself.
        """
        from wrapper.stacks.manifest import EXTENSIONS

        both = self._watch()
        if both is None:
            return True
        part = [
            (path, known)
            for path, known in zip(*both, strict=True)
            if not path.endswith(EXTENSIONS) or (below and path.startswith(below))
        ]
        known = array("q", [one for _, one in part])
        return bool(self._asked() or changes([path for path, _ in part], known))

    def manifest(self, path: str, now: int) -> Manifest | None:
        """Return a file as it was parsed, if it and what it includes still carry their stamps."""
        rows = self._rows("SELECT stamp, reads, doc FROM files WHERE path = ?", path)
        if not rows or rows[0][0] != now or now in (ABSENT, UNSURE):
            return None
        try:
            if rows[0][1]:
                import json

                for read, known in json.loads(rows[0][1]):
                    if stamp(read) != known:
                        return None
            return decode(rows[0][2])
        except (ValueError, TypeError):
            return None

    def stacks(self, name: str) -> list[str]:
        """Return the manifests with components of a stack, by path."""
        return [
            row[0]
            for row in self._rows("SELECT path FROM stacks WHERE name = ? ORDER BY path", name)
        ]

    def below(self, directory: str) -> dict[str, Stored]:
        """Return the stored listings of the manifests in a directory or below it."""
        query = (
            "SELECT path, rows, problems, depends FROM manifests"
            " WHERE path >= ? AND path < ? ORDER BY path"
        )
        found = self._rows(query, f"{directory}/", f"{directory}0")
        return {row[0]: Stored(*row[1:]) for row in found}

    def names(self) -> list[str]:
        """Return the names of all stacks, sorted."""
        return sorted(row[0] for row in self._rows("SELECT DISTINCT name FROM stacks"))

    def having(self, component: str) -> list[str]:
        """Return the names of the stacks that have a component, sorted."""
        rows = self._rows("SELECT stacks FROM components WHERE name = ?", component)
        return str(rows[0][0]).split("\0") if rows else []

    def components(self, kind: str) -> list[str]:
        """Return the names of all components of a type that are not abstract, sorted."""
        rows = self._rows("SELECT name, kinds FROM components ORDER BY name")
        return [row[0] for row in rows if kind in str(row[1]).split("\0")]

    def identities(self) -> dict[str, str]:
        """Return what manifests say of identities, by path, for those that do (see `identities`)."""
        return {row[0]: str(row[1]) for row in self._rows("SELECT path, told FROM identities")}

    def has(self, path: str) -> bool:
        """Say whether a file is a top-level manifest."""
        return bool(self._rows("SELECT 1 FROM manifests WHERE path = ?", path))

    def problems(self) -> str:
        """Return the stored problems of all manifests, one to a line."""
        rows = self._rows("SELECT value FROM meta WHERE key = 'problems'")
        return str(rows[0][0]) if rows else ""

    def listings(self, paths: Sequence[str] | None = None) -> dict[str, Stored]:
        """Return the stored listings by path of the manifest, of all or of some."""
        query = "SELECT path, rows, problems, depends FROM manifests"
        if paths is None:
            rows = self._rows(f"{query} ORDER BY path")
        else:
            rows = [row for path in paths for row in self._rows(f"{query} WHERE path = ?", path)]
        return {row[0]: Stored(*row[1:]) for row in rows}

    def save(
        self,
        watched: Mapping[str, int],
        listings: Mapping[str, Stored],
        stacks: Iterable[tuple[str, str]],
        components: Iterable[tuple[str, str, str]],
        gone: Iterable[str],
        docs: Iterable[tuple[str, int, str, str]],
        asked: Mapping[str, str],
        problems: str,
        identities: Mapping[str, str],
        *,
        whole: bool,
    ) -> None:
        """Store what was found; an index that cannot be written is no error.

        `stacks` are manifests with the names of their stacks; `components` names with their types
        and stacks, of all manifests. With `whole` everything stored before is forgotten; else
        `gone` manifests are.
        """
        import contextlib
        import json
        import sqlite3

        from wrapper import files
        from wrapper.errors import StoreError

        self.close()
        try:
            files.make_private_dir(self.directory)
            if not self._whole():
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.path)
            base = self._writable(whole)
        except (sqlite3.Error, UnicodeError, OSError, StoreError):
            return
        try:
            for path in (*gone, *listings):
                base.execute("DELETE FROM stacks WHERE path = ?", (path,))
                base.execute("DELETE FROM manifests WHERE path = ?", (path,))
                base.execute("DELETE FROM identities WHERE path = ?", (path,))
            base.executemany(
                "INSERT OR REPLACE INTO manifests VALUES (?, ?, ?, ?)",
                [(path, *one) for path, one in listings.items()],
            )
            base.executemany("INSERT OR REPLACE INTO stacks VALUES (?, ?)", stacks)
            told = [pair for pair in identities.items() if pair[1]]
            base.executemany("INSERT OR REPLACE INTO identities VALUES (?, ?)", told)
            base.execute("DELETE FROM components")
            base.executemany("INSERT INTO components VALUES (?, ?, ?)", components)
            base.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", docs)
            paths = "\0".join(watched).encode("utf-8", "surrogateescape")
            values: dict[str, Any] = {
                "key": self.key,
                "inputs": json.dumps(asked),
                "problems": problems,
                "paths": paths,
                "stamps": array("q", watched.values()).tobytes(),
            }
            base.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())
            base.execute("COMMIT")
        except (sqlite3.Error, UnicodeError):
            return
        finally:
            base.close()
        with contextlib.suppress(StoreError):  # then the next one begins anew
            files.write_cache(f"{self.path}.stamp", self._mark())

    def _writable(self, whole: bool) -> sqlite3.Connection:
        """Return a connection inside a write transaction, on tables of this format.

        Who finds another one writing does not store: the other one stores the same.
        """
        import sqlite3

        for last in (False, True):
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            base = sqlite3.connect(self.path, timeout=0.1, isolation_level=None)
            try:
                self._begin(base, whole)
            except sqlite3.DatabaseError as error:
                base.close()
                if last or isinstance(error, sqlite3.OperationalError):
                    raise
                os.unlink(self.path)  # it is no database: a new one takes its place
            else:
                return base
        raise AssertionError

    def _begin(self, base: sqlite3.Connection, whole: bool) -> None:
        """Begin to write; tables of another format, or with `whole` all, are made anew."""
        base.execute("PRAGMA synchronous = OFF")
        # Readers are kept out by the commit only, not by a large transaction before it.
        base.execute("PRAGMA cache_spill = OFF")
        base.execute("BEGIN IMMEDIATE")
        if not whole and self._has_key(base):
            return
        for table in ("meta", "files", "manifests", "stacks", "components", "identities"):
            base.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in _TABLES.split(";"):
            if statement.strip():
                base.execute(statement)

    def _has_key(self, base: sqlite3.Connection) -> bool:
        found = base.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone()
        if found is None:
            return False
        row = base.execute("SELECT value FROM meta WHERE key = 'key'").fetchone()
        return row is not None and row[0] == self.key


def _key(settings: Settings) -> str:
    """Return what the index depends on besides the files: format, program, settings."""
    from wrapper import sha256

    text = repr((_FORMAT, __version__, settings._replace(auth={}, command="", github={})))
    # Only a digest: the settings hold what must not lie on disk.
    return sha256.hexdigest(text.encode("utf-8", "backslashreplace"))


def _short(text: str) -> str:
    """Return a name for a path. Two paths of one name take turns: the key holds the path."""
    import zlib

    data = text.encode("utf-8", "surrogateescape")
    return f"{zlib.crc32(data):08x}{zlib.adler32(data):08x}"


def _quoted(path: str) -> str:
    """Return a path for an sqlite URI."""
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
