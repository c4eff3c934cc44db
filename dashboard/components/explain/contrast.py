"""Why this item rather than that one: the difference of their scores, event by event."""

from __future__ import annotations

import streamlit as st

from core.explain import Explanation
from core.explain.reasons import contrast_of
from core.types import PAD
from dashboard import cache, state
from dashboard.charts import explain as charts
from dashboard.components.explain.case import Case
from dashboard.components.explain.values import Values, strongest
from dashboard.components.explain.words import figures, listed, quoted
from dashboard.components.page import figure
from dashboard.state import dark, t
from dashboard.text import Text, strong

NONE = ""


class Contrast:
    """A box for the other item, and below it places that are filled once both are explained."""

    def __init__(self, case: Case, *, cheap: bool) -> None:
        self.case = case
        st.markdown(strong(t("explain.contrast")))
        self.other = _choose(case, cheap=cheap)
        self._said, self._note, self._bars = st.empty(), st.empty(), st.empty()
        if self.other is None:
            self._said.caption(t("explain.contrast.lead"))

    def fill(self) -> None:
        """Finds out what makes the difference, roughly at first."""
        case = self.case
        if self.other is None:
            return
        under_way = cache.refining(case.workspace, case.run, case.query, (case.item,), self.other)
        for explanation in under_way:
            if explanation is None:
                self._note.caption(t("explain.refining"))
            else:
                self._draw(explanation, self.other)
        self._note.empty()

    def _draw(self, explanation: Explanation, other: int) -> None:
        with self._said.container():
            st.markdown(_sentence(self.case, explanation))
        with self._bars.container():
            _bars(self.case, explanation, other)


def _choose(case: Case, *, cheap: bool) -> int | None:
    """The item that the URL says, else the next in the list where that costs next to nothing."""
    item_id, after = state.get("against"), _next(case)
    chosen = _code(case, item_id) if item_id else after if item_id is None and cheap else None
    had = {case.id(item) for item in case.query.items}
    every = cache.popular_items(case.dataset).items()
    popular = {key: name for key, name in every if key not in had}
    near = {case.id(item): case.name(item) for item in case.items}
    labels = {NONE: t("explain.contrast.none"), **popular, **near}
    order = dict.fromkeys([NONE, *near, *popular])
    if chosen is not None:
        labels[case.id(chosen)] = case.name(chosen)
        order[case.id(chosen)] = None
    if after is not None and case.listed and case.items.index(after) > case.column:
        labels[case.id(after)] = t("explain.contrast.next", item=case.name(after))
    order.pop(case.id(case.item), None)
    state.pick(
        "against",
        list(order),
        labels.__getitem__,
        current=NONE if chosen is None else case.id(chosen),
        title=t("explain.contrast.other"),
    )
    return chosen


def _next(case: Case) -> int | None:
    """The item below this one, or above it where it is the last; of one not listed the first."""
    others = [item for item in case.items if item != case.item]
    return others[min(case.column, len(others) - 1)] if others else None


def _code(case: Case, item_id: str) -> int | None:
    code = int(case.vocab.encode([item_id])[0])
    if code == PAD:
        state.amiss("against", item_id, "explain.unknown_item")
    return None if code in (PAD, case.item) else code


def _sentence(case: Case, explanation: Explanation) -> Text:
    """Who is ahead and what makes the difference, in both directions."""
    contrast = contrast_of(case.query.items, explanation, 0)
    values = {
        "item": case.name(contrast.item),
        "other": case.name(contrast.other),
        "causes": listed(quoted(case, contrast.speaking)),
        "against": listed(quoted(case, [contrast.against] if contrast.against else [])),
        "share": contrast.share,
        "known": listed([strong(case.name(item)) for item in contrast.known]),
        "difference": figures([contrast.difference])[0].lstrip("+"),
    }
    keys = (*(f"explain.said.{clause}" for clause in contrast.clauses), "explain.contrast.by")
    return t("explain.space").join(t(key, **values) for key in keys)


def _bars(case: Case, explanation: Explanation, other: int) -> None:
    frame = strongest(case, Values.of(explanation, 0), base=t("explain.contrast.base"))
    drawn = charts.diverging(frame, x=t("explain.contrast.axis"), dark=dark())
    texts = [f"{row.label} {row.text}" for row in frame.head(4).itertuples(index=False)]
    alt = t(
        "explain.contrast.alt",
        item=case.name(case.item),
        other=case.name(other),
        events=listed(texts),
    )
    figure(drawn, alt=alt, key=f"contrast_{case.item}_{other}_{explanation.evaluations}")
