"""Which encoders make vectors of the items' texts and images, as widgets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from core.data.features.embeddings import SVD
from core.data.features.encoders import is_name, library
from core.data.features.roots import roots, server_path
from core.data.store import DatasetInfo
from core.errors import NotFound
from core.runs.artifact import Run
from dashboard.components.train.keys import keyed
from dashboard.state import t


def encoders_form(dataset: DatasetInfo, cloned: Run | None = None) -> dict[str, str]:
    """What a person wrote: the text model, the image model, and where the images lie.

    Args:
        dataset: Whose columns they may read.
        cloned: With whose choices it begins.
    """
    given = cloned.config.features if cloned else {}
    columns = ", ".join(dataset.meta["item_columns"]) or "–"
    folders = ", ".join(map(str, roots()))
    with st.expander(t("train.encoders"), icon=":material/imagesmode:"):
        st.markdown(t("train.encoders.lead"))
        boxes = st.columns(3)
        return {
            name: box.text_input(
                t(f"train.{name}"),
                value=given.get(name, ""),
                key=keyed(name, cloned),
                placeholder=SVD if name == "text_model" else None,
                help=t(f"train.{name}.help", columns=columns, roots=folders),
            ).strip()
            for name, box in zip(("text_model", "image_model", "images"), boxes, strict=True)
        }


def allowed(written: Mapping[str, str], dataset: DatasetInfo) -> dict[str, str]:
    """The same for `jobs.start`, with folders by their full path.

    Raises:
        NotFound: a folder that is not one of those that a page may open, or in one of them.
    """
    found = {name: value for name, value in written.items() if value}
    for kind in ("text", "image"):
        if (model := found.get(f"{kind}_model")) and model != SVD:
            prefix, name = library(kind, model)
            found[f"{kind}_model"] = f"{prefix}:{_folder_or_name(name)}"
    if (images := found.get("images")) and images not in dataset.meta["item_columns"]:
        found["images"] = str(server_path(images, folder=True))
    return found


def _folder_or_name(written: str) -> str:
    try:
        return str(server_path(written, folder=True))
    except NotFound:
        if not is_name(written) or Path(written).is_dir():
            raise
        return written
