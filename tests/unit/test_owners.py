"""Who else could change a file: permissions, access lists, links and the ways to them."""

from __future__ import annotations

import grp
import os
import pwd
import struct
import sys
from pathlib import Path

import pytest

from wrapper import owners


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a directory with one file."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a").write_text("a")
    return tmp_path / "tree"


def told(tree: Path, name: str = "a") -> list[str]:
    """Return what is wrong with a file of the tree."""
    paths = [str(tree / name)]
    found = owners.faults(str(tree), paths, {}, str(tree), os.environ)
    return [f"{os.path.relpath(fault.path, tree)} {fault.what}" for fault in found]


def private() -> int:
    """Return the group that is the user's alone; skips where there is none."""
    me = pwd.getpwuid(os.geteuid())
    group = grp.getgrgid(me.pw_gid)
    if group.gr_name != me.pw_name or set(group.gr_mem) - {me.pw_name}:
        pytest.skip("this user has no group of their own")
    return me.pw_gid


def test_a_file_of_ones_own_is_safe(tree: Path) -> None:
    assert told(tree) == []


@pytest.mark.skipif(sys.platform != "linux", reason="access lists are attributes on Linux only")
def test_an_access_list_that_lets_somebody_write_is_seen(tree: Path) -> None:
    """Its mask stands where the group's permissions do, and the group may be one's own."""
    os.chown(tree / "a", -1, private())
    (tree / "a").chmod(0o664)
    assert told(tree) == []
    entries = [(1, 6, -1), (2, 6, 12345), (4, 4, -1), (16, 6, -1), (32, 4, -1)]
    packed = struct.pack("<I", 2)
    packed += b"".join(struct.pack("<HHI", t, p, i & 0xFFFFFFFF) for t, p, i in entries)
    try:
        os.setxattr(tree / "a", "system.posix_acl_access", packed)
    except OSError:
        pytest.skip("this file system has no access lists")
    assert told(tree) == ["a can be written by its group"]


def test_the_directory_that_holds_a_link_counts_too(tree: Path) -> None:
    """Who can write it can let the link lead to another file of the tree."""
    (tree / "links").mkdir()
    (tree / "files").mkdir()
    (tree / "files" / "x").write_text("x")
    (tree / "links" / "x").symlink_to("../files/x")
    assert told(tree, "links/x") == []
    (tree / "links").chmod(0o777)
    assert told(tree, "links/x") == ["links can be written by everybody"]


def test_what_is_missing_or_no_file_is_told(tree: Path) -> None:
    (tree / "dir").mkdir()
    os.mkfifo(tree / "pipe")
    (tree / "loop").symlink_to("loop")
    assert told(tree, "gone") == ["gone is not there any more"]
    assert told(tree, "dir") == ["dir is no plain file"]
    assert told(tree, "pipe") == ["pipe is no plain file"]
    assert len(told(tree, "loop")) == 1


@pytest.mark.parametrize(
    ("path", "directory", "expected"),
    [
        ("/a/b", "/a", True), ("/a", "/a", True), ("/ab", "/a", False), ("/a", "/a/b", False),
        ("/a", "/", True), ("/a/b", "/a/", True),
    ],
)  # fmt: skip
def test_below_compares_whole_names(path: str, directory: str, expected: bool) -> None:
    assert owners.below(path, directory) is expected


def test_another_spelling_counts_only_where_it_is_the_same_directory(tmp_path: Path) -> None:
    """On a disk that folds names, both are one inode; a link plays that here."""
    (tmp_path / "Src").mkdir()
    assert not owners.within(str(tmp_path / "SRC" / "x"), str(tmp_path / "Src"))
    (tmp_path / "SRC").symlink_to("Src")
    assert owners.within(str(tmp_path / "SRC" / "x"), str(tmp_path / "Src"))
    assert not owners.within(str(tmp_path / "SRCX"), str(tmp_path / "Src"))
