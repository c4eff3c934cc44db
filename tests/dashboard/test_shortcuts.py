"""Simple rules on the page Compare: sentences with their figures beside them, in both languages."""

from __future__ import annotations

import json

import pytest
from streamlit.testing.v1 import AppTest

from core import pipeline
from core.runs.request import RunRequest
from core.runs.shortcuts import RunShortcuts
from dashboard.text import text


@pytest.fixture
def evaluated(shop):
    run = pipeline.train(shop, RunRequest("shop", "transitions", device="cpu"))
    pipeline.evaluate(shop, run, device="cpu")
    return run


def words(page: AppTest) -> str:
    return "\n".join(element.value for element in (*page.markdown, *page.caption))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_run_has_its_sentence_and_every_difference_its_error(
    language, shop, evaluated, open_page
):
    page = open_page(shop, "compare", dataset="shop", language=language)
    own = evaluated.metrics.shortcuts
    said = words(page)
    assert text(language, "shortcuts.rule.last_period") in said
    assert text(language, "shortcuts.no_repeats") in said
    assert own.period.ends[1] in said
    frame = next(t.value for t in page.dataframe if "rule_mean" in t.value)
    margins = [margin for rule in own.shortcuts for margin in rule.margins]
    assert frame["difference"].tolist() == [f"{m.difference:+.4f}" for m in margins]
    assert frame["se"].tolist() == [f"{m.se:.4f}" for m in margins]
    assert frame["interval"].str.match(r"\[[+-][\d.]+, [+-][\d.]+\]").all()


def test_the_sentence_has_the_verdicts_of_the_figures(shop, evaluated, open_page):
    path = evaluated.folder / "metrics.json"
    content = json.loads(path.read_text())
    content["shortcuts"]["people"] -= 1
    first = content["shortcuts"]["shortcuts"][1]["margins"][0]
    for p, difference, words_of_it in (
        (0.2, 0.1, "not surely better or worse than what was popular in the last period"),
        (0.01, 0.1, "better than what was popular in the last period"),
        (0.01, -0.1, "worse than what was popular in the last period"),
    ):
        first |= {"p_holm": p, "difference": difference, "low": -0.2}
        path.write_text(json.dumps({k: v for k, v in content.items() if k != "checksum"}))
        assert words_of_it in RunShortcuts.from_json(content["shortcuts"]).sentence()
        said = words(open_page(shop, "compare", dataset="shop"))
        assert f"{words_of_it}; for each person the same as what follows what" in said
        assert "of 40 people, drawn at random" in said


def test_an_older_evaluation_says_how_to_have_them(shop, evaluated, open_page):
    path = evaluated.folder / "metrics.json"
    content = json.loads(path.read_text())
    older = {k: v for k, v in content.items() if k not in ("shortcuts", "checksum")}
    path.write_text(json.dumps(older))
    said = words(open_page(shop, "compare", dataset="shop"))
    assert f"recscope evaluate {evaluated.id}" in said


def test_a_condition_that_two_runs_share_is_said_once(shop, evaluated, open_page):
    other = pipeline.train(shop, RunRequest("shop", "popularity", device="cpu"))
    pipeline.evaluate(shop, other, device="cpu")
    path = other.folder / "metrics.json"
    content = json.loads(path.read_text())
    content["shortcuts"]["people"] -= 1
    path.write_text(json.dumps({k: v for k, v in content.items() if k != "checksum"}))
    page = open_page(shop, "compare", dataset="shop")
    (told,) = [c.value for c in page.caption if "of 40 people, drawn at random" in c.value]
    assert told.count("The last period is") == told.count(text("en", "shortcuts.no_repeats")) == 1
    assert f"{other.id[:6]}: Compared on 39 of 40" in told
    assert told.count("Compared on") == 1
    assert evaluated.id[:6] not in told
