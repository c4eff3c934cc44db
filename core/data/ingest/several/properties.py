"""`item, property, value` a line → a row for each item, a column for each property that tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from duckdb import DuckDBPyConnection

from core.data.files.sources import LayoutNote
from core.data.ingest.opened import Opened, look_at
from core.data.layouts.lines_of_items import set_aside
from core.data.layouts.registry import PROPERTIES
from core.data.layouts.tables.table import LINE, Table, lines_but, numbered_rows, table_source
from core.data.store import literal, quoted

PROPERTY = (
    *("property", "propertyname", "propertykey", "attribute", "attributename", "attributekey"),
    *("feature", "featurename", "field", "fieldname", "key", "predicate"),
)
VALUE = ("value", "propertyvalue", "attributevalue", "featurevalue", "fieldvalue", "val", "object")
MOST = 30  # properties that become columns
LEAST = 0.05  # of the things that a property must say something of


def properties_of(file: Opened, role: str, *, several: bool = False) -> tuple[str, str, str] | None:
    """The columns of thing, property and value, where a thing has many lines; None otherwise.

    Args:
        file: A file beside the log.
        role: "item_id" or "user_id": what the thing is.
        several: There are other files with these columns, so a thing may have a line in each.
    """
    key = file.named(role)
    by_key = {p.key: p for p in file.profiles}
    name = next((by_key[k].name for k in PROPERTY if k in by_key), None)
    value = next((by_key[k].name for k in VALUE if k in by_key), None)
    profile = next((p for p in file.profiles if p.name == key), None)
    if not key or not name or not value or not profile or len({key, name, value}) < 3:
        return None
    # Few columns, and a thing again and again: else "key" and "value" are attributes as any.
    if len(file.columns) > 5 or (profile.distinct >= profile.filled and not several):
        return None
    return key, name, value


def pivot(
    con: DuckDBPyConnection, files: Sequence[Opened], role: str, scratch: Path, limit: int | None
) -> Opened:
    """One table of things and their properties, made of files of lines with the same columns.

    The latest value stays where the lines have times; otherwise all that differ, in one text.

    Args:
        con: The connection that reads.
        files: Files of which `properties_of` tells the columns.
        role: "item_id" or "user_id": of which the properties are.
        scratch: Where the table goes.
        limit: Read only so many lines, for a preview.
    """
    main = files[0]
    columns = properties_of(main, role, several=True)
    assert columns is not None
    key, name, value = map(quoted, columns)
    time = main.named("timestamp")
    con.execute("DROP TABLE IF EXISTS property_lines")
    sources = []
    for n, file in enumerate(files):
        table = Table(file.plain, file.source, con.table(file.sample), file.profiles, {})
        moment = _moment(quoted(time)) if time else "NULL"
        rows = numbered_rows(con, table, limit).project(
            f"{LINE}, trim(CAST({key} AS VARCHAR)) AS k, trim(CAST({name} AS VARCHAR)) AS p,"
            f" nullif(trim(CAST({value} AS VARCHAR)), '') AS v, {moment} AS t"
        )
        none = "coalesce(k, '') = '' OR coalesce(p, '') = ''"
        text = "concat_ws(', ', k, p, v) AS text"
        told = "'it names no thing or no property'"
        bad = rows.filter(none).project(f"{text}, {LINE} AS line")
        set_aside(con, file.plain, bad, told)
        source = file.source
        if limit is None:
            records, missing = (int(r.aggregate("count(*)").fetchall()[0][0]) for r in (rows, bad))
            source = replace(source, counted=lines_but(source, records, missing))
        sources.append(source)
        good = rows.filter(f"NOT ({none})")
        if n == 0:
            good.to_table("property_lines")
        else:
            good.insert_into("property_lines")
    lines = con.table("property_lines")
    things = lines.aggregate("count(DISTINCT k)").fetchall()[0][0]
    counted = lines.aggregate("p, count(DISTINCT k) AS n", "p").order("n DESC, p").fetchall()
    kept = [p for p, n in counted[:MOST] if n >= LEAST * things] or [p for p, _ in counted[:1]]
    latest = "max_by(v, {'t': t, 'v': v})" if time else "string_agg(DISTINCT v, '|' ORDER BY v)"
    cells = (f"{latest} FILTER (p = {literal(p)}) AS p{n}" for n, p in enumerate(kept))
    pivoted = lines.aggregate(f"min({LINE}) AS {LINE}, k, {', '.join(cells)}", "k").order("k")
    target = scratch / f"{main.plain.path.name}-{PROPERTIES}"
    table = Table(main.plain, main.source, con.table(main.sample), main.profiles, {})
    note = _note(columns, kept, len(counted), int(things), time)
    made = table_source(con, table, pivoted, [columns[0], *kept], target, note)
    opened = look_at(con, main.plain, made)
    return replace(opened, beside=tuple(sources))


def pivoted(
    con: DuckDBPyConnection, files: Sequence[Opened], scratch: Path, limit: int | None
) -> list[Opened]:
    """The files beside the log, of which lines of properties have become a row for each thing."""
    made: list[Opened] = []
    done: list[Opened] = []
    for file in files:
        alike = [f for f in files if set(f.columns) == set(file.columns)]
        several = len(alike) > 1
        roles_of = (r for r in ("item_id", "user_id") if properties_of(file, r, several=several))
        role = next(roles_of, None)
        if role is None:
            made.append(file)
        elif file not in done:
            done += alike
            made.append(pivot(con, alike, role, scratch, limit))
    return made


def _moment(name: str) -> str:
    """SQL for a number that grows with a time, however it is written."""
    return f"coalesce(TRY_CAST({name} AS DOUBLE), epoch(TRY_CAST({name} AS TIMESTAMP)))"


def _note(
    columns: tuple[str, str, str], kept: Sequence[str], n: int, things: int, time: str | None
) -> LayoutNote:
    key, name, value = columns
    which = f"the latest by {time!r}" if time else "all of one in one text"
    listed = ", ".join(kept[:8]) + (" …" if len(kept) > 8 else "")
    return LayoutNote(
        PROPERTIES,
        f"lines of {key!r}, {name!r}, {value!r}: a row for each of {things:,} things, a column for "
        f"each of {len(kept):,} properties of {n:,} ({listed}), {which}",
    )
