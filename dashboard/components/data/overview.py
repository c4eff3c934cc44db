"""What is in a log: its numbers, when things happened, how unequal items are, its columns."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.data import queries
from core.data.store import DatasetInfo
from dashboard import cache
from dashboard.charts import data as charts
from dashboard.components.labels import day, event_label, text_or
from dashboard.components.page import figure, section, table
from dashboard.state import dark, evidence, t
from dashboard.text import Text, literal, plain


def overview_tab(dataset: DatasetInfo) -> None:
    """Numbers, charts, and the most popular items and busiest users."""
    with st.spinner(t("data.computing")):
        _numbers(dataset)
        left, right = st.columns(2)
        with left:
            _activity(dataset)
        with right:
            _long_tail(dataset)
        _events(dataset)
        _top(dataset)


def _numbers(dataset: DatasetInfo) -> None:
    numbers = cache.overview(dataset)
    shown = {
        "events": f"{numbers.events:,}",
        "users": f"{numbers.users:,}",
        "items": f"{numbers.items:,}",
        "density": f"{numbers.density:.2%}",
        "per_user": f"{numbers.median_per_user:,.0f}",
        "rejected": f"{dataset.counts['rows_rejected']:,}",
    }
    for box, (name, value) in zip(st.columns(len(shown)), shown.items(), strict=True):
        box.metric(t(f"data.kpi.{name}"), literal(value), border=True)
    if dataset.time_kind == "clock":
        st.caption(t("home.card.span", first=day(numbers.first), last=day(numbers.last)))


def _activity(dataset: DatasetInfo) -> None:
    section("data.activity")
    frame = cache.activity(dataset)
    if frame.empty:
        st.caption(t("data.activity.none"))
        return
    first, last = frame["period"].iloc[0], frame["period"].iloc[-1]
    clock = dataset.time_kind == "clock"
    drawn = charts.activity(
        frame, x=t("data.activity.x" if clock else "data.activity.order"), y=t("data.activity.y"),
        dark=dark(),
    )  # fmt: skip
    alt = t(
        "data.activity.alt",
        first=day(first) if clock else first,
        last=day(last) if clock else last,
        most=int(frame["events"].max()),
    )
    figure(drawn, alt=alt, key="activity")


def _long_tail(dataset: DatasetInfo) -> None:
    section("data.tail")
    frame = cache.long_tail(dataset)
    items = int(frame["rank"].iloc[-1])
    curve = pd.DataFrame(
        {
            "item_share": [0.0, *(frame["rank"] / items)],
            "event_share": [0.0, *frame["share"]],
        }
    )
    drawn = charts.long_tail(curve, x=t("data.tail.x"), y=t("data.tail.y"), dark=dark())
    tenth = curve.loc[curve["item_share"] <= 0.1, "event_share"].max()
    figure(drawn, alt=t("data.tail.alt", share=float(tenth)), key="long_tail")


def _events(dataset: DatasetInfo) -> None:
    frame = cache.event_types(dataset)
    if not frame.empty:
        section("data.event_types")
        frame["event"] = [event_label(event) for event in frame["event"]]
        table(frame, alt=t("data.event_types.alt", n=len(frame)), key="event_types")


def _top(dataset: DatasetInfo) -> None:
    left, right = st.columns(2)
    with left:
        section("data.top_items")
        items = cache.top_items(dataset)
        table(items, alt=t("data.top_items.alt", n=len(items)), key="top_items")
    with right:
        section("data.top_users")
        people = cache.top_users(dataset)
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
