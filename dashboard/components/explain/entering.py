"""What would bring an item onto the list: events more or fewer, and other values of its own."""

from __future__ import annotations

import streamlit as st

from core.explain.attribute_changes import AttributeChange, AttributeChanges
from core.explain.why_not import PartLeftOut
from core.pipeline import ItemWhyNot
from core.pipeline.explanations.counterfactuals import NamedAddition
from dashboard import cache
from dashboard.components.explain.case import Case
from dashboard.components.explain.words import listed
from dashboard.components.labels import text_or
from dashboard.state import t
from dashboard.text import Text


def entering(case: Case) -> None:
    """A box that is filled once it is opened: every other item is tried. None of a listed item."""
    if case.listed or case.in_history:
        return
    box = st.expander(t("explain.entering"), key="entering", on_change="rerun")
    if not box.open:
        return
    with box:
        slot = st.empty()
        under_way = cache.why_not(case.workspace, case.run, case.query, case.id(case.item), case.k)
        for _ in under_way:
            slot.progress(under_way.share or 0.0, text=t("explain.entering.working"))
        slot.empty()
        if under_way.last is not None:
            _told(case, under_way.last)


def _told(case: Case, answer: ItemWhyNot) -> None:
    name = case.name(case.item)
    far = {"rank": answer.rank, "margin": f"{-answer.margin:.3g}", "k": answer.k}
    st.markdown(t("explain.entering.far", item=name, last=answer.last.label, **far))
    st.markdown(_additions(answer))
    if answer.removal is not None:
        names = [t("explain.quoted", item=event.label) for event in answer.removal.removed]
        removed = {"n": len(names), "of": answer.events, "rank": answer.removal.rank_after}
        st.markdown(t("explain.entering.removal", events=listed(names), **removed))
    elif answer.events:
        st.markdown(t("explain.entering.removal.none"))
    for left_out in answer.parts:
        rank = left_out.rank_after
        st.markdown(t("explain.entering.part", part=_part(left_out), rank=rank))
    if answer.changes is not None:
        _changes(answer.changes)


def _additions(answer: ItemWhyNot) -> Text:
    """What brings it in as one more event, or as two or three."""
    if not answer.additions:
        return t("explain.entering.added.none")
    count = len(answer.additions[0].added)
    lead = t("explain.entering.added", n=count, enough=answer.enough)
    lines = [lead, *(Text("- ") + _addition(each) for each in answer.additions)]
    return Text("\n").join(lines)


def _addition(addition: NamedAddition) -> Text:
    names = listed([t("explain.quoted", item=item.label) for item in addition.added])
    how = "room" if addition.makes_room else "lifts"
    return t(f"explain.entering.added.{how}", items=names, rank=addition.rank_after)


def _part(left_out: PartLeftOut) -> Text:
    otherwise = left_out.name or left_out.kind
    return text_or(f"explain.part.{left_out.kind}", otherwise, name=left_out.name)


def _changes(answer: AttributeChanges) -> None:
    """Other values of one attribute, with what they are worth as a statement."""
    if not answer.changes:
        st.markdown(t("explain.entering.value.none", n=answer.tried))
        return
    lead = t("explain.entering.value", enough=answer.enough, n=answer.tried)
    lines = [lead, *(Text("- ") + _change(each) for each in answer.changes)]
    st.markdown(Text("\n").join(lines))
    st.caption(t("explain.entering.value.help"))


def _change(change: AttributeChange) -> Text:
    how = "new" if change.old is None else "other"
    values = {"name": change.name, "old": change.old, "new": change.new, "rank": change.rank_after}
    return t(f"explain.entering.value.{how}", **values)
