"""Accuracy against another measure: which runs are on the front, and what is left open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from core.evaluate.pareto import BEHIND, FRONT, OPEN, FrontPlace, Objective, clear_of, front
from core.runs.artifact import Run
from core.runs.metrics import OF_RATINGS
from dashboard import cache, state
from dashboard.charts import compare as charts
from dashboard.components import comparison
from dashboard.components.labels import metric_label, run_label, text_or
from dashboard.components.page import figure, section, table
from dashboard.state import dark, t
from dashboard.text import Text, literal, plain

VIRTUES = ("diversity", "coverage", "popularity_bias", "novelty", "gini", "calibration")
COSTS = ("size", "list_ms")  # less is better, by what they are and not by an evaluation
MEASURED_ONCE = 0.25  # a time of one measurement: what is nearer to another is not called apart


@dataclass(frozen=True, eq=False)
class Axis:
    """What the runs are worth by one measure."""

    label: Text
    values: dict[str, float]  # run id → value, as it is shown
    objective: Objective
    lower: bool  # whether less is better
    logarithmic: bool = False


def front_section(runs: Sequence[Run], name: str, metric: str, k: int) -> None:
    """The picture, the sentence on it, and its table."""
    section("compare.tradeoff")
    options = _options(runs, name)
    if not options:
        return
    other = _choose(options)
    having = [run for run in runs if _has(run, other, metric, k)]
    if len(having) < len(runs):
        lacking = t("explain.comma").join(run_label(run) for run in runs if run not in having)
        st.caption(t("compare.front.lacks", runs=lacking, measure=_option_label(other)))
    if not having:
        return
    across, accuracy = _axis(having, other, k), _accuracy(having, metric)
    comparable = comparison.comparable(having)
    places = _places(having, accuracy, across) if comparable else {}
    st.caption(text_or(f"metric.{other}.help", "") or t(f"compare.front.{other}.help"))
    names = comparison.short_names(having)
    if places and len(having) > 1:
        st.markdown(_sentence(having, places, names, accuracy, across))
    elif not comparable:
        st.caption(t("compare.front.different"))
    frame = pd.DataFrame(
        {
            "run": [names[run.id] for run in having],
            "x": [across.values[run.id] for run in having],
            "y": [accuracy.values[run.id] for run in having],
            "place": [places[run.id].place if places else OPEN for run in having],
        }
    )
    drawn = charts.front(
        frame,
        x=_title(across),
        y=_title(accuracy),
        places={place: t(f"compare.front.mark.{place}") for place in (FRONT, OPEN, BEHIND)},
        line=bool(places),
        falling=across.lower == accuracy.lower,
        logarithmic=across.logarithmic,
        dark=dark(),
    )
    alt = t("compare.tradeoff.alt", x=across.label, y=accuracy.label)
    figure(drawn, alt=alt, key="tradeoff")
    _table(frame, across, accuracy, alt)


def _options(runs: Sequence[Run], name: str) -> list[str]:
    measured = comparison.metric_names(runs)
    virtues = [virtue for virtue in VIRTUES if virtue in measured and virtue != name]
    timed = any(run.metrics and run.metrics.list_ms is not None for run in runs)
    return [*virtues, *(cost for cost in COSTS if cost == "size" or timed)]


def _choose(options: Sequence[str]) -> str:
    """The second measure, which the address holds."""
    current = state.one_of("axis", options, options[0], elsewhere=(*VIRTUES, *COSTS))
    key = f"axis_{state.mark(options)}"
    st.session_state[key] = current
    st.segmented_control(
        t("compare.tradeoff.other"),
        options,
        required=True,
        format_func=_option_label,
        key=key,
        on_change=lambda: state.put("axis", st.session_state[key]),
    )
    return current or options[0]


def _option_label(name: str) -> Text:
    return t(f"compare.front.{name}") if name in COSTS else metric_label(name)


def _has(run: Run, other: str, metric: str, k: int) -> bool:
    measured = comparison.measured(run)
    if metric not in measured:
        return False
    if other == "list_ms":
        return run.metrics is not None and run.metrics.list_ms is not None
    return other == "size" or f"{other}@{k}" in measured


def _accuracy(runs: Sequence[Run], metric: str) -> Axis:
    lower = metric.partition("@")[0] in comparison.LOWER_IS_BETTER
    values = {run.id: comparison.measured(run)[metric].mean for run in runs}
    return Axis(metric_label(metric), values, _by_interval(runs, metric, lower), lower)


def _axis(runs: Sequence[Run], other: str, k: int) -> Axis:
    if other == "size":
        values = {run.id: float(run.meta["bytes"]) / 1e6 for run in runs}
        return Axis(t("compare.front.size.axis"), values, _exact(values), True, _wide(values))
    if other == "list_ms":
        timed = {run.id: run.metrics.list_ms or 0.0 for run in runs if run.metrics}
        objective = _exact(timed, margin=MEASURED_ONCE)
        return Axis(t("compare.front.list_ms.axis"), timed, objective, True, _wide(timed))
    metric = f"{other}@{k}"
    lower = other in comparison.LOWER_IS_BETTER
    values = {run.id: comparison.measured(run)[metric].mean for run in runs}
    return Axis(metric_label(metric), values, _by_interval(runs, metric, lower), lower)


def _wide(values: dict[str, float]) -> bool:
    """Whether they are drawn by their orders of magnitude."""
    least, most = min(values.values()), max(values.values())
    return least > 0 and most > 20 * least


def _exact(values: dict[str, float], margin: float = 0.0) -> Objective:
    """Less is better, where it is less by more than this share."""
    numbers = np.array(list(values.values()))
    return Objective(-numbers, (1 + margin) * numbers[:, None] < numbers[None, :])


def _by_interval(runs: Sequence[Run], metric: str, lower: bool) -> Objective:
    """By person where that is known, else by the intervals of the runs themselves."""
    name = metric.partition("@")[0]
    measured = [comparison.measured(run)[metric] for run in runs]
    values = np.array([own.mean for own in measured])
    if name in ("coverage", "gini", *OF_RATINGS):
        low = np.array([own.mean if own.low is None else own.low for own in measured])
        high = np.array([own.mean if own.high is None else own.high for own in measured])
        higher = clear_of(low, high)
    elif not comparison.comparable(runs):  # they are of other people
        higher = np.zeros((len(runs), len(runs)), bool)
    else:
        higher = cache.surely_higher(list(runs), comparison.evaluations(runs), metric)
    if not lower:
        return Objective(values, higher)
    if name == "popularity_bias":  # 1 is what people took themselves: less is no better
        values = np.maximum(values, 1.0)
    return Objective(-values, higher.T & (values[:, None] < values[None, :]))


def _places(runs: Sequence[Run], first: Axis, second: Axis) -> dict[str, FrontPlace]:
    ids = [run.id for run in runs]
    return {place.run: place for place in front(ids, first.objective, second.objective)}


def _sentence(
    runs: Sequence[Run],
    places: dict[str, FrontPlace],
    names: dict[str, str],
    accuracy: Axis,
    across: Axis,
) -> Text:
    """Which runs are on the front, and no more than the intervals allow."""
    comma = t("explain.comma")
    by_place: dict[str, list[Text]] = {FRONT: [], OPEN: [], BEHIND: []}
    for run in runs:
        place = places[run.id]
        name = literal(names[run.id])
        if place.behind:
            ahead = comma.join(names[other] for other in place.behind)
            name = t("compare.front.behind_of", run=names[run.id], ahead=ahead)
        by_place[place.place].append(name)
    said = [
        t(
            f"compare.front.{place}",
            runs=comma.join(named),
            n=len(named),
            **({"x": across.label, "y": accuracy.label} if place == FRONT else {}),
        )
        for place, named in by_place.items()
        if named
    ]
    return t("explain.space").join(said)


def _title(axis: Axis) -> str:
    """Such as "Coverage@10 (higher is better)"."""
    return plain(t("compare.front.lower" if axis.lower else "compare.front.higher", x=axis.label))


def _table(frame: pd.DataFrame, across: Axis, accuracy: Axis, alt: Text) -> None:
    with st.expander(t("compare.front.table"), key="front_table"):
        shown = pd.DataFrame(
            {
                "run": frame["run"],
                plain(accuracy.label): [f"{value:.4f}" for value in frame["y"]],
                plain(across.label): [f"{value:.4g}" for value in frame["x"]],
                "place_on_front": [
                    plain(t(f"compare.front.mark.{place}")) for place in frame["place"]
                ],
            }
        )
        table(shown, alt=alt, key="tradeoff_table", own_names=False)
