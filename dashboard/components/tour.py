"""A guided way through the pages: six steps with a caption each, every step an address of its own.

It is on while the URL has a step; `recscope demo` opens on the first.
"""

from __future__ import annotations

import streamlit as st

from dashboard import cache, state
from dashboard.components.context import Context
from dashboard.components.people import person
from dashboard.state import t

# The pages in the order of the story; the same page twice shows something else there.
STEPS = ("home", "home", "explain", "compare", "embeddings", "sql")
WHAT_IF = 2  # the step at which the latest event is left out
BACK, ON, END = "Left", "Right", "Escape"  # keys


def tour(now: Context) -> None:
    """The caption of this step, and the ways back, on and out; nothing where no step is asked."""
    asked = state.get("step")
    if asked is None:
        return
    if asked not in {str(number) for number in range(1, len(STEPS) + 1)}:
        state.amiss("step", asked)
        return
    number = int(asked)
    with st.container(border=True, key="tour"):
        st.markdown(t(f"tour.step.{number}"))
        with st.container(horizontal=True, vertical_alignment="center"):
            back = st.button(t("tour.back"), key="tour_back", shortcut=BACK, disabled=number == 1)
            on = st.button(
                t("tour.on"),
                key="tour_on",
                type="primary",
                shortcut=ON,
                disabled=number == len(STEPS),
            )
            end = st.button(t("tour.end"), key="tour_end", type="tertiary", shortcut=END)
            st.caption(t("tour.place", number=number, of=len(STEPS)))
    if back or on:
        _go(now, number + (1 if on else -1))
    if end:
        state.forget("step", *state.EDITS)
        st.rerun()


def _go(now: Context, number: int) -> None:
    """Opens the page of this step, with what it shows there."""
    state.put("step", str(number))
    state.forget(*state.EDITS, "item", "against")
    if number == WHAT_IF:
        _leave_out_the_latest(now)
    st.switch_page(f"views/{STEPS[number - 1]}.py")


def _leave_out_the_latest(now: Context) -> None:
    run = now.shown_run
    if now.dataset is None or run is None:
        return
    n = len(cache.history_query(now.workspace, run, person(now.dataset)).items)
    if n:
        state.put("drop", str(n))
