"""A sparse matrix of users × items as `scipy.sparse.save_npz` writes it, read without pickle.

https://docs.scipy.org/doc/scipy/reference/generated/scipy.sparse.save_npz.html, which implicit and
others take. Nothing in the file is believed: sizes are checked against the bytes that are there
before memory is taken.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from duckdb import DuckDBPyConnection
from numpy.lib import format as npy

from core.data.files.archives import FREE_RATIO_BYTES, MAX_RATIO
from core.data.files.encodings import Plain
from core.data.files.sources import LayoutNote, Source, parquet_source
from core.data.layouts.layout import TextStart
from core.errors import BadInput, TooLarge
from core.types import Array, Ints

NAME = "npz"
MAX_BYTES = 4 << 30  # of all arrays together
FORMATS = ("csr", "csc", "coo")
BLOCK = 4 << 20  # entries written at once
_SAVE = "save it with scipy.sparse.save_npz as csr, csc or coo"


def recognise(start: TextStart) -> bool:
    """Never a text: it is known by the arrays in its zip."""
    return False


def open_layout(
    con: DuckDBPyConnection, plain: Plain, start: TextStart, target: Path, limit: int | None
) -> Source:
    try:
        with zipfile.ZipFile(plain.path) as archive:
            _check_size(plain, archive)
            form, shape = _head(plain.name, archive)
            users, items, values = _entries(plain.name, archive, form, shape)
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError):
        raise BadInput(f"{plain.name} is a damaged .npz file: copy it again, or {_SAVE}") from None
    stop = len(values) if limit is None else min(limit, len(values))
    _write(target, users[:stop], items[:stop], values[:stop])
    source = parquet_source(con, plain.name, target)
    note = LayoutNote(
        NAME,
        f"sparse matrix of scipy ({form}), {shape[0]:,} users × {shape[1]:,} items: one event for "
        "each of its entries",
        roles={"user_id": "user", "item_id": "item", "value": "value", "timestamp": None},
        role_evidence={
            "user_id": "the number of the row, from 0",
            "item_id": "the number of the column, from 0",
            "value": "the entry of the matrix",
            "timestamp": "none: a matrix has no times",
        },
    )
    return Source(plain.name, target, source.columns, inner=source.inner, layout=note)


def _check_size(plain: Plain, archive: zipfile.ZipFile) -> None:
    """Raises TooLarge where the arrays unpack to more than they may."""
    size = sum(member.file_size for member in archive.infolist())
    packed = plain.path.stat().st_size
    if size > max(MAX_RATIO * packed, FREE_RATIO_BYTES) or size > MAX_BYTES:
        raise TooLarge(
            f"{plain.name} unpacks to {size:,} bytes from {packed:,}: save a matrix of that size "
            "as Parquet with the columns user, item, value"
        )


def _head(name: str, archive: zipfile.ZipFile) -> tuple[str, tuple[int, int]]:
    names = {member.filename for member in archive.infolist()}
    needed = {"format.npy", "shape.npy", "data.npy"}
    if not needed <= names:
        raise BadInput(
            f"{name} holds arrays ({', '.join(sorted(names)[:5])}) but no sparse matrix: {_SAVE}"
        )
    form_array = _array(name, archive, "format")
    form = form_array.item() if form_array.size == 1 else ""
    form = form.decode("ascii", "replace") if isinstance(form, bytes) else str(form)
    if form not in FORMATS:
        raise BadInput(f"{name} is a sparse matrix in the format {form[:20]!r}: {_SAVE}")
    shape = _array(name, archive, "shape")
    if shape.shape != (2,) or shape.dtype.kind not in "iu" or (shape < 0).any():
        raise BadInput(f"{name} has no shape of two whole numbers (users × items): {_SAVE}")
    return form, (int(shape[0]), int(shape[1]))


def _entries(
    name: str, archive: zipfile.ZipFile, form: str, shape: tuple[int, int]
) -> tuple[Array, Array, Array]:
    """Row, column and value of each entry; (E,) each."""
    values = _array(name, archive, "data")
    if values.ndim != 1 or values.dtype.kind not in "biuf":
        raise BadInput(f"{name} holds entries of type {values.dtype}, not numbers: {_SAVE}")
    if form == "coo":
        rows, columns = (_array(name, archive, key) for key in ("row", "col"))
    else:
        across = _array(name, archive, "indices")
        starts = _array(name, archive, "indptr")
        major = shape[0] if form == "csr" else shape[1]
        _check_starts(name, starts, major, len(values))
        begins: Ints = starts.astype(np.int64)
        counts = begins[1:] - begins[:-1]
        along = np.repeat(np.arange(major), counts)
        rows, columns = (along, across) if form == "csr" else (across, along)
    for indices, size, noun in ((rows, shape[0], "row"), (columns, shape[1], "column")):
        if indices.shape != values.shape or indices.dtype.kind not in "iu":
            raise BadInput(f"{name} has not one {noun} for each entry: it is damaged, or {_SAVE}")
        if len(indices) and (indices.min() < 0 or indices.max() >= size):
            raise BadInput(
                f"{name} has an entry in {noun} {int(indices.max()):,} of {size:,}: it is damaged"
            )
    return rows, columns, values


def _check_starts(name: str, starts: Array, major: int, entries: int) -> None:
    whole = starts.ndim == 1 and starts.dtype.kind in "iu" and len(starts) == major + 1
    if not whole or starts[0] != 0 or starts[-1] != entries or (np.diff(starts) < 0).any():
        raise BadInput(
            f"{name} says that it has {major:,} rows or columns, but its index does not fit them: "
            f"it is damaged, or {_SAVE}"
        )


def _array(name: str, archive: zipfile.ZipFile, key: str) -> Array:
    """One array of the file; its header must promise exactly the bytes that follow it."""
    try:
        member = archive.getinfo(f"{key}.npy")
    except KeyError:
        raise BadInput(f"{name} has no array {key!r}: {_SAVE}") from None
    with archive.open(member) as file:
        shape, dtype = _npy_header(name, key, file)
        size = math.prod(shape) * dtype.itemsize
        if dtype.hasobject:
            raise BadInput(
                f"{name} holds Python objects ({key}), which only pickle reads and which may do "
                f"anything: {_SAVE}"
            )
        if size > member.file_size:
            raise TooLarge(
                f"{name} says that {key} has {size:,} bytes, but there are {member.file_size:,}: "
                "it is damaged, or not meant well"
            )
        data = file.read(size)
    if len(data) != size:
        raise BadInput(f"{name} ends within the array {key}: copy it again")
    array: Array = np.frombuffer(data, dtype).reshape(shape)
    return array


def _npy_header(name: str, key: str, file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    try:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(file)
    except (ValueError, EOFError):
        raise BadInput(f"{name} holds no array under {key!r}: {_SAVE}") from None
    return shape, dtype


def _write(target: Path, users: Array, items: Array, values: Array) -> None:
    schema = pa.schema([("user", pa.int64()), ("item", pa.int64()), ("value", pa.float64())])
    with pq.ParquetWriter(target, schema) as writer:
        for at in range(0, len(values), BLOCK):
            block = slice(at, at + BLOCK)
            columns = [
                np.ascontiguousarray(users[block], np.int64),
                np.ascontiguousarray(items[block], np.int64),
                np.ascontiguousarray(values[block], np.float64),
            ]
            writer.write_table(pa.table(columns, schema=schema))
