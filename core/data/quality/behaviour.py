"""How the people of a log behave, as far as it matters to models: questions for quality.py."""

from __future__ import annotations

import math

from core.data.log import Connection, query_row
from core.data.quality.cleaning_steps import BOTS, CLEANINGS
from core.data.quality.verdict import Verdict, cases, find_cases, grade
from core.data.store import DatasetInfo


def bots(con: Connection, info: DatasetInfo) -> Verdict | None:
    """Users too fast or too sleepless for a person (see steps.BOTS).

    Warn for any, bad when they made a tenth of the events: then models learn the program.
    """
    if info.time_kind != "clock" or "+" in (info.mapping["user_id"] or ""):
        return None  # a user made of several columns is a group of people, not one
    find_cases(
        con,
        f"""
        SELECT user_id, count(*) AS events, count(DISTINCT item_id) AS items,
               min(timestamp) AS first, max(timestamp) AS last
        FROM log WHERE user_id IN ({BOTS}) GROUP BY user_id ORDER BY events DESC, user_id
        """,  # noqa: S608 a constant
        n=CLEANINGS["drop_bots"].default,
    )
    found = query_row(
        con, "SELECT count(*) AS n, coalesce(sum(events), 0)::BIGINT AS events FROM found"
    )
    share = found["events"] / info.counts["rows_kept"]
    return Verdict(
        "bots",
        grade(share, 0, 0, 0.1),
        {"bots": found["n"], "share": share},
        cases(con),
        "drop_bots" if found["n"] else None,
    )


def heavy_users(con: Connection, info: DatasetInfo) -> Verdict:
    """The weight of the busiest. Note when 1 % of the users make a quarter of the events, warn at
    half: a model then learns those few. A cap keeps their latest events.
    """
    find_cases(
        con,
        """
        SELECT user_id, count(*) AS events FROM log GROUP BY user_id
        ORDER BY events DESC, user_id
        """,
    )
    numbers = query_row(
        con,
        """
        WITH ranked AS (SELECT events, row_number() OVER (ORDER BY events DESC) AS rank FROM found)
        SELECT max(events) AS most, median(events) AS median,
               sum(events) FILTER (rank <= greatest(1, (SELECT count(*) FROM found) // 100))
                   / sum(events) AS share
        FROM ranked
        """,
    )
    few = info.counts["users"] < 100  # then the busiest 1 % is one user
    severity = "ok" if few else grade(numbers["share"], 0.25, 0.5)
    capped = severity != "ok" and numbers["most"] > 1000
    return Verdict("heavy_users", severity, numbers, cases(con), "cap=1000" if capped else None)


def repeats(con: Connection, info: DatasetInfo) -> Verdict:
    """Events of a user with an item that the user had before. Shop and music logs live on them.

    A note from 1 %: whether seen items are hidden then matters. A warning from 1 % for ratings,
    where the last one counts.
    """
    n = int(info.counts["rows_kept"] - query_row(con, "SELECT n FROM pairs")["n"])
    share = n / info.counts["rows_kept"]
    rated = info.value_kind == "rating"
    return Verdict(
        "repeats",
        "ok" if share < 0.01 else "warn" if rated else "note",
        {"repeats": n, "share": share},
        cleaning="last_only" if rated and n else None,
    )


def returns(con: Connection, info: DatasetInfo) -> Verdict:
    """Goods sent back. Note for any; warn from 10 %, since the purchases they undo still count."""
    n = query_row(con, "SELECT count(*) AS n FROM log WHERE event = 'return'")["n"]
    share = n / info.counts["rows_kept"]
    return Verdict(
        "returns",
        grade(share, 0, 0.1),
        {"returns": n, "share": share},
        cleaning="drop_returns" if n else None,
    )


def one_event_users(con: Connection, info: DatasetInfo) -> Verdict:
    """Users of whom nothing can be held out, and little learnt. Note from 10 %, warn from half."""
    n = query_row(
        con,
        """
        SELECT count(*) AS n
        FROM (SELECT user_id FROM log GROUP BY user_id HAVING count(*) = 1)
        """,
    )["n"]
    share = n / info.counts["users"]
    severity = grade(share, 0.1, 0.5)
    cleaning = None if severity == "ok" else "min_events=2"
    return Verdict("one_event_users", severity, {"users": n, "share": share}, cleaning=cleaning)


def sparsity(con: Connection, info: DatasetInfo) -> Verdict:
    """How much of the user-item table is filled. Warn where a user has under 5 items, or an item
    under 5 users, on average (the usual 5-core); bad under 2: most then have nothing in common.
    """
    pairs = query_row(con, "SELECT n FROM pairs")["n"]
    users, items = info.counts["users"], info.counts["items"]
    per_user, per_item = pairs / users, pairs / items
    least = min(per_user, per_item)
    return Verdict(
        "sparsity",
        "bad" if least < 2 else "warn" if least < 5 else "ok",
        {"density": pairs / (users * items), "per_user": per_user, "per_item": per_item},
        cleaning=_core(info, pairs) if least < 5 else None,
    )


