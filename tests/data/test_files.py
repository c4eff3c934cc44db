"""Files are unpacked, decoded and cut into cells as they were written; the unsafe is refused."""

import codecs
import datetime
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data.files import archives as files
from core.data.files.archives import unpack
from core.data.files.dialects import Dialect, ReadAs
from core.data.files.encodings import Plain, find_fault, guess_encoding, reencode
from core.data.files.lines import filled_lines
from core.data.files.malformed import create_tables
from core.data.files.records import open_source
from core.data.files.sniff import read_off, sample_lines
from core.data.files.sources import unique_names
from core.data.files.texts import open_text
from core.data.store import connect
from core.errors import BadInput, NotFound, TooLarge

FRENCH = "nom,ville\nHélène,Besançon\nJosé,Nîmes\nFrançois,Orléans\n"
CHINESE = "用户,商品,评分\n张三,智能手机,五\n李四,笔记本电脑,四\n王五,电视机,三\n"
JAPANESE = "ユーザー,しょうひん\nたなか,テレビ\nすずき,カメラとレンズ\n"


@pytest.mark.parametrize(
    ("text", "encoding", "expected"),
    [
        ("a,b\n1,2\n", "ascii", "utf-8"),
        (CHINESE, "utf-8", "utf-8"),
        (FRENCH, "utf-8-sig", "utf-8"),
        (FRENCH, "utf-16", "utf-16"),
        (FRENCH, "utf-16-le", "utf-16-le"),
        (FRENCH, "utf-16-be", "utf-16-be"),
        (CHINESE, "utf-32", "utf-32"),
        (CHINESE, "gb18030", "gb18030"),
        (CHINESE, "gb2312", "gb18030"),
        (JAPANESE * 20, "shift_jis", "shift_jis"),
    ],
)
def test_the_encoding_is_known_by_the_bytes(text, encoding, expected):
    found = guess_encoding("x", text.encode(encoding), whole=True)
    assert found == expected or text.encode(encoding).decode(found) == text


@pytest.mark.parametrize(
    "text",
    [FRENCH, FRENCH * 50, "café", "é", "price £5", "20°C", "niño, ¿qué? ¡sí!", "Straße, Größe, Öl"],
)
def test_latin_1_is_read_as_latin_1(text):
    data = text.encode("latin-1")
    assert data.decode(guess_encoding("x", data, whole=True)) == text


@pytest.mark.parametrize("text", [CHINESE, CHINESE * 50, "手机", "张三,电视机 A4\n李四,电脑 B5"])
def test_gb18030_is_read_as_gb18030(text):
    data = text.encode("gb18030")
    assert data.decode(guess_encoding("x", data, whole=True)) == text


@given(st.text(st.characters(exclude_categories=["Cs"], min_codepoint=32), min_size=1))
def test_utf_8_is_never_taken_for_anything_else(text):
    assert guess_encoding("x", text.encode(), whole=True) == "utf-8"
    cut = text.encode()[:-1] or b"x"
    assert guess_encoding("x", cut, whole=False) == "utf-8"


@pytest.mark.parametrize("encoding", ["utf-16", "gb18030", "utf-32"])
def test_a_copy_in_utf_8_says_the_same(tmp_path, encoding):
    path = tmp_path / "x.csv"
    text = CHINESE * 40_000  # more than one block
    path.write_bytes(text.encode(encoding))
    copy = reencode(Plain("x.csv", path, "text"), encoding, tmp_path)
    assert copy.path.read_text(encoding="utf-8") == text
    assert path.read_bytes() == text.encode(encoding)


