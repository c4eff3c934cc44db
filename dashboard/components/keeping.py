"""What becomes of a dataset or a run: another name, out of the lists, gone; and what is unreadable.

What a button does it does before the page is drawn again, and leaves a sentence for `tell`.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from core import holdings, jobs
from core.data.limits import size_in_words
from core.data.store import Workspace
from core.errors import CoreError
from core.runs.artifact import open_run
from core.runs.notes import LONGEST_NOTE
from dashboard import cache, state
from dashboard.components.errors import show_error
from dashboard.components.page import link, table
from dashboard.components.read_only import writing_button
from dashboard.state import mark, t
from dashboard.text import literal, plain

SAID = "kept"  # what was done last, or why not


def tell_done() -> None:
    """Says what was done last, or why not."""
    said = st.session_state.pop(SAID, None)
    if isinstance(said, str):
        st.toast(literal(said), icon=":material/check_circle:")
    elif said:
        show_error(said)


def tell(workspace: Workspace) -> None:
    """Says what was done last, and names what cannot be read."""
    tell_done()
    if found := holdings.unreadable(workspace):
        st.warning(t("keep.unreadable", n=len(found)), icon=":material/heart_broken:")
        rows = [
            {"kind": t(f"keep.kind.{one.kind}"), "id": one.id, "problem": one.problem}
            for one in found
        ]
        table(pd.DataFrame(rows), alt=t("keep.unreadable.alt", n=len(rows)), key="unreadable")


def keep(workspace: Workspace, thing: holdings.Holding) -> None:
    """How large it is, and the ways to rename, archive and delete it."""
    st.caption(t("keep.size", size=size_in_words(thing.bytes)))
    name = st.text_input(
        t("keep.name"),
        value=thing.name,
        max_chars=200,
        key=f"keep_name_{thing.id}_{thing.name}",
        disabled=workspace.read_only,
    )
    first, second, third = st.columns(3)
    with first:
        writing_button(
            t("action.rename"),
            workspace,
            key=f"rename_{thing.id}",
            icon=":material/edit:",
            on_click=_do,
            args=(lambda: holdings.rename(workspace, thing.id, name), t("keep.renamed"), thing),
        )
    with second:
        writing_button(
            t("action.archive"),
            workspace,
            key=f"archive_{thing.id}",
            icon=":material/archive:",
            help=t("keep.archive.help"),
            on_click=_do,
            args=(lambda: holdings.archive(workspace, thing.id), t("keep.archived"), thing),
        )
    with third:
        key = f"delete_{thing.id}"
        asked = writing_button(t("action.delete"), workspace, key=key, icon=":material/delete:")
    if asked:
        _ask(workspace, thing)


def _ask(workspace: Workspace, thing: holdings.Holding) -> None:
    """Says what goes, and deletes it only when that is confirmed."""

    @st.dialog(t("keep.delete"))
    def dialog() -> None:
        if SAID in st.session_state:  # it was confirmed
            st.rerun()
        planned = holdings.removal(workspace, thing.id)
        runs = [one for one in planned.with_it if one.kind == holdings.RUN]
        st.text(f"{thing.name} ({thing.id})")
        if planned.with_it:
            searches = len(planned.with_it) - len(runs)
            st.markdown(t("keep.goes_too", runs=len(runs), searches=searches))
            st.text("\n".join(f"{run.name} ({run.id})" for run in runs))
        st.markdown(t("keep.frees", size=size_in_words(planned.bytes)))
        st.button(
            t("action.delete_for_good"),
            type="primary",
            key=f"confirm_{thing.id}",
            on_click=_do,
            args=(lambda: holdings.delete(workspace, planned), t("keep.deleted"), thing),
        )

    dialog()


def _do(action: Callable[[], object], done: str, thing: holdings.Holding | None = None) -> None:
    """Does it, and takes out of the address what means nothing any more."""
    try:
        action()
    except CoreError as error:
        st.session_state[SAID] = error
        return
    st.session_state[SAID] = done
    if thing is None:
        return
    still = thing.folder.exists() and not thing.archived
    for name in ("dataset", "run", "baseline", "rival", "clone"):
        if state.get(name) in (thing.id, thing.name):
            state.put(name, thing.id if still else None)
    if thing.id in (runs := state.many("runs")) and not still:
        state.put_many("runs", [run for run in runs if run != thing.id])


def choose_run(workspace: Workspace, dataset: str) -> None:
    """The same for a run of this dataset, chosen among all that are listed."""
    runs = [
        one
        for one in holdings.everything(workspace)
        if one.kind != holdings.DATASET and one.dataset == dataset and not one.archived
    ]
    if not runs:
        return
    named = {one.id: f"{plain(one.name or t('keep.kind.search'))} · {one.id[:6]}" for one in runs}
    with st.expander(t("keep.runs"), icon=":material/inventory_2:", key="keep_runs"):
        shown = state.get("run")
        chosen = st.selectbox(
            t("keep.which"),
            list(named),
            index=list(named).index(shown) if shown in named else 0,
            format_func=named.__getitem__,
            key=f"keep_{mark(named)}",
        )
        _again(workspace, chosen)
        _written(workspace, chosen)
        keep(workspace, next(one for one in runs if one.id == chosen))


def _again(workspace: Workspace, ident: str) -> None:
    """The ways to train it again: what ended unfinished goes on, settings are taken over."""
    resume_button(workspace, ident, key="resume_chosen")
    if open_run(workspace, ident) is not None:
        link("train", t("action.clone"), icon=":material/content_copy:", clone=ident)


def resume_button(workspace: Workspace, ident: str, *, key: str) -> None:
    """A button for a training that ended unfinished; nothing for any other."""
    status = cache.job(workspace, ident)
    if status is None or status.kind != jobs.RUN or status.state not in jobs.UNFINISHED:
        return
    writing_button(
        t("action.resume"),
        workspace,
        key=f"{key}_{ident}",
        icon=":material/resume:",
        help=t("keep.resume.help"),
        on_click=_do,
        args=(lambda: jobs.resume(workspace, ident), t("keep.resumed")),
    )


def _written(workspace: Workspace, ident: str) -> None:
    """A finished run's note and tags, to be changed."""
    run = open_run(workspace, ident)
    if run is None:
        return
    notes = run.notes
    told = mark([notes.note, *notes.tags])
    note_key, tags_key = f"note_{ident}_{told}", f"tags_of_{ident}_{told}"
    st.text_area(
        t("keep.note"),
        value=notes.note,
        max_chars=LONGEST_NOTE,
        key=note_key,
        disabled=workspace.read_only,
    )
    st.text_input(
        t("keep.tags"),
        value=", ".join(notes.tags),
        key=tags_key,
        help=t("keep.tags.help"),
        disabled=workspace.read_only,
    )

    def write() -> None:
        tags = st.session_state[tags_key].split(",")
        wanted = {tag.strip() for tag in tags if tag.strip()}
        add, remove = wanted - set(notes.tags), set(notes.tags) - wanted
        note = st.session_state[note_key]
        holdings.annotate(workspace, ident, note, add=add, remove=remove)

    writing_button(
        t("action.annotate"),
        workspace,
        key=f"annotate_{ident}",
        icon=":material/edit_note:",
        on_click=_do,
        args=(write, t("keep.annotated")),
    )


def archived(workspace: Workspace) -> None:
    """What is kept but not listed, to be listed again; nothing if there is none."""
    found = {one.id: one for one in holdings.everything(workspace) if one.archived}
    if not found:
        return
    with st.expander(t("keep.archive", n=len(found)), icon=":material/archive:", key="archived"):
        chosen = st.selectbox(
            t("keep.archive.which"),
            list(found),
            format_func=lambda ident: (
                f"{t(f'keep.kind.{found[ident].kind}')} {plain(found[ident].name)} · {ident[:6]}"
            ),
            key=f"archived_{mark(found)}",
        )
        st.caption(t("keep.size", size=size_in_words(found[chosen].bytes)))
        writing_button(
            t("action.restore"),
            workspace,
            key="restore",
            icon=":material/unarchive:",
            on_click=_do,
            args=(lambda: holdings.archive(workspace, chosen, undo=True), t("keep.restored")),
        )
