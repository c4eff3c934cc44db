"""Files in the layouts of the field come in whole: what each is known by, and its limits."""

# ruff: noqa: E501  (a file is a line)

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from core.data.dataset import load
from core.data.files.archives import unpack
from core.data.files.malformed import create_tables
from core.data.ingest.ingest import ingest
from core.data.ingest.preview import preview
from core.data.layouts.layout import TextStart
from core.data.layouts.registry import LAYOUTS, TABLE, TEXT_LAYOUTS, open_laid_out
from core.data.store import DatasetInfo, Workspace, connect
from core.errors import BadInput, TooLarge
from tests.data.workbooks import workbook

Event = tuple[str, str, float | None, int | None]  # user, item, value, order or Unix seconds
LISTS = [[3, 1, 4], [1, 5, 9, 2, 6], [5, 3], [5, 8, 9, 7], [9, 3, 2, 3, 8, 4], [6], [2, 6, 4, 3]]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "home")


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def events(info: DatasetInfo) -> list[Event]:
    """All events, as texts and numbers that any layout can give."""
    path = info.path("events")
    columns = duckdb.from_parquet(str(path)).columns
    value = "value" if "value" in columns else "NULL"
    clock = {"clock": "epoch_us(timestamp) // 1000000", "order": "timestamp", "none": "NULL"}
    return duckdb.sql(
        f"SELECT user_id::VARCHAR, item_id::VARCHAR, {value}, {clock[info.time_kind]}"
        f" FROM '{path}' ORDER BY ALL"
    ).fetchall()


def rejected(info: DatasetInfo) -> list[tuple[int, str, str]]:
    path = info.path("rejected")
    assert path is not None
    return duckdb.sql(f"SELECT line, reason, detail FROM '{path}' ORDER BY ALL").fetchall()


# What each layout writes a log as: lists of items, one a user (numbered from 0).


def as_recbole(lists: Sequence[Sequence[int]], folder: Path) -> Path:
    rows = "".join(
        f"{u}\t{i}\t{1 + i % 5}\t{n}\n" for u, own in enumerate(lists) for n, i in enumerate(own, 1)
    )
    header = "user_id:token\titem_id:token\trating:float\tposition:float\n"
    return write(folder / "x.inter", header + rows)


def as_sequences(lists: Sequence[Sequence[int]], folder: Path) -> Path:
    lines = (" ".join(map(str, [u, *own])) for u, own in enumerate(lists))
    return write(folder / "x.txt", "\n".join(lines) + "\n")


def as_baskets(lists: Sequence[Sequence[int]], folder: Path) -> Path:
    lines = (",".join(f"i{i}" for i in own) for own in lists)
    return write(folder / "x.csv", "\n".join(lines) + "\n")


def as_libsvm(lists: Sequence[Sequence[int]], folder: Path) -> Path:
    lines = (" ".join(["1", *(f"{i}:{1 + i % 5}" for i in own)]) for own in lists)
    return write(folder / "x.svm", "\n".join(lines) + "\n")


def as_npz(lists: Sequence[Sequence[int]], folder: Path) -> Path:
    rows = [u for u, own in enumerate(lists) for _ in own]
    columns = [i for own in lists for i in own]
    values = [1.0 + i % 5 for i in columns]
    matrix = sparse.coo_matrix((values, (rows, columns)), (len(lists), 1 + max(columns)))
    sparse.save_npz(folder / "x.npz", matrix)
    return folder / "x.npz"


def as_lists(lists: Sequence[Sequence[int]], folder: Path) -> Path:
    rows = "".join(f'u{u},"{list(own)}"\n' for u, own in enumerate(lists))
    return write(folder / "x.csv", "user_id,item_ids\n" + rows)


def as_wide(lists: Sequence[Sequence[int]], folder: Path) -> Path:
    items = range(max(6, 1 + max(i for own in lists for i in own)))
    rows = "".join(
        f"u{u},{','.join(str(1 + i % 5) if i in own else '' for i in items)}\n"
        for u, own in enumerate(lists)
    )
    return write(folder / "x.csv", f"user,{','.join(f'i{i}' for i in items)}\n" + rows)


