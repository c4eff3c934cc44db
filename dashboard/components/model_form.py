"""A model's settings as widgets, made from its Config: a new model needs no page of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.config import describe
from dashboard.components.labels import model_label, text_or
from dashboard.state import t


def model_form(model: str) -> dict[str, Any]:
    """The settings that a person chose for this model, by name."""
    settings = describe(model)
    with st.expander(t("train.settings", model=model_label(model)), icon=":material/tune:"):
        st.markdown(text_or(f"model.{model}.help", model))
        if not settings:
            st.caption(t("train.no_settings"))
        return {setting["name"]: _widget(model, setting) for setting in settings}


def _widget(model: str, setting: Mapping[str, Any]) -> Any:
    name, default = setting["name"], setting["default"]
    label = text_or(f"param.{name}", name.replace("_", " "))
    shared: dict[str, Any] = {
        "key": f"param_{model}_{name}",
        "help": text_or(f"param.{model}.{name}.help", str(setting.get("help", ""))) or None,
    }
    if choices := setting.get("choices"):
        options = list(choices)
        return st.selectbox(label, options, index=options.index(default), **shared)
    if isinstance(default, bool):
        return st.toggle(label, value=default, **shared)
    if isinstance(default, int | float):
        return _number(label, setting, shared)
    written = "" if default is None else ",".join(map(str, _several(default)))
    return st.text_input(label, value=written, **shared)


def _several(value: Any) -> list[Any]:
    return list(value) if isinstance(value, tuple | list) else [value]


def _number(label: str, setting: Mapping[str, Any], shared: Mapping[str, Any]) -> int | float:
    """A number box whose value, limits and step are all of the default's type."""
    default = setting["default"]
    kind = type(default)
    limits = {f"{side}_value": kind(setting[side]) for side in ("min", "max") if side in setting}
    step = kind(setting.get("step", 1))
    chosen: int | float = st.number_input(
        label,
        value=default,
        step=step or None,
        format=None if kind is int else "%g",
        **limits,
        **shared,
    )
    return chosen
