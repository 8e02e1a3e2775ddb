"""Which files of the working tree differ from those of the other side; read only when asked."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterator, Mapping

from wrapper.stacks import objects
from wrapper.stacks.baseline import Baseline
from wrapper.stacks.objects import Entry

_POINTER = b"version https://git-lfs.github.com/spec/v1\n"


class Changes:
    """The differences between a working tree and its baseline, by paths from the root."""

    def __init__(self, baseline: Baseline, environ: Mapping[str, str]) -> None:
        """List the files of the working tree. Raises: StackError."""
        self.root = baseline.root
        self._base = baseline
        self._files = objects.of_working_tree(self.root, environ)
        self._all = sorted({*self._files, *baseline.files})
        self._known: dict[str, bool] = {}
        self._elsewhere = {
            path
            for path in self._all
            if objects.SUBMODULE
            in (self._mode(path), getattr(baseline.files.get(path), "mode", ""))
        }

    def _mode(self, path: str) -> str:
        entry = self._files.get(path)
        return entry.mode if entry is not None else ""

    def relative(self, path: str) -> str | None:
        """Return an absolute path from the root; None for one outside, '' for the root."""
        if path == self.root or path.startswith(self.root + os.sep):
            return path[len(self.root) + 1 :]
        real = os.path.realpath(path)
        if real == self.root or real.startswith(self.root + os.sep):
            return real[len(self.root) + 1 :]
        return None

    def file(self, path: str) -> bool:
        """Say whether a file differs, is new or is gone; `path` is absolute."""
        return any(self._differs(one) or self._around(one) for one in self._places(path))

    def below(self, path: str) -> str:
        """Return the first file below a directory that differs, or ''; `path` is absolute.

        A link below it differs with what it leads to.
        """
        for place in self._places(path):
            if self._around(place):
                return place
            for one in self._under(place):
                if self._differs(one) or (self._mode(one) == objects.LINK and self._leads(one)):
                    return one
        return ""

    def _places(self, path: str) -> list[str]:
        """Return a path from the root as it is written, and with its links resolved."""
        found = (self.relative(path), self.relative(os.path.realpath(path)))
        return list(dict.fromkeys(one for one in found if one is not None))

    def _leads(self, link: str) -> bool:
        """Say whether something differs that a link of the repository leads to."""
        target = self.relative(os.path.realpath(os.path.join(self.root, link)))
        if target is None or link.startswith(f"{target}/"):
            return False
        return self._differs(target) or any(self._differs(one) for one in self._under(target))

    def all_below(self, path: str) -> list[str]:
        """Return all files below a directory that differ, by path from the root."""
        relative = self.relative(path)
        found = [] if relative is None else [*self._under(relative)]
        return [one for one in found if self._differs(one)]

    def _under(self, relative: str) -> Iterator[str]:
        start = f"{relative}/" if relative else ""
        for position in range(bisect_left(self._all, start), len(self._all)):
            if not self._all[position].startswith(start):
                return
            yield self._all[position]

    def _around(self, relative: str) -> bool:
        """Say whether a path is in a submodule that stands at another commit."""
        return any(
            relative == path or relative.startswith(f"{path}/")
            for path in self._elsewhere
            if self._differs(path)
        )

    def _differs(self, path: str) -> bool:
        known = self._known.get(path)
        if known is None:
            known = self._known[path] = self._compare(path)
        return known

    def _compare(self, path: str) -> bool:
        own, other = self._files.get(path), self._base.files.get(path)
        if own is None or other is None:
            return own is not other and (own is None or own.hidden or self._read(path) is not None)
        if own.mode != other.mode and own.name and other.name:
            return True
        if own.hidden or own.mode == objects.SUBMODULE:
            return own.name != other.name
        data = self._read(path)
        if data is None:
            return True
        if self._base.is_checkout:
            return data != _content(os.path.join(self._base.directory(""), path))
        return self._is_other(path, data, other)

    def _is_other(self, path: str, data: bytes, other: Entry) -> bool:
        """Say whether bytes are not those of a commit's file, as a checkout would write them."""
        if objects.name_of(data, other.name) == other.name:
            return False
        if b"\r\n" in data:
            plain = data.replace(b"\r\n", b"\n")
            if objects.name_of(plain, other.name) == other.name:
                return False
        if 0 < other.size < 300:
            return not _stands_for(self._base.content(path), data)
        return True

    def _read(self, path: str) -> bytes | None:
        return _content(os.path.join(self.root, path))


def _content(path: str) -> bytes | None:
    """Return what git would store for a path of a working tree; None when nothing is there."""
    try:
        if os.path.islink(path):
            return os.fsencode(os.readlink(path))
        with open(path, "rb") as stream:
            return stream.read()
    except OSError:
        return None


def _stands_for(pointer: bytes, data: bytes) -> bool:
    """Say whether a pointer of git-lfs stands for these bytes."""
    import hashlib

    if not pointer.startswith(_POINTER):
        return False
    return b"\noid sha256:" + hashlib.sha256(data).hexdigest().encode() + b"\n" in pointer
