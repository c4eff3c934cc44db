"""What the filter leaves of a log: its numbers, when things happened, of which kinds, how unequally
shared. A stretch of time or a value that is clicked becomes the filter of the page.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pandas as pd
import streamlit as st

from core.data import queries
from core.data.profile.figures import FacetCounts
from core.data.profile.filters import OF_HISTORY, OF_LOG
from core.data.store import DatasetInfo
from dashboard import cache, state
from dashboard.charts import data as charts
from dashboard.components.data.filtering import Filtered, change, facet_label, value_label
from dashboard.components.labels import day, text_or
from dashboard.components.page import figure, section, table
from dashboard.state import dark, evidence, mark, t
from dashboard.text import Text, literal, plain

ROWS_OF_TOP = 5


def overview_tab(view: Filtered) -> None:
    """Numbers, time, facets, and who and what is most frequent."""
    if not view.figures.events:
        st.info(t("data.filter.nothing"), icon=":material/filter_alt_off:")
    _numbers(view)
    _activity(view)
    _facets(view)
    if view.figures.events:
        _shares(view)


def _numbers(view: Filtered) -> None:
    figures = view.figures
    shown = {
        "events": f"{figures.events:,}",
        "users": f"{figures.users:,}",
        "items": f"{figures.items:,}",
        "per_user": f"{figures.median_per_user:,.0f}",
    }
    for name, n in (("cold_items", figures.cold_items), ("cold_users", figures.cold_users)):
        if n is not None and figures.events:
            shown[name] = f"{n / figures.events:.1%}"
    for box, (name, value) in zip(st.columns(len(shown)), shown.items(), strict=True):
        help_ = t(f"data.kpi.{name}.help") if name.startswith("cold") else None
        box.metric(t(f"data.kpi.{name}"), literal(value), border=True, help=help_)


def _activity(view: Filtered) -> None:
    frame, clock = view.figures.periods, view.dataset.time_kind == "clock"
    section("data.activity")
    if frame.empty:
        st.caption(t("data.activity.none"))
        return
    key = f"activity_{view.mark}"

    def brushed() -> None:
        if ends := _ends(st.session_state[key]["selection"]):
            change(view, view.filter.between(*stretch(frame, *ends)))

    drawn = charts.activity(
        frame, x=t("data.activity.x" if clock else "data.activity.order"), y=t("data.activity.y"),
        dark=dark(),
    )  # fmt: skip
    first, last = frame["period"].iloc[0], frame["period"].iloc[-1]
    alt = t(
        "data.activity.alt",
        first=day(first) if clock else first,
        last=day(last) if clock else last,
        most=int(frame["events"].max()),
    )
    figure(drawn, alt=alt, key=key, on_select=brushed, selection_mode=("box", "points"))
    st.caption(t("data.activity.brush"))


def _ends(selection: Any) -> tuple[Any, Any] | None:
    """The two ends of what was chosen in the chart: of a box, or of the bars that were clicked."""
    boxes = selection.get("box") or []
    xs = [x for box in boxes for x in box["x"]] or [p["x"] for p in selection.get("points") or []]
    return (min(xs), max(xs)) if xs else None


def stretch(frame: pd.DataFrame, first: Any, last: Any) -> tuple[int, int]:
    """From when until before when the periods last of which the middle lies between two ends.

    Args:
        frame: period, until: the bars of the chart.
        first: One end, a time as plotly writes it, or an order number.
        last: The other.

    Returns:
        Unix seconds or order numbers; those of the bar in which the stretch begins, if no middle
        lies in it.
    """
    begins, ends = frame["period"], frame["until"]
    if begins.dtype.kind == "M":
        first, last = pd.Timestamp(first), pd.Timestamp(last)
    middles = begins + (ends - begins) / 2
    held = (middles >= first) & (middles <= last)
    if not held.any():
        held = begins == begins[begins <= first].max() if (begins <= first).any() else held
    if not held.any():
        held = begins == begins.iloc[0]
    return _number(begins[held].iloc[0]), _number(ends[held].iloc[-1])


def _number(time: Any) -> int:
    return (
        int(time.replace(tzinfo=UTC).timestamp()) if isinstance(time, pd.Timestamp) else int(time)
    )


def _facets(view: Filtered) -> None:
    """The kinds and platforms, an attribute of the items, and one of the users: a chart each."""
    groups = [[each] for each in view.figures.facets if each.facet in OF_LOG]
    for side in ("item", "user"):
        if several := [each for each in view.figures.facets if each.facet.side == side]:
            groups.append(several)
    if not groups:
        return
    for box, group in zip(st.columns(len(groups)), groups, strict=True):
        with box:
            each = _picked(view, group)
            if len(group) == 1:
                st.markdown(t("data.facet.title", name=facet_label(each.facet)))
            _facet(view, each)


def _picked(view: Filtered, group: list[FacetCounts]) -> FacetCounts:
    """The one of several attributes that is looked at: first what is filtered by."""
    if len(group) == 1:
        return group[0]
    side = group[0].facet.side
    ordered = sorted(group, key=lambda each: (each.facet == OF_HISTORY) * (side == "user"))
    usual = next((n for n, each in enumerate(ordered) if view.filter.values(each.facet)), 0)
    names = state.apart({each.facet.column: facet_label(each.facet) for each in ordered})
    column = st.selectbox(
        t(f"data.facet.of_{side}"),
        list(names),
        index=usual,
        format_func=names.__getitem__,
        key=f"facet_{side}_{mark(names.values())}",
    )
    return next(each for each in ordered if each.facet.column == column)


def _facet(view: Filtered, each: FacetCounts) -> None:
    facet, frame = each.facet, each.values
    key = f"facet_{facet.term}_{view.mark}"

    def clicked() -> None:
        points = st.session_state[key]["selection"].get("points") or []
        for point in points[:1]:
            value = frame["value"].iloc[point["point_index"]]
            change(view, view.filter.toggling(facet, value))

    labels = [plain(value_label(facet, value)) for value in frame["value"]]
    drawn = charts.values(frame.assign(label=labels), x=t("data.activity.y"), dark=dark())
    top = labels[0] if labels else "–"
    alt = t("data.facet.alt", name=facet_label(facet), n=each.n_values, top=top)
    figure(drawn, alt=alt, key=key, on_select=clicked, selection_mode="points")
    if each.n_values > len(frame):
        st.caption(t("data.facet.more", n=each.n_values - len(frame)))


def _shares(view: Filtered) -> None:
    left, middle, right = st.columns([4, 5, 3])
    with left:
        section("data.tail")
        curve = view.figures.tail
        drawn = charts.long_tail(curve, x=t("data.tail.x"), y=t("data.tail.y"), dark=dark())
        tenth = curve.loc[curve["item_share"] <= 0.1, "event_share"].max()
        figure(drawn, alt=t("data.tail.alt", share=float(tenth)), key="long_tail")
    with middle:
        section("data.top_items")
        items = view.figures.top_items[["label", "events"]]
        table(items, alt=t("data.top_items.alt", n=len(items)), key="top_items")
    with right:
        section("data.top_users")
        people = view.figures.top_users
        table(people, alt=t("data.top_users.alt", n=len(people)), key="top_users")


def rejected_tab(dataset: DatasetInfo) -> None:
    """Every rejected row has a reason; how many of each, and some of them."""
    frame = queries.rejected_summary(dataset)
    if frame.empty:
        st.markdown(t("data.rejected.none"))
        return
    counts = dataset.counts
    st.markdown(t("data.rejected.lead", n=counts["rows_rejected"], read=counts["rows_read"]))
    reasons = list(frame["reason"])
    frame["reason"] = [plain(reason_label(reason)) for reason in reasons]
    percent = st.column_config.NumberColumn(t("column.share_read"), format="percent")
    table(frame, alt=t("data.rejected.alt"), key="rejected", columns={"share": percent})
    section("data.rejected.sample")
    reason = st.selectbox(
        t("column.reason"),
        reasons,
        index=None,
        format_func=lambda code: plain(reason_label(code)),
        placeholder=t("data.rejected.any"),
        key="reason",
    )
    sample = cache.rejected(dataset, reason)
    sample["reason"] = [plain(reason_label(code)) for code in sample["reason"]]
    sample["detail"] = [plain(evidence(detail)) for detail in sample["detail"]]
    table(sample, alt=t("data.rejected.sample.alt"), key="rejected_sample")


def reason_label(reason: str) -> Text:
    """A reason code in words; a code that has none yet stays as it is."""
    return text_or(f"reason.{reason.replace(':', '.')}", reason)
