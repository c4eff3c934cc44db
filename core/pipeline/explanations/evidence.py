"""What the log says for a reason: how many people who took A took B after it, and by chance.

Only events that the model learnt from are counted; what its split holds out is not.

Chance: everybody's first take of each item, in the order of time, is a row, and its place in that
person's history is 1, 2, …. A row is an opportunity to take B from B's first day in the log to its
last, until that person took B. At places 1, 2-3, 4-7, … the share of opportunities at which B was
taken is what anybody does at that point; the sum of these shares over the opportunities that people
have after A is how many of them would take B if A made no difference (the expected events of a
log-rank test). So neither B's popularity, nor when it came out, nor long histories, whose owners
take everything sooner or later, make a lift by themselves. As pandas would count it:

    first["share"] = first.groupby(first.place.map(int.bit_length)).is_b.transform("mean")
    expected = first.share[first.time > first.person.map(time_of_a)].sum()

Without times nobody knows what came after what: of the people who took A those who also took B, and
for chance the share who did among all people with as many other items (0, 1-2, 3-6, …).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
import pyarrow as pa
from scipy.special import gammaincinv

from core.data.log import Connection
from core.data.store import connect
from core.pipeline.explanations.shared_content import SharedContent, shared_content
from core.pipeline.labels import Labels
from core.pipeline.loaded_run import LoadedRun
from core.pipeline.training import learnt_from
from core.types import Queries

Verdict = Literal["more", "fewer", "chance", "too_little"]

ENOUGH = 5  # people, below which nothing is claimed
MOST_PEOPLE = 50  # who are named
LEVEL = 0.95  # of the interval
DIGITS = 9  # of what is expected: threads add up in any order


@dataclass(frozen=True)
class Evidence:
    """How often an item B was taken after an item A of the history, against chance."""

    code: int  # of A
    item_id: Any
    label: str
    people: int  # who took A
    before: int  # of them those who had taken B by then, or at the same time; 0 without times
    then: int  # of them those who first took B after their first A; without times, who took both
    expected: float  # of them who would by chance
    ordered: bool  # whether the log knows what came after what
    who: tuple[Any, ...]  # ids of those counted in `then`, in order, MOST_PEOPLE at most
    shared: SharedContent | None  # what A and B have in common; None if the model reads no content

    @property
    def lift(self) -> float | None:
        """Then / expected; None where nothing is expected."""
        return self.then / self.expected if self.expected > 0 else None

    @property
    def low(self) -> float | None:
        """The lower end of the lift's interval; see `high`."""
        if not self.expected > 0:
            return None
        return float(gammaincinv(self.then, (1 - LEVEL) / 2)) / self.expected if self.then else 0.0

    @property
    def high(self) -> float | None:
        """The upper end: Garwood's exact 95 % interval of a Poisson count, over `expected`."""
        if not self.expected > 0:
            return None
        return float(gammaincinv(self.then + 1, (1 + LEVEL) / 2)) / self.expected

    @property
    def verdict(self) -> Verdict:
        """What may be said: more or fewer than by chance, no more than chance, too little data."""
        if self.low is None or self.high is None or max(self.then, self.expected) < ENOUGH:
            return "too_little"
        if self.low > 1:
            return "more"
        return "fewer" if self.high < 1 else "chance"

    def to_json(self) -> dict[str, Any]:
        """As `recscope explain --json` has it: without the people, who are others."""
        return {
            "item_id": self.item_id,
            "label": self.label,
            "people": self.people,
            "before": self.before,
            "then": self.then,
            "expected": self.expected,
            "lift": self.lift,
            "low": self.low,
            "high": self.high,
            "verdict": self.verdict,
            "ordered": self.ordered,
            "shared": None if self.shared is None else self.shared.to_json(),
        }


@dataclass(frozen=True, eq=False)
class LearntLog:
    """The events that a run's model learnt from; made once, asked often."""

    loaded: LoadedRun
    _labels: dict[int, str] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, loaded: LoadedRun) -> Self | None:
        """The log of this run; None where its dataset is gone."""
        return cls(loaded) if Labels(loaded).info else None

    @property
    def ordered(self) -> bool:
        """Whether it knows what came after what."""
        return self.loaded.load_dataset().interactions.times is not None

    @cached_property
    def _con(self) -> Connection:
        """With a table `taken`: who first took what and when, and how much by then."""
        run = self.loaded.run
        learnt = learnt_from(self.loaded.load_dataset(), run.config, self.loaded.model)
        columns = {"person": learnt.users, "item": learnt.items}
        columns |= {} if learnt.times is None else {"time": learnt.times}
        con = connect()
        con.register("learnt", pa.table(columns))
        con.execute(_TAKEN if learnt.times is None else _TAKEN_WITH_TIMES)
        con.unregister("learnt")
        return con

    def evidence(
        self, query: Queries, item: int, events: Sequence[int] | None = None
    ) -> tuple[Evidence, ...]:
        """What the log says of each item of this history, the oldest first, for taking another.

        Args:
            query: One history; items that it has more than once come once, and the item itself,
                which is no evidence for itself, does not come.
            item: The code of B.
            events: Positions in the history to ask about; all if not given.
        """
        history = query.items if events is None else query.items[np.asarray(events, np.int64)]
        codes = list(dict.fromkeys(int(code) for code in history if code != item))
        counted = {row[0]: row[1:] for row in self._counted(item, codes)} if codes else {}
        labels = self._labels_of(codes)
        shared = shared_content(self.loaded, item, codes)
        users, items = self.loaded.load_dataset().users, self.loaded.items
        found = []
        for code in codes:
            people, before, then, expected, who = counted.get(code, (0, 0, 0, 0.0, None))
            found.append(
                Evidence(
                    code=code,
                    item_id=items.ids[[code]].tolist()[0],
                    label=labels[code],
                    people=people,
                    before=before,
                    then=then,
                    expected=round(expected, DIGITS),
                    ordered=self.ordered,
                    who=tuple(users.decode(np.array(who or [], np.int64)).tolist()),
                    shared=shared.get(code),
                )
            )
        return tuple(found)

    def _labels_of(self, codes: list[int]) -> dict[int, str]:
        """What these are called; of a history that is asked about again it is known already."""
        if new := [code for code in codes if code not in self._labels]:
            self._labels.update(Labels(self.loaded).labels(np.array(new, np.int64)))
        return self._labels

    def _counted(self, item: int, codes: list[int]) -> list[Any]:
        """item, people, before, then, expected, who (codes): a row for each that somebody took."""
        question = _AFTER if self.ordered else _ALSO
        values = {"item": item, "codes": codes, "most": MOST_PEOPLE}
        return self._con.cursor().execute(question, values).fetchall()


