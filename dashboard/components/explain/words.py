"""An explanation in sentences, made from its numbers and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from core.explain.counterfactual import Counterfactual
from core.explain.reasons import Cause, Reasons
from core.types import PAD
from dashboard.components.explain.case import Case
from dashboard.components.labels import model_label
from dashboard.state import t
from dashboard.text import Text, literal


def sentence(case: Case, reasons: Reasons) -> Text:
    """Why, in a sentence or two: those of core, in the page's language."""
    against = [reasons.against] if reasons.against else []
    values = {
        **vars(reasons),
        "item": case.name(case.item),
        "model": model_label(case.run.config.model),
        "causes": _causes(case, reasons),
        "against": listed(quoted(case, against)),
    }
    return t("explain.space").join(t(f"explain.said.{name}", **values) for name in reasons.clauses)


def _causes(case: Case, reasons: Reasons) -> Text:
    """The causes named, last those of which one would do."""
    alone = quoted(case, (cause for cause in reasons.speaking if cause not in reasons.twins))
    if not reasons.twins:
        return listed(alone)
    *others, last = quoted(case, reasons.twins)
    key = "explain.said.either" if len(others) == 1 else "explain.said.either.three"
    return listed([*alone, t(key, first=t("explain.comma").join(others), last=last)])


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


def list_labels(case: Case) -> list[Text]:
    """The items of a case with their places: of the list, or of one behind it; – of the history."""
    labels = []
    for place, item in enumerate(case.items, start=1):
        on_it = place <= case.k and (item != case.item or case.listed)
        number = f"{place}" if on_it else "–" if case.in_history else f"{case.rank:,}"
        labels.append(literal(f"{number}. {case.name(item)}"))
    return labels


def place_change(before: int | None, after: int | None, k: int) -> Text:
    """Where an item of a list of k went, in words with an arrow; None is in the history."""
    if after is None:
        return t("explain.move.taken")
    if before is None:
        return t("explain.move.back")
    if after == before:
        return t("explain.move.same")
    how = "up" if after < before else "down"
    if after > k:
        how = "gone"
    elif before > k:
        how = "new"
    return t(f"explain.move.{how}", n=abs(after - before), before=before)


def called(case: Case, cause: Cause) -> Text:
    """The cause by its name, unquoted, with how often it is in the history."""
    if cause.item == PAD:
        return t("explain.oldest", n=cause.events)
    name = literal(case.name(cause.item))
    return name if cause.events == 1 else t("explain.times", item=name, n=cause.events)


def quoted(case: Case, causes_named: Iterable[Cause]) -> list[Text]:
    """Each cause by its name, with how often it is in the history."""
    return [_times(case, cause.item, cause.events) for cause in causes_named]


def repeated(case: Case, items: Iterable[int]) -> list[Text]:
    """These events' items by name, each once with how often it comes, of how often it is there."""
    counts: dict[int, int] = {}
    for item in items:
        counts[int(item)] = counts.get(int(item), 0) + 1
    return [_some(case, item, n) for item, n in counts.items()]


def _some(case: Case, item: int, n: int) -> Text:
    """An item with how many of its events are meant, where not all are."""
    every = int((case.query.items == item).sum())
    if n == every:
        return _times(case, item, n)
    name = t("explain.quoted", item=case.name(item))
    return t("explain.times.some", item=name, some=n, of=every)


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
