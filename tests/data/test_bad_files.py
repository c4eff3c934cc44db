"""Bad files, made by code: each gives one clear sentence or a right result, and stays as it was.

A case is bytes and either the words that the sentence must hold (a str), or the counts that must
come out: (rows read, rows kept).
"""

# ruff: noqa: E501  (a case is a line)

import gzip
import io
import json
import struct
import zipfile
import zlib
from pathlib import Path

import duckdb
import pytest

from core.data.ingest.ingest import ingest, preview
from core.data.store import Workspace
from core.errors import BadInput

pytestmark = pytest.mark.timeout(60)  # a hang; each takes a second or two

GOOD = "user_id,item_id,rating,timestamp\n" + "".join(
    f"{u},{i},{1 + (u + i) % 5},{1_500_000_000 + 1000 * u + i}\n"
    for u in range(1, 6)
    for i in range(1, 5)
)  # 20 rows
ROWS = GOOD.splitlines(keepends=True)
# What a sentence for a person must not hold.
INNARDS = (
    "Traceback",
    "Binder",
    "Error:",
    "duckdb",
    "read_csv",
    "LINE ",
    "Candidate",
    "strict_mode",
    "0x",
)
Case = tuple[str, bytes, str | tuple[int, int]]


def table(*columns: str, rows: int = 20) -> bytes:
    """A CSV from header=expression pairs, n is the row's number."""
    names = ",".join(c.split("=")[0] for c in columns)
    lines = [
        ",".join(str(eval(c.split("=", 1)[1], {"n": n})) for c in columns) for n in range(rows)
    ]
    return "\n".join([names, *lines, ""]).encode()


