"""Tables whose rows are no events: lists in cells, matrices of people × items, continued orders."""

# ruff: noqa: E501  (a table is a line)

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.data.ingest.ingest import ingest
from core.data.ingest.preview import preview
from core.data.layouts.registry import TABLE
from core.data.store import DatasetInfo, Workspace
from core.errors import BadInput

FEW = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
LISTS = st.lists(
    st.lists(st.integers(100, 140), min_size=2, max_size=6), min_size=3, max_size=9
).filter(lambda lists: len({len(own) for own in lists}) > 1)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def told(folder: Path, path: Path | list[Path], **mapping: str | None) -> DatasetInfo:
    """The version of these files; the preview says the same of them."""
    seen = preview(path, mapping=mapping)
    info = ingest(Workspace.open(folder / "home"), path, mapping=mapping)
    assert seen.mapping == info.mapping
    evidence = info.meta["evidence"]  # of all values, so it may say more of them
    assert seen.evidence == {k: v[: len(seen.evidence[k])] for k, v in evidence.items()}
    return info


def events(info: DatasetInfo, *columns: str) -> list[tuple[object, ...]]:
    listed = ", ".join(columns or ("user_id", "item_id"))
    return duckdb.sql(f"SELECT {listed} FROM '{info.path('events')}'").fetchall()


def rejected(info: DatasetInfo) -> list[tuple[int, str]]:
    path = info.path("rejected")
    found = f"SELECT line, reason FROM '{path}' ORDER BY ALL"
    return duckdb.sql(found).fetchall() if path else []


WRITTEN = {
    "blanks": lambda own: " ".join(map(str, own)),
    "bars": lambda own: "|".join(map(str, own)),
    "semicolons": lambda own: "; ".join(map(str, own)),
    "commas": lambda own: ",".join(map(str, own)),
    "json": lambda own: json.dumps(own),
    "texts": lambda own: json.dumps([str(i) for i in own]),
    "python": lambda own: str([str(i) for i in own]),
    "tuple": lambda own: str(tuple(own)),
    "numpy": lambda own: "[" + "  ".join(map(str, own)) + "]",
    "postgres": lambda own: "{" + ",".join(map(str, own)) + "}",
}


@pytest.mark.parametrize("how", WRITTEN)
@FEW
@given(lists=LISTS)
def test_a_list_in_a_cell_is_an_event_for_each_item_in_order(tmp_path_factory, how, lists):
    folder = tmp_path_factory.mktemp("lists")
    cells = [WRITTEN[how](own).replace('"', '""') for own in lists]
    text = "user_id,item_ids\n" + "".join(f'{u},"{x}"\n' for u, x in enumerate(cells))
    info = told(folder, write(folder / "x.csv", text + '99,""\n'))
    assert events(info, "user_id", "item_id", "timestamp") == [
        (u, i, n) for u, own in enumerate(lists) for n, i in enumerate(own, 1)
    ]
    assert rejected(info) == [(len(lists) + 2, "no_item")]
    assert "is a list of items" in info.meta["evidence"]["layout"]
    lying = ingest(Workspace.open(folder / "home2"), folder / "x.csv", mapping={"layout": TABLE,
        "item_id": "item_ids"})  # fmt: skip
    assert lying.counts["rows_kept"] == len(lists)


