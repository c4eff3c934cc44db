"""Which other items of the list are there for the same reason."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.explain import Explanation
from core.explain.common_cause import same_cause, strongest_events
from dashboard.components.explain.case import Case
from dashboard.components.explain.values import player_labels
from dashboard.components.explain.words import listed
from dashboard.state import t


def same_reason(case: Case, explanation: Explanation) -> None:
    """One sentence; nothing where no event clearly speaks for the item, or it is unlisted."""
    cause = int(strongest_events(explanation)[case.column])
    if cause < 0 or not case.listed:
        return
    event = t(
        "explain.quoted",
        item=player_labels(case, explanation.players, np.array([cause]))[0],
    )
    others = [
        t("explain.quoted", item=case.name(int(item)))
        for item in same_cause(explanation, case.column)
    ]
    key = "explain.shared" if others else "explain.shared.none"
    st.markdown(t(key, event=event, items=listed(others), n=len(others)))
