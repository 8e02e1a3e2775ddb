"""Who else could change a file: its owner, its permissions, and the directories on the way."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping, Sequence

from wrapper.errors import ConfigError
from wrapper.typed import NamedTuple

_LIMIT = 1 << 20


class Fault(NamedTuple):
    """Why a path is not safe, and the way out."""

    path: str
    what: str
    advice: str

    def __str__(self) -> str:
        return f"{self.path} {self.what}"


def faults(
    root: str,
    paths: Iterable[str],
    stats: Mapping[str, os.stat_result],
    tree: str,
    environ: Mapping[str, str],
) -> list[Fault]:
    """Return what is wrong with files and the directories that lead to them, most telling first.

    `stats`: the files as they were when they were read. Those below `tree` must be there in truth.
    """
    look = _Look(environ)
    found = look.way(root)
    for path in paths:
        found += look.file(path, stats.get(path), tree)
    return list(dict.fromkeys(found))


def folded(path: str) -> str:
    """Return a path in the one form that all its spellings share on a disk that takes them for one."""
    if not path.isascii():
        import unicodedata

        path = unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
    return path.casefold()


def below(path: str, directory: str) -> bool:
    """Say whether a path is a directory or below it, by whole names."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def within(path: str, directory: str) -> bool:
    """Say whether a path is in a directory, also if the disk takes another spelling for the same."""
    if below(path, directory):
        return True
    names, count = path.split("/"), len(directory.rstrip("/").split("/"))
    above = "/".join(names[:count])
    if folded(above) != folded(directory.rstrip("/")):
        return False
    try:
        return os.path.samefile(above, directory)
    except (OSError, ValueError):
        return False


def user(uid: int) -> str:
    """Return a user's name, else the number."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def read_own(path: str, environ: Mapping[str, str]) -> Sequence[str]:
    """Return the lines of a file of the user's own, without comments; none when it is not there.

    Raises: ConfigError when somebody else could have written it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise ConfigError(f"it cannot be read: {error.strerror or error}", at=path) from error
    with open(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        wrong = _Look(environ).file(path, status, "")
        if wrong:
            raise ConfigError(str(wrong[0]), at=path, hint=wrong[0].advice)
        text = stream.read(_LIMIT).decode("utf-8", "surrogateescape")
    lines = (line.strip() for line in text.split("\n"))
    return [line for line in lines if line and not line.startswith("#")]


class _Look:
    """One look at the disk; each directory is looked at once."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.known: dict[str, list[Fault]] = {}
        self.real: dict[str, str] = {}
        mine = {os.geteuid(), 0}
        # As git does: who became root by sudo may use the files that were theirs before.
        if 0 in mine and os.geteuid() == 0 and environ.get("SUDO_UID", "").isascii():
            mine |= {int(uid) for uid in (environ.get("SUDO_UID", ""),) if uid.isdigit()}
        self.mine = mine

    def file(self, path: str, read: os.stat_result | None, tree: str) -> list[Fault]:
        """Return what is wrong with a file, the directories of its path and those of its target."""
        directory, name = os.path.split(path)
        if directory not in self.real:
            self.real[directory] = os.path.realpath(directory)
        real = os.path.join(self.real[directory], name)
        try:
            now = os.lstat(real)
            if stat.S_ISLNK(now.st_mode):
                real = os.path.realpath(real)
                now = os.lstat(real)
        except OSError:
            return [Fault(path, "is not there any more", "try again")]
        if read is not None and (read.st_dev, read.st_ino) != (now.st_dev, now.st_ino):
            return [Fault(path, "was replaced while it was read", "try again")]
        if tree and below(path, tree) and not below(real, tree):
            advice = "put a copy in its place, or import the file by its path"
            return [Fault(path, f"is a link out of {tree}, to {real}", advice)]
        found = self._own(real, read or now, "file") if stat.S_ISREG(now.st_mode) else []
        if not stat.S_ISREG(now.st_mode):
            found = [Fault(path, "is no plain file", "remove it")]
        found = found + self.way(os.path.dirname(real))
        if os.path.dirname(real) != directory:
            found = found + self.way(directory)
        return found

    def way(self, directory: str) -> list[Fault]:
        """Return what is wrong with a directory and those above it."""
        if directory in self.known:
            return self.known[directory]
        parent = os.path.dirname(directory)
        above = self.way(parent) if parent != directory else []
        try:
            status = os.stat(directory)
        except OSError:
            own = [Fault(directory, "cannot be looked at", "check its permissions")]
        else:
            # In a directory like /tmp only the owner of what is below can move it.
            sticky = bool(status.st_mode & stat.S_ISVTX)
            own = self._own(directory, status, "directory", shared=sticky)
        self.known[directory] = above + own
        return self.known[directory]

    def _own(
        self, path: str, status: os.stat_result, what: str, *, shared: bool = False
    ) -> list[Fault]:
        if status.st_uid not in self._mine(what):
            advice = f"if the {what} is to be yours: chown it, or make a copy of your own"
            return [Fault(path, f"belongs to {user(status.st_uid)}", advice)]
        if shared or not status.st_mode & 0o022:
            return []
        if status.st_mode & 0o002:
            return [Fault(path, "can be written by everybody", f"chmod o-w {path}")]
        if _private_group(path, status):
            return []
        return [Fault(path, "can be written by its group", f"chmod g-w {path}")]

    def _mine(self, what: str) -> set[int]:
        """Return whose files count as the user's; `/` has no owner in some user namespaces."""
        return self.mine | {os.stat("/").st_uid} if what == "directory" else self.mine


def _private_group(path: str, status: os.stat_result) -> bool:
    """Say whether a file's group has nobody in it but the owner, and no list says more.

    Many systems make a group for each user, and files that it may write.
    """
    import grp
    import pwd

    try:
        owner, group = pwd.getpwuid(status.st_uid), grp.getgrgid(status.st_gid)
    except KeyError:
        return False
    if owner.pw_gid != status.st_gid or owner.pw_name != group.gr_name:
        return False
    if any(member != owner.pw_name for member in group.gr_mem):
        return False
    listing = getattr(os, "listxattr", None)
    try:
        return listing is None or "system.posix_acl_access" not in listing(path)
    except OSError:
        return True
