"""What a person gave → plain files in the scratch: unpacked, in UTF-8, under safe names.

A name inside an archive never becomes a path. Archives are bounded in members, size and ratio;
nested ones are refused. A plain file is not copied: the scratch gets a link to it.
"""

from __future__ import annotations

import errno
import gzip
import lzma
import shutil
import stat
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import IO

from core.data.files.encodings import BLOCK, WANTED, Plain, as_utf8
from core.errors import BadInput, NotFound, TooLarge

MAX_MEMBERS = 100
MAX_RATIO = 200  # unpacked : packed. Logs reach 50, gzip's limit is about 1000
FREE_RATIO_BYTES = 64 << 20  # below this size the ratio does not matter
MAGIC = {
    b"PAR1": "parquet",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"\x1f\x8b": "gzip",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF",
    b"\xd0\xcf\x11\xe0": "an old Excel file (.xls); save it as .xlsx or CSV",
    b"\x28\xb5\x2f\xfd": "packed with zstd",
    b"BZh": "packed with bzip2",
    b"\xfd7zXZ": "packed with xz",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"SQLite format 3": "an SQLite database",
    b"\x7fELF": "a program",
    b"MZ\x90": "a program",
    b"\x89HDF": "an HDF5 file",
    b"ARROW1": "an Arrow file; save it as Parquet",
    b"Obj\x01": "an Avro file",
    b"ORC": "an ORC file",
    b"\x80\x04\x95": "a pickle",
    b"\x80\x05\x95": "a pickle",
}
UNZIP_ERRORS = (  # what Python's zipfile raises at a damaged archive
    *(zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError),
    *(NotImplementedError, ValueError, OSError, MemoryError),
)
NOT_DATA = ("readme", "license", "licence", "copying", "notice", "changelog", "citation")


def unpack(path: Path, scratch: Path, name: str | None = None) -> list[Plain]:
    """The plain files in what lies at this path: one, or the members of a zip.

    Args:
        path: What a person gave.
        scratch: A folder for unpacked and converted files.
        name: What the person calls it; the path's own name if not given.

    Raises:
        NotFound: nothing lies there, or a folder.
        BadInput: it is empty, of no kind that can be read, damaged, or an unsafe archive.
        TooLarge: it unpacks to more than it may.
    """
    name = name or path.name
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise NotFound(f"{str(path)!r} {what}: give the path of a file")
    link = scratch / f"{len(list(scratch.iterdir()))}-file"
    link.symlink_to(path.absolute())
    kind = _kind(name, link)
    if kind == "gzip":
        return [_gunzip(name, link, scratch)]
    if kind == "zip":
        return _unzip(name, link, scratch)
    return [as_utf8(Plain(name, link, kind), scratch)]


def _kind(name: str, path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(16)
    if not start:
        raise BadInput(f"{name} is empty (0 bytes): {WANTED}")
    for magic, kind in MAGIC.items():
        if start.startswith(magic):
            if kind == "zip" and (inner := _kind_of_zip(path)):
                return inner
            if kind in ("parquet", "zip", "gzip"):
                return kind
            raise BadInput(f"{name} is {kind}: {WANTED}")
    return "text"


def _kind_of_zip(path: Path) -> str | None:
    """Whether a zip is "xlsx" or "npz", by the names in it; None for any other."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return None
    if "xl/workbook.xml" in names:
        return "xlsx"
    return "npz" if names and all(name.endswith(".npy") for name in names) else None


def _gunzip(name: str, path: Path, scratch: Path) -> Plain:
    inner = name[:-3] if name.lower().endswith(".gz") else name
    target = scratch / f"{path.name}-unpacked"
    try:
        with gzip.open(path) as packed:
            _copy(name, packed, target, path.stat().st_size)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadInput(
            f"{name} is damaged: it cannot be unpacked to its end ({error}); copy it again"
        ) from None
    return _inner(Plain(inner, target, "text"), name, scratch)


def _unzip(name: str, path: Path, scratch: Path) -> list[Plain]:
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                _refuse_unsafe(name, member)
            members = [m for m in archive.infolist() if not m.is_dir() and _is_data(m.filename)]
            if not members:
                raise BadInput(f"{name} holds no data file: {WANTED}")
            if len(members) > MAX_MEMBERS:
                raise TooLarge(f"{name} holds {len(members)} files, at most {MAX_MEMBERS} are read")
            left = max(MAX_RATIO * path.stat().st_size, FREE_RATIO_BYTES)
            plains = []
            for n, member in enumerate(members):
                target = scratch / f"{path.name}-{n}"
                plains.append(_extract(name, archive, member, target, scratch, left))
                left -= target.stat().st_size
            return plains
    except UNZIP_ERRORS as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # a full disk is no fault of the archive
        raise BadInput(
            f"{name} is no zip that can be unpacked ({error}); make it again, or give the files"
        ) from None


def _is_data(name: str) -> bool:
    path = PurePosixPath(name)
    return not (
        path.name.startswith((".", "_"))  # _SUCCESS, as Spark leaves it
        or "__MACOSX" in path.parts
        or path.name.lower().startswith(NOT_DATA)
        or path.suffix.lower() in (".md", ".html", ".pdf")
    )


def _refuse_unsafe(name: str, member: zipfile.ZipInfo) -> None:
    inner = member.filename.replace("\\", "/")
    if inner.startswith("/") or ".." in inner.split("/") or ":" in inner.split("/")[0]:
        raise BadInput(
            f"{name} holds a file named {member.filename!r}, which points outside of it: "
            "an archive's names must stay inside"
        )
    if stat.S_ISLNK(member.external_attr >> 16):
        raise BadInput(f"{name} holds a link ({member.filename!r}): give the file it points to")
    if member.flag_bits & 1:
        raise BadInput(f"{name} is locked with a password: unpack it first")


def _extract(
    name: str,
    archive: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    target: Path,
    scratch: Path,
    left: int,
) -> Plain:
    label = f"{name}/{member.filename}"
    with archive.open(member) as packed:
        _copy(label, packed, target, max(member.compress_size, 1), left)
    return _inner(Plain(label, target, "text"), name, scratch)


def _inner(plain: Plain, archive: str, scratch: Path) -> Plain:
    kind = _kind(plain.name, plain.path)
    if kind in ("zip", "gzip"):
        raise BadInput(f"{archive} holds another archive ({plain.name}): unpack it first")
    return as_utf8(replace(plain, kind=kind), scratch)


def _copy(
    name: str,
    packed: IO[bytes] | gzip.GzipFile,
    target: Path,
    packed_size: int,
    left: int | None = None,
) -> None:
    """Unpacks to `target`, counting what really comes out; `left` is what its archive still may."""
    size, limit = 0, max(MAX_RATIO * packed_size, FREE_RATIO_BYTES)
    limit = limit if left is None else min(limit, left)
    limit = min(limit, shutil.disk_usage(target.parent).free // 2)
    with target.open("wb") as out:
        while block := packed.read(BLOCK):
            size += len(block)
            if size > limit:
                raise TooLarge(
                    f"{name} unpacks to more than {limit:,} bytes from {packed_size:,} packed: "
                    f"at most {MAX_RATIO} times the size of an archive, and half of the free disk, "
                    "are unpacked"
                )
            out.write(block)
