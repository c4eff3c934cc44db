"""Questions to one dataset: one question, one SQL text, one function."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from core.data.log import Connection, make_labels, open_log, query_table
from core.data.split import visit_gap_of
from core.data.store import DatasetInfo
from core.errors import NotFound


@dataclass(frozen=True)
class LogOverview:
    """The first numbers of a log."""

    events: int
    users: int
    items: int
    events_per_pair: float  # of a user and an item
    mean_per_user: float
    median_per_user: float
    most_per_user: int
    first: datetime | int | None  # UTC, an order number, or None in a log without times
    last: datetime | int | None
    density: float  # share of all pairs of a user and an item that occur, however often


def overview(info: DatasetInfo) -> LogOverview:
    """Events, users, items, density, events per user, first and last time."""
    row = (
        open_log(info)
        .execute(
            """
        SELECT sum(n)::BIGINT AS events, count(*) AS users,
               (SELECT count(DISTINCT item_id) FROM log) AS items,
               events / (users * (SELECT count(DISTINCT item_id) FROM log)) AS events_per_pair,
               avg(n) AS mean_per_user, median(n) AS median_per_user, max(n) AS most_per_user,
               min(first) AS first, max(last) AS last,
               sum(pairs) / (users * (SELECT count(DISTINCT item_id) FROM log)) AS density
        FROM (SELECT count(*) AS n, count(DISTINCT item_id) AS pairs,
                     min(timestamp) AS first, max(timestamp) AS last
              FROM log GROUP BY user_id)
        """
        )
        .fetchall()[0]
    )
    return LogOverview(*row)


def events_sample(info: DatasetInfo, n: int = 5) -> pd.DataFrame:
    """The first rows of the events, all columns."""
    return query_table(open_log(info), "FROM events LIMIT $n", n=n)


def values(info: DatasetInfo, bins: int = 20) -> pd.DataFrame:
    """value, events: how often each value occurs; ranges of equal width where they are many."""
    return query_table(
        open_log(info),
        """
        WITH span AS (
            SELECT min(value) AS low, (max(value) - min(value)) / $bins AS width,
                   approx_count_distinct(value) AS distinct_values
            FROM log WHERE isfinite(value)
        )
        SELECT CASE WHEN distinct_values <= $bins OR width = 0 THEN value
                    ELSE low + width * least($bins - 1, floor((value - low) / width)) END AS value,
               count(*) AS events
        FROM log, span WHERE isfinite(value) GROUP BY 1 ORDER BY 1
        """,
        bins=bins,
    )


def top_items(info: DatasetInfo, n: int = 20) -> pd.DataFrame:
    """item_id, label, events, users: the most popular items."""
    con = open_log(info)
    frame = query_table(
        con,
        """
        SELECT item_id, count(*) AS events, count(DISTINCT user_id) AS users
        FROM log GROUP BY item_id ORDER BY events DESC, item_id LIMIT $n
        """,
        n=n,
    )
    return _with_labels(con, frame)


@dataclass(frozen=True)
class LastEvents:
    """What a person's last event says, of the people with two events or more that count."""

    tied: float  # share whose last event has the time of the one before: the file's word then
    again: float  # share who came again: more than VISIT_GAP, or an order number, lies between two


def last_events(info: DatasetInfo) -> LastEvents:
    """Whether the last event of a person is one, or any of a visit; 0 in a log without times."""
    if info.time_kind == "none":
        return LastEvents(0.0, 0.0)
    question = """
        WITH near AS (
            SELECT user_id, time - lag(time) OVER () AS gap,
                   user_id = lag(user_id) OVER () AS another,
                   user_id IS DISTINCT FROM lead(user_id) OVER () AS last
            FROM log WHERE event IS NULL OR NOT list_contains($unlearnt, event)
        ), people AS (
            SELECT bool_or(last AND gap = 0) AS tied, max(gap) > $visit_gap AS again
            FROM near WHERE another GROUP BY user_id
        )
        SELECT coalesce(avg(tied::INT), 0) AS tied, coalesce(avg(again::INT), 0) AS again
        FROM people
    """
    found = query_table(
        open_log(info),
        question,
        unlearnt=[name for name, weight in info.weights.items() if weight <= 0],
        visit_gap=visit_gap_of(info.time_kind),
    )
    return LastEvents(float(found["tied"][0]), float(found["again"][0]))