def as_continued(lists: Sequence[Sequence[int]], folder: Path) -> Path:
    rows = "".join(
        f"#{u}," + (f"u{u},{1_700_000_000 + u}" if n == 0 else ",") + f",i{i}\n"
        for u, own in enumerate(lists)
        for n, i in enumerate(own)
    )
    return write(folder / "x.csv", "Name,Email,Created at,Lineitem sku\n" + rows)


def as_nested(lists: Sequence[Sequence[int]], folder: Path) -> Path:
    objects = (
        {"who": {"user": {"id": f"u{u}"}}, "items": [{"item_id": f"i{i}"} for i in own]}
        for u, own in enumerate(lists)
    )
    return write(folder / "x.jsonl", "".join(json.dumps(one) + "\n" for one in objects))


def as_edges(lists: Sequence[Sequence[int]], folder: Path) -> Path:
    rows = [f"{u} {i} {1 + i % 5}\n" for u, own in enumerate(lists) for i in own]
    size = f"{len(lists)} {1 + max(map(max, lists))} {len(rows)}\n"
    head = "%%MatrixMarket matrix coordinate real general\n% made by hand\n" + size
    return write(folder / "x.mtx", head + "".join(rows))


def as_item_headers(lists: Sequence[Sequence[int]], folder: Path) -> Path:
    items = sorted({i for own in lists for i in own})
    blocks = (
        f"i{i}:\n" + "".join(f"{u},{1 + i % 5}\n" * own.count(i) for u, own in enumerate(lists))
        for i in items
    )
    return write(folder / "x.txt", "".join(blocks))


def as_blocks(lists: Sequence[Sequence[int]], folder: Path) -> Path:
    blocks = (
        f"product/productId: i{i}\nreview/userId: u{u}\nreview/score: {1 + i % 5}\n"
        for u, own in enumerate(lists)
        for i in own
    )
    return write(folder / "x.txt", "\n".join(blocks))


def as_padded(lists: Sequence[Sequence[int]], folder: Path) -> Path:
    rows = [f"{u:<9}i{i:<12}{1 + i % 5}\n" for u, own in enumerate(lists) for i in own]
    return write(folder / "x.txt", "user_id  item_id      rating\n" + "".join(rows))


def as_sheet(lists: Sequence[Sequence[int]], folder: Path) -> Path:
    rows = [[u, f"i{i}", 1 + i % 5] for u, own in enumerate(lists) for i in own]
    head = [["The report"], [], ["user_id", "item_id", "rating"]]
    return workbook(folder / "x.xlsx", {"About": [["See Data"]], "Data": [*head, *rows]})


def as_joined(lists: Sequence[Sequence[int]], folder: Path) -> list[Path]:
    """Two orders of each user, and their lines."""
    orders = "".join(f"{2 * u + k},u{u}\n" for u in range(len(lists)) for k in (0, 1))
    lines = "".join(
        f"{2 * u + n % 2},i{i}\n" for u, own in enumerate(lists) for n, i in enumerate(own)
    )
    return [
        write(folder / "lines.csv", "order_id,product_id\n" + lines),
        write(folder / "orders.csv", "order_id,customer_id\n" + orders),
    ]


WRITERS: dict[str, Callable[[Sequence[Sequence[int]], Path], Path | list[Path]]] = {
    "recbole": as_recbole,
    "sequences": as_sequences,
    "baskets": as_baskets,
    "libsvm": as_libsvm,
    "npz": as_npz,
    "lists": as_lists,
    "wide": as_wide,
    "continued": as_continued,
    "nested": as_nested,
    "edges": as_edges,
    "item_headers": as_item_headers,
    "blocks": as_blocks,
    "padded": as_padded,
    "sheet": as_sheet,
    "joined": as_joined,
}
USER_NAMED = ("lists", "wide", "continued", "nested", "blocks", "joined")
ITEM_NAMED = (
    *(
        "baskets",
        "wide",
        "continued",
        "nested",
        "item_headers",
        "blocks",
        "padded",
        "sheet",
        "joined",
    ),
)
VALUED = (
    *("recbole", "libsvm", "npz", "wide", "edges", "item_headers", "blocks", "padded", "sheet"),
)


