"""The tables of a report, and the rows of its charts, as text that is ready to be shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from core.data.store import DatasetInfo
from core.pipeline.explanations.as_json import ItemExplanation, PlayerValue
from core.report import charts
from core.report.charts import Rows, Value
from core.report.contents import EvaluatedRun, Leaderboard, Report, Step
from core.report.sentences import ends_signed
from core.report.words import Words, decimals, ends, figure
from core.runs.artifact import Run
from core.types import Interval

SHOWN = ("ndcg", "recall", "hit_rate", "mrr", "coverage", "popularity_bias")  # in the first table
NEITHER = ("coverage", "popularity_bias", "novelty", "diversity", "gini", "calibration")
BESIDE = 4  # runs in one table of all figures: what a printed page holds
HEAD = 0.1  # of the items
EVENTS = 8  # of a history that are drawn, the weightiest; the others together


@dataclass(frozen=True)
class Cell:
    """A mean and its interval."""

    mean: str
    interval: str
    best: bool = False


NOTHING = Cell("–", "")


def metrics_shown(board: Leaderboard) -> list[str]:
    """Those of the first table that some run has, with their k."""
    names = (f"{name}@{board.k}" for name in SHOWN)
    return [name for name in names if any(name in run.metrics.metrics for run in board.runs)]


def leaderboard_cells(board: Leaderboard, each: EvaluatedRun) -> list[Cell]:
    """A run's row of the first table."""
    return [_cell(board, each, metric) for metric in metrics_shown(board)]


def _cell(board: Leaderboard, each: EvaluatedRun, metric: str) -> Cell:
    own = each.metrics.metrics.get(metric)
    if own is None:
        return NOTHING
    means = [r.metrics.metrics[metric].mean for r in board.runs if metric in r.metrics.metrics]
    ranked = board.comparable and len(means) > 1 and metric.partition("@")[0] not in NEITHER
    return Cell(figure(own.mean), ends(own), ranked and own.mean == max(means))


def all_figures(board: Leaderboard) -> Iterator[tuple[tuple[EvaluatedRun, ...], list[str]]]:
    """A few runs at a time, and the metrics that they have."""
    for first in range(0, len(board.runs), BESIDE):
        runs = board.runs[first : first + BESIDE]
        yield runs, list(dict.fromkeys(name for run in runs for name in run.metrics.metrics))


def plain_cell(each: EvaluatedRun, metric: str) -> Cell:
    """A run's figure without a mark."""
    own: Interval | None = each.metrics.metrics.get(metric)
    return NOTHING if own is None else Cell(figure(own.mean), ends(own))


def leaderboard_chart(t: Words, board: Leaderboard) -> Rows:
    """A point and an interval for each run that has the metric."""
    return charts.rows(
        [
            Value(t.run(each.run), figure(own.mean), own.mean, own.low, own.high)
            for each in board.runs
            if (own := each.metrics.metrics.get(board.metric))
        ]
    )


def difference_chart(t: Words, report: Report) -> Rows:
    """How far each run is from the baseline, in the metric that the runs are ordered by."""
    names = {run.id: t.run(run) for run in report.runs}
    return charts.rows(
        [
            Value(names[row.run], f"{row.difference:+.4f}", row.difference, row.low, row.high)
            for row in report.leaderboard.differences
            if row.metric == report.leaderboard.metric
        ],
        zero=True,
    )


def difference_rows(t: Words, report: Report) -> list[tuple[str, ...]]:
    """Run, metric, difference, interval, p."""
    names = {run.id: t.run(run) for run in report.runs}
    return [
        (
            names[row.run],
            t.metric(row.metric),
            f"{row.difference:+.4f}",
            ends_signed(row),
            f"{row.p_holm:.4f}",
        )
        for row in report.leaderboard.differences
    ]


def shortcut_rows(t: Words, board: Leaderboard) -> list[tuple[str, ...]]:
    """Run, rule, metric, what the rule and the run reach, difference, its error, interval, p."""
    return [
        (
            t.run(each.run),
            t.rule(rule.name),
            t.metric(margin.metric),
            figure(margin.reached),
            figure(margin.run),
            f"{margin.difference:+.4f}",
            "–" if margin.se is None else figure(margin.se),
            f"[{margin.low:+.4f}, {margin.high:+.4f}]",
            f"{margin.p_holm:.4f}",
        )
        for each in board.runs
        if each.metrics.shortcuts
        for rule in each.metrics.shortcuts.shortcuts
        for margin in rule.margins
    ]