def activity(info: DatasetInfo, bins: int = 300) -> pd.DataFrame:
    """period, events, users: what happened when; empty for a log without times.

    By hour, day, week, month or year, whichever gives at most so many periods; periods in which
    nothing happened are absent. An order number is cut in equal ranges.
    """
    con = open_log(info)
    if info.time_kind != "clock":
        return query_table(
            con,
            """
            WITH span AS (SELECT min(time) AS low, max(time) - min(time) + 1 AS width FROM log)
            SELECT low + (time - low) * least($bins, width) // width * width
                       // least($bins, width) AS period,
                   count(*) AS events, count(DISTINCT user_id) AS users
            FROM log, span WHERE time IS NOT NULL GROUP BY 1 ORDER BY 1
            """,
            bins=bins,
        )
    return query_table(
        con,
        """
        WITH span AS (SELECT date_diff('hour', min(timestamp), max(timestamp)) AS hours FROM log),
        unit AS (
            SELECT CASE WHEN hours <= $bins THEN 'hour' WHEN hours <= 24 * $bins THEN 'day'
                        WHEN hours <= 168 * $bins THEN 'week' WHEN hours <= 730 * $bins THEN 'month'
                        ELSE 'year' END AS unit
            FROM span
        )
        SELECT date_trunc(unit, timestamp)::TIMESTAMP AS period,
               count(*) AS events, count(DISTINCT user_id) AS users
        FROM log, unit WHERE timestamp IS NOT NULL GROUP BY 1 ORDER BY 1
        """,
        bins=bins,
    )


def long_tail(info: DatasetInfo, points: int = 200) -> pd.DataFrame:
    """rank, events, share: items from the most popular down (rank from 1), and the share of all
    events that the items up to that rank take, 0 … 1; about so many ranks, dense at the head.
    """
    return query_table(
        open_log(info),
        """
        WITH counts AS (SELECT count(*) AS events FROM log GROUP BY item_id),
        ranked AS (
            SELECT row_number() OVER (ORDER BY events DESC) AS rank, events,
                   sum(events) OVER (ORDER BY events DESC ROWS UNBOUNDED PRECEDING)
                       / sum(events) OVER () AS share, count(*) OVER () AS items
            FROM counts
        )
        SELECT rank, events, share FROM ranked
        WHERE rank <= $points // 2 OR rank = items
           OR rank % greatest(1, items // ($points // 2)) = 0
        ORDER BY rank
        """,
        points=points,
    )


def item_labels(info: DatasetInfo, ids: Iterable[Any]) -> pd.Series[Any]:
    """A title-like text for each of these items, by id; the id itself where none is known.

    Of items that are called the same the id stands beside it, so that nobody takes one for another.
    """
    con = open_log(info)
    frame = pd.DataFrame({"item_id": list(ids)})
    return _with_labels(con, frame).set_index("item_id")["label"]


def described_ids(info: DatasetInfo, ids: Iterable[object]) -> list[Any]:
    """Those of these ids that stand in the dataset's table of items, as it has them, each once.

    In the order asked; ids are compared as texts.
    """
    if info.path("items") is None:
        return []
    wanted = list(dict.fromkeys(map(str, ids)))
    question = "SELECT DISTINCT item_id FROM items WHERE list_contains($wanted, item_id::VARCHAR)"
    rows = open_log(info).execute(question, {"wanted": wanted}).fetchall()
    return sorted((item for (item,) in rows), key=lambda item: wanted.index(str(item)))


def user_history(info: DatasetInfo, user_id: Any, n: int | None = None) -> pd.DataFrame:
    """timestamp, item_id, label, event, value, platform: a user's events, the latest first.

    At most n of them, if n is given. Columns that the log lacks are left out.

    Raises:
        NotFound: no such user.
    """
    con = open_log(info)
    frame = query_table(
        con,
        """
        SELECT timestamp, item_id, event, value, platform FROM log WHERE user_id = $user
        ORDER BY row DESC LIMIT $n
        """,
        user=_typed(con, "user_id", user_id),
        n=n,
    )
    if frame.empty:
        raise NotFound(f"{info.name} has no user {user_id!s}")
    absent = [role for role in ("timestamp", "event", "value", "platform") if _lacks(con, role)]
    return _with_labels(con, frame.drop(columns=absent))


