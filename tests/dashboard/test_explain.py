"""The Explain page says what core.explain found, whatever the model, the language and the state."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from core import pipeline
from core.data.ingest.ingest import ingest
from core.data.queries import item_labels
from core.data.store import Workspace
from core.errors import BadInput
from core.explain import Explanation, explain
from core.explain.counterfactual import counterfactual
from core.explain.reasons import causes, notable
from core.explain.what_if import edit_history
from core.recommend.top_k import recommend
from core.runs import artifact
from core.runs.artifact import Run
from core.runs.request import RunRequest
from core.types import Array, Progress, Queries
from dashboard import cache
from dashboard.background import Background
from dashboard.cache.keeping import cached_background
from dashboard.charts import explain as charts
from dashboard.components.explain.depth import BARS, CONTRAST, EVIDENCE, PROOF, WHAT_IF
from dashboard.components.explain.edits import Edits
from dashboard.components.explain.words import figures
from dashboard.text import LANGUAGES, text
from tests.dashboard.conftest import Open
from tests.dashboard.test_views import LOG, box, words

pytestmark = pytest.mark.slow  # together too many for `make quick`

USER = "130"  # 28 events


@dataclass(frozen=True)
class Asked:
    """A run with one person's history, asked without any page."""

    run: Run
    ready: pipeline.LoadedRun
    query: Queries
    titles: list[str]  # by item code

    @classmethod
    def of(cls, workspace: Workspace, run: Run, user: str = USER) -> Asked:
        ready = pipeline.load_run(workspace, run)
        titles = item_labels(workspace.dataset(run.config.dataset), ready.items.ids)
        return cls(run, ready, pipeline.history_of(ready, user), list(titles.astype(str)))

    def best(self, k: int, query: Queries | None = None) -> Array:
        query = self.query if query is None else query
        return recommend(self.ready.model, query, k, n_items=len(self.titles)).items[0]

    def explained(self, items: Array) -> Explanation:
        return explain(self.ready.model, self.query, items, n_items=len(self.titles))


@pytest.fixture(scope="module")
def films(trained: Workspace) -> Iterator[dict[str, Run]]:
    """Runs on MovieLens by model: one that ignores histories, exact, sampled and added-up ones."""
    runs = {run.config.model: run for run in artifact.list_runs(trained)}
    fused = f"{runs['popularity'].id},{runs['transitions'].id}"
    more = {"als": {"dim": 16}, "fusion": {"components": fused}, "content": {}}
    for model, params in more.items():
        runs[model] = pipeline.train(trained, RunRequest("movielens", model, params, device="cpu"))
    yield runs
    for model in more:
        artifact.delete_run(trained, runs[model].id)


def sentence(page: AppTest) -> str:
    """The card's, as plain text."""
    (told,) = [h.proto.body for h in page.get("html") if h.proto.body.startswith("<p")]
    return unescape(re.sub("<.*?>", "", told))


def plain(page: AppTest) -> str:
    """All words without the signs that keep names from being taken for Markdown."""
    return re.sub(r"\\(.)", r"\1", words(page))


def deeper(page: AppTest, depth: str) -> AppTest:
    """The same page as deep as this."""
    page.query_params["depth"] = depth
    page.run()
    assert not page.exception
    return page


