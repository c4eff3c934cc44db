"""The page Compare: runs beside a pinned baseline, in what they differ, for whom, at what price."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from core import holdings, jobs, pipeline
from core.data.durable import read_json, write_json_atomically
from core.data.store import Workspace
from core.errors import BadInput, CoreError
from core.evaluate.registry import OfRatings, metrics_of
from core.runs import artifact
from core.runs.artifact import Run
from core.runs.metrics import OF_RATINGS, meaningless
from core.runs.request import RunRequest
from dashboard.components import comparison
from dashboard.components.compare.leaderboard import BEST, differing_settings
from dashboard.components.labels import run_label
from dashboard.text import literal, text
from tests.dashboard.conftest import Open

pytestmark = pytest.mark.slow  # together too many for `make quick`

HOSTILE = "<b>x</b> *y* $z$"
ASKED = (
    ("popularity", {}),
    ("transitions", {}),
    ("als", {"dim": 4, "sweeps": 2}),
    ("als", {"dim": 8, "sweeps": 2}),
)


@pytest.fixture
def runs(shop: Workspace) -> list[Run]:
    """Four evaluated runs of the shop, two of which differ in one setting."""
    made = []
    for model, params in ASKED:
        run = pipeline.train(shop, RunRequest("shop", model, params, device="cpu"))
        pipeline.evaluate(shop, run, device="cpu")
        made.append(run)
    return made


FRAMES = {  # table → columns that only it has
    "leaderboard": {"run", "difference", "size"},
    "settings_table": {"setting"},
    "tradeoff_table": {"place_on_front"},
}


def frame(page: AppTest, table: str) -> pd.DataFrame:
    frames = [each.value for each in page.dataframe]
    return next(each for each in frames if FRAMES[table] <= set(each.columns))


def figures(page: AppTest) -> pd.DataFrame:
    """The table of all metrics: a column for each run beside the name."""
    frames = [each.value for each in page.dataframe if each.value.columns[0] == "metric"]
    return next(each for each in frames if "p" not in each and "rule" not in each)


def words(page: AppTest) -> str:
    return "\n".join(each.value for each in [*page.markdown, *page.caption])


def ids(runs: list[Run]) -> str:
    return ",".join(run.id for run in runs)


def test_the_leaderboard_says_what_compare_says(
    open_page: Open, shop: Workspace, runs: list[Run]
) -> None:
    page = open_page(shop, "compare", dataset="shop", runs=ids(runs), baseline=runs[1].id)
    board = frame(page, "leaderboard").set_index("run")
    assert len(board) == len(runs)
    others = [run for run in runs if run != runs[1]]
    metrics = [f"{name}@10" for name in comparison.HEADLINES]
    rows = pipeline.compare(shop, [runs[1], *others], metrics=metrics).set_index(["run", "metric"])
    for run in others:
        row = rows.loc[(run.id, "ndcg@10")]
        shown = board.loc[run_label(run), "difference"]
        assert shown == f"{row.difference:+.4f} [{row.low:+.4f}, {row.high:+.4f}]"
    assert board.loc[run_label(runs[1]), "difference"] == text("en", "compare.leaderboard.baseline")
    means = {run_label(run): run.metrics.metrics["ndcg@10"].mean for run in runs if run.metrics}
    assert list(board.index) == sorted(means, key=lambda name: -means[name])
    starred = [name for name, value in board["NDCG@10"].items() if value.startswith(BEST)]
    assert starred == [name for name in means if means[name] == max(means.values())]


def test_the_baseline_stays_pinned_whatever_is_chosen(
    open_page: Open, shop: Workspace, runs: list[Run]
) -> None:
    page = open_page(shop, "compare", dataset="shop", runs=ids(runs[2:]), baseline=runs[0].id)
    assert set(page.multiselect[0].value) == {runs[0].id, runs[2].id, runs[3].id}
    assert page.query_params["baseline"] in (runs[0].id, [runs[0].id])
    assert any(runs[0].id[:6] in head.value for head in page.header)
    page.multiselect[0].set_value([runs[2].id, runs[3].id]).run()
    assert not page.exception
    assert "baseline" not in page.query_params
    assert set(page.multiselect[0].value) == {runs[2].id, runs[3].id}


def test_only_what_differs_between_settings_is_shown(
    open_page: Open, shop: Workspace, runs: list[Run]
) -> None:
    page = open_page(shop, "compare", dataset="shop", runs=ids(runs[2:]))
    assert list(frame(page, "settings_table")["setting"]) == [text("en", "param.dim").plain]
    assert text("en", "param.dim").plain in frame(page, "leaderboard")
    page.toggle(key="all_settings").set_value(True).run()
    assert len(frame(page, "settings_table")) > 5
    alike = open_page(shop, "compare", dataset="shop", runs=ids(runs[:1]))
    assert text("en", "compare.settings.alike") in words(alike)


def test_what_only_one_run_has_is_no_difference(
    open_page: Open, shop: Workspace, runs: list[Run]
) -> None:
    open_page(shop, "compare", dataset="shop")  # a page to speak in
    assert differing_settings(runs[:2]) == {}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_runs_are_found_by_their_tags_and_notes_are_shown_literally(
    open_page: Open, shop: Workspace, runs: list[Run], language: str
) -> None:
    holdings.annotate(shop, runs[0].id, f"{HOSTILE}\nsecond", add=[HOSTILE])
    holdings.annotate(shop, runs[1].id, add=["other"])
    page = open_page(shop, "compare", dataset="shop", language=language, runs=ids(runs))
    assert f"{HOSTILE}" in list(frame(page, "leaderboard")["tags"])
    assert str(literal(HOSTILE)) in words(page)
    assert "second" in words(page)
    (pills,) = page.get("button_group")[:1]
    assert len(pills.options) == 2
    page = open_page(shop, "compare", dataset="shop", language=language, tag=f'"{HOSTILE}"')
    assert page.multiselect[0].value == [runs[0].id]
    none = open_page(shop, "compare", dataset="shop", language=language, tag=f'"{HOSTILE}",other')
    assert none.markdown[0].value == text(language, "compare.tags.none")
    assert not none.warning


def test_a_note_is_written_on_the_page(open_page: Open, shop: Workspace, runs: list[Run]) -> None:
    page = open_page(shop, "compare", dataset="shop", run=runs[0].id)
    note = next(box for box in page.text_area if str(box.key).startswith(f"note_{runs[0].id}"))
    tags = next(box for box in page.text_input if str(box.key).startswith(f"tags_of_{runs[0].id}"))
    note.set_value("two\nlines")
    tags.set_value("b, a,")
    page.button(key=f"annotate_{runs[0].id}").click().run()
    assert not page.exception
    assert not page.error
    notes = artifact.find_run(shop, runs[0].id).notes
    assert (notes.note, notes.tags) == ("two\nlines", ("a", "b"))
    tags = next(box for box in page.text_input if str(box.key).startswith(f"tags_of_{runs[0].id}"))
    tags.set_value("a, " + "x" * 41)
    page.button(key=f"annotate_{runs[0].id}").click().run()
    assert "1 to 40 printable characters" in page.error[0].value
    assert artifact.find_run(shop, runs[0].id).notes == notes


def test_a_run_is_archived_from_here_and_leaves_the_address(
    open_page: Open, shop: Workspace, runs: list[Run]
) -> None:
    gone = runs[0]
    page = open_page(
        shop, "compare", dataset="shop", run=gone.id, runs=ids(runs[:3]), baseline=gone.id
    )
    page.button(key=f"archive_{gone.id}").click().run()
    assert not page.exception
    assert not page.warning
    assert artifact.find_run(shop, gone.id).archived
    assert gone.id not in str(dict(page.query_params))
    assert set(page.multiselect[0].value) == {run.id for run in runs[1:3]}


def test_deleting_says_what_goes(open_page: Open, shop: Workspace, runs: list[Run]) -> None:
    page = open_page(shop, "compare", dataset="shop", run=runs[3].id, runs=ids(runs))
    page.button(key=f"delete_{runs[3].id}").click().run()
    assert any(runs[3].id in said.value for said in page.text)
    page.button(key=f"confirm_{runs[3].id}").click().run()
    assert not page.exception
    assert not page.warning
    assert {run.id for run in artifact.list_runs(shop)} == {run.id for run in runs[:3]}


def test_a_run_begins_a_form_with_its_settings(
    open_page: Open, shop: Workspace, runs: list[Run]
) -> None:
    run = pipeline.train(
        shop,
        RunRequest(
            "shop", "als", {"dim": 6, "sweeps": 3}, "by-time", seed=5, device="cpu", cut="0.3"
        ),
    )
    page = open_page(shop, "train", dataset="shop", clone=run.id)
    assert text("en", "train.cloned", run=run_label(run)) in [said.value for said in page.info]
    assert page.multiselect(key=f"models_{run.id}").value == ["als"]
    assert page.number_input(key=f"param_als_dim_{run.id}").value == 6
    assert page.number_input(key=f"seed_{run.id}").value == 5
    assert page.selectbox(key=f"split_{run.id}").value == "by-time"
    assert page.text_input(key=f"cut_{run.id}").value == run.config.cut
    assert page.selectbox(key=f"device_{run.id}").value == "cpu"
    page.button(key="start").click().run()
    assert not page.error
    assert page.query_params["run"] in (run.id, [run.id]), "the same settings are the same run"
    page.button(key="unclone").click().run()
    assert page.selectbox(key="split").value == "leave-last-out"
    assert not page.exception
    linked = open_page(shop, "compare", dataset="shop", run=run.id)
    assert any(f"clone={run.id}" in str(each.proto) for each in linked.get("page_link"))


def test_what_ended_unfinished_is_resumed(open_page: Open, shop: Workspace) -> None:
    config = RunRequest("shop", "ease", device="cpu").resolve(shop)
    with (
        pytest.raises(CoreError, match="halfway"),
        jobs.train_inline(shop, config, "shop", "mine") as report,
    ):
        raise CoreError("halfway")
    ident = report.folder.name
    assert jobs.status(shop, ident).state == "failed"
    page = open_page(shop, "train", dataset="shop", run=ident)
    page.button(key=f"resume_{ident}").click().run()
    assert not page.exception
    while jobs.status(shop, ident).active:
        page.run()
    assert artifact.find_run(shop, ident).name == "mine"
    page = open_page(shop, "train", dataset="shop", run=ident)
    assert not [button for button in page.button if str(button.key).startswith("resume_")]
    with pytest.raises(BadInput, match="is done: only one that ended unfinished"):
        jobs.resume(shop, ident)


def test_the_best_epoch_is_told_where_there_is_one(
    open_page: Open, shop: Workspace, runs: list[Run]
) -> None:
    assert "best_epoch" not in frame(open_page(shop, "compare", dataset="shop"), "leaderboard")
    lines = [(1, 1, None), (2, 2, None), (3, 2, None), (1, None, True)]
    for epoch, best, refit in lines:
        said = {"epoch": epoch, "epochs": 9, "best_epoch": best, "refit": refit}
        with (runs[2].folder / "epochs.jsonl").open("a") as file:
            file.write(str(said).replace("'", '"').replace("None", "null").replace("True", "true"))
            file.write("\n")
    assert jobs.best_epoch(shop, runs[2].id) == 2
    board = frame(open_page(shop, "compare", dataset="shop", runs=ids(runs)), "leaderboard")
    assert board.set_index("run").loc[run_label(runs[2]), "best_epoch"] == 2


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("axis", ["diversity", "coverage", "popularity_bias", "size", "list_ms"])
def test_each_second_measure_has_a_front(
    open_page: Open, shop: Workspace, runs: list[Run], axis: str, language: str
) -> None:
    query = {"dataset": "shop", "runs": ids(runs), "axis": axis, "language": language}
    page = open_page(shop, "compare", **query)
    assert not page.warning
    place = frame(page, "tradeoff_table")["place_on_front"]
    marks = {
        name: text(language, f"compare.front.mark.{name}").plain
        for name in ("front", "open", "behind")
    }
    assert set(place) <= set(marks.values())
    assert marks["front"] in set(place)
    on_front = text(language, "compare.front.front", runs="RUNS", n=2, x="X", y="Y").split("RUNS")[
        1
    ]
    alone = text(language, "compare.front.front", runs="RUNS", n=1, x="X", y="Y").split("RUNS")[1]
    assert on_front in words(page) or alone in words(page)


def test_runs_that_chance_could_tell_apart_are_not_said_to_be_behind(
    open_page: Open, shop: Workspace, runs: list[Run]
) -> None:
    """On so few people next to nothing is sure: a run is behind only where an interval says so."""
    page = open_page(shop, "compare", dataset="shop", runs=ids(runs), axis="diversity")
    table = frame(page, "tradeoff_table")
    behind = table[table["place_on_front"] == text("en", "compare.front.mark.behind").plain]
    values = [run.per_user() for run in runs]
    assert all(value is not None for value in values)
    names = comparison.short_names(runs)
    for name in behind["run"]:
        place = list(names.values()).index(name)
        sure = False
        for other, own in enumerate(values):
            if other != place:
                rows = pipeline.compare(
                    shop, [runs[place], runs[other]], metrics=["ndcg@10", "diversity@10"]
                )
                sure |= bool((rows["low"] >= 0).all() and (rows["low"] > 0).any())
            assert own is not None
        assert sure, name


def test_the_second_measure_stands_in_the_address(
    open_page: Open, shop: Workspace, runs: list[Run]
) -> None:
    page = open_page(shop, "compare", dataset="shop", axis="size")
    group = next(g for g in page.get("button_group") if str(g.key).startswith("axis_"))
    assert group.value in ("size", ["size"])


def test_who_gains_and_who_loses_is_counted_listed_and_linked(
    open_page: Open, shop: Workspace, runs: list[Run]
) -> None:
    query = {"runs": ids(runs), "baseline": runs[0].id, "rival": runs[1].id}
    page = open_page(shop, "compare", dataset="shop", **query)
    table = pipeline.by_person(runs[1], runs[0], "ndcg@10")
    better, worse = (table["difference"] > 0).sum(), (table["difference"] < 0).sum()
    said = text(
        "en", "compare.people.counts", metric="NDCG@10", run=run_label(runs[1]), of=len(table),
        better=int(better), worse=int(worse), alike=int(len(table) - better - worse),
    )  # fmt: skip
    assert said in words(page)
    links = re.findall(r"\]\(recommendations\?([^)]*)\)", " ".join(
        str(cell) for each in page.table for cell in each.value.to_numpy().ravel()
    ))  # fmt: skip
    assert len(links) == min(8, better) + min(8, worse)
    first = table["user_id"].iloc[0]
    assert any(f"user={first}&" in link for link in links)
    person = open_page(shop, "recommendations", dataset="shop", user=first, runs=ids(runs[:2]))
    assert not person.warning
    novelty = open_page(shop, "compare", dataset="shop", **query, metric="novelty")
    assert text("en", "compare.people.no_better", metric="Novelty@10") in words(novelty)


def test_by_person_adds_up_by_command_and_in_a_notebook(
    shop: Workspace, runs: list[Run], recscope, tmp_path
) -> None:
    import recscope as api

    table = api.open(shop.path, progress=False).by_person(runs[1].id, runs[0].id, "recall@10")
    assert table["difference"].is_monotonic_decreasing
    assert (table["run"] - table["baseline"] - table["difference"]).abs().max() < 1e-12
    own = runs[1].metrics
    assert own is not None
    assert table["run"].mean() == pytest.approx(own.metrics["recall@10"].mean)
    out = tmp_path / "people.csv"
    words = ["compare", runs[0].id, runs[1].id, "--metrics", "recall@10", "--people", out]
    code, said, err = recscope(*words, "--data-dir", shop.path)
    assert code == 0, err
    written = pd.read_csv(out)
    assert list(written["user_id"]) == list(table["user_id"])
    assert written["difference"].tolist() == pytest.approx(table["difference"].tolist())
    assert f"better for {(table['difference'] > 0).sum()} people" in said
    code, _, err = recscope("compare", runs[0].id, "--people", out, "--data-dir", shop.path)
    assert (code, "name another" in err) == (2, True)
    words = [*words[:3], "--metrics", "coverage@10", "--people", out]
    code, _, err = recscope(*words, "--data-dir", shop.path)
    assert code == 2
    assert "coverage@10" in err


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("kind", ["rating", "quantity", None])
def test_errors_of_ratings_are_shown_where_there_are_ratings(
    open_page: Open, shop: Workspace, runs: list[Run], kind: str | None, language: str
) -> None:
    """As an evaluation of an older Recscope may have stored them."""
    path = runs[2].folder / artifact.METRICS
    content = read_json(path)
    assert content is not None
    content["metrics"]["rmse"] = {"mean": 1.25, "low": 1.0, "high": 1.5}
    write_json_atomically(path, content)
    info = shop.dataset("shop").folder / "dataset.json"
    about = read_json(info)
    write_json_atomically(info, {**(about or {}), "value_kind": kind})
    query = {"dataset": "shop", "runs": ids(runs), "language": language}
    page = open_page(shop, "compare", **query, metric="rmse")
    rows = list(figures(page)["metric"])
    assert ("RMSE" in rows) == (kind == "rating")
    said = (
        text(language, f"metrics.left_out.{kind or 'none'}", metrics="RMSE")
        if kind != "rating"
        else ""
    )
    assert said in words(page)
    assert not page.warning


def test_which_metrics_are_of_ratings_is_what_the_registry_says() -> None:
    assert set(OF_RATINGS) == set(metrics_of(OfRatings))
    assert meaningless("rating") == ()
    assert meaningless("quantity") == meaningless(None) == OF_RATINGS
