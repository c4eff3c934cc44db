"""A map that takes its time: how far it is, and whether the slow one is wanted."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard import cache
from dashboard.background import Background
from dashboard.map import placement as maps
from dashboard.map.placement import PlacedItems
from dashboard.state import t

PATIENCE_S = 2.0  # after which a map that is not there yet says how far it is
POLL = "500ms"


@st.fragment(run_every=POLL)
def wait_for(making: Background[Any]) -> None:
    """How far it is, until it is there."""
    said = t(f"embeddings.step.{making.step}")
    if making.share is None:
        st.status(said, state="running")
    else:
        st.progress(min(1.0, making.share), text=said)
    if making.error is not None or making.get() is not None:
        st.rerun()


def arranged(placed: PlacedItems, *, key: str = "arrange") -> PlacedItems:
    """The map that keeps neighbours if it is there, else the axes, and how far it is.

    Args:
        placed: Whose.
        key: Of the button that asks for it where it takes minutes.
    """
    wanted = f"arrange_{placed.identity}"
    few = len(placed.codes) <= maps.AT_ONCE
    if not (few or st.session_state.get(wanted) or maps.is_arranged(placed)):
        if not st.button(t("embeddings.arrange", n=len(placed.codes)), key=key):
            return placed
        st.session_state[wanted] = True
    making = cache.arranging(placed)
    made = making.get(PATIENCE_S / 2)
    if made is None:
        wait_for(making)
    return made or placed
