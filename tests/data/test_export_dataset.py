"""A dataset goes out and comes in again: the same events, and what was lost is told."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.cli.parser import build_parser
from core.data.export.export import FORMATS, export_dataset
from core.data.export.folder import DatasetExport
from core.data.ingest.ingest import ingest
from core.data.store import DatasetInfo, Workspace
from core.errors import BadInput

pytestmark = pytest.mark.slow  # together too many for `make quick`

SAMPLE = Path(__file__).parents[2] / "sample_data"
MOVIELENS = SAMPLE / "movielens-latest-small"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "home")


def small(workspace: Workspace, folder: Path) -> DatasetInfo:
    """Times with microseconds, kinds of events, missing values, ids and texts that are awkward."""
    rows = "user,item,rating,timestamp,event_type,note\n" + "".join(
        f'"u ""{n % 5}""",0{n % 7},{(n % 9) / 2 if n % 4 else ""},'
        f'2024-01-{1 + n % 28:02}T10:00:{n % 60:02}.{n:06},{("view", "buy")[n % 2]},"a\tb {n}"\n'
        for n in range(60)
    )
    items = "item,title,genres,year\n" + "".join(
        f"0{n},The Film {n},{'A|B c' if n % 2 else 'A'},{1990 + n}\n" for n in range(7)
    )
    (folder / "log.csv").write_text(rows)
    (folder / "things.csv").write_text(items)
    return ingest(workspace, folder / "log.csv", items=folder / "things.csv", name="a b")


def events(info: DatasetInfo) -> list[tuple]:
    path = str(info.path("events"))
    has = duckdb.from_parquet(path).columns
    usual = ("user_id", "item_id", "value", "timestamp", "event", "platform")
    columns = ", ".join(c if c in has else f"NULL AS {c}" for c in usual)
    return duckdb.sql(f"SELECT {columns} FROM '{path}' ORDER BY ALL").fetchall()


def again(workspace: Workspace, exported: DatasetExport) -> DatasetInfo:
    """The folder, ingested as its files or its notes say."""
    out = exported.out
    names = [file.name for file in exported.files if file.name != "dataset.json"]
    mapping = None
    if exported.to == "parquet":
        mapping = json.loads((out / "dataset.json").read_text())["roles"]

    def named(*ends: str) -> list[Path]:
        return [out / name for name in names if name.endswith(ends)]

    return ingest(
        workspace,
        [p for p in named(".inter", "s.parquet") if p.stem not in ("items", "users")],
        items=named(".item", "items.parquet"),
        users=named(".user", "users.parquet"),
        mapping=mapping,
    )


@pytest.mark.parametrize("to", FORMATS)
def test_the_same_events_come_in_again(workspace, tmp_path, to):
    info = small(workspace, tmp_path)
    exported = export_dataset(info, to, tmp_path / "out")
    assert sorted(p.name for p in exported.out.iterdir()) == sorted(f.name for f in exported.files)
    assert exported.files[0].rows == 60
    back = again(workspace, exported)
    assert events(back) == events(info)
    assert (back.time_kind, back.value_kind) == ("clock", "rating")
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
    assert json.loads(json.dumps(exported.to_json()))["to"] == to


def test_a_log_that_recscope_wrote_keeps_its_values_without_a_mapping(workspace, tmp_path):
    info = small(workspace, tmp_path)
    export_dataset(info, "parquet", tmp_path / "out")
    back = ingest(workspace, tmp_path / "out" / "events.parquet")
    assert events(back) == events(info)
    assert "as Recscope writes a log" in back.meta["evidence"]["value"]
    (tmp_path / "any.csv").write_text("user_id,item_id,value\n1,1,3\n1,2,4\n2,1,5\n")
    assert ingest(workspace, tmp_path / "any.csv").value_kind is None


@pytest.mark.parametrize("to", FORMATS)
def test_movielens_comes_in_again(workspace, tmp_path, to):
    info = ingest(workspace, [MOVIELENS / "ratings.csv", MOVIELENS / "movies.csv"])
    back = again(workspace, export_dataset(info, to, tmp_path / "out"))
    assert events(back) == events(info)
    assert back.meta["item_columns"] == info.meta["item_columns"]


