"""Where our files are, and how they are written so that a killed process leaves old or new."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from wrapper.errors import StoreError
from wrapper.typed import TYPE_CHECKING
from wrapper.world import home_dir

if TYPE_CHECKING:
    import threading

NAME = "atmos-wrap"
# Seconds within which whoever gets a lock has written its label.
_LABELLED = 0.02
# Seconds after which a temporary file of a process that is gone is removed.
_LEFT_BEHIND = 3600.0
_ELSEWHERE = "point XDG_STATE_HOME to a directory of yours"


def state_dir(environ: Mapping[str, str]) -> str:
    """Return STATE: sessions and everything else that signs (design 7)."""
    return os.path.join(_base(environ, "STATE", ".local/state"), NAME)


def cache_dir(environ: Mapping[str, str]) -> str:
    """Return CACHE: what may be deleted at any time."""
    return os.path.join(_base(environ, "CACHE", ".cache"), NAME)


def config_dir(environ: Mapping[str, str]) -> str:
    """Return CONFIG: the user's own settings."""
    return os.path.join(_base(environ, "CONFIG", ".config"), NAME)


def atmos_dir(environ: Mapping[str, str], kind: str) -> str:
    """Return Atmos's own directory of `kind` (CONFIG, CACHE or DATA), ending in `atmos`.

    Source: reference/atmos-auth.md 5.1.
    """
    default = {"CONFIG": ".config", "CACHE": ".cache", "DATA": ".local/share"}[kind]
    return os.path.join(_base(environ, kind, default), "atmos")


def _base(environ: Mapping[str, str], kind: str, default: str) -> str:
    for name in (f"ATMOS_XDG_{kind}_HOME", f"XDG_{kind}_HOME"):
        if environ.get(name):
            return environ[name]
    return os.path.join(home_dir(environ), default)


def make_private_dir(path: str) -> None:
    """Make a directory and its parents with mode 0700.

    Raises: StoreError when that is not possible.
    """
    try:
        _make_dirs(path)
    except OSError as error:
        raise _store_error("make the directory", path, error) from error


