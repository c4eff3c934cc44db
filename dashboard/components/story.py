"""One person in front of you: what they did, what they would get, why, and what if they had not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st

from core.data.store import DatasetInfo
from core.runs.artifact import Run
from core.types import Queries
from dashboard import cache, state
from dashboard.components import comparison
from dashboard.components.cards import card_style, item_cards
from dashboard.components.context import Context
from dashboard.components.explain.card import Card
from dashboard.components.explain.case import Case, case_of
from dashboard.components.explain.edits import Edits
from dashboard.components.explain.what_if import edits_of_link, undo
from dashboard.components.explain.words import list_labels, place_change
from dashboard.components.labels import run_label
from dashboard.components.page import empty, link
from dashboard.components.people import person, user_box
from dashboard.state import t
from dashboard.text import Text, literal, strong

K, EVENTS, MODELS = 5, 5, 4  # what fits beside each other without scrolling


def story(now: Context, dataset: DatasetInfo, run: Run) -> Callable[[], object]:
    """Three columns in a row: did, would get, and why; each can be changed by a click.

    What it gives fills in the why, which is worked out meanwhile and may take a while.
    """
    card_style()
    user = person(dataset)
    _whose(now, dataset, run, user)
    case = case_of(now.workspace, dataset, run, user, k=K, edited=True)
    if case is None:
        empty(t("explain.nothing.what"), t("explain.nothing.why"))
        return lambda: None
    under_way = cache.refining(case.workspace, case.run, case.query, case.explained, None)
    whole = cache.history_query(now.workspace, case.run, user)
    edits = edits_of_link(len(whole.items), case.vocab)
    did, gets, why = st.columns([3, 3, 4], gap="medium")
    with did:
        _did(case, whole, edits)
    with gets:
        _gets(case, whole, edits)
    with why:
        st.markdown(strong(t("home.why")))
        card = Card(case)
        of_item = case.id(case.item)
        link("explain", t("home.why.more"), icon=":material/arrow_forward:", item=of_item)
    return lambda: card.fill(under_way)


def _whose(now: Context, dataset: DatasetInfo, run: Run, user: str) -> None:
    """Who it is about, anybody else, and by which of the models that were asked the same."""
    box, other, models = st.columns([3, 2, 5], vertical_alignment="bottom")
    with box:
        user_box(dataset, user)
    other.button(
        t("action.random"),
        key="random_user",
        icon=":material/casino:",
        on_click=lambda: state.choose_user(cache.random_user(dataset)),
    )
    with models:
        _model(_leading(now.runs, run), run)


def _leading(runs: Sequence[Run], run: Run) -> list[Run]:
    """The best of those that were asked what this one was, itself among them."""
    alike = comparison.asked_alike(runs, run)
    leading = comparison.by_figure(alike, comparison.HEADLINE)[:MODELS]
    return leading if run in leading else [run, *leading[: MODELS - 1]]


def _model(leading: list[Run], run: Run) -> None:
    if len(leading) < 2:
        return
    names = state.apart({one.id: run_label(one).rpartition(" · ")[0] for one in leading})
    key = f"story_run_{state.mark(names)}"
    st.session_state[key] = run.id

    def changed() -> None:
        state.put("run", st.session_state[key] or run.id)

    st.segmented_control(
        t("home.model"),
        list(names),
        format_func=lambda option: literal(names[option]),
        key=key,
        on_change=changed,
    )


def _did(case: Case, whole: Queries, edits: Edits) -> None:
    """The latest events; one without its tick is as if it had not happened."""
    n = len(whole.items)
    st.markdown(strong(t("home.did")))
    st.caption(t("home.did.lead", n=n, most=min(n, EVENTS)))

    def ticked(number: int) -> None:
        edits.dropping({*edits.drop} ^ {number}).write(case.vocab)

    numbers = range(n, max(0, n - EVENTS), -1)
    cards = item_cards(case.dataset, case.vocab.decode(whole.items[n - len(numbers) :]).tolist())
    rows = st.container(gap="xsmall")
    for number in numbers:
        card = cards[case.id(int(whole.items[number - 1]))]
        key = f"happened_{cache.fingerprint(whole)}_{number}"
        st.session_state[key] = number not in edits.drop
        row = rows.container(horizontal=True, vertical_alignment="center", gap="small")
        with row:
            st.markdown(card.picture, width="content")
            with st.container(gap=None):
                st.checkbox(literal(card.title), key=key, on_change=ticked, args=(number,))
                if card.about:
                    st.caption(card.about)
    undo(edits)


def _gets(case: Case, whole: Queries, edits: Edits) -> None:
    """The list, one of which is explained, with where each went if the history is edited."""
    st.markdown(strong(t("home.gets")))
    st.caption(t("home.gets.lead"))
    options = [case.id(item) for item in case.items]
    labels = dict(zip(options, list_labels(case), strict=True))
    cards = item_cards(case.dataset, case.vocab.decode(np.array(case.items)).tolist())
    moves = _moves(case, whole, edits) if edits.any else {}
    key = f"story_item_{state.mark(options)}"
    st.session_state[key] = case.id(case.item)
    st.radio(
        t("home.gets"),
        options,
        format_func=lambda option: cards[option].picture + literal(labels[option]),
        captions=[_below(cards[option].about, moves.get(option)) for option in options],
        key=key,
        label_visibility="collapsed",
        on_change=lambda: state.put("item", st.session_state[key]),
    )


def _below(about: Text, move: Text | None) -> Text:
    """What stands below a title: what the item is, and where it was before an edit."""
    return Text(" · ").join(part for part in (about, move) if part)


def _moves(case: Case, whole: Queries, edits: Edits) -> dict[str, Text]:
    """Item id → where it was before the history was edited; of those that the edit moved."""
    moves = cache.moves(
        *(case.workspace, case.run, whole, case.k),
        *(edits.dropped, edits.add, edits.order),
    )
    return {case.id(m.item): place_change(m.before, m.after, case.k) for m in moves}
