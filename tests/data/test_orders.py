"""Tables that need one another: order lines and their orders, things and their properties."""

from __future__ import annotations

import random
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.data.ingest.ingest import ingest
from core.data.ingest.preview import preview
from core.data.store import DatasetInfo, Workspace
from core.errors import BadInput


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def pairs(info: DatasetInfo) -> list[tuple[str, str]]:
    found = duckdb.sql(f"SELECT user_id::VARCHAR, item_id::VARCHAR FROM '{info.path('events')}'")
    return sorted(found.fetchall())


def rejected(info: DatasetInfo) -> list[tuple[str, int, str, str]]:
    path = info.path("rejected")
    if path is None:
        return []
    return duckdb.sql(f"SELECT file, line, reason, detail FROM '{path}' ORDER BY ALL").fetchall()


def shop(folder: Path, orders: dict[int, int], lines: list[tuple[int, int]]) -> list[Path]:
    """Orders (order → person), and lines of orders (order, product), as two files."""
    of_whom = "".join(f"{order},u{user},{order % 7}\n" for order, user in orders.items())
    rows = "".join(f"{order},p{product}\n" for order, product in lines)
    return [
        write(folder / "lines.csv", "order_id,product_id\n" + rows),
        write(folder / "orders.csv", "order_id,customer_id,dow\n" + of_whom),
    ]


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    orders=st.dictionaries(st.integers(1, 20), st.integers(1, 6), min_size=2, max_size=12),
    lines=st.lists(st.tuples(st.integers(1, 20), st.integers(1, 9)), min_size=3, max_size=40),
    seed=st.integers(0, 99),
)
def test_each_line_of_an_order_is_whose_order_it_is_or_is_rejected(
    tmp_path_factory, orders, lines, seed
):
    folder = tmp_path_factory.mktemp("shop")
    lines = [(next(iter(orders)), 1), *lines]  # one that meets an order
    files = shop(folder, orders, lines)
    info = ingest(Workspace.open(folder / "home"), files)
    assert pairs(info) == sorted((f"u{orders[o]}", f"p{p}") for o, p in lines if o in orders)
    lost = [(n, o) for n, (o, _) in enumerate(lines, 2) if o not in orders]
    assert rejected(info) == [
        ("lines.csv", n, "no_user", f"order_id {o} is no order of orders.csv") for n, o in lost
    ]
    assert f"{len(lost):,} of {len(lines):,} lines meet no order" in info.meta["evidence"]["layout"]
    assert info.meta["parts"] == {"lines.csv": "events", "orders.csv": "events"}
    again = list(lines)
    random.Random(seed).shuffle(again)
    other = folder / "other"
    other.mkdir()
    turned = shop(other, dict(reversed(orders.items())), again)[::-1]
    assert pairs(ingest(Workspace.open(folder / "home2"), turned)) == pairs(info)


def test_the_number_of_an_order_says_what_came_first(tmp_path):
    lines = write(tmp_path / "l.csv", "order_id,product_id\n1,7\n2,8\n3,9\n3,7\n")
    orders = write(
        tmp_path / "o.csv", "order_id,user_id,order_number\n1,5,2\n2,5,1\n3,6,1\nx\n"
    )  # fmt: skip
    items = write(tmp_path / "p.csv", "product_id,title\n7,a\n8,b\n9,c\n")
    seen = preview([items, orders, lines])
    info = ingest(Workspace.open(tmp_path / "home"), [items, orders, lines])
    assert (seen.mapping, seen.evidence) == (info.mapping, info.meta["evidence"])
    events = duckdb.sql(f"SELECT user_id, item_id, timestamp FROM '{info.path('events')}'")
    assert events.fetchall() == [(5, 8, 1), (5, 7, 2), (6, 9, 1), (6, 7, 1)]
    assert [row[:3] for row in rejected(info)] == [("o.csv", 5, "malformed")]
    assert info.meta["parts"]["p.csv"] == "items"


def test_an_order_that_stands_twice_says_not_whose_it_is(tmp_path):
    lines = write(tmp_path / "l.csv", "order_id,product_id\n1,7\n2,8\n")
    orders = write(tmp_path / "o.csv", "order_id,user_id\n1,5\n2,5\n1,6\n")
    with pytest.raises(BadInput, match="has the order_id '1' in 2 lines"):
        ingest(Workspace.open(tmp_path / "home"), [lines, orders])


