"""Where the strongest reason came from: who in the log taught the network, one click away."""

from __future__ import annotations

import shlex

import streamlit as st

from core import pipeline
from core.errors import BadInput, NotFound
from core.explain import Explanation
from core.pipeline.explanations.origin import Origin, ReasonOrigins
from dashboard import cache
from dashboard.components.explain.case import Case
from dashboard.components.explain.evidence import person_address
from dashboard.state import t
from dashboard.text import Text, linked


def reason_origin(case: Case, explanation: Explanation) -> None:
    """A box that is filled once it is opened: it takes a while."""
    cause = pipeline.strongest_cause(case.query, explanation, case.column)
    if cause is None:
        return
    box = st.expander(t("explain.origin"), key="origin", on_change="rerun")
    if not box.open:
        return
    with box:
        slot = st.empty()
        try:
            under_way = cache.origins(
                case.workspace, case.run, case.query, cause, case.item, case.user
            )
            for _ in under_way:
                slot.progress(under_way.share or 0.0, text=t("explain.origin.working"))
        except NotFound:
            slot.caption(t("explain.evidence.gone"))
            return
        except BadInput:
            slot.caption(t("explain.origin.no_layer"))
            return
        slot.empty()
        if under_way.last is not None:
            _origins(case, under_way.last)


def _origins(case: Case, answer: ReasonOrigins) -> None:
    said = {
        "cause": t("explain.quoted", item=answer.cause.label),
        "item": t("explain.quoted", item=answer.item.label),
        "n": answer.takers,
        "looked_at": answer.looked_at,
        "with_cause": answer.with_cause,
    }
    if not answer.origins:
        st.markdown(t("explain.origin.nobody", **said))
        return
    how = "after" if answer.ordered else "also"
    had = any(each.has_cause for each in answer.origins)
    st.markdown(t("explain.origin.lead" if had else f"explain.origin.lead.other.{how}", **said))
    st.markdown(Text("\n").join(Text("- ") + _person(case, each) for each in answer.origins))
    st.caption(t(f"explain.origin.counted.{how}", **said))
    st.caption(t("explain.origin.estimate"))
    words = ["recscope", "explain", case.run.id, "--user", case.user, "--item", case.id(case.item)]
    st.code(shlex.join([*words, "--origin", "--retrain"]), language=None)


def _person(case: Case, origin: Origin) -> Text:
    """Who it is, a link to why this run recommends what it does to them; and what they took."""
    said = {
        "user": linked(str(origin.user), person_address(case, origin.user)),
        "share": origin.share,
        "item": t("explain.quoted", item=origin.taken.item.label),
    }
    if origin.because is None:
        text = t("explain.origin.took", **said)
    else:
        cause = t("explain.quoted", item=origin.because.item.label)
        how = "also" if origin.between is None else "after" if origin.between else "next"
        text = t(f"explain.origin.{how}", **said, cause=cause, n=origin.between)
    return text + t("explain.space") + t("explain.origin.own") if origin.own else text