def reason_values(t: Words, explanation: ItemExplanation) -> list[Value]:
    """What the weightiest events add to the score, the others together, ± two standard errors."""
    by_size = sorted(explanation.players, key=lambda player: -abs(player.value))
    drawn = [player for player in by_size[:EVENTS] if player.value]
    rest = by_size[len(drawn) :]
    values = [(_called(t, player), player.value, player.se) for player in drawn]
    if rest:
        n = sum(player.player.count for player in rest)
        total = float(sum(player.value for player in rest))
        error = float(sum(player.se**2 for player in rest) ** 0.5)
        values.append((t("report.people.rest", n=n), total, error))
    places = decimals(value for _, value, _ in values)
    return [
        Value(name, _written(value, error, places), value, *_ends(value, error))
        for name, value, error in values
    ]


def _called(t: Words, player: PlayerValue) -> Markup:
    event = player.player
    if event.count > 1:
        return t("report.people.oldest", n=event.count)
    return t("explain.quoted", item=event.label)


def _written(value: float, error: float, places: int) -> str:
    return f"{value:+,.{places}f}" + (f" ± {error:,.{places}f}" if error else "")


def _ends(value: float, error: float) -> tuple[float | None, float | None]:
    return (value - 2 * error, value + 2 * error) if error else (None, None)


def number(value: float) -> str:
    """A score with three digits."""
    return f"{value:,.{decimals([value])}f}"


def said(marks: Rows) -> str:
    """A chart as a line of text, for who cannot see it."""
    return "; ".join(f"{Markup(mark.name).unescape()} {mark.said}" for mark in marks.marks)


def columns(mapping: dict[str, str | None]) -> Sequence[tuple[str, str]]:
    """Role → column, of those that the log has."""
    return [(role, column) for role, column in mapping.items() if column]


def head_share(steps: Sequence[Step]) -> float:
    """The share of all events that a tenth of the items takes, the popular ones first."""
    return max((step.value for step in steps if step.x <= HEAD), default=steps[0].value)


def tail_rows(steps: Sequence[Step]) -> list[tuple[str, str]]:
    """The curve at each tenth of the items."""
    tenths = (
        (n / 10, max((s for s in steps if s.x <= n / 10), default=steps[0], key=_x))
        for n in range(1, 11)
    )
    return [(f"{share:.0%}", f"{step.value:.1%}") for share, step in tenths]


def _x(step: Step) -> float:
    return step.x


def rejected_rows(t: Words, info: DatasetInfo) -> list[tuple[str, str, str]]:
    """Why rows were left out, how many, and their share of all that were read; most first."""
    counts = info.counts
    read = max(1, counts["rows_read"])
    return [
        (t.name_or(f"reason.{reason}".replace(":", "."), reason), f"{n:,}", f"{n / read:.2%}")
        for reason, n in sorted(counts["rejected"].items(), key=lambda entry: -entry[1])
        if n
    ]


def named_values(values: Sequence[Value]) -> list[tuple[str, str]]:
    """The rows of a chart as a table."""
    return [(value.name, value.said) for value in values]


def settings_rows(t: Words, run: Run) -> list[tuple[str, str]]:
    """What a run was trained with, and on what."""
    config, machine = run.config, run.meta["machine"]
    params = ", ".join(f"{name}={value}" for name, value in config.params.items())
    told = {
        "model": t.model(run),
        "reproduce.params": params or "–",
        "reproduce.split": t.name_or(f"split.{config.split}", config.split),
        "reproduce.cut": config.cut,
        "reproduce.seed": str(config.seed),
        "reproduce.device": ", ".join(
            f"{name} {value}" if name in ("python", "torch") else str(value)
            for name, value in machine.items()
            if value is not None and name != "threads"
        ),
        "reproduce.seconds": t("unit.seconds", value=f"{run.seconds:.1f}"),
        "reproduce.code": str(run.meta["code_version"]),
    }
    return [(t(f"report.{name}"), value) for name, value in told.items() if value]
