"""What is said of a log under a filter, as text."""

from __future__ import annotations

from typing import Any

from core.cli.terminal import table
from core.data.profile.columns import ColumnProfile
from core.data.profile.profile import Profile


def as_text(found: Profile) -> str:
    """Sentences and tables; values of the filter are marked by a star."""
    figures, how = found.figures, found.behaviour
    lines = [found.sentence, f"median of {figures.median_per_user:g} events per user"]
    for name, n in (("items", figures.cold_items), ("users", figures.cold_users)):
        if n is not None and figures.events:
            lines.append(f"{n / figures.events:.1%} of the events with {name} still new to models")
    drawn = f" (every {how.of}. user was looked at)" if how.of > 1 else ""
    lines.append(f"{how.repeats:.1%} of the events are a user's return to an item{drawn}")
    if how.visits:
        lines.append(
            f"{how.events_per_visit:.1f} events a visit, {how.visits_per_user:.1f} visits a user"
        )
    blocks = ["\n".join(lines)]
    for each in figures.facets:
        rows = [
            {each.facet.term: f"* {value}" if chosen else value, "events": n}
            for value, n, chosen in each.values.itertuples(index=False)
        ]
        blocks.append(table(rows, (each.facet.term, "events")))
    if len(how.together):
        names = ("label", "other", "n", "lift")
        pairs = how.together[list(names)].itertuples(index=False)
        blocks.append(table([dict(zip(names, pair, strict=True)) for pair in pairs], names))
    for name, part in found.tables.items():
        rows = [_column_row(column) for column in part.columns]
        columns = ("column", "kind", "missing", "distinct", "least", "most", "most frequent")
        blocks.append(f"{name}\n{table(rows, columns)}")
    return "\n\n".join(blocks)


def _column_row(column: ColumnProfile) -> dict[str, Any]:
    frequent = ", ".join(f"{value[:30]} {n}" for value, n in column.top[:3])
    return {
        **{"column": column.column, "kind": column.kind, "missing": f"{column.missing:.1%}"},
        **{"distinct": column.distinct, "least": column.least, "most": column.most},
        "most frequent": frequent or None,
    }
