"""JSON with objects inside of objects comes in by key path, whatever stands around its log."""

from __future__ import annotations

import json
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
EVENTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), min_size=3, max_size=20)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def told(folder: Path, path: Path, **mapping: str | None) -> DatasetInfo:
    """The version of this file; the preview says the same of it."""
    seen = preview(path, mapping=mapping)
    info = ingest(Workspace.open(folder / "home"), path, mapping=mapping)
    assert (seen.mapping, seen.evidence) == (info.mapping, info.meta["evidence"])
    return info


def pairs(info: DatasetInfo) -> list[tuple[str, str]]:
    found = f"SELECT user_id::VARCHAR, item_id::VARCHAR FROM '{info.path('events')}'"
    return sorted(duckdb.sql(found).fetchall())


def rejected(info: DatasetInfo) -> list[tuple[int, str]]:
    path = info.path("rejected")
    found = f"SELECT line, reason FROM '{path}' ORDER BY ALL"
    return duckdb.sql(found).fetchall() if path else []


SHAPES = {
    "objects": (
        lambda u, i: {"user": {"id": u, "age": 3}, "item": {"id": i, "title": "x"}, "at": 1},
        ("user.id", "item.id"),
    ),
    "properties": (
        lambda u, i: {"userId": u, "anonymousId": f"a{u}{i}", "properties": {"product_id": i}},
        ("userId", "properties.product_id"),
    ),
    "deep": (
        lambda u, i: {"a": {"b": {"c": {"visitor_id": u}}}, "hit": {"page": {"sku": i}}},
        ("a.b.c.visitor_id", "hit.page.sku"),
    ),
    "mongo": (
        lambda u, i: {"user_id": {"$oid": u}, "item_id": {"$numberLong": i}, "_id": {"$oid": "x"}},
        ("user_id", "item_id"),
    ),
    "empty user": (
        lambda u, i: {"user_id": None, "user_pseudo_id": u, "items": [{"item_id": i}]},
        ("user_pseudo_id", "items[].item_id"),
    ),
}  # fmt: skip
AROUND = {
    "lines": lambda rows: "".join(json.dumps(row) + "\n" for row in rows),
    "array": json.dumps,
    "pretty": lambda rows: json.dumps(rows, indent=1),
    "objects over lines": lambda rows: "\n".join(json.dumps(row, indent=2) for row in rows),
    "wrapped": lambda rows: json.dumps(
        {"meta": {"n": len(rows), "tags": [{"a": 1}]}, "data": {"events": rows}}, indent=2
    ),
    "wrapped in a line": lambda rows: json.dumps({"next": None, "results": rows}),
    "python": lambda rows: "".join(f"{row!r}\n" for row in rows),
}


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(log=EVENTS)
def test_a_log_is_found_by_its_paths_wherever_it_stands(tmp_path_factory, shape, around, log):
    make, (user, item) = SHAPES[shape]
    folder = tmp_path_factory.mktemp("json")
    rows = [make(f"u{u}", f"i{i}") for u, i in log]
    info = told(folder, write(folder / "x.json", AROUND[around](rows)))
    assert pairs(info) == sorted((f"u{u}", f"i{i}") for u, i in log)
    assert (info.mapping["user_id"], info.mapping["item_id"]) == (user, item)
    if around == "wrapped":
        assert "data.events[]" in info.meta["evidence"]["layout"]


@FEW
@given(
    orders=st.lists(
        st.tuples(st.integers(0, 4), st.lists(st.integers(0, 9), max_size=4)),
        min_size=3,
        max_size=9,
    ).filter(lambda orders: any(items for _, items in orders))
)
def test_each_element_is_an_event_and_an_empty_array_is_rejected(tmp_path_factory, orders):
    folder = tmp_path_factory.mktemp("json")
    rows = (
        {"who": {"customer_id": f"u{u}"}, "lines": [{"sku": f"i{i}", "n": i} for i in items]}
        for u, items in orders
    )
    info = told(folder, write(folder / "x.jsonl", AROUND["lines"](rows)))
    assert pairs(info) == sorted((f"u{u}", f"i{i}") for u, items in orders for i in items)
    empty = [(n, "no_item") for n, (_, items) in enumerate(orders, 1) if not items]
    assert rejected(info) == empty
    assert "each element of lines[] is one event" in info.meta["evidence"]["layout"]


def test_a_path_that_is_said_is_taken(tmp_path):
    rows = [
        {"user_id": n % 4, "page": {"sku": n % 5}, "seen": [{"ref": n}, {"ref": n + 1}],
         "extra": {f"k{k}": n % 3 if k == 7 else k for k in range(60)}}
        for n in range(20)
    ]  # fmt: skip
    path = write(tmp_path / "x.jsonl", AROUND["lines"](rows))
    assert told(tmp_path, path).mapping["item_id"] == "page.sku"
    info = told(tmp_path, path, item_id="seen[].ref")
    assert pairs(info) == sorted((str(n % 4), str(n + k)) for n in range(20) for k in (0, 1))
    info = told(tmp_path, path, item_id="extra.k7")  # one of more keys than become columns
    assert pairs(info) == sorted((str(n % 4), str(n % 3)) for n in range(20))
    with pytest.raises(BadInput, match=r"has no column 'page\.ref'"):
        told(tmp_path, path, item_id="page.ref")
    flat = told(tmp_path, path, layout=TABLE, item_id="page")
    assert pairs(flat)[0] == ("0", '{"sku":0}')


