"""What a filter leaves of a log, in figures: how much, when, of which kinds, how unequally shared.

Each chart is drawn without the filter's own choice on what it shows, so that the other values can
still be seen and chosen: the kinds of events are those of the filter without its kinds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from duckdb import ColumnExpression, ConstantExpression, DuckDBPyRelation, Expression

from core.data import queries
from core.data.log import Connection
from core.data.profile.coded import PERIODS, CodedLog, count_days
from core.data.profile.filters import DAY_S, ITEM, LOG, OF_LOG, USER, Choice, Facet, Filter
from core.types import Array

COUNT_BANDS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)  # where each band of counts begins
TOP = 7  # items and users that are named
MOST_SHOWN = 10  # values of a facet
POINTS = 200  # of the curve of the long tail


@dataclass(frozen=True, eq=False)
class FacetCounts:
    """How many events each value of a facet has, under the rest of the filter."""

    facet: Facet
    values: pd.DataFrame  # value, events, chosen: the most frequent, and what is chosen
    n_values: int  # that have an event


@dataclass(frozen=True)
class Left:
    """How much a filter leaves."""

    events: int
    users: int
    items: int


@dataclass(frozen=True, eq=False)
class LogProfile:
    """What a filter leaves of a log."""

    events: int
    users: int
    items: int
    cold_items: int | None  # events with items of fewer than COLD events before; None without times
    cold_users: int | None  # events by users of fewer than COLD events before
    median_per_user: float
    periods: pd.DataFrame  # period, until, events, cold_items, cold_users, chosen; () without times
    facets: tuple[FacetCounts, ...]
    per_user: pd.DataFrame  # least, most (None: open), n: users by their number of events
    per_item: pd.DataFrame  # the same of items
    tail: pd.DataFrame  # item_share, event_share, 0 … 1, the most popular first, from (0, 0)
    top_items: pd.DataFrame  # item_id, label, events
    top_users: pd.DataFrame  # user_id, events

    @property
    def left(self) -> Left:
        """How much it is."""
        return Left(self.events, self.users, self.items)

    def to_json(self) -> dict[str, Any]:
        """As `recscope profile --json` says it."""
        frames = ("periods", "per_user", "per_item", "top_items", "top_users")
        counts = ("events", "users", "items", "cold_items", "cold_users", "median_per_user")
        return {
            **{name: getattr(self, name) for name in counts},
            **{name: _records(getattr(self, name)) for name in frames},
            "facets": {each.facet.term: _records(each.values) for each in self.facets},
        }


def log_profile(coded: CodedLog, wanted: Filter) -> LogProfile:
    """The figures of what this filter leaves; exact. Without a filter all is read as it is kept."""
    con = coded.connect()
    days = _days(con, coded, wanted)
    timed = _in_time(con, coded, wanted, days)
    fits = {facet: _kind_fits(timed, coded, wanted, facet) for facet in OF_LOG}
    left = timed[np.logical_and.reduce(list(fits.values()))]
    members = {side: _members(con, coded, wanted, side) for side in (ITEM, USER)}
    facets = [
        _kind_counts(timed[fits[other]], coded, wanted, facet)
        for facet, other in zip(OF_LOG, reversed(OF_LOG), strict=True)
        if facet in coded.facets
    ]
    facets += [
        _attribute_counts(con, coded, wanted, facet) for facet in coded.facets if facet.side != LOG
    ]
    has_times = coded.info.time_kind != "none"
    per_user, per_item = members[USER]["events"].to_numpy(), members[ITEM]["events"].to_numpy()
    return LogProfile(
        events=int(left["events"].sum()),
        users=len(per_user),
        items=len(per_item),
        cold_items=int(left["cold_items"].sum()) if has_times else None,
        cold_users=int(left["cold_users"].sum()) if has_times else None,
        median_per_user=float(np.median(per_user)) if len(per_user) else 0.0,
        periods=_periods(days, coded, wanted),
        facets=tuple(facets),
        per_user=in_bands(per_user),
        per_item=in_bands(per_item),
        tail=_tail(per_item),
        top_items=_top_items(con, coded, members[ITEM]),
        top_users=_named(con, USER, members[USER]),
    )


def rows_left(con: Connection, coded: CodedLog, wanted: Filter) -> DuckDBPyRelation:
    """The rows of `log` that the filter leaves, in no order; a connection of `coded` is asked."""
    rows = con.table("log").set_alias("log")
    whole = coded.has_borders(wanted)  # periods, which are read faster than times
    column = ColumnExpression("period" if whole else "time")

    def written(end: int) -> Expression:
        return ConstantExpression(max(0, (end - coded.origin) // coded.width) if whole else end)

    if wanted.since is not None:
        rows = rows.filter(column >= written(wanted.since))
    if wanted.until is not None:
        rows = rows.filter(column < written(wanted.until))
    for facet, names in zip(OF_LOG, coded.kinds, strict=True):
        if values := wanted.values(facet):
            codes = [ConstantExpression(names.index(value) + 1) for value in values]
            rows = rows.filter(ColumnExpression(facet.column).isin(*codes))
    for side in (ITEM, USER):
        if choices := wanted.on(side):
            fitting = _fitting(con, side, choices).set_alias("fitting")
            rows = rows.set_alias("log").join(
                fitting, f"log.{side}_code = fitting.member", how="semi"
            )
    return rows


def _fitting(con: Connection, side: str, choices: tuple[Choice, ...]) -> DuckDBPyRelation:
    """Which items or users (member) have a chosen value of each of these attributes."""
    sets = [
        con.table(f"{side}_facets")
        .filter(ColumnExpression("facet") == ConstantExpression(choice.facet.column))
        .filter(ColumnExpression("value").isin(*map(ConstantExpression, choice.values)))
        .project("member")
        .distinct()
        for choice in choices
    ]
    fitting = sets[0]
    for other in sets[1:]:
        fitting = fitting.intersect(other)
    return fitting


def _days(con: Connection, coded: CodedLog, wanted: Filter) -> pd.DataFrame:
    """Events by period, kind and platform, at any time, of the items and users of the filter."""
    of_members = Filter(choices=(*wanted.on(ITEM), *wanted.on(USER)))
    if of_members:
        return _counted(con, coded, of_members)
    found: pd.DataFrame = con.table("days").df()
    return found


def _counted(con: Connection, coded: CodedLog, wanted: Filter) -> pd.DataFrame:
    found: pd.DataFrame = count_days(con, rows_left(con, coded, wanted)).df()
    return found


def _in_time(con: Connection, coded: CodedLog, wanted: Filter, days: pd.DataFrame) -> pd.DataFrame:
    """What of `days` lies in the filter's time; counted again if that cuts through a period."""
    if not coded.has_borders(wanted):
        return _counted(con, coded, replace(wanted, choices=(*wanted.on(ITEM), *wanted.on(USER))))
    return days[_overlaps(days, coded, wanted)]


