"""A report: numbers as stored, sentences no stronger than they are, and foreign text is text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import pipeline
from core.cli.parser import build_parser
from core.data.store import Workspace
from core.errors import BadInput, NotFound
from core.evaluate import METRICS
from core.explain.confidence import Confidence, Level, Reason
from core.models import MODELS
from core.report import html
from core.report.collect import collect
from core.report.commands import commands
from core.report.html import render
from core.report.item_map import item_map
from core.report.sentences import Sentences
from core.report.words import Words
from core.runs.request import RunRequest
from core.text import LANGUAGES, texts
from core.text.visible import visible

MODELS_OF_SHOP = ("popularity", "transitions", "als")
VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """What stands in a page: tags with attributes, text, headings, tables."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.unclosed: list[str] = []
        self.text, self.headings, self.cells = "", [], []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("td", "th", "small"):
            self.cells.append("")

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.unclosed.append(tag)

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.text += data
        if self.open and re.fullmatch("h[1-6]", self.open[-1]):
            self.headings.append((int(self.open[-1][1]), data))
        if self.open and self.open[-1] in ("td", "th", "small"):
            self.cells[-1] += data


@pytest.fixture
def evaluated(shop):
    """The shop with three evaluated runs."""
    runs = []
    for model in MODELS_OF_SHOP:
        params = {"dim": 4, "sweeps": 2} if model == "als" else {}
        run = pipeline.train(shop, RunRequest("shop", model, params, device="cpu"))
        pipeline.evaluate(shop, run, device="cpu")
        runs.append(run)
    return runs


@pytest.fixture
def report(shop, evaluated):
    return collect(shop, evaluated)


@pytest.mark.parametrize("language", LANGUAGES)
def test_its_figures_are_those_of_the_evaluation(report, evaluated, language):
    cells = Page(render(report, language)).cells
    for run in evaluated:
        for name, own in run.metrics.metrics.items():
            assert f"{own.mean:.4f}" in cells, name
            if own.low is not None:
                assert f"[{own.low:.4f}, {own.high:.4f}]" in cells
    assert str(report.data.info.counts["rows_kept"]) in render(report, language)


def test_its_differences_are_those_of_compare(report, evaluated, recscope, shop_is_home):
    by_id = {run.id: run for run in evaluated}
    base, *others = [each.run.id for each in sorted(
        report.leaderboard.runs, key=lambda each: each.run.config.model != "popularity"
    )]  # fmt: skip
    metrics = "ndcg@10,recall@10,hit_rate@10,map@10,mrr@10"
    code, content, _ = recscope("compare", base, *others, "--metrics", metrics, "--json")
    assert code == 0
    rows = content["comparisons"]
    assert [vars(row) for row in report.leaderboard.differences] == rows
    cells = Page(render(report)).cells
    for row in rows:
        assert f"{row['difference']:+.4f}" in cells
        assert f"[{row['low']:+.4f}, {row['high']:+.4f}]" in cells
        assert f"p = {row['p_holm']:.4f}" in cells
    for run in by_id.values():
        for rule in run.metrics.shortcuts.shortcuts:
            for margin in rule.margins[:1]:
                assert f"{margin.difference:+.4f}" in cells


def test_its_reasons_are_those_of_explain(report, recscope, shop_is_home):
    people = report.people
    for person in people.people:
        code, content, _ = recscope(
            "explain", people.run.id, "--user", person.user, "-k", 5, "--json"
        )
        assert code == 0
        for own, said in zip(person.explanations, content["explanations"], strict=True):
            plain = json.loads(json.dumps(own.to_json(), default=float))
            assert plain == {name: said[name] for name in plain}
            sentence = Words("en").why(people.run, person, own)
            bare = re.sub("[“”]", "", re.sub("<.*?>", "", sentence)).replace("&#39;", "'")
            named = said["sentence"].replace(
                people.run.config.model, str(Words("en").model(people.run))
            )
            assert bare == named


