"""How people go about it in what the filter leaves: gaps, visits, newcomers, what goes together."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.data.profile.behaviour import Behaviour
from dashboard import cache
from dashboard.charts import data as charts
from dashboard.components.data.filtering import Filtered
from dashboard.components.page import figure, section, table
from dashboard.state import dark, t
from dashboard.text import literal, plain


def behaviour_tab(view: Filtered) -> None:
    """Numbers, four histograms, newcomers over time, and pairs of items."""
    if not view.figures.events:
        st.info(t("data.filter.nothing"), icon=":material/filter_alt_off:")
        return
    with st.spinner(t("data.computing")):
        found = cache.behaviour(view.coded, view.filter, view.figures.events)
    _numbers(found)
    if found.of > 1:
        st.caption(t("data.behaviour.drawn", events=found.events, users=found.users, of=found.of))
    left, right = st.columns(2)
    with left:
        _counts(view.figures.per_user, "per_user", "users")
    with right:
        _counts(view.figures.per_item, "per_item", "items")
    if len(found.gaps):
        left, right = st.columns(2)
        with left:
            _gaps(found)
        with right:
            _counts(found.visit_sizes, "visits", "visits.y")
    left, right = st.columns(2)
    with left:
        _newcomers(view)
    with right:
        _together(found)


def _numbers(found: Behaviour) -> None:
    shown = {"repeats": f"{found.repeats:.1%}"}
    if found.visits is not None:
        shown |= {
            "events_per_visit": f"{found.events_per_visit:.1f}",
            "visits_per_user": f"{found.visits_per_user:.1f}",
            "ties": f"{found.ties:.1%}",
        }
    for box, (name, value) in zip(st.columns(len(shown)), shown.items(), strict=True):
        help_ = t(f"data.kpi.{name}.help")
        box.metric(t(f"data.kpi.{name}"), literal(value), border=True, help=help_)


def _counts(frame: pd.DataFrame, name: str, what: str) -> None:
    """How many users, items or visits have how many events."""
    section(f"data.behaviour.{name}")
    labels = [_band(*ends) for ends in zip(frame["least"], frame["most"], strict=True)]
    shown = pd.DataFrame({"label": labels, "n": frame["n"]})
    drawn = charts.bands(shown, x=t("data.activity.y"), y=t(f"data.behaviour.{what}"), dark=dark())
    most = labels[int(frame["n"].argmax())] if labels else "–"
    figure(drawn, alt=t(f"data.behaviour.{name}.alt", most=most), key=f"behaviour_{name}")


def _band(least: int, most: int | None) -> str:
    if pd.isna(most):
        return f"{least}+"
    return str(least) if least == most else f"{least}–{most}"


def _gaps(found: Behaviour) -> None:
    section("data.behaviour.gaps")
    labels = [plain(t(f"data.gap.{gap}")) for gap in found.gaps["gap"]]
    shown = pd.DataFrame({"label": labels, "n": found.gaps["n"]})
    drawn = charts.bands(
        shown, x=t("data.behaviour.gap"), y=t("data.behaviour.gaps.y"), dark=dark()
    )
    most = labels[int(shown["n"].argmax())]
    figure(drawn, alt=t("data.behaviour.gaps.alt", most=most), key="behaviour_gaps")


def _newcomers(view: Filtered) -> None:
    section("data.behaviour.cold")
    periods = view.figures.periods
    periods = periods[periods["chosen"] & (periods["events"] > 0)]
    if periods.empty:
        st.caption(t("data.activity.none"))
        return
    shares = pd.DataFrame(
        {
            "period": periods["period"],
            "items": periods["cold_items"] / periods["events"],
            "users": periods["cold_users"] / periods["events"],
        }
    )
    names = (t("data.kpi.cold_items"), t("data.kpi.cold_users"))
    drawn = charts.cold_start(shares, names=names, y=t("data.tail.y"), dark=dark())
    last = shares.iloc[-1]
    alt = t("data.behaviour.cold.alt", items=float(last["items"]), users=float(last["users"]))
    figure(drawn, alt=alt, key="behaviour_cold")
    st.caption(t("data.behaviour.cold.lead"))


def _together(found: Behaviour) -> None:
    section("data.behaviour.together")
    pairs = found.together
    if pairs.empty:
        st.caption(t("data.behaviour.together.none"))
        return
    shown = pairs[["label", "other", "n", "lift"]]
    columns = {
        "label": st.column_config.Column(t("column.label"), width=150),
        "other": st.column_config.Column(t("column.other"), width=150),
        "n": st.column_config.NumberColumn(t("column.visits"), format="localized", width=70),
        "lift": st.column_config.NumberColumn(t("column.lift"), format="%.1f ×", width=70),
    }
    alt = t("data.behaviour.together.alt", n=len(pairs))
    table(shown, alt=alt, key="behaviour_together", columns=columns)
    st.caption(t("data.behaviour.together.lead"))