def _make_dirs(path: str) -> None:
    """Make what is missing; `os.makedirs` gives its mode to the last directory only."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    if parent not in ("", path):
        _make_dirs(parent)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            raise


def owns(directory: str) -> bool:
    """Say whether a directory, or where it would be made, is ours: with `sudo -E` it is not."""
    while not os.path.lexists(directory) and directory != os.path.dirname(directory):
        directory = os.path.dirname(directory)
    try:
        return os.stat(directory).st_uid == os.geteuid()
    except OSError:
        return False


def check_own(directories: Iterable[str]) -> None:
    """Refuse directories in which somebody else could put or swap files of ours.

    One that is not there is none. Raises: StoreError with what to do about the first.
    """
    for directory in directories:
        try:
            status = os.stat(directory)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise _store_error("look at", directory, error) from error
        if not stat.S_ISDIR(status.st_mode):
            continue
        if status.st_uid != os.geteuid():
            raise StoreError(
                f"{directory} belongs to somebody else (user id {status.st_uid}):"
                " what signs is not kept there",
                hint=f"with sudo, use `sudo -H`; else {_ELSEWHERE}",
            )
        if status.st_mode & 0o022:
            mode = stat.S_IMODE(status.st_mode)
            raise StoreError(
                f"others can write in {directory} (mode {mode:04o}), and could change what signs",
                hint=[f"chmod go-w {directory}", f"or {_ELSEWHERE}"],
            )


def write_atomic(path: str, data: bytes, mode: int = 0o600) -> None:
    """Write a file so that readers see the old content or the new, never a part.

    Raises: StoreError.
    """
    make_private_dir(os.path.dirname(path))
    _sweep(path)
    _replace(path, data, mode, durable=True)


def write_named(cwd: str, name: str, data: bytes, mode: int | None = None) -> None:
    """Write to what the user named for output: a file as a whole, into a pipe or a device.

    Links are followed. `mode` None: that of the file which is there, else 0644. Raises: StoreError.
    """
    given = os.path.join(cwd, name)
    try:
        if given.startswith(("/dev/", "/proc/")) or os.path.exists(given) > os.path.isfile(given):
            # Such as /dev/stdout, which may be a file that holds more: nothing of it is cut off.
            with open(given, "ab", buffering=0) as stream:
                stream.write(data)
            return
        path = os.path.realpath(given)
        make_private_dir(os.path.dirname(path))
        if mode is None:
            mode = os.stat(path).st_mode & 0o777 if os.path.exists(path) else 0o644
        _replace(path, data, mode, durable=False)
    except OSError as error:
        raise StoreError(f"cannot write {name}: {error.strerror}") from error


def add_named(cwd: str, name: str, data: bytes) -> None:
    """Add whole lines to what the user named for output; a new file is his alone (0600).

    In one piece: others who add to it at the same time lose nothing. Raises: StoreError.
    """
    given = os.path.join(cwd, name)
    try:
        make_private_dir(os.path.dirname(os.path.realpath(given)))
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(given, flags, 0o600)
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StoreError(f"cannot write {name}: {error.strerror}") from error


def write_cache(path: str, data: bytes) -> None:
    """Write a file of CACHE, without waiting for the disk: readers see the old content or the new.

    After a loss of power it may be empty or torn: whoever reads it must notice.
    Raises: StoreError; also for root in somebody else's home, as with `sudo -E`.
    """
    directory = os.path.dirname(path)
    if os.geteuid() == 0 and not owns(directory):
        raise StoreError(f"{directory} is not root's: nothing is written there")
    make_private_dir(directory)
    _replace(path, data, 0o600, durable=False)


def _replace(path: str, data: bytes, mode: int, *, durable: bool) -> None:
    temporary = f"{path}.{os.getpid()}.{time.monotonic_ns():x}.tmp"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                os.fchmod(stream.fileno(), mode)
                stream.write(data)
                stream.flush()
                if durable:
                    os.fsync(stream.fileno())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise _store_error("write", path, error) from error


def _sweep(path: str) -> None:
    """Remove what killed processes left of this file: older than an hour, and its process gone."""
    directory, name = os.path.split(path)
    try:
        left = [n for n in os.listdir(directory or ".") if n.startswith(f"{name}.")]
        for each in left:
            pid, _, suffix = each[len(name) + 1 :].partition(".")
            found = os.path.join(directory, each)
            if not (pid.isdigit() and suffix.endswith(".tmp")) or os.path.exists(f"/proc/{pid}"):
                continue
            if os.lstat(found).st_mtime < time.time() - _LEFT_BEHIND:
                os.unlink(found)
    except OSError:
        return  # another process sweeps, too; what stays is private and small


def write_if_changed(path: str, data: bytes, mode: int = 0o600) -> bool:
    """Write a file unless it holds these bytes with this mode already; say whether it was written."""
    same = holds(path, data, mode)
    if not same:
        write_atomic(path, data, mode)
    return not same


def holds(path: str, data: bytes, mode: int = 0o600) -> bool:
    """Say whether a file is there with exactly these bytes and this mode.

    Where nobody else may read it, it must be a plain file of ours, too: what a link leads to, or
    its owner, could change.
    """
    private = not mode & 0o077
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (os.O_NOFOLLOW if private else 0)
    try:
        descriptor = os.open(path, flags)
    except OSError:
        return False
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or (private and status.st_uid != os.geteuid()):
            return False
        if stat.S_IMODE(status.st_mode) != mode or status.st_size != len(data):
            return False
        with open(descriptor, "rb", closefd=False) as stream:
            return stream.read() == data
    except OSError:
        return False
    finally:
        os.close(descriptor)


def read_private(path: str, limit: int = 1 << 20) -> bytes | None:
    """Return the bytes of a file of ours; None when it is not there or cannot be trusted.

    What is no plain file (a symlink, a pipe), another owner's file, one that others can read or
    write, and one larger than `limit` bytes are not trusted. Raises: StoreError when the disk
    refuses.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe would block
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENXIO):
            return None
        raise _store_error("read", path, error) from error
    try:
        status = os.fstat(descriptor)
        ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
        if not ours or status.st_mode & 0o077 or status.st_size > limit:
            return None
        with open(descriptor, "rb", closefd=False) as stream:
            return stream.read()
    finally:
        os.close(descriptor)


def remove(path: str) -> bool:
    """Remove a file; say whether there was one. Raises: StoreError."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _store_error("remove", path, error) from error
    return True


@contextmanager
def lock(path: str, label: str, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold an exclusive lock file; one process at a time.

    `label` is written into the file for those who wait. When another process holds the lock,
    `waiting` is called once with the holder's label and pid, then this call waits. The lock goes
    with the process. Threads of this process wait for each other silently. Raises: StoreError.
    """
    import threading

    mine = _between_threads.setdefault(path, threading.Lock())
    with mine, _between_processes(path, label, waiting):
        yield


_between_threads: dict[str, threading.Lock] = {}


@contextmanager
def _between_processes(
    path: str, label: str, waiting: Callable[[str], None] | None
) -> Iterator[None]:
    make_private_dir(os.path.dirname(path))
    descriptor = open_lock(path)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting is not None:
                time.sleep(_LABELLED)
                waiting(os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip())
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{label} (pid {os.getpid()})\n".encode(), 0)
        except OSError as error:  # a full disk: better told before somebody signs in than after
            raise _store_error("write", path, error) from error
        yield
    finally:
        os.close(descriptor)


def open_lock(path: str) -> int:
    """Open a lock file, made if it is missing; its directory is there. Raises: StoreError."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise _store_error("lock", path, error) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise StoreError(f"cannot lock {path}: it is no plain file", hint="remove it")
    return descriptor


def _store_error(action: str, path: str, error: OSError) -> StoreError:
    reason = error.strerror or str(error)
    return StoreError(
        f"cannot {action} {path}: {reason}",
        hint="check the disk and the permissions, or point XDG_STATE_HOME and XDG_CACHE_HOME elsewhere",
    )