def _overlaps(days: pd.DataFrame, coded: CodedLog, wanted: Filter) -> Array:
    """Which periods hold some of the filter's time."""
    begins = (coded.origin + days["period"] * coded.width).to_numpy(np.float64, na_value=np.nan)
    fits = np.ones(len(days), bool)
    if wanted.since is not None:
        fits &= begins + coded.width > wanted.since
    if wanted.until is not None:
        fits &= begins < wanted.until
    return fits


def _kind_fits(days: pd.DataFrame, coded: CodedLog, wanted: Filter, facet: Facet) -> Array:
    values = wanted.values(facet)
    names = coded.kinds[OF_LOG.index(facet)]
    if not values:
        return np.ones(len(days), bool)
    codes = [names.index(value) + 1 for value in values]
    fits: Array = days[facet.column].isin(codes).to_numpy()
    return fits


def _kind_counts(days: pd.DataFrame, coded: CodedLog, wanted: Filter, facet: Facet) -> FacetCounts:
    names = coded.kinds[OF_LOG.index(facet)]
    counts = days[days[facet.column] > 0].groupby(facet.column)["events"].sum()
    codes = counts.index.to_numpy(np.int64)
    named = {names[code - 1]: int(n) for code, n in zip(codes, counts, strict=True)}
    return _facet_counts(facet, named, wanted)


def _facet_counts(facet: Facet, counts: dict[str, int], wanted: Filter) -> FacetCounts:
    """The most frequent values, and those that are chosen even if they have no event."""
    chosen = wanted.values(facet)
    ordered = sorted(counts, key=lambda value: (-counts[value], value))
    shown = [v for n, v in enumerate(ordered) if n < MOST_SHOWN or v in chosen]
    shown += [value for value in chosen if value not in counts]
    frame = pd.DataFrame(
        {
            "value": pd.Series(shown, dtype=object),
            "events": pd.Series([counts.get(value, 0) for value in shown], dtype="int64"),
            "chosen": pd.Series([value in chosen for value in shown], dtype=bool),
        }
    )
    return FacetCounts(facet, frame, len(counts))


def _members(con: Connection, coded: CodedLog, wanted: Filter, side: str) -> pd.DataFrame:
    """member, events: the items or users that the filter leaves; fills the table SIDE_counts.

    That table has all that the filter leaves but for its choices of this side.
    """
    others = replace(wanted, choices=tuple(c for c in wanted.choices if c.facet.side != side))
    if others:
        counted = rows_left(con, coded, others).aggregate(
            f"{side}_code AS member, count(*) AS events", f"{side}_code"
        )
        counted.create(f"{side}_counts")
    else:
        con.table(f"{side}_members").project("member, events").create_view(f"{side}_counts")
    left = con.table(f"{side}_counts").set_alias("counts")
    if choices := wanted.on(side):
        fitting = _fitting(con, side, choices).set_alias("fitting")
        left = left.join(fitting, "counts.member = fitting.member", how="semi")
    found: pd.DataFrame = left.df()
    return found


