"""Orders over several lines, of which only the first says who and when: its blanks filled down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from duckdb import DuckDBPyConnection

from core.data.files.sources import LayoutNote, Source
from core.data.layouts.tables.table import LINE, LOOK, Table, lines_but, numbered_rows, table_source
from core.data.roles.names import NAMES, VISITS, plain
from core.data.roles.profiles import Profile
from core.data.store import quoted
from core.errors import BadInput

NAME = "continued"
ORDERS = (
    *("orderid", "order", "orderno", "ordernumber", "ordername", "name", "invoice", "invoiceno"),
    *("invoiceid", "receipt", "receiptid", "receiptno", "transactionid", "basketid", "number"),
)
PEOPLE = ("email", "customeremail", "useremail", "buyeremail", "mail")


@dataclass(frozen=True)
class Orders:
    """The column that names the order, and those that are blank where it goes on."""

    key: str
    filled: tuple[str, ...]


def recognise(table: Table) -> bool:
    return orders(table) is not None


def open_table(con: DuckDBPyConnection, table: Table, target: Path, limit: int | None) -> Source:
    found = orders(table)
    if found is None:
        raise BadInput(
            f"{table.plain.name} has no order that goes on over several lines, of which only the "
            "first says who and when"
        )
    numbered = numbered_rows(con, table, limit).project('*, row_number() OVER () AS " n"')
    above = f'last_value({_blank_as_null(quoted(found.key))} IGNORE NULLS) OVER (ORDER BY " n")'
    numbered = numbered.project(f'*, {above} AS " key"')
    key = '" key"'
    # An order's lines follow one another: another run of the same name is filled by itself.
    new = f'CASE WHEN {key} IS DISTINCT FROM lag({key}) OVER (ORDER BY " n") THEN 1 ELSE 0 END'
    runs = numbered.project(f'*, {new} AS " new"').project(
        '*, sum(" new") OVER (ORDER BY " n" ROWS UNBOUNDED PRECEDING) AS " run"'
    )
    cells = []
    for column in table.source.columns:
        name = quoted(column)
        if column in found.filled:
            own = _blank_as_null(name)
            first = f'first_value({own}) OVER (PARTITION BY " run" ORDER BY " n")'
            cells.append(f"coalesce({own}, {first}) AS {name}")
        else:
            cells.append(name)
    runs.create_view("order_lines", replace=True)
    blank = " OR ".join(f"{_blank_as_null(quoted(c))} IS NULL" for c in found.filled)
    gone_on = con.table("order_lines").filter(f'" new" = 0 AND ({blank})')
    n = int(gone_on.aggregate("count(*)").fetchall()[0][0])
    events = con.table("order_lines").project(f'{LINE}, {", ".join(cells)}, " n"').order('" n"')
    events = events.project('* EXCLUDE (" n")')
    note = _note(table, found, n)
    source = table_source(con, table, events, table.source.columns, target, note)
    if limit:
        return source
    records = int(events.aggregate("count(*)").fetchall()[0][0])
    return replace(source, counted=lines_but(table.source, records, 0), unit=table.source.unit)


def _blank_as_null(name: str) -> str:
    return f"nullif(trim(CAST({name} AS VARCHAR)), '')"


def orders(table: Table) -> Orders | None:
    """How orders go on in this table; None where none does.

    The lines of an order follow one another; a column that is filled in its first line and blank in
    all others is said once for the order. Numbers are not filled down, unless they are who or when:
    a total belongs to the order and not to each of its lines.
    """
    named = [p for name in ORDERS for p in table.profiles if p.key == name]
    named += [p for p in table.profiles if p not in named and VISITS.search(p.key)]
    key = next((p for p in named if not _says_who_or_when(table, p)), None)
    if key is None or not key.filled:
        return None
    rows = table.sample.limit(LOOK).fetchall()
    place = [p.name for p in table.profiles].index(key.name)
    keys = [str(row[place] or "").strip() for row in rows]
    if key.filled < key.rows:  # the order's name is blank as well where it goes on
        if not keys[0] or not _blank_together(table, rows, keys):
            return None
        for n in range(1, len(keys)):
            keys[n] = keys[n] or keys[n - 1]
    runs = _runs(keys)
    more = [(a, b) for a, b in runs if b - a > 1]
    if not more:
        return None
    filled = []
    for n, profile in enumerate(table.profiles):
        texts = [str(row[n] or "").strip() for row in rows]
        first = sum(bool(texts[a]) for a, _ in more)
        rest = sum(bool(texts[k]) for a, b in more for k in range(a + 1, b))
        if first >= 0.5 * len(more) and rest <= 0.02 * sum(b - a - 1 for a, b in more):
            filled.append(profile)
    needed = [p for p in filled if _says_who_or_when(table, p)]
    if not needed:
        return None
    return Orders(key.name, tuple(p.name for p in filled if not p.is_number or p in needed))


def _blank_together(table: Table, rows: Sequence[Sequence[object]], keys: Sequence[str]) -> bool:
    """Whether who and when are blank just where the order is, and nowhere else."""
    places = [n for n, p in enumerate(table.profiles) if _says_who_or_when(table, p)]
    columns = [[str(row[n] or "").strip() for row in rows] for n in places]
    same = [c for c in columns if all(bool(a) == bool(b) for a, b in zip(c, keys, strict=True))]
    return bool(same) and len(same) == len(columns)


def _says_who_or_when(table: Table, profile: Profile) -> bool:
    given = (table.mapped.get("user_id"), table.mapped.get("timestamp"))
    names = (*NAMES["user_id"], *PEOPLE, *NAMES["timestamp"])
    return (
        profile.name in given
        or profile.key in names
        or "date" in profile.key
        or "datum" in profile.key
    )


def _runs(keys: Sequence[str]) -> list[tuple[int, int]]:
    """The start and the end of each run of equal keys.

    >>> _runs(["a", "a", "b"])
    [(0, 2), (2, 3)]
    """
    starts = [n for n in range(len(keys)) if n == 0 or keys[n] != keys[n - 1]]
    return list(zip(starts, [*starts[1:], len(keys)], strict=True))


def _note(table: Table, found: Orders, n: int) -> LayoutNote:
    listed = ", ".join(found.filled)
    roles: dict[str, str | None] = {}
    evidence: dict[str, str] = {}
    if table.named("user_id") is None:
        who = next((p.name for key in PEOPLE for p in table.profiles if p.key == key), None)
        if who:
            roles["user_id"] = who
            evidence["user_id"] = "the person's e-mail address; there is no other name of a person"
    item = next((p.name for p in table.profiles if p.key.endswith("sku")), None)
    if item and not any(plain(c) in NAMES["item_id"] for c in table.source.columns):
        roles["item_id"] = item
        evidence["item_id"] = "what was sold, by its name"
    return LayoutNote(
        NAME,
        f"orders over several lines, of which only the first of each {found.key!r} says {listed}: "
        f"filled down into {n:,} lines that continue an order (as they lie: layout=table)",
        roles,
        evidence,
    )
