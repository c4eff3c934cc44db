"""What the item itself is made of, as far as the model hears it: id, attributes, texts, images."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from core.explain.parts import ItemPartValues
from dashboard import cache
from dashboard.charts import explain as charts
from dashboard.components.explain.case import Case
from dashboard.components.explain.words import figures, listed
from dashboard.components.labels import text_or
from dashboard.components.page import figure, section
from dashboard.state import dark, t
from dashboard.text import Text, plain


def item_parts(case: Case) -> None:
    """A bar per part of the item; nothing for models that know items as wholes."""
    worth = cache.parts(case.workspace, case.run, case.query, case.item)
    if worth is None:
        return
    section("explain.parts")
    st.caption(t("explain.parts.lead"))
    labels = [plain(_label(worth, index)) for index in range(len(worth.parts))]
    frame = pd.DataFrame(
        {"label": labels, "value": worth.values, "se": 0.0, "text": figures(worth.values)}
    )
    frame = frame.sort_values("value", key=np.abs, ascending=False, ignore_index=True)
    texts = [f"{row.label} {row.text}" for row in frame.head(3).itertuples(index=False)]
    drawn = charts.diverging(frame, x=t("explain.parts.axis"), dark=dark())
    alt = t("explain.parts.alt", item=case.name(case.item), parts=listed(texts))
    figure(drawn, alt=alt, key=f"parts_{case.item}")


def _label(worth: ItemPartValues, index: int) -> Text:
    """What a part is called: by its column, with how the model hears it where that is not plain."""
    part = worth.parts[index]
    if part.kind == "rest":
        return t("explain.part.rest", n=len(worth.rest))
    return text_or(f"explain.part.{part.kind}", part.name or part.kind, name=part.name)
