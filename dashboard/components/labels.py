"""How datasets, runs, numbers and times are written on the pages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from core.data.roles import names
from core.runs.artifact import Run
from core.types import Interval
from dashboard.state import t
from dashboard.text import Text, literal, plain


def model_label(model: str) -> Text:
    """The model's name in the page's language; a model without one keeps its own name."""
    return text_or(f"model.{model}", model)


def component_label(name: str) -> Text:
    """Such as "Recent popularity 90 d": the component's model, then what tells it from another.

    What is called otherwise, such as a run, keeps its name.
    """
    model, space, apart = name.partition(" ")
    return model_label(model) + space + apart


def text_or(key: str, otherwise: str, **values: Any) -> Text:
    """The text of this key, or what the core calls it where the pages have no words for it yet."""
    try:
        return t(key, **values)
    except KeyError:
        return literal(otherwise)


def event_label(event: object) -> str:
    """A kind of event in words, however it is spelled; one that has none here keeps the log's."""
    if event is None:
        return "–"
    name = str(event)
    return plain(text_or(f"event.{name}", plain(text_or(f"event.{names.plain(name)}", name))))


def split_label(split: str, cut: str) -> str:
    """What was held out, and where the log was cut if not at the usual share."""
    return t(f"split.{split}") + (f" · {cut.removesuffix('T00:00:00+00:00')}" if cut else "")


def run_label(run: Run) -> str:
    """Such as "EASE · 3f9a1c", or "graph (Transition graph) · 3f9a1c" for a run with a name."""
    model = model_label(run.config.model)
    title = model if run.name == run.config.model else f"{run.name} ({model})"
    return f"{title} · {run.id[:6]}"


def seconds_label(seconds: float | None) -> Text:
    """Such as "0.4 s", "12 s", "3 min 05 s"."""
    if seconds is None:
        return literal("–")
    if seconds < 10:
        return t("unit.seconds", value=f"{seconds:.1f}")
    if seconds < 60:
        return t("unit.seconds", value=f"{seconds:.0f}")
    return t("unit.minutes", minutes=int(seconds // 60), seconds=int(seconds % 60))


def day(value: Any) -> str:
    """The date of an ISO time or datetime, "–" where there is none."""
    if value is None or value == "":
        return "–"
    return value.strftime("%Y-%m-%d") if isinstance(value, datetime) else str(value)[:10]


def interval(metric: Interval) -> str:
    """Such as "0.1230 [0.1180, 0.1290]"; the mean alone where there is no interval."""
    if metric.low is None or metric.high is None:
        return f"{metric.mean:.4f}"
    return f"{metric.mean:.4f} [{metric.low:.4f}, {metric.high:.4f}]"


def metric_label(metric: str) -> Text:
    """Such as "NDCG@10" from "ndcg@10"."""
    name, _, k = metric.partition("@")
    label = text_or(f"metric.{name}", name)
    return label + f"@{k}" if k else label
