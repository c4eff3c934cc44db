"""JSON and XLSX → tables of records that DuckDB reads: Parquet and CSV in the scratch."""

from __future__ import annotations

import csv
import datetime
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import python_calamine
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from core.data.files.archives import check_xlsx
from core.data.files.encodings import Plain
from core.data.files.sources import (
    Source,
    check_width,
    csv_source,
    parquet_source,
    raw_lines,
    unique_names,
)
from core.data.store import literal
from core.errors import BadInput


def open_source(
    con: DuckDBPyConnection, plain: Plain, scratch: Path, *, limit: int | None = None
) -> Source:
    """The records of one plain file.

    JSON that is no object goes to the table `malformed`.

    Args:
        con: The connection that reads.
        plain: The file.
        scratch: Where converted files go.
        limit: Convert only so many records, for a preview.

    Raises:
        BadInput: it cannot be read as what it looks like.
    """
    if plain.kind == "parquet":
        return parquet_source(con, plain.name, plain.path)
    target = scratch / f"{plain.path.name}-records"
    if plain.kind == "xlsx":
        return _xlsx_source(plain, target, limit)
    with plain.path.open("rb") as file:
        start = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"{"):
        return _json_source(con, plain, raw_lines(con, plain.path), target, limit)
    if start.startswith(b"[") and start[1:].lstrip()[:1] in (b"{", b"]", b""):
        return _json_source(con, plain, _array(con, plain), target, limit)
    return csv_source(plain.name, plain.path)


def _array(con: DuckDBPyConnection, plain: Plain) -> DuckDBPyRelation:
    """The objects of a JSON array as texts, numbered from 1."""
    return con.sql(
        f"FROM read_json_objects({literal(str(plain.path))}, format = 'array',"
        " maximum_object_size = 16777216)"
    ).project("CAST(json AS VARCHAR) AS text, row_number() OVER () AS line")


def _json_source(
    con: DuckDBPyConnection,
    plain: Plain,
    lines: DuckDBPyRelation,
    target: Path,
    limit: int | None,
) -> Source:
    texts = lines.filter("trim(text) <> ''")
    try:
        (texts.limit(limit) if limit else texts).to_table("json_lines")
        objects = (
            con.table("json_lines").filter("json_valid(text)").filter("json_type(text) = 'OBJECT'")
        )
        keys = _keys(con, plain.name, objects)
        _convert(objects, keys, target)
        con.table("json_lines").filter(
            "NOT json_valid(text) OR json_type(text) IS DISTINCT FROM 'OBJECT'"
        ).project(
            f"{literal(plain.name)}, line, NULL, 'this is no JSON object {{…}}', text"
        ).insert_into("malformed")
    except duckdb.Error as error:
        raise BadInput(f"{plain.name} looks like JSON but {_json_trouble(error)}") from None
    finally:
        con.execute("DROP TABLE IF EXISTS json_lines")
    source = parquet_source(con, plain.name, target)
    return Source(plain.name, target, unique_names(keys), inner=source.inner[1:], line="line")


def _json_trouble(error: duckdb.Error) -> str:
    if "nicode" in str(error) or "utf" in str(error).lower():
        return "is not UTF-8 throughout: save it as UTF-8"
    return "is damaged: it must be one object {…} a line, or an array [{…}, …] of objects"


def _keys(con: DuckDBPyConnection, name: str, objects: DuckDBPyRelation) -> list[str]:
    """The keys of all objects, in the order in which they first appear."""
    found = objects.project("unnest(json_keys(text)) AS key, line").aggregate(
        "key, min(line) AS line", "key"
    )
    keys = [key for (key,) in found.order("line, key").project("key").fetchall()]
    first = objects.order("line").limit(1).project("json_keys(text)").fetchall()
    order = {key: n for n, key in enumerate(first[0][0] if first else [])}
    check_width(name, len(keys))
    if not keys:
        raise BadInput(f"{name} holds no JSON object {{…}} with a key: each line needs one")
    return sorted(keys, key=lambda key: order.get(key, len(order)))


def _convert(objects: DuckDBPyRelation, keys: list[str], target: Path) -> None:
    """Each key a column: text, or a list of texts where most of its values are arrays."""
    pointers = ["/" + key.replace("~", "~0").replace("/", "~1") for key in keys]
    arrays = (
        objects.limit(1000)
        .aggregate(
            ", ".join(
                f"count(CASE WHEN json_type(text, {literal(p)}) = 'ARRAY' THEN 1 END) * 2"
                f" > count(nullif(json_type(text, {literal(p)}), 'NULL'))"
                for p in pointers
            )
        )
        .fetchall()[0]
    )
    columns = ["line"]
    for n, (pointer, is_array) in enumerate(zip(pointers, arrays, strict=True)):
        value = f"json_extract_string(text, {literal(pointer)})"
        if is_array:
            value = f"from_json(json_extract(text, {literal(pointer)}), '[\"VARCHAR\"]')"
        columns.append(f"{value} AS c{n}")
    objects.project(", ".join(columns)).write_parquet(str(target))


def _xlsx_source(plain: Plain, target: Path, limit: int | None) -> Source:
    """The first sheet with rows, as a CSV in which every cell is quoted."""
    check_xlsx(plain.name, plain.path)
    try:
        book = python_calamine.CalamineWorkbook.from_path(str(plain.path))
        sheets = (book.get_sheet_by_name(name) for name in book.sheet_names)
        rows = next((s.to_python(nrows=limit) for s in sheets if s.height), [])
    except (python_calamine.CalamineError, ValueError, OSError) as error:
        raise BadInput(
            f"{plain.name} is no workbook that can be read ({error}); save it again as .xlsx"
        ) from None
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerows(_cells(rows))
    return replace(csv_source(plain.name, target), has_lines=False)


def _cells(rows: list[list[Any]]) -> Iterator[list[str]]:
    for row in rows:
        if any(cell != "" for cell in row):
            yield [_cell(cell) for cell in row]


def _cell(cell: Any) -> str:
    """A cell as text: 17850.0 as 17850, since a sheet has no whole numbers; a time as ISO 8601."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    if isinstance(cell, datetime.datetime | datetime.date | datetime.time):
        return cell.isoformat(sep=" ") if isinstance(cell, datetime.datetime) else cell.isoformat()
    return str(cell)