def expected(layout: str, lists: Sequence[Sequence[int]]) -> list[Event]:
    """The same log as the layout can say it."""
    first = 1 if layout in ("baskets", "libsvm") else 0  # these number lines, from 1
    user = "u" if layout in USER_NAMED else ""
    item = "i" if layout in ITEM_NAMED else ""
    found = [
        (
            f"{user}{u}",
            f"{item}{i}",
            1.0 + i % 5 if layout in VALUED else None,
            n
            if layout in ("recbole", "sequences", "lists")
            else 1_700_000_000 + u
            if layout == "continued"
            else None,
        )
        for u, own in enumerate(lists, first)
        for n, i in enumerate(own, 1)
    ]
    if layout == "edges" and len({value for _, _, value, _ in found}) == 1:
        found = [(u, i, None, time) for u, i, _, time in found]  # weights that weigh nothing
    return sorted(set(found) if layout == "wide" else found)  # a cell has one event


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_recognised_told_and_whole(workspace, tmp_path, layout):
    path = WRITERS[layout](LISTS, tmp_path)
    seen = preview(path)
    info = ingest(workspace, path)
    assert events(info) == expected(layout, LISTS)
    total = len(expected(layout, LISTS))
    assert (info.counts["rows_read"], info.counts["rows_kept"]) == (total, total)
    assert seen.layout == layout
    assert seen.mapping == info.mapping
    assert seen.evidence["layout"] == info.meta["evidence"]["layout"]
    assert {"user_id", "item_id"} <= set(info.meta["evidence"])
    load(info)


@pytest.mark.slow
@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name not in ("npz", "continued")])
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(lists=st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=9), min_size=3, max_size=9))
def test_whatever_is_written_comes_back(tmp_path_factory, layout, lists):
    folder = tmp_path_factory.mktemp("layout")
    path = WRITERS[layout](lists, folder)
    order = {"timestamp": "position", "time_format": "order"} if layout == "recbole" else {}
    info = ingest(Workspace.open(folder / "home"), path, mapping={"layout": layout, **order})
    assert sorted(u[1:] for u in events(info)) == sorted(u[1:] for u in expected(layout, lists))


@pytest.mark.parametrize("layout", TEXT_LAYOUTS)
def test_no_layout_takes_the_file_of_another(tmp_path, layout):
    path = WRITERS[layout](LISTS, tmp_path)
    start = TextStart.read(path) if layout != "npz" else TextStart(())
    for name, other in TEXT_LAYOUTS.items():
        if list(TEXT_LAYOUTS).index(name) < list(TEXT_LAYOUTS).index(layout):
            assert not other.recognise(start)


ORDINARY = [
    "user_id,item_id,rating\n" + "".join(f"{n % 9},{n % 7},{n % 5}\n" for n in range(40)),
    "".join(f"{n % 9} {n % 7}\n" for n in range(40)),  # pairs, as SASRec reads them
    "".join(f"{n}\t{n % 7}\t{n % 5}\n" for n in range(40)),
    "movieId,title,genres\n" + "".join(f'{n},"A, B ({n})",x|y{"|z" * (n % 4)}\n' for n in range(40)),
    "user,A,B,C,D\n" + "".join(f"{n},{n % 3 or ''},{n % 4 or ''},,{n % 5 or ''}\n" for n in range(30)),
    "Dear all,\nplease find the data, the notes, and the rest attached.\nKind regards,\nme\n",
    "user_id,item_id,at\n" + "".join(f"{n % 9},{n % 7},2024-01-0{n % 9 + 1} 10:00\n" for n in range(40)),
]  # fmt: skip


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_table_or_text_is_in_no_layout(tmp_path, text):
    start = TextStart.read(write(tmp_path / "x", text))
    assert [name for name, layout in TEXT_LAYOUTS.items() if layout.recognise(start)] == []


def test_pairs_without_header_keep_the_order_of_their_lines(workspace, tmp_path):
    rows = [(u, i) for u in (2, 1, 3) for i in (9, 4, 7, 1)]
    path = write(tmp_path / "ml.txt", "".join(f"{u} {i}\n" for u, i in rows))
    info = ingest(workspace, path)
    found = duckdb.sql(f"SELECT user_id, item_id FROM '{info.path('events')}'").fetchall()
    assert found == sorted(rows, key=lambda row: row[0])


