"""How the items came to lie where they do: an epoch to look back at, and how far they moved."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.runs.artifact import Run
from dashboard import cache, state
from dashboard.charts.drift import by_epoch
from dashboard.components.page import figure, section, table
from dashboard.map.placement import PlacedItems
from dashboard.state import dark, t

PARTS = ("", "fused", "vectors")  # the spaces that epochs are kept of


def chosen(run: Run) -> int | None:
    """The epoch that the URL asks for; None for the run's own, or where it was not kept."""
    asked = state.get("epoch") or ""
    known = asked.isdecimal() and int(asked) in run.epochs and int(asked) != run.own_epoch
    return int(asked) if known and (state.get("space") or "") in PARTS else None


def epoch_box(placed: PlacedItems) -> None:
    """Chooses which of the run's epochs is shown, where there are several of this space."""
    run = placed.ready.run
    if len(run.epochs) < 2 or placed.near.vectors.component not in PARTS:
        return
    options, own = [str(epoch) for epoch in run.epochs], str(run.own_epoch)

    def named(epoch: str) -> str:
        return t("embeddings.epoch.own", epoch=epoch) if epoch == own else epoch

    current = str(placed.near.epoch or own)
    state.pick("epoch", options, named, current=current, title=t("embeddings.epoch"))


def looking_back(placed: PlacedItems) -> None:
    """What is to be known of a map that shows an earlier or later epoch."""
    if placed.near.epoch is not None:
        own = placed.ready.run.own_epoch
        st.caption(t(f"embeddings.epoch.{placed.layout}", epoch=placed.near.epoch, own=own))


def drift(placed: PlacedItems) -> None:
    """How far the items moved from epoch to epoch, and which moved most."""
    found = cache.drifted(placed)
    if found is None or found.half is None:
        return
    section("embeddings.drift")
    left, right = st.columns([3, 2])
    frame = pd.DataFrame(
        {
            "step": [f"{step.before} → {step.after}" for step in found.steps],
            "cosine": [step.cosine for step in found.steps],
            "overlap": [step.overlap for step in found.steps],
        }
    )
    with left:
        drawn = by_epoch(
            frame,
            x=t("embeddings.drift.step"),
            cosine=t("embeddings.drift.cosine"),
            overlap=t("embeddings.drift.overlap"),
            dark=dark(),
        )
        figure(drawn, alt=t("embeddings.drift.alt", n=len(frame)), key="map_drift")
    half = found.half
    rows = placed.rows[half.moved]
    with right:
        said = t("embeddings.drift.most", before=half.before, after=half.after)
        st.markdown(f"**{said}**")
        shown = {"label": placed.names(rows), "similarity": half.cosines[half.moved]}
        cosine = st.column_config.NumberColumn(t("column.similarity"), format="%.2f")
        label = st.column_config.Column(t("column.label"), width="medium")
        table(
            pd.DataFrame(shown),
            alt=said,
            key="map_moved",
            columns={"similarity": cosine, "label": label},
            height=300,
        )
    st.caption(t("embeddings.drift.how"))
