"""Runs under each other: what each is worth, how far from the baseline, in what they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from core import jobs
from core.data.limits import size_in_words
from core.data.store import Workspace
from core.runs.artifact import Run
from dashboard.components import comparison
from dashboard.components.labels import interval, metric_label, run_label, split_label, text_or
from dashboard.components.page import ROW, section, table
from dashboard.state import t
from dashboard.text import Text, literal, plain, strong

BEST = "★ "  # before the best mean of a row or column
MOST_SETTINGS = 6  # columns of the leaderboard that tell runs apart


def leaderboard(
    workspace: Workspace,
    runs: Sequence[Run],
    baseline: Run,
    metric: str,
    differences: pd.DataFrame,
) -> None:
    """A row for each run, the best first; below it what people wrote on them."""
    section("compare.leaderboard")
    ranked = comparison.by_figure(runs, metric)
    if metric.partition("@")[0] in comparison.LOWER_IS_BETTER:
        ranked.reverse()
    ranked += [run for run in runs if run not in ranked]
    best = comparison.best_marked(runs, metric)
    apart = differing_settings(runs)
    rows = []
    for run in ranked:
        notes = run.notes
        rows.append(
            {
                "run": run_label(run),
                metric_label(metric).plain: _figure(run, metric, best),
                "difference": _difference(run, baseline, metric, differences),
                "best_epoch": jobs.best_epoch(workspace, run.id),
                **{name: values[run.id] for name, values in list(apart.items())[:MOST_SETTINGS]},
                "seconds": run.seconds,
                "size": size_in_words(run.meta["bytes"]),
                "list_ms": run.metrics.list_ms if run.metrics else None,
                "tags": ", ".join(notes.tags),
            }
        )
    frame = pd.DataFrame(rows)
    for name in ("best_epoch", "tags", "list_ms"):
        if not frame[name].map(lambda value: bool(value) and value == value).any():
            frame = frame.drop(columns=name)
    number = st.column_config.NumberColumn
    table(
        frame,
        alt=t("compare.leaderboard.alt", n=len(rows), baseline=run_label(baseline)),
        key="leaderboard",
        columns={
            "seconds": number(t("column.seconds"), format="%.1f"),
            "best_epoch": number(t("column.best_epoch"), format="%d"),
            "list_ms": number(t("column.list_ms"), format="%.2f"),
        },
        height=ROW * (len(frame) + 1) + 3,
    )
    st.caption(_lead(runs, baseline, apart))
    _notes(ranked)


def _figure(run: Run, metric: str, best: Sequence[str]) -> str:
    measured = comparison.measured(run)
    if metric not in measured:
        return "–"
    return BEST * (run.id in best) + interval(measured[metric])


def _difference(run: Run, baseline: Run, metric: str, differences: pd.DataFrame) -> str:
    """How far from the baseline, with its interval; such as "+0.0118 [+0.0020, +0.0216]"."""
    if run.id == baseline.id:
        return plain(t("compare.leaderboard.baseline"))
    own = differences[(differences["id"] == run.id) & (differences["metric"] == metric)]
    if own.empty:
        return "–"
    row = own.iloc[0]
    return f"{row['mean']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]"


def _lead(runs: Sequence[Run], baseline: Run, apart: Mapping[str, object]) -> Text:
    """What the table shows, and what of the settings it leaves out."""
    said = [t("compare.leaderboard.lead", baseline=run_label(baseline))]
    if len(runs) > 1:
        key = "compare.settings.apart" if apart else "compare.settings.alike"
        said.append(t(key, n=len(apart)))
    return t("explain.space").join(said)


def _notes(runs: Sequence[Run]) -> None:
    """What people wrote, line by line as they did."""
    for run in runs:
        notes = run.notes
        if notes.note:
            lines = [literal(line) for line in notes.note.splitlines() if line.strip()]
            st.markdown(Text("  \n").join([strong(run_label(run)), *lines]))


def differing_settings(runs: Sequence[Run]) -> dict[str, dict[str, str]]:
    """Header → run id → value, of what is not the same for all runs that have it."""
    known = {run.id: settings_of(run) for run in runs}
    names = list(dict.fromkeys(name for settings in known.values() for name in settings))
    apart = {}
    for name in names:
        values = [settings[name] for settings in known.values() if name in settings]
        if len(set(values)) > 1:
            apart[name] = {run: settings.get(name, "–") for run, settings in known.items()}
    return apart


def settings_of(run: Run) -> dict[str, str]:
    """Header → value: the model's settings, and under which conditions it was trained."""
    config = run.config
    settings = {
        plain(text_or(f"param.{name}", name.replace("_", " "))): _value(value)
        for name, value in config.params.items()
    }
    conditions = {
        "column.split": plain(split_label(config.split, config.cut)),
        "train.validate_on": plain(text_or(f"validate_on.{config.validate_on}", "–")),
        "train.seed": str(config.seed),
        "train.device": config.device,
    }
    encoders = {
        plain(text_or(f"train.{name}", name)): str(value)
        for name, value in config.features.items()
        if not name.endswith("_hash")
    }
    return settings | {plain(t(key)): value for key, value in conditions.items()} | encoders


def _value(value: object) -> str:
    if isinstance(value, bool):
        return plain(t("setting.on" if value else "setting.off"))
    return f"{value:g}" if isinstance(value, float) else str(value)


def settings_table(runs: Sequence[Run]) -> None:
    """Settings as rows, runs as columns: what differs, or all of them."""
    section("compare.settings")
    everything = st.toggle(t("compare.settings.all"), key="all_settings")
    apart = differing_settings(runs)
    shown = {name for run in runs for name in settings_of(run)} if everything else set(apart)
    names = [n for n in dict.fromkeys(n for run in runs for n in settings_of(run)) if n in shown]
    if not names:
        st.caption(t("compare.settings.alike", n=0))
        return
    frame = pd.DataFrame({"setting": names})
    for run in runs:
        own = settings_of(run)
        frame[run_label(run)] = [own.get(name, "–") for name in names]
    alt = t("compare.settings.alt", n=len(names))
    table(frame, alt=alt, key="settings_table", height=ROW * (min(len(frame), 20) + 1) + 3)
