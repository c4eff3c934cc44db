"""The verdicts on a log with their evidence, and the cleaning that a person switches on."""

from __future__ import annotations

from typing import Literal

import pandas as pd
import streamlit as st

from core.data.quality.cleaning import CLEANINGS, clean
from core.data.quality.verdict import SEVERITIES, Verdict
from core.data.store import DatasetInfo, Workspace
from dashboard import cache, state
from dashboard.components.labels import text_or
from dashboard.components.page import section, table
from dashboard.components.progress import progress_bar
from dashboard.components.read_only import writing_button
from dashboard.state import t
from dashboard.text import Text, plain, strong

Colour = Literal["green", "blue", "orange", "red"]
COLOURS: dict[str, Colour] = {"ok": "green", "note": "blue", "warn": "orange", "bad": "red"}
ICONS = {"ok": "check", "note": "info", "warn": "warning", "bad": "block"}


def findings_sentence(dataset: DatasetInfo) -> Text:
    """What is worth a look, by name and the gravest first; or that nothing is."""
    findings = sorted(
        (verdict for verdict in cache.verdicts(dataset) if verdict.severity in ("warn", "bad")),
        key=lambda verdict: -SEVERITIES.index(verdict.severity),
    )
    if not findings:
        return t("home.data.ok")
    titles = t("explain.comma").join(t(f"verdict.{verdict.key}.title") for verdict in findings)
    return t("home.data.some", n=len(findings), titles=titles)


def quality_tab(workspace: Workspace, dataset: DatasetInfo) -> None:
    """All verdicts, the gravest first, and the button that makes a cleaned version."""
    st.markdown(t("data.quality.lead"))
    with st.spinner(t("data.quality.computing")):
        verdicts = cache.verdicts(dataset)
    ordered = sorted(verdicts, key=lambda verdict: -SEVERITIES.index(verdict.severity))
    steps = []
    for verdict in (v for v in ordered if v.severity != "ok"):
        with st.container(border=True, key=f"verdict_{verdict.key}"):
            if step := _verdict(verdict):
                steps.append(step)
    with st.expander(t("data.quality.fine"), key="fine", icon=":material/check_circle:"):
        for verdict in (v for v in ordered if v.severity == "ok"):
            title = t(f"verdict.{verdict.key}.title")
            st.markdown(strong(title) + " – " + _sentence(verdict))
    proposed = {verdict.cleaning.split("=")[0] for verdict in verdicts if verdict.cleaning}
    steps += _other_steps(proposed)
    _make(workspace, dataset, steps)


def _sentence(verdict: Verdict) -> Text:
    return t(f"verdict.{verdict.key}", **verdict.numbers)


def _verdict(verdict: Verdict) -> str | None:
    """One finding; the cleaning it proposes, if that is switched on."""
    title = t(f"verdict.{verdict.key}.title")
    head, sign = st.columns([5, 1])
    head.markdown(strong(title))
    sign.badge(
        t(f"severity.{verdict.severity}"),
        color=COLOURS[verdict.severity],
        icon=f":material/{ICONS[verdict.severity]}:",
    )
    st.markdown(_sentence(verdict))
    if verdict.evidence is not None and len(verdict.evidence):
        with st.expander(
            t("data.quality.evidence"), on_change="rerun", key=f"evidence_{verdict.key}"
        ) as part:
            if part.open:
                alt = t("data.quality.evidence.alt", title=title)
                percent = st.column_config.NumberColumn(t("column.share"), format="percent")
                shown = _in_words(verdict.evidence)
                columns = {"share": percent} if "share" in shown else None
                key = f"evidence_table_{verdict.key}"
                table(shown, alt=alt, key=key, columns=columns)
    return _toggle(verdict.cleaning, "propose") if verdict.cleaning else None


def _in_words(evidence: pd.DataFrame) -> pd.DataFrame:
    """The evidence with our own codes in words; what is the log's stays as it is."""
    shown = evidence.copy(deep=False)
    for name, words in (("side", "side"), ("reason", "reason"), ("event", "event")):
        if name in shown:
            said = [text_or(f"{words}.{code}".replace(":", "."), str(code)) for code in shown[name]]
            shown[name] = [plain(text) for text in said]
    return shown


def _toggle(step: str, where: str) -> str | None:
    """A switch for one step, and a box for its number if it takes one; the step, if it is on."""
    name, _, given = step.partition("=")
    cleaning = CLEANINGS[name]
    left, right = st.columns([3, 1], vertical_alignment="center")
    label = text_or(f"cleaning.{name}", cleaning.help)
    chosen = left.toggle(label, key=f"{where}_{name}")
    if cleaning.minimum is None:
        return name if chosen else None
    number = right.number_input(
        t("data.quality.number"),
        value=float(given or cleaning.default or 0),
        min_value=None if cleaning.minimum == float("-inf") else float(cleaning.minimum),
        step=1.0,
        format="%g",
        key=f"{where}_{name}_number",
        label_visibility="collapsed",
    )
    return f"{name}={number:g}" if chosen else None


def _other_steps(proposed: set[str]) -> list[str]:
    with st.expander(t("data.quality.more"), key="more", icon=":material/tune:"):
        asked = [_toggle(name, "more") for name in CLEANINGS if name not in proposed]
    return [step for step in asked if step]


def _make(workspace: Workspace, dataset: DatasetInfo, steps: list[str]) -> None:
    section("data.quality.make")
    if not steps:
        st.caption(t("data.quality.none"))
    else:
        st.markdown(t("data.quality.chosen", steps=", ".join(steps)))
    if writing_button(
        t("action.clean"),
        workspace,
        key="clean",
        type="primary",
        icon=":material/cleaning_services:",
        disabled=not steps,
    ):
        made = clean(workspace, dataset, steps, progress=progress_bar("data.cleaning"))
        before, after = dataset.counts["rows_kept"], made.counts["rows_kept"]
        st.session_state["imported"] = t(
            "data.cleaned", name=made.name, before=before, after=after, removed=before - after
        )
        state.choose_dataset(made.id)
        st.rerun()
