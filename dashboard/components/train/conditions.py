"""Under which conditions runs are trained: what is held out, what they stop by, seed and device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from core.data.split import KINDS, VALIDATE_ON, usual_validation
from core.data.store import DatasetInfo
from core.runs.config import model_class
from core.runs.request import RunRequest
from dashboard import cache
from dashboard.components.train.encoders_form import allowed
from dashboard.state import t

MANY = 0.5  # share of people whose last event says little, and of those who came again


@dataclass(frozen=True)
class Conditions:
    """What is the same for all models that are trained together, as RunRequest has it."""

    split: str
    cut: str
    validate_on: str
    seed: int
    device: str

    def request(
        self,
        dataset: DatasetInfo,
        model: str,
        params: Mapping[str, object],
        encoders: Mapping[str, str],
    ) -> RunRequest:
        """One model under them; what it does not read is left out."""
        return RunRequest(
            dataset.id,
            model,
            params,
            self.split,
            self.seed,
            self.device,
            features=allowed(encoders, dataset),
            cut=self.cut,
            validate_on=self.validate_on if model_class(model).needs_validation else "",
        )


def usual_split(dataset: DatasetInfo) -> str:
    """The one that fits the log: whole visits where a last event is any of a basket."""
    last = cache.last_events(dataset)
    return "last-visit" if last.tied >= MANY and last.again >= MANY else "leave-last-out"


def planned_split(dataset: DatasetInfo) -> str:
    """The one that is chosen in the form, which may stand below."""
    planned: str = st.session_state.get("split", usual_split(dataset))
    return planned


def conditions_form(dataset: DatasetInfo, models: Sequence[str]) -> Conditions:
    """Asks for them; what stops a network only where one of the models is stopped by anything."""
    how, seed_box, where = st.columns(3)
    usual = usual_split(dataset)
    with how:
        split = st.selectbox(
            t("train.split"),
            KINDS,
            index=KINDS.index(usual),
            format_func=lambda kind: t(f"split.{kind}"),
            key="split",
            help=t("train.split.help"),
        )
        if usual == "last-visit" and split in ("leave-last-out", "last-visit"):
            st.caption(t("train.split.tied", share=cache.last_events(dataset).tied))
        cut = _cut() if split == "by-time" else ""
        judged = any(model_class(model).needs_validation for model in models)
        validate_on = _validate_on(split) if judged else ""
    seed = seed_box.number_input(
        t("train.seed"), min_value=0, value=0, step=1, key="seed", help=t("train.seed.help")
    )
    device = where.selectbox(
        t("train.device"),
        ("auto", "cpu", "cuda"),
        format_func=lambda kind: t(f"device.{kind}"),
        key="device",
        help=t("train.device.help"),
    )
    return Conditions(split, cut, validate_on, int(seed), device)


def _cut() -> str:
    return st.text_input(
        t("train.cut"),
        key="cut",
        help=t("train.cut.help"),
        placeholder=t("train.cut.placeholder"),
    )


def _validate_on(split: str) -> str:
    usual = usual_validation(split)
    return st.selectbox(
        t("train.validate_on"),
        sorted(VALIDATE_ON, key=lambda kind: kind != usual),
        format_func=lambda kind: t(f"validate_on.{kind}"),
        key=f"validate_on_{usual}",
        help=t("train.validate_on.help"),
    )
