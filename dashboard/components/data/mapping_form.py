"""What each column and file means: the guess, why, and boxes to correct it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.data.ingest.preview import Preview
from core.data.layouts import sparse_matrix
from core.data.layouts.registry import LAYOUTS, TABLE
from dashboard.components.labels import event_label
from dashboard.state import evidence, mark, t
from dashboard.text import literal, plain

ROLES = ("user_id", "item_id", "timestamp", "event", "value", "platform")
NEEDED = ("user_id", "item_id")
NONE = ""  # the log has no such column


def file_roles(preview: Preview, paths: list[Path]) -> dict[str, list[Path]]:
    """Which files are the events, the items and the users, as the person says."""
    chosen: dict[str, list[Path]] = {"events": [], "items": [], "users": []}
    for path in paths:
        guess = preview.files.get(path.name, "events")
        role = guess
        if len(paths) > 1:
            role = st.selectbox(
                t("data.file_role", name=path.name),
                list(chosen),
                index=list(chosen).index(guess) if guess in chosen else 0,
                format_func=lambda r: t(f"file_role.{r}"),
                key=f"role_{path.name}",
            )
        chosen[role].append(path)
    return chosen


def layout_box(layout: str, seen: str, key: str) -> None:
    """How the file is laid out, and a box to say it otherwise; a plain table has neither.

    What is chosen is in the session's state under `key`, since the file is then read anew.
    """
    chosen = st.session_state.get(key)
    if layout == TABLE and chosen is None:
        return
    options = [TABLE, *(name for name in LAYOUTS if name != sparse_matrix.NAME)]
    if layout in options:
        st.selectbox(
            t("data.layout"),
            options,
            index=options.index(layout),
            format_func=lambda name: t(f"layout.{name}"),
            key=key,
            help=t("data.layout.help"),
            persist_state="page",  # also while a file cannot be read as it was said
        )
    if seen:
        st.caption(evidence(seen))


def mapping_form(preview: Preview) -> dict[str, str | None]:
    """What a person corrected: role → column (or columns, "a+b"), None for "the log has none".

    Under each box stands the evidence of the guess; what is left as guessed is not returned.
    """
    columns = [column.name for column in preview.columns]
    corrected: dict[str, str | None] = {}
    boxes = [*st.columns(3), *st.columns(3)]
    for box, role in zip(boxes, ROLES, strict=True):
        with box:
            column = _box(preview, role, columns)
        if column != preview.mapping.get(role):
            corrected[role] = column
    return corrected


def _box(preview: Preview, role: str, columns: list[str]) -> str | None:
    guess = preview.mapping.get(role)
    options = [NONE, *columns, *([guess] if guess and guess not in columns else [])]
    column = st.container(key=f"map_{role}").selectbox(
        t(f"role.{role}"),
        options,
        index=options.index(guess or NONE),
        format_func=lambda name: plain(name or t("data.no_column")),
        key=f"map_{role}_{mark(columns)}",
        help=t(f"role.{role}.help"),
        accept_new_options=role in NEEDED,
    )
    if (column or None) != guess:
        st.caption(t("data.corrected"))
    elif seen := preview.evidence.get(role):
        st.caption(evidence(seen))
    return column or None


def weights_form(event_types: dict[str, float]) -> dict[str, float]:
    """The weights that a person changed; 0 keeps an event in the log and out of the learning."""
    if not event_types:
        return {}
    st.markdown(t("data.weights"))
    boxes = st.columns(min(4, len(event_types)))
    changed = {}
    for place, (event, weight) in enumerate(event_types.items()):
        chosen = boxes[place % len(boxes)].number_input(
            literal(event_label(event)),
            min_value=0.0,
            value=float(weight),
            step=0.5,
            format="%g",
            key=f"weight_{event}_{mark(list(event_types))}",
        )
        if chosen != weight:
            changed[event] = chosen
    return changed
