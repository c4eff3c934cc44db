"""Lines of orders and the orders that say whose they are, in two files → one log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from duckdb import DuckDBPyConnection

from core.data.files.sources import LayoutNote
from core.data.ingest.opened import Opened, look_at
from core.data.layouts.lines_of_items import set_aside
from core.data.layouts.registry import JOINED
from core.data.layouts.tables.table import LINE, Table, lines_but, numbered_rows, table_source
from core.data.roles import mapping as roles
from core.data.roles.names import VISITS, plain
from core.data.store import literal, quoted
from core.errors import BadInput

NUMBERS = ("ordernumber", "orderno", "ordernum", "visitnumber", "purchasenumber")


def join_orders(
    con: DuckDBPyConnection,
    files: Sequence[Opened],
    scratch: Path,
    mapping: Mapping[str, str | None],
    limit: int | None,
) -> list[Opened]:
    """The files, of which lines that name an order but no person have those of their order.

    Args:
        con: The connection that reads.
        files: All files of an upload.
        scratch: Where joined files go.
        mapping: Role → column, as a person says.
        limit: Join only so many lines, for a preview.

    Raises:
        BadInput: an order stands in the file of orders more than once.
    """
    orders = [f for f in files if _person(f, mapping) and not _has(f, "item_id", mapping)]
    joined: list[Opened] = []
    used: set[str] = set()
    for file in files:
        lines = _has(file, "item_id", mapping) and not _person(file, mapping)
        pair = next((p for o in orders if (p := _keys(file, o))), None) if lines else None
        if pair is None:
            joined.append(file)
            continue
        other = next(o for o in orders if _keys(file, o) == pair)
        together = _join(con, file, other, pair, scratch, mapping, limit)
        joined.append(together or file)
        if together:
            used.add(other.name)
    return [f for f in joined if f.name not in used]


def _has(file: Opened, role: str, mapping: Mapping[str, str | None]) -> bool:
    if mapping.get(role):
        return all(c in file.columns for c in roles.columns_of(str(mapping[role]), file.columns))
    return bool(file.named(role))


def _person(file: Opened, mapping: Mapping[str, str | None]) -> bool:
    """Whether a column says who it was, and not only in which session."""
    if mapping.get("user_id"):
        return _has(file, "user_id", mapping)
    profiles = [p for p in file.profiles if not VISITS.search(p.key)]
    return roles.column_for("user_id", profiles) is not None


def _keys(lines: Opened, orders: Opened) -> tuple[str, str] | None:
    """The column of the lines and that of the orders that say which order it is."""
    theirs = {plain(c): c for c in reversed(orders.columns)}
    visits = [c for c in lines.columns if VISITS.search(c.lower())]
    for column in visits:
        if plain(column) in theirs:
            return column, theirs[plain(column)]
    for column in visits:
        if plain(column).endswith("id") and "id" in theirs:
            return column, theirs["id"]
    return None


def _key_sql(table: str, column: str) -> str:
    text = f"trim(CAST({table}.{quoted(column)} AS VARCHAR))"
    return rf"nullif(regexp_replace({text}, '\.0+$', ''), '')"


def _join(
    con: DuckDBPyConnection,
    lines: Opened,
    orders: Opened,
    keys: tuple[str, str],
    scratch: Path,
    mapping: Mapping[str, str | None],
    limit: int | None,
) -> Opened | None:
    for name in ("order_rows", "line_rows", "joined_rows"):
        con.execute(f"DROP TABLE IF EXISTS {name}")
    numbered_rows(con, _table(con, orders, mapping), None).to_table("order_rows")
    numbered_rows(con, _table(con, lines, mapping), limit).to_table("line_rows")
    mine, theirs = _key_sql("a", keys[0]), _key_sql("b", keys[1])
    by_key = (
        con.table("order_rows").set_alias("b").project(f"{theirs} AS k").filter("k IS NOT NULL")
    )
    again = by_key.aggregate("k, count(*) AS n", "k").filter("n > 1").order("k").limit(1).fetchall()
    if again:
        raise BadInput(
            f"{orders.name} has the {keys[1]} {again[0][0]!r} in {again[0][1]:,} lines, so it does "
            f"not say whose the lines of {lines.name} are: each order needs one line, or "
            "layout=table to read the files as they lie"
        )
    rest = [c for c in orders.columns if c != keys[1]]
    cells = [f"a.{quoted(c)} AS l{n}" for n, c in enumerate(lines.columns)]
    cells += [f"b.{quoted(c)} AS o{n}" for n, c in enumerate(rest)]
    met = f"{theirs} IS NOT NULL AS met"
    a, b = con.table("line_rows").set_alias("a"), con.table("order_rows").set_alias("b")
    joined = a.join(b, f"{mine} = {theirs}", how="left")
    joined.project(f"a.{LINE} AS {LINE}, {', '.join(cells)}, {met}, {mine} AS k").order(
        LINE
    ).to_table("joined_rows")
    rows = con.table("joined_rows")
    n, lost = rows.aggregate("count(*), count(CASE WHEN NOT met THEN 1 END)").fetchall()[0]
    if lost == n:
        return None
    record = ", ".join(f"{literal(c)}: l{k}" for k, c in enumerate(lines.columns))
    missing = rows.filter("NOT met").project(
        f"CAST(to_json({{{record}}}) AS VARCHAR) AS text, {LINE} AS line, k"
    )
    said = literal(f"{keys[0]} ")
    why = literal(f" is no order of {orders.name}")
    set_aside(con, lines.plain, missing, f"{said} || coalesce(k, 'nothing') || {why}", "no_user")
    names = [*lines.columns, *rest]
    width = len(lines.columns)
    events = rows.filter("met").project(
        ", ".join([LINE, *(f"l{k}" for k in range(width)), *(f"o{k}" for k in range(len(rest)))])
    )
    target = scratch / f"{lines.plain.path.name}-{JOINED}"
    counted = rows.filter("met").aggregate("count(DISTINCT k)").fetchall()[0][0]
    total = by_key.aggregate("count(*)").fetchall()[0][0]
    note = _note(lines, orders, keys, (int(lost), int(n)), (int(counted), int(total)))
    table = _table(con, lines, mapping)
    source = table_source(con, table, events, names, target, note)
    if lines.source.layout:
        note = replace(note, evidence=f"{lines.source.layout.evidence}; {note.evidence}")
        source = replace(source, layout=note)
    given = orders.source
    if limit is None:
        source = replace(
            source, counted=lines_but(lines.source, int(n), int(lost)), unit=lines.source.unit
        )
        rows_of = int(con.table("order_rows").aggregate("count(*)").fetchall()[0][0])
        given = replace(given, counted=lines_but(given, rows_of, 0))
    opened = look_at(con, lines.plain, source)
    return replace(opened, beside=(*lines.beside, given))


def _table(con: DuckDBPyConnection, file: Opened, mapping: Mapping[str, str | None]) -> Table:
    return Table(file.plain, file.source, con.table(file.sample), file.profiles, mapping)


def _note(
    lines: Opened,
    orders: Opened,
    keys: tuple[str, str],
    lost: tuple[int, int],
    met: tuple[int, int],
) -> LayoutNote:
    person = roles.column_for("user_id", [p for p in orders.profiles if not VISITS.search(p.key)])
    user = person.name if person else None
    found: dict[str, str | None] = {"user_id": user} if user else {}
    why = {"user_id": f"who gave the order, from {orders.name}"} if user else {}
    timed = lines.named("timestamp") or orders.named("timestamp")
    number = next((p for p in orders.profiles if p.key in NUMBERS and p.is_whole), None)
    if number and not timed and number.name != keys[1]:
        found |= {"timestamp": number.name, roles.TIME_FORMAT: "order"}
        why["timestamp"] = f"the number of the order, from {orders.name}: which came first"
    key = repr(keys[0]) if keys[0] == keys[1] else f"{keys[0]!r} = {keys[1]!r}"
    return LayoutNote(
        JOINED,
        f"lines of orders: each got what {orders.name} says of its order, by {key}, which stands "
        f"there once for each; {lost[0]:,} of {lost[1]:,} lines meet no order, {met[0]:,} of "
        f"{met[1]:,} orders have lines (not joined instead: layout=table)",
        found,
        why,
    )
