"""How people go about it, in the events that a filter leaves: gaps, visits, repeats, what goes
together. Whole people are drawn where there are too many events to look at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from core.data.profile.coded import CodedLog
from core.data.profile.figures import in_bands, labels_of, rows_left
from core.data.profile.filters import ITEM, USER, Filter
from core.data.split import visit_gap_of
from core.types import Array, Ints

MOST_EVENTS = 300_000  # about so many at most are looked at
GAPS = {  # name → from how many seconds on
    **{"same": 0, "minute": 1, "half_hour": 60, "day": 1800, "week": 86_400},
    **{"month": 604_800, "year": 2_592_000, "longer": 31_536_000},
}
TOGETHER_OF = 100  # the most frequent items of which pairs are looked at
TOGETHER = 7  # pairs that are named
LEAST_TOGETHER = 5  # visits with both, below which a pair says nothing


@dataclass(frozen=True, eq=False)
class Behaviour:
    """How people go about it, in the events of a filter."""

    events: int  # that were looked at
    users: int  # whose they are
    of: int  # every so many-th user was drawn; 1: all
    repeats: float  # share of events of a user with an item that the user had before
    ties: float | None  # share of gaps that are 0: events of one moment; None without times
    visits: int | None  # the three below: None without times
    visits_per_user: float | None
    events_per_visit: float | None
    gaps: pd.DataFrame  # gap (of GAPS), n: time from a user's event to the next; {} without a clock
    visit_sizes: pd.DataFrame  # least, most, n: visits by their number of events
    together: pd.DataFrame  # item_id, label, other_id, other, n, lift: pairs of one visit, or user

    def to_json(self) -> dict[str, Any]:
        """As `recscope profile --json` says it."""
        frames = ("gaps", "visit_sizes", "together")
        names = ("events", "users", "of", "repeats", "ties", "visits")
        means = ("visits_per_user", "events_per_visit")
        return {
            **{name: getattr(self, name) for name in (*names, *means)},
            **{name: getattr(self, name).to_dict("records") for name in frames},
        }


def behaviour(coded: CodedLog, wanted: Filter, n_events: int) -> Behaviour:
    """How people go about it.

    Args:
        coded: The log.
        wanted: Which of its events.
        n_events: How many these are, which decides whether people are drawn.
    """
    of = max(1, math.ceil(n_events / MOST_EVENTS))
    con = coded.connect()
    rows = rows_left(con, coded, wanted)
    if of > 1:
        rows = rows.filter(f"hash(user_code) % {of} = 0")
    table = rows.project("user_code, item_code, time, file_row_number AS row").to_arrow_table()
    order = np.argsort(table["row"].to_numpy())
    users, items = (
        table[f"{side}_code"].to_numpy()[order].astype(np.int64) for side in (USER, ITEM)
    )
    kind = coded.info.time_kind
    times = None if kind == "none" else table["time"].fill_null(0).to_numpy()[order]
    starts = np.r_[True, users[1:] != users[:-1]] if len(users) else np.empty(0, bool)
    n_users = int(starts.sum())
    gaps = None if times is None else np.diff(times)[~starts[1:]]
    visits = _visits(starts, times, visit_gap_of(kind))
    sizes = np.diff(np.r_[np.flatnonzero(visits), len(users)]) if len(users) else np.empty(0, int)
    seen = kind != "none" and n_users > 0
    return Behaviour(
        events=len(users),
        users=n_users,
        of=of,
        repeats=1 - _pairs(users, items) / max(1, len(users)),
        ties=None if gaps is None else float(np.mean(gaps == 0)) if len(gaps) else 0.0,
        visits=len(sizes) if seen else None,
        visits_per_user=len(sizes) / n_users if seen else None,
        events_per_visit=len(users) / len(sizes) if seen else None,
        gaps=_gap_bands(gaps if kind == "clock" else None),
        visit_sizes=in_bands(sizes if seen else np.empty(0, int)),
        together=_together(coded, np.cumsum(visits), items),
    )


def _visits(starts: Array, times: Array | None, visit_gap: int) -> Array:
    """Where a visit begins (E,): with a user, and after a gap; without times a user is one."""
    if times is None or not len(starts):
        return starts
    visits: Array = starts | np.r_[True, np.diff(times) > visit_gap]
    return visits


def _pairs(users: Ints, items: Ints) -> int:
    """How many pairs of a user and an item there are."""
    return len(np.unique(users * (int(items.max(initial=0)) + 1) + items))


def _gap_bands(gaps: Array | None) -> pd.DataFrame:
    if gaps is None:
        return pd.DataFrame({"gap": [], "n": []})
    band = np.searchsorted(list(GAPS.values()), gaps, side="right") - 1
    n = np.bincount(band, minlength=len(GAPS))
    return pd.DataFrame({"gap": list(GAPS), "n": n})


def _together(coded: CodedLog, visits: Ints, items: Ints) -> pd.DataFrame:
    """Of the most frequent items the pairs that meet in visits more often than by chance.

    lift: how many times as many visits have both as would if the two had nothing to do with each
    other; pairs are ordered by how sure that is, by G² (Dunning, Computational Linguistics 1993).
    """
    n_visits = int(visits[-1]) if len(visits) else 0
    counts = np.bincount(items)
    frequent = np.argsort(-counts, kind="stable")[:TOGETHER_OF]
    column = np.full(len(counts), -1)
    column[frequent] = np.arange(len(frequent))
    kept = column[items] >= 0 if len(items) else np.empty(0, bool)
    baskets = np.unique(visits[kept] * TOGETHER_OF + column[items[kept]])
    both = _co_occurrence(baskets // TOGETHER_OF, baskets % TOGETHER_OF)
    alone = np.diag(both)
    first, second = np.triu_indices(TOGETHER_OF, 1)
    n = both[first, second]
    expected = alone[first] * alone[second] / max(1, n_visits)
    likely = (n >= LEAST_TOGETHER) & (n > expected)
    first, second, n, expected = (array[likely] for array in (first, second, n, expected))
    sure = n * np.log(n / expected) - (n - expected)
    best = np.argsort(-sure, kind="stable")[:TOGETHER]
    ids = _ids(coded, frequent)
    pairs = pd.DataFrame(
        {
            "item_id": [ids[frequent[i]] for i in first[best]],
            "other_id": [ids[frequent[i]] for i in second[best]],
            "n": n[best].astype(np.int64),
            "lift": (n / expected)[best],
        }
    )
    labels = labels_of(coded, [*pairs["item_id"], *pairs["other_id"]])
    pairs.insert(1, "label", labels[: len(pairs)])
    pairs.insert(3, "other", labels[len(pairs) :])
    return pairs


def _co_occurrence(baskets: Ints, columns: Ints) -> Array:
    """In how many baskets two columns are (TOGETHER_OF, TOGETHER_OF); each is once in a basket."""
    from scipy import sparse  # a tenth of a second that only this needs

    rows = np.cumsum(np.r_[True, baskets[1:] != baskets[:-1]]) - 1 if len(baskets) else baskets
    shape = (int(rows[-1]) + 1 if len(rows) else 0, TOGETHER_OF)
    matrix = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape)
    return np.asarray((matrix.T @ matrix).todense())


def _ids(coded: CodedLog, codes: Ints) -> dict[int, Any]:
    """Code → id of these items."""
    from duckdb import ColumnExpression, ConstantExpression

    con = coded.connect()
    wanted = [ConstantExpression(int(code)) for code in codes]
    members = con.table("item_members")
    rows = members.filter(ColumnExpression("member").isin(*wanted)) if wanted else members.limit(0)
    return dict(rows.project("member, id").fetchall())
