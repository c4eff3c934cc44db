"""How deep a reason is told: a sentence, bars, or one part of everything; the URL says which."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from dashboard import state
from dashboard.state import t

SENTENCE, BARS = "sentence", "bars"
EVIDENCE, KINDS, CONTRAST, CHANGE = "evidence", "kinds", "contrast", "change"
WHAT_IF, PROOF, EVERYONE = "what-if", "proof", "everyone"
PARTS = (EVIDENCE, KINDS, CONTRAST, CHANGE, WHAT_IF, PROOF, EVERYONE)  # in the order of questions
DEPTHS = (SENTENCE, BARS, *PARTS)
WITHOUT_LIST = (WHAT_IF, EVERYONE)  # the one shows it edited, the other is about nobody's


def chosen_depth() -> str:
    """One of DEPTHS: the URL's, else what the rest of it is about; with the rows to choose it."""
    edited = any(state.get(name) for name in state.EDITS)
    usual = WHAT_IF if edited else CONTRAST if state.get("against") else SENTENCE
    depth = state.one_of("depth", DEPTHS, usual) or usual
    part = depth if depth in PARTS else PARTS[0]
    with st.container(horizontal=True, key="depths"):
        _switch("depth", {SENTENCE: SENTENCE, BARS: BARS, part: "everything"}, depth)
        if depth in PARTS:
            _switch("part", {name: name for name in PARTS}, depth)
    return depth


def _switch(name: str, words: Mapping[str, str], depth: str) -> None:
    """A row of which one is chosen: depth → the end of its text's key."""
    key = f"explain_{name}_{state.mark(words)}"
    st.session_state[key] = depth
    st.segmented_control(
        t("explain.depth"),
        list(words),
        format_func=lambda option: t(f"explain.depth.{words[option]}"),
        key=key,
        label_visibility="collapsed",
        on_change=lambda: state.put("depth", st.session_state[key] or depth),
    )
