"""What people do in a dataset, as tables."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from core.cli.commands import profile_text
from core.data.profile.profile import Profile as Found


@dataclass(frozen=True, eq=False)
class Profile:
    """What `Dataset.profile` gives; `print` says it in sentences and tables."""

    found: Found

    @property
    def terms(self) -> list[str]:
        """The filter as it is written; [] if all events were looked at."""
        return self.found.terms

    @property
    def events(self) -> int:
        """How many events the filter leaves."""
        return self.found.figures.events

    @property
    def users(self) -> int:
        """Whose events these are."""
        return self.found.figures.users

    @property
    def items(self) -> int:
        """With how many items."""
        return self.found.figures.items

    @property
    def periods(self) -> pd.DataFrame:
        """period, events, chosen, cold_items, cold_users: when it happened; empty without times."""
        return self.found.figures.periods

    @property
    def facets(self) -> pd.DataFrame:
        """facet, value, events, chosen: kinds, platforms, categories and groups of people."""
        frames = [each.values.assign(facet=each.facet.term) for each in self.found.figures.facets]
        columns = ["facet", "value", "events", "chosen"]
        empty = pd.DataFrame(columns=columns)
        return pd.concat(frames, ignore_index=True)[columns] if frames else empty

    @property
    def together(self) -> pd.DataFrame:
        """item_id, label, other_id, other, n, lift: what is taken together more than by chance."""
        return self.found.behaviour.together

    def columns(self, table: str = "events") -> pd.DataFrame:
        """column, kind, missing, distinct, least, most, bars, top: a row per column of the
        "events", "items" or "users"; empty where there is no such table.
        """
        part = self.found.tables.get(table)
        rows = [column.to_json() for column in part.columns] if part else []
        return pd.DataFrame(rows)

    def __str__(self) -> str:
        return profile_text.as_text(self.found)

    def __repr__(self) -> str:
        return f"<recscope profile: {self.found.sentence}>"
