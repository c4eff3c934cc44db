"""Many explained cases side by side, to be sorted; each leads to its own page."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.explain.survey.cases import SurveyedCase
from core.explain.survey.overview import Overview
from core.types import PAD
from dashboard import cache
from dashboard.components.explain.case import Case
from dashboard.components.explain.words import called
from dashboard.components.labels import text_or
from dashboard.components.page import table
from dashboard.components.people import height, why_address
from dashboard.state import t
from dashboard.text import plain

OPEN, NAMES = 55, 150  # pixels: so that all columns are seen in a window of 1360


def cases(case: Case, overview: Overview) -> None:
    """A row for each item explained of each person."""
    lower = sum((each.rank_without_causes or 0) > each.rank for each in overview.cases)
    st.markdown(t("explain.all.cases", n=len(overview.cases), because=lower))
    strongest = [each.strongest for each in overview.cases]
    case.learn(cause.item for cause in strongest if cause is not None and cause.item != PAD)
    case.learn(each.item for each in overview.cases)
    users = people_ids(case, overview)
    frame = pd.DataFrame([_row(case, users, each) for each in overview.cases])
    frame["without"] = frame["without"].astype("Int64")
    table(
        frame,
        alt=t("explain.all.cases.alt", n=len(frame)),
        key="all_cases",
        columns=_columns(),
        height=height(min(len(frame), 12)),
    )
    st.caption(t("explain.all.cases.lead"))


def people_ids(case: Case, overview: Overview) -> list[str]:
    """The ids of the people surveyed."""
    users = cache.loaded(case.workspace, case.run).load_dataset().users
    return [str(user) for user in users.decode(overview.users)]


def _row(case: Case, users: list[str], each: SurveyedCase) -> dict[str, object]:
    user, item = users[each.person], case.id(each.item)
    verdict = str(each.verdict)
    return {
        "open": why_address(case.dataset, case.run, user, item),
        "user_id": user,
        "events": each.events,
        "label": case.name(each.item),
        "rank": each.rank,
        "without": each.rank_without_causes,
        "cause": None if each.strongest is None else plain(called(case, each.strongest)),
        "share": each.share if each.strongest is not None else None,
        "verdict": plain(text_or(f"explain.all.verdict.{verdict}", verdict)),
        "confidence": plain(t(f"explain.confidence.{each.confidence}")),
    }


def _columns() -> dict[str, object]:
    column = st.column_config
    names = {
        name: plain(t(f"explain.all.cases.{name}"))
        for name in ("open", "without", "verdict", "cause", "share", "confidence")
    }
    return {
        "open": column.LinkColumn(names["open"], display_text="→", width=OPEN),
        "label": column.TextColumn(plain(t("column.label")), width=NAMES),
        "without": column.NumberColumn(names["without"], format="localized"),
        "verdict": column.TextColumn(names["verdict"]),
        "cause": column.TextColumn(names["cause"], width=NAMES),
        "share": column.NumberColumn(names["share"], format="percent"),
        "confidence": column.TextColumn(names["confidence"]),
    }
