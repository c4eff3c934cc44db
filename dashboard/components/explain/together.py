"""Which two things of the history matter together, and which do what the other has done."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.explain import Explanation
from core.explain.interactions import Interaction
from dashboard import cache
from dashboard.components.explain.case import Case
from dashboard.components.explain.values import player_labels
from dashboard.components.explain.words import figures
from dashboard.state import t
from dashboard.text import Text

MOST = 5  # pairs with a sentence, the strongest


def together(case: Case, explanation: Explanation) -> None:
    """A sentence for each pair, once they are asked for: it takes as long as the explanation."""
    if len(explanation.values) < 2 or not explanation.moves[case.column]:
        return
    if not st.toggle(t("explain.together"), key="together", help=t("explain.together.help")):
        return
    with st.spinner(t("explain.together.working")):
        pairs = cache.interactions(case.workspace, case.run, case.query, case.item, explanation)
    claimed = [pair for pair in pairs if pair.claimed][:MOST]
    for pair in claimed:
        st.markdown(_sentence(case, explanation, pair))
    if not claimed:
        st.caption(t("explain.together.none"))


def _sentence(case: Case, explanation: Explanation, pair: Interaction) -> Text:
    labels = player_labels(case, explanation.players, np.array([pair.first, pair.second]))
    first, second = (t("explain.quoted", item=label) for label in labels)
    key = f"explain.together.{kind(explanation, case.column, pair)}"
    return t(key, first=first, second=second, value=figures([pair.value])[0])


def kind(explanation: Explanation, column: int, pair: Interaction) -> str:
    """Which sentence is true of a pair: only what pulls the same way can overlap."""
    both = [pair.first, pair.second]
    first, second = explanation.values[both, column]
    if first * second <= 0 or not explanation.sure[both, column].all():
        return "apart.more" if pair.together else "apart.less"
    return "more" if pair.together == (first > 0) else "overlap"
