"""What the item itself is made of, as far as the model hears it: id, attributes, texts, images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import cache
from dashboard.charts import explain as charts
from dashboard.components.explain.case import Case
from dashboard.components.explain.words import figures, listed
from dashboard.components.labels import text_or
from dashboard.components.page import figure, section
from dashboard.state import dark, t

if TYPE_CHECKING:
    from core.explain.parts import ItemPartValues


def item_parts(case: Case) -> None:
    """A bar per part of the item; nothing for models that know items as wholes."""
    found = cache.parts(case.workspace, case.run, case.query, case.item)
    if found is None:
        return
    section("explain.parts")
    st.caption(t("explain.parts.lead"))
    labels = [_label(found, place) for place in range(len(found.parts))]
    frame = pd.DataFrame(
        {"label": labels, "value": found.values, "se": 0.0, "text": figures(found.values)}
    )
    frame = frame.sort_values("value", key=np.abs, ascending=False, ignore_index=True)
    some = [f"{row.label} {row.text}" for row in frame.head(3).itertuples(index=False)]
    drawn = charts.diverging(frame, x=t("explain.parts.axis"), dark=dark())
    alt = t("explain.parts.alt", item=case.name(case.item), parts=listed(some))
    figure(drawn, alt=alt, key=f"parts_{case.item}")


def _label(found: ItemPartValues, place: int) -> str:
    """What a part is called: by its column, with how the model hears it where that is not plain."""
    part = found.parts[place]
    if part.kind == "rest":
        return t("explain.part.rest", n=len(found.rest))
    return text_or(f"explain.part.{part.kind}", part.name or part.kind, name=part.name)
