"""What `Run` says of changes to a list and of many people: as sentences, and as tables."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import pandas as pd

from core.cli.commands import changes_text, origin_text, overview_text
from core.errors import BadInput
from core.pipeline import ItemCounterfactual, ItemWhyNot, ReasonOrigins, RunOverview
from core.pipeline import WhatIf as Edited
from core.pipeline.explanations.origin import OriginEvent
from core.pipeline.named import HistoryEvent
from core.runs.faithfulness import RunFaithfulness

LISTS = ("influences", "recommended", "idle", "cases", "dependences")  # of an overview
EVENT = ("number", "item_id", "label", "timestamp")


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """The smallest removal found that takes an item off the list, asked again alone.

    Events that are dropped do not come back as candidates, here and in `WhyNot`.
    """

    answer: ItemCounterfactual

    def to_frame(self) -> pd.DataFrame:
        """The events that had to go, the oldest first: number (from 1), item_id, label, timestamp.

        Empty where nothing takes the item off the list.
        """
        return _events(self.answer.removed)

    def __str__(self) -> str:
        return changes_text.removal_text(self.answer)


@dataclass(frozen=True, eq=False)
class WhyNot:
    """How far an item is from the list, and what little would bring it in, asked again alone."""

    answer: ItemWhyNot

    def to_frame(self) -> pd.DataFrame:
        """Additions that bring it in, the strongest first, a row for each event that is added.

        Returns:
            addition, from 1; step, from 1, the order in which its events are appended; item_id,
            label; rank_after; makes_room: whether the item only moves up because what is added
            leaves the list itself. Empty where nothing so small is enough.
        """
        rows = [
            {
                "addition": number,
                "step": step,
                "item_id": item.item,
                "label": item.label,
                "rank_after": one.rank_after,
                "makes_room": one.makes_room,
            }
            for number, one in enumerate(self.answer.additions, start=1)
            for step, item in enumerate(one.added, start=1)
        ]
        columns = ("addition", "step", "item_id", "label", "rank_after", "makes_room")
        return pd.DataFrame(rows, columns=columns)

    def removed(self) -> pd.DataFrame:
        """The fewest events found without which it comes in, as `Counterfactual.to_frame`."""
        removal = self.answer.removal
        return _events(() if removal is None else removal.removed)

    def changed(self) -> pd.DataFrame:
        """Single attributes of the item with another value of which it comes in, the best first.

        Returns:
            attribute, old (missing where it has none), new, rank_after. Empty where no value that
            was tried is enough, or the model hears of none.
        """
        changes = () if self.answer.changes is None else self.answer.changes.changes
        rows = [(each.name, each.old, each.new, each.rank_after) for each in changes]
        return pd.DataFrame(rows, columns=("attribute", "old", "new", "rank_after"))

    def __str__(self) -> str:
        return changes_text.why_not_text(self.answer)


@dataclass(frozen=True, eq=False)
class WhatIf:
    """The list of an edited history, and what moved."""

    answer: Edited

    def to_frame(self) -> pd.DataFrame:
        """The new list in its order, then what left it: item_id, label, before, after.

        Places are from 1, and missing of an item that is in the history then.
        """
        rows = [move.to_json() for move in self.answer.moves]
        frame = pd.DataFrame(rows, columns=("item", "label", "before", "after"))
        return frame.rename(columns={"item": "item_id"}).astype(
            {"before": "Int64", "after": "Int64"}
        )

    def __str__(self) -> str:
        return changes_text.moves_text(self.answer)


@dataclass(frozen=True, eq=False)
class Overview:
    """What a run goes by: the explanations of the first items of some people, added up."""

    answer: RunOverview

    @property
    def tables(self) -> tuple[str, ...]:
        """What `to_frame` gives, by name."""
        return (*LISTS, *self.answer.tables)

    def to_frame(self, of: str = "influences") -> pd.DataFrame:
        """One of `tables`.

        Args:
            of: "influences": driver_id, driver, item_id, item, total, mean, users; "recommended"
                and "idle": item_id, label, users (and size, limit); "cases": user_id, item_id,
                label, rank, rank_without_causes, verdict, cause_id, cause, share, events,
                confidence, a row for each item explained of each person; "dependences": number,
                rho, low, high, people, direction; "recency", "event", "item.NAME", "component",
                "part", "base": name, size, se, noise, value, share, users, count.

        Raises:
            BadInput: there is no such table.
        """
        answer = self.answer
        if of == "influences":
            pairs = [
                (p.driver.item, p.driver.label, p.item.item, p.item.label, p.total, p.mean, p.users)
                for p in answer.influences
            ]
            columns = ["driver_id", "driver", "item_id", "item", "total", "mean", "users"]
            return pd.DataFrame(pairs, columns=columns)
        if of == "recommended":
            rows = [(one.item.item, one.item.label, one.users) for one in answer.recommended]
            return pd.DataFrame(rows, columns=["item_id", "label", "users"])
        if of == "idle":
            idle = [
                (one.item.item, one.item.label, one.users, one.size, one.limit)
                for one in answer.idle
            ]
            return pd.DataFrame(idle, columns=["item_id", "label", "users", "size", "limit"])
        if of == "cases":
            return _cases(answer)
        if of == "dependences":
            frame = pd.DataFrame([asdict(one) for one in answer.dependences])
            return frame.astype({"rho": float, "low": float, "high": float})
        if of not in answer.tables:
            raise BadInput(f"there is no table {of!r}: choose one of {', '.join(self.tables)}")
        return pd.DataFrame([asdict(bar) for bar in answer.tables[of]])

    def __str__(self) -> str:
        return overview_text.overview_text(self.answer)


@dataclass(frozen=True, eq=False)
class Origins:
    """Who in the log taught that one item speaks for another, as the last layer estimates it."""

    answer: ReasonOrigins

    def to_frame(self) -> pd.DataFrame:
        """A row for each person, the most first.

        Returns:
            user_id; share of all that was taught; own: whether it is the person asked about;
            has_cause: whether they took the cause before; because_id, because, because_time: their
            earlier event that made most of it; taken_time; between: events between the two.
        """
        rows = [
            (
                one.user,
                one.share,
                one.own,
                one.has_cause,
                *((None,) * 3 if (b := one.because) is None else _named(b)),
                one.taken.timestamp,
                one.between,
            )
            for one in self.answer.origins
        ]
        columns = ["user_id", "share", "own", "has_cause", "because_id", "because"]
        columns += ["because_time", "taken_time", "between"]
        return pd.DataFrame(rows, columns=columns).astype({"between": "Int64"})

    def __str__(self) -> str:
        return origin_text.origin_text(self.answer)


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """Whether a run's explanations say what moves it, beside simpler orders of the events."""

    answer: RunFaithfulness

    @property
    def older(self) -> bool:
        """Whether it was measured by older code than this."""
        return self.answer.older

    def to_frame(self) -> pd.DataFrame:
        """A row for each order of the events and measure.

        Returns:
            order, measure, more_is_better, mean, se (the standard error over people), people;
            ahead, ahead_se: how far the order by values is ahead of this one, person by person,
            more being better whatever the measure; missing of the values themselves.
        """
        rows = []
        for order, figures in self.answer.means.items():
            for measure, own in figures.items():
                ahead = self.answer.ahead.get(order, {}).get(measure)
                rows.append(
                    {
                        "order": order,
                        "measure": measure,
                        "more_is_better": self.answer.more_is_better[measure],
                        **asdict(own),
                        "ahead": None if ahead is None else ahead.mean,
                        "ahead_se": None if ahead is None else ahead.se,
                    }
                )
        return pd.DataFrame(rows).astype({"ahead": float, "ahead_se": float})

    def __str__(self) -> str:
        return overview_text.faithfulness_text(self.answer)


def _cases(answer: RunOverview) -> pd.DataFrame:
    rows = [
        {
            "user_id": case.user,
            "item_id": case.item.item,
            "label": case.item.label,
            "rank": case.rank,
            "rank_without_causes": case.rank_without_causes,
            "verdict": case.verdict,
            "cause_id": case.cause and case.cause.item,
            "cause": case.cause and case.cause.label,
            "share": case.share,
            "events": case.events,
            "confidence": case.confidence,
        }
        for case in answer.cases
    ]
    return pd.DataFrame(rows).astype({"rank_without_causes": "Int64"})


def _named(event: OriginEvent) -> tuple[object, str, str | int | None]:
    return event.item.item, event.item.label, event.timestamp


def _events(events: tuple[HistoryEvent, ...]) -> pd.DataFrame:
    rows = [(event.number, event.item, event.label, event.timestamp) for event in events]
    return pd.DataFrame(rows, columns=list(EVENT))
