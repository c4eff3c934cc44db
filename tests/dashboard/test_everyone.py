"""What a run goes by over many people: each tab of the box says what core found."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core import pipeline
from core.data.durable import read_json, write_json_atomically
from core.data.store import Workspace
from core.explain.survey.overview import overview
from core.runs import artifact
from core.runs.artifact import FAITHFULNESS, Run
from core.runs.faithfulness import Figure, RunFaithfulness
from core.runs.identity import explanations_digest, runs_digest
from dashboard.components.faithfulness import faithful_line, faithful_sentence
from dashboard.state import mark
from dashboard.text import LANGUAGES, text
from tests.dashboard.conftest import Open
from tests.dashboard.test_views import words

pytestmark = pytest.mark.slow

TABS = ("values", "items", "cases", "cohorts", "others", "faithful")


@pytest.fixture(scope="module")
def run(trained: Workspace) -> Run:
    return next(run for run in artifact.list_runs(trained) if run.config.model == "transitions")


@pytest.fixture
def stored(run: Run) -> Iterator[RunFaithfulness]:
    """Figures as `recscope faithfulness` leaves them; gone afterwards."""
    path = run.folder / FAITHFULNESS
    write_json_atomically(path, measured(run).to_json())
    yield measured(run)
    path.unlink(missing_ok=True)


def measured(run: Run, **changed: object) -> RunFaithfulness:
    """Ahead of random on all, of cosine on two; leave-one-out is ahead on one, the rest is open."""
    names = ("POS@10", "NEG@10", "DEL", "INS")
    ahead = {
        "random": (0.3, 0.3, 0.3, 0.3),
        "cosine": (0.3, 0.3, 0.19, -0.19),
        "leave-one-out": (0.1, 0.0, 0.1, -0.3),
    }
    orders = ("values", *ahead)
    figures = {name: Figure(0.5, 0.01, 100) for name in names}
    values = {
        "means": dict.fromkeys(orders, figures),
        "ahead": {
            order: {n: Figure(mean, 0.1, 100) for n, mean in zip(names, own, strict=True)}
            for order, own in ahead.items()
        },
        **{"run": run.id, "asked": 100, "seed": 0, "people": 100, "events": 40.0},
        "more_is_better": dict(zip(names, (False, True, False, True), strict=True)),
        **{"explanations": explanations_digest(), "models": runs_digest()},
        **{"artifact_hash": run.artifact_hash, "created": "2026-01-02T03:04:05Z", "seconds": 1.0},
    }
    return RunFaithfulness(**{**values, **changed})


def tab(page: AppTest, name: str, language: str = "en") -> AppTest:
    """The page as deep as all users, at this tab."""
    names = [str(text(language, f"explain.all.tab.{each}")) for each in TABS]
    page.query_params["depth"] = "everyone"
    page.session_state[f"all_tabs_{mark(names)}"] = names[TABS.index(name)]
    page.run()
    assert not page.exception
    assert not page.error
    return page


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_each_tab_is_filled_when_it_is_opened(
    open_page: Open, trained: Workspace, run: Run, language: str
) -> None:
    page = open_page(trained, "explain", run=run.id, user="130", k="5", language=language)
    headlines = {
        "values": text(language, "explain.all.sizes"),
        "items": text(language, "explain.all.idle"),
        "cases": text(language, "explain.all.cases.lead"),
        "cohorts": text(language, "explain.all.cohorts.worth"),
        "others": text(language, "explain.all.others"),
        "faithful": text(language, "explain.faithful.lead"),
    }
    for name in TABS:
        said = words(tab(page, name, language))
        boxes = [str(box.label) for box in page.selectbox]
        assert headlines[name] in said or headlines[name] in boxes
        assert not [own for other, own in headlines.items() if other != name and own in said]


def test_what_the_values_go_with_is_told_as_core_found(
    open_page: Open, trained: Workspace, run: Run
) -> None:
    page = tab(open_page(trained, "explain", run=run.id, user="130", k="5"), "values")
    told = [caption.value for caption in page.caption]
    assert any("the value surely rises with it (place from the end)" in s for s in told)
    assert any("its size" in s.lower() and "surely shrinks" in s for s in told)
    number = next(box for box in page.selectbox if str(box.key).startswith("all_number_"))
    number.select("value").run()
    assert any("neither surely rises nor surely falls" in c.value for c in page.caption)


def test_the_cases_are_sortable_and_lead_to_their_page(
    open_page: Open, trained: Workspace, run: Run
) -> None:
    page = tab(open_page(trained, "explain", run=run.id, user="130", k="5"), "cases")
    cases = next(table.value for table in page.dataframe if "without" in table.value)
    loaded = pipeline.load_run(trained, run)
    data = loaded.load_dataset()
    found = overview(
        loaded.model,
        data.interactions.queries(),
        n_items=len(loaded.items),
        features=data.item_features,
        event_names=data.event_names,
    )
    assert len(cases) == len(found.cases)
    assert cases["rank"].tolist() == [case.rank for case in found.cases]
    np.testing.assert_array_equal(
        cases["without"].fillna(-1), [case.rank_without_causes or -1 for case in found.cases]
    )
    np.testing.assert_allclose(
        cases["share"].fillna(0).astype(float), [case.share for case in found.cases]
    )
    lower = int((cases["without"].fillna(0) > cases["rank"]).sum())
    assert any(f"in {lower:,} of them" in block.value for block in page.markdown)
    address = urlparse(cases["open"].iloc[7])
    query = {name: own[0] for name, own in parse_qs(address.query).items()}
    case = found.cases[7]
    assert address.path == "explain"
    assert query["user"] == str(data.users.decode(found.users)[case.person])
    assert query["item"] == str(loaded.items.ids[case.item])
    alone = open_page(trained, "explain", **query)
    assert not alone.warning
    assert alone.title[0].value == text("en", "explain.question")


def test_another_run_is_held_against_it_once_it_is_chosen(
    open_page: Open, trained: Workspace, run: Run
) -> None:
    page = tab(open_page(trained, "explain", run=run.id, user="130", k="5"), "others")
    box = next(one for one in page.selectbox if str(one.key).startswith("all_other_"))
    assert box.value is None
    assert not [table for table in page.dataframe if "agree" in table.value]
    still = next(r for r in artifact.list_runs(trained) if r.config.model == "popularity")
    box.select(still.id).run()
    assert not page.exception
    assert any("Nothing can be compared" in said.value for said in page.markdown)


def test_figures_kept_with_the_run_are_shown_and_no_more_is_said(
    open_page: Open, trained: Workspace, run: Run, stored: RunFaithfulness
) -> None:
    page = tab(open_page(trained, "explain", run=run.id, user="130", k="5"), "faithful")
    assert faithful_sentence(stored).plain in [
        said.value.replace("\\", "") for said in page.markdown
    ]
    assert faithful_sentence(stored).plain == (
        "By more than two standard errors, the order by values is ahead of a random order on all 4 "
        "measures; ahead of cosine on 2 of 4, not surely ahead or behind on DEL, INS; ahead of "
        "leave-one-out on 0 of 4, not surely ahead or behind on POS@10, NEG@10, DEL, behind on INS."
    )
    assert not [button for button in page.button if button.key == "measure_faithfulness"]
    compare = open_page(trained, "compare", dataset="movielens", runs=run.id)
    line = faithful_line(run)
    assert line is not None
    assert "a random order on 4 of 4, cosine on 2 of 4, leave-one-out on 0 of 4" in line.plain
    assert line.plain in words(compare).replace("\\", "")


def test_figures_of_older_code_are_said_to_be_so(
    open_page: Open, trained: Workspace, run: Run, stored: RunFaithfulness
) -> None:
    path = run.folder / FAITHFULNESS
    write_json_atomically(path, {**read_json(path), "explanations": "0" * 12})
    page = tab(open_page(trained, "explain", run=run.id, user="130", k="5"), "faithful")
    assert any("older code" in warning.value for warning in page.warning)
    assert page.button(key="measure_faithfulness").label == text(
        "en", "explain.faithful.again", n=100
    )
    line = faithful_line(run)
    assert line is not None
    assert "by older code" in line.plain


def test_it_is_measured_when_somebody_asks(
    open_page: Open, trained: Workspace, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def measure(workspace: Workspace, run: Run, **options: object) -> RunFaithfulness:
        asked.append(run.id)
        return measured(run)

    monkeypatch.setattr(pipeline, "faithfulness", measure)  # 100 people take a minute
    page = tab(open_page(trained, "explain", run=run.id, user="130", k="5"), "faithful")
    assert not asked
    page.button(key="measure_faithfulness").click().run()
    assert asked == [run.id]
    assert any("ahead of a random order on all 4" in said.value for said in page.markdown)