def test_a_wrong_encoding_is_a_sentence(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(codecs.BOM_UTF16_LE + b"a\x00\x00\xd8b\x00")
    with pytest.raises(BadInput, match="looks like utf-16 but is not throughout"):
        unpack(path, scratch(tmp_path))


def test_a_fault_far_down_is_found(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b"a,b\n" * 500_000 + FRENCH.encode("latin-1") + b"1,2\r\n")
    fault = find_fault(Plain("x", path, "text"))
    assert fault.mixed_newlines
    assert fault.encoding is not None
    assert FRENCH.encode("latin-1").decode(fault.encoding) == FRENCH


def scratch(folder: Path) -> Path:
    made = folder / "scratch"
    made.mkdir(exist_ok=True)
    return made


def test_a_plain_file_is_linked_not_copied(tmp_path):
    path = tmp_path / "a [1]*.csv"
    path.write_text("a,b\n1,2\n")
    (plain,) = unpack(path, scratch(tmp_path))
    assert plain.name == "a [1]*.csv"
    assert plain.path.is_symlink()
    assert plain.path.resolve() == path


def test_a_folder_or_nothing_is_a_sentence(tmp_path):
    with pytest.raises(NotFound, match="is a folder"):
        unpack(tmp_path, scratch(tmp_path))
    with pytest.raises(NotFound, match="does not exist"):
        unpack(tmp_path / "absent", scratch(tmp_path))


def test_members_of_a_zip_are_never_written_under_their_names(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("one/a.csv", "a,b\n1,2\n")
        archive.writestr("two/a.csv", "a,b\n3,4\n")
    plains = unpack(path, scratch(tmp_path))
    assert [p.name for p in plains] == ["a.zip/one/a.csv", "a.zip/two/a.csv"]
    assert [p.path.read_text() for p in plains] == ["a,b\n1,2\n", "a,b\n3,4\n"]
    assert {p.path.parent for p in plains} == {scratch(tmp_path)}


def test_the_ratio_of_an_archive_is_counted_as_it_comes_out(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "FREE_RATIO_BYTES", 1000)
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", "1,2\n" * 1_000_000)
    with pytest.raises(TooLarge, match="200 times"):
        unpack(path, scratch(tmp_path))


@pytest.mark.parametrize(
    ("text", "delimiter", "quote", "header", "columns"),
    [
        ("a,b\n1,2\n", ",", '"', True, ("a", "b")),
        ("a;b\n1,5;2\n3,5;4\n", ";", '"', True, ("a", "b")),
        ("1\t2\t3\n4\t5\t6\n", "\t", '"', False, ("column0", "column1", "column2")),
        ("1::10::5\n2::20::4\n", "::", '"', False, ("column0", "column1", "column2")),
        ("a|b\n'x|y'|2\n'z'|3\n'q'|3\n", "|", '"', True, ("a", "b")),
        ('a,b\n"x,y",2\n"p,q",3\n', ",", '"', True, ("a", "b")),
        ("user name,item\nann lee,x\nbob ray,y\n", ",", '"', True, ("user name", "item")),
        ("a b\n1 2\n3 4\n", " ", '"', True, ("a", "b")),
        ("x,A,A\nann,b,c\nann,b,c\n", ",", '"', True, ("x", "A", "A_2")),
        ("ann,b\nann,c\nbob,b\n", ",", '"', False, ("column0", "column1")),
    ],
)
def test_the_dialect_is_read_off_the_start(tmp_path, text, delimiter, quote, header, columns):
    path = tmp_path / "x"
    path.write_text(text)
    con = connect()
    create_tables(con)
    form = read_off("x", sample_lines(path)[0], ReadAs()).form
    assert (form.dialect, bool(form.header)) == (Dialect(delimiter, quote), header)
    source = open_text(con, Plain("x", path, "text"), tmp_path / "records")
    assert source.columns == columns


def test_names_of_columns_are_made_unique():
    assert unique_names(["a", "A", "", "a_2", "x\ny"], taken=["user_id"]) == (
        "a", "A_2", "unnamed_3", "a_2_2", "xy",
    )  # fmt: skip
    assert unique_names(["User_ID"], taken=["user_id"]) == ("User_ID_2",)


@given(st.lists(st.text(max_size=5), max_size=8))
def test_unique_names_are_unique_in_any_case(names):
    made = unique_names(names)
    assert len({name.lower() for name in made}) == len(names)
    assert all(name and name == name.strip() and name.isprintable() for name in made)


LINES = st.lists(st.sampled_from(["", "a", "b,c", "  "]), min_size=1, max_size=30)


@given(LINES, st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())
def test_filled_lines_are_those_an_editor_numbers(tmp_path_factory, lines, end, last):
    text = end.join(lines) + end * last
    if not text:
        return
    path = tmp_path_factory.mktemp("lines") / "x"
    path.write_bytes(text.encode())
    numbers, starts = filled_lines(path)
    assert numbers.tolist() == [n for n, line in enumerate(lines, 1) if line]
    at = [len((end.join(lines[:n]) + end * bool(n)).encode()) for n in range(len(lines))]
    assert starts.tolist() == [a for a, line in zip(at, lines, strict=True) if line]


def workbook(path: Path, rows: list[list[object]]) -> None:
    """The least that a workbook needs, by hand: inline texts, numbers, dates in style 1."""

    def cell(value: object) -> str:
        if isinstance(value, datetime.datetime):
            days = (value - datetime.datetime(1899, 12, 30)) / datetime.timedelta(days=1)
            return f'<c s="1"><v>{days}</v></c>'
        if isinstance(value, str):
            return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
        return "<c/>" if value is None else f"<c><v>{value}</v></c>"

    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    data = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r"'
        f' Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="log" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="r2" Type="{office}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{main}"><cellXfs count="2"><xf numFmtId="0"/>'
        '<xf numFmtId="22"/></cellXfs></styleSheet>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{data}</sheetData>'
        "</worksheet>",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{text}')


def test_a_workbook_keeps_whole_numbers_times_and_texts(tmp_path):
    path = tmp_path / "log.xlsx"
    when = datetime.datetime(2011, 2, 1, 8, 26)
    workbook(path, [["user", "item", "date"], [17850.0, "0071", when], [None, "a,b", when]])
    (plain,) = unpack(path, scratch(tmp_path))
    assert plain.kind == "xlsx"
    con = connect()
    create_tables(con)
    source = open_source(con, plain, scratch(tmp_path))
    assert source.columns == ("user", "item", "date")
    assert source.read(con).fetchall() == [
        ("17850", "0071", "2011-02-01 08:26:00"), (None, "a,b", "2011-02-01 08:26:00"),
    ]  # fmt: skip
