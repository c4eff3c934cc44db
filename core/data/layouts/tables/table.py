"""What a layout of tables gets and gives: an opened table with a look at its cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from duckdb import DuckDBPyConnection, DuckDBPyRelation

from core.data.files.encodings import Plain
from core.data.files.lines import count_lines, locate
from core.data.files.sources import LayoutNote, Source, unique_names
from core.data.ingest.plan import K
from core.data.roles.names import NAMES
from core.data.roles.profiles import Profile
from core.data.roles.time_study import MOST_STUDIED, guess_time
from core.data.store import quoted
from core.errors import BadInput

LINE = '" line"'  # no column of a person's begins with a space
LOOK = 2_000  # rows whose cells are looked at one by one
CELLS, FEWEST_LOOKED_AT = 400_000, 100  # in all, of a table that is very wide; rows of it


@dataclass(frozen=True)
class Table:
    """A file opened as a table, a sample of its rows, and what a person says of its roles."""

    plain: Plain
    source: Source
    sample: DuckDBPyRelation
    profiles: Sequence[Profile]
    mapped: Mapping[str, str | None]

    def cells(self, column: str) -> list[Any]:
        """The first cells of a column that are not empty."""
        place = self.sample.columns.index(column)
        cells = (row[place] for row in self._first_rows)
        return [cell for cell in cells if cell is not None and str(cell).strip()]

    @cached_property
    def _first_rows(self) -> list[tuple[Any, ...]]:
        """All columns at once: a question for each of many takes as long as the table is wide."""
        width = max(1, len(self.sample.columns))
        return self.sample.limit(min(LOOK, max(FEWEST_LOOKED_AT, CELLS // width))).fetchall()

    def named(self, role: str) -> Profile | None:
        """The filled column that a person says, or the name, has this role."""
        if role in self.mapped:
            return next((p for p in self.profiles if p.name == self.mapped[role]), None)
        likely = [p for name in NAMES[role] for p in self.profiles if p.key == name]
        return next((p for p in likely if p.filled), None)

    def time_column(self, besides: Sequence[str] = ()) -> str | None:
        """The column with the times, by its name, its type, or what it holds if it has no name."""
        if "timestamp" in self.mapped:
            return self.mapped["timestamp"]
        named = self.named("timestamp")
        rest = [p for p in self.profiles if p.filled and p.name not in besides and p is not named]
        rest = [p for p in rest if p.type.startswith(("TIMESTAMP", "DATE")) or is_nameless(p)]
        rest = rest[:MOST_STUDIED]
        for profile in [*([named] if named else []), *rest]:
            time = guess_time(
                self.sample, profile.name, type=profile.type, looks_ordered=profile is named
            )
            if time:
                return profile.name
        return None


class TableLayout(Protocol):
    """One layout of tables: a module of this folder."""

    NAME: str  # as --map layout=… says it

    def recognise(self, table: Table) -> bool:
        """Whether a table is laid out so, beyond reasonable doubt."""

    def open_table(
        self, con: DuckDBPyConnection, table: Table, target: Path, limit: int | None
    ) -> Source:
        """The records of such a table; what is none of them goes to the table `malformed`.

        Args:
            con: The connection that reads.
            table: The file.
            target: Where a converted copy goes.
            limit: Convert only so many rows, for a preview.

        Raises:
            BadInput: there is nothing in it that this layout can hold.
            duckdb.Error: it cannot be read as it lies.
            NotPlain: what was read does not account for its lines.
        """


def is_nameless(profile: Profile) -> bool:
    """Whether a column has no name of its own.

    >>> is_nameless(Profile("column3", "VARCHAR", 1, 1, 1, 1, 1, 0.0, 0.0, 0, ()))
    True
    """
    return profile.name.removeprefix("column").isdecimal()


def numbered_rows(con: DuckDBPyConnection, table: Table, limit: int | None) -> DuckDBPyRelation:
    """All records of a table in file order, with the line of each as LINE.

    Raises:
        duckdb.Error: it cannot be read as it lies.
        NotPlain: what was read does not account for its lines.
    """
    source = table.source
    for name in ("table_rows", "numbered_rows"):
        con.execute(f"DROP TABLE IF EXISTS {name}")
    records = source.read(con)
    records = records.limit(limit) if limit else records
    records.project(f"*, row_number() OVER () - 1 AS {K}").to_table("table_rows")
    rows = con.table("table_rows")
    if limit is None:
        count_lines(source, int(rows.aggregate("count(*)").fetchall()[0][0]))
    # "line" may be a column of the person's as well.
    lines = locate(con, source, rows.project(K)).project(f"{K}, line AS {LINE}").set_alias("lines")
    joined = rows.set_alias("rows").join(lines, K)
    cells = ", ".join(quoted(c) for c in source.columns)
    joined.project(f"{cells}, {K}, {LINE}").order(K).to_table("numbered_rows")
    con.execute("DROP TABLE table_rows")
    return con.table("numbered_rows").project(f"{cells}, {LINE}")


def lines_but(source: Source, records: int, missing: int) -> dict[str, int]:
    """The lines of a source of which each record is one event, but for those that miss something.

    Args:
        source: The file as it was read.
        records: How many were read of it.
        missing: Of these, how many went to the table `malformed`.
    """
    counted = count_lines(source, records)
    rejected = counted.get("rejected", 0) + missing
    return {**counted, "kept": counted["kept"] - missing, "rejected": rejected}


def table_source(
    con: DuckDBPyConnection,
    table: Table,
    events: DuckDBPyRelation,
    names: Sequence[str],
    target: Path,
    note: LayoutNote,
) -> Source:
    """The source of these events: LINE, then one column for each of the names.

    Raises:
        BadInput: there are none.
    """
    inner = [f"c{n}" for n in range(len(names))]
    cells = [f"{quoted(a)} AS {b}" for a, b in zip(events.columns[1:], inner, strict=True)]
    events.project(", ".join([f"{LINE} AS line", *cells])).write_parquet(str(target))
    if not con.from_parquet(str(target)).limit(1).fetchall():
        raise BadInput(
            f"{table.plain.name} is read as {note.layout}, but no line of it holds a user and an "
            "item: say layout=table if it is a plain table"
        )
    columns = unique_names(names)
    return Source(
        table.plain.name,
        target,
        columns,
        inner=tuple(inner),
        line="line",
        note=table.source.note,
        layout=note,
    )
