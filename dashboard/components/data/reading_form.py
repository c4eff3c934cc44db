"""How a delimited text is to be read, where a person says it rather than the text."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.data.files.dialects import ReadAs
from core.errors import BadInput
from dashboard.components.labels import text_or
from dashboard.state import evidence, mark, t
from dashboard.text import plain

BY_ITS_LOOKS = ""
CHOICES = {
    "delimiter": (BY_ITS_LOOKS, ",", ";", "tab", "|", "::", "blanks"),
    "quote": (BY_ITS_LOOKS, '"', "'", "none"),
    "decimal": (BY_ITS_LOOKS, ".", ","),
}
WRITTEN = ("header_line", "comment")


def read_as(paths: list[Path]) -> ReadAs | None:
    """What a person said in the boxes of `reading_form`; None where nothing.

    Raises:
        BadInput: it is nothing that can be obeyed.
    """
    keys = {name: _key(name, paths) for name in (*CHOICES, *WRITTEN)}
    said = {n: str(st.session_state.get(key) or "") for n, key in keys.items()}
    line = said.pop("header_line").strip()
    if line and line != "none" and not line.isdecimal():
        raise BadInput(f"the header line is {line!r}; it must be a line's number from 1, or none")
    given: dict[str, str | int] = {n: value for n, value in said.items() if value}
    if line:
        given["header_line"] = 0 if line == "none" else int(line)
    return ReadAs.of(given) if given else None


def reading_form(paths: list[Path], found: str = "", *, said: bool = False) -> None:
    """Boxes to say it; what is said is in the session's state, since the file is read anew.

    Args:
        paths: The files.
        found: How they were read, where that is worth a sentence.
        said: Whether something is said already, or needs to be: the boxes are open.
    """
    if found:
        st.caption(evidence(found))
    with st.expander(t("data.reading.differently"), icon=":material/tune:", expanded=said):
        st.caption(t("data.reading.lead"))
        boxes = st.columns(5)
        for box, name in zip(boxes, ("delimiter", "quote", *WRITTEN, "decimal"), strict=True):
            if name in WRITTEN:
                box.text_input(
                    t(f"data.reading.{name}"),
                    key=_key(name, paths),
                    help=t(f"data.reading.{name}.help"),
                    persist_state="page",
                )
            else:
                box.selectbox(
                    t(f"data.reading.{name}"),
                    CHOICES[name],
                    format_func=_label,
                    key=_key(name, paths),
                    help=t(f"data.reading.{name}.help"),
                    accept_new_options=name != "decimal",
                    persist_state="page",
                )


def _label(choice: str) -> str:
    words = {BY_ITS_LOOKS: "looks", "tab": "tab", "blanks": "blanks", "none": "none"}
    return plain(text_or(f"data.reading.choice.{words.get(choice, '')}", choice))


def _key(name: str, paths: list[Path]) -> str:
    return f"reading_{name}_{mark([path.name for path in paths])}"
