"""What SQL answers: right, bounded, bound, typed, or one sentence."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pandas as pd
import psutil
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from core.cli import main
from core.data.store import DatasetInfo, Workspace
from core.errors import BadInput, TooLarge
from core.runs.artifact import Run
from core.sql import files, sandbox
from core.sql.answer import Answer, Column
from core.sql.ask import ask, context
from core.sql.limits import TO_SHOW, Limits
from core.sql.tables import OF_RUN, schema


@pytest.fixture
def rows(shop: Workspace, info: DatasetInfo, run: Run):  # type: ignore[no-untyped-def]
    """Asks the shop and its run, and gives the rows."""

    def asked(statement: str, limits: Limits = TO_SHOW, **values: str) -> list[list[object]]:
        answer = ask(shop, statement, dataset=info, run=run, values=values, limits=limits)
        return answer.to_json()["rows"]  # type: ignore[no-any-return]

    return asked


EVENTS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(-3, 3), st.floats(-1e6, 1e6, allow_nan=False)),
    min_size=1,
    max_size=40,
)


@settings(max_examples=8)
@given(events=EVENTS)
def test_sums_are_those_of_pandas(
    events: list[tuple[int, int, float]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("random")
    frame = pd.DataFrame(events, columns=["user_id", "item_id", "value"])
    frame.to_parquet(folder / "events.parquet")
    (folder / "empty").mkdir()
    answer = sandbox.answer(
        """
        SELECT user_id, count(*) AS n, count(DISTINCT item_id) AS items, sum(item_id) AS total,
               min(value) AS low, max(value) AS high, avg(value) AS mean
        FROM events WHERE item_id <> $item GROUP BY user_id ORDER BY user_id
        """,
        {"events": folder / "events.parquet"},
        {"item": 0},
        folder / "empty",
    )
    groups = frame[frame["item_id"] != 0].groupby("user_id")
    expected = pd.DataFrame(
        {
            "n": groups.size(),
            "items": groups["item_id"].nunique(),
            "total": groups["item_id"].sum(),
            "low": groups["value"].min(),
            "high": groups["value"].max(),
            "mean": groups["value"].mean(),
        }
    ).reset_index()
    given_frame = answer.table.to_pandas()
    pd.testing.assert_frame_equal(given_frame, expected, check_dtype=False, rtol=1e-9, atol=1e-9)


def test_every_table_of_the_schema_is_there_with_its_columns(rows, info: DatasetInfo) -> None:
    tables = schema(info)
    assert [table.name for table in tables] == ["events", "items", *OF_RUN]
    for table in tables:
        described = rows(f"DESCRIBE SELECT * FROM {table.name}", user="u1")
        columns = [(name, kind) for name, kind, *_ in described]
        promised = [(column.name, column.type) for column in table.columns]
        if table.name == "per_user":  # the metrics are those that were measured
            assert set(promised) <= set(columns)
        else:
            assert columns == promised


def test_explanations_add_up(rows) -> None:
    added = rows(
        "SELECT item_id, any_value(score), any_value(base) + sum(value) FROM explanations "
        "WHERE user_id = $user AND run = $run GROUP BY item_id",
        user="u1",
    )
    assert added
    assert all(score == pytest.approx(total, abs=1e-4) for _, score, total in added)


def test_recommendations_are_those_of_the_run(rows, shop: Workspace, run: Run) -> None:
    from core import pipeline

    expected = pipeline.recommend(shop, run, k=10)
    listed = rows("SELECT user_id, item_id, rank FROM recommendations ORDER BY user_id, rank")
    assert listed == expected[["user_id", "item_id", "rank"]].to_numpy().tolist()


def test_a_parameter_is_a_value_whatever_it_says(rows) -> None:
    hostile = "u1' OR 1 = 1 --"
    assert rows("SELECT count(*) FROM events WHERE user_id = $user", user=hostile) == [[0]]
    assert rows("SELECT $what", what=hostile) == [[hostile]]
    assert rows("SELECT count(*) FROM events WHERE user_id = $user", user="u1") == [[6]]


def test_an_id_is_compared_as_the_log_has_it(shop: Workspace, make_dataset) -> None:
    numbers = make_dataset(pd.DataFrame({"user_id": [7, 7, 8], "item_id": [1, 2, 1]}))

    def count(user: str) -> object:
        statement = "SELECT count(*) FROM events WHERE user_id = $user"
        answer = ask(shop, statement, dataset=numbers, values={"user": user})
        return answer.to_json()["rows"][0][0]

    assert [count("7"), count("9"), count("seven"), count("9" * 40)] == [2, 0, 0, 0]


def test_what_is_cut_is_said(shop: Workspace, info: DatasetInfo) -> None:
    limits = Limits(rows=5)
    answer = ask(shop, "FROM range(6)", dataset=info, limits=limits)
    assert (answer.rows, answer.cut) == (5, True)
    assert "the first 5 rows" in answer.sentence
    answer = ask(shop, "FROM range(5)", dataset=info, limits=limits)
    assert (answer.rows, answer.cut, answer.sentence) == (5, False, "5 rows")
    large = ask(shop, "SELECT repeat('x', 100000) FROM range(100)", dataset=info, limits=SMALL)
    assert large.cut
    assert 0 < large.rows < 100
    assert large.table.nbytes <= 2 << 20


SMALL = Limits(answer_mb=1)


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("SELECT * FROM users", "no table 'users'"),
        ("SELECT * FROM nowhere", "there is no table 'nowhere'; there are events, items"),
        ("SELECT * FROM explanations", "give $user an id"),
        ("SELECT * FROM events WHERE user_id = $user", "parameter $user has no value"),
        ("SELECT $1", "parameter $1 has no value"),
        ("SELECT nothing FROM events", 'column "nothing" not found'),
        ("SELECT if(range = 5000, error('late'), 1) FROM range(8000)", "late"),  # rows came before
        ("SELECT repeat('x', 1000000) FROM range(1000000)", "more than the 1024 MB"),
        ("SELEC 1", "syntax error"),
        ("", "there is no statement"),
        ("SELECT 1; SELECT 2", "these are 2"),
        ("CREATE TABLE t (a INT)", "kind CREATE"),
        ("SELECT repeat('x', 3000000)", "more than 1 MB"),
        ("FROM read_csv('x.csv')", "no files"),
    ],
)
def test_what_cannot_be_answered_is_one_sentence(rows, statement: str, sentence: str) -> None:
    with pytest.raises(BadInput) as raised:
        rows(statement, SMALL)
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_table_that_the_run_has_not_says_why(shop: Workspace, info: DatasetInfo) -> None:
    for table in ("recommendations", "per_user", "embeddings"):
        with pytest.raises(BadInput, match="no finished run"):
            ask(shop, f"FROM {table}", dataset=info)
    named = ask(shop, "WITH users AS (SELECT 3 AS n) FROM users", dataset=info)
    assert named.to_json()["rows"] == [[3]]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT len(range(500000000))",  # one call, which DuckDB's own limit does not see
        "SELECT list(range) FROM range(1000000000)",
    ],
)
def test_memory_that_there_is_not_is_not_taken(
    shop: Workspace, info: DatasetInfo, statement: str
) -> None:
    with pytest.raises(TooLarge, match="more than the 256 MB"):
        ask(shop, statement, dataset=info, limits=Limits(memory_mb=256))


def test_who_leaves_ends_the_process(shop: Workspace, info: DatasetInfo) -> None:
    began = time.monotonic()
    stages: list[str] = []

    def leave(stage: str, share: float | None = None) -> None:
        stages.append(stage)
        if len(stages) > 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(
            shop,
            "SELECT count(*) FROM range(1000000) a, range(1000000) b",
            dataset=info,
            on_stage=leave,
        )
    assert time.monotonic() - began < Limits.seconds
    assert not psutil.Process().children()
    assert not list(shop.tmp_folder.iterdir())


def test_every_type_comes_out_as_what_json_knows(shop: Workspace, info: DatasetInfo) -> None:
    answer = ask(
        shop,
        "SELECT * EXCLUDE (date, timestamp, timestamp_s, timestamp_ms, timestamp_ns, timestamp_tz) "
        "FROM test_all_types()",
        dataset=info,
    )
    assert answer.rows == 3
    json.dumps(answer.to_json(), allow_nan=False)
    files.csv_bytes(answer)
    files.parquet_bytes(answer)
    kinds = {column.name: column.type for column in answer.columns}
    assert (kinds["bigint"], kinds["hugeint"], kinds["struct"]) == ("BIGINT", "VARCHAR", "VARCHAR")
    assert kinds["int_array"] == "INTEGER[]"


def test_names_of_columns_differ(rows, shop: Workspace, info: DatasetInfo) -> None:
    answer = ask(shop, "SELECT 1 AS a, 2 AS a, 3 AS A", dataset=info)
    names = [column.name.lower() for column in answer.columns]
    assert len(set(names)) == 3


def test_the_run_decides_the_dataset(shop: Workspace, info: DatasetInfo, run: Run) -> None:
    assert context(shop, None, None) == (info, run)
    assert context(shop, "shop", "first") == (info, run)
    with pytest.raises(BadInput, match="there is no dataset 'other'"):
        context(shop, "other", None)


@pytest.fixture
def formulas() -> Answer:
    texts = ["=1+1", "+1", "-1", "@x", "\tx", "＝1", "tea", None]
    table = pa.table({"=name": pa.array(texts), "n": list(range(-3, 5)), "l": [["=x"]] * 8})
    columns = (Column("=name", "VARCHAR"), Column("n", "BIGINT"), Column("l", "VARCHAR[]"))
    return Answer(columns, table, 0.1, False)


def test_csv_holds_no_formula_and_parquet_what_is(formulas: Answer, tmp_path: Path) -> None:
    for ending in files.FORMATS:
        files.write(tmp_path / f"answer{ending}", formulas)
    frame = pd.read_csv(tmp_path / "answer.csv", keep_default_na=False)
    assert list(frame.columns) == ["'=name", "n", "l"]
    assert frame["'=name"].tolist() == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "'＝1", "tea", ""]
    assert frame["n"].tolist() == list(range(-3, 5))
    assert parquet.read_table(tmp_path / "answer.parquet").equals(formulas.table)
    assert json.loads((tmp_path / "answer.json").read_text())["rows"][0] == ["=1+1", -3, ["=x"]]
    assert len(list(tmp_path.iterdir())) == 3
    with pytest.raises(BadInput, match=r"\.csv or \.parquet or \.json"):
        files.write(tmp_path / "answer.txt", formulas)


def test_the_command(
    shop: Workspace, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--data-dir", str(shop.path)]
    ask_one = "SELECT user_id, count(*) AS n FROM events WHERE user_id = $user GROUP BY ALL"
    assert main(["sql", ask_one, "--param", "user=u1", "--json", *where]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["dataset"], said["run"]) == (run.config.dataset, run.id)
    assert (said["rows"], said["cut"], said["shown"]) == ([["u1", 6]], False, 1)
    assert said["columns"][1] == {"name": "n", "type": "BIGINT"}
    assert main(["sql", ask_one, "--param", "user=u1", *where]) == 0
    assert capsys.readouterr().out == "user_id  n\nu1       6\n1 row\n"
    out = tmp_path / "events.csv"
    assert main(["sql", "FROM events", "--run", "first", "--out", str(out), *where]) == 0
    assert capsys.readouterr().out == f"72 rows, in {out}\n"
    assert len(pd.read_csv(out)) == 72
    assert main(["sql", "DROP TABLE events", *where]) == 2
    assert "kind DROP" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["sql", "SELECT $x", "--param", "x", *where])