def zipped(members: dict[str, bytes], **options: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = options.get("mode", 0o644) << 16
            archive.writestr(info, data)
    return out.getvalue()


def parquet(sql: str) -> bytes:
    return _made(lambda path: duckdb.sql(sql).write_parquet(path))


def _made(make) -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/x"
        make(path)
        return Path(path).read_bytes()


def broken_xlsx() -> bytes:
    return zipped({"xl/workbook.xml": b"<not xml", "[Content_Types].xml": b""})


def patched(data: bytes, at: int, with_: bytes) -> bytes:
    return data[:at] + with_ + data[at + len(with_) :]


def csv(text: str) -> bytes:
    return text.encode()


def rejecting(line: str, n: int = 1) -> bytes:
    """The good file with n bad lines in its middle."""
    return csv("".join([*ROWS[:10], *[line + "\n"] * n, *ROWS[10:]]))


UNREADABLE: list[Case] = [
    ("empty.csv", b"", "is empty"),
    ("blank.csv", b"\n\n  \n\n", "is empty"),
    ("bom-only.csv", b"\xef\xbb\xbf", "is empty"),
    ("header-only.csv", csv(ROWS[0]), "no row"),
    ("header-only-no-newline.csv", csv(ROWS[0].strip()), "no row"),
    ("one-line-of-prose.txt", b"Dear all, please find the data attached.\n", "no row"),
    ("prose.txt", b"Dear all,\nplease find the data attached.\nKind regards\n", "--map"),
    ("one-column.csv", table("user_id=n"), "--map item_id"),
    ("only-numbers-one-column.csv", b"1\n2\n3\n4\n", "--map"),
    ("no-names.csv", table("colour=n*7%5", "size=n"), "--map user_id=<column>"),
    ("no-item.csv", table("user_id=n", "age=n%7+20"), "--map item_id=<column>"),
    ("ten-thousand-columns.csv", csv(",".join(f"c{n}" for n in range(10_000)) + "\n" + ",".join("1" * 10_000) + "\n"), "10,000 columns"),
    ("ten-thousand-values.csv", csv(",".join(str(n) for n in range(10_000))), "10,000 columns"),
    ("random.bin", bytes((n * 7919 + n // 3) % 256 for n in range(5000)), "binary"),
    ("zeros.bin", bytes(10_000), "binary"),
    ("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(500), "PNG image"),
    ("picture.jpg", b"\xff\xd8\xff\xe0" + bytes(500), "JPEG image"),
    ("paper.pdf", b"%PDF-1.7\n" + bytes(500), "PDF"),
    ("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), ".xlsx"),
    ("model.pkl", b"\x80\x04\x95" + bytes(500), "pickle"),
    ("base.sqlite", b"SQLite format 3\x00" + bytes(500), "SQLite"),
    ("log.zst", b"\x28\xb5\x2f\xfd" + bytes(50), "zstd"),
    ("log.bz2", b"BZh91AY" + bytes(50), "bzip2"),
    ("log.7z", b"7z\xbc\xaf\x27\x1c" + bytes(50), "is a 7z archive"),
    ("page.html", b"<!DOCTYPE html>\n<html><head><title>404</title></head>\n<body>not found</body></html>\n", "--map"),
    ("truncated.parquet", parquet("SELECT i AS user_id, i AS item_id FROM range(9999) t(i)")[:-900], "damaged Parquet"),
    ("magic-only.parquet", b"PAR1", "damaged Parquet"),
    ("flipped.parquet", patched(parquet("SELECT i AS user_id, i AS item_id FROM range(9999) t(i)"), 40, b"\xff" * 4000), "damaged"),
    ("no-rows.parquet", parquet("SELECT 1 AS user_id, 1 AS item_id WHERE false"), "no rows"),
    ("wide.parquet", parquet("SELECT " + ", ".join(f"1 AS c{n}" for n in range(2500))), "2,500 columns"),
    ("truncated.csv.gz", gzip.compress(csv(GOOD * 50))[:-40], "damaged"),
    ("garbage.csv.gz", b"\x1f\x8b" + b"garbage" * 20, "damaged"),
    ("empty.csv.gz", gzip.compress(b""), "is empty"),
    ("twice.csv.gz.gz", gzip.compress(gzip.compress(csv(GOOD))), "another archive"),
    ("bomb.csv.gz", gzip.compress(bytes(300 << 20), 9), "unpacks to more than"),
    ("bomb.zip", zipped({"a.csv": bytes(300 << 20)}), "unpacks to more than"),
    ("lying-bomb.zip", zipped({"a.csv": b"1,2\n" * (80 << 20)}).replace(struct.pack("<I", 320 << 20), struct.pack("<I", 100)), "no zip that can be|unpacks to more"),
    ("truncated.zip", zipped({"a.csv": csv(GOOD)})[:-60], "no zip that can be unpacked"),
    ("garbage.zip", b"PK\x03\x04" + b"garbage" * 20, "no zip that can be unpacked"),
    ("empty.zip", zipped({}), "no data file"),
    ("only-readme.zip", zipped({"README.md": b"hello"}), "no data file"),
    ("dotdot.zip", zipped({"../../etc/passwd.csv": csv(GOOD)}), "outside"),
    ("absolute.zip", zipped({"/etc/passwd.csv": csv(GOOD)}), "outside"),
    ("backslash.zip", zipped({"..\\x.csv": csv(GOOD)}), "outside"),
    ("drive.zip", zipped({"C:/x.csv": csv(GOOD)}), "outside"),
    ("link.zip", zipped({"x.csv": b"/etc/passwd"}, mode=0o120777), "holds a link"),
    ("nested.zip", zipped({"inner.zip": zipped({"a.csv": csv(GOOD)})}), "another archive"),
    ("many.zip", zipped({f"{n}.csv": csv(GOOD) for n in range(150)}), "150 files"),
    ("bad-crc.zip", patched(zipped({"a.csv": csv(GOOD * 9)}), 14, b"\x00\x00\x00\x00").replace(struct.pack("<I", zlib.crc32(csv(GOOD * 9))), b"\x01\x02\x03\x04"), "no zip that can be unpacked"),
    ("broken.xlsx", broken_xlsx(), "workbook"),
    ("broken.json", b'{"user_id": 1, "item_id": \n{"user_id"\n', "JSON"),
    ("empty-array.json", b"[]", "JSON"),
    ("cut-array.json", b'[{"user_id": 1, "item_id": 2}, {"user_id": 3', "JSON"),
    ("numbers.jsonl", b"{}\n{}\n", "JSON"),
    ("no-users.csv", table("user_id=''", "item_id=n"), "20 no_user"),
    ("nan-users.csv", table("user_id='NaN'", "item_id=n"), "20 no_user"),
]  # fmt: skip

LONG = "x" * 3_000_000
RIGHT: list[Case] = [
    ("words-as-times.csv", table("user_id=n", "item_id=n", "timestamp='soon'"), (20, 20)),
    ("quote-never-closed.csv", b'user_id,item_id\n"1,2\n3,4\n5,6\n', (3, 2)),
    ("good.csv", csv(GOOD), (20, 20)),
    ("no-last-newline.csv", csv(GOOD.strip()), (20, 20)),
    ("bom.csv", b"\xef\xbb\xbf" + csv(GOOD), (20, 20)),
    ("crlf.csv", csv(GOOD.replace("\n", "\r\n")), (20, 20)),
    ("cr.csv", csv(GOOD.replace("\n", "\r")), (20, 20)),
    ("mixed-line-ends.csv", csv("".join(r.replace("\n", "\r\n") if n % 3 else r for n, r in enumerate(ROWS))), (20, 20)),
    ("blank-lines.csv", csv(GOOD.replace("\n", "\n\n\n")), (20, 20)),
    ("utf-16.csv", GOOD.encode("utf-16"), (20, 20)),
    ("utf-16-no-bom.csv", GOOD.encode("utf-16-le"), (20, 20)),
    ("utf-16-be.csv", GOOD.encode("utf-16-be"), (20, 20)),
    ("utf-32.csv", GOOD.encode("utf-32"), (20, 20)),
    ("semicolon.csv", csv(GOOD.replace(",", ";")), (20, 20)),
    ("pipe.csv", csv(GOOD.replace(",", "|")), (20, 20)),
    ("tab.tsv", csv(GOOD.replace(",", "\t")), (20, 20)),
    ("space.txt", csv(GOOD.replace(",", " ")), (20, 20)),
    ("colons.dat", csv("".join(ROWS[1:]).replace(",", "::")), (20, 20)),
    ("caret.txt", csv(GOOD.replace(",", "^")), (20, 20)),
    ("excel-sep.csv", csv("sep=;\n" + GOOD.replace(",", ";")), (20, 20)),
    ("no-header.csv", csv("".join(ROWS[1:])), (20, 20)),
    ("single-quotes.csv", csv("'user_id','item_id'\n" + "".join(f"'a,{n}','b,{n}'\n" for n in range(20))), (20, 20)),
    ("one-row.csv", csv("".join(ROWS[:2])), (1, 1)),
    ("one-user.csv", table("user_id=7", "item_id=n", "rating=n%5"), (20, 20)),
    ("one-item.csv", table("user_id=n", "item_id=7", "rating=n%5"), (20, 20)),
    ("all-the-same.csv", table("user_id=1", "item_id=2", "rating=3", "timestamp=1500000000"), (20, 20)),
    ("duplicate-header.csv", table("user_id=n", "item_id=n", "note=1", "note=2", "Note=3"), (20, 20)),
    ("reserved-names.csv", table("user_id=n", "item_id=n", "source_row=9", "rowid=8", "Value=7", "k=1"), (20, 20)),
    ("quotes-in-names.csv", csv('user_id,item_id,"a""b\'; DROP TABLE x",";--"\n' + "1,2,3,4\n" * 5), (5, 5)),
    ("many-columns.csv", table("user_id=n", "item_id=n", *(f"c{k}=n*{k}%17" for k in range(900))), (20, 20)),
    ("formula.csv", table("user_id=n", "item_id='=1+1'", "note='@x'"), (20, 20)),
    ("unnamed-columns.csv", csv(",user_id,item_id,,\n" + "0,1,2,3,4\n" * 5), (5, 5)),
    ("too-short-row.csv", rejecting("1,2"), (21, 20)),
    ("too-long-row.csv", rejecting("1,2,3,4,5,6"), (21, 20)),
    ("several-bad-rows.csv", rejecting("1,2", 50), (70, 20)),
    ("truncated.csv", csv(GOOD[:-13]), (20, 19)),
    ("open-quote-at-end.csv", csv(GOOD + '6,"7,3,1500000000\n'), (21, 20)),
    ("stray-quote.csv", rejecting('6,7"8,3,1500000000'), (21, 21)),
    ("nul-in-a-row.csv", rejecting("6\x00,7,3,1500000000"), (21, 20)),
    ("huge-field.csv", rejecting(f"6,{LONG},3,1500000000"), (21, 20)),
    ("bad-bytes-in-utf-8.csv", csv(GOOD.replace("\n", ",é\n")).replace(b"3,3,2,", b"\xff\xfe,3,2,"), (20, 19)),
    ("latin-1.csv", table("user_id='Müller'+str(n)", "item_id='café'").decode().encode("latin-1"), (20, 20)),
    ("gb18030.csv", table("user_id='用户号码'+str(n)", "item_id='商品名称很长的电视机'").decode().encode("gb18030"), (20, 20)),
    ("late-latin-1.csv", csv("user_id,item_id\n" + "1,plain item\n" * 30_000) + "2,Café Müller\n".encode("latin-1"), (30_001, 30_001)),
    ("missing-user.csv", rejecting(",7,3,1500000000"), (21, 20)),
    ("missing-item.csv", rejecting("7,NULL,3,1500000000"), (21, 20)),
    ("missing-time.csv", rejecting("7,7,3,"), (21, 20)),
    ("word-as-time.csv", rejecting("7,7,3,yesterday"), (21, 20)),
    ("future-time.csv", rejecting("7,7,3,4000000000"), (21, 21)),
    ("absurd-time.csv", rejecting("7,7,3,99999999999999"), (21, 20)),
    ("overflow-time.csv", rejecting("7,7,3,9999999999999999999999"), (21, 20)),
    ("word-as-rating.csv", rejecting("7,7,good,1500000000"), (21, 20)),
    ("nan-rating.csv", rejecting("7,7,NaN,1500000000"), (21, 21)),
    ("inf-rating.csv", rejecting("7,7,inf,1500000000"), (21, 20)),
    ("overflow-rating.csv", rejecting("7,7,1e999,1500000000"), (21, 20)),
    ("mixed-ids.csv", rejecting("abc,7,3,1500000000"), (21, 21)),
    ("huge-ids.csv", rejecting("99999999999999999999999999,7,3,1500000000"), (21, 21)),
    ("mixed-types.csv", rejecting("x,y,z,w"), (21, 20)),
    ("repeated-header.csv", rejecting(ROWS[0].strip()), (20, 20)),
    ("mac-zip.zip", zipped({"__MACOSX/._a.csv": bytes(99), "a.csv": csv(GOOD), ".DS_Store": bytes(9)}), (20, 20)),
    ("good.csv.gz", gzip.compress(csv(GOOD)), (20, 20)),
    ("wrong-extension.parquet", csv(GOOD), (20, 20)),
    ("parquet.csv", parquet("SELECT i % 5 AS user_id, i AS item_id FROM range(20) t(i)"), (20, 20)),
    ("nulls.parquet", parquet("SELECT CASE WHEN i > 4 THEN i END AS user_id, i AS item_id FROM range(20) t(i)"), (20, 15)),
    ("halves.parquet", parquet("SELECT i + 0.5::DOUBLE AS user_id, i AS item_id FROM range(20) t(i)"), (20, 20)),
    ("nan.parquet", parquet("SELECT CASE WHEN i = 3 THEN 'nan'::DOUBLE ELSE i END AS user_id, i AS item_id FROM range(20) t(i)"), (20, 19)),
    ("odd-types.parquet", parquet("SELECT i AS user_id, i AS item_id, {'a': 1} AS s, MAP {'k': 2} AS m, '\\xFF'::BLOB AS b, NULL AS n FROM range(20) t(i)"), (20, 20)),
    ("broken-lines.jsonl", "\n".join([*(json.dumps({"user_id": n, "item_id": n}) for n in range(20)), "{", "null", "[1]", '"x"']).encode(), (24, 20)),
    ("late-key.jsonl", "\n".join(json.dumps({"user_id": n, "item_id": n, **({"late/~key": n} if n > 15 else {})}) for n in range(20)).encode(), (20, 20)),
    ("deep.jsonl", "\n".join(json.dumps({"user_id": n, "item_id": n, "x": {"y": [{"z": 1}]}}) for n in range(20)).encode(), (20, 20)),
]  # fmt: skip


def cases(all_: list[Case]) -> list:
    return [pytest.param(*case, id=case[0]) for case in all_]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "home")


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("name", "data", "words"), cases(UNREADABLE))
def test_an_unusable_file_gets_one_clear_sentence(workspace, tmp_path, name, data, words):
    path = put(tmp_path, name, data)
    with pytest.raises(BadInput, match=words) as caught:
        ingest(workspace, path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert len(sentence) < 1500
    assert [word for word in INNARDS if word in sentence] == []
    assert workspace.datasets() == []
    assert list(workspace.tmp_folder.iterdir()) == []
    assert path.read_bytes() == data


@pytest.mark.slow
@pytest.mark.parametrize(("name", "data", "counts"), cases(RIGHT))
def test_an_odd_file_gives_the_right_rows(workspace, tmp_path, name, data, counts):
    path = put(tmp_path, name, data)
    preview(path)
    info = ingest(workspace, path)
    found = info.counts
    assert (found["rows_read"], found["rows_kept"]) == counts
    assert found["rows_rejected"] == sum(found["rejected"].values()) == counts[0] - counts[1]
    events = duckdb.from_parquet(str(info.path("events"))).aggregate("count(*)").fetchall()
    assert events == [(counts[1],)]
    if rejected := info.path("rejected"):
        rows = duckdb.from_parquet(str(rejected)).aggregate(
            "count(*), count(line), count(reason), count(detail), count(record)"
        )
        assert rows.fetchall() == [(counts[0] - counts[1],) * 5]
    assert path.read_bytes() == data


def test_there_are_enough_of_them():
    names = [case[0] for case in (*UNREADABLE, *RIGHT)]
    assert len(set(names)) == len(names) > 100