def test_recbole_types_are_types_and_lists_are_lists(workspace, tmp_path):
    log = as_recbole(LISTS, tmp_path)
    items = write(
        tmp_path / "x.item",
        "item_id:token\tmovie_title:token_seq\tyear:token\tgenre:token_seq\tvector:float_seq\n"
        + "".join(f"{i}\tThe Film {i}\t{1990 + i}\t{'a b' if i % 2 else 'b'}\t{i} 0.5\n"
                  for i in range(1, 10)),
    )  # fmt: skip
    users = write(tmp_path / "x.user", "user_id:token\tage:float\n" + "0\t20\n1\t30\n2\t40\n")
    infos = [
        ingest(Workspace.open(tmp_path / f"home{n}"), files)
        for n, files in enumerate([[log, items, users], [users, items, log]])
    ]
    assert events(infos[0]) == events(infos[1])
    info = infos[0]
    assert (info.mapping["value"], info.value_kind) == ("rating", "rating")
    assert info.meta["parts"] == {"x.inter": "events", "x.item": "items", "x.user": "users"}
    columns = ["movie_title", "year", "genre", "vector_0", "vector_1"]
    assert info.meta["item_columns"] == columns
    first = duckdb.sql(f"FROM '{info.path('items')}' WHERE item_id = 1").fetchall()
    assert first == [(1, "The Film 1", 1991, ["a", "b"], 1, 0.5)]
    features = load(info).item_features
    assert features is not None
    assert {"genre: a", "genre: b"} <= set(features.multi_hot.names) or features.multi_hot
    plain = ingest(workspace, log, mapping={
        "layout": TABLE, "user_id": "user_id:token", "item_id": "item_id:token"})  # fmt: skip
    assert (plain.mapping["value"], plain.value_kind) == ("rating:float", "rating")


def test_recbole_lines_that_are_none_are_rejected_with_their_number(workspace, tmp_path):
    path = as_recbole(LISTS, tmp_path)
    lines = path.read_text().splitlines()
    lines[3:3] = ["1\t2", "7\t8\tgood\t3", "\t8\t3\t3"]
    write(path, "\n".join(lines) + "\n")
    info = ingest(workspace, path)
    assert [row[:2] for row in rejected(info)] == [
        (4, "malformed"), (5, "bad_value"), (6, "no_user"),
    ]  # fmt: skip
    assert info.counts["rows_kept"] == sum(map(len, LISTS))


def test_columns_of_an_atomic_file_without_known_names(workspace, tmp_path):
    rows = "".join(f"{n % 9}\t{n % 7}\t{n % 3}\t{1_500_000_000 + n}\n" for n in range(40))
    header = "who:token\twhat:token\tlabel:float\ttimestamp:float\n"
    info = ingest(workspace, write(tmp_path / "x.inter", header + rows))
    assert info.mapping["user_id"] == "who"
    assert (info.mapping["item_id"], info.mapping["value"]) == ("what", "label")


def test_a_user_without_items_is_rejected_and_told(workspace, tmp_path):
    path = as_sequences(LISTS, tmp_path)
    write(path, path.read_text() + "7\n\n8 1 2 \n")
    info = ingest(workspace, path)
    assert rejected(info) == [(8, "malformed", "there is no item after the user")]
    assert info.counts["rows_kept"] == sum(map(len, LISTS)) + 2
    assert "a set of neighbours" not in info.meta["evidence"]["timestamp"]
    sets = as_sequences([sorted(own) for own in LISTS], tmp_path)
    assert "a set of neighbours" in preview(sets).evidence["timestamp"]
    timeless = ingest(workspace, sets, mapping={"timestamp": None})
    assert timeless.time_kind == "none"
    assert "position" in duckdb.from_parquet(str(timeless.path("events"))).columns


