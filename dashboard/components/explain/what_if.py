"""What if this person had done something else: the history to edit, and the list that follows."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from core.types import Vocab
from dashboard import cache, state
from dashboard.components.explain.case import Case
from dashboard.components.explain.edits import Edits
from dashboard.components.explain.words import listed, place_change
from dashboard.components.page import ROW, listing
from dashboard.state import t
from dashboard.text import Text, literal, plain, strong

MOST_WORDS = 5  # of the URL, repeated in a sentence
ROWS = 8  # of the history, at once


def what_if(case: Case) -> None:
    """The editor on the left, the new list with its moves on the right."""
    st.markdown(strong(t("explain.what_if")))
    st.caption(t("explain.what_if.lead"))
    edits = edits_of_link(len(case.query.items), case.vocab)
    sides = st.container(horizontal=True, key="sides")
    left, right = sides.container(), sides.container()
    with left:
        _add_box(case, edits)
        with st.container(key="history_editor"):
            _editor(case, edits)
        undo(edits)
    with right:
        _moves(case, edits)


def undo(edits: Edits) -> None:
    """The button that takes all edits back, where there are any."""
    if edits.any:
        st.button(
            t("explain.what_if.undo"),
            key="undo",
            icon=":material/undo:",
            on_click=lambda: state.forget(*state.EDITS),
        )


def edits_of_link(n: int, vocab: Vocab) -> Edits:
    """The edits of n events that the URL names; it says which words of it mean nothing."""
    edits = Edits.read(n, vocab)
    if unread := edits.unread(vocab):
        words = listed([t("explain.quoted", item=word) for word in unread[:MOST_WORDS]])
        st.warning(t("explain.what_if.unread", words=words), icon=":material/link_off:")
        edits.write(vocab)
    return edits


def _add_box(case: Case, edits: Edits) -> None:
    """A box of the most popular items that also takes any other, by id or a part of its name."""
    names = state.apart(cache.popular_items(case.dataset))

    def chosen() -> None:
        text = st.session_state["add_item"]
        st.session_state["add_item"] = None
        item = text if text in names else cache.find_item(case.dataset, text or "")
        code = int(case.vocab.encode([item])[0])
        if code < 0:
            st.session_state["add_item_unknown"] = text
        else:
            edits.adding(code).write(case.vocab)

    st.selectbox(
        t("explain.what_if.add"),
        list(names),
        index=None,
        format_func=lambda item: names.get(item, item),
        key="add_item",
        help=t("explain.what_if.add.help"),
        placeholder=t("explain.what_if.add.placeholder"),
        accept_new_options=True,
        on_change=chosen,
    )
    if unknown := st.session_state.pop("add_item_unknown", None):
        st.warning(t("explain.what_if.unknown", value=unknown), icon=":material/search_off:")


def _editor(case: Case, edits: Edits) -> None:
    """The history as a table, the latest first: a tick for what counts, a number for its place."""
    key, shown = _widget(case, edits)
    frame = _frame(case, shown)
    labels = {name: t(f"column.{name}") for name in ("use", "place")}
    st.data_editor(
        frame,
        hide_index=True,
        key=key,
        disabled=[name for name in frame.columns if name not in labels],
        column_config={
            "use": st.column_config.CheckboxColumn(labels["use"], width=75),
            "place": st.column_config.NumberColumn(
                labels["place"], min_value=1, max_value=edits.n, step=1, width=75
            ),
            "timestamp": st.column_config.Column(t("column.timestamp"), width=95),
            "label": st.column_config.Column(t("column.label")),
        },
        row_height=ROW,
        height=ROW * (min(len(frame), ROWS) + 1) + 3,
        alt=t("explain.what_if.alt", n=len(frame)),
        on_change=lambda: _edited(case, key),
    )


def _frame(case: Case, edits: Edits) -> pd.DataFrame:
    """use, place, timestamp, label: a row per event, the latest first, on top what was added."""
    n, sequence = edits.n, edits.sequence[::-1]
    added = edits.add[::-1]
    items = [*added, *(int(case.query.items[number - 1]) for number in sequence)]
    columns: dict[str, Any] = {
        "use": [True] * len(added) + [number not in edits.drop for number in sequence],
        "place": range(n + len(added), 0, -1),
    }
    days = [case.when(number - 1) for number in sequence]
    if any(days) or added:
        columns["timestamp"] = [plain(t("explain.what_if.added"))] * len(added) + days
    columns["label"] = [plain(case.name(item)) for item in items]
    return pd.DataFrame(columns)


def _widget(case: Case, edits: Edits) -> tuple[str, Edits]:
    """The widget's key, and what it began with: the same while it shows what the URL says.

    A tick by hand changes the URL and is in the widget already; begun anew it would lose its place.
    """
    start = {"number": 0, "key": "", "about": "", "edits": edits}
    kept = st.session_state.setdefault("what_if", start)
    about = f"{cache.fingerprint(case.query)} {state.language()} {edits.add} {edits.moved}"
    if kept["about"] != about or _ticked(kept["key"], kept["edits"]).drop != edits.drop:
        number = kept["number"] + 1
        kept.update(about=about, edits=edits, number=number, key=f"what_if_{number}")
    return kept["key"], kept["edits"]


def _changed(key: str) -> dict[int, dict[str, Any]]:
    """Row → column → value, as far as it was changed in this widget."""
    rows = (st.session_state.get(key) or {}).get("edited_rows") or {}
    return {int(row): cells for row, cells in rows.items()}


def _ticked(key: str, edits: Edits) -> Edits:
    """What this widget began with, and the ticks that were set or taken away in it since."""
    dropped, gone, more = set(edits.drop), set(), len(edits.add)
    sequence = edits.sequence[::-1]
    for row, cells in _changed(key).items():
        use = cells.get("use")
        if use is False and row < more:
            gone.add(more - 1 - row)
        elif use is not None and more <= row < more + edits.n:
            (dropped.discard if use else dropped.add)(sequence[row - more])
    return edits.dropping(dropped).without(gone)


def _edited(case: Case, key: str) -> None:
    """Writes what was changed by hand into the URL."""
    before: Edits = st.session_state["what_if"]["edits"]
    edits, more = _ticked(key, before), len(before.add)
    for row, cells in _changed(key).items():
        position = cells.get("place")
        if position is not None and row >= more and position != before.n - (row - more):
            edits = edits.moving(before.sequence[::-1][row - more], int(position))
    edits.write(case.vocab)


def _moves(case: Case, edits: Edits) -> None:
    """The new first k, and what left them, with how far each went."""
    if not edits.any:
        st.info(t("explain.what_if.nothing"), icon=":material/edit:")
        return
    moves = cache.moves(
        *(case.workspace, case.run, case.query, case.k),
        *(edits.dropped, edits.add, edits.order),
    )
    case.learn(move.item for move in moves)
    on_it = [move for move in moves if move.after is not None and move.after <= case.k]
    gone = [move for move in moves if move not in on_it]
    said = [place_change(move.before, move.after, case.k) for move in [*on_it, *gone]]
    st.markdown(_summary(case, edits, moves))
    columns: dict[str, list[str]] = {
        t("column.rank"): [f"{m.after:,}" if m.after else "–" for m in [*on_it, *gone]],
        t("column.item"): [_name(case, m.item) for m in [*on_it, *gone]],
        t("explain.what_if.move"): [*said],
    }
    alt = t("explain.what_if.list.alt", k=case.k)
    listing(columns, alt=alt)


def _name(case: Case, item: int) -> Text:
    name = case.name(item)
    return strong(name) if item == case.item else literal(name)


def _summary(case: Case, edits: Edits, moves: Any) -> Text:
    """What was edited, and what became of the item that is explained."""
    own = next((move for move in moves if move.item == case.item), None)
    same = all(move.before == move.after for move in moves)
    parts = [_done(case, edits)]
    if same:
        parts.append(t("explain.what_if.same"))
    elif own is not None and own.after is not None:
        name = case.name(case.item)
        before = own.before or 0
        how = "stays" if own.after == own.before else "goes"
        parts.append(t(f"explain.what_if.{how}", item=name, before=before, after=own.after))
    return t("explain.space").join(parts)


def _done(case: Case, edits: Edits) -> Text:
    """How many events were left out, added and moved."""
    parts = []
    if edits.drop:
        parts.append(t("explain.what_if.dropped", n=len(edits.drop)))
    if edits.add:
        names = [t("explain.quoted", item=case.name(item)) for item in edits.add]
        parts.append(t("explain.what_if.with", items=listed(names)))
    if edits.moved:
        parts.append(t("explain.what_if.moved", n=len(edits.moved)))
    return t("explain.what_if.done", what=listed(parts))
