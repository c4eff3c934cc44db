"""How an explanation was found, how far it adds up, and how to get it again elsewhere."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import pandas as pd
import streamlit as st

from core import pipeline
from core.data.store import Workspace
from core.errors import Corrupt
from core.explain import Explanation
from core.explain.counterfactual import Counterfactual
from core.pipeline.replays.seal import KEY_FILE, workspace_key
from dashboard import cache
from dashboard.components.download import csv_buttons
from dashboard.components.explain.case import Case
from dashboard.components.explain.values import event_frame
from dashboard.components.labels import run_label
from dashboard.components.page import ROW, table
from dashboard.state import t
from dashboard.text import plain


def proof(case: Case, explanation: Explanation, counterfactual: Counterfactual | None) -> None:
    """Run, method, evaluations, seed, errors, gap, stability; downloads; the command."""
    rows = _facts(case, explanation)
    frame = pd.DataFrame({"fact": list(rows), "is": list(rows.values())})
    alt = t("explain.proof.alt", method=rows[plain(t("explain.proof.method"))])
    height = ROW * (len(frame) + 1) + 3
    table(frame, alt=alt, key=f"proof_{case.item}", height=height)
    with st.container(gap="xsmall"):  # all of it on one screen
        _download(case, explanation, counterfactual)
        st.caption(t("explain.command"))
        st.code(command(case, explanation), language=None)


def _facts(case: Case, explanation: Explanation) -> dict[str, str]:
    column = case.column
    score, base = float(explanation.scores[column]), float(explanation.base[column])
    facts = {
        "run": f"{run_label(case.run)} ({case.run.id})",
        "weights": case.run.artifact_hash[:16],
        "method": t(f"explain.method.{explanation.method.replace(' ', '_')}"),
        f"score.{explanation.contrast.name.lower()}": f"{score:.6g}",
        "base": f"{base:.6g}",
        "raw_score": f"{float(explanation.raw_scores[column]):.6g}",
        "raw_base": f"{float(explanation.raw_base[column]):.6g}",
        "gap": f"{float(explanation.gap[column]):.2g}",
        "evaluations": f"{explanation.evaluations:,}",
    }
    if not explanation.exact:
        facts["seed"] = str(explanation.seed)
        facts["error"] = f"{float(explanation.se[:, column].max()):.2g}"
        facts["stability"] = f"{float(explanation.stability[column]):.0%}"
    return {plain(t(f"explain.proof.{name}")): plain(value) for name, value in facts.items()}


def _download(case: Case, explanation: Explanation, counterfactual: Counterfactual | None) -> None:
    """The audit export, which `recscope explain --replay` checks, and the values of this item."""
    name = re.sub(r"[^\w.-]+", "_", f"explain-{case.run.id}-{case.user}-{case.id(case.item)}")
    seal = SealTold.of(case.workspace)
    with st.container(horizontal=True):
        st.download_button(
            t("explain.download.json"),
            data=lambda: export(case, explanation, counterfactual),
            file_name=f"{name}.json",
            mime="application/json",
            key="download_json",
            icon=":material/verified:",
            help=t("explain.download.json.help"),
            on_click="ignore",
            disabled=not seal.possible,
        )
        csv_buttons(lambda: event_frame(case, explanation), name=name, key="download_csv")
    st.caption(t(seal.key, **seal.values))


@dataclass(frozen=True)
class SealTold:
    """What will vouch for the audit export, as a text of the page; whether there can be one."""

    key: str  # of the text
    values: Mapping[str, str]
    possible: bool = True

    @classmethod
    def of(cls, workspace: Workspace) -> Self:
        """By what the workspace has now; nothing is made before something is exported."""
        try:
            key = workspace_key(workspace)
        except Corrupt as error:
            return cls("explain.seal.damaged", {"problem": str(error)}, possible=False)
        if key is not None:
            return cls("explain.seal.key", {"name": key.name, "file": KEY_FILE})
        if os.access(workspace.path, os.W_OK):
            return cls("explain.seal.first", {"file": KEY_FILE})
        return cls("explain.seal.checksum", {"folder": str(workspace.path)})


def export(case: Case, explanation: Explanation, counterfactual: Counterfactual | None) -> str:
    """All that it takes to make the explanation again elsewhere, sealed, as JSON."""
    return pipeline.ExplanationDocument(
        cache.loaded(case.workspace, case.run),
        case.query,
        explanation,
        user=case.user,
        counterfactual=counterfactual,
    ).text()


def command(case: Case, explanation: Explanation) -> str:
    """What gives the same on the command line; what is sampled together stays together."""
    together = len(explanation.items) > 1 and not explanation.exact
    what = ["-k", str(case.k)] if together else ["--item", case.id(case.item)]
    return shlex.join(["recscope", "explain", case.run.id, "--user", case.user, *what])