def evidence(
    loaded: LoadedRun, query: Queries, item: int, events: Sequence[int] | None = None
) -> tuple[Evidence, ...] | None:
    """What the log says for this item (a code); None where the run's dataset is gone.

    Keep a LearntLog where more are asked; see LearntLog.evidence.
    """
    log = LearntLog.of(loaded)
    return None if log is None else log.evidence(query, item, events)


_TAKEN = "CREATE TABLE taken AS SELECT DISTINCT person, item FROM learnt"

# `upto`: how many items the person had taken by that time, this one and its equals in time included
_TAKEN_WITH_TIMES = """
    CREATE TABLE taken AS
    SELECT person, item, time, count(*) OVER (PARTITION BY person ORDER BY time) AS upto
    FROM (SELECT person, item, min(time) AS time FROM learnt GROUP BY person, item)
"""

# A person has an opportunity at each place from start + 1 to stop; after A, from upto + 1. Of items
# taken at the same time as B, B has the last place.
_AFTER = """
    WITH target AS (SELECT person, time, upto FROM taken WHERE item = $item),
    span AS (SELECT min(time) AS first, max(time) AS last FROM target),
    risk AS (
        SELECT person, start, least(stop, upto) AS stop, time
        FROM (
            SELECT person, count(*) FILTER (time < first) AS start,
                   count(*) FILTER (time <= last) AS stop
            FROM taken, span GROUP BY person
        )
        LEFT JOIN target USING (person)
    ),
    change AS (
        SELECT place, sum(opened) AS opened, sum(taken) AS taken
        FROM (
            SELECT start + 1 AS place, 1 AS opened, 0 AS taken FROM risk
            UNION ALL SELECT stop + 1, -1, 0 FROM risk
            UNION ALL SELECT upto, 0, 1 FROM target
        )
        GROUP BY place
    ),
    opportunity AS (
        SELECT place, length(bin(place)) AS class, coalesce(taken, 0) AS taken,
               sum(coalesce(opened, 0)) OVER (ORDER BY place) AS people
        FROM (SELECT unnest(range(1, 1 + (SELECT max(stop) FROM risk))) AS place)
        LEFT JOIN change USING (place)
    ),
    chance AS (
        SELECT place, sum(taken) OVER (PARTITION BY class)
                      / nullif(sum(people) OVER (PARTITION BY class), 0) AS share
        FROM opportunity
    ),
    until AS (
        SELECT place, sum(coalesce(share, 0)) OVER (ORDER BY place) AS expected FROM chance
        UNION ALL SELECT 0, 0
    ),
    taker AS (
        SELECT item, person, risk.time <= taken.time AS before, risk.time > taken.time AS after,
               least(stop, greatest(start, upto)) AS start, stop
        FROM taken JOIN risk USING (person)
        WHERE item IN (SELECT unnest($codes::BIGINT[]))
    )
    SELECT item, count(*), count(*) FILTER (before), count(*) FILTER (after),
           sum(last.expected - first.expected)::DOUBLE,
           min(person, $most) FILTER (after)
    FROM taker
    LEFT JOIN until AS first ON first.place = start
    LEFT JOIN until AS last ON last.place = stop
    GROUP BY item
"""

# `class`: the binary digits of 1 + how many other items the person took
_ALSO = """
    WITH person AS (
        SELECT person, bool_or(item = $item) AS took,
               length(bin(1 + count(*) FILTER (item <> $item))) AS class
        FROM taken GROUP BY person
    ),
    chance AS (
        SELECT class, count(*) FILTER (took) / count(*) AS share FROM person GROUP BY class
    )
    SELECT item, count(*), 0, count(*) FILTER (took), sum(share)::DOUBLE,
           min(person, $most) FILTER (took)
    FROM taken JOIN person USING (person) JOIN chance USING (class)
    WHERE item IN (SELECT unnest($codes::BIGINT[]))
    GROUP BY item
"""
