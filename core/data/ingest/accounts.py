"""What became of every line of every file: kept, rejected, or of a kind that holds no record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from duckdb import DuckDBPyConnection

from core.data.files.lines import count_lines
from core.data.files.sources import Source
from core.errors import CoreError

KINDS = ("kept", "rejected", "continued", "header", "blank", "comment", "preamble", "total")
LineCounts = dict[str, int | str]


def read_lines(sources: Iterable[tuple[Source, int]]) -> dict[str, dict[str, int]]:
    """The lines of each file as they were read, `kept` being its records.

    Args:
        sources: Each with the records that were read of it.

    Raises:
        NotPlain: there are not as many as there are lines for them.
    """
    return {source.name: count_lines(source, records) for source, records in sources}


def settle(
    con: DuckDBPyConnection,
    read: Mapping[str, Mapping[str, int]],
    lost: Mapping[str, int],
    units: Mapping[str, str],
) -> dict[str, LineCounts]:
    """The lines of each file by what became of them, as dataset.json says it.

    Args:
        con: The connection with the tables `rejected` and `malformed`, complete.
        read: What `read_lines` gave.
        lost: File → its records that were not kept.
        units: File → "lines", or "rows" where lines are no records.

    Raises:
        CoreError: a line is not accounted for.
    """
    rejected, malformed = (
        dict(con.table(name).aggregate("file, count(*)", "file").fetchall())
        for name in ("rejected", "malformed")
    )
    settled: dict[str, LineCounts] = {}
    for name, counted in read.items():
        bad, none = rejected.get(name, 0), malformed.get(name, 0)
        if bad != lost.get(name, 0) + none or counted.get("rejected", none) != none:
            raise CoreError(
                f"{name}: {bad:,} rows are rejected, but {lost.get(name, 0) + none:,} were not "
                "kept; this is a fault of Recscope, and nothing was imported"
            )
        now = {**counted, "kept": counted["kept"] - lost.get(name, 0), "rejected": bad}
        lines: LineCounts = {kind: now.get(kind, 0) for kind in KINDS}
        settled[name] = {"physical": sum(now.values()), **lines}
        if units[name] != "lines":
            settled[name]["unit"] = units[name]
    return settled


def mostly_rejected(lines: Mapping[str, LineCounts]) -> list[tuple[str, int, int]]:
    """The files of which more than a tenth is rejected: their names, rows rejected, rows."""
    counts = [(name, int(c["kept"]), int(c["rejected"])) for name, c in lines.items()]
    return [(name, bad, kept + bad) for name, kept, bad in counts if bad * 10 > kept + bad]
