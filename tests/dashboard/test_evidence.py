"""The evidence on the Explain page: sentences that the log bears out, and who is behind them."""

from __future__ import annotations

import re
import shutil
from urllib.parse import parse_qs, urlparse

import pytest
from streamlit.testing.v1 import AppTest

from core import pipeline
from core.data.store import Workspace
from core.pipeline.explanations.evidence import Evidence, LearntLog, evidence
from core.pipeline.explanations.shared_content import SharedContent, SharedValue
from core.runs import artifact
from dashboard.text import LANGUAGES, text

USER = "130"  # 28 events


def draw(path: str, user: str, reasons: list[int] | None, deleted: bool) -> None:
    """The script of a page that has nothing but the evidence."""
    from core.data.store import Workspace
    from core.runs import artifact
    from dashboard import state
    from dashboard.components.explain.case import case_of
    from dashboard.components.explain.evidence import item_evidence

    state.sync()
    workspace = Workspace.open(path)
    run = next(run for run in artifact.list_runs(workspace) if run.config.model == "transitions")
    case = case_of(workspace, workspace.dataset(run.config.dataset), run, user)
    if deleted:
        workspace.delete_dataset(run.config.dataset)
    item_evidence(case, reasons)


def page(workspace: Workspace, reasons=None, *, language="en", deleted=False, **query) -> AppTest:
    args = (str(workspace.path), USER, reasons, deleted)
    drawn = AppTest.from_function(draw, default_timeout=120, args=args)
    for name, value in {"language": language, **query}.items():
        drawn.query_params[name] = value
    drawn.run()
    assert not drawn.exception, drawn.exception
    return drawn


@pytest.fixture
def asked(trained: Workspace):
    """The run, the history, and the evidence for the first item of its list."""
    run = next(run for run in artifact.list_runs(trained) if run.config.model == "transitions")
    loaded = pipeline.load_run(trained, run)
    query = pipeline.history_of(loaded, USER)
    first = int(pipeline.ranked_items(loaded, query, 10)[0])
    return loaded, query, evidence(loaded, query, first)


@pytest.mark.slow
@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_each_reason_with_its_figures_and_its_people(trained, asked, language):
    _, query, found = asked
    drawn = page(trained, query.items.tolist(), language=language)
    shown = [block.value for block in drawn.markdown]
    sentences = [words for words in shown if "explain?" not in words]
    assert len([words for words in sentences if "“" in words]) == len(found)
    lists = iter(words for words in shown if "explain?" in words)
    for each in found:
        (said,) = (
            words
            for words in sentences
            if text(language, "explain.quoted", item=each.label) in words
        )
        assert f"{each.people:,}" in said or each.people == 1
        if each.verdict == "more":
            assert f"{each.lift:,.1f}" in said or f"{each.lift:,.2f}" in said
        if each.who:
            links = re.findall(r"\]\((explain\?[^)]*)\)", next(lists))
            assert [parse_qs(urlparse(link).query)["user"] for link in links] == [
                [str(user)] for user in each.who
            ]
    assert len([words for words in shown if "explain?" in words]) == sum(
        bool(each.who) for each in found
    )


@pytest.mark.slow
def test_unasked_only_what_the_log_bears_out(trained, asked):
    _, _, found = asked
    best = sorted((e for e in found if e.verdict == "more"), key=lambda e: -e.low)[:3]
    shown = [block.value for block in page(trained).markdown]
    assert sum(" times as many" in words for words in shown) == len(best)
    assert "that may be chance" not in "".join(shown)


@pytest.mark.slow
def test_where_the_dataset_went_the_page_says_so(trained, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(trained.path, copy)
    drawn = page(Workspace.open(copy), deleted=True)
    assert drawn.caption[0].value == text("en", "explain.evidence.gone")
    assert not [block for block in drawn.markdown if "“" in block.value]


def of(people=214, before=0, then=61, expected=19.7, ordered=True, shared=None) -> Evidence:
    return Evidence(0, "a", "A", people, before, then, expected, ordered, (), shared)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_sentences_say_what_the_figures_say(monkeypatch, language):
    from dashboard.components.explain import evidence as component

    monkeypatch.setattr(component, "t", lambda key, **values: text(language, key, **values))
    monkeypatch.setattr(component, "listed", ", ".join)
    said = {
        "more": component.sentence(of(), "B").plain,
        "also": component.sentence(of(ordered=False), "B").plain,
        "close": component.sentence(of(then=4000, expected=3860), "B").plain,
        "chance": component.sentence(of(then=20), "B").plain,
        "fewer": component.sentence(of(then=8), "B").plain,
        "little": component.sentence(of(then=4, expected=0.1), "B").plain,
        "before": component.sentence(of(before=30), "B").plain,
        "one": component.sentence(of(people=1, then=1, expected=0.1), "B").plain,
        "nobody": component.sentence(of(people=0, then=0, expected=0), "B").plain,
    }
    assert len(set(said.values())) == len(said)
    assert all(number in said["more"] for number in ("3.1", "2.4", "4.0"))
    assert "1.04" in said["close"]  # not 1.0 times as many
    assert not any(number in said["little"] for number in ("40", "0.1"))
    assert "30" in said["before"]
    shared = SharedContent((SharedValue("genres=War", 7),), (SharedValue("title: sea", 2),))
    with_words = component.sentence(of(shared=shared), "B").plain
    assert all(value in with_words for value in ("genres", "“War”", "“sea”", "title"))
    assert "=" not in with_words
    if language == "en":
        assert said["more"] == (
            "Of 214 people who took “A”, 61 took “B” after it: 3.1 times as many as expected by "
            "chance (2.4 to 4.0)."
        )


def test_a_log_that_is_asked_again_reads_nothing_again(trained, asked, monkeypatch):
    loaded, query, found = asked
    log = LearntLog.of(loaded)
    item = int(pipeline.ranked_items(loaded, query, 10)[0])
    assert log.evidence(query, item) == found
    monkeypatch.setattr("core.pipeline.explanations.evidence.learnt_from", None)
    assert log.evidence(query, item) == found
