"""The page with a person's own SQL asks, shows, cuts, draws, saves and links."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from core.data.store import DatasetInfo, Workspace
from core.runs import artifact
from core.sql import saved
from core.sql.examples import examples
from core.sql.tables import schema
from dashboard import state
from dashboard.charts import answer as charts
from dashboard.components.sql.answer import as_frame
from dashboard.text import LANGUAGES, text
from tests.dashboard.conftest import Open

pytestmark = pytest.mark.slow


@pytest.fixture
def movielens(trained: Workspace) -> Iterator[DatasetInfo]:
    yield trained.dataset("movielens")
    for path in (trained.path / "queries").glob("*"):
        path.unlink()


def rows(page: AppTest) -> pd.DataFrame:
    """The answer's table."""
    assert not page.exception, page.exception
    assert not page.error, page.error[0].value
    return page.dataframe[0].value


def ask(page: AppTest, statement: str) -> AppTest:
    page.session_state["sql_text"] = statement
    return page.button(key="sql_ask").click().run()


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_the_page_greets_with_an_answer(
    open_page: Open, trained: Workspace, movielens: DatasetInfo, language: str
) -> None:
    page = open_page(trained, "sql", dataset="movielens", language=language)
    assert page.title[0].value == text(language, "sql.question")
    frame = rows(page)
    assert list(frame.columns) == ["item_id", "title", "events", "users"]
    assert len(frame) == 20
    assert [tab.label for tab in page.tabs] == [
        text(language, "sql.table"),
        text(language, "sql.chart"),
    ]
    assert not saved.asked(trained)  # nobody asked it
    shown = [expander.label for expander in page.expander]
    assert {table.name for table in schema(movielens)} <= {
        label.replace("\\", "") for label in shown
    }


def test_each_example_is_answered(
    open_page: Open, trained: Workspace, movielens: DatasetInfo
) -> None:
    runs = {run.config.model: run.id for run in artifact.list_runs(trained)}
    page = open_page(trained, "sql", dataset="movielens", run=runs["transitions"])
    offered = examples(schema(movielens), clock=True, run=True)
    for example in offered:
        page.button(key=f"sql_example_{example.name}").click().run()
        assert page.query_params["sql"] == example.statement
        assert len(rows(page)), example.name
    assert len(saved.asked(trained)) == len(offered)
    page = open_page(trained, "sql", dataset="movielens", run=runs["popularity"])
    page.button(key="sql_example_near").click().run()
    assert "no vectors" in page.error[0].value


def test_explanations_are_of_somebody_also_without_a_parameter(
    open_page: Open, trained: Workspace, movielens: DatasetInfo
) -> None:
    runs = {run.config.model: run.id for run in artifact.list_runs(trained)}
    statement = "SELECT DISTINCT user_id FROM explanations"
    page = open_page(
        trained, "sql", dataset="movielens", run=runs["transitions"], sql=statement, user="3"
    )
    assert rows(page)["user_id"].tolist() == [3]


def test_the_address_holds_the_statement_and_what_it_is_about(
    open_page: Open, trained: Workspace, movielens: DatasetInfo
) -> None:
    statement = "SELECT count(*) AS n, $what AS what FROM events WHERE user_id = $user"
    page = open_page(
        trained, "sql", dataset="movielens", sql=statement, user="2", param="what='; DROP"
    )
    assert page.session_state["sql_text"] == statement
    assert rows(page).to_dict("records") == [{"n": 29, "what": "'; DROP"}]
    page.text_input(key="sql_param_user").set_value("1").run()
    assert page.query_params["user"] == "1"
    assert rows(page)["n"].tolist() == [232]
    page.text_input(key="sql_param_what").set_value("a=b").run()
    assert rows(page)["what"].tolist() == ["a=b"]
    assert page.query_params["param"] == "what=a=b"


def test_what_is_wrong_is_one_sentence_and_the_page_goes_on(
    open_page: Open, trained: Workspace, movielens: DatasetInfo
) -> None:
    page = open_page(trained, "sql", dataset="movielens")
    for statement, sentence in (
        ("COPY events TO 'x.csv'", "kind COPY"),
        ("SELECT * FROM users", "no table 'users'"),
        ("SELECT * FROM read_csv('/etc/passwd')", "no files"),
    ):
        page = ask(page, statement)
        assert sentence in page.error[0].value.replace("\\", "")
        assert not page.dataframe
    assert rows(ask(page, "SELECT 1 AS a"))["a"].tolist() == [1]


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_what_is_cut_is_said(
    open_page: Open, trained: Workspace, movielens: DatasetInfo, language: str
) -> None:
    page = open_page(trained, "sql", dataset="movielens", sql="FROM events", language=language)
    assert len(rows(page)) == 10_000
    assert page.warning[0].value == text(language, "sql.cut", n=10_000)


