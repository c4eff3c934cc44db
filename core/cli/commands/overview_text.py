"""What is said of a run over many people, as they read it in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.cli.terminal import table
from core.pipeline import RunOverview
from core.pipeline.explanations.as_json import NamedItem
from core.pipeline.explanations.cohorts import People
from core.pipeline.labels import with_id
from core.runs.faithfulness import MAIN, RunFaithfulness

SHOWN = 10  # rows of a table
DIRECTIONS = {
    "rises": "surely rises",
    "falls": "surely falls",
    "unsure": "neither surely rises nor falls",
    "few": "too few people to tell",
}


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
    paragraphs += [_dependences(survey), _cases(survey), *_cohorts(survey)]
    return "\n\n".join(filter(None, paragraphs))


def _dependences(survey: RunOverview) -> str:
    """Whether values surely rise or fall with what is known of the events."""
    rows: list[Any] = [
        {
            "number": one.number,
            "rho": one.rho,
            "low": one.low,
            "high": one.high,
            "people": one.people,
            "so": DIRECTIONS[one.direction],
        }
        for one in survey.dependences
    ]
    head = (
        "value of an event against …, Spearman's rho within a person: the mean, and its 95 % "
        "interval over people (age is the place from the end of the history, 1 the latest event)"
    )
    columns = ("number", "rho", "low", "high", "people", "so")
    return f"{head}\n{table(rows, columns)}" if rows else ""


def _cases(survey: RunOverview) -> str:
    """Those that would fall furthest without what speaks for them."""
    falling = [case for case in survey.cases if case.rank_without_causes is not None]
    falling.sort(key=lambda case: case.rank - (case.rank_without_causes or 0))
    rows: list[Any] = [
        {
            "person": case.user,
            "recommended": with_id(case.item.label, case.item.item),
            "verdict": case.verdict,
            "place": case.rank,
            "without": case.rank_without_causes,
            "strongest cause": "" if case.cause is None else _called(case.cause),
            "share": case.share,
        }
        for case in falling[:SHOWN]
    ]
    columns = ("person", "recommended", "verdict", "place", "without", "strongest cause", "share")
    head = f"of {len(survey.cases)} cases, those that fall furthest without their causes"
    return f"{head}\n{table(rows, columns)}" if rows else ""


def _called(item: NamedItem) -> str:
    return item.label if item.item is None else with_id(item.label, item.item)


def _cohorts(survey: RunOverview) -> Iterator[str]:
    """What the run is worth to groups of these people, if it was evaluated."""
    rows: list[Any] = []
    for cohort in survey.cohorts:
        name = f"{cohort.cohort.by} {'> ' if cohort.cohort.above else ''}{cohort.cohort.value}"
        for one in cohort.metrics:
            sides = (("yes", one.inside, one.all_inside), ("no", one.outside, one.all_outside))
            rows += [
                {"cohort": name, "in it": side, "metric": one.metric}
                | {"these people": _people(own), "all evaluated": _people(every)}
                for side, own, every in sides
            ]
    if rows:
        columns = ("cohort", "in it", "metric", "these people", "all evaluated")
        yield f"what the run is worth to them\n{table(rows, columns)}"


def _people(group: People) -> str:
    """Such as "0.123 [0.045, 0.201] of 23"; without an interval where there is none."""
    if group.figure is None:
        return "nobody"
    own = group.figure
    ends = "" if own.low is None else f" [{own.low:.3f}, {own.high:.3f}]"
    return f"{own.mean:.3f}{ends} of {group.people}"


def faithfulness_text(measured: RunFaithfulness) -> str:
    """Each order's figures, and how far that by values is ahead of the others."""
    head = (
        f"the best item of {measured.people} people with {measured.events:.0f} events each on "
        f"average (seed {measured.seed}); mean ± standard error"
    )
    names = {name: f"{name} {'↑' if measured.more_is_better[name] else '↓'}" for name in MAIN}
    means = [
        {"order": order, **{names[m]: _plus_minus(own[m]) for m in MAIN}}
        for order, own in measured.means.items()
    ]
    ahead = [
        {"values ahead of": order, **{m: _plus_minus(own[m], signed=True) for m in MAIN}}
        for order, own in measured.ahead.items()
    ]
    paragraphs = [measured.sentence] if measured.older else []
    paragraphs += [
        f"{head}\n{table(means, ('order', *names.values()))}",
        f"person by person, more is better; ✓ by more than two standard errors, ✗ behind by so "
        f"much\n{table(ahead, ('values ahead of', *MAIN))}",
    ]
    return "\n\n".join(paragraphs)


def _plus_minus(figure: Any, *, signed: bool = False) -> str:
    if not signed:
        return f"{figure.mean:.3f} ± {figure.se:.3f}"
    sure = "✓" if figure.mean > 2 * figure.se else "✗" if figure.mean < -2 * figure.se else " "
    return f"{figure.mean:+.3f} ± {figure.se:.3f} {sure}".rstrip()
