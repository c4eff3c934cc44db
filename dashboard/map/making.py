"""A map that takes its time: how far it is, and whether the slow one is wanted."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.errors import BadInput
from core.runs.artifact import Run
from dashboard import cache, state
from dashboard.background import Background
from dashboard.components.context import Context
from dashboard.map import layouts
from dashboard.map.item_map import ItemMap
from dashboard.state import t

PATIENCE_S = 2.0  # after which a map that is not there yet says how far it is
POLL = "500ms"


@st.fragment(run_every=POLL)
def show_progress(work: Background[Any]) -> None:
    """How far it is, until it is there."""
    step = t(f"embeddings.step.{work.step}")
    if work.share is None:
        st.status(step, state="running")
    else:
        st.progress(min(1.0, work.share), text=step)
    if work.error is not None or work.get() is not None:
        st.rerun()


def axes_of(
    now: Context, run: Run, space: str, epoch: int | None = None, *, name: str = "space"
) -> Background[ItemMap]:
    """The run's items on their principal axes; of its usual space where it has not this one.

    Args:
        now: The page's context.
        run: The run.
        space: As the URL has it under `name`, or "" for the usual one.
        epoch: That is looked back at.
        name: The URL's parameter.
    """
    work = cache.principal_axes(now.workspace, run, space, epoch)
    try:
        work.get(PATIENCE_S)
    except BadInput:
        if not state.get(name):
            raise
        state.amiss(name, space)
        return cache.principal_axes(now.workspace, run, "", epoch)
    return work


def neighbour_map_or_axes(item_map: ItemMap, *, key: str = "arrange") -> ItemMap:
    """The map that keeps neighbours if it is there, else the axes, and how far it is.

    Args:
        item_map: Whose.
        key: Of the button that asks for it where it takes minutes.
    """
    wanted = f"arrange_{item_map.identity}"
    few = len(item_map.codes) <= layouts.AT_ONCE
    if not (few or st.session_state.get(wanted) or layouts.has_neighbour_map(item_map)):
        if not st.button(t("embeddings.arrange", n=len(item_map.codes)), key=key):
            return item_map
        st.session_state[wanted] = True
    work = cache.neighbour_map(item_map)
    by_neighbours = work.get(PATIENCE_S / 2)
    if by_neighbours is None:
        show_progress(work)
    return by_neighbours or item_map
