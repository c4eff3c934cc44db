"""What a report says, before it is put into words: values, in no language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.data.quality.verdict import SEVERITIES, Verdict
from core.data.queries import LogOverview
from core.data.store import DatasetInfo
from core.evaluate.comparison import Comparison
from core.pipeline.embedding_report import ClusterReport
from core.pipeline.explanations.as_json import ItemExplanation
from core.pipeline.named import HistoryEvent
from core.runs.artifact import Run
from core.runs.machines import Machines
from core.runs.metrics import RunMetrics
from core.runs.notes import RunNotes
from core.types import Array

GRAVE = ("bad", "warn")  # severities that a reader must know of


@dataclass(frozen=True)
class Step:
    """A point of a curve or a bar: where it stands, and how high."""

    at: str  # as people read it
    x: float  # along the axis
    value: float


@dataclass(frozen=True, eq=False)
class DataContents:
    """A dataset: what came in, what was left out, what was found."""

    info: DatasetInfo
    overview: LogOverview
    verdicts: tuple[Verdict, ...]  # the gravest first
    activity: tuple[Step, ...]  # events a period, of equal length; none in a log without times
    tail: tuple[Step, ...]  # share of all events (0 … 1) by share of the items, the popular first

    @property
    def grave(self) -> tuple[Verdict, ...]:
        """Those that a reader of any figure must know of."""
        return tuple(verdict for verdict in self.verdicts if verdict.severity in GRAVE)

    @property
    def noted(self) -> tuple[Verdict, ...]:
        """Those that are not as they should be, in any degree."""
        return tuple(verdict for verdict in self.verdicts if verdict.severity != SEVERITIES[0])


@dataclass(frozen=True, eq=False)
class EvaluatedRun:
    """A run, and what it was measured to be worth."""

    run: Run
    metrics: RunMetrics


@dataclass(frozen=True, eq=False)
class Leaderboard:
    """Evaluated runs, and how far they are apart."""

    runs: tuple[EvaluatedRun, ...]  # by falling `metric` where comparable, else as given
    comparable: bool  # whether they were asked the same questions
    k: int  # length of the lists that the first table is about
    metric: str  # that they are ordered by, such as "ndcg@10"
    baseline: EvaluatedRun | None  # that the others are held against
    differences: tuple[Comparison, ...]  # to the baseline, p corrected for all of them
    left_out: tuple[str, ...]  # metrics that say nothing of this log
    runner_up: Comparison | None  # the first against the second, where neither is the baseline

    @property
    def best(self) -> EvaluatedRun | None:
        """The run with the highest mean; None where the runs were not asked the same."""
        return self.runs[0] if self.comparable and self.runs else None


@dataclass(frozen=True, eq=False)
class Person:
    """Somebody of the log: the end of their history, and why they would get what."""

    user: object  # id
    events: int
    latest: tuple[HistoryEvent, ...]  # of the history, oldest first
    explanations: tuple[ItemExplanation, ...]  # of the list that `recscope explain -k` has
    names: Mapping[int, str]  # of all items that the reasons speak of, by code
    known_list: bool  # whether the model gives a stranger with this history the same list


@dataclass(frozen=True, eq=False)
class PeopleContents:
    """Some people, as examples of what one run would recommend."""

    run: Run
    of: int  # people in the log
    seed: int | None  # by which they were drawn; None where they were named
    people: tuple[Person, ...]


@dataclass(frozen=True, eq=False)
class MapContents:
    """The items of one run as points, and how far that picture can be believed."""

    run: Run
    points: Array  # (N, 2), both axes in 0 … 1, one scale
    clusters: Array  # (N,) of each point, 0 the largest
    reports: Sequence[ClusterReport]
    trustworthiness: float | None
    recall: float | None  # of the `k` nearest in truth, the share that is so on the map
    k: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Report:
    """All that a report says; `core.report.html.render` puts it into words."""

    created: str  # ISO 8601, UTC
    version: str  # of Recscope and its code
    runs: tuple[Run, ...]  # as they were named
    notes: tuple[RunNotes, ...]  # what a person wrote on each of them
    data: DataContents
    leaderboard: Leaderboard
    people: PeopleContents
    item_map: MapContents | None
    no_map: str  # why there is none: "" | "vectors" | "large"
    machines: Machines

    @property
    def notes_shown(self) -> list[tuple[Run, RunNotes]]:
        """The runs that somebody wrote on, and what."""
        pairs = zip(self.runs, self.notes, strict=True)
        return [(run, notes) for run, notes in pairs if notes != RunNotes()]
