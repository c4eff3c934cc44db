"""Is this log fit to train on? Verdicts with their numbers, their evidence and a cleaning.

The thresholds are conventions; each question gives its own with the reason.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from core.data.log import Connection, open_log, query_row
from core.data.quality import behaviour, identity
from core.data.quality.cleaning_steps import TIED
from core.data.quality.verdict import EVIDENCE_ROWS, Verdict, cases, find_cases, grade
from core.data.store import DatasetInfo, quoted


def quality_report(info: DatasetInfo) -> list[Verdict]:
    """All verdicts that this log allows, in a fixed order; questions of time need times."""
    con = open_log(info)
    con.execute("CREATE VIEW kept AS FROM log")
    con.execute("CREATE TEMP TABLE tied AS " + TIED)
    con.execute(  # two questions need it, and it is the dearest
        "CREATE TEMP TABLE pairs AS "
        "SELECT count(*) AS n FROM (SELECT DISTINCT user_id, item_id FROM log)"
    )
    found = [ask(con, info) for ask in QUESTIONS]
    return [verdict for verdict in found if verdict is not None]


def size(con: Connection, info: DatasetInfo) -> Verdict:
    """Enough to learn from? Bad with one user or one item: there is nothing to compare.

    Warn under 1,000 events, where a metric's interval is wider than any difference between models.
    """
    counts = info.counts
    users, items, events = counts["users"], counts["items"], counts["rows_kept"]
    severity = "bad" if min(users, items) < 2 else "warn" if events < 1000 else "ok"
    return Verdict("size", severity, {"events": events, "users": users, "items": items})


def rejected(con: Connection, info: DatasetInfo) -> Verdict:
    """Rows that could not be used; those that a person had cleaned away do not count.

    Warn from 5 % (beyond a few broken lines), bad from 50 %: the mapping is probably wrong.
    """
    reasons = {
        reason: n for reason, n in info.counts["rejected"].items() if not reason.startswith("clean")
    }
    read, gone = info.counts["rows_read"], sum(reasons.values())
    evidence = pd.DataFrame({"reason": list(reasons), "rows": list(reasons.values())})
    share = gone / max(1, read)
    return Verdict(
        "rejected",
        grade(share, 0, 0.05, 0.5),
        {"rejected": gone, "read": read, "share": share},
        evidence.sort_values("rows", ascending=False, ignore_index=True),
    )


def missing(con: Connection, info: DatasetInfo) -> Verdict:
    """Empty cells of the events, by column. Note for any; warn where a mapped column has 20 %."""
    columns = [c for c in con.table("events").columns if c not in ("user_id", "item_id")]
    counts = con.execute(
        f"SELECT count(*), {', '.join(f'count({quoted(c)})' for c in columns)} FROM events"  # noqa: S608 names are quoted
    ).fetchall()[0]
    total = counts[0]
    evidence = pd.DataFrame(
        {"column": columns, "missing": [total - filled for filled in counts[1:]]}
    )
    evidence["share"] = evidence["missing"] / max(1, total)
    mapped = evidence[evidence["column"].isin(["timestamp", "event", "value", "platform"])]
    evidence = evidence[evidence["missing"] > 0]
    worst = float(mapped["share"].max()) if len(mapped) else 0.0
    severity = "warn" if worst >= 0.2 else "note" if len(evidence) else "ok"
    return Verdict(
        "missing",
        severity,
        {
            "columns": len(evidence),
            "share": float(evidence["share"].max()) if len(evidence) else 0.0,
        },
        evidence.sort_values("missing", ascending=False, ignore_index=True).head(EVIDENCE_ROWS),
    )


def duplicates(con: Connection, info: DatasetInfo) -> Verdict:
    """Exact repeats (user, item, time, event, value): lines written twice.

    Note for any, warn from 1 %, bad from 20 %: they count twice and leak from train into test.
    """
    find_cases(
        con,
        """
        SELECT user_id, item_id, timestamp, count(*) AS times FROM tied
        GROUP BY user_id, item_id, timestamp, event, value HAVING times > 1
        ORDER BY times DESC, user_id, item_id, timestamp
        """,
    )
    n = query_row(con, "SELECT coalesce(sum(times - 1), 0)::BIGINT AS n FROM found")["n"]
    share = n / info.counts["rows_kept"]
    return Verdict(
        "duplicates",
        grade(share, 0, 0.01, 0.2),
        {"duplicates": n, "share": share},
        cases(con),
        "dedupe" if n else None,
    )


def future_times(con: Connection, info: DatasetInfo) -> Verdict | None:
    """Times over a day after the upload: a clock, a zone or a unit is wrong. Warn for any, bad from
    1 %: a split by time would test on them alone.
    """
    return _impossible(con, info, "future_times", "future", "drop_future")


def past_times(con: Connection, info: DatasetInfo) -> Verdict | None:
    """Times before 1990: mostly 1970-01-01, which stands for a lost clock. Warn for any, bad from
    1 %: those events look oldest and are not.
    """
    return _impossible(con, info, "past_times", "past", "drop_before=1990")


def _impossible(
    con: Connection, info: DatasetInfo, key: str, number: str, cleaning: str
) -> Verdict | None:
    if info.time_kind != "clock":
        return None
    find_cases(
        con,
        """
        SELECT timestamp, count(*) AS events FROM log
        WHERE CASE WHEN $future THEN timestamp > $created::TIMESTAMPTZ::TIMESTAMP + INTERVAL 1 DAY
              ELSE timestamp < TIMESTAMP '1990-01-01' END
        GROUP BY timestamp ORDER BY events DESC, timestamp
        """,
        future=number == "future",
        created=info.created,
    )
    n = query_row(con, "SELECT coalesce(sum(events), 0)::BIGINT AS n FROM found")["n"]
    share = n / info.counts["rows_kept"]
    return Verdict(
        key,
        "ok" if not n else grade(share, -1, 0, 0.01),
        {number: n, "share": share},
        cases(con),
        cleaning if n else None,
    )


def tied_times(con: Connection, info: DatasetInfo) -> Verdict | None:
    """Events of one user at the same moment (a basket, or a coarse clock). Note from 5 %; warn from
    half: what came "next" is then the file's word, and a leave-last-out test draws at random.
    """
    if info.time_kind == "none":
        return None
    numbers = query_row(
        con,
        "SELECT count(*) AS tied FROM tied",
    )
    share = numbers["tied"] / info.counts["rows_kept"]
    return Verdict("tied_times", grade(share, 0.05, 0.5), {**numbers, "share": share})


def attributes(con: Connection, info: DatasetInfo) -> Verdict:
    """Items of which more is known than behaviour. Note under 95 %, warn under half: the content
    model then falls back on nothing for the others. Without a table of items only a note: most
    models need none.
    """
    if info.path("items") is None:
        return Verdict("attributes", "note", {"share": 0.0, "columns": 0})
    columns = [c for c in con.table("items").columns if c != "item_id"]
    any_filled = " OR ".join(f"items.{quoted(c)} IS NOT NULL" for c in columns) or "false"
    filled = ", ".join(f"count(items.{quoted(c)})" for c in columns)
    counts = con.execute(
        f"""
        SELECT count(*), count(*) FILTER ({any_filled}){", " if columns else ""}{filled}
        FROM (SELECT DISTINCT item_id FROM log) AS known LEFT JOIN items USING (item_id)
        """  # noqa: S608 names are quoted
    ).fetchall()[0]
    evidence = pd.DataFrame({"column": columns, "items": counts[2:]})
    evidence["share"] = evidence["items"] / max(1, counts[0])
    share = counts[1] / max(1, counts[0])
    severity = "ok" if share >= 0.95 else "note" if share >= 0.5 else "warn"
    return Verdict("attributes", severity, {"share": share, "columns": len(columns)}, evidence)


QUESTIONS: tuple[Callable[[Connection, DatasetInfo], Verdict | None], ...] = (
    *(size, rejected, missing, duplicates, behaviour.repeats, behaviour.returns),
    *(behaviour.bots, behaviour.heavy_users, future_times, past_times, tied_times),
    *(behaviour.sparsity, behaviour.long_tail, behaviour.one_event_users, behaviour.drift),
    *(identity.placeholder_ids, identity.dominant_ids, identity.alike_ids),
    *(identity.ambiguous_dates, identity.side_match, attributes),
)
