"""Which items drive which over many people, and which hardly matter."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.explain.survey.overview import Overview
from dashboard.components.explain.case import Case
from dashboard.components.explain.everyone.ways import MOST
from dashboard.components.page import table
from dashboard.state import t


def items(case: Case, overview: Overview) -> None:
    """What drives what, and what matters little, side by side."""
    left, right = st.columns(2)
    with left:
        _influences(case, overview)
    with right:
        _idle(case, overview)


def _influences(case: Case, overview: Overview) -> None:
    """Which item that people took drives which that they are recommended."""
    st.markdown(t("explain.all.influences"))
    influences = overview.influences[:MOST]
    if not influences:
        st.caption(t("explain.all.influences.none"))
        return
    case.learn(item for pair in influences for item in (pair.driver, pair.item))
    frame = pd.DataFrame(
        {
            "driver": [case.name(pair.driver) for pair in influences],
            "driven": [case.name(pair.item) for pair in influences],
            "users": [pair.users for pair in influences],
        }
    )
    table(frame, alt=t("explain.all.influences.alt", n=len(influences)), key="influences")


def _idle(case: Case, overview: Overview) -> None:
    """Which items hardly matter to whoever took them."""
    st.markdown(t("explain.all.idle"))
    idle = overview.idle[:MOST]
    if not idle:
        st.caption(t("explain.all.idle.none"))
        return
    case.learn(each.item for each in idle)
    frame = pd.DataFrame(
        {"label": [case.name(each.item) for each in idle], "users": [each.users for each in idle]}
    )
    table(frame, alt=t("explain.all.idle.alt", n=len(idle)), key="idle")