def _attribute_counts(
    con: Connection, coded: CodedLog, wanted: Filter, facet: Facet
) -> FacetCounts:
    """Events by the values of an attribute, under the filter without its choice of it."""
    side = facet.side
    counts = con.table(f"{side}_counts").set_alias("counts")
    if others := tuple(choice for choice in wanted.on(side) if choice.facet != facet):
        fitting = _fitting(con, side, others).set_alias("fitting")
        counts = counts.join(fitting, "counts.member = fitting.member", how="semi")
    values = con.table(f"{side}_facets").filter(
        ColumnExpression("facet") == ConstantExpression(facet.column)
    )
    rows = (
        values.set_alias("facets")
        .join(counts.set_alias("counts"), "facets.member = counts.member")
        .aggregate("facets.value AS value, sum(counts.events)::BIGINT AS events", "facets.value")
        .fetchall()
    )
    return _facet_counts(facet, {str(value): int(n) for value, n in rows}, wanted)


def _periods(days: pd.DataFrame, coded: CodedLog, wanted: Filter) -> pd.DataFrame:
    """Events by period of the whole log's time, and which periods the filter's time holds."""
    kinds = [_kind_fits(days, coded, wanted, facet) for facet in OF_LOG]
    dated = days[np.logical_and.reduce(kinds) & days["period"].notna().to_numpy()]
    counts = ["events", "cold_items", "cold_users"]
    if dated.empty:
        empty = pd.DataFrame(columns=["period", "until", *counts, "chosen"])
        return empty.astype({**dict.fromkeys(counts, "int64"), "chosen": bool})
    dated = dated.assign(chosen=_overlaps(dated, coded, wanted))
    begins = coded.origin + dated["period"].astype(np.int64) * coded.width
    if coded.info.time_kind != "clock":
        dated = dated.assign(period=begins, until=begins + coded.width)
    else:
        spans = pd.PeriodIndex(pd.to_datetime(begins, unit="s"), freq=_bar(coded))
        dated = dated.assign(period=spans.start_time, until=(spans + 1).start_time)
    grouped = dated.groupby(["period", "until"], as_index=False)
    periods: pd.DataFrame = grouped.agg({**dict.fromkeys(counts, "sum"), "chosen": "max"})
    return periods


def _bar(coded: CodedLog) -> str:
    """What a bar of the chart over time is, as pandas calls it: of the whole log, about so many."""
    if coded.width < DAY_S:
        return "h"
    longest = {"D": PERIODS, "W": 7 * PERIODS, "M": 30 * PERIODS}
    return next((bar for bar, most in longest.items() if coded.periods <= most), "Y")


def in_bands(counts: Array) -> pd.DataFrame:
    """least, most, n: how many counts (N,) fall in each of COUNT_BANDS that is reached."""
    band = np.searchsorted(COUNT_BANDS, counts, side="right") - 1
    n = np.bincount(band, minlength=len(COUNT_BANDS))
    most = [*(begin - 1 for begin in COUNT_BANDS[1:]), None]
    last = int(band.max()) + 1 if len(band) else 0
    return pd.DataFrame(
        {"least": COUNT_BANDS[:last], "most": pd.array(most[:last], "Int64"), "n": n[:last]}
    )


def _tail(counts: Array) -> pd.DataFrame:
    """The share of events that the most popular share of items takes, from (0, 0) to (1, 1)."""
    if not len(counts):
        return pd.DataFrame({"item_share": [0.0], "event_share": [0.0]})
    shares = np.cumsum(np.sort(counts)[::-1]) / counts.sum()
    head = np.arange(min(POINTS, len(counts)))
    at = np.unique(np.r_[head, np.linspace(0, len(counts) - 1, POINTS).astype(np.int64)])
    return pd.DataFrame(
        {"item_share": np.r_[0.0, (at + 1) / len(counts)], "event_share": np.r_[0.0, shares[at]]}
    )


def _named(con: Connection, side: str, members: pd.DataFrame) -> pd.DataFrame:
    """user_id or item_id, events: those with the most events."""
    top = members.sort_values(["events", "member"], ascending=[False, True]).head(TOP)
    codes = [ConstantExpression(int(code)) for code in top["member"]]
    known = con.table(f"{side}_members")
    ids = known.filter(ColumnExpression("member").isin(*codes)) if codes else known.limit(0)
    found = dict(ids.project("member, id").fetchall())
    return pd.DataFrame(
        {f"{side}_id": [found[code] for code in top["member"]], "events": top["events"].to_list()}
    )


def _top_items(con: Connection, coded: CodedLog, members: pd.DataFrame) -> pd.DataFrame:
    top = _named(con, ITEM, members)
    top.insert(1, "label", labels_of(coded, top["item_id"].to_list()))
    return top


def labels_of(coded: CodedLog, ids: list[Any]) -> list[str]:
    """What these items are called."""
    if not ids:
        return []
    labels = queries.item_labels(coded.info, dict.fromkeys(ids))
    return [str(labels[ident]) for ident in ids]


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows, times as texts."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [
        {str(k): v.isoformat() if isinstance(v, pd.Timestamp) else v for k, v in row.items()}
        for row in rows
    ]