def test_several_files_of_sequences_have_no_common_order(tmp_path):
    train = as_sequences(LISTS, tmp_path)
    test = write(tmp_path / "test.txt", "0 8 2\n1 4\n2 7 6 5\n3 3 1 2 5\n")
    infos = [
        ingest(Workspace.open(tmp_path / f"home{n}"), files)
        for n, files in enumerate([[train, test], [test, train]])
    ]
    assert events(infos[0]) == events(infos[1])
    assert infos[0].time_kind == "none"
    assert "within one file only" in infos[0].meta["evidence"]["timestamp"]


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ("milk,bread\nbread,beer,eggs\nmilk\nbeer,milk,eggs,bread\n", "1"),
        ("milk;whole bread\nwhole bread;beer;eggs\nmilk\nbeer;milk;eggs;whole bread;;\n", "1"),
        ("ann,milk,bread\nbob,bread,beer,eggs\ncid,milk\ndan,beer,milk,eggs,bread\n", "ann"),
        ("1,1,3\n2,3,2,4\n3,1\n4,2,1,4,3\n", "1"),
        ("a1: milk,bread\nb2: bread,beer,eggs\nc3: milk\nd4: beer,milk,eggs,bread\n", "a1"),
        ("1:milk bread\n2:bread beer eggs\n3:milk\n4:beer milk eggs bread\n", "1"),
        ('"milk","bread"\n"bread","beer","eggs"\n"milk"\n"beer","milk","eggs","bread"\n', "1"),
        ("1 2\n2 3 4\n1\n3 1 4 2\n1 4 3 2 5 6\n2 3 5 1 2\n", "1"),
    ],
)  # fmt: skip
def test_baskets_with_and_without_names(workspace, tmp_path, text, user):
    info = ingest(workspace, write(tmp_path / "x.txt", text))
    assert info.meta["evidence"]["layout"].startswith("lines of unequal length")
    assert info.counts["rows_rejected"] == 0
    assert info.counts["users"] == text.count("\n")
    assert (info.counts["rows_kept"], info.counts["items"]) in ((10, 4), (21, 6))
    assert events(info)[0][0] == user
    assert info.time_kind == "none"


def test_an_item_that_is_missing_is_rejected_with_its_line(workspace, tmp_path):
    text = "milk,,bread\nbread,beer,eggs\nmilk\nbeer,milk,eggs,bread\n,,\n" + "milk,beer\n" * 30
    info = ingest(workspace, write(tmp_path / "x.csv", text), mapping={"layout": "baskets"})
    assert rejected(info) == [
        (1, "no_item", "item is empty"), (5, "malformed", "there is no item in this line"),
    ]  # fmt: skip
    assert info.counts["rows_kept"] == 2 + 3 + 1 + 4 + 60


