"""What each component of a fusion adds to the score, down to its own events."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from core.explain import Explanation
from core.findings import FusionFindings
from core.types import Additive
from dashboard import cache
from dashboard.charts import explain as charts
from dashboard.components.explain.case import Case
from dashboard.components.explain.values import Waterfall
from dashboard.components.explain.words import figures, listed
from dashboard.components.labels import component_label, model_label
from dashboard.components.page import figure, section
from dashboard.state import dark, mark, t
from dashboard.text import literal, plain

NONE = "-"


class Components:
    """A bar per component, and the events of the one that is chosen; nothing for other models."""

    def __init__(self, case: Case) -> None:
        self.case, self.labels = case, component_labels(case)
        self._own: Waterfall | None = None
        self._drawn = -1
        if not self.labels:
            return
        section("explain.components")
        st.caption(t("explain.components.lead"))
        self._bars = st.empty()
        chosen = self._choose()
        if chosen is not None:
            self._own = Waterfall(case, chosen)

    def _choose(self) -> int | None:
        """Whose events to show."""
        names: dict[str, str] = {NONE: t("explain.component.none")}
        names |= {str(number): label for number, label in enumerate(self.labels)}
        chosen = st.radio(
            t("explain.component"),
            list(names),
            horizontal=True,
            format_func=lambda option: literal(names[option]),
            key=f"component_{mark(self.labels)}",
        )
        return None if chosen in (None, NONE) else int(chosen)

    def draw(self, explanation: Explanation) -> None:
        """Once more, if it says something new."""
        if not self.labels or explanation.evaluations == self._drawn:
            return
        self._drawn = explanation.evaluations
        with self._bars.container():
            _bars(self.case, self.labels, explanation)
        if self._own is not None:
            self._own.draw(explanation)


def component_labels(case: Case) -> list[str]:
    """What the components are called: by their model, and by their run where two are alike."""
    model = cache.loaded(case.workspace, case.run).model
    names = model.adding if isinstance(model, Additive) else ()
    findings = FusionFindings.from_json(case.run.meta.get("findings"))
    models = {c.name: c.model for c in findings.components} if findings else {}
    runs = {name: model_label(of) for name, of in models.items() if not name.startswith(of)}
    labels = [runs.get(name, component_label(name)) for name in names]
    pairs = zip(labels, names, strict=True)
    return [
        f"{label} · {name[:6]}" if labels.count(label) > 1 else plain(label)
        for label, name in pairs
    ]


def _bars(case: Case, labels: list[str], explanation: Explanation) -> None:
    """What each adds because of the history, the strongest first."""
    values = explanation.component_values()[:, case.column]
    frame = pd.DataFrame({"label": labels, "value": values, "se": 0.0, "text": figures(values)})
    frame = frame.sort_values("value", key=np.abs, ascending=False, ignore_index=True)
    texts = [f"{row.label} {row.text}" for row in frame.itertuples(index=False)]
    drawn = charts.diverging(frame, x=t("explain.components.axis"), dark=dark())
    alt = t("explain.components.alt", components=listed(texts))
    figure(drawn, alt=alt, key=f"components_{case.item}_{explanation.evaluations}")