def test_lines_of_orders_alone_are_told_to_be_of_no_person(tmp_path):
    lines = write(tmp_path / "l.csv", "order_id,product_id\n" + "1,7\n2,8\n1,8\n" * 9)
    info = ingest(Workspace.open(tmp_path / "home"), lines)
    assert "no person" in info.meta["evidence"]["user_id"]
    log = write(tmp_path / "log.csv", "visitorid,itemid\n" + "1,7\n2,8\n1,8\n" * 9)
    assert "no person" not in preview(log).evidence["user_id"]


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    said=st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from("abc"), st.integers(0, 9)),
        min_size=7,
        max_size=40,
    ),
    timed=st.booleans(),
)
def test_properties_become_columns_of_what_has_them(tmp_path_factory, said, timed):
    folder = tmp_path_factory.mktemp("properties")
    said = [(0, "a", 1), (0, "b", 2), *said]
    head = "time," if timed else ""
    log = write(
        folder / "log.csv",
        "user_id,item_id,t\n" + "".join(f"{n % 4},{n % 6},170000000{n % 10}\n" for n in range(40)),
    )
    first, second = (
        write(
            folder / f"{name}.csv",
            f"{head}item_id,property,value\n"
            + "".join(
                (f"{1_700_000_000 + n}," if timed else "") + f"{i},{p},v{v}\n"
                for n, (i, p, v) in enumerate(said)
                if (n % 2 == 0) == (name == "one")
            )
            + (",a,1\n" if timed else "").replace(",a", ",,a"),
        )
        for name in ("one", "two")
    )
    info = ingest(Workspace.open(folder / "home"), [second, log, first])
    expected: dict[int, dict[str, str]] = {}
    for i, p, v in said:
        mine = expected.setdefault(i, {})
        mine[p] = (
            f"v{v}" if timed else "|".join(sorted({*mine.get(p, "").split("|"), f"v{v}"} - {""}))
        )
    table = duckdb.sql(f"FROM '{info.path('items')}'")
    found = {
        row[0]: {c: x for c, x in zip(table.columns[1:], row[1:], strict=True) if x is not None}
        for row in table.fetchall()
    }
    assert found == expected
    assert {info.meta["parts"][name] for name in ("one.csv", "two.csv")} == {"items"}
    assert len(rejected(info)) == (2 if timed else 0)  # lines that name no thing


def test_two_attributes_called_key_and_value_are_no_properties(tmp_path):
    log = write(tmp_path / "log.csv", "user_id,item_id\n" + "1,7\n2,8\n1,8\n" * 9)
    items = write(tmp_path / "items.csv", "item_id,key,value\n7,C,3\n8,D,4\n")
    info = ingest(Workspace.open(tmp_path / "home"), [log, items])
    assert info.meta["item_columns"] == ["key", "value"]


def test_every_line_of_every_file_is_accounted_for(tmp_path):
    """Also of files that go into others: a bad line in each, one that names nothing besides."""
    lines = ["order_id,product_id", *(f"{n % 5},p{n % 7}" for n in range(40)), "9,p1", "odd"]
    orders = ["order_id,customer_id,dow", *(f"{n},u{n},{n}" for n in range(5)), "too,many,cells,x"]
    props = [f"p{n},{name},v{n}" for n in range(7) for name in ("colour", "size")]
    first = ["product_id,property,value", *props, ",colour,blue", "p1,size", ""]
    second = ["product_id,property,value", *(f"p{n},brand,b{n % 2}" for n in range(7)), "p1"]
    files = {"lines.csv": lines, "orders.csv": orders, "props_1.csv": first, "props_2.csv": second}
    paths = [write(tmp_path / name, "\n".join(own) + "\n") for name, own in files.items()]
    info = ingest(Workspace.open(tmp_path / "home"), paths)
    counted = info.meta["lines"]
    assert {name: c["physical"] for name, c in counted.items()} == {
        name: len(own) for name, own in files.items()
    }
    assert {name: c["rejected"] for name, c in counted.items()} == {
        "lines.csv": 2, "orders.csv": 1, "props_1.csv": 2, "props_2.csv": 1,
    }  # fmt: skip
    assert len(rejected(info)) == 6
