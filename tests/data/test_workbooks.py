"""Workbooks as people have them come in, and none asks for more than it may."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.data.files import workbook_bounds
from core.data.ingest.ingest import ingest
from core.data.ingest.preview import preview
from core.data.layouts.registry import TABLE
from core.data.store import DatasetInfo, Workspace
from core.errors import BadInput, TooLarge
from tests.data.workbooks import MAIN, cell, sheet_xml, workbook

HEAD = ["Customer No", "Product No", "Qty"]


def told(folder: Path, path: Path, **mapping: str | None) -> DatasetInfo:
    seen = preview(path, mapping=mapping)
    info = ingest(Workspace.open(folder / "home"), path, mapping=mapping)
    assert (seen.mapping, seen.evidence) == (info.mapping, info.meta["evidence"])
    return info


def rejected(info: DatasetInfo) -> list[tuple[int, str, str]]:
    path = info.path("rejected")
    found = f"SELECT line, reason, detail FROM '{path}' ORDER BY ALL"
    return duckdb.sql(found).fetchall() if path else []


def events(info: DatasetInfo) -> list[tuple[object, ...]]:
    found = f"SELECT user_id::VARCHAR, item_id::VARCHAR, value FROM '{info.path('events')}'"
    return sorted(duckdb.sql(found).fetchall())


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(
        st.tuples(st.integers(1000, 1005), st.integers(0, 9), st.integers(1, 5)),
        min_size=2,
        max_size=20,
    ),
    titles=st.integers(0, 4),
    total=st.booleans(),
    others=st.integers(0, 2),
    first=st.booleans(),
)
def test_the_log_is_found_among_titles_totals_and_sheets(
    tmp_path_factory, rows, titles, total, others, first
):
    folder = tmp_path_factory.mktemp("sheets")
    above: list[list[object]] = [
        [f"Line {n} of the title"] if n % 2 == 0 else [] for n in range(titles)
    ]
    below: list[list[object]] = [["Total", None, sum(n for _, _, n in rows)]] if total else []
    data: list[list[object]] = [HEAD, *([u, f"{i:05}", n] for u, i, n in rows)]
    notes = {f"Notes {n}": [["Please", "see"], ["the", "data"]] for n in range(others)}
    log = {"Data": [*above, *data, *below]}
    sheets = {**log, **notes} if first else {**notes, **log}
    info = told(folder, workbook(folder / "x.xlsx", sheets))
    assert events(info) == sorted((str(u), f"{i:05}", float(n)) for u, i, n in rows)
    assert not rejected(info)
    lines = info.meta["lines"]["x.xlsx"]
    assert (lines["kept"], lines["total"], lines["header"]) == (len(rows), int(total), 1)
    assert lines["physical"] == len(log["Data"])
    said = info.meta["evidence"].get("reading", "")
    assert ("titles above the header" in said) == (titles > 0)
    assert ("the sheet 'Data' is read, not" in said) == (others > 0)


def test_merged_cells_say_the_same_to_all_their_rows(tmp_path):
    rows = [HEAD, [1000, "p1", 1], [None, "p2", 2], [None, "p3", 1], [1001, "p1", 3]]
    xml = sheet_xml(rows, '<mergeCells count="1"><mergeCell ref="A2:A4"/></mergeCells>')
    info = told(tmp_path, workbook(tmp_path / "x.xlsx", {"S": xml}))
    assert [row[:2] for row in events(info)] == [
        ("1000", "p1"), ("1000", "p2"), ("1000", "p3"), ("1001", "p1"),
    ]  # fmt: skip
    assert "2 cells got what their merged cell says" in info.meta["evidence"]["reading"]
    plainly = told(tmp_path, tmp_path / "x.xlsx", layout=TABLE)
    assert plainly.counts["rejected"] == {"no_user": 2}


def test_a_row_without_a_user_is_rejected_with_its_row(tmp_path):
    rows = [["Report"], [], HEAD, [1000, "p1", 1], [], [None, "p2", 2], [1001, "p3", 1]]
    info = told(tmp_path, workbook(tmp_path / "x.xlsx", {"S": rows}))
    assert [row[:2] for row in rejected(info)] == [(6, "no_user")]


def test_a_sheet_without_a_header_has_none(tmp_path):
    rows = [[n % 4, n % 5, 1_700_000_000 + n] for n in range(20)]
    assert told(tmp_path, workbook(tmp_path / "x.xlsx", {"S": rows})).counts["rows_kept"] == 20


def far(name: str) -> str:
    data = sheet_xml([HEAD, [1000, "p1", 1]])
    return data.replace("</sheetData>", f'<row><c r="{name}"><v>1</v></c></row></sheetData>')


@pytest.mark.parametrize("name", ["XFD1048576", "xfd1048576", "ZZ90000"])
def test_a_cell_far_out_is_one_sentence(tmp_path, name):
    path = workbook(tmp_path / "x.xlsx", {"S": far(name), "T": [HEAD, [1000, "p1", 1]]})
    with pytest.raises(TooLarge, match=f"reaches to the cell {name.upper()}, which makes"):
        ingest(Workspace.open(tmp_path / "home"), path)


def test_a_sheet_under_another_name_is_bounded_too(tmp_path):
    path = workbook(tmp_path / "x.xlsx", {"S": far("XFD1048576")})
    data = path.read_bytes().replace(b"xl/worksheets/sheet1.xml", b"xl/worksheets/sheet1.bin")
    path.write_bytes(data)  # the names in the zip; the relations are packed and stay
    with pytest.raises(TooLarge, match="XFD1048576"):
        ingest(Workspace.open(tmp_path / "home"), path)


def test_a_text_that_all_cells_share_is_counted_as_often_as_it_stands(tmp_path):
    rows = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(2, 6002))
    head = f'<row r="1">{cell(1, 1, "user_id")}{cell(1, 2, "item_id")}</row>'
    xml = f'<worksheet xmlns="{MAIN}"><sheetData>{head}{rows}</sheetData></worksheet>'
    path = workbook(tmp_path / "x.xlsx", {"S": xml}, shared=["x" * 1_000_000])
    assert path.stat().st_size < 100_000
    with pytest.raises(TooLarge, match=r"6,000,000,0\d\d characters in its cells"):
        ingest(Workspace.open(tmp_path / "home"), path)


def test_a_text_that_is_not_there_is_damage(tmp_path):
    xml = sheet_xml([HEAD]).replace(
        "</sheetData>", '<row r="2"><c r="A2" t="s"><v>7</v></c></row></sheetData>'
    )
    path = workbook(tmp_path / "x.xlsx", {"S": xml}, shared=["a"])
    with pytest.raises(BadInput, match="a cell says text 7 of 1"):
        ingest(Workspace.open(tmp_path / "home"), path)


def test_the_corner_of_a_sheet_is_found_wherever_cells_say_it(tmp_path, monkeypatch):
    monkeypatch.setattr(workbook_bounds, "MAX_CELLS", 20)
    for xml in (
        sheet_xml([HEAD] * 7),
        f'<w:worksheet xmlns:w="{MAIN}"><w:sheetData>'
        + ("<w:row>" + "<w:c><w:v>1</w:v></w:c>" * 3 + "</w:row>") * 7
        + "</w:sheetData></w:worksheet>",
    ):
        with pytest.raises(TooLarge, match="reaches to the cell C7, which makes 21 cells"):
            preview(workbook(tmp_path / "x.xlsx", {"S": xml}))
