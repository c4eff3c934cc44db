"""One person: what they did, and what a run would give them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import pandas as pd
import streamlit as st

from core.data.store import DatasetInfo
from core.runs.artifact import Run
from dashboard import cache, state
from dashboard.components.cards import item_cards
from dashboard.components.labels import event_label, run_label
from dashboard.components.page import ROW, listing, table
from dashboard.state import t
from dashboard.text import linked, literal, strong

WIDE_PICTURE, HIGH_ROW = 60, 52  # pixels, in a table with pictures
K_ELSEWHERE = ("5", "10", "20", "50")  # list lengths of one page or another


def person(dataset: DatasetInfo) -> str:
    """The URL's user if the log knows them, else one with an ordinary history."""
    asked = state.get("user")
    if asked and cache.has_user(dataset, asked):
        return asked
    if asked:
        state.amiss("user", asked, "recommendations.unknown_user")
    return cache.default_user(dataset)


def user_box(dataset: DatasetInfo, user: str) -> None:
    """A box of the most active users that also takes any other id of the log."""
    options = cache.users(dataset)
    if user not in options:
        options = [user, *options]
    st.session_state["pick_user"] = user
    names = state.apart({option: option for option in options})
    st.selectbox(
        t("recommendations.user"),
        options,
        format_func=lambda option: names.get(option, option),
        key="pick_user",
        index=None,
        help=t("recommendations.user.help"),
        accept_new_options=True,
        filter_mode="contains",
        on_change=lambda: state.choose_user(st.session_state["pick_user"] or None),
    )


def length(lengths: Sequence[int]) -> int:
    """The k of the URL, if it is one of these."""
    return int(state.one_of("k", [str(n) for n in lengths], "10", elsewhere=K_ELSEWHERE) or 10)


def hides_seen() -> bool:
    """Whether lists are to be without what the person knows already."""
    return state.one_of("keep", ("", "1"), "") != "1"


def whose_list(
    dataset: DatasetInfo, user: str, lengths: Sequence[int], *, hides: bool = False
) -> None:
    """A row of boxes: whose list, anybody's, how long, and with `hides` whether it may repeat."""
    columns = st.columns([3, 2, 2] + [3] * hides, vertical_alignment="bottom")
    with columns[0]:
        user_box(dataset, user)
    columns[1].button(
        t("action.random"),
        key="random_user",
        icon=":material/casino:",
        on_click=lambda: state.choose_user(cache.random_user(dataset)),
    )
    with columns[2]:
        options, current = [str(n) for n in lengths], str(length(lengths))
        state.pick("k", options, str, current=current, title=t("recommendations.k"))
    if hides:
        st.session_state["hide"] = hides_seen()
        columns[3].toggle(
            t("recommendations.hide"),
            key="hide",
            help=t("recommendations.hide.help"),
            on_change=lambda: state.put("keep", None if st.session_state["hide"] else "1"),
        )


def history_table(dataset: DatasetInfo, user: str, *, most: int) -> None:
    """The latest events of one user, latest first, with what is known of the items."""
    events = cache.history(dataset, user)
    st.markdown(strong(t("recommendations.history")))
    left_out = "" if len(events) <= most else ".some"
    st.caption(t(f"recommendations.history.count{left_out}", n=len(events), most=most))
    shown = events.head(most)
    cards = item_cards(dataset, shown["item_id"].tolist())
    of_event = [cards[str(item)] for item in shown["item_id"]]
    shown = shown.drop(columns="item_id").assign(
        picture=[card.address for card in of_event], about=[card.about for card in of_event]
    )
    if "event" in shown:
        shown = shown.assign(event=[event_label(event) for event in shown["event"]])
    columns = {
        "value": st.column_config.NumberColumn(t("column.value"), format="%g"),
        "picture": st.column_config.ImageColumn(t("column.picture"), width=WIDE_PICTURE),
    }
    if dataset.time_kind == "clock":
        columns["timestamp"] = st.column_config.DatetimeColumn(
            t("column.timestamp"), format="YYYY-MM-DD"
        )
    ends = ["label", "about"] if any(shown["about"]) else ["label"]
    between = shown.columns.drop(["picture", "label", "about"])
    table(
        shown[["picture", *between, *ends]],  # last: a long name hides nothing else
        alt=t("recommendations.history.alt", user=user),
        key=f"history_{dataset.id}",
        columns=columns,
        height=height(len(shown), HIGH_ROW),
        row_height=HIGH_ROW,
    )


def list_table(dataset: DatasetInfo, run: Run, user: str, found: pd.DataFrame, runs: int) -> None:
    """What one run recommends to one user, in order.

    Args:
        dataset: Where the items' names and the user's history are.
        run: Who recommends.
        user: The id.
        found: item_id and rank; `shared`, in how many of the runs' lists the item stands;
            model_rank, its place in the model's own order, where the list is re-ranked.
        runs: How many lists are side by side.
    """
    st.markdown(strong(run_label(run)))
    cards = item_cards(dataset, found["item_id"].tolist())
    known = set(cache.history(dataset, user)["item_id"])
    names = []
    for item, shared in zip(found["item_id"], found["shared"], strict=True):
        card = cards[str(item)]
        name = literal(card.title)
        name = strong(name) if runs > 1 and shared == runs else name
        name = linked(name, why_address(dataset, run, user, item))
        name = name + f" ({t('recommendations.known')})" if item in known else name
        names.append(card.beside(name))
    shown: dict[str, Iterable[Any]] = {t("column.rank"): found["rank"]}
    if "model_rank" in found:
        shown[t("column.model_rank")] = found["model_rank"]
    elif runs > 1:  # for both there is no room beside three lists
        shown[t("column.shared")] = [f"{shared}/{runs}" for shared in found["shared"]]
    shown[t("explain.link")] = names  # last: a long word hides nothing else
    alt = t("recommendations.list.alt", k=len(names), run=run_label(run), user=user)
    listing(shown, alt=alt)
    if "model_rank" not in found and len(found) > 1 and found["score"].nunique() == 1:
        st.caption(t("recommendations.same_score"))


def why_address(dataset: DatasetInfo, run: Run, user: str, item: object) -> str:
    """The address of why this run recommends this item to this user."""
    query = {
        "dataset": dataset.id,
        "run": run.id,
        "user": user,
        "item": str(item),
        "language": state.language(),
    }
    return f"explain?{urlencode(query, quote_via=quote)}"


def height(rows: int, row: int = ROW) -> int:
    """Pixels of a table with so many rows, as many of them at once as 20 of the usual ones."""
    return ROW + row * min(max(rows, 1), 20 * ROW // row) + 3
