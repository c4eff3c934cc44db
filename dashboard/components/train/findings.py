"""What a fit found out beside the scores: which models it chose, and how much each counts."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from core.findings import ChoiceFindings, FusionFindings
from core.runs.artifact import Run
from core.runs.config import validated_on
from core.runs.overrun import Overrun, overrun
from dashboard.components.labels import component_label, metric_label, model_label, seconds_label
from dashboard.components.page import section, table
from dashboard.state import t
from dashboard.text import Text, literal, plain

SHARE = 122  # pixels: so that all five are seen in a window of 1360


def show_findings(run: Run) -> None:
    """How many items have a text or an image; the components of a fusion, and what was chosen."""
    for kind, about in (run.meta.get("embeddings") or {}).items():
        said = t(f"findings.{kind}", n=about["items"], of=about["of"])
        if about.get("unreadable"):
            said += t("explain.space") + t(
                "findings.unreadable", n=about["unreadable"], example=about["example"]
            )
        st.caption(said)
    findings = FusionFindings.from_json(run.meta.get("findings"))
    if findings is None:
        return
    if late := overrun(run):
        _tell_overrun(late)
    section("findings.components")
    if findings.validation is not None:
        key = "findings.staged" if findings.candidates else "findings.together"
        told = [t(key, value=f"{findings.validation:.4f}")]
        if findings.people and (on := validated_on(run.config)):
            told.append(t(f"findings.by.{on}", n=findings.people))
        if findings.newcomers:
            told.append(t("findings.newcomers", n=findings.newcomers))
        st.caption(t("explain.space").join(told))
    _components(findings)
    if findings.choices:
        section("findings.choices")
        rows = [
            {
                "model": plain(component_label(choice.name)),
                "taken": plain(
                    t("findings.left") if choice.took is None else seconds_label(choice.took)
                ),
                "why": plain(_why(choice)),
            }
            for choice in findings.choices
        ]
        table(pd.DataFrame(rows), alt=t("findings.choices.alt", n=len(rows)), key="choices")


def _tell_overrun(late: Overrun) -> None:
    """That it took longer than it promised, and what of it did."""
    part = component_label(late.part) if late.part else t("findings.overrun.rest")
    st.warning(
        t(
            "findings.overrun",
            took=seconds_label(late.took),
            promised=seconds_label(late.promised),
            part=part,
            part_took=seconds_label(late.part_took),
            part_thought=seconds_label(late.part_thought),
        ),
        icon=":material/timer_off:",
    )


def _why(choice: ChoiceFindings) -> Text:
    """Why a model was taken or not; as the run says it, where it is of an older version."""
    if not choice.reason:
        return literal(choice.why)
    faded = Text() if choice.decay is None else t("why.faded", decay=choice.decay)
    return t(f"why.{choice.reason}", **choice.about) + faded


def _components(findings: FusionFindings) -> None:
    """A row per component: what it is worth alone, and its share by length of the history.

    Of two stages what each does, in place of shares.
    """
    components, candidates = findings.components, findings.candidates
    headers = (
        [] if candidates else [plain(t("findings.from", n=edge)) for edge in findings.segments]
    )
    does = (
        [plain(t("findings.finds", n=candidates)), plain(t("findings.orders"))]
        if candidates
        else []
    )
    runs = [not component.name.startswith(component.model) for component in components]
    rows = [
        {
            "model": plain(
                model_label(component.model) if is_run else component_label(component.name)
            ),
            "run": component.name[:6] if is_run else "–",
            plain(metric_label("ndcg@10")): component.validation,
            **(
                {plain(t("findings.does")): does[stage]}
                if does
                else {h: 100 * w for h, w in zip(headers, component.weights, strict=True)}
            ),
        }
        for stage, (component, is_run) in enumerate(zip(components, runs, strict=True))
    ]
    percent: dict[str, Any] = {
        head: st.column_config.ProgressColumn(
            head, format="%.0f %%", min_value=0, max_value=100, width=SHARE
        )
        for head in headers
    }
    alone = st.column_config.NumberColumn(t("findings.alone"), format="%.4f")
    frame = pd.DataFrame(rows)
    if not any(runs):
        frame = frame.drop(columns="run")
    table(
        frame,
        alt=t("findings.components.alt", n=len(rows)),
        key="components",
        columns={plain(metric_label("ndcg@10")): alone, **percent},
    )
