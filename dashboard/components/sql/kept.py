"""Statements that are kept: saved under a name, as files of the workspace, or asked before."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.data.store import Workspace
from core.errors import CoreError
from core.sql import saved
from dashboard import state
from dashboard.components.errors import show_error
from dashboard.components.read_only import writing_button
from dashboard.components.sql.answer import name_of
from dashboard.components.sql.statement import choose, written
from dashboard.state import t
from dashboard.text import literal, plain

SAID = "sql_kept"  # what was done last, or why not


def kept(workspace: Workspace) -> None:
    """The saved queries, to be opened, deleted or added to; what was asked last."""
    said = st.session_state.pop(SAID, None)
    if isinstance(said, str):
        st.toast(literal(said), icon=":material/check_circle:")
    elif said:
        show_error(said)
    queries, unreadable = saved.saved(workspace)
    for each in unreadable:
        st.warning(literal(each.problem), icon=":material/heart_broken:")
    with st.expander(t("sql.kept", n=len(queries)), icon=":material/bookmark:", key="sql_keeps"):
        _saved(workspace, queries)
        _history(saved.asked(workspace))


def _saved(workspace: Workspace, queries: list[saved.SavedQuery]) -> None:
    by_id = {query.id: query for query in queries}
    if by_id:
        names = state.apart({query.id: query.name for query in queries})
        chosen = st.selectbox(
            t("sql.saved"),
            list(by_id),
            format_func=lambda ident: names.get(ident, ident),
            key=f"sql_saved_{state.mark(by_id)}",
        )
        with st.container(horizontal=True):
            st.button(
                t("action.open"),
                key="sql_open",
                icon=":material/folder_open:",
                on_click=choose,
                args=(by_id[chosen].statement,),
            )
            writing_button(
                t("action.delete"),
                workspace,
                key="sql_forget",
                icon=":material/delete:",
                on_click=_do,
                args=(lambda: saved.forget(workspace, chosen), t("sql.forgotten")),
            )
    name = st.text_input(t("sql.name"), max_chars=200, key="sql_name", help=t("sql.name.help"))
    writing_button(
        t("action.save"),
        workspace,
        key="sql_save",
        icon=":material/bookmark_add:",
        on_click=lambda: _do(lambda: saved.save(workspace, name, written()), t("sql.is_saved")),
    )


def _history(statements: list[str]) -> None:
    if not statements:
        return
    names = state.apart({each: name_of(each) for each in statements})
    key = f"sql_asked_{state.mark(statements)}"
    st.selectbox(
        t("sql.asked"),
        statements,
        format_func=lambda each: names.get(each, plain(each)),
        key=key,
        index=None,
        placeholder=t("sql.asked.placeholder"),
        on_change=lambda: choose(st.session_state[key] or ""),
    )


def _do(action: Callable[[], object], done: str) -> None:
    """Does it before the page is drawn again, and leaves a sentence."""
    try:
        action()
    except CoreError as error:
        st.session_state[SAID] = error
        return
    st.session_state[SAID] = done
