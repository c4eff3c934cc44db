"""A bar for what takes longer than a second."""

from __future__ import annotations

import streamlit as st

from core.types import Progress
from dashboard.components.labels import text_or
from dashboard.state import t


def progress_bar(key: str) -> Progress:
    """A bar, and what moves it: told a stage and the share done (0 … 1).

    Args:
        key: Of the text beside it, which has a place for {stage}.
    """
    bar = st.progress(0.0, text=t(key, stage=t("stage.start")))

    def move(stage: str, share: float | None = None) -> None:
        said = text_or(f"stage.{stage}", text_or(f"cleaning.{stage.split('=')[0]}", stage))
        bar.progress(min(1.0, max(0.0, share or 0.0)), text=t(key, stage=said))

    return move
