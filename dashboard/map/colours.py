"""Colours of the map that are about one person: each item's score, or what their history adds."""

from __future__ import annotations

import json

import numpy as np
import streamlit as st

from core.explain import Explanation
from core.explain.attribution import PER_PLAYER
from dashboard import cache
from dashboard.background import Background
from dashboard.components.explain.case import LENGTHS, Case, case_of
from dashboard.components.explain.words import sentence
from dashboard.components.page import link
from dashboard.components.people import length, person, user_box
from dashboard.map.colouring import Colouring, by_share
from dashboard.map.item_map import ItemMap
from dashboard.state import t
from dashboard.text import Text, literal

POLL = "500ms"


def colour_label(by: str) -> Text:
    """What is said of a colouring; attributes keep the names that the items' table gives them."""
    kind, _, about = by.partition(":")
    if kind in cache.PERSONAL:
        return t(f"embeddings.colour.{kind}")
    return literal(about) if about else t(f"embeddings.colour.{by}")


def colouring_of(item_map: ItemMap, by: str) -> Colouring:
    """The points in these colours, as far as they are known; `by` as personal_colours has it."""
    kind, _, about = by.partition(":")
    if kind == "score":
        return cache.score_colouring(item_map, about)
    if kind == "shap":
        return _shares(item_map, *json.loads(about))
    return cache.colouring(item_map, by)


def personal_colours(item_map: ItemMap, by: str, *, boxed: bool) -> str:
    """`by` with whom and what it is about, where it is about a person; says what is shown.

    Args:
        item_map: Whose map.
        by: One of cache.colourings.
        boxed: Whether the person can be chosen elsewhere on the page.
    """
    if by not in cache.PERSONAL:
        return by
    info = item_map.loaded.load_dataset().info
    user = person(info)
    box, words = (
        (None, st.container()) if boxed else st.columns([3, 8], vertical_alignment="center")
    )
    if box is not None:
        with box:
            user_box(info, user)
    with words:
        return _score(item_map, user) if by == "score" else _shap(item_map, user)


def ringed_row(item_map: ItemMap, by: str, row: int) -> int:
    """The row to be ringed: the chosen one, else that of the item that the colours are about."""
    kind, _, about = by.partition(":")
    return item_map.row(json.loads(about)[1]) if row < 0 and kind == "shap" else row


def _score(item_map: ItemMap, user: str) -> str:
    numbers = cache.score_colouring(item_map, user).numbers
    assert numbers is not None, "it is coloured by numbers"
    left = numbers[np.isfinite(numbers)]
    if len(left):
        half, high = np.quantile(left, [0.5, 0.99]).tolist()
        taken = len(numbers) - len(left)
        st.caption(t("embeddings.score.told", user=user, n=taken, half=half, high=high))
    else:
        st.caption(t("embeddings.score.nothing", user=user))
    return f"score:{user}"


def _shap(item_map: ItemMap, user: str) -> str:
    loaded = item_map.loaded
    case = case_of(loaded.workspace, loaded.load_dataset().info, loaded.run, user)
    if case is None:
        st.caption(t("embeddings.score.nothing", user=user))
        return f"shap:{json.dumps([user, None])}"
    under_way = cache.refining(case.workspace, case.run, case.query, case.explained, None)
    explanation = under_way.last
    if not under_way.done:
        _refine(under_way, explanation, case.name(case.item))
    if explanation is not None:
        _shap_words(case, explanation)
    return f"shap:{json.dumps([user, case.id(case.item)])}"


def _shap_words(case: Case, explanation: Explanation) -> None:
    """Why, in the words of the Explain page, and what the colours mean."""
    reasons = cache.reasons(case.workspace, case.run, case.query, explanation, case.column, case.k)
    st.markdown(sentence(case, reasons))
    together = len(explanation.players) - len(explanation.values) + 1
    older = t("embeddings.shap.oldest", n=together) if together > 1 else ""
    st.caption(t("embeddings.shap.told", older=older))
    link("explain", t("embeddings.shap.more"), icon=":material/help:", item=case.id(case.item))


@st.fragment(run_every=POLL)
def _refine(under_way: Background[Explanation], drawn: Explanation | None, item: str) -> None:
    """How far it is; the page is drawn again at the first estimate and at the last."""
    for news in under_way:
        if news is None:  # none for a moment
            break
    if under_way.done or (under_way.last is not None and drawn is None):
        st.rerun()
    if under_way.last is None:
        st.status(t("embeddings.shap.working", item=item), state="running")
        return
    far, most = under_way.last.evaluations, PER_PLAYER * len(under_way.last.values)
    help_text = t("explain.refining.help", n=far, most=most)
    st.progress(min(1.0, far / most), text=t("explain.refining") + " " + help_text)


def _shares(item_map: ItemMap, user: str, item: str | None) -> Colouring:
    """What each item of a history adds to another one's score, by what is known of it by now.

    The same explanation that the Explain page shows, which explains the first k together.
    """
    numbers = np.full(len(item_map.codes), np.nan)
    if item is not None:
        loaded = item_map.loaded
        query = cache.history_query(loaded.workspace, loaded.run, user)
        code = int(loaded.items.encode([item])[0])
        best = tuple(
            cache.first_items(loaded.workspace, loaded.run, query, length(LENGTHS)).tolist()
        )
        explained = best if code in best else (code,)
        explanation = cache.refining(loaded.workspace, loaded.run, query, explained, None).last
        if explanation is not None:
            players = explanation.players
            each = (explanation.values[:, explained.index(code)] / np.bincount(players))[players]
            items, events = np.unique(query.items, return_inverse=True)
            numbers[item_map.rows[items]] = np.bincount(events, each)
    return by_share(numbers, rest="elsewhere")
