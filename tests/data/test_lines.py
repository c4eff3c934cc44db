"""Every line of a delimited text is kept, rejected or of a named kind, in whatever order they come.

The files are made here, so what is right is known by construction.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.cli.commands.ingest import _ingested as text_of_dataset
from core.data.files.dialects import ReadAs
from core.data.files.lines import physical_lines
from core.data.ingest.accounts import mostly_rejected
from core.data.ingest.ingest import ingest
from core.data.ingest.preview import preview
from core.data.store import DatasetInfo, Workspace
from core.errors import BadInput

pytestmark = pytest.mark.timeout(120)
SLOW = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
NAMES = ("user_id", "item_id", "rating", "title", "timestamp")
SAID = {"timestamp": "timestamp", "time_format": "s"}  # however many times are none
KINDS = ("good", "several lines", "short", "long", "stray quote", "blank", "header", "bad time")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "home")


def line_of(kind: str, n: int, mark: str) -> str:
    """One line of this kind, or several for a record that fills them, without the last end."""
    title = f'"The {n}{mark} ""new"" one"'
    cells = [f"u{n % 7}", f"i{n % 11}", str(1 + n % 5), title, str(1_600_000_000 + 60 * n)]
    if kind == "several lines":
        cells[3] = f'"one{mark} {n}\n\nthree"'
    elif kind == "short":
        cells = cells[:2]
    elif kind == "long":
        cells += ["more", "and more"]
    elif kind == "stray quote":
        cells[3] = f'"open {n}'
    elif kind == "bad time":
        cells[4] = "soon"
    elif kind == "header":
        cells = list(NAMES)
    elif kind == "blank":
        cells = ["  " * (n % 2)]
    return mark.join(cells)


def text_of(kinds: list[str], mark: str, end: str, *, last: bool = True) -> str:
    lines = [mark.join(NAMES), *(line_of(kind, n, mark) for n, kind in enumerate(kinds))]
    return ("\n".join(lines) + "\n" * last).replace("\n", end)


def expected(kinds: list[str]) -> dict[str, int]:
    n = Counter(kinds)
    bad = n["short"] + n["long"] + n["stray quote"] + n["bad time"]
    return {
        "kept": n["good"] + n["several lines"],
        "rejected": bad,
        "continued": 2 * n["several lines"],
        "header": 1 + n["header"],
        "blank": n["blank"],
        "comment": 0,
        "preamble": 0,
        "total": 0,
    }


def events(info: DatasetInfo) -> list[tuple[object, ...]]:
    """All that is known of the events, but not their place."""
    table = duckdb.from_parquet(str(info.path("events")))
    columns = [c for c in sorted(table.columns) if c != "source_row"]
    return sorted(table.project(", ".join(columns)).fetchall(), key=str)


def read(workspace: Workspace, folder: Path, data: str | bytes, **options: object) -> DatasetInfo:
    path = folder / f"{random.Random(str(data)).random()}.csv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return ingest(workspace, path, **options)


def lines(info: DatasetInfo) -> dict[str, int]:
    (counted,) = info.meta["lines"].values()
    assert counted["physical"] == sum(n for kind, n in counted.items() if kind != "physical")
    return counted


BODY = st.lists(st.sampled_from(KINDS), max_size=25).map(lambda kinds: ["good"] * 10 + kinds)


@pytest.mark.slow
@SLOW
@given(BODY, st.sampled_from([",", ";", "\t", "|", "::"]), st.sampled_from(["\n", "\r\n", "\r"]))
def test_every_line_is_accounted_for(workspace, tmp_path, kinds, mark, end):
    text = text_of(kinds, mark, end, last=len(kinds) % 2 == 0 or kinds[-1] == "blank")
    info = read(workspace, tmp_path, text, mapping=SAID)
    physical = text.count(end) + (not text.endswith(end))
    found = lines(info)
    assert {kind: found[kind] for kind in expected(kinds)} == expected(kinds)
    assert found["physical"] == physical
    counts = info.counts
    assert counts["rows_rejected"] == sum(counts["rejected"].values()) == found["rejected"]
    wrong, line = [], 2
    for kind in kinds:
        wrong += [line] * (kind in ("short", "long", "stray quote", "bad time"))
        line += 3 if kind == "several lines" else 1
    if wrong:
        rejected = duckdb.from_parquet(str(info.path("rejected")))
        assert rejected.order("line").project("line").fetchall() == [(n,) for n in wrong]


def test_rows_stand_where_they_stood_in_the_file(workspace, tmp_path):
    """Also of a file in many parts, which several threads read: a join would mix them up."""
    n = 400_000
    table = pa.table(
        {
            "user_id": [f"u{row % 5000}" for row in range(n)],
            "item_id": [f"i{row % 700}" for row in range(n)],
            "timestamp": np.full(n, 1_600_000_000),
            "part": np.arange(n).astype(str),
        }
    )
    path = tmp_path / "log.parquet"
    pq.write_table(table, path, row_group_size=20_000)
    info = ingest(workspace, path)
    kept = duckdb.from_parquet(str(info.path("events"))).project("source_row, part").fetchnumpy()
    assert len(kept["part"]) == n
    first = int(kept["source_row"].min())
    np.testing.assert_array_equal(kept["source_row"] - first, kept["part"].astype(np.int64))


@pytest.mark.slow
@SLOW
@given(BODY, st.sampled_from([",", "\t", "|"]), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(workspace, tmp_path, kinds, mark, shuffle):
    body = [line_of(kind, n, mark) for n, kind in enumerate(kinds)]
    mixed = shuffle.sample(body, len(body))
    one, other = (
        read(workspace, tmp_path, "\n".join([mark.join(NAMES), *rows]) + "\n", mapping=SAID)
        for rows in (body, mixed)
    )
    assert lines(one) == lines(other)
    assert one.counts == other.counts
    assert events(one) == events(other)
    assert one.mapping == other.mapping


@pytest.mark.slow
@SLOW
@given(st.integers(0, 59), st.booleans(), st.sampled_from([",", ";", "|"]))
def test_a_stray_quote_costs_its_line_and_no_other(workspace, tmp_path, at, quoted, mark):
    def row(n: int, stray: bool) -> str:
        title = f'"a{mark} {n}"' if quoted else f"a {n}"
        first = f'"u{n % 7}' if stray else f"u{n % 7}"
        return mark.join([first, f"i{n % 9}", title, str(1_600_000_000 + n)])

    names = mark.join(["user_id", "item_id", "title", "timestamp"])
    right, wrong = (
        "\n".join([names, *(row(n, n == at and stray) for n in range(60))]) + "\n"
        for stray in (False, True)
    )
    whole, rest = read(workspace, tmp_path, right), read(workspace, tmp_path, wrong)
    assert (lines(whole)["kept"], lines(rest)["kept"]) == (60, 59)
    assert rest.counts["rejected"] == {"malformed": 1}
    rejected = duckdb.from_parquet(str(rest.path("rejected")))
    assert rejected.project("line").fetchall() == [(at + 2,)]
    lost = events(whole)
    for event in events(rest):
        lost.remove(event)
    assert len(lost) == 1


@pytest.mark.slow
@SLOW
@given(
    st.lists(
        st.sampled_from(['"weird al" yankovic', '"heroes', '12" mix', '"the band"', "björk"]),
        min_size=30,
        max_size=60,
    ).filter(lambda x: x.count('"the band"') < len(x) / 4 and any(n[:2] == '"w' for n in x))
)
def test_quotes_that_do_not_quote_are_letters(workspace, tmp_path, names):
    rows = [f"user{n % 7}\titem{n % 9}\t{name}\t{n}" for n, name in enumerate(names)]
    mapping = {"user_id": "column0", "item_id": "column1"}
    info = read(workspace, tmp_path, "\n".join(rows) + "\n", mapping=mapping)
    assert lines(info)["kept"] == len(names)
    texts = duckdb.from_parquet(str(info.path("events"))).project("column2").fetchall()
    assert Counter(text for (text,) in texts) == Counter(names)


@pytest.mark.slow
@pytest.mark.parametrize("at", [3, 501, 29_000])
@pytest.mark.parametrize("mark", [",", "\t"])
def test_a_quote_is_judged_by_the_whole_file(workspace, tmp_path, at, mark):
    """An open quote in line 3 or 29,000 of 30,000 costs its line, or none if no quote quotes."""
    rows = [mark.join([f"u{n % 90}", f"i{n % 70}", "fine", str(n)]) for n in range(30_000)]
    rows[at - 2] = rows[at - 2].replace("fine", '"fine')
    names = mark.join(["user_id", "item_id", "title", "n"])
    info = read(workspace, tmp_path, "\n".join([names, *rows]) + "\n")
    assert lines(info)["kept"] == 30_000 - (mark == ",")
    assert lines(info)["rejected"] == (mark == ",")


@pytest.mark.slow
@pytest.mark.parametrize(("first", "last"), [(5, 30), (5, 700), (29_000, 29_500)])
def test_two_quotes_far_apart_do_not_swallow_what_is_between(workspace, tmp_path, first, last):
    """A strict reader finds one good record there, with a cell of many lines."""
    rows = [f"u{n % 90},i{n % 70},fine,{1_600_000_000 + n}" for n in range(30_000)]
    rows[first] = rows[first].replace("fine", '"open')
    rows[last] = rows[last].replace("fine", 'close"')
    info = read(workspace, tmp_path, "\n".join(["user_id,item_id,note,ts", *rows]) + "\n")
    assert (lines(info)["kept"], lines(info)["rejected"]) == (29_999, 1)
    rejected = duckdb.from_parquet(str(info.path("rejected")))
    assert rejected.project("line").fetchall() == [(first + 2,)]


@pytest.mark.slow
@SLOW
@given(BODY, BODY)
def test_the_order_of_files_changes_nothing(tmp_path, one, other):
    # its own: the same two files under each other's names are the dataset that is there already
    workspace = Workspace.open(tmp_path / str(len(list(tmp_path.iterdir()))))
    paths = []
    for n, kinds in enumerate((one, other)):
        paths.append(tmp_path / f"{n}.csv")
        paths[-1].write_text(text_of(kinds, ",", "\n"))
    first, second = (ingest(workspace, order, mapping=SAID) for order in (paths, paths[::-1]))
    assert first.meta["lines"] == second.meta["lines"]
    assert events(first) == events(second)
    for n, kinds in enumerate((one, other)):
        assert first.meta["lines"][f"{n}.csv"].items() >= expected(kinds).items()


def test_lines_of_side_files_are_counted_too(workspace, tmp_path):
    (tmp_path / "log.csv").write_text(text_of(["good"] * 20, ",", "\n"))
    items = 'item_id,name\ni0,"a"\ni1,b\n\ni1,again\ni2,"open\ni3,d,e\n,none\n"i4","x ""y""\nz"\n'
    (tmp_path / "items.csv").write_text(items)
    info = ingest(workspace, tmp_path / "log.csv", items=tmp_path / "items.csv")
    found = info.meta["lines"]["items.csv"]
    assert found == {
        "physical": 10, "kept": 3, "rejected": 4, "continued": 1, "header": 1, "blank": 1,
        "comment": 0, "preamble": 0, "total": 0,
    }  # fmt: skip
    rejected = duckdb.from_parquet(str(info.path("rejected"))).project("line, reason")
    assert sorted(rejected.fetchall()) == [
        (5, "duplicate_item"), (6, "malformed"), (7, "malformed"), (8, "no_item"),
    ]  # fmt: skip
    names = duckdb.from_parquet(str(info.path("items"))).order("item_id").project("name")
    assert [name for (name,) in names.fetchall()] == ["a", "b", 'x "y"\nz']


GOOD = "".join(f"u{n % 7},i{n % 9},{1 + n % 5},{1_600_000_000 + n}\n" for n in range(40))
HEAD = "user_id,item_id,rating,timestamp\n"


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (HEAD + GOOD + HEAD + GOOD, {"kept": 80, "header": 2}),
        (HEAD + GOOD + "\ufeff" + HEAD + GOOD, {"kept": 80, "header": 2}),
        ("# made today\n#\n" + HEAD + GOOD, {"kept": 40, "header": 1, "comment": 2}),
        ("% a b c d\n" + GOOD, {"kept": 40, "comment": 1}),
        ("# user_id,item_id,rating,timestamp\n" + GOOD, {"kept": 40, "header": 1}),
        ("Sales\nof 2024, all\n" + HEAD + GOOD, {"kept": 40, "header": 1, "preamble": 2}),
        ("Monthly report,,,\n,,,\n" + HEAD + GOOD, {"kept": 40, "header": 1, "preamble": 2}),
        (HEAD + GOOD + "\nTotal,,120,\n", {"kept": 40, "header": 1, "blank": 1, "total": 1}),
        (HEAD + GOOD + "Grand total:,,120,\n\n", {"kept": 40, "header": 1, "blank": 1, "total": 1}),
        ("sep=,\n" + HEAD + GOOD, {"kept": 40, "header": 1, "preamble": 1}),
        (HEAD.replace("\n", ",\n") + GOOD.replace("\n", ",\n"), {"kept": 40, "header": 1}),
        (HEAD + GOOD.replace("\n", ",\n"), {"kept": 40, "header": 1}),
        (HEAD + GOOD + "1,2\0,3,1600000000\n", {"kept": 40, "header": 1, "rejected": 1}),
        (HEAD + GOOD + ",".join("1" * 50_000) + "\n", {"kept": 40, "header": 1, "rejected": 1}),
        (HEAD + GOOD + "x" * 5_000_000, {"kept": 40, "header": 1, "rejected": 1}),
        (HEAD + GOOD + f"u1,{'x' * 1_000_000},1,1600000000\n", {"kept": 41, "header": 1}),
        (HEAD + GOOD.replace("\n", "\r\n", 20), {"kept": 40, "header": 1}),
        (HEAD + GOOD.replace("\n", "\r", 20), {"kept": 40, "header": 1}),
        (HEAD + GOOD.strip(), {"kept": 40, "header": 1}),
    ],
    ids=range(19),
)  # fmt: skip
def test_what_is_no_record_is_of_a_named_kind(workspace, tmp_path, text, kinds):
    (tmp_path / "x.csv").write_text(text, newline="")
    preview(tmp_path / "x.csv")
    info = ingest(workspace, tmp_path / "x.csv")
    assert {kind: n for kind, n in lines(info).items() if n and kind != "physical"} == kinds
    assert info.mapping["user_id"] in ("user_id", "column0")
    assert info.counts["users"] == 7


def test_a_header_in_another_order_holds_for_what_is_below(workspace, tmp_path):
    swapped = "".join(f"i{n % 9},u{n % 7}\n" for n in range(40))
    straight = "".join(f"u{n % 7},i{n % 9}\n" for n in range(40))
    text = f"user_id,item_id\n{straight}item_id,user_id\n{swapped}user_id,item_id\n{straight}"
    info = read(workspace, tmp_path, text)
    assert (lines(info)["kept"], lines(info)["header"]) == (120, 3)
    assert (info.counts["users"], info.counts["items"]) == (7, 9)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("1;100;3,5;x\n2;101;2,5;y\n", 4),
        ("1,5;2,3\n2,5;3,3\n4,5;5,3\n", 2),
        ("1\t100\tAmber, NY\t3\n2\t101\tBasil, CA\t4\n", 4),
        ("1,100,Action|Comedy,5\n2,101,Drama|War,4\n", 4),
        ("1::a, b::x|y\n2::c, d::z|w\n", 3),
        ('1,"a;b;c;d;e",3\n2,"f;g;h;i;j",4\n', 3),
        ("1 100   3\n22   7 4\n3 9 5\n", 3),
    ],
)
def test_of_delimiters_that_tie_the_right_one_is_found(tmp_path, text, columns):
    (tmp_path / "x").write_text(text * 20)
    given = {"user_id": "column0", "item_id": "column1"}
    assert len(preview(tmp_path / "x", mapping=given).columns) == columns


def test_a_file_that_is_mostly_rejected_is_named_first(workspace, tmp_path):
    few = read(workspace, tmp_path, HEAD + GOOD + "short\n" * 4)
    assert mostly_rejected(few.meta["lines"]) == []
    many = read(workspace, tmp_path, HEAD + GOOD + "short\n" * 5)
    ((name, rejected, rows),) = mostly_rejected(many.meta["lines"])
    assert (rejected, rows) == (5, 45)
    assert text_of_dataset(many).startswith(f"5 of 45 rows of {name} are rejected")


def test_no_header_is_obeyed_below_comments(workspace, tmp_path):
    info = read(
        workspace,
        tmp_path,
        "# note\n" + HEAD + GOOD,
        read_as=ReadAs(header_line=0),
        mapping={"user_id": "column0", "item_id": "column1", "timestamp": None, "value": None},
    )
    assert (lines(info)["kept"], lines(info)["comment"], lines(info)["header"]) == (41, 1, 0)


def test_what_a_person_says_is_obeyed(workspace, tmp_path):
    rows = "".join(f"u{n % 7};'i;{n % 9}';{n},5\n" for n in range(40))
    text = "a;b;c\n! note\nwho;what;rating\n! note\n" + rows
    said = ReadAs(delimiter=";", quote="'", header_line=3, comment="!", decimal=",")
    given = {"user_id": "who", "item_id": "what", "value": "rating"}
    info = read(workspace, tmp_path, text, read_as=said, mapping=given)
    assert lines(info) == {
        "physical": 44, "kept": 40, "rejected": 0, "continued": 0, "header": 1, "blank": 0,
        "comment": 2, "preamble": 1, "total": 0,
    }  # fmt: skip
    assert info.meta["read_as"] == said.to_json()
    table = duckdb.from_parquet(str(info.path("events")))
    assert table.aggregate("min(value), max(value)").fetchall() == [(0.5, 39.5)]
    assert info.counts["items"] == 9
    bare = read(workspace, tmp_path, "a\tb\n" + '"x\ty"\n' * 5, read_as=ReadAs("tab", "none", 0),
                mapping={"user_id": "column0", "item_id": "column1"})  # fmt: skip
    assert (lines(bare)["kept"], lines(bare)["header"]) == (6, 0)


@pytest.mark.parametrize(
    ("name", "text", "said", "words"),
    [
        ("x.csv", HEAD + GOOD, {"delimiter": "|"}, "no delimiter '|'"),
        ("x.csv", HEAD + GOOD, {"header_line": 99}, "but there are 41 lines"),
        ("x.jsonl", '{"user_id": 1, "item_id": 2}\n', {"delimiter": ","}, "holds JSON"),
        ("x.jsonl", '{"user_id": 1, "item_id": 2}\n', {"header_line": 1}, "holds JSON"),
        ("x.csv", HEAD + GOOD, {"delimiter": ""}, "must be one to four characters"),
        ("x.csv", HEAD + GOOD, {"quote": "ab"}, "must be one character"),
        ("x.csv", HEAD + GOOD, {"decimal": "x"}, r"must be \. or ,"),
        ("x.csv", HEAD + GOOD, {"header_line": -1}, "must be a line's number"),
        ("x.csv", HEAD + GOOD, {"comment": " "}, "must be one to ten characters"),
        ("x.csv", HEAD + GOOD, {"sign": " "}, "read_as has no 'sign'"),
    ],
)
def test_what_cannot_be_obeyed_is_refused(workspace, tmp_path, name, text, said, words):
    (tmp_path / name).write_text(text)
    for read_it in (preview, lambda path, **how: ingest(workspace, path, **how)):
        with pytest.raises(BadInput, match=words):
            read_it(tmp_path / name, read_as=ReadAs.of(said))


def test_a_header_that_fits_no_row_is_told(workspace, tmp_path):
    text = "user_id,item_id,rating,note,more\n" + GOOD
    with pytest.raises(BadInput, match=r"line 2 has too few cells: 5 are expected.*header_line"):
        read(workspace, tmp_path, text)


def test_the_same_file_read_as_it_looks_keeps_its_id(workspace, tmp_path):
    (tmp_path / "x.csv").write_text(HEAD + GOOD)
    plain = ingest(workspace, tmp_path / "x.csv")
    assert ingest(workspace, tmp_path / "x.csv", read_as=ReadAs()).id == plain.id
    assert ingest(workspace, tmp_path / "x.csv", read_as=ReadAs(",")).id != plain.id


@pytest.mark.parametrize(("text", "n"), [("", 0), ("a", 1), ("a\n", 1), ("a\r\nb", 2), ("\r\r", 2)])
def test_lines_are_counted_as_an_editor_does(tmp_path, text, n):
    (tmp_path / "x").write_bytes(text.encode())
    assert physical_lines(tmp_path / "x") == n
