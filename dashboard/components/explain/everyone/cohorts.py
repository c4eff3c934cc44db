"""Groups of people: what the model goes by with them, and what it is worth to them."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.errors import BadInput
from core.explain.survey.cohorts import LENGTH, Cohort
from core.explain.survey.overview import Overview
from core.pipeline.explanations.cohorts import CohortMetrics, People
from dashboard import cache
from dashboard.charts import compare as intervals
from dashboard.charts import explain as charts
from dashboard.components.explain.case import Case
from dashboard.components.explain.everyone.ways import MOST, choose_way, group_names
from dashboard.components.explain.words import listed
from dashboard.components.labels import interval, metric_label
from dashboard.components.page import figure, table
from dashboard.state import dark, mark, t
from dashboard.text import Text, plain


def cohorts(case: Case, overview: Overview) -> None:
    """One group of people against all others: reasons, and the run's figures of just these."""
    metrics = case.run.metrics
    evaluation = repr(metrics.metrics if metrics else None)
    every = cache.cohorts(case.workspace, case.run, evaluation, overview)
    chosen = _choose(every)
    inside, outside = chosen.explained
    said = {"name": _name(chosen.cohort), "n": inside, "others": outside}
    st.markdown(t("explain.all.cohorts", **said))
    by = choose_way(overview, "all_cohorts_by")
    _reasons(case, overview, chosen.cohort, by)
    _worth(case, chosen)


def _choose(every: tuple[CohortMetrics, ...]) -> CohortMetrics:
    """Which group; no box where there is but one."""
    names = [plain(_name(one.cohort)) for one in every]
    if len(every) == 1:
        return every[0]
    number = st.selectbox(
        t("explain.all.cohorts.whom"),
        range(len(every)),
        format_func=names.__getitem__,
        key=f"cohort_{mark(names)}",
    )
    return every[number or 0]


def _name(cohort: Cohort) -> Text:
    """Such as "more than 39 events", "Country: France", "age above 35"."""
    if cohort.by == LENGTH:
        return t("explain.all.cohort.length", value=cohort.value)
    key = "explain.all.cohort.above" if cohort.above else "explain.all.cohort.is"
    return t(key, name=cohort.by.removeprefix("user."), value=cohort.value)


def _reasons(case: Case, overview: Overview, cohort: Cohort, by: str) -> None:
    """By what share of all the model goes by each group of events, with one and the other."""
    st.markdown(t("explain.all.cohorts.reasons"))
    try:
        differences = overview.compare(cohort.everybody[overview.rows], by)
    except BadInput:
        differences = ()
    if not differences:
        st.caption(t("explain.all.cohorts.none"))
        return
    own = [bar.name for bar in overview.bars(by)]
    names = dict(zip(own, group_names(case, by, own), strict=True))
    ordered = sorted(differences, key=lambda each: -abs(each.difference))[:MOST]
    frame = pd.DataFrame(
        {
            "run": [charts.shortened(names[each.name]) for each in ordered],
            "mean": [each.difference for each in ordered],
            "low": [each.low for each in ordered],
            "high": [each.high for each in ordered],
        }
    )
    drawn = intervals.intervals(frame, x=t("explain.all.cohorts.axis"), dark=dark(), zero=True)
    drawn.update_xaxes(tickformat="+.0%")
    real = [names[each.name] for each in ordered if each.low > 0 or each.high < 0]
    key = "explain.all.cohorts.alt" if real else "explain.all.cohorts.alt.none"
    figure(drawn, alt=t(key, groups=listed(real)), key=f"all_cohorts_{by}_{cohort.by}")


def _worth(case: Case, chosen: CohortMetrics) -> None:
    """What the run is worth to these people, or why that is not known."""
    st.markdown(t("explain.all.cohorts.worth"))
    if why := cache.why_no_metrics(case.workspace, case.run):
        st.caption(t(f"explain.all.cohorts.worth.{why}"))
        return
    rows: list[dict[str, str]] = []
    for one in chosen.metrics:
        for side, these, all_of_them in (
            (_name(chosen.cohort), one.inside, one.all_inside),
            (t("explain.all.cohorts.others"), one.outside, one.all_outside),
        ):
            rows.append(
                {
                    "people": plain(side),
                    "metric": plain(metric_label(one.metric)),
                    "these": _people(these),
                    "everybody": _people(all_of_them),
                }
            )
    names = {
        name: st.column_config.TextColumn(t(f"explain.all.cohorts.{name}"))
        for name in ("people", "these", "everybody")
    }
    alt = t("explain.all.cohorts.worth.alt", name=_name(chosen.cohort))
    table(pd.DataFrame(rows), alt=alt, key=f"cohort_worth_{chosen.cohort.by}", columns=names)
    st.caption(t("explain.all.cohorts.worth.lead"))


def _people(group: People) -> str:
    """Such as "0.1230 [0.0500, 0.2010] (25)"."""
    if group.figure is None:
        return plain(t("explain.all.cohorts.nobody"))
    return plain(
        t("explain.all.cohorts.figure", figure=interval(group.figure), people=group.people)
    )
