"""What a model can be told: fields of a Config, with help and limits, that check themselves."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from core.errors import BadInput


def setting(default: Any, about: str, **limits: Any) -> Any:
    """A field of a Config: its default, a sentence of help, and min, max, step or choices."""
    return field(default=default, metadata={"help": about, **limits})


def history_decay_setting(default: float) -> Any:
    """The field history_decay, the same in every model but for its default."""
    about = "Weight of an event relative to the one after it"
    return setting(default, about, min=0.0, max=1.0, step=0.05)


@dataclass(frozen=True)
class Settings:
    """A Config checks its own values.

    Raises:
        BadInput: a value of the wrong kind or outside its limits.
    """

    def __post_init__(self) -> None:
        for f in fields(self):
            value, limits = getattr(self, f.name), f.metadata
            if isinstance(f.default, bool):
                right, wanted = isinstance(value, bool), "true or false"
            elif "choices" in limits:
                right = value in limits["choices"]
                wanted = "one of " + ", ".join(limits["choices"])
            elif isinstance(f.default, str):
                right, wanted = isinstance(value, str), "a text"
            else:
                whole = isinstance(f.default, int)
                right = isinstance(value, int if whole else int | float)
                right = right and limits["min"] <= value <= limits["max"]
                kind = "a whole number" if whole else "a number"
                wanted = f"{kind} from {limits['min']} to {limits['max']}"
            if not right:
                raise BadInput(f"{f.name} must be {wanted}, not {value!r}")
