"""All that is said of a log under a filter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.data.profile.behaviour import Behaviour, behaviour
from core.data.profile.coded import open_coded
from core.data.profile.columns import TableProfile, table_profile
from core.data.profile.figures import LogProfile, log_profile
from core.data.profile.filters import Filter
from core.data.store import DatasetInfo
from core.types import Progress, silent


@dataclass(frozen=True, eq=False)
class Profile:
    """All that is said of a log under a filter."""

    info: DatasetInfo
    filter: Filter
    figures: LogProfile
    behaviour: Behaviour
    tables: dict[str, TableProfile]  # of the events, and of the items and users if there are such

    @property
    def terms(self) -> list[str]:
        """The filter as it is written."""
        return self.filter.terms(self.info.time_kind)

    @property
    def sentence(self) -> str:
        """How much the filter leaves."""
        counts, left = self.info.counts, self.figures
        parts = (
            (left.events, counts["rows_kept"], "events"),
            (left.users, counts["users"], "users"),
            (left.items, counts["items"], "items"),
        )
        of = ", ".join(f"{n:,} of {total:,} {what}" for n, total, what in parts)
        return f"{', '.join(self.terms) or 'no filter'}: {of}"

    def to_json(self) -> dict[str, Any]:
        """As `recscope profile --json` says it."""
        tables = {
            name: {
                "rows": table.rows,
                "of": table.of,
                "columns": [column.to_json() for column in table.columns],
            }
            for name, table in self.tables.items()
        }
        return {
            "filter": self.terms,
            **self.figures.to_json(),
            "behaviour": self.behaviour.to_json(),
            "tables": tables,
        }


def profile(info: DatasetInfo, terms: Sequence[str] = (), progress: Progress = silent) -> Profile:
    """What is said of this version under a filter.

    Args:
        info: The version.
        terms: Of the filter, see core.data.profile.filters; everything without any.
        progress: Told how far it is.

    Raises:
        BadInput: a term that cannot be read, or is of nothing that the log has.
    """
    coded = open_coded(info, progress)
    wanted = coded.parse(terms)
    figures = log_profile(coded, wanted)
    there = [name for name in ("events", "items", "users") if info.path(name)]
    return Profile(
        info,
        wanted,
        figures,
        behaviour(coded, wanted, figures.events),
        {name: table_profile(coded, wanted, name, figures.left) for name in there},
    )