def test_names_and_cells_are_text(
    open_page: Open, trained: Workspace, movielens: DatasetInfo
) -> None:
    statement = """SELECT '<b>**x**</b>' AS "**bold** <i>", 1 AS n UNION ALL SELECT '$a$', 2"""
    page = open_page(trained, "sql", dataset="movielens", sql=statement)
    assert rows(page)["**bold** <i>"].tolist() == ["<b>**x**</b>", "$a$"]
    caption = next(c.value for c in page.caption if "bold" in c.value)
    assert "**bold**" not in caption.replace("\\*", "")


def test_a_query_is_saved_opened_and_deleted(
    open_page: Open, trained: Workspace, movielens: DatasetInfo
) -> None:
    page = open_page(trained, "sql", dataset="movielens", sql="SELECT 7 AS seven")
    page.text_input(key="sql_name").set_value("../**lucky**").run()
    page.button(key="sql_save").click().run()
    (query,) = saved.saved(trained)[0]
    assert (query.name, query.statement) == ("../**lucky**", "SELECT 7 AS seven")
    page = open_page(trained, "sql", dataset="movielens")
    page.button(key="sql_open").click().run()
    assert page.query_params["sql"] == "SELECT 7 AS seven"
    assert rows(page)["seven"].tolist() == [7]
    page.button(key="sql_forget").click().run()
    assert not saved.saved(trained)[0]
    page.text_input(key="sql_name").set_value("x\u0000y").run()
    page.button(key="sql_save").click().run()
    assert "one printable line" in page.error[0].value


def test_what_was_asked_is_asked_again(
    open_page: Open, trained: Workspace, movielens: DatasetInfo
) -> None:
    page = open_page(trained, "sql", dataset="movielens")
    for n in (1, 2):
        page = ask(page, f"SELECT {n} AS n")
    page = open_page(trained, "sql", dataset="movielens")
    before = saved.asked(trained)
    assert before == ["SELECT 2 AS n", "SELECT 1 AS n"]
    box = page.selectbox(key=f"sql_asked_{state.mark(before)}")
    box.select(before[1]).run()
    assert rows(page)["n"].tolist() == [1]
    assert page.query_params["sql"] == "SELECT 1 AS n"


def test_the_page_is_drawn_again_without_asking_again(
    open_page: Open, trained: Workspace, movielens: DatasetInfo
) -> None:
    page = open_page(trained, "sql", dataset="movielens", sql="SELECT uuid()::VARCHAR AS id")
    first = rows(page)["id"].tolist()
    assert rows(page.run())["id"].tolist() == first
    assert rows(page.button(key="sql_ask").click().run())["id"].tolist() != first


def test_a_statement_too_long_for_an_address_is_asked_all_the_same(
    open_page: Open, trained: Workspace, movielens: DatasetInfo
) -> None:
    page = ask(open_page(trained, "sql", dataset="movielens"), "SELECT '" + "x" * 5000 + "' AS x")
    assert len(rows(page)["x"][0]) == 5000
    assert "sql" not in page.query_params
    assert text("en", "sql.link.too_long", n=4000) in [c.value for c in page.caption]


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        ({"day": pd.to_datetime(["2020-01-01", "2020-01-02"]), "n": [1, 2]}, "line"),
        ({"name": ["a", "b"], "n": [1, 2]}, "bar"),
        ({"id": [7, 9], "n": [1, 2]}, "bar"),
        ({"id": [7, 9], "name": ["a", "b"], "n": [1, 2]}, "bar"),
        ({"x": [1, 1, 2], "y": [1.0, 2.0, 3.0]}, "points"),
        ({"name": ["a", "b"], "other": ["c", "d"]}, None),
        ({"n": [1, 2]}, None),
        ({"name": ["a"], "n": [1]}, None),
        ({"flag": [True, False], "n": [None, 1]}, "bar"),
        ({"name": [str(n) for n in range(100)], "n": range(100)}, None),
    ],
)
def test_the_types_choose_the_chart(columns: dict[str, object], kind: str | None) -> None:
    frame = pd.DataFrame(columns)
    chosen = charts.choice(frame)
    assert (chosen and chosen.kind) == kind
    if chosen:
        drawn = charts.draw(frame, chosen, dark=False)
        json.loads(drawn.to_json())


def test_cells_keep_what_they_are(trained: Workspace, movielens: DatasetInfo) -> None:
    from core.sql.ask import ask as core_ask

    statement = """
        SELECT 9007199254740993 AS big, [1, 2] AS list, DATE '2020-01-01' AS day
        UNION ALL SELECT NULL, NULL, NULL ORDER BY big
    """
    frame = as_frame(core_ask(trained, statement, dataset=movielens))
    assert frame["big"].tolist()[0] == 9007199254740993
    assert frame["list"].tolist() == [[1, 2], None]
    assert frame["day"][0] == pd.Timestamp("2020-01-01")
