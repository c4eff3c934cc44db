"""Views under a name in the sidebar: to be opened by anybody who uses the workspace."""

from __future__ import annotations

from collections.abc import Callable, Container

import streamlit as st

from core.data.store import Workspace
from core.errors import CoreError
from dashboard import saved_views, state
from dashboard.components.errors import show_error
from dashboard.components.page import link
from dashboard.components.read_only import writing_button
from dashboard.state import t
from dashboard.text import literal

SAID = "views_kept"  # what was done last, or why not
NAME = "view_name"
NOT_OF_A_VIEW = ("language", "step")  # how somebody reads, not what is shown


def saved_views_drawer(workspace: Workspace, page: str, pages: Container[str]) -> None:
    """The saved views, to be opened or deleted; what is shown now, to be saved.

    Args:
        workspace: Where they lie.
        page: The one that is shown.
        pages: All that there are: a view of another one, of a newer Recscope, is passed by.
    """
    said = st.session_state.pop(SAID, None)
    if isinstance(said, str):
        st.toast(literal(said), icon=":material/check_circle:")
    elif said:
        show_error(said)
    views, unreadable = saved_views.saved(workspace)
    by_id = {view.id: view for view in views if view.page in pages}
    with st.sidebar, st.expander(t("views", n=len(by_id)), icon=":material/bookmark:", key="views"):
        for each in unreadable:
            st.warning(literal(each.problem), icon=":material/heart_broken:")
        if by_id:
            _open(workspace, by_id)
        st.text_input(t("views.name"), max_chars=200, key=NAME)
        writing_button(
            t("action.save_view"),
            workspace,
            key="view_save",
            icon=":material/bookmark_add:",
            help=t("views.help"),
            on_click=lambda: _do(
                lambda: saved_views.save(workspace, st.session_state[NAME], page, _query()),
                t("views.saved"),
            ),
        )


def _open(workspace: Workspace, by_id: dict[str, saved_views.SavedView]) -> None:
    names = state.apart({ident: view.name for ident, view in by_id.items()})
    chosen = st.selectbox(
        t("views.which"),
        list(by_id),
        format_func=lambda ident: names.get(ident, ident),
        key=f"view_{state.mark(by_id)}",
    )
    view = by_id[chosen]
    query = {name: value for name, value in view.query.items() if name in state.NAMES}
    fresh = {state.BACK: "1"}  # nothing of what is shown now is taken along
    link(view.page, t("action.open"), icon=":material/folder_open:", **query, **fresh)
    writing_button(
        t("action.delete_view"),
        workspace,
        key="view_forget",
        icon=":material/delete:",
        on_click=_do,
        args=(lambda: saved_views.forget(workspace, chosen), t("views.forgotten")),
    )


def _query() -> dict[str, str]:
    """What the address says of what is shown."""
    names = (name for name in state.NAMES if name not in NOT_OF_A_VIEW)
    return {name: value for name in names if (value := state.get(name)) is not None}


def _do(action: Callable[[], object], done: str) -> None:
    """Does it before the page is drawn again, and leaves a sentence."""
    try:
        action()
    except CoreError as error:
        st.session_state[SAID] = error
        return
    st.session_state[SAID] = done
