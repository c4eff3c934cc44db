"""What is said of a run over many people, as they read it in a terminal."""

from __future__ import annotations

from typing import Any

from core.cli.terminal import table
from core.pipeline import RunOverview
from core.pipeline.labels import with_id
from core.runs.faithfulness import RunFaithfulness

SHOWN = 10  # rows of a table
MEASURES = ("POS@10", "NEG@10", "DEL", "INS")  # of many, that people read first


def overview_text(survey: RunOverview) -> str:
    """The tables, the strongest influences, and what matters least."""
    paragraphs = [
        f"{survey.model}, the first {survey.k} items of {survey.users} people (seed "
        f"{survey.seed}); {survey.base_share:.0%} of all lies in the base, which knows no history"
    ]
    for by, bars in survey.tables.items():
        rows = sorted((dict(vars(bar)) for bar in bars), key=lambda row: -row["share"])
        if by == "recency":  # in the order of places
            rows = [dict(vars(bar)) for bar in bars]
        columns = ("name", "share", "size", "se", "value", "users")
        paragraphs.append(f"by {by}\n{table(rows[:SHOWN], columns)}")
    drives: list[Any] = [
        {
            "because of": with_id(one.driver.label, one.driver.item),
            "recommended": with_id(one.item.label, one.item.item),
            "total": one.total,
            "people": one.users,
        }
        for one in survey.influences[:SHOWN]
    ]
    if drives:
        pair = ("because of", "recommended", "total", "people")
        paragraphs.append(f"what drives what\n{table(drives, pair)}")
    if survey.idle:
        idle = [one.to_json() for one in survey.idle[:SHOWN]]
        paragraphs.append(
            f"taken, but surely of little weight\n{table(idle, ('item', 'label', 'users', 'size'))}"
        )
    return "\n\n".join(paragraphs)


def faithfulness_text(measured: RunFaithfulness) -> str:
    """Each order's figures, and how far that by values is ahead of the others."""
    head = (
        f"the best item of {measured.people} people with {measured.events:.0f} events each on "
        f"average (seed {measured.seed}); mean ± standard error"
    )
    names = {name: f"{name} {'↑' if measured.more_is_better[name] else '↓'}" for name in MEASURES}
    means = [
        {"order": order, **{names[m]: _plus_minus(own[m]) for m in MEASURES}}
        for order, own in measured.means.items()
    ]
    ahead = [
        {"values ahead of": order, **{m: _plus_minus(own[m], signed=True) for m in MEASURES}}
        for order, own in measured.ahead.items()
    ]
    paragraphs = [measured.sentence] if measured.older else []
    paragraphs += [
        f"{head}\n{table(means, ('order', *names.values()))}",
        f"person by person, more is better; ✓ by more than two standard errors, ✗ behind by so "
        f"much\n{table(ahead, ('values ahead of', *MEASURES))}",
    ]
    return "\n\n".join(paragraphs)


def _plus_minus(figure: Any, *, signed: bool = False) -> str:
    if not signed:
        return f"{figure.mean:.3f} ± {figure.se:.3f}"
    sure = "✓" if figure.mean > 2 * figure.se else "✗" if figure.mean < -2 * figure.se else " "
    return f"{figure.mean:+.3f} ± {figure.se:.3f} {sure}".rstrip()
