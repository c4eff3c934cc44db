"""Under which conditions runs are trained: what is held out, what they stop by, seed and device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from core.data.split import KINDS, VALIDATE_ON, usual_validation
from core.data.store import DatasetInfo
from core.runs.artifact import Run
from core.runs.config import model_class
from core.runs.request import RunRequest
from dashboard import cache
from dashboard.components.train.encoders_form import allowed
from dashboard.components.train.keys import keyed
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


def planned_split(dataset: DatasetInfo, cloned: Run | None = None) -> str:
    """The one that is chosen in the form, which may stand below."""
    usual = cloned.config.split if cloned else usual_split(dataset)
    planned: str = st.session_state.get(keyed("split", cloned), usual)
    return planned


def conditions_form(
    dataset: DatasetInfo, models: Sequence[str], cloned: Run | None = None
) -> Conditions:
    """Asks for them; what stops a network only where one of the models is stopped by anything.

    Args:
        dataset: Where.
        models: That are to be trained.
        cloned: Under whose conditions it begins.
    """
    how, seed_box, where = st.columns(3)
    usual, own = usual_split(dataset), cloned.config if cloned else None
    with how:
        split = st.selectbox(
            t("train.split"),
            KINDS,
            index=KINDS.index(own.split if own else usual),
            format_func=lambda kind: t(f"split.{kind}"),
            key=keyed("split", cloned),
            help=t("train.split.help"),
        )
        if usual == "last-visit" and split in ("leave-last-out", "last-visit"):
            st.caption(t("train.split.tied", share=cache.last_events(dataset).tied))
        cut = _cut(cloned) if split == "by-time" else ""
        judged = any(model_class(model).needs_validation for model in models)
        validate_on = _validate_on(split, cloned) if judged else ""
    seed = seed_box.number_input(
        t("train.seed"),
        min_value=0,
        value=own.seed if own else 0,
        step=1,
        key=keyed("seed", cloned),
        help=t("train.seed.help"),
    )
    devices = ("auto", "cpu", "cuda")
    device = where.selectbox(
        t("train.device"),
        devices,
        index=devices.index(own.device) if own else 0,
        format_func=lambda kind: t(f"device.{kind}"),
        key=keyed("device", cloned),
        help=t("train.device.help"),
    )
    return Conditions(split, cut, validate_on, int(seed), device)


def _cut(cloned: Run | None) -> str:
    return st.text_input(
        t("train.cut"),
        value=cloned.config.cut if cloned else "",
        key=keyed("cut", cloned),
        help=t("train.cut.help"),
        placeholder=t("train.cut.placeholder"),
    )


def _validate_on(split: str, cloned: Run | None) -> str:
    usual = (cloned.config.validate_on if cloned else "") or usual_validation(split)
    return st.selectbox(
        t("train.validate_on"),
        sorted(VALIDATE_ON, key=lambda kind: kind != usual),
        format_func=lambda kind: t(f"validate_on.{kind}"),
        key=keyed(f"validate_on_{usual}", cloned),
        help=t("train.validate_on.help"),
    )
