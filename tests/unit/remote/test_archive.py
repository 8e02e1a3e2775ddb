"""Archives stay inside: no paths, links, devices or bombs get out of them."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from wrapper.remote import archive
from wrapper.remote.address import Address
from wrapper.remote.git import FetchError

TAR = Address("file", "https://h/x.tar", "https://h/x.tar", archive="tar")
ZIP = TAR._replace(archive="zip")


def tar(path: Path, *members: tuple[str, bytes, str, bytes]) -> str:
    with tarfile.open(path, "w") as made:
        for name, kind, link, data in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, link, len(data)
            made.addfile(info, io.BytesIO(data))
    return str(path)


def file(name: str, data: bytes = b"x") -> tuple[str, bytes, str, bytes]:
    return name, tarfile.REGTYPE, "", data


@pytest.mark.parametrize(
    "member",
    [
        file("../out"), file("a/../../out"),
        ("link", tarfile.SYMTYPE, "/etc/passwd", b""),
        ("link", tarfile.SYMTYPE, "../../out", b""),
        ("hard", tarfile.LNKTYPE, "../out", b""),
    ],
)  # fmt: skip
def test_a_tar_that_leads_out_is_refused(
    tmp_path: Path, member: tuple[str, bytes, str, bytes]
) -> None:
    inside = tmp_path / "in/x"
    inside.mkdir(parents=True)
    with pytest.raises(FetchError):
        archive.unpack(tar(tmp_path / "x.tar", file("ok"), member), TAR, str(inside), 99, 9)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "in/out").exists()


def test_what_is_no_file_is_left_out_and_the_rest_arrives(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    device = ("dev", tarfile.CHRTYPE, "", b"")
    within = ("link", tarfile.SYMTYPE, "a", b"")
    archive.unpack(tar(tmp_path / "x.tar", file("a"), within, device), TAR, str(inside), 99, 9)
    assert sorted(one.name for one in inside.iterdir()) == ["a", "link"]


@pytest.mark.parametrize(("largest", "most"), [(5, 9), (99, 1)])
def test_a_bomb_is_refused(tmp_path: Path, largest: int, most: int) -> None:
    path = tar(tmp_path / "x.tar", file("a", b"1234"), file("b", b"1234"))
    with pytest.raises(FetchError, match="more than"):
        archive.unpack(path, TAR, str(tmp_path), largest, most)


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out", "a\\..\\..\\out", "C:/out"])
def test_a_zip_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    path, inside = tmp_path / "x.zip", tmp_path / "in"
    inside.mkdir()
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("a/b", "x")
        made.writestr(name, "x")
    with pytest.raises(FetchError):
        archive.unpack(str(path), ZIP, str(inside), 99, 9)
    assert sorted(str(p.relative_to(inside)) for p in inside.rglob("*")) == ["a", "a/b"]


def test_a_zip_arrives(tmp_path: Path) -> None:
    path, inside = tmp_path / "x.zip", tmp_path / "in"
    inside.mkdir()
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("a/b", "text")
    archive.unpack(str(path), ZIP, str(inside), 99, 9)
    assert (inside / "a/b").read_text() == "text"


@pytest.mark.parametrize("address", [TAR, ZIP])
@pytest.mark.parametrize("data", [b"", b"no archive", b"\x1f\x8b\x08broken", b"PK\x03\x04"])
def test_what_is_no_archive_is_told(tmp_path: Path, address: Address, data: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    with pytest.raises(FetchError):
        archive.unpack(str(path), address, str(tmp_path), 99, 9)
