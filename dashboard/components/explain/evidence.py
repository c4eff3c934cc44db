"""What people in the log did after taking an item of the history: does it bear the reason out?"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, urlencode

import streamlit as st

from core.pipeline.explanations.evidence import Evidence
from core.pipeline.explanations.shared_content import SharedContent
from dashboard import cache, state
from dashboard.components.explain.case import Case
from dashboard.components.explain.words import listed
from dashboard.components.page import section
from dashboard.state import t
from dashboard.text import Text, linked

MOST = 3  # items of the history, where none are asked for
VALUES = 5  # that two items share


def item_evidence(case: Case, reasons: Sequence[int] | None = None) -> None:
    """A sentence for each reason, with the people behind it one click away.

    Args:
        case: What is explained.
        reasons: Codes of items of the history, the most important first, those that it does not
            have left out; if not given, those that the log bears out best.
    """
    section("explain.evidence")
    if case.described:
        st.caption(t("explain.evidence.nobody_yet"))
        return
    found = cache.evidence(case.workspace, case.run, case.query, case.item)
    if found is None:
        st.caption(t("explain.evidence.gone"))
        return
    how = "after" if not found or found[0].ordered else "also"
    st.caption(t(f"explain.evidence.lead.{how}"))
    chosen = _supported(found) if reasons is None else _chosen(case, found, reasons)
    if not chosen:
        key = "none" if not found else "unsupported" if reasons is None else "no_reason"
        st.markdown(t(f"explain.evidence.{key}", n=len(found), item=case.name(case.item)))
    for each in chosen:
        st.markdown(sentence(each, case.name(case.item)))
        _people(case, each)


def _supported(found: Sequence[Evidence]) -> list[Evidence]:
    """Those with surely more than chance, the surest first."""
    more = [each for each in found if each.verdict == "more"]
    return sorted(more, key=lambda each: -(each.low or 0))[:MOST]


def _chosen(case: Case, found: Sequence[Evidence], reasons: Sequence[int]) -> list[Evidence]:
    by_id = {str(each.item_id): each for each in found}
    ids = [case.id(item) for item in dict.fromkeys(reasons) if item in case.query.items]
    return [by_id[key] for key in ids if key in by_id]


def sentence(evidence: Evidence, item: str) -> Text:
    """What the log says, and no more than it says; for taking the item of this name."""
    said = {
        "n": evidence.people,
        "cause": t("explain.quoted", item=evidence.label),
        "item": t("explain.quoted", item=item),
        "then": evidence.then,
        "expected": _count(evidence.expected),
        "lift": _times(evidence.lift, evidence.low),
        "low": _times(evidence.low, evidence.low),
        "high": _times(evidence.high, evidence.low),
        "low_share": evidence.low or 0,
        "high_share": evidence.high or 0,
    }
    how = "after" if evidence.ordered else "also"
    verdict = evidence.verdict if evidence.people else "nobody"
    text = t(f"explain.evidence.{how}.{verdict}", **said)
    if evidence.before and evidence.people > 1:
        text += t("explain.space") + t("explain.evidence.before", n=evidence.before)
    if evidence.shared and (evidence.shared.attributes or evidence.shared.words):
        text += t("explain.space") + _shared(evidence.shared)
    return text


def _count(people: float) -> str:
    return f"{people:,.1f}" if people < 10 else f"{people:,.0f}"


def _times(lift: float | None, low: float | None) -> str:
    """With two decimals where one would make more than 1 look like 1."""
    return "" if lift is None else f"{lift:,.2f}" if (low or 0) < 1.1 else f"{lift:,.1f}"


def _shared(shared: SharedContent) -> Text:
    """What both items have, the rarest first."""
    kinds = ("attribute", "=", shared.attributes), ("word", ": ", shared.words)
    named = []
    for kind, sign, values in kinds:
        for value in values[:VALUES]:
            column, _, own = value.name.partition(sign)
            said = t(f"explain.evidence.{kind}", column=column, value=own)
            named.append(t("explain.evidence.value", value=said, n=value.items))
    return t("explain.evidence.shared", values=listed(named))


def _people(case: Case, evidence: Evidence) -> None:
    """Those who took both, each a link to why this run recommends what it does to them."""
    if not evidence.who:
        return
    with st.popover(t("explain.evidence.people", n=evidence.then), icon=":material/group:"):
        if evidence.then > len(evidence.who):
            st.caption(t("explain.evidence.first", n=len(evidence.who), of=evidence.then))
        links = [linked(str(user), person_address(case, user)) for user in evidence.who]
        st.markdown(Text(" · ").join(links))


def person_address(case: Case, user: object) -> str:
    """Where this page says why this run recommends what it does to that person."""
    query = {
        "dataset": case.dataset.id,
        "run": case.run.id,
        "user": str(user),
        "language": state.language(),
    }
    return f"explain?{urlencode(query, quote_via=quote)}"
