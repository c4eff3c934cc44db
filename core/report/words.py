"""Values in the words of one language, as HTML in which whatever is somebody's stands literally."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from numbers import Number
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from core.explain.reasons import Cause, Reasons
from core.pipeline.explanations.as_json import ItemExplanation
from core.pipeline.explanations.sentences import unseen
from core.report.contents import EvaluatedRun, Person
from core.runs.artifact import Run
from core.runs.shortcuts import RunShortcuts
from core.text import template, texts
from core.text.visible import visible
from core.types import PAD, Interval

VERDICTS = ("better", "worse", "unsure", "same")  # of a rule, in the order in which they are told


class Words:
    """The texts of one language, filled; what comes out is safe to show."""

    def __init__(self, language: str) -> None:
        self.language, self._known = language, texts(language)

    def __call__(self, key: str, **values: object) -> Markup:
        """The text of this key: **bold** is ours, what is filled in is literal."""
        ours = str(escape(template(self._known, key, values.get("n"))))
        ours = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", ours)
        return Markup(ours).format(**{name: _literal(value) for name, value in values.items()})

    def has(self, key: str) -> bool:
        return key in self._known

    def name_or(self, key: str, otherwise: object) -> Markup:
        """The text of this key, or what it is called without one."""
        return self(key) if self.has(key) else literal(otherwise)

    def model(self, run: Run) -> Markup:
        """What kind of model a run is."""
        return self.name_or(f"model.{run.config.model}", run.config.model)

    def run(self, run: Run) -> Markup:
        """Such as "EASE · 3f9a1c", or "graph (Transition graph) · 3f9a1c" for a run with a name."""
        model = self.model(run)
        named = model if run.name == run.config.model else literal(run.name) + " (" + model + ")"
        return named + f" · {run.id[:6]}"

    def metric(self, metric: str) -> Markup:
        """Such as "NDCG@10" from "ndcg@10"."""
        name, _, k = metric.partition("@")
        return self.name_or(f"metric.{name}", name) + (f"@{k}" if k else "")

    def split(self, each: EvaluatedRun) -> Markup:
        """What was held out, and where the log was cut if not at the usual share."""
        cut = each.metrics.cut.removesuffix("T00:00:00+00:00")
        return self.name_or(f"split.{each.metrics.split}", each.metrics.split) + (
            f" · {cut}" if cut else ""
        )

    def listed(self, names: Sequence[str]) -> Markup:
        """A, B and C."""
        if len(names) < 2:
            return Markup("").join(names)
        first = self("explain.comma").join(names[:-1])
        return self("explain.and", first=first, last=names[-1])

    def shortcuts(self, run: Run, own: RunShortcuts) -> Markup:
        """How a run stands beside each simple rule, by the first metric they are compared in."""
        clauses = [
            self(f"shortcuts.{verdict}", rules=self("shortcuts.and").join(rules))
            for verdict in VERDICTS
            if (rules := [self.rule(r.name) for r in own.shortcuts if r.verdict == verdict])
        ]
        first = next(rule.margins[0] for rule in own.shortcuts if rule.margins)
        return self(
            "shortcuts.sentence",
            run=self.run(run),
            metric=self.metric(first.metric),
            clauses=self("shortcuts.semicolon").join(clauses),
        )

    def rule(self, name: str) -> Markup:
        return self.name_or(f"shortcuts.rule.{name}", name)

    def why(self, run: Run, person: Person, explanation: ItemExplanation) -> Markup:
        """Why the item is where it is: the sentences of `recscope explain`."""
        reasons = explanation.reasons
        assert reasons is not None, "only items in their own right are explained here"
        values = {
            **vars(reasons),
            "item": person.names[reasons.item],
            "model": self.model(run),
            "causes": self._causes(reasons, person),
            "against": self._cause(reasons.against, person) if reasons.against else "",
        }
        left_out = explanation.embeddings_left_out
        clauses = [*reasons.clauses, *unseen(explanation.known_by, left_out)]
        said = (self(f"explain.said.{clause}", **values) for clause in clauses)
        return self("explain.space").join(said)

    def _causes(self, reasons: Reasons, person: Person) -> Markup:
        """The causes named, last those of which one would do."""
        alone = [self._cause(c, person) for c in reasons.speaking if c not in reasons.twins]
        if not reasons.twins:
            return self.listed(alone)
        *others, last = (self._cause(cause, person) for cause in reasons.twins)
        key = "explain.said.either" if len(others) == 1 else "explain.said.either.three"
        either = self(key, first=self("explain.comma").join(others), last=last)
        return self.listed([*alone, either])

    def _cause(self, cause: Cause, person: Person) -> Markup:
        if cause.item == PAD:
            return self("explain.oldest", n=cause.events)
        name = self("explain.quoted", item=person.names[cause.item])
        return name if cause.events == 1 else self("explain.times", item=name, n=cause.events)


def literal(value: object) -> Markup:
    """Somebody's text as HTML that shows it as it is; Markup stays what it is.

    >>> literal("</style><b>\u202e")
    Markup('&lt;/style&gt;&lt;b&gt;⟦U+202E⟧')
    """
    return value if isinstance(value, Markup) else escape(visible(str(value)))


def _literal(value: object) -> Any:
    return value if isinstance(value, Number) else literal(value)


def day(value: object) -> str:
    """The date of a time or of an ISO time; an order number as it is; – without any.

    >>> day("2024-03-01T10:00:00Z"), day(17), day(None)
    ('2024-03-01', '17', '–')
    """
    if value is None or value == "":
        return "–"
    return f"{value:%Y-%m-%d}" if isinstance(value, datetime) else str(value)[:10]


def figure(value: float) -> str:
    """As the pages write a metric."""
    return f"{value:.4f}"


def ends(interval: Interval) -> str:
    """Such as "[0.1180, 0.1290]"; nothing where there is no interval."""
    if interval.low is None or interval.high is None:
        return ""
    return f"[{interval.low:.4f}, {interval.high:.4f}]"


def decimals(values: Iterable[float]) -> int:
    """Places behind the point that show three digits of the greatest of these."""
    greatest = max((abs(float(value)) for value in values), default=0.0)
    return 0 if greatest == 0 else int(np.clip(2 - np.floor(np.log10(greatest)), 0, 9))