@FEW
@given(lists=LISTS, kind=st.sampled_from(["parquet", "jsonl"]), timed=st.booleans())
def test_lists_of_a_file_that_has_lists(tmp_path_factory, lists, kind, timed):
    folder = tmp_path_factory.mktemp("lists")
    times = [[1_700_000_000 + 100 * u + n for n in range(len(own))] for u, own in enumerate(lists)]
    table = {
        "user_id": list(range(len(lists))),
        "history": lists,
        "genres": [["a", "b"]] * len(lists),
    }
    if timed:
        table["times"] = times
    if kind == "parquet":
        path = folder / "x.parquet"
        pq.write_table(pa.table(table), path)
    else:
        rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
        path = write(folder / "x.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    info = told(folder, path)
    clock = "epoch_us(timestamp) // 1000000" if timed else "timestamp"
    assert events(info, "user_id", "item_id", clock, "genres") == [
        (u, i, times[u][n] if timed else n + 1, ["a", "b"])
        for u, own in enumerate(lists)
        for n, i in enumerate(own)
    ]


def test_several_lists_of_one_user_go_on_and_their_order_is_that_of_the_lines(tmp_path):
    path = write(tmp_path / "x.csv", 'user_id,items\n1,"5 6"\n2,"7 8 9"\n1,"4 3 2"\n')
    info = told(tmp_path, path)
    assert events(info, "user_id", "item_id", "timestamp") == [
        (1, 5, 1), (1, 6, 2), (1, 4, 3), (1, 3, 4), (1, 2, 5), (2, 7, 1), (2, 8, 2), (2, 9, 3),
    ]  # fmt: skip


def test_lists_stay_lists_where_they_are_no_items(tmp_path):
    log = write(tmp_path / "log.csv", "user_id,item_id,tags\n" + "1,7,a|b\n2,8,b|c|d\n1,8,a\n" * 9)
    items = write(
        tmp_path / "items.csv", 'item_id,genres,history\n7,"[""x"",""y""]",1 2\n8,z,3 4\n'
    )
    info = told(tmp_path, [log, items])
    assert info.counts["rows_kept"] == 27
    assert "layout" not in info.meta["evidence"]
    assert info.meta["item_columns"][:2] == ["genres", "history"]


def test_two_columns_of_lists_without_names_are_asked_about(tmp_path):
    rows = "".join(
        f"{n}\tU{n}\t{' '.join(f'N{k}' for k in range(n % 5 + 1))}\t"
        f"{' '.join(f'N{k}-{k % 2}' for k in range(n % 7 + 2))}\n"
        for n in range(40)
    )
    path = write(tmp_path / "behaviors.tsv", rows)
    with pytest.raises(BadInput, match=r"has lists in 'column2' and 'column3'.*item_id=column2"):
        preview(path)
    info = told(tmp_path, path, item_id="column2", user_id="column1")
    assert info.counts["rows_kept"] == sum(n % 5 + 1 for n in range(40))


def test_a_list_with_a_malformed_line_keeps_every_line_in_the_counts(tmp_path):
    text = (
        'user_id,item_ids,t\n1,"5 6",1700000000\n2,"7 8 9"\n\n3,"4 3 2",1700000002\n4,,1700000003\n'
    )
    info = told(tmp_path, write(tmp_path / "x.csv", text))
    assert (info.counts["rows_read"], info.counts["rows_kept"]) == (7, 5)
    assert rejected(info) == [(3, "malformed"), (6, "no_item")]


def matrix(rows: Sequence[Sequence[int | None]], items: Sequence[str], none: str) -> str:
    lines = (
        ",".join([f"u{u}", *(none if x is None else str(x) for x in row)])
        for u, row in enumerate(rows)
    )
    return ",".join(["user", *items]) + "\n" + "\n".join(lines) + "\n"


CELLS = [None, None, None, None, 1, 2, 3, 4]


@pytest.mark.parametrize("names", ["item_{}", "{}", "Film {} (1999)", "Blade Runner {}"])
@pytest.mark.parametrize("none", ["", "0"])
@FEW
@given(order=st.permutations(CELLS), people=st.integers(8, 20))
def test_a_matrix_is_an_event_a_filled_cell(tmp_path_factory, names, none, order, people):
    folder = tmp_path_factory.mktemp("wide")
    rows = [[order[(u + n) % 8] for n in range(9)] for u in range(people)]
    items = [names.format(101 + n) for n in range(9)]
    info = told(folder, write(folder / "x.csv", matrix(rows, items, none)))
    assert sorted(events(info, "user_id", "item_id", "value")) == sorted(
        (f"u{u}", int(items[n]) if names == "{}" else items[n], float(x))
        for u, row in enumerate(rows)
        for n, x in enumerate(row)
        if x is not None
    )
    assert (
        f"one event a cell, an empty cell{' or a 0' * (none == '0')} is none"
        in (info.meta["evidence"]["layout"])
    )


def test_a_zero_beside_empty_cells_is_a_value(tmp_path):
    rows = [[(u + n) % 4 % 3 if (u + n) % 3 else None for n in range(8)] for u in range(9)]
    path = write(tmp_path / "x.csv", matrix(rows, [f"item_{n}" for n in range(8)], ""))
    info = told(tmp_path, path)
    zeros = sum(x == 0 for row in rows for x in row)
    assert zeros
    assert [x for (x,) in events(info, "value")].count(0.0) == zeros


FEATURES = {
    "ages": "user_id,age,income,height,weight,visits,children\n"
    + "".join(f"{n},{20 + n % 50},{1000 * n},{150 + n % 40},{50 + n % 40},{n % 9},{n % 4}\n" for n in range(40)),
    "flags": "user_id,likes_action,likes_comedy,likes_drama,likes_crime,likes_war,likes_music\n"
    + "".join(f"{n},{n % 2},{n % 3 % 2},{n % 5 % 2},{n % 7 % 2},0,1\n" for n in range(40)),
    "years": "user_id,spent_2018,spent_2019,spent_2020,spent_2021,spent_2022,spent_2023\n"
    + "".join(f"{n},{n % 3},,{n % 4},,{n % 5},\n" for n in range(40)),
    "embedding": "user_id,f0,f1,f2,f3,f4,f5\n"
    + "".join(f"{n},0.{n % 9},0.{n % 7},,0.{n % 5},0.3,\n" for n in range(40)),
    "features": "user_id,feature_0,feature_1,feature_2,feature_3,feature_4,feature_5\n"
    + "".join(f"{n},{n % 3},,{n % 4},,{n % 5},\n" for n in range(40)),
    "items": "movie_id,u1,u2,u3,u4,u5,u6\n" + "".join(f"{n},{n % 3},,{n % 4},,{n % 5},\n" for n in range(40)),
}  # fmt: skip


@pytest.mark.parametrize("kind", FEATURES)
def test_a_wide_table_of_what_is_known_of_people_is_no_matrix(tmp_path, kind):
    path = write(tmp_path / "x.csv", FEATURES[kind])
    said = "the user" if kind == "items" else "layout=wide if each column is an item"
    with pytest.raises(BadInput, match=said):
        preview(path)
    log = write(tmp_path / "log.csv", "user_id,movie_id\n" + "1,7\n2,8\n1,8\n" * 9)
    info = told(tmp_path, [log, path])
    assert info.counts["rows_kept"] == 27
    assert info.meta["parts"]["log.csv"] == "events"


def test_a_person_of_whom_a_matrix_says_nothing_is_rejected(tmp_path):
    rows = [[1, None, 2, None, None, 5], [None] * 6, [3, 4, None, None, 5, 1]]
    text = matrix(rows, [f"m{n}" for n in range(6)], "").replace("u2,3", "u2,x")
    info = told(tmp_path, write(tmp_path / "x.csv", text), layout="wide")
    assert rejected(info) == [(3, "no_item"), (4, "bad_value")]
    assert info.counts["rows_kept"] == 6


@FEW
@given(
    orders=st.lists(
        st.tuples(st.integers(0, 3), st.lists(st.integers(0, 9), min_size=1, max_size=4)),
        min_size=4,
        max_size=12,
    ).filter(lambda orders: sum(len(own) > 1 for _, own in orders) > 1),
)
def test_what_an_order_says_once_holds_for_all_its_lines(tmp_path_factory, orders):
    folder = tmp_path_factory.mktemp("orders")
    rows = [
        f"#{n}," + (f"b{who}@x.org,{1_700_000_000 + n},{k}{n}" if k == 0 else ",,") + f",i{item}"
        for n, (who, own) in enumerate(orders)
        for k, item in enumerate(own)
    ]
    path = write(folder / "x.csv", "Name,Email,Created at,Total,Lineitem sku\n" + "\n".join(rows))
    info = told(folder, path)
    assert sorted(events(info, "user_id", "item_id", "epoch_us(timestamp) // 1000000")) == sorted(
        (f"b{who}@x.org", f"i{item}", 1_700_000_000 + n)
        for n, (who, own) in enumerate(orders)
        for item in own
    )
    lines = sum(len(own) - 1 for _, own in orders)
    assert f"filled down into {lines:,} lines" in info.meta["evidence"]["layout"]
    totals = [x for (x,) in events(info, "Total") if x is not None]
    assert len(totals) == len(orders)  # an order's total is not that of its lines


def test_a_matrix_with_commas_in_its_numbers_and_no_name_for_its_people(tmp_path):
    rows = "".join(
        f"P{n};" + ";".join("" if (n + k) % 3 else f"{(n + k) % 5},5" for k in range(8)) + "\n"
        for n in range(12)
    )
    path = write(tmp_path / "x.csv", ";" + ";".join(f"movie {c}" for c in "ABCDEFGH") + "\n" + rows)
    info = told(tmp_path, path)
    assert info.counts["rows_kept"] == sum((n + k) % 3 == 0 for n in range(12) for k in range(8))
    assert {x for (x,) in events(info, "value")} == {0.5, 1.5, 2.5, 3.5, 4.5}
