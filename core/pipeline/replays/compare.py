"""A document as it was exported beside the same made again: every leaf of both is compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import numpy as np

from core.explain import Explanation
from core.explain.explanation import TOP
from core.pipeline.replays.difference import Missing, Pair, Path
from core.types import Array

HOLDS = 1e-6  # of max(1, |score|): how far a number may move
ERROR_HOLDS = 1e-5  # the same of a standard error, which is a root of squares
WHOLE = ("values", "scores", "base", "raw_scores", "raw_base")  # told as the largest difference


def leaves(then: Any, now: Any, path: Path = ()) -> Iterator[Pair]:
    """All leaves of two documents, also those that only one of them has; the other has Missing.

    >>> [(path, then) for path, then, now in leaves({"a": [1, 2]}, {"a": [1]}) if then != now]
    [(('a', 1), 2)]
    """
    if isinstance(then, dict) and isinstance(now, dict):
        for name in dict.fromkeys([*then, *now]):
            yield from leaves(
                then.get(name, Missing.HERE), now.get(name, Missing.HERE), (*path, name)
            )
    elif isinstance(then, list) and isinstance(now, list):
        for place, (old, new) in enumerate(zip_longest(then, now, fillvalue=Missing.HERE)):
            yield from leaves(old, new, (*path, place))
    else:
        yield path, then, now


@dataclass(frozen=True, eq=False)
class Tolerance:
    """How far the numbers of an explanation may lie from those that are computed now."""

    unit: Array  # (T,) max(1, |score|)
    raw_unit: Array  # (T,) max(1, |raw score|)

    @classmethod
    def of(cls, explanation: Explanation) -> Tolerance:
        """By the scores as they are computed now: what a file says of them could be anything."""
        scores, raw = explanation.scores, explanation.raw_scores
        return cls(np.maximum(1, np.abs(scores)), np.maximum(1, np.abs(raw)))

    def apart(self, pair: Pair) -> float | None:
        """How far two numbers lie apart in their unit; None where they have to be the same."""
        path, then, now = pair
        name, item = path[0], path[1] if len(path) > 1 else None
        units = self.raw_unit if name in ("raw_scores", "raw_base") else self.unit
        if name not in (*WHOLE, "se", "gap", "parts") or not isinstance(item, int):
            return None
        if not (_is_number(then) and _is_number(now)) or item >= len(units):
            return None
        return float(abs(then - now) / units[item])

    def same(self, pair: Pair) -> bool:
        """Whether a leaf is as it was."""
        path, then, now = pair
        if (apart := self.apart(pair)) is not None:
            return apart <= (ERROR_HOLDS if path[0] == "se" else HOLDS)
        return type(then) is type(now) and bool(then == now)


def settled(explanation: Explanation, stability: Any) -> Explanation:
    """The explanation with the stability of the file where rounding decides it.

    Which of several players worth nothing stand among the first five hangs on the last digit of
    the machine; as many places as they have may differ.
    """
    then, top = _numbers(stability, len(explanation.items)), min(TOP, len(explanation.values))
    if explanation.exact or then is None or not top:
        return explanation
    unit = np.maximum(1, np.abs(explanation.scores))
    clear = (np.abs(explanation.values) > HOLDS * unit).sum(axis=0)  # (T,)
    room = np.maximum(0, top - clear) / top
    near = np.abs(then - explanation.stability) <= room
    return replace(explanation, stability=np.where(near, then, explanation.stability))


def _is_number(value: object) -> bool:
    return type(value) is float or (type(value) is int and abs(value) < 2**63)


def _numbers(said: Any, n: int) -> Array | None:
    if isinstance(said, list) and len(said) == n and all(map(_is_number, said)):
        return np.array(said, np.float64)
    return None
