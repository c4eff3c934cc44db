"""Tables to take along: one to be opened in a spreadsheet, and one for programs."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from core.sql.spreadsheet import no_formula
from dashboard.state import t
from dashboard.text import Text

SAFE, RAW = "for_people", "raw"


def csv_buttons(frame: Callable[[], pd.DataFrame], *, name: str, key: str) -> None:
    """Two buttons.

    Args:
        frame: Makes the table, once it is asked for.
        name: Of the file, without its ending.
        key: Of the first button; the second has "_raw" behind it.
    """
    with st.container(horizontal=True):
        for kind, end in ((SAFE, ""), (RAW, "_raw")):
            st.download_button(
                t(f"action.download_csv.{kind}"),
                data=_maker(frame, for_people=kind == SAFE),
                file_name=f"{name}{end}.csv",
                mime="text/csv",
                key=f"{key}{end}",
                icon=":material/download:",
                on_click="ignore",
            )


def _maker(frame: Callable[[], pd.DataFrame], *, for_people: bool) -> Callable[[], str]:
    return lambda: csv(frame(), for_people=for_people)


def csv(frame: pd.DataFrame, *, for_people: bool) -> str:
    """The table as CSV; for people no text in it can be taken for a formula."""
    if for_people:
        frame = frame.rename(columns=_no_formula)
        for at, kind in enumerate(frame.dtypes):
            if not pd.api.types.is_numeric_dtype(kind):
                frame.isetitem(at, frame.iloc[:, at].map(_no_formula).array)
    written: str = frame.to_csv(index=False, lineterminator="\r\n")  # quotes each of both
    return written


def _no_formula(value: object) -> object:
    """A text that a spreadsheet could reckon out begins with ' instead; all else stays."""
    said = value.plain if isinstance(value, Text) else value
    return no_formula(said) if isinstance(said, str) else said