def test_a_name_that_is_seldom_filled_gives_way_to_one_that_is(tmp_path):
    rows = [
        {"user_id": "known" if n == 3 else None, "user_pseudo_id": f"v{n % 4}", "p": {"sku": n % 5}}
        for n in range(20)
    ]
    info = told(tmp_path, write(tmp_path / "x.jsonl", AROUND["lines"](rows)))
    assert (info.mapping["user_id"], info.counts["rows_kept"]) == ("user_pseudo_id", 20)


def test_objects_whose_keys_are_data_stay_one_column(tmp_path):
    rows = [{"user_id": n % 4, "item_id": n % 5, "seen": {f"p{n}": n}} for n in range(100)]
    info = told(tmp_path, write(tmp_path / "x.jsonl", AROUND["lines"](rows)))
    columns = duckdb.from_parquet(str(info.path("events"))).columns
    assert columns == ["user_id", "item_id", "source_row", "seen"]


def test_what_is_no_object_is_rejected_with_its_line(tmp_path):
    good = [{"user": {"id": n % 4}, "item": {"id": n % 5}} for n in range(30)]
    lines = AROUND["lines"](good).splitlines()
    lines[3:3] = ["", "[1, 2]", '{"user": {"id": 1}, "item":']
    info = told(tmp_path, write(tmp_path / "x.jsonl", "\n".join(lines)))
    assert rejected(info) == [(5, "malformed"), (6, "malformed")]
    assert info.counts["rows_kept"] == 30
    python = [repr(row) for row in good]
    python[2:2] = ["{'user': __import__('os').getcwd()}", "{'user': {'id': 1}, 'item'"]
    info = told(tmp_path, write(tmp_path / "p.json", "\n".join(python)))
    assert rejected(info) == [(3, "malformed"), (4, "malformed")]
    assert "each line is a Python dict" in info.meta["evidence"]["layout"]


def test_ids_are_exact_and_the_same_as_number_or_text(tmp_path):
    big = [76561198000000000001234567, 76561198000000000001234568, 9007199254740993]
    rows = [
        {"user": {"id": big[n % 3]}, "item": {"id": 111 if n % 2 else "111"}} for n in range(12)
    ]
    for name, around in (("lines", "lines"), ("python", "python"), ("array", "pretty")):
        info = told(tmp_path, write(tmp_path / f"{name}.json", AROUND[around](rows)))
        assert {u for u, _ in pairs(info)} == {str(x) for x in big}
        assert info.counts["items"] == 1


@pytest.mark.parametrize(
    "value",
    [
        {"user_id": {"0": 1, "1": 2}, "item_id": {"0": 7, "1": 8}},
        {"user_id": [1, 2], "item_id": [7, 8]},
        {"columns": ["user_id", "item_id"], "index": [0, 1], "data": [[1, 7], [2, 8]]},
    ],
)
def test_a_table_by_columns_is_named_as_such(tmp_path, value):
    path = write(tmp_path / "x.json", json.dumps(value))
    with pytest.raises(BadInput, match=r"holds a table by columns.*orient='records', lines=True"):
        preview(path)


def test_an_object_whose_keys_are_people_is_a_list_for_each(tmp_path):
    people = {f"u{n}": [f"i{k}" for k in range(n + 1)] for n in range(70)}
    info = told(tmp_path, write(tmp_path / "x.json", json.dumps(people)))
    assert pairs(info) == sorted((u, i) for u, own in people.items() for i in own)
    assert "whose keys are people" in info.meta["evidence"]["layout"]


@FEW
@given(log=EVENTS)
def test_parquet_with_objects_in_its_cells_is_read_by_path(tmp_path_factory, log):
    folder = tmp_path_factory.mktemp("parquet")
    rows = [
        {"user": {"id": u}, "at": 1_700_000_000 + n, "items": [{"item_id": f"i{i}", "n": 1}] * 2}
        for n, (u, i) in enumerate(log)
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "x.parquet")
    info = told(folder, folder / "x.parquet")
    assert pairs(info) == sorted((str(u), f"i{i}") for u, i in log for _ in (0, 1))
    assert info.mapping["item_id"] == "items[].item_id"


def test_the_last_word_of_a_path_says_what_a_value_is(tmp_path):
    orders = [
        {"customer": {"id": n % 5}, "when": 1_709_290_000 + n, "lines": [{"sku": "a", "qty": 1}]}
        for n in range(20)
    ]
    info = told(tmp_path, write(tmp_path / "o.jsonl", "\n".join(map(json.dumps, orders))))
    assert (info.mapping["value"], info.value_kind) == ("lines[].qty", "quantity")
    assert info.mapping["timestamp"] == "when"
