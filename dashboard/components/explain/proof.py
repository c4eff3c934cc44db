"""How an explanation was found, how far it adds up, and how to get it again elsewhere."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import asdict
from typing import Any

import pandas as pd
import streamlit as st

from core import pipeline
from core.explain import Explanation
from core.explain.counterfactual import Counterfactual
from dashboard import cache
from dashboard.components.explain.case import Case
from dashboard.components.explain.values import event_frame
from dashboard.components.labels import run_label
from dashboard.components.page import ROW, section, table
from dashboard.state import t


def proof(case: Case, found: Explanation, change: Counterfactual | None) -> None:
    """Run, method, evaluations, seed, errors, gap, stability; downloads; the command."""
    section("explain.proof")
    rows = _facts(case, found)
    frame = pd.DataFrame({"fact": list(rows), "is": list(rows.values())})
    alt = t("explain.proof.alt", method=rows[t("explain.proof.method")])
    height = ROW * (len(frame) + 1) + 3
    table(frame, alt=alt, key=f"proof_{case.item}", height=height)
    _download(case, found, change)
    st.caption(t("explain.command"))
    st.code(command(case, found), language=None)


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


def _download(case: Case, found: Explanation, change: Counterfactual | None) -> None:
    """The audit export, which `recscope explain --replay` checks, and the values of this item."""
    name = re.sub(r"[^\w.-]+", "_", f"explain-{case.run.id}-{case.user}-{case.id(case.item)}")
    with st.container(horizontal=True):
        st.download_button(
            t("explain.download.json"),
            data=lambda: export(case, found, change),
            file_name=f"{name}.json",
            mime="application/json",
            key="download_json",
            icon=":material/verified:",
            help=t("explain.download.json.help"),
            on_click="ignore",
        )
        st.download_button(
            t("explain.download.csv"),
            data=lambda: event_frame(case, found).to_csv(index=False),
            file_name=f"{name}.csv",
            mime="text/csv",
            key="download_csv",
            icon=":material/download:",
            on_click="ignore",
        )


def export(case: Case, found: Explanation, change: Counterfactual | None) -> str:
    """All that it takes to make the explanation again elsewhere, sealed, as JSON."""
    more: dict[str, Any] = {}
    if change is not None:
        ids = {"item": case.id(change.item), "removed": list(change.removed)}
        if change.replaced_by is not None:
            ids["replaced_by"] = case.id(change.replaced_by)
        more["counterfactual"] = {**asdict(change), **ids}
    loaded = cache.loaded(case.workspace, case.run)
    document = pipeline.ExplanationDocument(
        loaded, case.query, found, user=case.user, more=more
    ).to_json()
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def command(case: Case, found: Explanation) -> str:
    """What gives the same on the command line; what is sampled together stays together."""
    together = len(found.items) > 1 and not found.exact
    what = ["-k", str(case.k)] if together else ["--item", case.id(case.item)]
    return shlex.join(["recscope", "explain", case.run.id, "--user", case.user, *what])
