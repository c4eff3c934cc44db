"""Why items are recommended, as a sentence, a table, a figure, or shap's own object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
from plotly.graph_objects import Figure

from core.errors import BadInput
from core.explain import Explanation as Values
from core.pipeline.explanations.as_json import ItemExplanation
from recscope import figures, html

if TYPE_CHECKING:
    import shap

SHOWN = 15  # events of an item, in a notebook and in a figure; the rest are added up


@dataclass(frozen=True, eq=False)
class Explanation:
    """What `Run.explain` gives, for one item or several: base + the events' values = score.

    The values are those of core.explain.Explanation. Of an explanation against another item, score,
    base and values are an item's less the other's.

    >>> why = run.explain(1, k=1)
    >>> why.scores()[["label", "rank", "confidence", "method"]]
                label  rank confidence       method
    0  28 Days (2000)     1      exact  closed form
    >>> score = why.scores().loc[0]
    >>> bool(abs(score["base"] + why.to_frame()["value"].sum() - score["score"]) < 1e-6)
    True
    """

    values: Values
    items: tuple[ItemExplanation, ...]  # each item with its label, rank, players, …

    def __len__(self) -> int:
        return len(self.items)

    def to_frame(self) -> pd.DataFrame:
        """A row for each item and event of the history, the oldest event first.

        Returns:
            item_id, label: what is explained; history_item_id, history_label, timestamp (where the
            log has times): because of what; value: what it adds to the score; se: the value's
            standard error, 0 where it is exact; sure: whether it lies more than two from 0. Of a
            very long history the oldest events are one row, without history_item_id.
        """
        rows = [
            {
                "item_id": one.item,
                "label": one.label,
                "history_item_id": player.player.item_id,
                "history_label": player.player.label,
                "timestamp": player.player.timestamp,
                "value": player.value,
                "se": player.se,
                "sure": player.sure,
            }
            for one in self.items
            for player in one.players
        ]
        columns = ("item_id", "label", "history_item_id", "history_label", "timestamp")
        frame = pd.DataFrame(rows, columns=(*columns, "value", "se", "sure"))
        return frame if frame["timestamp"].notna().any() else frame.drop(columns="timestamp")

    def scores(self) -> pd.DataFrame:
        """A row for each item: item_id, label, rank, score, base, confidence, method.

        rank is None of an item that the history has; base is what anybody gets of whom nothing is
        known; confidence is exact, stable, indicative or unreliable.
        """
        columns = ("label", "rank", "score", "base", "confidence", "method")
        rows = [
            {"item_id": one.item, **vars(one), "confidence": str(one.confidence.level)}
            for one in self.items
        ]
        return pd.DataFrame(rows, columns=("item_id", *columns)).astype({"rank": "Int64"})

    def to_shap(self) -> shap.Explanation:
        """The same as shap's own object, a row for each item, for its plots.

        `shap.plots.bar`, `beeswarm` and `decision` take it, `shap.plots.waterfall` one row of it:
        `why.to_shap()[0]`. They need matplotlib (`pip install '.[notebook]'`).
        """
        players = self.items[0].players
        labels = [figures.without_formulas(player.player.label) for player in players]
        twice = {label for label in labels if labels.count(label) > 1}
        names = [
            f"{label}, event {at}" if label in twice else label
            for at, label in enumerate(labels, start=1)
        ]
        return self.values.to_shap(names)

    def plot(self, item: object = None) -> Figure:
        """A plotly figure of what speaks for an item and what against it, the most first.

        Args:
            item: Which, of several; the first if not given.

        Raises:
            BadInput: it is not among the items that are explained.
        """
        one = self.items[0] if item is None else self._of(item)
        rows = _strongest(one)
        labels, values = [label for label, _ in rows], [value for _, value in rows]
        return figures.bars(labels, values, one.sentence)

    def _of(self, item: object) -> ItemExplanation:
        for one in self.items:
            if str(one.item) == str(item):
                return one
        ids = ", ".join(str(one.item) for one in self.items[:10])
        raise BadInput(f"item {item!r} is not explained here: choose one of {ids}")

    def __str__(self) -> str:
        return "\n".join(one.sentence for one in self.items)

    def __repr__(self) -> str:
        items = ", ".join(str(one.item) for one in self.items[:5])
        return f"<recscope explanation of {items}{' …' * (len(self) > 5)}>"

    def _repr_html_(self) -> str:
        return "".join(map(_panel, self.items))


def _strongest(one: ItemExplanation) -> list[tuple[str, float]]:
    """Label and value of the strongest events, and the sum of the others."""
    players = sorted(one.players, key=lambda player: -abs(player.value))
    rows = [(str(player.player.label), float(player.value)) for player in players[:SHOWN]]
    if rest := players[SHOWN:]:
        rows.append((f"the other {len(rest)} events", sum(float(p.value) for p in rest)))
    return rows


def _panel(one: ItemExplanation) -> str:
    rows = _strongest(one)
    longest = max((abs(value) for _, value in rows), default=0.0)
    about = (
        f"base {one.base:.4g} (what anybody gets) + values = score {one.score:.4g}; "
        f"confidence: {one.confidence.level} ({one.method})"
    )
    return html.panel(
        str(one.label),
        html.paragraph(one.sentence),
        html.table(("because of", "value"), [(n, html.Bar(v, longest)) for n, v in rows]),
        html.paragraph(about),
    )
