"""The statement that is asked, and what its parameters stand for: all of it in the address."""

from __future__ import annotations

import re
from collections.abc import Sequence

import streamlit as st

from core.sql.examples import Example
from core.sql.tables import TableColumns, mentioned
from dashboard import cache, state
from dashboard.components.context import Context
from dashboard.components.sql import editor as code_editor
from dashboard.state import t
from dashboard.text import literal

TEXT = "sql_text"  # what stands in the editor
LINKED = 4_000  # letters of a statement that an address holds
EDITOR = "sql_editor"
_PARAMETER = re.compile(r"\$([A-Za-z_]\w*)")


def asked(offered: Sequence[Example]) -> str:
    """The statement of the address, else one too long for it, else the first example."""
    return state.get("sql") or st.session_state.get("sql_long") or offered[0].statement


def choose(statement: str) -> None:
    """Asks this statement when the page is drawn next."""
    written()  # what stood in the editor until now is no longer news
    statement = statement.strip()
    is_short = len(statement) <= LINKED
    state.put("sql", statement if statement and is_short else None)
    st.session_state["sql_long"] = None if is_short else statement
    st.session_state["sql_again"] = True
    st.session_state.pop("sql_stopped", None)
    st.session_state.pop(TEXT, None)


def editor(statement: str, tables: Sequence[TableColumns]) -> None:
    """The statement to be edited, and the button that asks it."""
    if TEXT not in st.session_state or st.session_state.get("sql_shown") != statement:
        st.session_state[TEXT] = st.session_state["sql_shown"] = statement
    own = [f"${name}" for name in dict.fromkeys(_PARAMETER.findall(statement))]
    code_editor.editor(
        written(),
        schema={table.name: [column.name for column in table.columns] for table in tables},
        parameters=list(dict.fromkeys(["$user", "$item", "$run", *own])),
        label=t("sql.statement"),
        hint=t("sql.hint"),
        key=EDITOR,
        on_asked=lambda: choose(written()),
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            t("action.ask"),
            key="sql_ask",
            type="primary",
            icon=":material/play_arrow:",
            help=t("sql.keys"),
            on_click=lambda: choose(written()),
        )
        linked = len(statement) <= LINKED
        about = t("sql.link") if linked else t("sql.link.too_long", n=LINKED)
        st.caption(about, help=t("sql.statement.help"))


def written() -> str:
    """What stands in the editor now: callbacks come before the page is drawn, in any order."""
    said = code_editor.written(EDITOR)
    if said is not None and said[0] != st.session_state.get("sql_said"):
        st.session_state["sql_said"], st.session_state[TEXT] = said
    return str(st.session_state.get(TEXT, ""))


def examples(offered: Sequence[Example]) -> None:
    """Statements to click."""
    st.caption(t("sql.examples"))
    with st.container(horizontal=True, gap="small", key="sql_examples"):
        for example in offered:
            st.button(
                t(f"sql.example.{example.name}"),
                key=f"sql_example_{example.name}",
                on_click=choose,
                args=(example.statement,),
            )


def parameters(now: Context, statement: str) -> dict[str, str]:
    """What each $name of the statement stands for; boxes to change it, but for $run."""
    own = _own()
    names = [name for name in dict.fromkeys(_PARAMETER.findall(statement)) if name != "run"]
    if "explanations" in mentioned(statement) and "user" not in names:  # whose they are
        names.append("user")
    if not names or now.dataset is None:
        return {}
    values = {}
    boxes = st.columns(max(3, len(names)))
    for name, box in zip(names, boxes, strict=False):
        if name == "user":
            values[name] = state.get("user") or cache.default_user(now.dataset)
        elif name == "item":
            values[name] = state.get("item") or next(iter(cache.popular_items(now.dataset)))
        else:
            values[name] = own.get(name, "")
        key = f"sql_param_{name}"
        st.session_state[key] = values[name]
        box.text_input(
            literal(f"${name}"), key=key, on_change=_bind, args=(name, own), help=t("sql.parameter")
        )
    return values


def _own() -> dict[str, str]:
    """What the address says of parameters that are a statement's own; it says what means nothing.

    A value may hold anything, a name what a statement could call by it.
    """
    parts = state.many("param")
    fitting = [part for part in parts if re.fullmatch(r"[A-Za-z_]\w*=.*", part, re.DOTALL)]
    if len(fitting) < len(parts):
        unfit = [part for part in parts if part not in fitting]
        state.amiss("param", ", ".join(unfit), left=fitting)
    return dict(part.split("=", 1) for part in fitting)


def _bind(name: str, own: dict[str, str]) -> None:
    """Writes what a parameter stands for into the address."""
    value = st.session_state[f"sql_param_{name}"].strip()
    if name == "user":
        state.choose_user(value or None)
    elif name == "item":
        state.put("item", value or None)
    else:
        own = {**own, name: value}
        state.put_many("param", [f"{each}={own[each]}" for each in own])
