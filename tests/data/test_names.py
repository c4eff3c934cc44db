"""Whatever a person calls a column, no name of ours means it: our own SQL's names, as theirs."""

import csv
import re
from pathlib import Path

import duckdb
import pytest

from core.data.ingest.ingest import ingest
from core.data.quality import cleaning
from core.data.quality.report import quality_report
from core.data.store import Workspace

SOURCES = Path(__file__).parents[2] / "core" / "data"
ROLES = ("user_id", "item_id", "timestamp")


def names_in_sql() -> list[str]:
    """Every word of the strings in sources with SQL: all that it calls a column is among them."""
    words: set[str] = set()
    for path in SOURCES.rglob("*.py"):
        if "quoted" in (text := path.read_text("utf-8")) or "SELECT" in text:
            for string in re.findall(r"\"\"\".*?\"\"\"|\"[^\"\n]*\"|'[^'\n]*'", text, re.DOTALL):
                words |= set(re.findall(r"(?<![\\a-zA-Z])[a-z_]\w*", string))
    return sorted(word for word in words if word not in ROLES)


NAMES = names_in_sql()
CHUNKS = [NAMES[n : n + 200] for n in range(0, len(NAMES), 200)]


def write(path: Path, header: list[str], rows: list[list[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def test_there_are_names_to_try():
    assert {"place", "k", "x", "line", "reason", "stage", "rejected", "value"} <= set(NAMES)


@pytest.mark.parametrize("names", CHUNKS, ids=lambda names: f"{names[0]}-{names[-1]}")
def test_a_column_may_have_any_name_that_our_own_sql_uses(tmp_path, names):
    given = {"event": None, "value": None, "platform": None}
    cells = [f"x{n}" for n in range(len(names))]
    log = [[f"u{n % 8}", f"i{n % 5}", 1_709_290_000 + n, *cells] for n in range(40)]
    log += [["", "i1", 1_709_290_000, *cells], ["u1", "i1", "soon", *cells]]
    items = [[f"i{n % 5}", *cells] for n in range(6)]
    users = [[f"u{n % 8}", *cells] for n in range(9)]
    workspace = Workspace.open(tmp_path / "home")
    info = ingest(
        workspace,
        write(tmp_path / "log.csv", [*ROLES, *names], log),
        items=write(tmp_path / "items.csv", ["item_id", *names], items),
        users=write(tmp_path / "users.csv", ["user_id", *names], users),
        mapping=given,
    )
    counts = info.counts
    assert counts["rows_kept"] == 40
    assert counts["rejected"] | {"no_user": 1, "bad_time": 1} == counts["rejected"]
    assert len(info.meta["item_columns"]) == len(info.meta["user_columns"]) == len(names)
    for name, rows in (("events", 40), ("items", 5), ("users", 8)):
        table = duckdb.from_parquet(str(info.path(name)))
        theirs = table.project(", ".join(f'"{c}"' for c in table.columns[-len(names) :]))
        assert theirs.distinct().fetchall() == [tuple(cells)]
        assert len(table) == rows
    assert quality_report(info)
    cleaned = cleaning.clean(workspace, info, ["dedupe", "min_events=2", "last_only"])
    assert quality_report(cleaned)
