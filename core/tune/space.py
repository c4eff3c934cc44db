"""Which settings of a model are searched, and where.

A space is written "low..high", or "a|b|c" for what is chosen from. A range whose ends differ
tenfold is searched by ratio: between 10 and 1000, half of the trials lie below 100.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import BadInput
from core.runs.config import model_config

NARROW = {"history_decay": "0.3..1"}
LAYERED = NARROW | {"learning_rate": "0.001..0.01", "dropout": "0..0.5", "negatives": "1..16"}
GRAPH = NARROW | {
    "learning_rate": "0.001..0.03",
    "dim": "32|64|128",
    "layers": "0..3",
    "temperature": "0.05..0.3",
}

# What is worth searching of each model: few settings, since each needs trials of its own.
SPACES: Mapping[str, Mapping[str, str]] = {
    "recent_popularity": {"window_days": "1..365", "half_life_days": "0..60"},
    "item_knn": {"similarity": "cosine|tfidf|bm25", "k": "20..1000", "shrink": "0..100", **NARROW},
    "user_knn": {"similarity": "cosine|tfidf|bm25", "k": "20..1000", "shrink": "0..100", **NARROW},
    "transitions": {
        "gap": "1..20",
        "backward": "0..1",
        "row_exponent": "0..1",
        "column_exponent": "0..1",
        **NARROW,
    },
    "ease": {"l2": "10..1000", "history_decay": "0.5..1"},
    "als": {"dim": "32|64|128|256", "unobserved": "0.01..1", "l2": "0.1..30", **NARROW},
    "content": {"attribute_weight": "0..3", "text_weight": "0..3", "number_weight": "0..2"}
    | NARROW,
    "gfcf": {"low_pass": "0..1", "user_exponent": "0..1", "item_exponent": "0..1", **NARROW},
    "lightgcn": GRAPH,
    "simgcl": GRAPH | {"contrast": "0.01..1", "noise": "0.02..0.3"},
    "recvae": {"learning_rate": "0.0005..0.005", "dropout": "0.1..0.7", "gamma": "0.0001..0.01"},
    "two_tower": {
        "learning_rate": "0.0003..0.003",
        "dim": "32|64|128",
        "dropout": "0.1..0.6",
        "temperature": "0.03..0.15",
        **NARROW,
    },
    "neumf": {"dim": "16|32|64", **LAYERED},
    "mlp_rating": {"dim": "16|32|64", **LAYERED},
    "unified": {
        "learning_rate": "0.0003..0.003",
        "dim": "64|128|256",
        "layers": "1..3",
        "dropout": "0.1..0.6",
    },
}

# Why others are not searched, and what to do instead.
INSTEAD: Mapping[str, str] = {
    "popularity": "popularity has no settings to search: recent_popularity has",
    "fusion": "a fusion finds its weights on validation by itself: tune the models it is made of",
    "auto": "auto chooses models and settings by itself: tune one model, such as ease",
}


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, whole if both ends are."""

    low: int | float
    high: int | float

    @property
    def by_ratio(self) -> bool:
        """Whether equal ratios are searched alike, not equal distances."""
        return self.low > 0 and self.high > 9.99 * self.low

    def tidy(self, value: Any) -> Any:
        """The value as a person would write it, three digits of it, and in the range."""
        if isinstance(self.low, int):
            return value
        return min(max(float(f"{value:.3g}"), self.low), self.high)


Domain = Range | tuple[Any, ...]


def default_space(model: str) -> Mapping[str, str]:
    """What is searched of this model if nobody says otherwise.

    Raises:
        BadInput: nothing, and what would be right.
    """
    if model not in SPACES:
        why = INSTEAD.get(model, f"say what to search of {model}: --search key=low..high")
        raise BadInput(why)
    return SPACES[model]


def domain(model: str, name: str, text: str) -> Domain:
    """Where this setting is searched: "low..high" or "a|b", each value checked by the model.

    Raises:
        BadInput: no such setting, a value out of its limits, or not a space at all.
    """

    def typed(part: str) -> Any:
        return getattr(model_config(model, {name: part.strip()}), name)

    low, dots, high = text.partition("..")
    options = tuple(typed(part) for part in text.split("|")) if "|" in text else ()
    if len(set(options)) > 1:
        return options
    if dots and not options:
        ends = Range(typed(low), typed(high))
        if not isinstance(ends.low, str | bool) and ends.low < ends.high:
            return ends
    raise BadInput(
        f"{name} is searched as low..high, the lower end first, or as a|b, not as {text!r}"
        + ("" if dots or options else f"; --set {name}={text} fixes it")
    )
