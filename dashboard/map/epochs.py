"""How the items came to lie where they do: an epoch to look back at, and how far they moved."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.runs.artifact import Run
from dashboard import cache, state
from dashboard.charts.drift import by_epoch
from dashboard.components.page import figure, section, table
from dashboard.map.item_map import ItemMap
from dashboard.state import dark, t
from dashboard.text import strong

SPACES = ("", "fused", "vectors")  # the spaces that epochs are kept of


def chosen_epoch(run: Run) -> int | None:
    """The epoch that the URL asks for; None for the run's own, or where it was not kept."""
    own = str(run.own_epoch)
    epoch = state.one_of("epoch", [str(epoch) for epoch in run.epochs], own) or own
    kept = epoch != own and (state.get("space") or "") in SPACES
    return int(epoch) if kept else None


def epoch_box(item_map: ItemMap) -> None:
    """Chooses which of the run's epochs is shown, where there are several of this space."""
    run = item_map.loaded.run
    if len(run.epochs) < 2 or item_map.near.vectors.component not in SPACES:
        return
    options, own = [str(epoch) for epoch in run.epochs], str(run.own_epoch)

    def named(epoch: str) -> str:
        return t("embeddings.epoch.own", epoch=epoch) if epoch == own else epoch

    current = str(item_map.near.epoch or own)
    state.pick("epoch", options, named, current=current, title=t("embeddings.epoch"))


def epoch_caption(item_map: ItemMap) -> None:
    """What is to be known of a map that shows an earlier or later epoch."""
    if item_map.near.epoch is not None:
        own = item_map.loaded.run.own_epoch
        st.caption(t(f"embeddings.epoch.{item_map.layout}", epoch=item_map.near.epoch, own=own))


def drift_section(item_map: ItemMap) -> None:
    """How far the items moved from epoch to epoch, and which moved most."""
    drift = cache.drift(item_map)
    if drift is None or drift.half is None:
        return
    section("embeddings.drift")
    left, right = st.columns([3, 2])
    frame = pd.DataFrame(
        {
            "step": [f"{step.before} → {step.after}" for step in drift.steps],
            "cosine": [step.cosine for step in drift.steps],
            "overlap": [step.overlap for step in drift.steps],
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
    half = drift.half
    rows = item_map.rows[half.moved]
    with right:
        title = t("embeddings.drift.most", before=half.before, after=half.after)
        st.markdown(strong(title))
        shown = {"label": item_map.names(rows), "similarity": half.cosines[half.moved]}
        cosine = st.column_config.NumberColumn(t("column.similarity"), format="%.2f")
        label = st.column_config.Column(t("column.label"), width="medium")
        table(
            pd.DataFrame(shown),
            alt=title,
            key="map_moved",
            columns={"similarity": cosine, "label": label},
            height=300,
        )
    st.caption(t("embeddings.drift.how"))
