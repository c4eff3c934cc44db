"""A model's settings as widgets, made from its Config: a new model needs no page of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from core.runs.artifact import Run
from core.runs.config import SettingInfo, describe_settings
from core.types import Setting
from dashboard.components.labels import model_label, run_label, text_or
from dashboard.components.train.keys import keyed
from dashboard.state import t
from dashboard.text import Text, plain


def model_form(model: str, runs: Sequence[Run], cloned: Run | None = None) -> dict[str, Setting]:
    """The settings that a person chose for this model, by name.

    Args:
        model: Its name.
        runs: Those that it could fuse.
        cloned: Whose settings it begins with, if that is of this model.
    """
    settings = describe_settings(model)
    if cloned is not None and cloned.config.model == model:
        given = cloned.config.params
        settings = [replace(s, default=given.get(s.name, s.default)) for s in settings]
    else:
        cloned = None
    with st.expander(t("train.settings", model=model_label(model)), icon=":material/tune:"):
        st.markdown(text_or(f"model.{model}.help", model))
        if not settings:
            st.caption(t("train.no_settings"))
        return {
            setting.name: _components(model, runs, cloned)
            if setting.name == "components"
            else _widget(model, setting, cloned)
            for setting in settings
        }


def _components(model: str, runs: Sequence[Run], cloned: Run | None) -> str:
    """The ids of the runs to fuse; to begin with, the newest run of each model."""
    fusible = {run.id: run for run in runs if "components" not in run.config.params}
    newest = {run.config.model: run.id for run in reversed(fusible.values())}
    fused = str(cloned.config.params["components"]).split(",") if cloned else newest.values()
    chosen = st.multiselect(
        t("param.components"),
        list(fusible),
        default=[run for run in fused if run in fusible],
        format_func=lambda ident: plain(run_label(fusible[ident])),
        key=keyed(f"param_{model}_components", cloned),
        help=t("param.components.help"),
        placeholder=t("param.components.placeholder"),
    )
    return ",".join(chosen)


def _widget(model: str, setting: SettingInfo, cloned: Run | None) -> Any:
    name, default = setting.name, setting.default
    label = text_or(f"param.{name}", name.replace("_", " "))
    said = text_or(f"param.{name}.help", setting.help)
    shared: dict[str, Any] = {
        "key": keyed(f"param_{model}_{name}", cloned),
        "help": text_or(f"param.{model}.{name}.help", said) or None,
    }
    if setting.choices is not None:
        options = list(setting.choices)
        return st.selectbox(
            label,
            options,
            index=options.index(default),
            format_func=lambda choice: plain(text_or(f"choice.{choice}", choice)),
            **shared,
        )
    if isinstance(default, bool):
        return st.toggle(label, value=default, **shared)
    if isinstance(default, int | float):
        return _number(label, setting, shared)
    written = "" if default is None else ",".join(map(str, _several(default)))
    return st.text_input(label, value=written, **shared)


def _several(value: Any) -> list[Any]:
    return list(value) if isinstance(value, tuple | list) else [value]


def _number(label: Text, setting: SettingInfo, shared: Mapping[str, Any]) -> int | float:
    """A number box whose value, limits and step are all of the default's type."""
    default = setting.default
    kind = type(default)
    ends = {"min_value": setting.min, "max_value": setting.max}
    limits = {end: kind(value) for end, value in ends.items() if value is not None}
    step = kind(1 if setting.step is None else setting.step)
    chosen: int | float = st.number_input(
        label,
        value=default,
        step=step or None,
        format=None if kind is int else "%g",
        **limits,
        **shared,
    )
    return chosen
