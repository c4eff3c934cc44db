"""Runs beside simple rules: a sentence each that says no more than the figures, and the figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd
import streamlit as st

from core.runs.artifact import Run
from core.runs.shortcuts import RunShortcuts
from dashboard.components.labels import metric_label, run_label, text_or
from dashboard.components.page import section, table
from dashboard.state import t
from dashboard.text import Text, plain

VERDICTS = ("better", "worse", "unsure", "same")


def shortcuts_section(runs: Sequence[Run]) -> None:
    """What simple rules reach on the questions that these runs were asked."""
    section("shortcuts")
    st.caption(t("shortcuts.lead"))
    measured = [(run, own) for run in runs if run.metrics and (own := run.metrics.shortcuts)]
    for run, own in measured:
        st.markdown(Text("- ") + shortcuts_sentence(run, own))
    for run in runs:
        if run.metrics and not run.metrics.shortcuts:
            st.caption(t("shortcuts.older", run=run_label(run), id=run.id))
    if not measured:
        return
    st.caption(_conditions(measured))
    frame = _figures(measured)
    table(frame, alt=t("shortcuts.alt", n=len(measured)), key="shortcuts_table")


def shortcuts_sentence(run: Run, own: RunShortcuts) -> Text:
    """How the run stands beside each rule, by the first metric that they are compared in."""
    comma, clauses = t("shortcuts.and"), []
    for verdict in VERDICTS:
        rules = [_rule(one.name) for one in own.shortcuts if one.verdict == verdict]
        if rules:
            clauses.append(t(f"shortcuts.{verdict}", rules=comma.join(rules)))
    first = next(one.margins[0] for one in own.shortcuts if one.margins)
    return t(
        "shortcuts.sentence",
        run=run_label(run),
        metric=metric_label(first.metric),
        clauses=t("shortcuts.semicolon").join(clauses),
    )


def _rule(name: str) -> Text:
    return text_or(f"shortcuts.rule.{name}", name)


def _conditions(measured: Sequence[tuple[Run, RunShortcuts]]) -> Text:
    """Whom the figures are of, and what the last period is: each once, by run where they differ."""
    holds: dict[Text, list[str]] = {}
    for run, own in measured:
        for said in _conditions_of(own):
            holds.setdefault(said, []).append(run_label(run))
    of_all = [said for said, runs in holds.items() if len(runs) == len(measured)]
    of_some = [
        t("shortcuts.of_some", runs=t("explain.comma").join(runs), said=said)
        for said, runs in holds.items()
        if len(runs) < len(measured)
    ]
    return Text("  \n").join([t("explain.space").join(of_all)] * bool(of_all) + of_some)


def _conditions_of(own: RunShortcuts) -> Iterator[Text]:
    if own.people < own.of:
        yield t("shortcuts.sample", n=own.people, of=own.of)
    first, last = own.period.ends
    yield t(f"shortcuts.period.{own.period.kind}", n=own.period.events, first=first, last=last)
    if any(not one.margins for one in own.shortcuts):
        yield t("shortcuts.no_repeats")


def _figures(measured: Sequence[tuple[Run, RunShortcuts]]) -> pd.DataFrame:
    rows = [
        {
            "run": run_label(run),
            "rule": plain(_rule(one.name)),
            "metric": plain(metric_label(margin.metric)),
            "rule_mean": f"{margin.reached:.4f}",
            "run_mean": f"{margin.run:.4f}",
            "difference": f"{margin.difference:+.4f}",
            "se": "–" if margin.se is None else f"{margin.se:.4f}",
            "interval": f"[{margin.low:+.4f}, {margin.high:+.4f}]",
            "p": f"{margin.p_holm:.4f}",
        }
        for run, own in measured
        for one in own.shortcuts
        for margin in one.margins
    ]
    return pd.DataFrame(rows)
