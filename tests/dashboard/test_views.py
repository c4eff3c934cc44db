"""Every page in every state draws without an exception or a warning, and does what it offers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Selectbox

from core import jobs, pipeline
from core.data.durable import read_json, write_json_atomically
from core.data.features.encoders import LIBRARIES, Library
from core.data.ingest.ingest import ingest
from core.data.store import Workspace
from core.recommend.rerank import METHODS
from core.runs import artifact
from core.runs.request import RunRequest
from core.types import EpochReport
from dashboard import state
from dashboard.charts import theme
from dashboard.components import sample
from dashboard.state import mark
from dashboard.text import LANGUAGES, text
from dashboard.text.evidence import evidence as in_language
from tests.dashboard.conftest import APP, VIEWS, Open

pytestmark = pytest.mark.slow  # together too many for `make quick`


def words(page: AppTest) -> str:
    return " ".join(element.value for element in [*page.markdown, *page.caption, *page.info])


def box(page: AppTest, name: str) -> Selectbox:
    """The box that chooses this value of the address."""
    return next(found for found in page.selectbox if str(found.key).startswith(f"pick_{name}_"))


@pytest.mark.parametrize("on_dark", [False, True])
def test_the_name_is_written_in_the_colour_of_words(on_dark: bool) -> None:
    from dashboard.app import ICON, logo

    words = theme.WORDS[on_dark]
    drawing = ElementTree.fromstring(logo(on_dark))
    assert drawing[-1].get("fill") == words  # the last path is the name
    assert "currentColor" not in logo(on_dark)
    mark = ElementTree.fromstring(ICON.read_text("utf-8"))
    shapes = [ElementTree.tostring(shape) for shape in mark]
    assert shapes == [ElementTree.tostring(shape) for shape in drawing[1:-1]]  # one mark


def test_every_view_is_a_page() -> None:
    from dashboard.app import PAGES

    assert sorted(name for group in PAGES.values() for name in group) == VIEWS


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("view", VIEWS)
def test_a_page_of_an_empty_workspace(
    open_page: Open, nothing: Workspace, view: str, language: str
) -> None:
    page = open_page(nothing, view, language=language)
    assert page.title[0].value == text(language, f"{view}.question")
    assert not page.error
    assert not page.warning


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("view", VIEWS)
def test_a_page_with_data(open_page: Open, trained: Workspace, view: str, language: str) -> None:
    page = open_page(trained, view, dataset="movielens", language=language)
    assert page.title[0].value == text(language, f"{view}.question")
    assert not page.error
    assert not page.warning


@pytest.mark.parametrize("view", VIEWS)
def test_an_address_that_names_what_is_not_there(
    open_page: Open, trained: Workspace, view: str
) -> None:
    page = open_page(trained, view, dataset="nowhere", run="never", user="nobody", k="x")
    assert page.title[0].value == text("en", f"{view}.question")
    assert not page.error


def test_the_page_says_what_the_address_names_in_vain(open_page: Open, trained: Workspace) -> None:
    page = open_page(trained, dataset="nowhere")
    assert page.warning[0].value == text("en", "context.unknown_dataset", value="nowhere")
    assert len(page.radio) == 1  # the dataset of the newest run instead, with one person
    page = open_page(trained, "recommendations", dataset="movielens")
    page.query_params["user"] = "nobody"
    page.run()
    assert page.warning[0].value == text("en", "recommendations.unknown_user", value="nobody")


def test_the_language_follows_the_browser(trained: Workspace, open_page: Open) -> None:
    page = open_page(trained)
    page.context = {"locale": "zh-CN"}
    page.run()
    assert page.title[0].value == text("zh", "home.question")
    box(page, "language").select("en").run()
    assert page.title[0].value == text("en", "home.question")
    assert page.query_params["language"] == "en"


def test_compare_says_that_runs_were_computed_otherwise(
    open_page: Open, trained: Workspace
) -> None:
    paths = [run.folder / "run.json" for run in artifact.list_runs(trained)]
    before = {path: read_json(path) for path in paths}

    def computed_with(threads: list[int]) -> list[str]:
        """What the page says of machines once the runs were computed with so many threads."""
        for (path, run), n in zip(before.items(), threads, strict=True):
            assert run is not None
            write_json_atomically(path, {**run, "machine": {**run["machine"], "threads": n}})
        page = open_page(trained, "compare", dataset="movielens")
        return [c.value for c in page.caption if "Not computed alike" in c.value]

    try:
        assert not computed_with([2] * len(before))
        (told,) = computed_with(list(range(5, 5 + len(before))))  # other tests add runs to these
        assert told.count(" threads") >= 2
    finally:
        for path, run in before.items():
            write_json_atomically(path, run)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_compare_says_once_what_holds_for_all_runs(
    open_page: Open, trained: Workspace, language: str
) -> None:
    page = open_page(trained, "compare", dataset="movielens", language=language)
    runs = page.multiselect[0].value
    assert len(runs) > 1
    split = text(language, "split.leave-last-out")
    (protocol,) = [m.value for m in page.markdown if m.value.startswith("- ") and split in m.value]
    assert all(run[:6] in protocol for run in runs)
    seen = text(language, "shortcuts.no_repeats")
    assert sum(c.value.count(seen) for c in page.caption) == 1


def test_an_empty_home_fills_itself(
    open_page: Open, nothing: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "FIRST_MODELS", ("popularity",))
    page = open_page(nothing)
    page.button(key="sample").click().run()
    assert not page.exception
    assert [info.name for info in nothing.datasets()] == ["MovieLens"]
    started = jobs.statuses(nothing)
    assert [status.model for status in started] == ["popularity"]
    jobs.cancel(nothing, started[0].run_id)


def test_train_starts_a_job_that_another_tab_finds(open_page: Open, trained: Workspace) -> None:
    page = open_page(trained, "train", dataset="movielens")
    page.multiselect(key="models").set_value(["recent_popularity"]).run()
    page.number_input(key="param_recent_popularity_window_days").set_value(90.0).run()
    page.button(key="start").click().run()
    assert not page.exception
    run = page.query_params["run"]
    other = open_page(trained, "train", dataset="movielens", run=run)
    assert not other.warning
    deadline = time.monotonic() + 120
    while jobs.status(trained, run).active and time.monotonic() < deadline:
        time.sleep(0.2)
    assert jobs.status(trained, run).state == "done"
    other.run()
    assert "Recent popularity" in list(other.dataframe[0].value["model"])


def test_by_time_is_cut_where_one_says(open_page: Open, trained: Workspace) -> None:
    page = open_page(trained, "train", dataset="movielens")
    page.multiselect(key="models").set_value(["popularity"]).run()
    assert not [box for box in page.text_input if box.key == "cut"]
    page.selectbox(key="split").set_value("by-time").run()
    page.text_input(key="cut").set_value("soon").run()
    page.button(key="start").click().run()
    assert "a date such as 2024-03-01" in page.error[0].value
    page.text_input(key="cut").set_value("2015-01-01").run()
    page.button(key="start").click().run()
    run = page.query_params["run"]
    deadline = time.monotonic() + 120
    while jobs.status(trained, run).active and time.monotonic() < deadline:
        time.sleep(0.2)
    page.run()
    assert "2015-01-01" in " ".join(page.dataframe[0].value["split"])
    artifact.delete_run(trained, run)


def test_the_split_fits_a_log_of_baskets(
    open_page: Open, trained: Workspace, nothing: Workspace, tmp_path: Path
) -> None:
    baskets = [(f"u{n % 9}", f"i{n}", f"2024-01-{1 + n // 18:02}") for n in range(90)]
    lines = ["user,item,time", *map(",".join, baskets)]
    (tmp_path / "log.csv").write_text("\n".join(lines))
    ingest(nothing, [tmp_path / "log.csv"], name="shop")
    page = open_page(nothing, "train")
    assert page.selectbox(key="split").value == "last-visit"
    assert "For 100% of people the last event has the same time" in words(page)
    page.selectbox(key="split").set_value("by-time").run()
    assert "For 100% of people" not in words(page)
    films = open_page(trained, "train", dataset="movielens")
    assert films.selectbox(key="split").value == "leave-last-out"


def test_what_stops_a_network_is_chosen_where_there_is_one(
    open_page: Open, trained: Workspace
) -> None:
    page = open_page(trained, "train", dataset="movielens")
    page.multiselect(key="models").set_value(["popularity"]).run()
    assert not [box for box in page.selectbox if str(box.key).startswith("validate_on")]
    page.multiselect(key="models").set_value(["popularity", "auto"]).run()
    box = page.selectbox(key="validate_on_next-event")
    assert box.value == "next-event"
    assert "next period" in box.options[2]
    page.selectbox(key="split").set_value("by-time").run()
    assert page.selectbox(key="validate_on_next-period").value == "next-period"
    assert not page.exception


def test_a_run_that_waits_is_evaluated_as_it_was_trained(
    open_page: Open, trained: Workspace
) -> None:
    components = [run.id for run in artifact.list_runs(trained)][:2]
    params = {"components": ",".join(components)}
    request = RunRequest("movielens", "fusion", params, validate_on="next-period", device="cpu")
    run = pipeline.train(trained, request)
    before = {status.run_id for status in jobs.statuses(trained)}
    page = open_page(trained, "compare", dataset="movielens")
    page.button(key="evaluate").click().run()
    deadline = time.monotonic() + 120
    while jobs.status(trained, run.id).active and time.monotonic() < deadline:
        time.sleep(0.2)
    assert {status.run_id for status in jobs.statuses(trained)} <= {*before, run.id}
    assert artifact.find_run(trained, run.id).metrics
    artifact.delete_run(trained, run.id)


def test_no_run_leads_among_those_that_were_not_asked_the_same(
    open_page: Open, trained: Workspace
) -> None:
    request = RunRequest("movielens", "popularity", split="by-time", cut="2014-06-01", device="cpu")
    late = pipeline.train(trained, request)
    pipeline.evaluate(trained, late)
    page = open_page(trained, "compare", dataset="movielens")
    asked = page.multiselect[0].value
    assert late.id not in asked  # one click away, and not beside the others by itself
    assert "Transition graph" in page.markdown[0].value
    assert "people were evaluated on what came next" in page.caption[0].value
    mixed = open_page(trained, "compare", dataset="movielens", runs=f"{late.id},{asked[0]}")
    assert "were not asked the same questions, so none of them leads" in mixed.markdown[0].value
    alone = open_page(trained, "compare", dataset="movielens", runs=late.id)
    assert "2014-06-01" in alone.caption[0].value
    assert "of them had no history" in alone.caption[0].value
    artifact.delete_run(trained, late.id)


def test_compare_answers_for_the_metric_chosen(open_page: Open, trained: Workspace) -> None:
    page = open_page(trained, "compare", dataset="movielens")
    assert "NDCG@10" in words(page)
    assert "Transition graph" in page.markdown[0].value
    box(page, "metric").select("auc").run()
    assert not page.exception
    assert page.query_params["metric"] == "auc"
    assert "AUC" in page.markdown[0].value


def test_recommendations_take_any_user_and_hide_what_is_known(
    open_page: Open, trained: Workspace
) -> None:
    page = open_page(trained, "recommendations", dataset="movielens", user="1", k="5")
    assert "User **1** has 232 events" in words(page)
    assert all(len(table.value) == 5 for table in page.table)
    page.toggle(key="hide").set_value(False).run()
    assert not page.exception
    assert page.query_params["keep"] == "1"
    page.button(key="random_user").click().run()
    assert not page.exception
    assert page.query_params["user"] != "1"


def test_a_history_in_order_has_no_dates(
    open_page: Open, trained: Workspace, nothing: Workspace, tmp_path: Path
) -> None:
    log = tmp_path / "log.csv"
    lines = "".join(f"u{n % 9},i{n},{n}\n" for n in range(90))
    log.write_text(f"user_id,item_id,timestamp\n{lines}")
    info = ingest(nothing, [log])
    assert info.time_kind == "order"
    pipeline.train(nothing, RunRequest(info.id, "popularity", device="cpu"))
    for workspace, user, dates in ((nothing, "u1", False), (trained, "1", True)):
        page = open_page(workspace, "recommendations", user=user)
        history = page.dataframe[0].proto
        assert ("YYYY-MM-DD" in history.columns) == dates


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_lists_are_more_varied_as_the_address_says(
    open_page: Open, trained: Workspace, language: str
) -> None:
    page = open_page(trained, "recommendations", dataset="movielens", user="1", language=language)
    number, place = text(language, "column.rank"), text(language, "column.model_rank")
    assert all(place not in table.value for table in page.table)
    assert "strength" not in page.session_state
    box(page, "rerank").select("mmr").run()
    assert (page.query_params["rerank"], page.select_slider(key="strength").value) == ("mmr", "0.3")
    page.select_slider(key="strength").set_value("0.9").run()
    assert not page.exception
    assert not page.warning
    assert page.query_params["strength"] == "0.9"
    for table in page.table:
        assert list(table.value[number]) == list(range(1, 11))
        assert sorted(table.value[place]) != list(range(1, 11))
    linked = {name: page.query_params[name] for name in ("dataset", "user", "rerank", "strength")}
    again = open_page(trained, "recommendations", **linked, language=language)
    assert again.table[0].value.equals(page.table[0].value)
    again.select_slider(key="strength").set_value("0").run()
    assert all(list(table.value[place]) == list(range(1, 11)) for table in again.table)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("method", METHODS)
def test_a_re_ranking_without_anything_to_go_by_says_so(
    open_page: Open, nothing: Workspace, tmp_path: Path, method: str, language: str
) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    roles = {"user_id": "who", "item_id": "what"}
    ingest(nothing, [tmp_path / "log.csv"], mapping=roles, name="log")
    run = pipeline.train(nothing, RunRequest("log", "popularity", device="cpu"))
    page = open_page(nothing, "recommendations", rerank=method, keep="1", language=language)
    label = f"{text(language, 'model.popularity')} · {run.id[:6]}"
    sentence = text(language, f"rerank.{method}.nothing", run=label)
    assert [warning.value for warning in page.warning] == [sentence]
    best = pipeline.recommend(nothing, run, users=["0"], k=10, hide_seen=False)["item_id"]
    assert len(page.table[0].value) == len(best) == 5
    assert text(language, "column.model_rank") not in page.table[0].value


LOG = "who,what,when\n" + "\n".join(
    f"{n % 9},{n * 7 % 5},2024-01-{n % 28 + 1:02d}" for n in range(90)
)


def test_an_upload_is_understood_corrected_and_imported(
    open_page: Open, nothing: Workspace
) -> None:
    page = open_page(nothing, "data")
    page.file_uploader(key="files_0").upload("log.csv", LOG.encode(), "text/csv").run()
    assert not page.exception
    if page.error:  # nothing in the names says who and what: the person does
        for role, column in (("user_id", "who"), ("item_id", "what")):
            page.text_input(key=f"told_{role}_{mark(['log.csv'])}").set_value(column).run()
    assert not page.error
    page.text_input(key="name_log.csv").set_value("mine").run()
    page.button(key="import").click().run()
    assert not page.exception
    assert "**90** of **90** rows kept" in page.success[0].value
    made = nothing.dataset("mine")
    assert made.mapping["user_id"] == "who"
    assert made.mapping["item_id"] == "what"
    assert page.query_params["dataset"] == made.id
    assert not list((nothing.path / "tmp" / "uploads").glob("*"))


def test_the_layout_of_an_upload_is_told_and_corrected(open_page: Open, nothing: Workspace) -> None:
    lists = "0 3 1 4\n1 5 9 2 6\n2 5 3\n3 5 8 9 7\n4 9 3 2 3 8 4\n"
    page = open_page(nothing, "data")
    page.file_uploader(key="files_0").upload("lists.txt", lists.encode(), "text/plain").run()
    assert not page.error
    assert "every other word is an item" in words(page)
    chooser = page.selectbox(key=f"layout_{mark(['lists.txt'])}")
    assert chooser.value == "sequences"
    chooser.set_value("baskets").run()
    assert not page.error
    assert "one basket a line" in words(page)
    page.button(key="import").click().run()
    assert not page.exception
    assert "**24** of **24** rows kept" in page.success[0].value


def test_an_upload_is_read_as_the_person_says(open_page: Open, nothing: Workspace) -> None:
    """Also where it cannot be read at all before; what is mostly rejected is said first."""
    rows = "".join(f"a{n % 9};b{n % 7};{n % 5}\n" for n in range(40))
    text = f"who;what;why\nuser_id;item_id;rating\n{rows}" + "short\n" * 10
    page = open_page(nothing, "data")
    page.file_uploader(key="files_0").upload("odd.txt", text.encode(), "text/plain").run()
    assert page.error
    boxes = {n: f"reading_{n}_{mark(['odd.txt'])}" for n in ("delimiter", "header_line", "comment")}
    assert "|" in page.selectbox(key=boxes["delimiter"]).options  # as it is, not escaped
    page.selectbox(key=boxes["delimiter"]).set_value(";").run()
    page.text_input(key=boxes["header_line"]).set_value("second").run()
    assert "'second'" in page.error[0].value
    page.text_input(key=boxes["header_line"]).set_value("2").run()
    assert not page.error
    assert "10 of 50" in page.warning[0].value
    page.button(key="import").click().run()
    assert not page.exception
    assert "**40** of **50** rows kept" in page.success[0].value
    assert "10 of 50" in page.warning[0].value


def test_a_table_that_fits_badly_is_told_first(open_page: Open, nothing: Workspace) -> None:
    """Right after the import, and whenever the dataset is opened; one that fits is not named."""
    page = open_page(nothing, "data")
    log = "user_id,item_id\n" + "".join(f"u{n % 9},i{n % 20}\n" for n in range(90))
    uploader = page.file_uploader(key="files_0").upload("log.csv", log.encode(), "text/csv")
    for name, met in {"bad.csv": 8, "good.csv": 20}.items():  # of the 20 items of the log
        lines = "".join(f"i{n if n < met else n + 100},Title *{n}*\n" for n in range(20))
        uploader.upload(name, f"item_id,title\n{lines}".encode(), "text/csv")
    uploader.run()
    page.button(key="import").click().run()
    assert page.success
    (dataset,) = nothing.datasets()
    (sentence,) = dataset.meta["advice"]
    assert sentence.startswith("bad.csv meets 40%")
    opened = {language: open_page(nothing, "data", language=language) for language in LANGUAGES}
    for language, seen in [("en", page), *opened.items()]:
        said = text(language, "data.unmatched", advice=in_language(language, sentence))
        assert [warning.value for warning in seen.warning] == [said]
        drawn = [element.type for element in seen.main]
        assert drawn.index(seen.warning[0].type) < drawn.index("tab")


def test_a_path_on_the_server_is_opened_only_where_it_may(
    open_page: Open, nothing: Workspace
) -> None:
    page = open_page(nothing, "data")
    page.segmented_control(key="source").set_value("path").run()
    page.text_area(key="path").set_value("/etc/passwd").run()
    assert "/etc/passwd" in page.error[0].value
    page.text_area(key="path").set_value("movielens-latest-small/ratings.csv").run()
    assert not page.error
    assert page.button(key="import")


def test_a_cleaned_version_is_made_beside_the_old(open_page: Open, trained: Workspace) -> None:
    before = trained.dataset("movielens")
    page = open_page(trained, "data", dataset=before.id)
    page.session_state[f"tabs_{before.id}"] = text("en", "data.tab.quality")
    page.run()
    assert page.button(key="clean").disabled
    page.toggle(key="propose_k_core").set_value(True).run()
    page.button(key="clean").click().run()
    assert not page.exception
    after = trained.dataset(page.query_params["dataset"])
    assert after.parent == before.id
    assert 0 < after.counts["rows_kept"] < before.counts["rows_kept"]
    assert f"{after.counts['rows_kept']:,}" in page.success[0].value


def test_two_datasets_of_one_name_are_told_apart(open_page: Open, trained: Workspace) -> None:
    before = trained.datasets()
    for info in before[:2]:
        trained.rename(info.id, "twins")
    page = open_page(trained, dataset=before[0].id)
    assert len(set(box(page, "dataset").options)) == len(before)
    box(page, "dataset").select(before[1].id).run()
    assert page.query_params["dataset"] == before[1].id
    page.run()
    assert box(page, "dataset").value == before[1].id
    for info in before[:2]:
        trained.rename(info.id, info.name)


def test_home_is_drawn_without_torch(workspace: Workspace) -> None:
    code = (
        "import sys; from streamlit.testing.v1 import AppTest; "
        f"page = AppTest.from_file({str(APP)!r}, default_timeout=120).run(); "
        "assert not page.exception; assert page.title; "
        "sys.exit('torch is loaded' if 'torch' in sys.modules else 0)"
    )
    env = {**os.environ, "RECSCOPE_HOME": str(workspace.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=env, cwd=APP.parents[1])


def test_a_training_is_seen_epoch_by_epoch(open_page: Open, trained: Workspace) -> None:
    info = trained.dataset("movielens")
    config = RunRequest(info.id, "unified", seed=77, device="cpu").config()
    with jobs.train_inline(trained, config, info.name) as report:
        report.stage("fit")
        for epoch in (1, 2, 3):
            figures = {"loss": 3.0 / epoch, "validation": 0.1 * epoch, "rows_per_second": 1234.5}
            gpu = {"gpu": "A GPU", "memory": epoch * 2**30, "memory_of": 80 * 2**30}
            report.epoch(EpochReport(epoch, 9, seconds_left=60.0, **figures, **gpu))
            page = open_page(trained, "train", dataset="movielens")
            assert not page.error
            said = words(page)
            assert ("1,234 rows/s" in said or "1,235 rows/s" in said) == (epoch > 1)
            assert (f"epoch {epoch} of at most 9" in said) == (epoch > 1)
            assert (f"A GPU: {epoch}.0 of 80.0 GiB" in said) == (epoch > 1)
    page = open_page(trained, "train", dataset="movielens")
    assert "rows/s" not in words(page)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_a_fusion_says_what_each_component_counts(
    open_page: Open, trained: Workspace, language: str
) -> None:
    parts = {"components": "popularity,transitions"}
    run = pipeline.train(trained, RunRequest("movielens", "fusion", parts, device="cpu"))
    page = open_page(trained, "train", dataset="movielens", run=run.id, language=language)
    assert not page.error
    shown = page.dataframe[0].value
    assert list(shown["model"]) == [
        text(language, "model.popularity"),
        text(language, "model.transitions"),
    ]
    weights = shown[text(language, "findings.from", n=100)]
    assert weights.sum() == pytest.approx(100, abs=0.1)
    assert weights[1] > weights[0]
    artifact.delete_run(trained, run.id)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_what_was_chosen_is_told_apart(open_page: Open, trained: Workspace, language: str) -> None:
    run = pipeline.train(trained, RunRequest("movielens", "auto", {"minutes": "0.1"}, device="cpu"))
    page = open_page(trained, "train", dataset="movielens", run=run.id, language=language)
    assert not page.error
    components, choices = (one.value for one in page.dataframe[:2])
    told = list(choices["model"])
    assert len(set(told)) == len(told)
    assert f"{text(language, 'model.recent_popularity')} 365 d" in told
    assert text(language, "why.visitors") in list(choices["why"])
    assert set(components["model"]) <= set(told)
    assert "run" not in components
    artifact.delete_run(trained, run.id)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_two_stages_say_what_each_does(open_page: Open, trained: Workspace, language: str) -> None:
    parts = {"components": "popularity,transitions", "method": "stages", "candidates": "300"}
    run = pipeline.train(trained, RunRequest("movielens", "fusion", parts, device="cpu"))
    page = open_page(trained, "train", dataset="movielens", run=run.id, language=language)
    assert not page.error
    shown = page.dataframe[0].value
    does = [text(language, "findings.finds", n=300), text(language, "findings.orders")]
    assert list(shown[text(language, "findings.does")]) == does
    assert text(language, "findings.from", n=100) not in shown.columns
    artifact.delete_run(trained, run.id)


def test_train_asks_for_texts_and_images_where_they_are_read(
    open_page: Open, trained: Workspace
) -> None:
    page = open_page(trained, "train", dataset="movielens")
    label = text("en", "train.encoders")
    assert label not in [box.label for box in page.expander]
    page.multiselect(key="models").set_value(["popularity", "content"]).run()
    assert label in [box.label for box in page.expander]
    page.text_input(key="text_model").set_value("svd").run()
    page.button(key="start").click().run()
    assert not page.exception
    run = page.query_params["run"]
    deadline = time.monotonic() + 120
    while jobs.status(trained, run).active and time.monotonic() < deadline:
        time.sleep(0.2)
    assert jobs.status(trained, run).state == "done"
    page.run()
    assert "9,722 of 9,724 items have a text" in words(page)  # two have no word of two letters
    assert artifact.find_run(trained, run).config.features == {"text_model": "svd"}
    artifact.delete_run(trained, run)


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ({"images": "{outside}", "image_model": "x"}, "RECSCOPE_DATA_ROOT"),
        ({"images": "../outside", "image_model": "x"}, "RECSCOPE_DATA_ROOT"),
        ({"images": "link", "image_model": "x"}, "RECSCOPE_DATA_ROOT"),
        ({"images": "inside", "image_model": "{outside}"}, "RECSCOPE_DATA_ROOT"),
        ({"images": "inside", "image_model": "open_clip:{outside}"}, "RECSCOPE_DATA_ROOT"),
        ({"images": "inside", "image_model": "local-dir:{outside}"}, "RECSCOPE_DATA_ROOT"),
        ({"text_model": "{outside}"}, "RECSCOPE_DATA_ROOT"),
        ({"text_model": "{outside}/not/there"}, "RECSCOPE_DATA_ROOT"),
        ({"text_model": "here"}, "RECSCOPE_DATA_ROOT"),
        ({"images": "inside"}, "image_model is missing"),
        ({"images": "inside", "image_model": "known:inside"}, "no-such-thing is not installed"),
    ],
)
def test_train_opens_only_allowed_folders(
    open_page: Open,
    trained: Workspace,
    written: dict[str, str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("root/inside", "outside", "cwd/here"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "root" / "link").symlink_to(tmp_path / "outside")
    monkeypatch.setenv("RECSCOPE_DATA_ROOT", str(tmp_path / "root"))
    missing = Library("no-such-thing", "image", lambda name, device: lambda images: None)
    monkeypatch.setitem(LIBRARIES["image"], "known", missing)
    monkeypatch.chdir(tmp_path / "cwd")
    page = open_page(trained, "train", dataset="movielens")
    page.multiselect(key="models").set_value(["content"]).run()
    for name, value in written.items():
        page.text_input(key=name).set_value(value.format(outside=tmp_path / "outside"))
    before = len(jobs.statuses(trained))
    page.button(key="start").click().run()
    assert not page.exception
    assert sentence in page.error[0].value
    assert len(jobs.statuses(trained)) == before


def test_options_that_are_called_the_same_say_which_they_are():
    names = {"1": "Emma (1996)", "2": "Emma (1996)", "3": "Totoro"}
    assert state.apart(names) == {"1": "Emma (1996) · 1", "2": "Emma (1996) · 2", "3": "Totoro"}


def test_a_long_history_is_counted_whole(open_page, trained):
    """User 414 rated more films than are shown."""
    page = open_page(trained, "recommendations", user="414", language="en")
    n = 2698
    assert any(f"**414** has {n:,} events" in said.value for said in page.markdown)
    shown = text("en", "recommendations.history.count.some", n=n, most=200)
    assert shown in [said.value for said in page.caption]
    assert len(next(one for one in page.dataframe).value) == 200
