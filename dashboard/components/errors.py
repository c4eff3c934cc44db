"""What a person sees when something goes wrong: one sentence."""

from __future__ import annotations

import logging

import streamlit as st

from core.data.limits import in_words
from dashboard.state import t
from dashboard.text import literal

_log = logging.getLogger("recscope")


def show_error(error: Exception) -> bool:
    """Shows what is no bug as its sentence, anything else as ours; True: it is dealt with."""
    if told := in_words(error):
        st.error(literal(told), icon=":material/error:")
    else:
        _log.error("a page failed", exc_info=error)
        st.error(t("error.ours", kind=type(error).__name__), icon=":material/bug_report:")
    return True
