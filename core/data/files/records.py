"""JSON and XLSX → tables of records that DuckDB reads: Parquet in the scratch."""

from __future__ import annotations

from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from core.data.files.dialects import ReadAs
from core.data.files.encodings import Plain
from core.data.files.sheets import open_workbook
from core.data.files.sources import Source, check_width, parquet_source, raw_lines, unique_names
from core.data.files.texts import open_text
from core.data.store import literal
from core.errors import BadInput


def open_source(
    con: DuckDBPyConnection,
    plain: Plain,
    scratch: Path,
    asked: ReadAs | None = None,
    *,
    limit: int | None = None,
) -> Source:
    """The records of one plain file.

    What is no record goes to the table `malformed`.

    Args:
        con: The connection that reads.
        plain: The file.
        scratch: Where converted files go.
        asked: How a text, or the header of a sheet, is to be read.
        limit: Convert only so many records, for a preview.

    Raises:
        BadInput: it cannot be read as what it looks like.
    """
    if plain.kind == "parquet":
        return parquet_source(con, plain.name, plain.path)
    target = scratch / f"{plain.path.name}-records"
    if plain.kind == "xlsx":
        return open_workbook(con, plain, target, asked, limit)
    with plain.path.open("rb") as file:
        start = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
    if asked and asked.of_text:  # a person says that it is delimited
        return open_text(con, plain, target, asked, limit=limit)
    if start.startswith(b"{"):
        return _json_source(con, plain, raw_lines(con, plain.path), target, limit, "lines")
    if start.startswith(b"[") and start[1:].lstrip()[:1] in (b"{", b"]", b""):
        return _json_source(con, plain, _array(con, plain), target, limit, "rows")
    return open_text(con, plain, target, asked, limit=limit)


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
    unit: str,
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
        ).project(f"{literal(plain.name)}, line, 'this is no JSON object {{…}}', text").insert_into(
            "malformed"
        )
        counts = objects.aggregate("count(*)"), con.table("json_lines").aggregate("count(*)")
        kept, filled = (found.fetchall()[0][0] for found in counts)
        physical = filled if limit else lines.aggregate("count(*)").fetchall()[0][0]
    except duckdb.Error as error:
        raise BadInput(f"{plain.name} looks like JSON but {_json_trouble(error)}") from None
    finally:
        con.execute("DROP TABLE IF EXISTS json_lines")
    source = parquet_source(con, plain.name, target)
    counted = {"kept": kept, "rejected": filled - kept, "blank": physical - filled}
    return Source(
        plain.name,
        target,
        unique_names(keys),
        inner=source.inner[1:],
        line="line",
        counted=counted,
        unit=unit,
    )


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
