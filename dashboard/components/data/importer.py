"""Files → a dataset: chosen, previewed, their columns understood, imported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import streamlit as st

from core.data.features.roots import roots, server_path
from core.data.files.dialects import ReadAs
from core.data.ingest.accounts import LineCounts, mostly_rejected
from core.data.ingest.apart import ingest_apart, preview_apart
from core.data.ingest.inputs import READING
from core.data.ingest.preview import Preview
from core.data.layouts.registry import LAYOUT
from core.data.store import DatasetInfo, Workspace
from core.errors import BadInput, CoreError, UnknownRole
from dashboard import state
from dashboard.components.data.mapping_form import (
    NEEDED,
    file_roles,
    layout_box,
    mapping_form,
    weights_form,
)
from dashboard.components.data.reading_form import read_as, reading_form
from dashboard.components.data.upload import forget, forget_old, spool
from dashboard.components.errors import show_error
from dashboard.components.page import empty, section, table
from dashboard.components.progress import progress_bar
from dashboard.components.read_only import tell_read_only
from dashboard.state import evidence, mark, t
from dashboard.text import Text

MAX_UPLOAD_MB = 2000
MOST_PREVIEWS = 8


def importer(workspace: Workspace) -> None:
    """The whole way from a file to a dataset; a file that cannot be read gets its one sentence."""
    if tell_read_only(workspace):
        return
    paths = _choose(workspace)
    if not paths:
        return
    try:
        _understand(workspace, paths)
    except CoreError as error:  # the boxes above it stay, so that another file can be chosen
        show_error(error)


def _choose(workspace: Workspace) -> list[Path]:
    source = st.segmented_control(
        t("data.source"),
        ("upload", "path"),
        default="upload",
        required=True,
        format_func=lambda kind: t(f"data.source.{kind}"),
        key="source",
    )
    if source == "path":
        written = st.text_area(
            t("data.path"),
            key="path",
            height=80,
            help=t("data.path.help", roots=", ".join(map(str, roots()))),
        )
        return [server_path(line) for line in written.splitlines() if line.strip()]
    forget_old(workspace)
    uploads = st.file_uploader(
        t("data.files"),
        accept_multiple_files=True,
        key=f"files_{st.session_state.get('imports', 0)}",
        help=t("data.files.help"),
        max_upload_size=MAX_UPLOAD_MB,
    )
    return [spool(workspace, upload.file_id, upload.name, upload) for upload in uploads]


def _understand(workspace: Workspace, paths: list[Path]) -> None:
    told = _told(paths)
    try:
        how = read_as(paths)
        first = _preview(workspace, {"events": paths}, told, how)
    except BadInput as error:
        show_error(error)
        reading_form(paths, said=True)
        if layout := told.get(LAYOUT):
            layout_box(layout, "", _layout_key(paths))
        if isinstance(error, UnknownRole):
            _ask_columns(paths)
        return
    chosen = file_roles(first, paths)
    if not chosen["events"]:
        empty(t("data.no_log.what"), t("data.no_log.why"))
        return
    seen = _preview(workspace, chosen, told, how) if len(paths) > 1 else first
    tell_rejected(seen.lines)
    section("data.preview")
    rows = pd.DataFrame(seen.rows)
    table(rows, alt=t("data.preview.alt", n=len(rows)), key="preview", own_names=True)
    reading_form(paths, seen.evidence.get(READING, ""), said=how is not None)
    section("data.mapping")
    st.caption(t("data.mapping.lead"))
    layout_box(seen.layout, seen.evidence.get(LAYOUT, ""), _layout_key(paths))
    mapping = {**told, **mapping_form(seen)}
    corrected = _preview(workspace, chosen, mapping, how)  # other columns may hold other events
    weights = weights_form(corrected.event_types)
    name = st.text_input(
        t("data.name"),
        value=chosen["events"][0].name.split(".")[0],
        key=f"name_{chosen['events'][0].name}",
        max_chars=200,
        help=t("data.name.help"),
    )
    icon = ":material/download_done:"
    if st.button(t("action.import"), type="primary", key="import", icon=icon):
        _import(workspace, chosen, mapping, weights, name, how)


def _told(paths: list[Path]) -> dict[str, str | None]:
    """What a person wrote of user and item where none could be guessed, and of the layout."""
    boxes = {**_boxes(paths), LAYOUT: _layout_key(paths)}
    written = {role: st.session_state.get(key, "").strip() for role, key in boxes.items()}
    return {role: column for role, column in written.items() if column}


def _layout_key(paths: list[Path]) -> str:
    return f"layout_{mark([path.name for path in paths])}"


def _ask_columns(paths: list[Path]) -> None:
    for role, key in _boxes(paths).items():
        st.text_input(
            t(f"role.{role}"),
            key=key,
            help=t(f"role.{role}.help"),
            persist_state="page",  # these boxes go once they have helped
        )


def _boxes(paths: list[Path]) -> dict[str, str]:
    return {role: f"told_{role}_{mark([path.name for path in paths])}" for role in NEEDED}


def _preview(
    workspace: Workspace,
    chosen: Mapping[str, list[Path]],
    mapping: Mapping[str, str | None],
    how: ReadAs | None,
) -> Preview:
    """What the first rows say; read once for the same question, since every click asks again."""
    asked = (str(dict(chosen)), tuple(sorted(mapping.items(), key=str)), how)
    known: dict[object, Preview] = st.session_state.setdefault("previews", {})
    if asked not in known:
        with st.spinner(t("data.reading")):
            found = preview_apart(workspace, chosen, mapping=mapping, read_as=how)
        if len(known) >= MOST_PREVIEWS:
            known.pop(next(iter(known)))
        known[asked] = found
    return known[asked]


def _import(
    workspace: Workspace,
    chosen: Mapping[str, list[Path]],
    mapping: Mapping[str, str | None],
    weights: Mapping[str, float],
    name: str,
    how: ReadAs | None,
) -> None:
    info = ingest_apart(
        workspace,
        chosen,
        mapping=mapping,
        read_as=how,
        weights=weights,
        name=name.strip() or None,
        progress=progress_bar("data.importing"),
    )
    forget(workspace, [path for paths in chosen.values() for path in paths])
    st.session_state["imports"] = st.session_state.get("imports", 0) + 1  # an empty uploader
    st.session_state["previews"] = {}
    st.session_state["imported"] = _result(info)
    state.choose_dataset(info.id)
    st.rerun()


def tell_doubts(dataset: DatasetInfo) -> None:
    """What to look at before anything else: rows rejected in bulk, tables that fit badly."""
    tell_rejected(dataset.meta.get("lines") or {})
    for sentence in dataset.meta.get("advice") or []:
        st.warning(t("data.unmatched", advice=evidence(sentence)), icon=":material/warning:")


def tell_rejected(lines: Mapping[str, LineCounts]) -> None:
    """A warning for each file of which more than a tenth is rejected."""
    for file, rejected, rows in mostly_rejected(lines):
        st.warning(
            t("data.rejected.most", n=rejected, rows=rows, file=file), icon=":material/warning:"
        )


def _result(info: DatasetInfo) -> Text:
    counts = info.counts
    said = t("data.imported", name=info.name, kept=counts["rows_kept"], read=counts["rows_read"])
    n = counts["rows_rejected"]
    return said + " " + (t("data.imported.rejected", n=n) if n else t("data.imported.all"))
