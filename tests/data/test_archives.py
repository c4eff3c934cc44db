"""Archives and workbooks that ask for more than they may, or are damaged: one sentence each."""

from __future__ import annotations

import io
import lzma
import zipfile
from pathlib import Path

import pytest

from core.data.files import archives, workbook_bounds
from core.data.ingest.ingest import ingest
from core.data.store import Workspace
from core.errors import BadInput, TooLarge

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LOG = "user_id,item_id\n" + "".join(f"u{n % 7},i{n % 9}\n" for n in range(100))


def workbook(path: Path, cells: str, shared: str = "") -> Path:
    """A workbook of one sheet with these cells, in XML."""
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r"'
        f' Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{office}"><sheets>'
        '<sheet name="log" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="r2" Type="{office}/sharedStrings" Target="sharedStrings.xml"/>'
        "</Relationships>",
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{MAIN}"><sheetData>{cells}</sheetData>'
        "</worksheet>",
        "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{shared}</sst>',
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for name, text in parts.items():
            book.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{text}')
    return path


def text_cell(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


def refused(tmp_path: Path, path: Path, error: type[BadInput], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        ingest(Workspace.open(tmp_path / "home"), path)
    assert "\n" not in str(caught.value)


def test_a_cell_in_the_last_corner_of_a_sheet(tmp_path):
    rows = "".join(
        f'<row r="{n}">{text_cell(f"A{n}", f"u{n % 5}")}{text_cell(f"B{n}", f"i{n % 7}")}</row>'
        for n in range(2, 40)
    )
    head = f'<row r="1">{text_cell("A1", "user_id")}{text_cell("B1", "item_id")}</row>'
    corner = f'<row r="1048576">{text_cell("XFD1048576", "x")}</row>'
    empty = '<row r="1048576"><c r="XFD1048576" s="0"/></row>'
    refused(tmp_path, workbook(tmp_path / "a.xlsx", head + rows + corner), TooLarge, "XFD1048576")
    info = ingest(
        Workspace.open(tmp_path / "home"), workbook(tmp_path / "b.xlsx", head + rows + empty)
    )
    assert info.counts["rows_kept"] == 38
    assert info.meta["lines"]["b.xlsx"]["unit"] == "rows"


def test_a_text_that_many_cells_share(tmp_path, monkeypatch):
    monkeypatch.setattr(workbook_bounds, "MAX_TEXT", 1 << 20)
    cells = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(1, 200))
    path = workbook(tmp_path / "a.xlsx", cells, f"<si><t>{'x' * 10_000}</t></si>")
    refused(tmp_path, path, TooLarge, "1,990,000 characters in its cells")


def test_the_limit_of_a_zip_is_over_all_its_members(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "FREE_RATIO_BYTES", 1_000_000)
    monkeypatch.setattr(archives, "MAX_RATIO", 2)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for n in range(5):
            archive.writestr(f"{n}.csv", LOG + "u1,i1\n" * 50_000)
    refused(tmp_path, tmp_path / "a.zip", TooLarge, "unpacks to more than")


def test_damaged_members_are_a_sentence(tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.csv", LOG)
    data = bytearray(out.getvalue())
    at = data.index(b"a.csv") + 5 + 9  # behind the name and LZMA's own header
    data[at : at + 40] = b"\xff" * 40
    with pytest.raises(lzma.LZMAError):
        zipfile.ZipFile(io.BytesIO(data)).read("a.csv")
    (tmp_path / "lzma.zip").write_bytes(data)
    refused(tmp_path, tmp_path / "lzma.zip", BadInput, "no zip that can be unpacked")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("é.csv", LOG)
    (tmp_path / "utf8.zip").write_bytes(out.getvalue().replace("é".encode(), b"\xc1\xc1"))
    refused(tmp_path, tmp_path / "utf8.zip", BadInput, "no zip that can be unpacked")
