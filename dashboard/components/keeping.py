"""What becomes of a dataset or a run: another name, out of the lists, gone; and what is unreadable.

What a button does it does before the page is drawn again, and leaves a sentence for `tell`.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from core import holdings
from core.data.limits import size_in_words
from core.data.store import Workspace
from core.errors import CoreError
from dashboard import state
from dashboard.components.errors import show_error
from dashboard.components.page import table
from dashboard.components.read_only import writing_button
from dashboard.state import mark, t
from dashboard.text import literal, plain

SAID = "kept"  # what was done last, or why not


def tell(workspace: Workspace) -> None:
    """Says what was done last, and names what cannot be read."""
    said = st.session_state.pop(SAID, None)
    if isinstance(said, str):
        st.toast(literal(said), icon=":material/check_circle:")
    elif said:
        show_error(said)
    if found := holdings.unreadable(workspace):
        st.warning(t("keep.unreadable", n=len(found)), icon=":material/heart_broken:")
        rows = [
            {"kind": t(f"keep.kind.{one.kind}"), "id": one.id, "problem": one.problem}
            for one in found
        ]
        table(pd.DataFrame(rows), alt=t("keep.unreadable.alt", n=len(rows)), key="unreadable")


def keep(workspace: Workspace, thing: holdings.Holding) -> None:
    """How large it is, and the ways to rename, archive and delete it."""
    st.caption(t("keep.size", size=size_in_words(thing.bytes)))
    name = st.text_input(
        t("keep.name"),
        value=thing.name,
        max_chars=200,
        key=f"keep_name_{thing.id}_{thing.name}",
        disabled=workspace.read_only,
    )
    first, second, third = st.columns(3)
    with first:
        writing_button(
            t("action.rename"),
            workspace,
            key=f"rename_{thing.id}",
            icon=":material/edit:",
            on_click=_do,
            args=(lambda: holdings.rename(workspace, thing.id, name), t("keep.renamed"), thing),
        )
    with second:
        writing_button(
            t("action.archive"),
            workspace,
            key=f"archive_{thing.id}",
            icon=":material/archive:",
            help=t("keep.archive.help"),
            on_click=_do,
            args=(lambda: holdings.archive(workspace, thing.id), t("keep.archived"), thing),
        )
    with third:
        key = f"delete_{thing.id}"
        asked = writing_button(t("action.delete"), workspace, key=key, icon=":material/delete:")
    if asked:
        _ask(workspace, thing)


def _ask(workspace: Workspace, thing: holdings.Holding) -> None:
    """Says what goes, and deletes it only when that is confirmed."""

    @st.dialog(t("keep.delete"))
    def dialog() -> None:
        if SAID in st.session_state:  # it was confirmed
            st.rerun()
        planned = holdings.removal(workspace, thing.id)
        runs = [one for one in planned.with_it if one.kind == holdings.RUN]
        st.text(f"{thing.name} ({thing.id})")
        if planned.with_it:
            searches = len(planned.with_it) - len(runs)
            st.markdown(t("keep.goes_too", runs=len(runs), searches=searches))
            st.text("\n".join(f"{run.name} ({run.id})" for run in runs))
        st.markdown(t("keep.frees", size=size_in_words(planned.bytes)))
        st.button(
            t("action.delete_for_good"),
            type="primary",
            key=f"confirm_{thing.id}",
            on_click=_do,
            args=(lambda: holdings.delete(workspace, planned), t("keep.deleted"), thing),
        )

    dialog()


def _do(action: Callable[[], object], done: str, thing: holdings.Holding | None = None) -> None:
    """Does it, and takes out of the address what means nothing any more."""
    try:
        action()
    except CoreError as error:
        st.session_state[SAID] = error
        return
    st.session_state[SAID] = done
    if thing is None:
        return
    for name in ("dataset", "run"):
        if state.get(name) in (thing.id, thing.name):
            still = thing.folder.exists() and not thing.archived
            state.put(name, thing.id if still else None)


def choose_run(workspace: Workspace, dataset: str) -> None:
    """The same for a run of this dataset, chosen among all that are listed."""
    runs = [
        one
        for one in holdings.everything(workspace)
        if one.kind != holdings.DATASET and one.dataset == dataset and not one.archived
    ]
    if not runs:
        return
    named = {one.id: f"{plain(one.name or t('keep.kind.search'))} · {one.id[:6]}" for one in runs}
    with st.expander(t("keep.runs"), icon=":material/inventory_2:", key="keep_runs"):
        chosen = st.selectbox(
            t("keep.which"), list(named), format_func=named.__getitem__, key=f"keep_{mark(named)}"
        )
        keep(workspace, next(one for one in runs if one.id == chosen))


def archived(workspace: Workspace) -> None:
    """What is kept but not listed, to be listed again; nothing if there is none."""
    found = {one.id: one for one in holdings.everything(workspace) if one.archived}
    if not found:
        return
    with st.expander(t("keep.archive", n=len(found)), icon=":material/archive:", key="archived"):
        chosen = st.selectbox(
            t("keep.archive.which"),
            list(found),
            format_func=lambda ident: (
                f"{t(f'keep.kind.{found[ident].kind}')} {plain(found[ident].name)} · {ident[:6]}"
            ),
            key=f"archived_{mark(found)}",
        )
        st.caption(t("keep.size", size=size_in_words(found[chosen].bytes)))
        writing_button(
            t("action.restore"),
            workspace,
            key="restore",
            icon=":material/unarchive:",
            on_click=_do,
            args=(lambda: holdings.archive(workspace, chosen, undo=True), t("keep.restored")),
        )
