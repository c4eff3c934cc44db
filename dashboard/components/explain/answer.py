"""The answer to a case as it is worked out: what every depth of the page stands on."""

from __future__ import annotations

from typing import Protocol

import streamlit as st

from core.explain import Explanation
from core.explain.counterfactual import Counterfactual, removal_order
from dashboard import cache
from dashboard.background import Background
from dashboard.components.explain.case import Case
from dashboard.state import t


class Drawn(Protocol):
    """A part of a page that shows an explanation as far as it has got."""

    def draw(self, explanation: Explanation) -> None: ...


def under_way(case: Case) -> Background[Explanation]:
    """The explanation, which gets better while a page looks at it."""
    return cache.refining(case.workspace, case.run, case.query, case.explained, None)


def settled(case: Case, *parts: Drawn) -> Explanation:
    """The explanation as good as it gets; until then these parts show how far it is."""
    place = st.empty()
    work = under_way(case)
    for explanation in work:
        if explanation is None:
            place.caption(t("explain.working"))
            continue
        for part in parts:
            part.draw(explanation)
    place.empty()
    assert work.last is not None, "there is at least one step"
    return work.last


def speaking(case: Case, explanation: Explanation) -> list[int]:
    """The items of the history that the sentence names as reasons."""
    reasons = cache.reasons(case.workspace, case.run, case.query, explanation, case.column, case.k)
    return [cause.item for cause in reasons.speaking]


def change_of(case: Case, explanation: Explanation) -> Counterfactual | None:
    """What would take the item off the list; None where it is not on it, or without history."""
    if not case.listed or not len(case.query.items):
        return None
    order = removal_order(explanation, case.column)
    return cache.counterfactual(case.workspace, case.run, case.query, case.item, case.k, order)
