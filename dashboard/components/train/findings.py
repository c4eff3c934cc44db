"""What a fit found out beside the scores: which models it chose, and how much each counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from core.runs.artifact import Run
from dashboard.components.labels import component_label, metric_label, model_label, seconds_label
from dashboard.components.page import section, table
from dashboard.state import t


def findings(run: Run) -> None:
    """How many items have a text or an image; the components of a fusion, and what was chosen."""
    for kind, about in (run.meta.get("embeddings") or {}).items():
        said = t(f"findings.{kind}", n=about["items"], of=about["of"])
        if about.get("unreadable"):
            example = about["example"].replace("`", "'")  # somebody's text, shown as it is
            said += " " + t("findings.unreadable", n=about["unreadable"], example=example)
        st.caption(said)
    found = run.meta.get("findings") or {}
    if components := found.get("components"):
        section("findings.components")
        if found.get("validation") is not None:
            key = "findings.staged" if found.get("candidates") else "findings.together"
            st.caption(t(key, value=f"{found['validation']:.4f}"))
        _components(components, found["segments"], found.get("candidates"))
    if choices := found.get("choices"):
        section("findings.choices")
        rows = [
            {
                "model": component_label(choice.get("name", choice["model"])),
                "taken": seconds_label(choice["took"]) if choice["taken"] else t("findings.left"),
                "why": _why(choice),
            }
            for choice in choices
        ]
        table(pd.DataFrame(rows), alt=t("findings.choices.alt", n=len(rows)), key="choices")


def _why(choice: Mapping[str, Any]) -> str:
    """Why a model was taken or not; as the run says it, where it is of an older version."""
    reason = choice.get("reason")
    return t(f"why.{reason}", **choice["about"]) if reason else str(choice["why"])


def _components(
    components: list[Mapping[str, Any]], segments: list[int], candidates: int | None
) -> None:
    """A row per component: what it is worth alone, and its share by length of the history.

    Of two stages what each does, in place of shares.
    """
    headers = [] if candidates else [t("findings.from", n=edge) for edge in segments]
    does = [t("findings.finds", n=candidates), t("findings.orders")] if candidates else []
    runs = [not one["name"].startswith(one["model"]) for one in components]
    rows = [
        {
            "model": model_label(one["model"]) if runs[place] else component_label(one["name"]),
            "run": one["name"][:6] if runs[place] else "–",
            metric_label("ndcg@10"): one["validation"],
            **(
                {t("findings.does"): does[place]}
                if does
                else {h: 100 * w for h, w in zip(headers, one["weights"], strict=True)}
            ),
        }
        for place, one in enumerate(components)
    ]
    percent = {
        head: st.column_config.ProgressColumn(head, format="%.0f %%", min_value=0, max_value=100)
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
        columns={metric_label("ndcg@10"): alone, **percent},
    )
