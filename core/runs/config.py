"""Names and numbers that a person gave → a checked RunConfig and the id of its run."""

from __future__ import annotations

import ctypes
import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import Field, asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

from core import DEVICES
from core.data.split import usual_validation
from core.errors import BadInput, NotFound
from core.models import MODELS
from core.runs.identity import runs_digest
from core.types import Recommender, RunConfig

_SWITCH = {"true": True, "yes": True, "on": True, "1": True}
_SWITCH |= {"false": False, "no": False, "off": False, "0": False}
_NAMES = {int: "a whole number", float: "a number", bool: "true or false"}


def run_id(config: RunConfig) -> str:
    """12 hex characters: equal configs on equal data with equal code give equal ids."""
    spec = json.dumps([config.to_json(), runs_digest()], sort_keys=True)
    return hashlib.sha256(spec.encode()).hexdigest()[:12]


def model_class(model: str) -> type[Recommender]:
    """The class of this name in MODELS."""
    if model not in MODELS:
        near = difflib.get_close_matches(model.lower(), MODELS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}? " if near else ""
        raise NotFound(f"there is no model {model!r}: {hint}choose one of {', '.join(MODELS)}")
    found: type[Recommender] = MODELS[model]
    return found


def validated_on(config: RunConfig) -> str | None:
    """What decided when a network stopped and how a fusion weighs; one of VALIDATE_ON.

    None where the model needs no validation.
    """
    if not model_class(config.model).needs_validation:
        return None
    return config.validate_on or usual_validation(config.split)


def settle_device(device: str) -> str:
    """Either "cpu" or "cuda"; "auto" is the GPU where there is one."""
    if device not in DEVICES:
        raise BadInput(f"there is no device {device!r}: choose one of {', '.join(DEVICES)}")
    if device == "cpu" or (device == "auto" and not _has_gpu_driver()):
        return "cpu"
    import torch  # a second or two, which a machine without a GPU need not await

    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        raise BadInput(
            f"device 'cuda' is not there: torch {torch.__version__} sees no GPU; choose cpu or auto"
        )
    return "cpu"


def _has_gpu_driver() -> bool:
    """Whether torch could find a GPU: a CUDA driver is installed, or the kernel has AMD's."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return Path("/dev/kfd").exists()
    return True


def model_config(model: str, params: Mapping[str, object] | Iterable[str]) -> Any:
    """The model's Config with these parameters; the rest are its defaults."""
    config = model_class(model).Config
    by_name = {field.name: field for field in fields(config)}
    hints = get_type_hints(config)
    values = {}
    for name, given in parse_params(params).items():
        if name not in by_name:
            raise BadInput(
                f"{model} has no parameter {name!r}: "
                + (f"it has {', '.join(by_name)}" if by_name else "it has none")
            )
        values[name] = _typed(model, by_name[name], hints[name], given)
    return config(**values)


@dataclass(frozen=True)
class SettingInfo:
    """One parameter of a model, for a form or a list."""

    name: str
    type: str  # int, float, bool or str
    default: Any
    help: str
    min: float | None = None
    max: float | None = None
    step: float | None = None
    choices: tuple[str, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """As `recscope models --json` has it: limits only where there are any."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def describe_settings(model: str) -> list[SettingInfo]:
    """The parameters of a model, in the order of its Config."""
    config = model_class(model).Config
    hints = get_type_hints(config)
    return [
        SettingInfo(field.name, hints[field.name].__name__, field.default, **field.metadata)
        for field in fields(config)
    ]


def parse_params(params: Mapping[str, object] | Iterable[str]) -> dict[str, object]:
    """Parameters by name, from a mapping or from "key=value" texts.

    >>> parse_params(["l2=5", "decay=0.6"])
    {'l2': '5', 'decay': '0.6'}
    """
    if isinstance(params, Mapping):
        return dict(params)
    pairs: dict[str, object] = {}
    for text in params:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise BadInput(f"a parameter is given as key=value, not as {text!r}")
        if name.strip() in pairs:
            raise BadInput(f"{name.strip()} is set twice: once is right")
        pairs[name.strip()] = value.strip()
    return pairs


def _typed(model: str, field: Field[Any], hint: Any, given: Any) -> Any:
    """The given value in the type of the field; whether it lies in range is the Config's to say."""
    try:
        if hint is bool:
            return given if isinstance(given, bool) else _SWITCH[str(given).lower()]
        if isinstance(given, bool) or (hint is str and not isinstance(given, str | int | float)):
            raise TypeError
        if hint is int:
            number = float(given)
            if number != int(number):
                raise ValueError
            return int(number)
        return hint(given)
    except (TypeError, ValueError, KeyError, OverflowError):
        raise BadInput(
            f"{field.name} of {model} must be {_wanted(field, hint)}, not {given!r}"
        ) from None


def _wanted(field: Field[Any], hint: Any) -> str:
    """What would be right, in words: "a whole number from 1 to 500"."""
    limits = field.metadata
    if "choices" in limits:
        return "one of " + ", ".join(map(str, limits["choices"]))
    between = f" from {limits['min']} to {limits['max']}" if "min" in limits else ""
    return _NAMES.get(hint, "a text") + between
