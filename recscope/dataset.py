"""A dataset: an immutable version of a log, with what is known of its items and users."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from core.data import queries
from core.data.profile.profile import profile
from core.data.quality.report import quality_report
from core.data.quality.verdict import SEVERITIES
from core.data.store import DatasetInfo
from recscope import html, requests
from recscope.profile import Profile


@dataclass(frozen=True)
class Dataset:
    """What `Workspace.ingest` and `Workspace.dataset` give; the same files give the same one.

    >>> data
    <recscope dataset movielens: 100,836 events, 610 users, 9,724 items>
    >>> data.mapping["value"]
    'rating'
    >>> data.evidence["user_id"]
    "'userId': by its name"
    """

    info: DatasetInfo

    @property
    def id(self) -> str:
        """12 hex digits, a hash of the content and of the options."""
        return self.info.id

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.info.name

    @property
    def counts(self) -> dict[str, int]:
        """rows_read, rows_kept, rows_rejected, users and items."""
        return {key: n for key, n in self.info.counts.items() if isinstance(n, int)}

    @property
    def mapping(self) -> dict[str, str | None]:
        """Which column is what: role → column, None where the log has none."""
        return self.info.mapping

    @property
    def evidence(self) -> dict[str, str]:
        """Why each column was taken for what it is, a sentence for each role."""
        return dict(self.info.meta["evidence"])

    def rejected(self) -> pd.DataFrame:
        """reason, rows: how many rows were left out, and why; no row if none was.

        Rows of the tables of items and users count here, though not in `counts`, which is of the
        log.
        """
        return queries.rejected_everywhere(self.info)

    def findings(self) -> pd.DataFrame:
        """What was found in the log, the gravest first: finding, severity, sentence.

        Severities: ok, note (worth knowing), warn (models suffer somewhat), bad (they mislead).

        >>> data.findings().loc[0, ["finding", "severity"]].tolist()
        ['tied_times', 'note']
        """
        found = sorted(quality_report(self.info), key=lambda one: -SEVERITIES.index(one.severity))
        rows = [(one.key, one.severity, one.sentence()) for one in found]
        return pd.DataFrame(rows, columns=["finding", "severity", "sentence"])

    def activity(self, periods: int = 60) -> pd.DataFrame:
        """period, events, users: what happened when, in at most so many periods.

        Empty for a log without times; periods in which nothing happened are absent.
        """
        return queries.activity(self.info, requests.whole("periods", periods))

    def long_tail(self) -> pd.DataFrame:
        """rank, events, share: items from the most popular down, and what they take together."""
        return queries.long_tail(self.info)

    def history(self, user: object) -> pd.DataFrame:
        """What this user did, the latest first: timestamp, item_id, label, and what else is known.

        Raises:
            NotFound: nobody of this id is in the log.

        >>> data.history(1).tail(1)[["item_id", "label"]].values.tolist()
        [[804, "She's the One (1996)"]]
        """
        return queries.user_history(self.info, user)

    def profile(self, *terms: str) -> Profile:
        """What people do in it, in the events that a filter leaves; in all without one.

        >>> war = data.profile("item.genres=War", "time=2015..")
        >>> war.events, war.users, war.items
        (1199, 145, 218)

        Args:
            *terms: The filter: "time=2018-01..2018-03", "event=NAME", "platform=NAME",
                "item.COLUMN=VALUE", "user.COLUMN=VALUE" for attributes, "history=5..19" for people
                with so many events. Several of a kind are alternatives.

        Raises:
            BadInput: a term that cannot be read, or is of nothing that the log has.
        """
        return Profile(profile(self.info, [requests.text("a filter", term) for term in terms]))

    def __repr__(self) -> str:
        counts = self.counts
        return (
            f"<recscope dataset {self.name}: {counts['rows_kept']:,} events, "
            f"{counts['users']:,} users, {counts['items']:,} items>"
        )

    def _repr_html_(self) -> str:
        counts = self.counts
        columns = [
            (role, column, self.evidence.get(role, ""))
            for role, column in self.mapping.items()
            if column
        ]
        left_out = self.rejected()
        reasons = [(row.reason, f"{row.rows:,}") for row in left_out.itertuples()]
        return html.panel(
            f"Dataset {self.name}",
            html.facts(
                {
                    "id": self.id,
                    "events": f"{counts['rows_kept']:,} of {counts['rows_read']:,} rows",
                    "users": f"{counts['users']:,}",
                    "items": f"{counts['items']:,}",
                }
            ),
            html.table(("role", "column", "why"), columns),
            html.table(("left out because of", "rows"), reasons) if reasons else "",
        )
