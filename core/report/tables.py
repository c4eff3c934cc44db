"""The tables of a report, and the rows of its charts, as text that is ready to be shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from core.data.store import DatasetInfo
from core.pipeline.explanations.as_json import ItemExplanation, PlayerValue
from core.report import charts
from core.report.charts import Rows, Value
from core.report.contents import EvaluatedRun, Leaderboard, Report, Step
from core.report.sentences import ends_signed
from core.report.words import Words, day, decimals, ends, figure
from core.runs.artifact import Run
from core.runs.shortcuts import Margin
from core.types import Interval

SHOWN = ("ndcg", "recall", "hit_rate", "mrr", "coverage", "popularity_bias")  # in the first table
NEITHER = ("coverage", "popularity_bias", "novelty", "diversity", "gini", "calibration")
BESIDE = 4  # runs in one table of all figures: what a printed page holds
HEAD = 0.1  # of the items
NOTABLE = 0.01  # of the weightiest event: what weighs less is drawn with the others
EVENTS = 8  # of a history that are drawn, the weightiest; the others together


@dataclass(frozen=True)
class Cell:
    """A number, and what stands below it: its interval, its p."""

    mean: str
    below: tuple[str, ...] = ()
    best: bool = False


NOTHING = Cell("–")
Body = list[tuple[Markup, list[Cell]]]  # what each row is of, and its cells


def metrics_shown(board: Leaderboard) -> list[str]:
    """Those of the first table that some run has, with their k."""
    names = (f"{name}@{board.k}" for name in SHOWN)
    return [name for name in names if any(name in run.metrics.metrics for run in board.runs)]


def metric_names(t: Words, board: Leaderboard) -> list[Markup]:
    """The heads of the first table."""
    return [t.metric(metric) for metric in metrics_shown(board)]


def leaderboard_rows(t: Words, board: Leaderboard) -> Body:
    """A row a run."""
    return [
        (t.run(each.run), [_cell(board, each, metric) for metric in metrics_shown(board)])
        for each in board.runs
    ]


def _cell(board: Leaderboard, each: EvaluatedRun, metric: str) -> Cell:
    """A run's mean with its interval, marked where no other run's is higher."""
    own = each.metrics.metrics.get(metric)
    if own is None:
        return NOTHING
    means = [r.metrics.metrics[metric].mean for r in board.runs if metric in r.metrics.metrics]
    ranked = board.comparable and len(means) > 1 and metric.partition("@")[0] not in NEITHER
    return _figure_cell(own, best=ranked and own.mean == max(means))


def _figure_cell(own: Interval | None, *, best: bool = False) -> Cell:
    if own is None:
        return NOTHING
    interval = ends(own)
    return Cell(figure(own.mean), (interval,) if interval else (), best)


def all_figures(t: Words, board: Leaderboard) -> Iterator[tuple[list[Markup], Body]]:
    """A few runs at a time, and a row for each metric that they have."""
    for first in range(0, len(board.runs), BESIDE):
        runs = board.runs[first : first + BESIDE]
        metrics = dict.fromkeys(name for each in runs for name in each.metrics.metrics)
        rows = [
            (t.metric(name), [_figure_cell(each.metrics.metrics.get(name)) for each in runs])
            for name in metrics
        ]
        yield [t.run(each.run) for each in runs], rows


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


def difference_names(t: Words, board: Leaderboard) -> list[Markup]:
    """The metrics that the runs are compared in."""
    return [t.metric(name) for name in dict.fromkeys(row.metric for row in board.differences)]


def difference_rows(t: Words, report: Report) -> Body:
    """A row a run: the difference in each metric, its interval, its p."""
    names = {run.id: t.run(run) for run in report.runs}
    rows: dict[str, list[Cell]] = {}
    for row in report.leaderboard.differences:
        cell = Cell(f"{row.difference:+.4f}", (ends_signed(row), f"p = {row.p_holm:.4f}"))
        rows.setdefault(row.run, []).append(cell)
    return [(names[run], cells) for run, cells in rows.items()]


def shortcut_rows(t: Words, board: Leaderboard) -> tuple[Markup, list[Markup], Body]:
    """The metric, the rules, and a row a run: how far it is ahead of each rule in that metric."""
    measured = [(each.run, own) for each in board.runs if (own := each.metrics.shortcuts)]
    rules = list(dict.fromkeys(r.name for _, own in measured for r in own.shortcuts if r.margins))
    firsts = [rule.margins[0] for _, own in measured for rule in own.shortcuts if rule.margins]
    rows = []
    for run, own in measured:
        margins = {rule.name: rule.margins[0] for rule in own.shortcuts if rule.margins}
        rows.append((t.run(run), [_margin_cell(margins.get(rule)) for rule in rules]))
    return t.metric(firsts[0].metric), [t.rule(rule) for rule in rules], rows


def _margin_cell(margin: Margin | None) -> Cell:
    if margin is None:
        return NOTHING
    error = () if margin.se is None else (f"± {margin.se:.4f}",)
    interval = f"[{margin.low:+.4f}, {margin.high:+.4f}]"
    return Cell(f"{margin.difference:+.4f}", (*error, interval, f"p = {margin.p_holm:.4f}"))


def reason_values(t: Words, explanation: ItemExplanation) -> list[Value]:
    """What the weightiest events add to the score, the others together, ± two standard errors."""
    by_size = sorted(explanation.players, key=lambda player: -abs(player.value))
    least = NOTABLE * max((abs(player.value) for player in by_size), default=0.0)
    drawn = [player for player in by_size[:EVENTS] if player.value and abs(player.value) >= least]
    rest = by_size[len(drawn) :]
    times = Counter(player.player.label for player in drawn)
    values = [
        (_called(t, player, dated=times[player.player.label] > 1), player.value, player.se)
        for player in drawn
    ]
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


def _called(t: Words, player: PlayerValue, *, dated: bool) -> Markup:
    """An event by its item, and by its day where several are of one item."""
    event = player.player
    if event.count > 1:
        return t("report.people.oldest", n=event.count)
    name = t("explain.quoted", item=event.label)
    return name + f" {day(event.timestamp)}" if dated and event.timestamp is not None else name


def _written(value: float, error: float, places: int) -> str:
    return f"{round(value, places) or 0.0:+,.{places}f}" + (
        f" ± {error:,.{places}f}" if error else ""
    )


def _ends(value: float, error: float) -> tuple[float | None, float | None]:
    return (value - 2 * error, value + 2 * error) if error else (None, None)


def numbers(values: Sequence[float]) -> list[str]:
    """Scores, with as many places as show three digits of the greatest."""
    places = decimals(values)
    return [f"{round(value, places) or 0.0:,.{places}f}" for value in values]


def said(marks: Rows) -> str:
    """A chart as a line of text, for who cannot see it."""
    return "; ".join(f"{Markup(mark.name).unescape()} {mark.said}" for mark in marks.marks)


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
        "report.reproduce.params": params or "–",
        "report.reproduce.split": t.name_or(f"split.{config.split}", config.split),
        "report.reproduce.cut": config.cut,
        "report.reproduce.seed": str(config.seed),
        "report.reproduce.device": ", ".join(
            f"{name} {value}" if name in ("python", "torch") else str(value)
            for name, value in machine.items()
            if value is not None and name != "threads"
        ),
        "report.reproduce.seconds": t("unit.seconds", value=f"{run.seconds:.1f}"),
        "report.reproduce.code": str(run.meta["code_version"]),
    }
    return [(t(key), value) for key, value in told.items() if value]
