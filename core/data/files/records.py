"""JSON and XLSX → tables of records that DuckDB reads: Parquet in the scratch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from core.data.files.dialects import ReadAs
from core.data.files.encodings import Plain
from core.data.files.json_texts import TABLE, JsonTexts, is_json, read_objects
from core.data.files.malformed import NO_RECORD
from core.data.files.sources import Source, check_width, parquet_source, unique_names
from core.data.files.texts import open_text
from core.data.files.workbooks import open_workbook
from core.data.store import literal
from core.errors import BadInput


def open_source(
    con: DuckDBPyConnection,
    plain: Plain,
    scratch: Path,
    asked: ReadAs | None = None,
    *,
    limit: int | None = None,
    as_it_lies: bool = False,
) -> Source:
    """The records of one plain file, those of JSON by the keys of its objects.

    What is no record goes to the table `malformed`.

    Args:
        con: The connection that reads.
        plain: The file.
        scratch: Where converted files go.
        asked: How a text, or the header of a sheet, is to be read.
        limit: Convert only so many records, for a preview.
        as_it_lies: Of a workbook the first sheet, without a search for the log in it.

    Raises:
        BadInput: it cannot be read as what it looks like.
    """
    if plain.kind == "parquet":
        return parquet_source(con, plain.name, plain.path)
    target = scratch / f"{plain.path.name}-records"
    if plain.kind == "xlsx":
        return open_workbook(con, plain, target, asked, limit, as_it_lies=as_it_lies)
    with plain.path.open("rb") as file:
        start = file.read(4096).decode("utf-8-sig", errors="replace").lstrip()
    if is_json(start) and not (asked and asked.of_text):  # else a person says: delimited
        with json_objects(con, plain, scratch, limit) as (objects, _):
            return json_source(con, plain, objects, top_columns(con, plain.name, objects), target)
    return open_text(con, plain, target, asked, limit=limit)


@contextmanager
def json_objects(
    con: DuckDBPyConnection, plain: Plain, scratch: Path, limit: int | None
) -> Iterator[tuple[DuckDBPyRelation, JsonTexts]]:
    """The objects of a JSON file (`text`, `line`), and how they lie in it.

    What is no object goes to the table `malformed`.

    Raises:
        BadInput: it is damaged, or JSON in another shape.
    """
    try:
        found = read_objects(con, plain, scratch, limit)
        texts = con.table(TABLE)
        bad = texts.filter("NOT json_valid(text) OR json_type(text) IS DISTINCT FROM 'OBJECT'")
        cells = [literal(plain.name), "line", "'this is no JSON object {…}'", "text"]
        bad.project(", ".join([*cells, literal(NO_RECORD)])).insert_into("malformed")
        yield texts.filter("json_valid(text)").filter("json_type(text) = 'OBJECT'"), found
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        raise BadInput(f"{plain.name} looks like JSON but {_json_trouble(error)}") from None
    finally:
        con.execute(f"DROP TABLE IF EXISTS {TABLE}")


def _json_trouble(error: duckdb.Error) -> str:
    if "nicode" in str(error) or "utf" in str(error).lower():
        return "is not UTF-8 throughout: save it as UTF-8"
    return "is damaged: it must be one object {…} a line, or an array [{…}, …] of objects"


@dataclass(frozen=True)
class JsonColumn:
    """A column that JSON objects give: its name, and where its value stands in an object."""

    name: str
    pointer: str
    is_list: bool = False
    base: str = "text"  # the column with the JSON, of which the pointer tells a part

    @property
    def sql(self) -> str:
        if self.is_list:
            found = f"json_extract({self.base}, {literal(self.pointer)})"
            return f"from_json({found}, '[\"VARCHAR\"]')"
        return f"json_extract_string({self.base}, {literal(self.pointer)})"


def keys_at(objects: DuckDBPyRelation, pointer: str = "", base: str = "text") -> list[str]:
    """The keys of what stands at this place in all objects, as they first appear."""
    keys = f"json_keys({base}, {literal(pointer)})"
    found = objects.project(f"unnest({keys}) AS key, line").aggregate(
        "key, min(line) AS line", "key"
    )
    listed = [key for (key,) in found.order("line, key").project("key").fetchall()]
    first = objects.filter(f"len({keys}) > 0").order("line").limit(1).project(keys).fetchall()
    order = {key: n for n, key in enumerate(first[0][0] if first else [])}
    return sorted(listed, key=lambda key: order.get(key, len(order)))


def escaped(key: str) -> str:
    """A key as a JSON pointer writes it."""
    return key.replace("~", "~0").replace("/", "~1")


def top_columns(con: DuckDBPyConnection, name: str, objects: DuckDBPyRelation) -> list[JsonColumn]:
    """A column for each key: text, or a list of texts where most of its values are arrays.

    Raises:
        BadInput: there is no key, or more than a log can have.
    """
    keys = keys_at(objects)
    check_width(name, len(keys))
    if not keys:
        raise BadInput(f"{name} holds no JSON object {{…}} with a key: each line needs one")
    pointers = [f"/{escaped(key)}" for key in keys]
    cells = (
        f"count(CASE WHEN json_type(text, {literal(p)}) = 'ARRAY' THEN 1 END) * 2"
        f" > count(nullif(json_type(text, {literal(p)}), 'NULL'))"
        for p in pointers
    )
    arrays = objects.limit(1000).aggregate(", ".join(cells)).fetchall()[0]
    return [JsonColumn(*column) for column in zip(keys, pointers, arrays, strict=True)]


def json_source(
    con: DuckDBPyConnection,
    plain: Plain,
    objects: DuckDBPyRelation,
    columns: Sequence[JsonColumn],
    target: Path,
) -> Source:
    """The source of these columns of JSON objects; each record knows its line."""
    cells = [f"{column.sql} AS c{n}" for n, column in enumerate(columns)]
    objects.project(", ".join(["line", *cells])).write_parquet(str(target))
    source = parquet_source(con, plain.name, target)
    names = unique_names(column.name for column in columns)
    return Source(plain.name, target, names, inner=source.inner[1:], line="line")
