"""An explanation in sentences, made from its numbers and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from core.explain import Explanation
from core.explain.counterfactual import Counterfactual
from core.explain.explanation import SURE
from core.types import PAD, Ints
from dashboard.components.explain.case import Case
from dashboard.components.labels import model_label
from dashboard.state import t
from dashboard.text import Text, literal

MOST = 3  # causes in a sentence
NOTABLE = 0.1  # of the strongest cause: what is weaker than that goes without saying


@dataclass(frozen=True)
class Cause:
    """An item of the history with all its events, or the oldest events together."""

    item: int  # PAD for the oldest events together
    times: int  # how many events these are
    value: float
    sure: bool  # further from 0 than the errors of its events together


def causes(history: Ints, explanation: Explanation, column: int) -> list[Cause]:
    """What the history consists of, the strongest first."""
    floor = 1e-9 * max(1.0, abs(float(explanation.scores[column])))
    sizes = np.bincount(explanation.players, minlength=len(explanation.values))
    of_player = np.full(len(explanation.values), PAD)
    of_player[explanation.players] = history
    of_player[sizes > 1] = PAD
    items, group = np.unique(of_player, return_inverse=True)
    times = np.bincount(group, sizes, len(items)).astype(int)
    values = np.bincount(group, explanation.values[:, column], len(items))
    errors = np.bincount(group, explanation.se[:, column], len(items))
    sure = np.abs(values) > np.maximum(SURE * errors, floor)
    rows = zip(items.tolist(), times.tolist(), values.tolist(), sure.tolist(), strict=True)
    return sorted((Cause(*row) for row in rows), key=lambda cause: -abs(cause.value))


@dataclass(frozen=True)
class Reasons:
    """What a person is told: the causes worth a word."""

    speaking: tuple[Cause, ...]  # for it, at most three
    against: Cause | None
    share: float  # of all that speaks for it, what these do
    none: bool  # the history plays no part at all

    @classmethod
    def of(cls, history: Ints, explanation: Explanation, column: int) -> Reasons:
        """Only causes that stand out from their errors, and from the strongest."""
        all_causes = causes(history, explanation, column)
        floor = 1e-9 * max(1.0, abs(float(explanation.scores[column])))
        sure = [cause for cause in all_causes if cause.sure]
        least = NOTABLE * max((abs(cause.value) for cause in sure), default=0.0)
        speaking = tuple(c for c in sure if c.value > 0 and c.value >= least)[:MOST]
        against = next((c for c in sure if c.value < 0 and -c.value >= least), None)
        total = sum(cause.value for cause in all_causes if cause.value > 0)
        share = sum(cause.value for cause in speaking) / total if total else 0.0
        return cls(speaking, against, share, all(abs(cause.value) <= floor for cause in all_causes))


def sentence(case: Case, explanation: Explanation, reasons: Reasons) -> Text:
    """Why, in a sentence or two."""
    against = [reasons.against] if reasons.against else []
    said = {
        "item": case.name(case.item),
        "user": case.user,
        "rank": case.rank,
        "model": model_label(case.run.config.model),
        "causes": listed(quoted(case, reasons.speaking)),
        "against": listed(quoted(case, against)),
        "share": reasons.share,
    }
    if not len(case.query.items):
        return t("explain.no_history", **said)
    if reasons.none:
        lead = "listed" if case.listed else "known" if case.in_history else "unlisted"
        return t(f"explain.no_part.{lead}", **said)
    kind = {(1, 1): "both", (1, 0): "for", (0, 1): "against", (0, 0): "nothing"}
    how = kind[bool(reasons.speaking), reasons.against is not None]
    if case.listed:
        return t(f"explain.listed.{how}", **said)
    lead = t("explain.known" if case.in_history else "explain.unlisted", **said)
    return lead + t("explain.space") + t(f"explain.speaks.{how}", **said)


def change(case: Case, counterfactual: Counterfactual) -> Text:
    """What would take the item off the list, in a sentence."""
    said = {
        "k": counterfactual.k,
        "instead": "" if counterfactual.replaced_by is None
        else t("explain.quoted", item=case.name(counterfactual.replaced_by)),
        "n": len(counterfactual.removed),
        "of": counterfactual.events,
    }  # fmt: skip
    if not counterfactual.exists:
        return t("explain.change.never", **said)
    if not counterfactual.small:
        return t("explain.change.large", **said)
    removed = listed(repeated(case, case.query.items[list(counterfactual.removed)]))
    how = "small" if counterfactual.replaced_by is not None else "short"
    return t(f"explain.change.{how}", **said, removed=removed)


def called(case: Case, cause: Cause) -> Text:
    """The cause by its name, unquoted, with how often it is in the history."""
    if cause.item == PAD:
        return t("explain.oldest", n=cause.times)
    name = literal(case.name(cause.item))
    return name if cause.times == 1 else t("explain.times", item=name, n=cause.times)


def quoted(case: Case, causes_named: Iterable[Cause]) -> list[Text]:
    """Each cause by its name, with how often it is in the history."""
    return [_times(case, cause.item, cause.times) for cause in causes_named]


def repeated(case: Case, items: Iterable[int]) -> list[Text]:
    """These events' items by name, each once with how often it comes."""
    counts: dict[int, int] = {}
    for item in items:
        counts[int(item)] = counts.get(int(item), 0) + 1
    return [_times(case, item, n) for item, n in counts.items()]


def _times(case: Case, item: int, n: int) -> Text:
    if item == PAD:
        return t("explain.oldest", n=n)
    name = t("explain.quoted", item=case.name(item))
    return name if n == 1 else t("explain.times", item=name, n=n)


def listed(words: Sequence[str]) -> Text:
    """A, B and C."""
    if len(words) < 2:
        return Text().join(words)
    first = t("explain.comma").join(words[:-1])
    return t("explain.and", first=first, last=words[-1])


def figures(values: Iterable[float]) -> list[str]:
    """Numbers with their signs, with as many digits as the greatest needs for three."""
    numbers = [float(value) for value in values]
    n = digits(numbers)
    return [f"{value:+,.{n}f}" for value in numbers]


def digits(values: Iterable[float]) -> int:
    """Decimals that show three digits of the greatest of these."""
    greatest = max((abs(float(value)) for value in values), default=0.0)
    return 0 if greatest == 0 else int(np.clip(2 - np.floor(np.log10(greatest)), 0, 9))
