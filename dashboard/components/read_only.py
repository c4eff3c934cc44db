"""What a page offers of a workspace that may only be looked at: what would write cannot be clicked.

That is for the eye alone: what writes refuses by itself, see core.data.read_only.
"""

from __future__ import annotations

import os
from typing import Any

import streamlit as st

from core.data.store import Workspace
from dashboard.state import t
from dashboard.text import Text

LOCK = ":material/lock:"


def writing_button(
    label: Text,
    workspace: Workspace,
    *,
    disabled: bool = False,
    help: Text | None = None,
    **more: Any,
) -> bool:
    """A button that writes in the workspace; greyed, with the reason, where that is refused.

    Args:
        label: What it says.
        workspace: In which it writes.
        disabled: Whether there is nothing to click for another reason.
        help: What it says of itself where it can be clicked.
        more: As st.button takes it.
    """
    why = why_not_written(workspace)
    return st.button(label, disabled=disabled or why is not None, help=why or help, **more)


def why_not_written(workspace: Workspace) -> Text | None:
    """The sentence that says why nothing is written here; None where it may be."""
    if not workspace.read_only:
        return None
    return t("read_only.asked" if os.access(workspace.path, os.W_OK) else "read_only.disk")


def tell_read_only(workspace: Workspace) -> bool:
    """Says the same in place of what would write; whether it did."""
    why = why_not_written(workspace)
    if why is not None:
        st.info(why, icon=LOCK)
    return why is not None
