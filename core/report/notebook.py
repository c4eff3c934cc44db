"""A report as a notebook: each of its figures made again by `import recscope`, on this workspace.

The cells are those of a person, with names and numbers filled in; what comes from the log stands in
code as a literal, and between cells as HTML that shows it as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from core.data.durable import write_text_atomically
from core.data.store import Workspace
from core.report.contents import Leaderboard, Report
from core.report.people import LISTED
from core.report.sentences import Sentences
from core.report.words import Words

Cell = tuple[str, str]  # "markdown" or "code", and what is in it


def write(workspace: Workspace, report: Report, path: Path, language: str = "en") -> int:
    """Writes the notebook, whole or not at all; returns its bytes.

    Raises:
        BadInput: there is no room for it, or it may not be written.
    """
    content = as_text(notebook(workspace, report, language))
    write_text_atomically(path, content)
    return len(content.encode())


def as_text(content: Mapping[str, Any]) -> str:
    """A notebook as its file has it."""
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def notebook(workspace: Workspace, report: Report, language: str = "en") -> dict[str, Any]:
    """The notebook as nbformat 4.5 has it, without outputs."""
    words = Words(language)
    cells = [
        _cell(number, kind, source)
        for number, (kind, source) in enumerate(_cells(workspace, report, words))
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _cell(number: int, kind: str, source: str) -> dict[str, Any]:
    lines = source.strip("\n").splitlines(keepends=True)
    cell: dict[str, Any] = {
        "cell_type": kind,
        "id": f"cell-{number}",
        "metadata": {},
        "source": lines,
    }
    return cell | {"execution_count": None, "outputs": []} if kind == "code" else cell


def _cells(workspace: Workspace, report: Report, t: Words) -> Iterator[Cell]:
    """In the order of the report."""
    say = Sentences(t, report)
    yield _said("h1", t("report.title", dataset=report.data.info.name))
    yield _listed(say.summary())
    yield "code", _opened(workspace, report)
    yield _said("h2", t("report.data"))
    yield from _data(report)
    yield _said("h2", t("report.method"))
    yield _listed(say.method())
    yield _said("h2", t("report.leaderboard"))
    yield from _runs(report, t)
    yield _said("h2", t("report.people"))
    yield _said("p", say.people())
    yield from _people(report)
    yield _said("h2", t("report.map"))
    if report.item_map:
        yield "code", _MAP.format(run=report.item_map.run.id)
    else:
        yield _said("p", t(f"report.map.{report.no_map}", id=report.people.run.id))
    yield _said("h2", t("report.caveats"))
    yield _listed(say.caveats())
    yield _said("h2", t("report.reproduce"))
    yield "code", _SETTINGS


def _said(tag: str, words: Markup) -> Cell:
    """A line as HTML: in Markdown a name could be a formula, a link or a heading."""
    return "markdown", _html(f"<{tag}>{words}</{tag}>")


def _listed(sentences: list[Markup]) -> Cell:
    items = "".join(f"<li>{sentence}</li>" for sentence in sentences)
    return "markdown", _html(f"<ul>{items}</ul>")


def _html(inner: str) -> str:
    """One block of HTML: an empty line would end it, a dollar sign begin a formula."""
    flat = " ".join(inner.split()).replace("$", "&#36;")
    return f'<div class="tex2jax_ignore mathjax_ignore">{flat}</div>'


_OPENED = """
import pandas as pd
from plotly import express as px

import recscope

pd.options.display.float_format = "{{:.4f}}".format
pd.options.display.max_rows = pd.options.display.max_columns = 200
pd.options.display.max_colwidth = 200

ws = recscope.open({path!r})
data = ws.dataset({dataset!r})
runs = [ws.run(run) for run in {runs!r}]
evaluated = [ws.run(run) for run in {evaluated!r}]

