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
from dashboard.components.explain.words import Reasons, sentence
from dashboard.components.page import link
from dashboard.components.people import escaped, length, person, user_box
from dashboard.map.colouring import Colouring, by_share
from dashboard.map.placement import PlacedItems
from dashboard.state import t

POLL = "500ms"


def colour_label(by: str) -> str:
    """What is said of a colouring; attributes keep the names that the items' table gives them."""
    kind, _, about = by.partition(":")
    if kind in cache.PERSONAL:
        return t(f"embeddings.colour.{kind}")
    return about or t(f"embeddings.colour.{by}")


def colouring_of(placed: PlacedItems, by: str) -> Colouring:
    """The points in these colours, as far as they are known by now; `by` as from `of_person`."""
    kind, _, about = by.partition(":")
    if kind == "score":
        return cache.scored(placed, about)
    if kind == "shap":
        return _shares(placed, *json.loads(about))
    return cache.colouring(placed, by)


def of_person(placed: PlacedItems, by: str, *, boxed: bool) -> str:
    """`by` with whom and what it is about, where it is about a person; says what is shown.

    Args:
        placed: Whose map.
        by: One of cache.colourings.
        boxed: Whether the person can be chosen elsewhere on the page.
    """
    if by not in cache.PERSONAL:
        return by
    info = placed.ready.load_dataset().info
    user = person(info)
    box, said = (None, st.container()) if boxed else st.columns([3, 8], vertical_alignment="center")
    if box is not None:
        with box:
            user_box(info, user)
    with said:
        return _score(placed, user) if by == "score" else _shap(placed, user)


def ringed(placed: PlacedItems, by: str, row: int) -> int:
    """The row to be ringed: the chosen one, else that of the item that the colours are about."""
    kind, _, about = by.partition(":")
    return placed.row(json.loads(about)[1]) if row < 0 and kind == "shap" else row


def _score(placed: PlacedItems, user: str) -> str:
    numbers = cache.scored(placed, user).numbers
    assert numbers is not None, "it is coloured by numbers"
    left = numbers[np.isfinite(numbers)]
    name = escaped(user)
    if len(left):
        half, high = np.quantile(left, [0.5, 0.99]).tolist()
        taken = len(numbers) - len(left)
        st.caption(t("embeddings.score.told", user=name, n=taken, half=half, high=high))
    else:
        st.caption(t("embeddings.score.nothing", user=name))
    return f"score:{user}"


def _shap(placed: PlacedItems, user: str) -> str:
    ready = placed.ready
    case = case_of(ready.workspace, ready.load_dataset().info, ready.run, user)
    if case is None:
        st.caption(t("embeddings.score.nothing", user=escaped(user)))
        return f"shap:{json.dumps([user, None])}"
    under_way = cache.refining(case.workspace, case.run, case.query, case.explained, None)
    found = under_way.last
    if not under_way.done:
        _refine(under_way, found, escaped(case.name(case.item)))
    if found is not None:
        _shap_told(case, found)
    return f"shap:{json.dumps([user, case.id(case.item)])}"


def _shap_told(case: Case, found: Explanation) -> None:
    """Why, in the words of the Explain page, and what the colours mean."""
    st.markdown(sentence(case, found, Reasons.of(case.query.items, found, case.column)))
    together = len(found.players) - len(found.values) + 1
    older = t("embeddings.shap.oldest", n=together) if together > 1 else ""
    st.caption(t("embeddings.shap.told", older=older).strip())
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
    said = t("explain.refining.help", n=far, most=most)
    st.progress(min(1.0, far / most), text=f"{t('explain.refining')} {said}")


def _shares(placed: PlacedItems, user: str, item: str | None) -> Colouring:
    """What each item of a history adds to another one's score, by what is known of it by now.

    The same explanation that the Explain page shows, which explains the first k together.
    """
    numbers = np.full(len(placed.codes), np.nan)
    if item is not None:
        ready = placed.ready
        query = cache.history_query(ready.workspace, ready.run, user)
        code = int(ready.items.encode([item])[0])
        best = tuple(cache.first_items(ready.workspace, ready.run, query, length(LENGTHS)).tolist())
        explained = best if code in best else (code,)
        found = cache.refining(ready.workspace, ready.run, query, explained, None).last
        if found is not None:
            sizes = np.bincount(found.players)
            each = (found.values[:, explained.index(code)] / sizes)[found.players]
            items, events = np.unique(query.items, return_inverse=True)
            numbers[placed.rows[items]] = np.bincount(events, each)
    return by_share(numbers, rest="elsewhere")