SAID = {
    "en": {0.049: "which is more than chance would do", 0.051: "which may be chance"},
    "zh": {0.049: "超出偶然范围", 0.051: "可能只是偶然"},
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("p", [0.049, 0.051])
def test_what_it_says_of_the_best_is_what_the_test_allows(report, language, p):
    board = report.leaderboard
    means = [each.metrics.metrics[board.metric].mean for each in board.runs]
    assert means == sorted(means, reverse=True)
    row = replace(board.differences[0], run=board.best.run.id, metric=board.metric, p_holm=p)
    board = replace(board, baseline=board.runs[-1], differences=(row,), runner_up=None)
    said = "\n".join(Sentences(Words(language), replace(report, leaderboard=board)).summary())
    assert [words in said for words in SAID[language].values()] == [p < 0.05, p >= 0.05]
    assert f"{board.best.metrics.metrics[board.metric].mean:.4f}" in said


def test_uncertain_reasons_are_not_named(report):
    person = report.people.people[0]
    unsure = Confidence(Level.UNRELIABLE, Reason.FEW_EVALUATIONS, 0.9, 0.2)
    doubted = tuple(replace(each, confidence=unsure) for each in person.explanations)
    told = replace(
        report, people=replace(report.people, people=(replace(person, explanations=doubted),))
    )
    page = Page(render(told))
    assert "too uncertain to be named" in page.text
    assert "of the evidence for it" not in page.text
    assert not [value for tag, own in page.tags if tag == "rect" for value in own]


def test_runs_that_were_asked_other_things_are_not_ranked(shop, evaluated):
    other = pipeline.train(shop, RunRequest("shop", "popularity", split="by-time", device="cpu"))
    pipeline.evaluate(shop, other, device="cpu")
    report = collect(shop, [evaluated[0], other])
    assert report.leaderboard.best is None
    assert not report.leaderboard.differences
    text = Page(render(report)).text
    assert "none of them leads" in text
    assert "reaches the highest mean" not in text


def test_a_run_that_was_not_evaluated_is_said_to_be_none(shop):
    run = pipeline.train(shop, RunRequest("shop", "popularity", split="none", device="cpu"))
    for language in LANGUAGES:
        page = render(collect(shop, [run]), language)
        assert f"recscope evaluate {run.id}" in page
        assert Words(language)("report.answer.none") in page


def test_a_tie_in_a_log_without_times_or_names(make_dataset, tmp_path):
    events = pd.DataFrame(
        {"user_id": ["a", "a", "a", "b", "b", "c"], "item_id": [1, 2, 3, 1, 2, 1]}
    )
    info = make_dataset(events, id="6" * 12, name="tiny", value_kind=None)
    workspace = Workspace.open(tmp_path / "tiny")
    info.folder.rename(workspace.datasets_folder / info.id)
    run = pipeline.train(
        workspace, RunRequest("tiny", "als", {"dim": 2, "sweeps": 1}, device="cpu")
    )
    pipeline.evaluate(workspace, run, device="cpu")
    for language in LANGUAGES:
        page = Page(render(collect(workspace, [run]), language))
        assert not page.unclosed
        assert "nan" not in page.text.lower().split()


HOSTILE = [
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "[l](http://far.example) **b** `c`",
    "'{{ 7*7 }}' {% x %} {0} {n:,}",
    "--></title></svg>]]>",
    "tea\u202e\u200b\x00",
    "& &amp; &lt;b&gt;",
]


@pytest.fixture
def hostile(make_dataset, tmp_path):
    """Whatever bears a name is named by an attacker."""
    rng = np.random.default_rng(3)
    users = [HOSTILE[u % 9] + str(u) for u in range(30) for _ in range(5)]
    items = [HOSTILE[i] for i in rng.integers(0, 9, 150)]
    times = pd.to_datetime(rng.integers(1.6e9, 1.7e9, 150), unit="s").astype("datetime64[us]")
    events = pd.DataFrame({"user_id": users, "item_id": items, "timestamp": times})
    table = pd.DataFrame({"item_id": HOSTILE, "title": HOSTILE, "kind": HOSTILE})
    info = make_dataset(
        events, items=table, id="7" * 12, name=HOSTILE[1], cleaning=[HOSTILE[0]],
        files=[{"name": HOSTILE[2], "sha256": HOSTILE[4], "bytes": 1}],
        parts={HOSTILE[2]: "events"},
    )  # fmt: skip
    workspace = Workspace.open(tmp_path / "hostile")
    info.folder.rename(workspace.datasets_folder / info.id)
    request = RunRequest("7" * 12, "als", {"dim": 2, "sweeps": 1}, device="cpu", name=HOSTILE[5])
    run = pipeline.train(workspace, request)
    pipeline.evaluate(workspace, run, device="cpu")
    return collect(workspace, [run])


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_comes_from_outside_is_text(hostile, language):
    page = Page(render(hostile, language))
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "img", "iframe", "object", "link", "base", "form", "b"}
    assert not page.unclosed
    assert not page.open
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in ("href", "src", "action", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#")
    text = " ".join(page.text.split())
    for name in HOSTILE:
        assert " ".join(visible(name).split()) in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_file_is_alone_and_small(report, language):
    page = render(report, language)
    assert len(page.encode()) < 8_000_000
    assert not re.findall(
        r"(?:https?:)?//[\w.]+\.\w", re.sub(r"<pre>.*?</pre>", "", page, flags=re.S)
    )
    assert "@import" not in page
    assert "url(" not in page
    style = re.search(r"<style>(.*?)</style>", page, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = next(own["content"] for tag, own in Page(page).tags if own.get("http-equiv"))
    assert policy.startswith("default-src 'none'")
    assert f"'sha256-{digest}'" in policy


@pytest.mark.parametrize("language", LANGUAGES)
def test_headings_are_in_order_and_every_chart_is_told(report, language):
    page = Page(render(report, language))
    levels = [level for level, _ in page.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert ("html", {"lang": {"en": "en", "zh": "zh-CN"}[language]}) in page.tags
    charts = [own for _, own in page.tags if own.get("role") == "img"]
    assert len(charts) >= 5
    assert all(own["aria-label"] for own in charts)
    twins = page.text.count(str(Words(language)("report.table")))
    assert twins == 2 + len([person for person in report.people.people if person.explanations])
    assert all(own.get("aria-hidden") for tag, own in page.tags if tag == "svg" and "viewBox" in own
               and own["viewBox"] != "0 0 100 100")  # fmt: skip
    ids = [own["id"] for _, own in page.tags if "id" in own]
    assert len(ids) == len(set(ids))
    for _, own in page.tags:
        if (own.get("href") or "").startswith("#"):
            assert own["href"][1:] in ids


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_missing(language):
    known, keys, begun = texts(language), set(), set()
    folder = Path(html.__file__).parent
    for path in [*folder.glob("*.py"), *folder.glob("page/*.html")]:
        source = path.read_text("utf-8")
        keys |= set(re.findall(r"""["'](report\.[\w.]*\w)["']""", source))
        keys |= set(re.findall(r"""\bt\(\s*["']([\w.]+\w)["'][,)]""", source))
        begun |= set(re.findall(r"""f["'](report\.[\w.]+){""", source))
        begun |= set(re.findall(r"""["'](report\.\w+\.)["'] ~""", source))
    keys -= {"report.html", "report.css"}  # files
    assert len(keys) > 60
    assert not keys - known.keys()
    of_report = {key.removesuffix(".one") for key in known if key.startswith("report.")}
    assert not [key for key in of_report - keys if not key.startswith(tuple(begun))]
    assert {f"metric.{name}.help" for name in METRICS} <= known.keys()
    assert {f"model.{name}" for name in MODELS} <= known.keys()


def test_each_command_can_be_run(report):
    lines = [line for made in commands(report, "zh") for line in made.lines]
    parsed = [build_parser().parse_args(shlex.split(line)[1:]) for line in lines]
    by_name = {options.command: options for options in parsed}
    assert set(by_name) == {"ingest", "train", "compare", "explain", "embed", "report"}
    assert by_name["report"].runs == [run.id for run in report.runs]
    assert by_name["report"].language == "zh"
    trained = [options for options in parsed if options.command == "train"]
    for options, run in zip(trained, report.runs, strict=True):
        request = RunRequest(
            options.dataset, options.model, dict(word.split("=") for word in options.set),
            options.split, options.seed, options.device,
        )  # fmt: skip
        assert request.config().params == run.config.params


def test_the_command_writes_it(recscope, shop_is_home, evaluated, tmp_path):
    out = tmp_path / "r.html"
    ids = [run.id for run in evaluated]
    code, content, _ = recscope("report", *ids, "--out", out, "--language", "zh", "--json",
                                "--users", "u3,u1")  # fmt: skip
    assert code == 0
    assert content["runs"] == ids
    assert content["users"] == ["u3", "u1"]
    assert content["bytes"] == out.stat().st_size
    assert '<html lang="zh-CN">' in out.read_text("utf-8")
    assert [path.name for path in tmp_path.glob("*r.html*")] == ["r.html"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--out", "r.pdf"), "a file ends in .html or .ipynb"),
        (("--out", "nowhere/r.html"), "the folder nowhere is not there"),
        (("--out", "r.html", "--users", "nobody"), "nobody"),
    ],
)
def test_what_cannot_be_written_is_said_in_a_sentence(
    recscope, shop_is_home, evaluated, tmp_path, monkeypatch, words, said
):
    monkeypatch.chdir(tmp_path)
    code, _, errors = recscope("report", evaluated[0].id, *words)
    assert code == 2
    assert said in errors
    assert not (tmp_path / "r.html").exists()


def test_runs_that_are_no_report_together_are_refused(shop, evaluated, make_dataset):
    with pytest.raises(BadInput, match="named twice"):
        collect(shop, [evaluated[0], evaluated[0]])
    with pytest.raises(BadInput, match="at least one"):
        collect(shop, [])
    events = pd.DataFrame({"user_id": list("aabb"), "item_id": [1, 2, 1, 3]})
    info = make_dataset(events, id="8" * 12, name="other")
    info.folder.rename(shop.datasets_folder / info.id)
    other = pipeline.train(shop, RunRequest("other", "popularity", split="none", device="cpu"))
    with pytest.raises(BadInput, match="of one dataset"):
        collect(shop, [evaluated[0], other])
    with pytest.raises(BadInput, match="at most 20"):
        collect(shop, evaluated, users=list(map(str, range(21))))
    with pytest.raises(NotFound):
        collect(shop, evaluated, users=["nobody"])


def test_a_run_without_vectors_has_no_map(shop, evaluated):
    told = lambda stage, share: None  # noqa: E731
    assert item_map(shop, evaluated[:1], on_stage=told) == (None, "vectors")
    picture, why = item_map(shop, evaluated, on_stage=told)
    assert why == ""
    assert picture.run.config.model == "transitions"
    assert picture.points.min() >= 0
    assert picture.points.max() <= 1


@given(st.text(min_size=1), st.sampled_from(sorted(LANGUAGES)))
def test_any_name_stands_in_a_sentence_literally(name, language):
    said = Words(language)("report.title", dataset=name)
    page = Page(f"<p>{said}</p>")
    assert visible(name) in page.text
    assert [tag for tag, _ in page.tags] == ["p"]