def search_users(info: DatasetInfo, text: str = "", n: int = 20) -> pd.DataFrame:
    """user_id, events: the users whose id begins with this text, the exact one first."""
    return query_table(
        open_log(info),
        """
        SELECT user_id, count(*) AS events FROM log
        WHERE starts_with(user_id::VARCHAR, $text) GROUP BY user_id
        ORDER BY user_id::VARCHAR <> $text, events DESC, user_id LIMIT $n
        """,
        text=text.strip(),
        n=n,
    )


def search_items(info: DatasetInfo, text: str = "", n: int = 20) -> pd.DataFrame:
    """item_id, label, events: the items with this text in their label or as their id."""
    con = open_log(info)
    make_labels(con)
    items = query_table(
        con,
        """
        SELECT item_id, coalesce(label, item_id::VARCHAR) AS label, events
        FROM (SELECT item_id, count(*) AS events FROM log GROUP BY item_id)
        LEFT JOIN labels USING (item_id)
        WHERE contains(lower(label), lower($text)) OR item_id::VARCHAR = $text
        ORDER BY item_id::VARCHAR <> $text, events DESC, item_id LIMIT $n
        """,
        text=text.strip(),
        n=n,
    )
    return _told_apart(con, items)


def rejected_summary(info: DatasetInfo) -> pd.DataFrame:
    """reason, rows, share (of the rows read): why rows were rejected, the commonest first."""
    reasons = {reason: n for reason, n in info.counts["rejected"].items() if n}
    frame = pd.DataFrame({"reason": list(reasons), "rows": list(reasons.values())})
    frame["share"] = frame["rows"] / max(1, info.counts["rows_read"])
    return frame.sort_values(["rows", "reason"], ascending=[False, True], ignore_index=True)


def rejected_everywhere(info: DatasetInfo) -> pd.DataFrame:
    """reason, rows: the same also of the files beside the log, which its counts leave out."""
    if info.path("rejected") is None:
        return pd.DataFrame({"reason": [], "rows": []}).astype({"reason": str, "rows": int})
    return query_table(
        open_log(info),
        "SELECT reason, count(*) AS rows FROM rejected GROUP BY reason ORDER BY rows DESC, reason",
    )


def rejected_sample(info: DatasetInfo, reason: str | None = None, n: int = 50) -> pd.DataFrame:
    """file, line, reason, detail, record: some of the rejected rows, of one reason or of all."""
    if info.path("rejected") is None:
        return pd.DataFrame(columns=["file", "line", "reason", "detail", "record"])
    return query_table(
        open_log(info),
        "FROM rejected WHERE $reason IS NULL OR reason = $reason ORDER BY line LIMIT $n",
        reason=reason,
        n=n,
    )


def _with_labels(con: Connection, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with a column `label` after item_id."""
    make_labels(con)
    asked = frame[["item_id"]].drop_duplicates()
    con.register("asked", asked)
    found = query_table(con, "SELECT item_id, label FROM labels SEMI JOIN asked USING (item_id)")
    labels = frame["item_id"].map(_told_apart(con, found).set_index("item_id")["label"])
    labels = labels.where(labels.notna(), frame["item_id"].astype(str))
    place = list(frame.columns).index("item_id") + 1
    return pd.concat([frame.iloc[:, :place], labels.rename("label"), frame.iloc[:, place:]], axis=1)


def _told_apart(con: Connection, items: pd.DataFrame) -> pd.DataFrame:
    """Items (item_id, label, …), with the id in the label where another item has the same label."""
    con.register("labelled", items[["label"]].drop_duplicates())
    twice = query_table(
        con,
        """
        SELECT label FROM labels SEMI JOIN labelled USING (label)
        GROUP BY label HAVING count(DISTINCT item_id) > 1
        """,
    )
    with_id = items["label"].astype(str) + " (" + items["item_id"].astype(str) + ")"
    return items.assign(label=items["label"].where(~items["label"].isin(twice["label"]), with_id))


def _typed(con: Connection, column: str, value: Any) -> Any:
    """The id as the log has it: a URL and a command line know only strings."""
    if str(con.table("log").select(column).types[0]) != "BIGINT":
        return str(value)
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None  # equal to no id


def _lacks(con: Connection, role: str) -> bool:
    return role not in con.table("events").columns
