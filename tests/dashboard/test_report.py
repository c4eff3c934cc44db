"""The report on the page Compare: what the button makes is what the command writes."""

from __future__ import annotations

import re

import pytest
from streamlit.testing.v1 import AppTest

from core import pipeline
from core.runs.request import RunRequest
from dashboard.components import report
from dashboard.text import text


@pytest.fixture
def evaluated(shop):
    """Two runs of the shop that were asked the same."""
    runs = [
        pipeline.train(shop, RunRequest("shop", model, device="cpu"))
        for model in ("popularity", "transitions")
    ]
    for run in runs:
        pipeline.evaluate(shop, run, device="cpu")
    return runs


def button(page: AppTest) -> str:
    return next(e.proto.label for e in page.get("download_button") if e.proto.id.endswith("report"))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_compare_offers_it_on_the_chosen_runs(language, shop, evaluated, open_page):
    ids = ",".join(run.id for run in evaluated)
    page = open_page(shop, "compare", dataset="shop", language=language, runs=ids)
    assert button(page) == text(language, "action.report")
    said = [element.value for element in page.caption]
    assert text(language, "compare.report.lead", n=2) in said
    alone = open_page(shop, "compare", dataset="shop", language=language, runs=evaluated[0].id)
    lead = text(language, "compare.report.lead", n=1)
    assert lead in [element.value for element in alone.caption]


def test_the_button_makes_what_the_command_writes(
    shop, evaluated, recscope, shop_is_home, tmp_path
):
    out = tmp_path / "r.html"
    code, _, _ = recscope("report", *(run.id for run in evaluated), "--out", out)
    assert code == 0
    made = report.made(shop, tuple(evaluated), "en")
    assert without_day(made) == without_day(out.read_text("utf-8"))


def without_day(page: str) -> str:
    return re.sub(r"Made on \S+", "", page)
