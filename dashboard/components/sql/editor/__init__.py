"""An editor of SQL with completion of the tables and columns there are: CodeMirror's Python side.

Source in source/, built into editor.bundle.js by `make bundles`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard import served
from dashboard.state import dark

_HERE = Path(__file__).resolve().parent


def editor(
    statement: str,
    *,
    schema: Mapping[str, Sequence[str]],
    parameters: Sequence[str],
    label: str,
    hint: str,
    key: str,
    on_asked: Callable[[], object],
) -> None:
    """Draws the editor.

    Args:
        statement: What stands in it; another than before replaces what was written.
        schema: The columns of each table, offered as one writes.
        parameters: Such as "$user", offered too.
        label: What the editor is called.
        hint: Stands in it while it is empty.
        key: The widget's key; `written(key)` is what stands in it.
        on_asked: Called when somebody asks by Ctrl or ⌘ and Enter.
    """
    data = {
        "module": served.module("editor"),
        "statement": statement,
        "schema": {table: list(columns) for table, columns in schema.items()},
        "parameters": list(parameters),
        "label": label,
        "hint": hint,
        "dark": dark(),
    }
    _component()(
        data=data,
        key=key,
        default={"written": None},
        on_written_change=lambda: None,
        on_asked_change=on_asked,
    )


def written(key: str) -> tuple[int, str] | None:
    """What was written last, with a number that no other has; None where nothing was."""
    sent = st.session_state.get(key)
    said = sent.get("written") if isinstance(sent, Mapping) else None
    match said:
        case {"number": int(number), "statement": str(statement)}:
            return number, statement
    return None


def _component() -> Any:
    """The component, declared on first use: a test without a server declares it again."""
    return st.components.v2.component(
        "recscope.editor",
        html='<div class="editor"></div>',
        css=(_HERE / "editor.css").read_text("utf-8"),
        js=served.SHIM,
    )