def _core(info: DatasetInfo, pairs: float) -> str | None:
    """The k-core to propose: 5, or the largest k that is sure to leave something.

    Taking away users and items of fewer than k takes away at most k - 1 pairs each, so that some
    pairs are left if there are more than (k - 1) · (users + items).
    """
    k = min(5, math.ceil(pairs / (info.counts["users"] + info.counts["items"])))
    return f"k_core={k}" if k >= 2 else None


def long_tail(con: Connection, info: DatasetInfo) -> Verdict:
    """How unequal items are. Note when the top tenth takes half of the events, warn at 90 %: then
    popularity alone is hard to beat, and hardly anything is known of the rest.
    """
    find_cases(
        con,
        """
        SELECT tenth, count(*) AS items, sum(n)::BIGINT AS events, min(n) AS fewest, max(n) AS most,
               count(*) FILTER (n < 5) AS rare
        FROM (
            SELECT n, ntile(10) OVER (ORDER BY n DESC) AS tenth
            FROM (SELECT count(*) AS n FROM log GROUP BY item_id)
        ) GROUP BY tenth ORDER BY tenth
        """,
    )
    evidence = cases(con)
    evidence["share"] = evidence["events"] / evidence["events"].sum()
    head = float(evidence["share"].iloc[0])
    rare = float(evidence["rare"].sum() / evidence["items"].sum())
    return Verdict(
        "long_tail",
        grade(head, 0.5, 0.9),
        {"head": head, "rare": rare},
        evidence.drop(columns="rare"),
        _core(info, query_row(con, "SELECT n FROM pairs")["n"]) if min(head, rare) > 0.5 else None,
    )


_SLICES = """
    CREATE OR REPLACE TEMP VIEW slices AS
    SELECT user_id, item_id, timestamp,
           1 + (timestamp >= cuts[1])::INT + (timestamp >= cuts[2])::INT
             + (timestamp >= cuts[3])::INT + (timestamp >= cuts[4])::INT
             + (timestamp >= cuts[5])::INT + (timestamp >= cuts[6])::INT
             + (timestamp >= cuts[7])::INT + (timestamp >= cuts[8])::INT
             + (timestamp >= cuts[9])::INT AS slice
    FROM log, cut_times
    WHERE timestamp IS NOT NULL
"""


def drift(con: Connection, info: DatasetInfo) -> Verdict | None:
    """Does the end look like the beginning? Ten slices of equal size in time.

    Note when 10 % of the last slice's events are with items not seen before, or when fewer than
    half of the first half's top 100 items are in the second half's; warn when half of the last
    slice's events are with new items: models that know only behaviour cannot recommend those.
    """
    if info.time_kind != "clock":
        return None
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE cut_times AS
        SELECT quantile_disc(timestamp, [.1, .2, .3, .4, .5, .6, .7, .8, .9]) AS cuts FROM log
        """
    )
    con.execute(_SLICES)
    for side in ("item_id", "user_id"):  # few groups, since an item or user has at most 10 slices
        con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE {side}_slices AS
            SELECT *, min(slice) OVER (PARTITION BY {side}) AS born
            FROM (SELECT {side}, slice, count(*) AS n FROM slices GROUP BY {side}, slice)
            """  # noqa: S608 two constants
        )
    find_cases(
        con,
        """
        SELECT * FROM (
            SELECT slice, min(timestamp) AS first, max(timestamp) AS last, count(*) AS events
            FROM slices GROUP BY slice
        ) JOIN (
            SELECT slice, count(*) AS items, sum(n) FILTER (born = slice) / sum(n) AS new_items
            FROM item_id_slices GROUP BY slice
        ) USING (slice) JOIN (
            SELECT slice, count(*) AS users, sum(n) FILTER (born = slice) / sum(n) AS new_users
            FROM user_id_slices GROUP BY slice
        ) USING (slice) ORDER BY slice
        """,
    )
    evidence = cases(con).fillna({"new_items": 0.0, "new_users": 0.0})
    if len(evidence) < 2:
        return None
    kept = query_row(
        con,
        """
        WITH ranked AS (
            SELECT item_id, slice > 5 AS late FROM item_id_slices GROUP BY item_id, slice > 5
            QUALIFY row_number() OVER (PARTITION BY slice > 5 ORDER BY sum(n) DESC, item_id) <= 100
        )
        SELECT count(*) FILTER (n = 2) / greatest(1, sum(early)) AS kept
        FROM (SELECT count(*) AS n, sum((NOT late)::INT) AS early FROM ranked GROUP BY item_id)
        """,
    )["kept"]
    last = evidence.iloc[-1]
    new_items = float(last["new_items"])
    severity = grade(new_items, 0.1, 0.5)
    return Verdict(
        "drift",
        "note" if severity == "ok" and kept < 0.5 else severity,
        {"new_items": new_items, "new_users": float(last["new_users"]), "kept": kept},
        evidence,
    )
