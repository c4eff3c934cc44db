"""Which dataset and run the pages are about, and the sidebar that says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from core.data.refs import Meant, meant_by
from core.data.store import DatasetInfo, Workspace
from core.runs.artifact import Run
from dashboard import cache, state
from dashboard.components.comparison import leader
from dashboard.components.jobs import job_chip
from dashboard.components.labels import run_label
from dashboard.components.read_only import LOCK
from dashboard.state import t
from dashboard.text import LANGUAGES, Text


@dataclass(frozen=True)
class Context:
    """What a page is about; None where there is none.

    What the URL names, else the dataset of the newest run, else the newest dataset.
    """

    workspace: Workspace
    datasets: list[DatasetInfo]
    dataset: DatasetInfo | None
    runs: list[Run]  # finished runs of this dataset, newest first
    run: Run | None  # that the URL names

    @property
    def shown_run(self) -> Run | None:
        """The run that the sidebar shows: the URL's, else the best, else the newest."""
        return self.run or leader(self.runs) or next(iter(self.runs), None)


def find(things: Sequence[Meant], ref: str | None) -> Meant | None:
    """The thing that this refers to, by the one rule of core.data.refs; None if it is not clear."""
    fitting = meant_by(ref, things) if ref else []
    return fitting[0] if len(fitting) == 1 else None


def context() -> Context:
    """The context of this page, from the URL and the store."""
    workspace = cache.workspace()
    datasets = workspace.datasets()
    runs = cache.finished_runs(workspace)
    run = find(runs, state.get("run"))
    dataset = find(datasets, state.get("dataset"))
    if dataset is None and run is not None:
        dataset = find(datasets, run.config.dataset)
    if dataset is None and runs:
        dataset = find(datasets, runs[0].config.dataset)
    if dataset is None:
        dataset = next(iter(datasets), None)
    runs = [r for r in runs if dataset and r.config.dataset == dataset.id]
    return Context(workspace, datasets, dataset, runs, find(runs, state.get("run")))


def sidebar(now: Context) -> None:
    """Draws dataset ▸ run, the jobs in progress and the language switch."""
    with st.sidebar:
        if now.dataset:
            names = {info.id: info.name for info in now.datasets}
            state.pick(
                "dataset",
                list(names),
                names.__getitem__,
                current=now.dataset.id,
                title=t("context.dataset"),
                forgets=(*state.OF_DATASET, *state.OF_USER),
            )
        if now.shown_run:
            labels = {run.id: run_label(run) for run in now.runs}
            state.pick(
                "run",
                list(labels),
                labels.__getitem__,
                current=now.shown_run.id,
                title=t("context.run"),
                forgets=("space", "epoch"),
            )
        job_chip(now.workspace)
        if now.workspace.read_only:
            st.caption(Text(f"{LOCK} ") + t("read_only.sidebar"))
        state.pick(
            "language",
            list(LANGUAGES),
            LANGUAGES.__getitem__,
            current=state.language(),
            title=t("context.language"),
        )
    warn_of_unknown(now)


def warn_of_unknown(now: Context) -> None:
    """One sentence for each thing that the URL names and the workspace does not have."""
    asked = state.get("language")
    if asked and asked not in LANGUAGES:
        state.amiss("language", asked)
    asked = state.get("dataset")
    if asked and find(now.datasets, asked) is None:
        state.amiss("dataset", asked, "context.unknown_dataset")
    asked = state.get("run")
    if asked and now.run is None:
        if find(cache.finished_runs(now.workspace), asked):
            state.amiss("run", asked, "context.run_elsewhere")
        elif cache.job(now.workspace, asked) is None:
            state.amiss("run", asked, "context.unknown_run")


def runs_of_link(now: Context, among: Sequence[Run]) -> list[Run]:
    """Those runs that the URL names and that are among these; it says which nobody knows."""
    refs = list(dict.fromkeys(state.many("runs")))
    unknown = [ref for ref in refs if find(now.runs, ref) is None]
    if unknown:
        known = [ref for ref in refs if ref not in unknown]
        state.amiss("runs", ", ".join(unknown), "context.unknown_run", left=known)
    runs = [run for ref in refs if (run := find(among, ref))]
    return list({run.id: run for run in runs}.values())
