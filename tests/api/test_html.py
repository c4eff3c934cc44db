"""What a notebook shows: names with markup in them are literal text, and nothing is fetched."""

from __future__ import annotations

from html.parser import HTMLParser

import pandas as pd
import pytest

import recscope as api

NAMES = [
    "<b>bold</b>",
    "<script>document.title='pwned'</script>",
    "<img src=x onerror=alert(1)>",
    "![img](http://example.com/x.png)",
    "http://example.com/a",
    "$a$ and $b$",
    "&amp; &lt;",
    "\"quoted\", 'too'",
    "new\nline",
    "=1+1",
    "日本語の映画",
    "\u202eevil",
    "x" * 300,
    "<a href='javascript:alert(1)'>c</a>",
]
QUIET = {"style", "class", "max", "value"}


class Seen(HTMLParser):
    """Tags, attributes and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.styles, self.text = "", ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.styles += " ".join(value or "" for name, value in attrs if name == "style")

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def odd(tmp_path):
    """A run in a workspace where every name is odd."""
    ws = api.open(tmp_path / "odd", progress=False)
    n = len(NAMES)
    log = pd.DataFrame(
        {
            "user_id": [f"{NAMES[u]} {u}" for u in range(n) for _ in range(4)],
            "item_id": [(u * step + step) % n for u in range(n) for step in range(1, 5)],
            "time": pd.date_range("2024-01-01", periods=4 * n, freq="h"),
        }
    )
    items = pd.DataFrame({"item_id": range(n), "title": NAMES, "kind": NAMES[::-1]})
    data = ws.ingest(log, items=items, name="<i>odd</i>")
    run = ws.train(data, "transitions", name="<b>run</b>")
    return data, run, run.explain(f"{NAMES[0]} 0", k=len(NAMES))


def check(html, *literally):
    seen = Seen(html)
    assert seen.tags <= {"div", "b", "table", "thead", "tbody", "tr", "th", "td", "span"}
    assert seen.attributes <= QUIET
    assert "url(" not in seen.styles
    for text in literally:
        assert text in seen.text


def test_dataset_run_and_explanation_show_names_literally(odd):
    data, run, why = odd
    check(data._repr_html_(), "<i>odd</i>", "by its name")
    check(run._repr_html_(), "<b>run</b>", "<i>odd</i>", "not evaluated yet")
    run.evaluate()
    check(api.Workspace(run._folders).run(run.id)._repr_html_(), "ndcg@10")
    labels = {*why.to_frame()["label"], *why.to_frame()["history_label"]}
    check(why._repr_html_(), *labels, "confidence: exact")
    assert any("<script>" in label for label in labels)


def test_what_is_shown_of_a_run_follows_what_is_measured(odd):
    _, run, _ = odd
    assert "not evaluated yet" in run._repr_html_()
    run.evaluate()
    assert "ndcg@10" in run._repr_html_()


def test_recommendations_show_names_literally(odd):
    _, run, _ = odd
    html = run.recommend(k=3, labels=True)._repr_html_()
    assert "<script>" not in html.replace("<style scoped>", "")
    assert "<img" not in html


def test_figures_show_names_literally(odd):
    _, run, why = odd
    figures = [run.map(), *(why.plot(one.item) for one in why.items)]
    texts = []
    for figure in figures:
        texts.append(figure.layout.title.text)
        texts += figure.layout.yaxis.ticktext or ()
        for trace in figure.data:
            texts += [trace.name or "", *(trace.hovertext or ()), *(trace.text or ())]
    assert any("&lt;script&gt;" in text for text in texts)
    assert not any("<" in text or "$" in text for text in texts)


def test_formulas_are_no_formulas_to_shaps_plots(odd):
    names = odd[2].to_shap().feature_names
    assert not any(name.replace(r"\$", "").count("$") for name in names)
    assert len(set(names)) == len(names)