def test_recbole_reads_the_files_as_they_are_typed(workspace, tmp_path):
    info = small(workspace, tmp_path)
    exported = export_dataset(info, "recbole", tmp_path / "out")
    assert [file.name for file in exported.files] == ["a_b.inter", "a_b.item"]
    log = pd.read_csv(tmp_path / "out" / "a_b.inter", delimiter="\t", engine="python")  # as RecBole
    assert list(log.columns) == [
        "user_id:token", "item_id:token", "rating:float", "timestamp:float", "event:token",
        "note:token",
    ]  # fmt: skip
    assert set(log["user_id:token"]) == {f'u "{n}"' for n in range(5)}
    assert log["note:token"].str.startswith("a\tb ").all()
    items = pd.read_csv(tmp_path / "out" / "a_b.item", delimiter="\t", dtype=str)
    assert list(items.columns) == [
        "item_id:token", "title:token_seq", "genres:token_seq", "year:float",
    ]  # fmt: skip
    assert set(items["genres:token_seq"]) == {"A", "A B_c"}
    assert set(items["title:token_seq"]) == {f"The Film {n}" for n in range(7)}
    assert exported.altered_values == {"a_b.item genres": 3}
    assert exported.quoted_values == {"a_b.inter user_id": 60, "a_b.inter note": 60}
    notes = " ".join(exported.notes)
    for words in ("cut at |", "3 values of genres", "a folder called a_b", "weights of events"):
        assert words in notes
    back = again(workspace, exported)
    genres = duckdb.sql(f"SELECT genres FROM '{back.path('items')}' ORDER BY item_id").fetchall()
    assert genres[:2] == [(["A"],), (["A", "B_c"],)]


IDS = st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=4).filter(
    lambda text: text.strip().lower() not in ("", "null", "nan", "none", "<na>", "nat", "\\n")
)


@pytest.mark.parametrize("to", FORMATS)
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(
        st.tuples(
            IDS, IDS, st.integers(1, 5) | st.none(), st.integers(1_000_000_000, 1_700_000_000)
        ),
        min_size=2,
        max_size=20,
    )
)
def test_any_log_comes_in_again(tmp_path_factory, to, rows):
    folder = tmp_path_factory.mktemp("export")
    workspace = Workspace.open(folder / "home")
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "rating", "timestamp"])
    frame["rating"] = frame["rating"].astype("Float64")
    frame.to_parquet(folder / "log.parquet")
    info = ingest(workspace, folder / "log.parquet")
    back = again(workspace, export_dataset(info, to, folder / "out"))
    assert events(back) == events(info)


def test_logs_without_times_or_with_an_order(workspace, tmp_path):
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("user_id,item_id\n" + "".join(f"{n % 9},{n % 7}\n" for n in range(40)))
    info = ingest(workspace, pairs)
    exported = export_dataset(info, "recbole", tmp_path / "one")
    assert "no times" in " ".join(exported.notes)
    assert events(again(workspace, exported)) == events(info)
    lists = tmp_path / "lists.txt"
    lists.write_text("0 3 1 4\n1 5 9 2 6\n2 5 3\n3 5 8 9 7\n4 9 3 2 3 8 4\n")
    ordered = ingest(workspace, lists)
    exported = export_dataset(ordered, "recbole", tmp_path / "two")
    assert "order numbers" in " ".join(exported.notes)
    back = again(workspace, exported)
    assert (back.time_kind, events(back)) == ("order", events(ordered))


def test_an_export_is_whole_or_not_there(workspace, tmp_path, monkeypatch):
    info = small(workspace, tmp_path)
    full = tmp_path / "full"
    full.mkdir()
    (full / "x").write_text("mine")
    with pytest.raises(BadInput, match="is not empty"):
        export_dataset(info, "recbole", full)
    with pytest.raises(BadInput, match="is a file"):
        export_dataset(info, "recbole", full / "x")
    with pytest.raises(BadInput, match="is not there: make it"):
        export_dataset(info, "recbole", tmp_path / "no" / "out")
    with pytest.raises(BadInput, match="one of recbole, lenskit, parquet"):
        export_dataset(info, "csv", tmp_path / "out")

    def fail(export):
        (export.folder / "half").write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(FORMATS, "recbole", fail)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(BadInput, match="No space left"):
        export_dataset(info, "recbole", tmp_path / "out")
    assert sorted(tmp_path.iterdir()) == before
    (tmp_path / "empty").mkdir()
    assert export_dataset(info, "parquet", tmp_path / "empty").files


def test_the_command_offers_every_format():
    for to in FORMATS:
        options = build_parser().parse_args(["export-dataset", "x", "--to", to, "--out", "y"])
        assert (options.to, options.out) == (to, Path("y"))
