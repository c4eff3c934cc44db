"""Jobs in progress, as every page may show them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from core import jobs
from core.data.store import Workspace
from dashboard.charts.training import epochs
from dashboard.components.labels import component_label, metric_label, model_label, seconds_label
from dashboard.components.page import figure, link
from dashboard.components.read_only import why_not_written, writing_button
from dashboard.components.train.search import trial_curve
from dashboard.state import dark, t
from dashboard.text import Text, plain


def job_chip(workspace: Workspace) -> None:
    """One line in the sidebar while something trains; it disappears by itself."""
    busy = bool(jobs.active(workspace))

    @st.fragment(run_every="2s" if busy else None, key="chip")
    def chip() -> None:
        active = jobs.active(workspace)
        if busy and not active:
            st.rerun()  # once: the page is drawn again, and polls no more
        if active:
            with st.container(key="job_chip"):
                link("train", t("job.chip", n=len(active)), icon=":material/progress_activity:")

    chip()


def follow(workspace: Workspace) -> None:
    """Draws the page again when datasets or runs come, end or go, whoever made them."""
    seen = _what_is_here(workspace)

    @st.fragment(run_every="2s", key="follow")
    def watch() -> None:
        if _what_is_here(workspace) != seen:
            st.rerun()

    watch()


def _what_is_here(workspace: Workspace) -> tuple[set[str], set[tuple[str, str]]]:
    runs = {(status.run_id, status.state) for status in jobs.statuses(workspace)}
    return {info.id for info in workspace.datasets()}, runs


def live_jobs(workspace: Workspace, *, cancel: bool = False) -> None:
    """The jobs that wait or work, drawn again every second; the whole page when one ends."""
    started = [status.run_id for status in jobs.active(workspace)]

    @st.fragment(run_every="1s" if started else None, key="live")
    def live() -> None:
        active = jobs.active(workspace)
        if len(active) < len(started):
            st.rerun()
        for status in active:
            with st.container(border=True):
                left, right = st.columns([5, 1], vertical_alignment="center")
                with left:
                    job_line(status)
                if cancel:
                    trial_curve(workspace, status.run_id)
                    epoch_curves(workspace, status.run_id)
                    why = why_not_written(workspace)
                    with right.popover(
                        t("action.cancel"), icon=":material/cancel:", disabled=bool(why), help=why
                    ):
                        st.markdown(t(f"job.cancel.{status.kind}"))
                        writing_button(
                            t("action.cancel_now"),
                            workspace,
                            key=f"cancel_{status.run_id}",
                            on_click=_cancel,
                            args=(workspace, status.run_id),
                        )

    live()


def _cancel(workspace: Workspace, run_id: str) -> None:
    jobs.cancel(workspace, run_id)


def job_line(status: jobs.Status) -> None:
    """What one job is doing: name, stage, elapsed time, or its place in the queue."""
    name = model_label(status.model) + " · " + status.dataset_name
    if status.kind == jobs.SEARCH:
        name = t("search.job", name=name)
    if status.state == "queued":
        label = t("job.queued", name=name, n=status.queue_position or 0)
    else:
        label = t(
            "job.running",
            name=name,
            stage=t(f"stage.{status.stage or 'start'}"),
            elapsed=seconds_label(status.seconds),
        )
    st.progress(min(1.0, max(0.0, status.progress or 0.0)), text=label)


def epoch_curves(workspace: Workspace, run_id: str) -> None:
    """Loss and validation of each epoch so far, and what the last one says; nothing before."""
    fits = fits_of(jobs.epochs(workspace, run_id))
    told = [line for fit in fits for line in fit.epochs]
    if len(told) < 2:
        return
    last = told[-1]
    facts = [t("job.epoch", epoch=last["epoch"], epochs=last["epochs"])]
    if last.get("component"):
        facts.insert(0, component_label(last["component"]))
    if last.get("refit"):
        facts.append(t("job.refit"))
    if last.get("rows_per_second"):
        facts.append(t("job.speed", n=f"{last['rows_per_second']:,.0f}"))
    if last.get("memory_of"):
        taken, there = (f"{last[key] / 2**30:.1f}" for key in ("memory", "memory_of"))
        facts.append(t("job.memory", gpu=last["gpu"], size=taken, of=there))
    if last.get("seconds_left"):
        facts.append(t("job.left", time=seconds_label(last["seconds_left"])))
    st.caption(Text(" · ").join(facts))
    drawn = epochs(
        curves(fits),
        x=t("chart.epoch"),
        loss=t("param.loss"),
        validation=metric_label("ndcg@10"),
        dark=dark(),
    )
    figure(drawn, alt=t("job.curves.alt", n=len(told)), key=f"epochs_{run_id}")


@dataclass(frozen=True)
class FitCurve:
    """The epochs of one fit of one model, in order, as a job reported them."""

    component: str | None  # of a fusion; None where the job fits one model
    again: bool  # learnt anew, with the validation events
    epochs: tuple[Mapping[str, Any], ...]


def fits_of(lines: Iterable[Mapping[str, Any]]) -> list[FitCurve]:
    """The fits that a job has reported, in order; those without epochs are left out.

    Each fit of a component begins with a line of epoch 0; the second one is with the validation
    events. A model that learns alone says itself when it learns anew.
    """
    begun: Counter[str | None] = Counter()  # component → its fits so far
    curves: dict[tuple[str | None, bool, int], list[Mapping[str, Any]]] = {}
    for line in lines:
        component, refit = line.get("component"), bool(line.get("refit"))
        begun[component] += line.get("epoch") == 0
        again = refit or begun[component] > 1
        if "loss" in line:
            curves.setdefault((component, again, begun[component]), []).append(line)
    return [FitCurve(c, again, tuple(epochs)) for (c, again, _), epochs in curves.items()]


def curves(fits: Sequence[FitCurve]) -> pd.DataFrame:
    """fit, epoch, loss, validation (NaN where there is none): what the chart draws."""
    rows = [
        {"fit": _name(fit), **{key: line.get(key) for key in ("epoch", "loss", "validation")}}
        for fit in fits
        for line in fit.epochs
    ]
    return pd.DataFrame(rows).astype({"loss": float, "validation": float})


def _name(fit: FitCurve) -> str:
    part = component_label(fit.component) if fit.component else t("job.fit")
    return plain(t("job.fit.again" if fit.again else "job.fit.first", part=part))


def state_label(state: str) -> Text:
    """The state of a job in the language of the page."""
    return t(f"state.{state}")


def ended_label(status: jobs.Status) -> Text | str:
    """Why a job did not end well: the signal that stopped it, else its own sentence."""
    if stop := status.stop:
        return t(f"stopped.{stop.key}", signal=stop.signal or "")
    return status.message