def effects(page: AppTest) -> Array:
    """What the table of events says each adds, oldest first."""
    deeper(page, "bars")
    shown = next(table.value for table in page.dataframe if "effect" in table.value)
    return shown["effect"].to_numpy()[::-1]


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("model", ["transitions", "als", "fusion", "content"])
def test_the_sentence_names_what_the_values_say(
    open_page: Open, trained: Workspace, films: dict[str, Run], model: str, language: str
) -> None:
    asked = Asked.of(trained, films[model])
    best = asked.best(5)
    found = asked.explained(best)
    total = np.bincount(asked.query.items, found.values[:, 0], len(asked.titles))
    page = open_page(trained, "explain", run=films[model].id, user=USER, k="5", language=language)
    assert not page.error
    told = sentence(page)
    first, *others = np.argsort(-total)
    assert told.index(asked.titles[best[0]]) < told.index(f"“{asked.titles[first]}”")
    late = [f"“{asked.titles[item]}”" for item in others[2:] if total[item] > 0]
    assert not [title for title in late if title in told]
    confidence = found.confidence[0]
    why = text(language, f"explain.confidence.{confidence.name}", **vars(confidence))
    assert why in plain(page)
    np.testing.assert_allclose(effects(page), found.values[:, 0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_the_heading_claims_no_more_than_the_model_reads(
    open_page: Open, trained: Workspace, films: dict[str, Run], language: str
) -> None:
    short = pipeline.train(trained, RunRequest("movielens", "transitions", {"length": 11}))
    try:
        said = {
            run.id: open_page(trained, "explain", run=run.id, user=USER, language=language)
            .markdown[0]
            .value
            for run in (short, films["als"], films["popularity"])
        }
    finally:
        artifact.delete_run(trained, short.id)
    numbers = [
        re.findall(r"(?<![\w·])\d+(?!\w)", own.replace(USER, "").replace(run[:6], ""))
        for run, own in said.items()
    ]
    assert [set(each) for each in numbers] == [{"11", "28"}, {"28"}, {"28"}]
    none = text(language, "explain.answer.none", run="", user=USER, n=28).partition("**")[2]
    assert none[-20:] in said[films["popularity"].id]


@pytest.mark.parametrize("model", ["transitions", "als"])
def test_the_card_says_what_would_change_it(
    open_page: Open, trained: Workspace, films: dict[str, Run], model: str
) -> None:
    asked = Asked.of(trained, films[model])
    item = int(asked.best(5)[-1])
    n_items = len(asked.titles)
    change = counterfactual(asked.ready.model, asked.query, item, n_items=n_items, k=5)
    assert change.exists
    query = {"run": films[model].id, "user": USER, "k": "5"}
    page = open_page(trained, "explain", item=str(asked.ready.items.ids[item]), **query)
    assert ("it would not be among the first 5" in plain(page)) == change.small
    deeper(page, "change")
    assert [metric.value for metric in page.metric] == [
        f"{change.rank_before}",
        f"{change.rank_after:,}",
        f"{len(change.removed)} / {change.events}",
    ]
    assert f"{asked.titles[change.replaced_by]} would come onto the list" in plain(page).replace(
        "**", ""
    )


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_popularity_says_that_the_history_plays_no_part(
    open_page: Open, trained: Workspace, films: dict[str, Run], language: str
) -> None:
    run = films["popularity"]
    asked = Asked.of(trained, run)
    page = open_page(trained, "explain", run=run.id, user=USER, language=language)
    told = text(
        language,
        "explain.said.listed.impersonal",
        item=asked.titles[asked.best(1)[0]],
        model=text(language, "model.popularity"),
    )
    assert sentence(page) == told.replace("**", "")
    assert not effects(page).any()


def test_every_item_of_the_list_is_explained_and_any_other_too(
    open_page: Open, trained: Workspace, films: dict[str, Run]
) -> None:
    run = films["transitions"]
    asked = Asked.of(trained, run)
    ranked = asked.best(40)
    ids = asked.ready.items.ids
    page = open_page(trained, "explain", run=run.id, user=USER)
    page.radio[0].set_value(str(ids[ranked[3]])).run()
    assert page.query_params["item"] == str(ids[ranked[3]])
    assert sentence(page).startswith(asked.titles[ranked[3]])
    page = open_page(trained, "explain", run=run.id, user=USER, item=str(ids[ranked[36]]))
    assert f"{asked.titles[ranked[36]]} is in place 37" in sentence(page)
    assert len(page.radio[0].options) == 11
    np.testing.assert_allclose(effects(page), asked.explained(ranked[36:37]).values[:, 0])
    known = int(asked.query.items[-1])
    page = open_page(trained, "explain", run=run.id, user=USER, item=str(ids[known]))
    assert f"{asked.titles[known]} is in the history already" in sentence(page)
    assert not page.exception


def test_an_item_that_is_not_there_gets_a_sentence(
    open_page: Open, trained: Workspace, films: dict[str, Run]
) -> None:
    query = {"dataset": "movielens", "run": films["transitions"].id, "user": USER}
    page = open_page(trained, "home", **query, item="nothing", against="neither")
    page.switch_page("views/explain.py").run()
    told = [warning.value for warning in page.warning]
    assert told == [text("en", "explain.unknown_item", value=v) for v in ("nothing", "neither")]
    assert sentence(page.run())
    assert "item" not in page.query_params


def test_a_fusion_shows_its_components_and_their_own_events(
    open_page: Open, trained: Workspace, films: dict[str, Run]
) -> None:
    page = open_page(trained, "explain", run=films["fusion"].id, user=USER, depth="kinds")
    assert text("en", "explain.components") in [header.value for header in page.header]
    control = next(one for one in page.radio if "component" in str(one.key))
    before = len(page.get("plotly_chart"))
    control.set_value("1").run()
    assert not page.exception
    assert len(page.get("plotly_chart")) == before + 1


def test_what_is_told_apart_adds_up_to_the_difference(
    open_page: Open, trained: Workspace, films: dict[str, Run]
) -> None:
    run = films["als"]
    asked = Asked.of(trained, run)
    first, second = asked.best(2)
    page = open_page(trained, "explain", run=run.id, user=USER, depth="contrast")
    assert text("en", "explain.contrast.lead") in words(page)  # costs time, so it waits
    box(page, "against").select(str(asked.ready.items.ids[second])).run()
    found = asked.explained(np.array([first, second]))
    difference = figures([found.scores[0] - found.scores[1]])[0].lstrip("+")
    one, other = asked.titles[first], asked.titles[second]
    told = plain(page).replace("**", "")
    assert f"{one} comes before {other}" in told
    assert f"They are {difference} apart." in told


def test_what_they_have_is_not_offered_beside_it_and_a_link_to_it_says_so(
    open_page: Open, trained: Workspace, films: dict[str, Run]
) -> None:
    asked = Asked.of(trained, films["transitions"])
    had = [str(asked.ready.items.ids[item]) for item in asked.query.items]
    popular = set(cache.popular_items(trained.dataset("movielens")))
    assert popular & set(had)
    query = {"run": films["transitions"].id, "user": USER, "depth": "contrast"}
    assert not set(had) & set(box(open_page(trained, "explain", **query), "against").options)
    page = open_page(trained, "explain", **query, against=had[0])
    title = asked.titles[asked.query.items[0]]
    assert f"{title} is in the history already" in plain(page).replace("**", "")


def test_only_what_follows_in_the_list_is_called_the_next(
    open_page: Open, trained: Workspace, films: dict[str, Run]
) -> None:
    asked = Asked.of(trained, films["transitions"])
    ids = [str(asked.ready.items.ids[item]) for item in asked.best(200)]
    called = []
    for item in (ids[0], ids[9], ids[-1]):
        query = {"run": films["transitions"].id, "user": USER, "item": item, "depth": "contrast"}
        options = box(open_page(trained, "explain", **query), "against").options
        called.append([option for option in options if "(next in the list)" in option])
    assert called == [[f"{asked.titles[asked.best(2)[1]]} (next in the list)"], [], []]


def test_edits_in_the_address_are_asked_of_the_model(
    open_page: Open, trained: Workspace, films: dict[str, Run]
) -> None:
    run = films["transitions"]
    asked = Asked.of(trained, run)
    n = len(asked.query.items)
    added = int(asked.best(30)[-1])
    key = str(asked.ready.items.ids[added])
    query = {"run": run.id, "user": USER}
    page = open_page(trained, "explain", **query, drop=f"{n},3", add=key, move=f"{n - 1}:1")
    order = [n - 2, *range(n - 2), n - 1]
    after = edit_history(asked.query, drop=(n - 1, 2), add=(added,), order=order)
    new = [asked.titles[item] for item in asked.best(10, after)]
    column = text("en", "column.item")
    shown = [re.sub(r"\\(.)|\*", r"\1", name) for name in page.table[0].value[column]]
    assert shown[:10] == new
    assert not set(shown[10:]) & set(new)
    assert all("▼" in said for said in page.table[0].value[text("en", "explain.what_if.move")][10:])
    assert "2 events left out" in words(page)
    page.button(key="undo").click().run()
    assert not page.table
    assert not {"drop", "add", "move"} & set(page.query_params)


def test_an_item_is_added_by_a_part_of_its_name(
    open_page: Open, trained: Workspace, films: dict[str, Run]
) -> None:
    page = open_page(trained, "explain", run=films["transitions"].id, user=USER, depth="what-if")
    write(page, "totoro")
    assert page.query_params["add"] == "5971"
    assert "My Neighbor Totoro" in plain(page)
    write(page, "no such film")
    assert page.warning[0].value == text("en", "explain.what_if.unknown", value="no such film")
    assert page.query_params["add"] == "5971"


def write(page: AppTest, words: str) -> None:
    """Writes into the box of items what is none of its options."""
    chooser = page.selectbox(key="add_item")
    chooser.options.append(words)
    chooser.set_value(words).run()
    assert not page.exception


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize(
    "model", ["popularity", "content", pytest.param("fusion", marks=pytest.mark.slow)]
)
def test_what_a_model_goes_by_over_many_users(
    open_page: Open, trained: Workspace, films: dict[str, Run], model: str, language: str
) -> None:
    run = films[model]
    page = open_page(trained, "explain", run=run.id, user=USER, k="5", language=language)
    headline = text(language, "explain.all.sizes")
    assert headline not in words(page)  # it takes a while, so it waits to be asked for
    deeper(page, "everyone")
    assert headline in words(page)
    assert text(language, "explain.all.influences") not in words(page)  # in a tab that is shut
    assert any(" 3 " in said.value and " 50 " in said.value for said in page.markdown)
    by = next(one for one in page.radio if str(one.key).startswith("all_by_"))
    component = text(language, "explain.all.by.component")
    assert (component in by.options) == (model == "fusion")
    charted = len(page.get("plotly_chart"))
    by.set_value("item.genres").run()
    assert not page.exception
    assert len(page.get("plotly_chart")) == charted


def test_every_list_leads_to_its_reasons(
    open_page: Open, trained: Workspace, films: dict[str, Run]
) -> None:
    run = films["transitions"]
    query = {"dataset": "movielens", "runs": run.id, "user": USER, "language": "zh"}
    table = open_page(trained, "recommendations", **query).table[0].value
    cells = table[text("zh", "explain.link")].str.extract(r"^!\[\]\(\S+\) \[(.*)\]\((\S+)\)")
    links = [parse_qs(urlparse(address).query) for address in cells[1]]
    assert len(links) == len(table)
    query = {name: values[0] for name, values in links[2].items()}
    assert (query["user"], query["language"]) == (USER, "zh")
    opened = open_page(trained, "explain", **query)
    title = re.sub(r"\\(.)", r"\1", cells[0][2])
    assert title in sentence(opened)


def test_somebody_who_has_everything_is_told_so(
    open_page: Open, nothing: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    ingest(nothing, [tmp_path / "log.csv"], mapping={"user_id": "who", "item_id": "what"})
    pipeline.train(nothing, RunRequest("log", "popularity", device="cpu"))
    page = open_page(nothing, "explain", user="0")
    assert text("en", "explain.nothing.what") in page.info[0].value
    assert not page.radio


def test_an_id_with_a_comma_and_a_name_full_of_signs(
    open_page: Open, nothing: Workspace, tmp_path: Path
) -> None:
    things = ["odd, one", "*b* <i>x</i>", "a_b_c", "$1 & $2", "[l](m)", "#h", "7", "8"]
    rows = [(f"u{n % 12}", things[(n * n + n // 12) % 8]) for n in range(60)]
    pd.DataFrame(rows, columns=["user", "item"]).to_csv(tmp_path / "signs.csv", index=False)
    ingest(nothing, [tmp_path / "signs.csv"], mapping={"user_id": "user", "item_id": "item"})
    run = pipeline.train(nothing, RunRequest("signs", "item_knn", device="cpu"))
    for item in things:
        query = {"user": "u1", "item": item, "add": '"odd, one",7'}
        page = open_page(nothing, "explain", **query, depth="sentence")
        assert item in sentence(page)
        deeper(page, "what-if")
        assert "“odd, one” and “7” added" in plain(page)
        assert not page.warning
    page.selectbox(key="add_item").set_value("8").run()
    assert page.query_params["add"] == '"odd, one",7,8'
    assert run.id in deeper(page, "proof").code[0].value


def test_the_address_says_how_deep_and_only_that_is_worked_out(
    open_page: Open, trained: Workspace, films: dict[str, Run]
) -> None:
    query = {"run": films["transitions"].id, "user": USER}
    page = open_page(trained, "explain", **query)
    assert "depth" not in page.query_params
    assert not page.get("plotly_chart")
    (control,) = page.get("button_group")
    control.set_value(EVIDENCE).run()
    assert page.query_params["depth"] == EVIDENCE
    assert text("en", "explain.evidence") in [header.value for header in page.header]
    part = page.get("button_group")[1]
    part.set_value(PROOF).run()
    assert page.query_params["depth"] == PROOF
    assert page.code
    assert not page.get("plotly_chart")
    assert len(deeper(page, BARS).get("plotly_chart")) == 1
    for more, depth in (({"drop": "1"}, WHAT_IF), ({"against": "318"}, CONTRAST)):
        page = open_page(trained, "explain", **query, **more)  # as links were before
        assert page.get("button_group")[1].value == depth


# The parts, on their own


def explanation(
    values: Array, se: Array | None = None, players: Array | None = None
) -> Explanation:
    """Of one item, sampled."""
    column = np.asarray(values, float)[:, None]
    return Explanation(
        items=np.array([9]),
        players=np.arange(len(column)) if players is None else players,
        scores=1.0 + column.sum(axis=0),
        base=np.array([1.0]),
        raw_scores=1.0 + column.sum(axis=0),
        raw_base=np.array([1.0]),
        values=column,
        se=np.zeros_like(column) if se is None else np.asarray(se, float)[:, None],
        method="permutations",
        evaluations=10,
        seed=0,
        stability=np.ones(1),
    )


def test_events_of_one_item_are_one_cause() -> None:
    history = np.array([5, 3, 5, 4, 5])
    found = explanation([0.4, 0.6, 0.3, -0.9, 0.2])
    told = {cause.item: (cause.events, cause.value) for cause in causes(history, found, 0)}
    assert told == {5: (3, pytest.approx(0.9)), 4: (1, -0.9), 3: (1, 0.6)}
    speaking, against, share = notable(causes(history, found, 0))
    assert [cause.item for cause in speaking] == [5, 3]
    assert against is not None
    assert against.item == 4
    assert share == pytest.approx(1)


def test_what_is_not_sure_is_no_reason() -> None:
    history = np.array([5, 3, 4, 2])
    found = explanation([1.0, 0.8, -0.5, 0.7], se=[0.1, 0.5, 0.3, 0.1])
    speaking, against, share = notable(causes(history, found, 0))
    assert [cause.item for cause in speaking] == [5, 2]
    assert against is None
    assert share == pytest.approx(1.7 / 2.5)
    assert found.moves.all()
    assert not explanation([0, 0, 0, 0]).moves.any()


def test_the_oldest_events_together_are_one_cause() -> None:
    history = np.array([5, 3, 5, 3])
    found = explanation([0.9, 0.2], players=np.array([0, 0, 0, 1]))
    first, second = causes(history, found, 0)
    assert (first.item, first.events) == (-1, 3)
    assert (second.item, second.events) == (3, 1)


def test_edits_are_positions_for_the_core() -> None:
    edits = Edits(5, drop=(2,), moved=((5, 1), (1, 3)))
    assert edits.sequence == [5, 2, 1, 3, 4]
    assert edits.order == (4, 1, 0, 2, 3)
    assert edits.dropped == (1,)
    assert Edits(5).order is None
    assert edits.adding(7).adding(8).without([0]).add == (8,)
    assert edits.moving(3, 99).moved[-1] == (3, 5)


def test_figures_have_three_digits_of_the_greatest() -> None:
    assert figures([12.345, -0.01]) == ["+12.3", "-0.0"]
    assert figures([0.012345, -0.0001]) == ["+0.0123", "-0.0001"]
    assert figures([]) == []


def test_the_waterfall_goes_from_base_to_score() -> None:
    frame = pd.DataFrame(
        {"label": ["a", "b<i>"], "value": [2.0, -0.5], "se": [0.1, np.inf], "text": ["+2", "-0.5"]}
    )
    drawn = charts.waterfall(
        frame, base=1.0, names=["base", "score"], ends=["1", "2.5"], x="x", dark=False
    )
    bars, whiskers, totals = drawn.data
    assert list(bars.base) == [1, 3]
    assert list(np.add(bars.base, bars.x)) == [3, 2.5]
    assert list(totals.x) == [1, 2.5]
    assert list(drawn.layout.yaxis.ticktext) == ["base", "a", "b&lt;i&gt;", "score"]
    assert bars.marker.pattern.shape[1] == "/"  # not by colour alone
    assert bars.marker.color[0] != bars.marker.color[1]
    assert list(whiskers.error_x.arrayminus) == [0.2, 0]


def refining(steps: Iterator[Explanation]) -> Background[Explanation]:
    """As dashboard.cache makes it."""
    return Background(lambda report: next(steps, None), final=lambda found: found.exact)


def test_what_is_under_way_is_shared_and_goes_on() -> None:
    steps = [replace(explanation([float(n)]), evaluations=n) for n in range(1, 4)]
    made: list[int] = []

    def walk() -> Iterator[Explanation]:
        for step in steps:
            made.append(step.evaluations)
            yield step

    under_way = refining(walk())
    assert next(found for found in under_way if found) is steps[0]  # and leaves
    seen = [found for found in under_way if found]
    assert seen == steps
    assert under_way.done
    assert made == [1, 2, 3]
    assert [found for found in under_way if found] == [steps[2]]


def test_a_page_is_given_the_word_while_a_step_takes_long() -> None:
    go = threading.Event()

    def slow() -> Iterator[Explanation]:
        go.wait(60)
        yield explanation([1.0])

    walk = iter(refining(slow()))
    assert next(walk) is None
    go.set()
    assert [found.evaluations for found in walk if found] == [10]


def test_a_survey_says_how_far_it_is_and_what_went_wrong() -> None:
    go = threading.Event()

    def ask(report: Progress) -> str:
        report("survey", 1 / 4)
        go.wait(60)
        return "all of it"

    under_way = Background(ask)
    walk = iter(under_way)
    assert next(walk) is None
    assert under_way.share in (None, 0.25)
    go.set()
    assert set(walk) <= {None, "all of it"}
    assert under_way.share == 0.25
    assert under_way.last == "all of it"

    def broken(report: Progress) -> str:
        raise BadInput("nobody is here")

    failed = Background(broken)
    for _ in range(2):
        with pytest.raises(BadInput, match="nobody"):
            list(failed)


def test_an_error_under_way_reaches_every_page() -> None:
    def broken() -> Iterator[Explanation]:
        yield explanation([1.0])
        raise BadInput("that cannot be asked")

    under_way = refining(broken())
    for _ in range(2):
        with pytest.raises(BadInput, match="cannot be asked"):
            list(under_way)


def test_what_went_wrong_is_tried_again_and_what_is_there_is_kept() -> None:
    tries: list[str] = []

    def ask(report: Progress) -> str:
        tries.append("")
        if len(tries) == 1:
            raise BadInput("not now")
        return "all of it"

    @cached_background(2)
    def begin(whom: str) -> Background[str]:
        return Background(ask)

    with pytest.raises(BadInput, match="not now"):
        begin("u").get(60)
    assert begin("u").get(60) == "all of it"
    assert begin("u") is begin("u")
    assert len(tries) == 2
