"""How an explanation was found, how far it adds up, and how to get it again elsewhere."""

from __future__ import annotations

import shlex

import pandas as pd
import streamlit as st

from core.explain import Explanation
from dashboard.components.explain_case import Case
from dashboard.components.explain_values import event_frame
from dashboard.components.labels import run_label
from dashboard.components.page import ROW, section, table
from dashboard.state import t


def proof(case: Case, found: Explanation) -> None:
    """Run, method, evaluations, seed, errors, gap, stability; downloads; the command."""
    section("explain.proof")
    rows = _facts(case, found)
    frame = pd.DataFrame({"fact": list(rows), "is": list(rows.values())})
    alt = t("explain.proof.alt", method=rows[t("explain.proof.method")])
    height = ROW * (len(frame) + 1) + 3
    table(frame, alt=alt, key=f"proof_{case.item}", height=height)
    _download(case, found)
    st.caption(t("explain.command"))
    st.code(command(case), language="bash")


def _facts(case: Case, found: Explanation) -> dict[str, str]:
    place = case.place
    score, base = float(found.scores[place]), float(found.base[place])
    facts = {
        "run": f"{run_label(case.run)} ({case.run.id})",
        "weights": case.run.artifact_hash[:16],
        "method": t(f"explain.method.{found.method.replace(' ', '_')}"),
        "score": f"{score:.6g}",
        "base": f"{base:.6g}",
        "gap": f"{float(found.gap[place]):.2g}",
        "evaluations": f"{found.evaluations:,}",
    }
    if not found.exact:
        facts["seed"] = str(found.seed)
        facts["error"] = f"{float(found.se[:, place].max()):.2g}"
        facts["stability"] = f"{float(found.stability[place]):.0%}"
    return {t(f"explain.proof.{name}"): value for name, value in facts.items()}


def _download(case: Case, found: Explanation) -> None:
    name = f"explain-{case.run.id}-{case.user}-{case.id(case.item)}"
    with st.container(horizontal=True):
        st.download_button(
            t("explain.download.csv"),
            data=lambda: event_frame(case, found).to_csv(index=False),
            file_name=f"{name}.csv",
            mime="text/csv",
            key="download_csv",
            icon=":material/download:",
            on_click="ignore",
        )


def command(case: Case) -> str:
    """What gives the same on the command line."""
    words = ["recscope", "explain", case.run.id, "--user", case.user, "--item", case.id(case.item)]
    return shlex.join(words)
