"""Private files: who may read them, what is trusted, who waits for whom."""

from __future__ import annotations

import os
import pwd
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from wrapper import files
from wrapper.errors import StoreError


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_every_directory_that_is_made_is_private(tmp_path: Path) -> None:
    files.make_private_dir(str(tmp_path / "a/b/c"))
    made = [tmp_path / "a", tmp_path / "a/b", tmp_path / "a/b/c"]
    assert [_mode(path) for path in made] == [0o700] * 3


def test_a_directory_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    files.make_private_dir(str(tmp_path / "a"))
    assert _mode(tmp_path) == 0o755


def test_a_directory_that_cannot_be_made_is_an_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match=str(tmp_path / "file/inner")):
        files.make_private_dir(str(tmp_path / "file/inner"))


def test_a_file_is_written_with_its_mode_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new/file"
    files.write_atomic(str(path), b"text")
    assert (path.read_bytes(), _mode(path)) == (b"text", 0o600)
    assert os.listdir(path.parent) == ["file"]


def test_a_file_that_cannot_be_replaced_leaves_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(StoreError):
        files.write_atomic(str(tmp_path / "taken"), b"text")
    assert os.listdir(tmp_path) == ["taken"]


def test_a_file_that_is_as_it_should_be_is_not_touched(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    assert files.write_if_changed(path, b"text") is True
    before = os.stat(path).st_ino
    assert files.write_if_changed(path, b"text") is False
    assert os.stat(path).st_ino == before
    assert files.write_if_changed(path, b"other") is True


def test_a_file_with_another_mode_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"text")
    path.chmod(0o644)
    assert files.write_if_changed(str(path), b"text") is True
    assert _mode(path) == 0o600


def _link(path: Path) -> None:
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real"))


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir(0o700)


@pytest.mark.parametrize(
    "change",
    [_link, _pipe, _directory, lambda path: path.chmod(0o640), lambda path: path.unlink()],
    ids=["link", "pipe", "directory", "shared", "gone"],
)
def test_what_is_no_private_file_is_not_read(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    path = tmp_path / "file"
    files.write_atomic(str(path), b"text")
    assert files.read_private(str(path)) == b"text"
    change(path)
    assert files.read_private(str(path)) is None


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    files.write_atomic(path, b"text")
    assert (files.read_private(path, limit=4), files.read_private(path, limit=3)) == (b"text", None)


def test_threads_wait_for_each_other_silently(tmp_path: Path) -> None:
    path, order = str(tmp_path / "lock"), []
    inside, told = threading.Event(), []

    def second() -> None:
        inside.wait(60)
        with files.lock(path, "second", told.append):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with files.lock(path, "first", told.append):
        inside.set()
        thread.join(0.2)
        order.append("first")
    thread.join(60)
    assert (order, told) == (["first", "second"], [])


@pytest.mark.parametrize("home", ["", "relative", None])
def test_a_home_that_is_no_absolute_path_is_the_one_of_the_password_database(
    home: str | None,
) -> None:
    environ = {} if home is None else {"HOME": home}
    known = pwd.getpwuid(os.getuid()).pw_dir
    assert files.state_dir(environ) == os.path.join(known, ".local/state/atmos-wrap")
    assert files.state_dir({"HOME": "/home/x"}) == "/home/x/.local/state/atmos-wrap"


def test_what_a_killed_process_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    gone = 2**22 + 1  # beyond the largest process id
    names = {
        "swept": f"file.{gone}.abc.tmp",
        "young": f"file.{gone}.def.tmp",
        "alive": f"file.{os.getpid()}.abc.tmp",
        "other": f"other.{gone}.abc.tmp",
        "own": "file.backup.tmp",
    }
    for key, name in names.items():
        (tmp_path / name).write_bytes(b"")
        if key != "young":
            os.utime(tmp_path / name, (0, 0))
    files.write_atomic(str(tmp_path / "file"), b"text")
    left = {"file", *(name for key, name in names.items() if key != "swept")}
    assert set(os.listdir(tmp_path)) == left


def test_directories_of_ours_alone_are_fine_and_so_are_those_that_are_not_there(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_bytes(b"")
    readable = tmp_path / "readable"
    readable.mkdir()
    readable.chmod(0o755)
    files.check_own(str(tmp_path / name) for name in ("", "readable", "missing", "file/below"))


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o1777])
def test_a_directory_that_others_can_write_in_is_refused(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    with pytest.raises(StoreError) as caught:
        files.check_own([str(tmp_path)])
    assert caught.value.message.startswith(f"others can write in {tmp_path} (mode {mode:04o})")
    assert caught.value.hints[0] == f"chmod go-w {tmp_path}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives directories away")
def test_a_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    with pytest.raises(StoreError, match="belongs to somebody else"):
        files.check_own([str(tmp_path)])
