"""Archives: unpacked without paths, links or devices that lead out, and without bombs."""

from __future__ import annotations

import os

from wrapper.remote.git import FetchError
from wrapper.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from wrapper.remote.address import Address


def unpack(path: str, address: Address, target: str, largest: int, most: int) -> None:
    """Unpack an archive into a directory: at most so many bytes, so many entries.

    Raises: FetchError for what is no archive, too large, or leads out of the directory.
    """
    import lzma
    import tarfile
    import zipfile
    import zlib

    try:
        if address.archive == "zip":
            _zip(path, address, target, largest, most)
        else:
            _tar(path, address, target, largest, most)
    except (
        # RuntimeError: a password, or a way of packing that is not known.
        tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error,
        EOFError, OSError, RuntimeError, ValueError,
    ) as error:  # fmt: skip
        raise FetchError(f"cannot unpack {address.source}: {error}") from error


def _tar(path: str, address: Address, target: str, largest: int, most: int) -> None:
    import tarfile

    size = count = 0
    with tarfile.open(path) as archive:
        for member in archive:
            size, count = size + member.size, count + 1
            _check(address, size, count, largest, most)
            if member.isfile() or member.isdir() or member.issym() or member.islnk():
                # Refuses absolute paths, `..`, and links that lead out of the directory.
                archive.extract(member, target, filter="data")


def _zip(path: str, address: Address, target: str, largest: int, most: int) -> None:
    import zipfile

    size = count = 0
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            size, count = size + info.file_size, count + 1
            _check(address, size, count, largest, most)
            parts = info.filename.replace("\\", "/").split("/")
            if info.filename.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
                raise FetchError(f"cannot unpack {address.source}: an entry leads out of it")
            into = os.path.join(target, *[part for part in parts if part not in ("", ".")])
            if info.is_dir():
                os.makedirs(into, exist_ok=True)
                continue
            os.makedirs(os.path.dirname(into), exist_ok=True)
            with archive.open(info) as source, open(into, "xb") as stream:
                left = info.file_size
                while data := source.read(min(left + 1, 1 << 16)):
                    left -= len(data)
                    if left < 0:
                        raise FetchError(f"cannot unpack {address.source}: an entry lies")
                    stream.write(data)


def _check(address: Address, size: int, count: int, largest: int, most: int) -> None:
    if size > largest or count > most:
        raise FetchError(
            f"cannot unpack {address.source}: more than {largest >> 20} MB or {most} files"
        )
