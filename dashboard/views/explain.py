"""Why this item, and what would change it?

Three depths, a screen each, and each in the address: a sentence, bars, and everything there is.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import streamlit as st

from core.data.store import Workspace
from core.explain.history import events_read
from core.runs.artifact import Run
from core.types import PAD
from dashboard import cache, state
from dashboard.components.cards import card_style, item_cards
from dashboard.components.context import Context, context
from dashboard.components.explain.answer import change_of, settled, speaking, under_way
from dashboard.components.explain.card import Card
from dashboard.components.explain.case import LENGTHS, Case, case_of
from dashboard.components.explain.change import change_details
from dashboard.components.explain.components import Components
from dashboard.components.explain.contrast import Contrast
from dashboard.components.explain.depth import (
    BARS,
    CHANGE,
    CONTRAST,
    EVERYONE,
    EVIDENCE,
    KINDS,
    PROOF,
    SENTENCE,
    WHAT_IF,
    WITHOUT_LIST,
    chosen_depth,
)
from dashboard.components.explain.entering import entering
from dashboard.components.explain.everyone.box import everyone
from dashboard.components.explain.evidence import item_evidence
from dashboard.components.explain.groups import history_groups
from dashboard.components.explain.origin import reason_origin
from dashboard.components.explain.parts import item_parts
from dashboard.components.explain.proof import proof
from dashboard.components.explain.shared import same_reason
from dashboard.components.explain.together import together
from dashboard.components.explain.values import Waterfall, event_table
from dashboard.components.explain.what_if import what_if
from dashboard.components.explain.words import list_labels
from dashboard.components.labels import run_label
from dashboard.components.page import empty, first_step, heading
from dashboard.components.people import person, whose_list
from dashboard.state import t
from dashboard.text import Text, literal


def main(now: Context) -> None:
    run = now.shown_run
    if now.dataset is None or run is None:
        _nothing(now)
        return
    card_style()
    user = person(now.dataset)
    top = st.container()  # what it says is known once the run has been asked
    whose_list(now.dataset, user, LENGTHS)
    case = case_of(now.workspace, now.dataset, run, user)
    with top:
        heading("explain", _answer(now.workspace, run, user))
    if case is None:
        empty(t("explain.nothing.what"), t("explain.nothing.why"))
    else:
        _explain(case)


def _answer(workspace: Workspace, run: Run, user: str) -> Text:
    """What the run goes by, and no more of the history than it reads."""
    query = cache.history_query(workspace, run, user)
    read, n = events_read(cache.loaded(workspace, run).model, query), len(query.items)
    how = ".empty" if not n else "" if read == n else ".latest" if read else ".none"
    return t(f"explain.answer{how}", run=run_label(run), user=user, read=read, n=n)


def _nothing(now: Context) -> None:
    heading("explain", t("recommendations.answer.none"))
    empty(t("explain.empty.what"), t("explain.empty.why"))
    first_step(now.dataset)


def _explain(case: Case) -> None:
    """The list, one item of which is explained, and beside it the reason as deep as is asked."""
    depth = chosen_depth()
    if depth in WITHOUT_LIST:
        DRAWN[depth](case)
        return
    left, right = st.columns([2, 5], gap="medium")
    with left:
        _choose_item(case)
    with right:
        DRAWN[depth](case)
    with left:
        _stranger(case)


def _sentence(case: Case) -> None:
    card = Card(case)
    card.change(card.fill(under_way(case)))


def _bars(case: Case) -> None:
    """What each event adds, the strongest with a bar."""
    bars, below = Waterfall(case), st.container()
    explanation = settled(case, bars)
    with below:
        same_reason(case, explanation)
        with st.expander(t("explain.events.table"), key="events_table"):
            st.caption(t(f"explain.events.lead.{case.contrast.name.lower()}"))
            event_table(case, explanation)


def _evidence(case: Case) -> None:
    explanation = settled(case)
    item_evidence(case, speaking(case, explanation))
    reason_origin(case, explanation)


def _kinds(case: Case) -> None:
    """The same by groups of events, by components, and by what the item is made of."""
    components = Components(case)
    explanation = settled(case, components)
    history_groups(case, explanation)
    together(case, explanation)
    item_parts(case)


def _contrast(case: Case) -> None:
    Contrast(case, cheap=case.exactly).fill()


def _change(case: Case) -> None:
    change_details(case, change_of(case, settled(case)))
    entering(case)


def _proof(case: Case) -> None:
    explanation = settled(case)
    proof(case, explanation, change_of(case, explanation))


def _everyone(case: Case) -> None:
    everyone(case.of_log)


DRAWN: dict[str, Callable[[Case], None]] = {
    SENTENCE: _sentence,
    BARS: _bars,
    EVIDENCE: _evidence,
    KINDS: _kinds,
    CONTRAST: _contrast,
    CHANGE: _change,
    WHAT_IF: what_if,
    PROOF: _proof,
    EVERYONE: _everyone,
}


def _stranger(case: Case) -> None:
    """Says so where the model, knowing who it is, recommends other items than to a stranger."""
    own = cache.recommendations(case.workspace, case.run, case.user, case.k, True)
    if [str(key) for key in own["item_id"]] != [case.id(item) for item in case.items[: len(own)]]:
        st.caption(t("explain.stranger"))


def _choose_item(case: Case) -> None:
    """The list, one of which is explained; the one asked about last if it is not on it."""
    options = [case.id(item) for item in case.items]
    cards = item_cards(case.dataset, case.vocab.decode(np.array(case.items)).tolist())
    labels = dict(zip(options, list_labels(case), strict=True))
    key = f"pick_item_{state.mark(options)}"
    st.session_state[key] = case.id(case.item)

    def changed() -> None:
        state.put("item", st.session_state[key])
        state.forget("against")

    with st.container(key="explain_items"):  # of which all are to be seen at once
        st.radio(
            t("explain.item", k=case.k),
            options,
            format_func=lambda key: cards[key].picture + literal(labels[key]),
            key=key,
            on_change=changed,
        )
    _other_item(case)


def _other_item(case: Case) -> None:
    """A box for any other item, by its id or a part of its name, also one that nobody took yet."""

    def chosen() -> None:
        words = (st.session_state["other_item"] or "").strip()
        st.session_state["other_item"] = ""
        item: str | None = words
        if not words:
            return
        if case.vocab.encode([words])[0] == PAD:
            dataset = case.dataset
            item = cache.described_item(dataset, words) or cache.find_item(dataset, words)
        if item is None:
            st.session_state["other_item_unknown"] = words
            return
        state.put("item", item)
        state.forget("against")

    st.text_input(
        t("explain.item.other"),
        key="other_item",
        placeholder=t("explain.what_if.add.placeholder"),
        help=t("explain.item.other.help"),
        on_change=chosen,
    )
    if unknown := st.session_state.pop("other_item_unknown", None):
        st.warning(t("explain.item.unknown", value=unknown), icon=":material/search_off:")


main(context())
