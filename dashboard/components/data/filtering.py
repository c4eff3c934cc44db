"""The filter of the page: what it leaves in one sentence, how it is set, cleared and kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import streamlit as st

from core.data.profile.coded import CodedLog
from core.data.profile.figures import FacetCounts, LogProfile
from core.data.profile.filters import (
    BETWEEN,
    DAY_S,
    OF_HISTORY,
    OF_LOG,
    Facet,
    Filter,
    written_time,
)
from core.data.quality.cleaning import clean
from core.data.store import DatasetInfo, Workspace
from core.errors import BadInput
from dashboard import cache, state
from dashboard.background import Background
from dashboard.components.labels import event_label
from dashboard.components.progress import progress_bar
from dashboard.components.read_only import writing_button
from dashboard.state import mark, t
from dashboard.text import Text, literal, plain, strong

PATIENCE_S = 1.0  # after which a log that is not coded yet says how far it is
POLL = "1s"
NAME = "filter"  # of the address


@dataclass(frozen=True, eq=False)
class Filtered:
    """A log, the filter of the address, and the figures of what it leaves."""

    coded: CodedLog
    filter: Filter
    figures: LogProfile

    @property
    def dataset(self) -> DatasetInfo:
        return self.coded.info

    @property
    def mark(self) -> str:
        """For the keys of what chooses: with another filter it is another widget."""
        return mark([self.dataset.id, *self.filter.terms(self.dataset.time_kind)])


def filtered(dataset: DatasetInfo) -> Filtered | None:
    """What the page is about; None while the log is counted for the first time."""
    coded = cache.coding(dataset, dataset.created).get(PATIENCE_S)
    if coded is None:
        return None
    wanted = _of_address(coded)
    return Filtered(coded, wanted, cache.log_figures(coded, wanted))


def _of_address(coded: CodedLog) -> Filter:
    """The filter of the address; a term that means nothing here is named and taken out."""
    terms = state.many(NAME)
    wrong = [term for term in terms if not _parses(coded, [term])]
    left = [term for term in terms if term not in wrong]
    if left and not _parses(coded, left):
        wrong, left = terms, []
    if wrong:
        state.amiss(NAME, ", ".join(wrong), left=left)
    return coded.parse(left)


def _parses(coded: CodedLog, terms: list[str]) -> bool:
    try:
        coded.parse(terms)
    except BadInput:
        return False
    return True


@st.fragment(run_every=POLL)
def show_counting(work: Background[Any]) -> None:
    """How far the counting is, until it is done."""
    st.progress(min(1.0, work.share or 0.0), text=t("data.computing"))
    if work.error is not None or work.get() is not None:
        st.rerun()


def change(view: Filtered, wanted: Filter) -> None:
    """Makes this the filter of the address."""
    state.put_many(NAME, wanted.terms(view.dataset.time_kind))


def filter_bar(workspace: Workspace, view: Filtered) -> None:
    """The sentence, and the buttons that set, clear and keep the filter."""
    left, right = st.columns([5, 4] if view.filter else [5, 1], vertical_alignment="center")
    left.markdown(_sentence(view))
    with right, st.container(horizontal=True, horizontal_alignment="right", key="filter_bar"):
        with st.popover(t("action.filter"), icon=":material/filter_alt:", key="set_filter"):
            _form(view)
        if not view.filter:
            return
        st.button(
            t("action.clear_filter"),
            icon=":material/filter_alt_off:",
            key="clear_filter",
            on_click=state.put,
            args=(NAME, None),
        )
        with st.popover(t("action.keep_filter"), icon=":material/bookmark_add:", key="keep_filter"):
            _keep(workspace, view)


def _sentence(view: Filtered) -> Text:
    if not view.filter:
        return t("data.filter.none")
    counts, left = view.dataset.counts, view.figures
    return t(
        "data.filter.left",
        what=said(view),
        events=left.events,
        all_events=counts["rows_kept"],
        users=left.users,
        all_users=counts["users"],
        items=left.items,
        all_items=counts["items"],
    )


def said(view: Filtered) -> Text:
    """The filter in words."""
    wanted, parts = view.filter, []
    if (wanted.since, wanted.until) != (None, None):
        parts.append(strong(_time(view)))
    for choice in wanted.choices:
        labels = t("explain.comma").join(value_label(choice.facet, v) for v in choice.values)
        parts.append(facet_label(choice.facet) + ": " + strong(labels))
    return Text(" · ").join(parts)


def _time(view: Filtered) -> Text:
    time = written_time(view.filter.since, view.filter.until, view.dataset.time_kind)
    first, _, last = time.partition(BETWEEN)
    if first and last:
        return literal(first if first == last else f"{first} – {last}")
    return t("data.filter.since", time=first) if first else t("data.filter.until", time=last)


def facet_label(facet: Facet) -> Text:
    """What a facet is called: ours in words, an attribute by its column."""
    if facet in OF_LOG:
        return t(f"role.{facet.column}")
    return t("data.facet.history") if facet == OF_HISTORY else literal(facet.column)


def value_label(facet: Facet, value: str) -> str:
    """What a value of a facet is called."""
    if facet == OF_LOG[0]:
        return event_label(value)
    if facet != OF_HISTORY:
        return value
    least, between, most = value.partition(BETWEEN)
    return plain(
        t("data.facet.events", range=f"{least}–{most}" if most else least + "+" * bool(between))
    )


def _form(view: Filtered) -> None:
    """A box for each facet, and the days."""
    if view.dataset.time_kind == "clock" and len(view.figures.periods):
        _days(view)
    for each in view.figures.facets:
        _values(view, each)


def _days(view: Filtered) -> None:
    periods, wanted, key = view.figures.periods, view.filter, f"filter_days_{view.mark}"
    first, last = periods["period"].iloc[0].date(), periods["until"].iloc[-1].date()
    since = first if wanted.since is None else _day(wanted.since)
    until = last if wanted.until is None else _day(wanted.until - 1)
    span = (min(first, since), max(last, until))

    def changed() -> None:
        days = st.session_state[key]
        if len(days) == 2:
            change(view, wanted.between(_seconds(days[0]), _seconds(days[1]) + DAY_S))

    st.date_input(
        t("role.timestamp"), (since, until), *span, key=key, on_change=changed, format="YYYY-MM-DD"
    )


def _day(time: int) -> date:
    return datetime.fromtimestamp(time, UTC).date()


def _seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _values(view: Filtered, each: FacetCounts) -> None:
    facet, key = each.facet, f"filter_{each.facet.term}_{view.mark}"

    def changed() -> None:
        change(view, view.filter.choosing(facet, _options(st.session_state[key])))

    names = {value: plain(value_label(facet, value)) for value in each.values["value"]}
    st.multiselect(
        facet_label(facet),
        list(names),
        default=list(view.filter.values(facet)),
        format_func=lambda value: names.get(value, value),
        placeholder=t("data.filter.any"),
        accept_new_options=each.n_values > len(each.values),
        key=key,
        on_change=changed,
    )


def _options(chosen: Iterable[str]) -> list[str]:
    return [value.strip() for value in chosen if value.strip()]


def _keep(workspace: Workspace, view: Filtered) -> None:
    """Makes a version of what the filter leaves."""
    st.markdown(t("data.filter.keep", n=view.figures.events, name=view.dataset.name))
    name = st.text_input(
        t("data.name"),
        value=f"{view.dataset.name} ({view.figures.events})",
        max_chars=200,
        key=f"filter_name_{view.mark}",
        disabled=workspace.read_only,
    )
    if not writing_button(
        t("action.make_version"),
        workspace,
        key="make_version",
        type="primary",
        icon=":material/bookmark_add:",
        disabled=not view.figures.events,
    ):
        return
    terms = view.filter.terms(view.dataset.time_kind)
    before = view.dataset
    bar = progress_bar("data.cleaning")
    made = clean(workspace, before, (), terms=terms, name=name.strip() or None, progress=bar)
    st.session_state["imported"] = t(
        "data.filter.kept", name=made.name, n=made.counts["rows_kept"], before=before.name
    )
    state.choose_dataset(made.id)
    st.rerun()