def test_lines_of_several_files_are_different_users(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    paths = [as_baskets(LISTS, one), as_baskets(LISTS[::-1], two)]
    infos = [
        ingest(Workspace.open(tmp_path / f"home{n}"), files)
        for n, files in enumerate([paths, paths[::-1]])
    ]
    assert events(infos[0]) == events(infos[1])
    assert infos[0].counts["users"] == 2 * len(LISTS)


def test_libsvm_with_labels_queries_comments_and_bad_pairs(workspace, tmp_path):
    text = (
        "# made by hand\n3 qid:1 1:0.5 7:2 # first\n2 qid:1 2:1e2\n\n1 qid:2 3:x 9:1 word\n4\n"
        + "".join(f"1 qid:{n} {n}:1 {n + 1}:2\n" for n in range(30))
    )
    info = ingest(workspace, write(tmp_path / "x.txt", text))
    assert rejected(info) == [
        (5, "bad_value", "x in value is no finite number"),
        (5, "malformed", "word is no index:value"),
        (6, "malformed", "there is no index:value in this line"),
    ]  # fmt: skip
    assert events(info)[:3] == [
        ("10", "3", 1.0, None), ("10", "4", 2.0, None), ("11", "4", 1.0, None)]  # fmt: skip
    assert ("2", "7", 2.0, None) in events(info)
    assert "is a label" in info.meta["evidence"]["layout"]
    columns = duckdb.from_parquet(str(info.path("events"))).columns
    assert {"label", "qid"} <= set(columns)
    by_label = ingest(workspace, tmp_path / "x.txt", mapping={"user_id": "label"})
    assert by_label.counts["users"] == 3


@pytest.mark.parametrize("kind", ["csr", "csc", "coo"])
@pytest.mark.parametrize("dtype", [np.float32, np.int64, bool])
def test_every_kind_of_sparse_matrix(workspace, tmp_path, kind, dtype):
    rng = np.random.default_rng(0)
    matrix = sparse.random(40, 30, 0.1, random_state=rng).astype(dtype)
    matrix.data[:] = 1
    path = tmp_path / "x.npz"
    sparse.save_npz(path, matrix.asformat(kind))
    info = ingest(workspace, path)
    entries = zip(matrix.tocoo().row, matrix.tocoo().col, strict=True)
    assert events(info) == sorted((str(u), str(i), 1.0, None) for u, i in entries)


def npz(path: Path, **arrays: np.ndarray) -> Path:
    good = {
        "format": np.array(b"csr"), "shape": np.array([3, 4]), "data": np.ones(2),
        "indices": np.array([0, 1]), "indptr": np.array([0, 1, 1, 2]),
    }  # fmt: skip
    np.savez(path, **{**good, **arrays})
    return path


@pytest.mark.parametrize(
    ("arrays", "error", "words"),
    [
        ({"data": np.array([1, "x"], dtype=object)}, BadInput, "pickle"),
        ({"shape": np.array([2**40, 4])}, BadInput, "does not fit"),
        ({"shape": np.array([3])}, BadInput, "no shape"),
        ({"shape": np.array([-3, 4])}, BadInput, "no shape"),
        ({"format": np.array(b"dia")}, BadInput, "in the format 'dia'"),
        ({"indices": np.array([0, 9])}, BadInput, "column 9 of 4"),
        ({"indices": np.array([0])}, BadInput, "not one column for each entry"),
        ({"indptr": np.array([0, 2, 1, 2])}, BadInput, "does not fit"),
        ({"data": np.array(["a", "b"])}, BadInput, "not numbers"),
        ({"data": np.ones(0), "indices": np.ones(0, int), "indptr": np.zeros(4, int)}, BadInput,
         "no rows"),
    ],
)  # fmt: skip
def test_a_bad_matrix_is_a_sentence(workspace, tmp_path, arrays, error, words):
    with pytest.raises(error, match=words):
        ingest(workspace, npz(tmp_path / "x.npz", **arrays))


def test_a_header_that_asks_for_terabytes_gets_none(workspace, tmp_path):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)}
    )
    source, path = npz(tmp_path / "good.npz"), tmp_path / "x.npz"
    with zipfile.ZipFile(source) as good, zipfile.ZipFile(path, "w") as bad:
        for member in good.infolist():
            hostile = member.filename == "data.npy"
            bad.writestr(member.filename, buffer.getvalue() if hostile else good.read(member))
    with pytest.raises(TooLarge, match="8,796,093,022,208 bytes"):
        ingest(workspace, path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("data.npy", bytes(300 << 20))
    with pytest.raises(TooLarge, match="unpacks to"):
        ingest(workspace, path)


def test_arrays_that_are_no_matrix_and_damage_are_sentences(workspace, tmp_path):
    np.savez(tmp_path / "x.npz", users=np.ones(3))
    with pytest.raises(BadInput, match="no sparse matrix"):
        ingest(workspace, tmp_path / "x.npz")
    good = npz(tmp_path / "good.npz").read_bytes()
    at = good.index(b"indices.npy") + 150
    (tmp_path / "bad.npz").write_bytes(good[:at] + b"\xff" + good[at + 1 :])
    with pytest.raises(BadInput, match="damaged"):
        ingest(workspace, tmp_path / "bad.npz")


def test_lenskit_frames(workspace, tmp_path):
    rows = ",\n".join(f"({n % 9}, {n % 7}, {n % 5}.5, {1_500_000_000 + n})" for n in range(40))
    for names in ("user,item,rating,timestamp", "user_id,item_id,rating,timestamp",
                  "user_num,item_num,rating,timestamp"):  # fmt: skip
        path = tmp_path / f"{names.split(',')[0]}.parquet"
        duckdb.sql(f"SELECT * FROM (VALUES {rows}) t({names})").write_parquet(str(path))
        info = ingest(workspace, path)
        assert [info.mapping[role] for role in ("user_id", "item_id", "value", "timestamp")] == (
            [*names.split(",")]
        )
        assert len(events(info)) == 40


def test_a_layout_that_a_person_names_wins(workspace, tmp_path):
    path = as_sequences(LISTS, tmp_path)
    info = ingest(workspace, path, mapping={"layout": "baskets"})
    assert info.counts["rows_kept"] == sum(len(own) + 1 for own in LISTS)
    with pytest.raises(BadInput, match="layout is 'heaps'; it must be one of table, npz"):
        ingest(workspace, path, mapping={"layout": "heaps"})
    with pytest.raises(BadInput, match="layout=table reads it as a plain table"):
        ingest(workspace, path, mapping={"user_id": "column0"})


def test_rows_may_come_in_any_order(tmp_path):
    shuffler = random.Random(0)
    for layout in ("sequences", "recbole"):
        path = WRITERS[layout](LISTS, tmp_path)
        lines = path.read_text().splitlines()
        head = lines[:1] if layout == "recbole" else []
        rest = lines[len(head) :]
        order = {"timestamp": "position", "time_format": "order"}
        first = events(ingest(Workspace.open(tmp_path / f"{layout}1"), path, mapping=order))
        shuffler.shuffle(rest)
        write(path, "\n".join([*head, *rest]) + "\n")
        assert events(ingest(Workspace.open(tmp_path / f"{layout}2"), path, mapping=order)) == first


def test_padded_columns_with_blanks_in_their_cells(workspace, tmp_path):
    rows = [
        f"{n % 9:<8}{f'Blue Mug {n % 7}':<20}2024-01-{n % 28 + 1:02} 10:00\n" for n in range(40)
    ]
    path = write(tmp_path / "x.txt", "User    Item                When\n" + "".join(rows))
    info = ingest(workspace, path, mapping={"timestamp": "When"})
    assert info.counts["rows_kept"] == 40
    assert {item for _, item, _, _ in events(info)} == {f"Blue Mug {n}" for n in range(7)}


def test_lines_that_fit_no_layout_of_theirs_are_rejected_with_their_number(workspace, tmp_path):
    texts = {
        "edges": ("% bip weighted\n% made\n1 2 3\n\n1 3\n2 2 4\n2 3 1\n3 3 1\n", [(5, "3 words")]),
        "item_headers": ("7:\n1,3\n2\n3,4\n8:\n1,1\n4,2\n5,2\n", [(3, "2 cells")]),
        "blocks": (
            "user: 1\nitem: 2\nword\n\nuser: 2\nitem: 3\n\nitem: 3\n\nuser: 3\nitem: 2\n",
            [(3, "no line of key"), (8, "user is empty")],
        ),
    }
    for layout, (text, bad) in texts.items():
        path = write(tmp_path / f"{layout}.txt", text)
        info = ingest(workspace, path, mapping={"layout": layout})
        found = rejected(info)
        assert [line for line, _, _ in found] == [line for line, _ in bad]
        assert all(said in detail for (_, _, detail), (_, said) in zip(found, bad, strict=True))


def test_a_matrix_of_the_same_things_is_refused(tmp_path):
    text = "%%MatrixMarket matrix coordinate real symmetric\n3 3 2\n1 2 1\n1 3 1\n"
    with pytest.raises(BadInput, match="symmetric matrix"):
        preview(write(tmp_path / "x.mtx", text))
    text = "%%MatrixMarket matrix array real general\n2 2\n1\n2\n3\n4\n"
    with pytest.raises(BadInput, match="of the kind array real: save it as coordinate"):
        preview(write(tmp_path / "x.mtx", text))


@pytest.mark.parametrize("layout", ["edges", "item_headers", "nested"])
def test_every_line_is_kept_rejected_or_of_a_kind_that_is_no_event(tmp_path, layout):
    if layout == "nested":
        rows = [f'{{"user": {{"id": {n % 4}}}, "item": {{"id": {n % 3}}}}}' for n in range(20)]
        path = write(tmp_path / "x.jsonl", "\n".join(rows))
    else:
        path = WRITERS[layout](LISTS, tmp_path)
        assert isinstance(path, Path)
    lines = path.read_text().splitlines()
    lines[9:9] = ["", "  ", "no", ""]
    write(path, "\n".join(lines) + "\n\n")
    con = connect()
    create_tables(con)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (plain,) = unpack(path, scratch)
    source = open_laid_out(con, plain, scratch)
    assert source.layout is not None
    assert (source.layout.layout, source.unit) == (layout, "lines")
    counted = dict(source.counted or {})
    assert sum(counted.values()) == len(lines) + 1
    assert (counted["blank"], counted["rejected"]) == (4, 1)
    assert counted["kept"] == source.read(con).aggregate("count(*)").fetchall()[0][0]
