"""A finding about a log: a key and numbers, which a page can say in any language, and its evidence.

Severities: "ok" (as it should be), "note" (worth knowing), "warn" (models will suffer somewhat, or
a choice is due), "bad" (models will mislead).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from core.data.log import Connection

SEVERITIES = ("ok", "note", "warn", "bad")
EVIDENCE_ROWS = 20  # at most, where the evidence is a list of cases

Numbers = dict[str, float]


@dataclass(frozen=True, eq=False)
class Verdict:
    """One finding about a log."""

    key: str
    severity: str
    numbers: Numbers
    evidence: pd.DataFrame | None = None
    cleaning: str | None = None  # the step that would mend it, as `clean.parse_steps` reads it

    def sentence(self) -> str:
        """The finding in English."""
        return SENTENCES[self.key].format(**self.numbers)


SENTENCES: Mapping[str, str] = {
    "size": "{events:,} events of {users:,} users with {items:,} items.",
    "rejected": "{rejected:,} of {read:,} rows ({share:.1%}) could not be used.",
    "missing": "{columns:,} columns have missing values, at worst {share:.1%} of a column.",
    "duplicates": "{duplicates:,} events ({share:.1%}) repeat another one exactly.",
    "repeats": "{repeats:,} events ({share:.1%}) are a user's return to an item.",
    "returns": "{returns:,} events ({share:.1%}) are returns; they are not learnt from.",
    "bots": "{bots:,} users act like programs and made {share:.1%} of the events.",
    "heavy_users": "The busiest user has {most:,} events; half of the users have {median:,.0f} "
    "or fewer, and the busiest 1% made {share:.1%} of all.",
    "future_times": "{future:,} events ({share:.1%}) are dated later than the upload.",
    "past_times": "{past:,} events ({share:.1%}) are dated before 1990, as a lost clock does.",
    "tied_times": "{tied:,} events ({share:.1%}) have the same user and time as another: their "
    "order is that of the file.",
    "sparsity": "{density:.3%} of all user-item pairs occur; a user has {per_user:.1f} items and "
    "an item {per_item:.1f} users on average.",
    "long_tail": "The most popular tenth of the items takes {head:.0%} of the events; {rare:.0%} "
    "of the items have fewer than 5.",
    "one_event_users": "{users:,} users ({share:.1%}) have a single event, so nothing of theirs "
    "can be held out.",
    "drift": "{new_items:.0%} of the last tenth's events are with items, and {new_users:.0%} by "
    "users, not seen before; {kept:.0%} of the first half's top 100 items stay there.",
    "alike_ids": "{ids:,} ids ({share:.1%}) differ from another only in case, "
    "blanks, unseen characters or the form of a number; they are taken as different.",
    "ambiguous_dates": "In {doubtful:,} events day and month could be the other way "
    "round, since no day above 12 tells.",
    "dominant_ids": "{ids:,} ids bear an implausible share of the log, one of the"
    "m {share:.1%}: many may stand behind one.",
    "placeholder_ids": "{ids:,} ids look like a word for nobody or nothing (unknown,"
    " guest, -1, 0); the busiest has {share:.1%} of the events.",
    "side_match": "{files:,} files about items or users meet fewer than half of"
    " them; the least meets {share:.0%}.",
    "attributes": "{share:.0%} of the items have attributes ({columns:,} columns).",
}


def grade(value: float, note: float, warn: float, bad: float = 2) -> str:
    """The severity of a share: above `note`, from `warn`, from `bad` (a share never reaches 2)."""
    if value >= bad:
        return "bad"
    if value >= warn and value > note:
        return "warn"
    return "note" if value > note else "ok"


def find_cases(con: Connection, question: str, **values: Any) -> None:
    """The cases that a question finds, as the table `found`; there may be millions."""
    con.execute("CREATE OR REPLACE TEMP TABLE found AS " + question, values)


def cases(con: Connection) -> pd.DataFrame:
    """The first of the cases in `found`."""
    frame: pd.DataFrame = con.table("found").limit(EVIDENCE_ROWS).df()
    return frame