# Of other data or other weights the figures would be others:
assert data.info.meta["sha256"] == {files!r}
assert [run.stored.artifact_hash for run in runs] == {weights!r}
data
"""


def _opened(workspace: Workspace, report: Report) -> str:
    return _OPENED.format(
        path=str(workspace.path),
        dataset=report.data.info.id,
        runs=[run.id for run in report.runs],
        evaluated=[each.run.id for each in report.leaderboard.runs],
        files=dict(report.data.info.meta["sha256"]),
        weights=[run.artifact_hash for run in report.runs],
    )


def _data(report: Report) -> Iterator[Cell]:
    yield "code", "data.findings()"
    yield "code", "data.rejected()"
    if report.data.activity:
        yield "code", 'px.bar(data.activity(), x="period", y="events")'
    yield "code", 'px.line(data.long_tail(), x="rank", y="share", range_y=[0, 1])'


_FIGURES = """
figures = pd.concat({run.id: run.metrics().set_index("metric") for run in evaluated}, names=["run"])
figures
"""
_CHART = """
board = figures.xs({metric!r}, level="metric").reset_index()
board["name"] = [ws.run(run).name + " " + run[:6] for run in board["run"]]
above, below = board["high"] - board["mean"], board["mean"] - board["low"]
px.scatter(board, x="mean", y="name", error_x=above, error_x_minus=below)
"""
_DIFFERENCES = """
differences = ws.compare(*{runs!r}, metrics={metrics!r})
differences
"""
_DIFFERENCE_CHART = """
apart = differences[differences["metric"] == {metric!r}].reset_index(drop=True)
above, below = apart["high"] - apart["difference"], apart["difference"] - apart["low"]
px.scatter(apart, x="difference", y="run", error_x=above, error_x_minus=below)
"""
_SHORTCUTS = """
beside = {run.id: run.shortcuts() for run in evaluated if run.stored.metrics.shortcuts}
pd.concat(beside, names=["run"]) if beside else "evaluated by a Recscope that asked no simple rules"
"""


def _runs(report: Report, t: Words) -> Iterator[Cell]:
    board = report.leaderboard
    if not board.runs:
        yield _said("p", t("report.answer.none"))
        return
    yield "code", _FIGURES
    yield "code", _CHART.format(metric=board.metric)
    yield from _differences(board)
    yield "code", _SHORTCUTS
    if report.notes_shown:
        yield _said("h3", t("report.notes"))
        yield "code", "{run.id: (run.tags, run.note) for run in runs}"


def _differences(board: Leaderboard) -> Iterator[Cell]:
    if not board.differences or board.baseline is None:
        return
    base = board.baseline.run.id
    others = [each.run.id for each in board.runs if each.run.id != base]
    metrics = list(dict.fromkeys(row.metric for row in board.differences))
    yield "code", _DIFFERENCES.format(runs=[base, *others], metrics=metrics)
    yield "code", _DIFFERENCE_CHART.format(metric=board.metric)
    if board.runner_up:
        first, second = board.runs[0].run.id, board.runs[1].run.id
        yield "code", f"ws.compare({second!r}, {first!r}, metrics=[{board.metric!r}])"


_PERSON = """
user = {user!r}
why = run.explain(user, k={k})
print(why)
why.scores()
"""


def _people(report: Report) -> Iterator[Cell]:
    yield "code", f"run = ws.run({report.people.run.id!r})"
    for person in report.people.people:
        yield "code", f"data.history({person.user!r}).head({len(person.latest) or 1})"
        if person.explanations:
            yield "code", _PERSON.format(user=person.user, k=LISTED)
            yield "code", "why.to_frame()"
            yield "code", "why.plot()"


_MAP = """
run = ws.run({run!r})
points = run.embed(map=True)
px.scatter(points, x="x", y="y", color=points["cluster"].astype(str), hover_name="label")
"""
_SETTINGS = """
pd.DataFrame({run.id: {**run.settings, "seed": run.stored.config.seed} for run in runs})
"""
