"""Whether ids are somebody's and something's, and whether one is written in several ways."""

from __future__ import annotations

import pandas as pd

from core.data.log import Connection, query_row
from core.data.quality.verdict import Verdict, cases, find_cases, grade
from core.data.store import DatasetInfo, literal

PLACEHOLDERS = (
    *("-", "--", "?", "unknown", "unk", "anonymous", "anon", "guest", "nobody", "test", "user"),
    *("default", "other", "others", "various", "misc", "missing", "empty", "deleted", "tbd"),
    *("no user", "no_user", "nouser", "not available", "not logged in", "-1", "-99", "-999"),
    *("9999", "99999", "999999", "unbekannt", "anonym", "gast", "n.v.", "s/d", "sin dato"),
    *("sin datos", "desconocido", "anónimo", "desconhecido", "inconnu", "anonyme", "sconosciuto"),
    *("anonimo", "ninguno", "nessuno", "неизвестно", "нет", "未知", "未知用户", "不明", "无", "無"),
    *("空", "匿名", "游客"),
)
FEW = 20  # under so many users or items, one that has much of a log is no wonder
USER_SHARE, ITEM_SHARE, TIMES_FAIR = 0.05, 0.25, 20
# Characters that no one sees: zero-width ones, marks of direction, the soft hyphen.
UNSEEN = "[\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"
_IDS = """
    SELECT 'user' AS side, CAST(user_id AS VARCHAR) AS id, count(*) AS events FROM log GROUP BY id
    UNION ALL
    SELECT 'item' AS side, CAST(item_id AS VARCHAR) AS id, count(*) AS events FROM log GROUP BY id
"""


def placeholder_ids(con: Connection, info: DatasetInfo) -> Verdict:
    """Ids that stand for nobody: unknown, guest, -1; 0 where nobody is 1; 7.65612E+16, of which
    a spreadsheet cut the last digits. Note for any, warn from 1 % of the events: a model takes all
    of them for one very busy user.
    """
    words = ", ".join(map(literal, PLACEHOLDERS))
    find_cases(
        con,
        f"""
        WITH ids AS ({_IDS})
        SELECT side, id, events FROM ids
        WHERE lower(trim(id)) IN ({words}) OR NOT regexp_matches(id, '[^[:punct:][:space:]]')
           OR regexp_full_match(id, '[0-9][.,][0-9]+[eE][+][0-9]+')
           OR (id = '0' AND NOT EXISTS (
               SELECT 1 FROM ids AS other WHERE other.side = ids.side AND other.id = '1'))
        ORDER BY events DESC, side, id
        """,  # noqa: S608 constants
    )
    found = query_row(
        con, "SELECT count(*) AS ids, coalesce(max(events), 0)::BIGINT AS events FROM found"
    )
    share = found["events"] / info.counts["rows_kept"]
    severity = grade(share, 0, 0.01)
    return Verdict("placeholder_ids", severity, {"ids": found["ids"], "share": share}, cases(con))


def dominant_ids(con: Connection, info: DatasetInfo) -> Verdict:
    """One user with 5 % of a log (an item with 25 %), and 20 times as much as the mean: hardly a
    person or a thing, rather many that bear one id. Warn for any, bad from half of the events.
    """
    users, items = info.counts["users"], info.counts["items"]
    least = {
        side: max(share, TIMES_FAIR / n) if n >= FEW else 2
        for side, share, n in (("user", USER_SHARE, users), ("item", ITEM_SHARE, items))
    }
    find_cases(
        con,
        f"""
        WITH ids AS ({_IDS})
        SELECT side, id, events, events / $rows AS share FROM ids
        WHERE share >= CASE side WHEN 'user' THEN $user ELSE $item END
        ORDER BY events DESC, side, id
        """,  # noqa: S608 a constant
        rows=float(info.counts["rows_kept"]),
        **least,
    )
    found = query_row(con, "SELECT count(*) AS ids, coalesce(max(share), 0.0) AS share FROM found")
    severity = "ok" if not found["ids"] else grade(found["share"], -1, 0, 0.5)
    return Verdict("dominant_ids", severity, found, cases(con))


def alike_ids(con: Connection, info: DatasetInfo) -> Verdict:
    """Ids that differ only in case, in blanks around, in what no one sees, in the form of their
    letters (é as one or as two characters) or in how a number is written (1, 01, 1.0, ９). They
    stay several. Note for any, warn from 1 % of the ids: they may be one.
    """
    plain = f"regexp_replace(lower(nfc_normalize(id)), '{UNSEEN}', '', 'g')"
    plain = f"trim(translate({plain}, '０１２３４５６７８９', '0123456789'))"
    number = rf"regexp_extract({plain}, '^0*([0-9]+)(\.0*)?$', 1)"
    find_cases(
        con,
        f"""
        WITH alike AS (
            SELECT side, id, events, coalesce(nullif({number}, ''), {plain}) AS meant
            FROM ({_IDS})
        )
        SELECT side, meant, string_agg(id, ' | ' ORDER BY events DESC, id) AS ids,
               count(*) AS forms, sum(events)::BIGINT AS events
        FROM alike GROUP BY side, meant HAVING forms > 1 ORDER BY events DESC, side, meant
        """,  # noqa: S608 constants
    )
    found = query_row(
        con,
        "SELECT coalesce(sum(forms), 0)::BIGINT AS ids, count(*) AS meant FROM found",
    )
    share = found["ids"] / (info.counts["users"] + info.counts["items"])
    return Verdict("alike_ids", grade(share, 0, 0.01), {**found, "share": share}, cases(con))


def ambiguous_dates(con: Connection, info: DatasetInfo) -> Verdict:
    """Dates in which day and month may be the other way round, since no day above 12 tells. Warn
    for any: the order of events, and so every split by time, hangs on it.
    """
    rival = info.meta.get("time_rival")
    doubtful = 0
    if rival and info.time_kind == "clock":
        question = "SELECT count(*) FILTER (day(timestamp) <> month(timestamp)) AS n FROM log"
        doubtful = int(query_row(con, question)["n"])
    evidence = pd.DataFrame({"read": [info.meta.get("time_format")], "rival": [rival]})
    return Verdict(
        "ambiguous_dates",
        "warn" if doubtful else "ok",
        {"doubtful": doubtful},
        evidence if doubtful else None,
    )


def side_match(con: Connection, info: DatasetInfo) -> Verdict:
    """Files about items and users that meet less than half of them: mostly the key is another
    column, or is written in another way. Warn for any, bad under a tenth.
    """
    matched = info.meta.get("matched") or {}
    rows = [
        {"file": file, "side": side, "share": share}
        for side in ("items", "users")
        for file, share in matched.get(side, {}).items()
    ]
    few = sorted((row for row in rows if row["share"] < 0.5), key=lambda row: row["share"])
    least = min((row["share"] for row in rows), default=1.0)
    severity = "ok" if not few else "bad" if least < 0.1 else "warn"
    evidence = pd.DataFrame(few) if few else None
    return Verdict("side_match", severity, {"files": len(few), "share": least}, evidence)
