"""The answer for those who want no numbers: a sentence, bars, how sure it is, what changes it."""

from __future__ import annotations

from html import escape
from typing import Literal

import streamlit as st

from core.explain import Explanation
from core.explain.attribution import PER_PLAYER
from core.explain.confidence import Level
from core.explain.reasons import Cause, Reasons
from dashboard import cache
from dashboard.background import Background
from dashboard.charts.theme import colours
from dashboard.components.explain.answer import change_of
from dashboard.components.explain.case import Case
from dashboard.components.explain.words import called, change, sentence
from dashboard.components.labels import model_label
from dashboard.state import dark, t
from dashboard.text import Text, plain

FORK, INFO = Text(":material/alt_route:", ""), Text(":material/info:", "")
SAID = "font-size:1.15rem;line-height:1.45;margin:0;overflow-wrap:anywhere"
CHIPS: dict[Level, tuple[Literal["blue", "orange", "gray"], str]] = {  # colour and icon
    Level.EXACT: ("blue", "verified"),
    Level.STABLE: ("blue", "check_circle"),
    Level.INDICATIVE: ("orange", "info"),
    Level.UNRELIABLE: ("gray", "warning"),
}


class Card:
    """A bordered card with places that are filled as the answer gets better."""

    def __init__(self, case: Case) -> None:
        self.case = case
        with st.container(border=True, key="explain_card"):
            self._said = st.empty()
            self._wait, self._change = st.empty(), st.empty()
        with self._said.container():
            st.skeleton(height=150)

    def fill(self, under_way: Background[Explanation]) -> Explanation:
        """Draws what is known at once, and again as it gets better; the last is what it gives."""
        for explanation in under_way:
            if explanation is None:
                self.wait()
                continue
            self.draw(explanation, done=under_way.done)
        assert under_way.last is not None, "there is at least one step"
        self.draw(under_way.last, done=True)
        return under_way.last

    def draw(self, explanation: Explanation, *, done: bool) -> None:
        """The sentence, the bars and the chip."""
        case = self.case
        reasons = cache.reasons(
            case.workspace, case.run, case.query, explanation, case.column, case.k
        )
        if done:
            self._wait.empty()
        with self._said.container():
            said = sentence(case, reasons).html
            st.html(f'<p style="{SAID}">{said}</p>')
            _bars(case, reasons)
            _caution(case)
            _confidence(explanation, case.column, done=done)

    def wait(self) -> None:
        """Says that it goes on; whoever clicks meanwhile gets the page's attention here."""
        self._wait.caption(t("explain.working"))

    def change(self, explanation: Explanation) -> None:
        """Says what would take the item off the list, if it is on it."""
        self._change.caption(t("explain.change.searching"))
        searched = change_of(self.case, explanation)
        if searched is None:
            self._change.empty()
        else:
            self._change.markdown(FORK + " " + change(self.case, searched))


def _confidence(explanation: Explanation, column: int, *, done: bool) -> None:
    """How far the answer can be relied on, in words; while it is refined, how far that is."""
    confidence = explanation.confidence[column]
    colour, icon = CHIPS[confidence.level]
    with st.container(horizontal=True, vertical_alignment="center"):
        if done:
            level = t(f"explain.confidence.{confidence.level}")
            st.badge(level, icon=f":material/{icon}:", color=colour)
            why = t(f"explain.confidence.{confidence.name}", **vars(confidence))
            st.caption(why, width="stretch")
        else:
            st.badge(t("explain.refining"), icon=":material/hourglass_top:", color="gray")
            most = PER_PLAYER * len(explanation.values)
            st.caption(
                t("explain.refining.help", n=explanation.evaluations, most=most), width="stretch"
            )


def _caution(case: Case) -> None:
    """An item that the model never saw anyone take: by what it knows it then."""
    clauses = cache.unseen(case.workspace, case.run, case.item)
    if clauses:
        model = model_label(case.run.config.model)
        said = (t(f"explain.said.{clause}", model=model) for clause in clauses)
        st.caption(INFO + " " + t("explain.space").join(said))


def _bars(case: Case, reasons: Reasons) -> None:
    """A bar for each cause that the sentence names, the longest full."""
    causes = [*reasons.speaking, *([reasons.against] if reasons.against else [])]
    if not causes:
        return
    longest = max(abs(cause.value) for cause in causes)
    rows = "".join(_bar(case, cause, abs(cause.value) / longest) for cause in causes)
    st.html(
        '<div style="display:grid;grid-template-columns:minmax(8rem,2fr) 3fr;gap:.45rem .9rem;'
        f'align-items:center;margin:.25rem 0 .5rem">{rows}</div>'
    )


def _bar(case: Case, cause: Cause, share: float) -> str:
    """One row: the name, the bar, and whether it speaks for or against."""
    blue, orange = colours(dark())[0], colours(dark())[1]
    name = plain(called(case, cause))
    word = t("explain.for" if cause.value > 0 else "explain.against")
    ground = (
        blue
        if cause.value > 0
        else f"repeating-linear-gradient(45deg,{orange} 0 5px,transparent 5px 8px)"
    )
    edge = blue if cause.value > 0 else orange
    return (
        f'<div style="overflow-wrap:anywhere;line-height:1.3">{escape(name)}</div>'
        '<div style="display:flex;align-items:center;gap:.5rem">'
        f'<div style="flex:0 0 {75 * share:.1f}%;height:.85rem;border-radius:3px;'
        f'background:{ground};border:1px solid {edge};box-sizing:border-box"></div>'
        f'<div style="white-space:nowrap;font-size:.85em">{escape(word)}</div></div>'
    )
