"""An evaluation → how far the run is ahead of simple rules, which are asked once for a split."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from core.data.info import DatasetInfo
from core.data.store import Workspace
from core.errors import CoreError
from core.evaluate import Evaluation, compare
from core.evaluate.metrics import Places, Values
from core.evaluate.registry import OfTopK, metrics_of
from core.evaluate.shortcuts import NAMES, Reached, last_period, reached_by_shortcuts
from core.pipeline.training import learnt_part
from core.runs.checkpoints import read_arrays, write_arrays
from core.runs.identity import digest, files
from core.runs.shortcuts import Margin, Period, RunShortcuts, Shortcut
from core.types import Array, Ints, Progress, Recommender, Split

FOLDER = "shortcuts"  # of the dataset's: it goes with it
METRICS = ("ndcg", "recall")  # the first says which is better
USUAL_K = 10
_DECIDE = ("evaluate", "models/common", "models/popularity.py", "models/transitions.py")


def run_shortcuts(
    workspace: Workspace,
    info: DatasetInfo,
    evaluation: Evaluation,
    split: Split,
    model: Recommender,
    on_stage: Progress,
) -> RunShortcuts:
    """The run beside each rule of core.evaluate.shortcuts, person by person.

    What the rules reach hangs on the dataset, the split and what was learnt from alone, so it is
    kept beside the dataset and asked once.

    Args:
        workspace: Where.
        info: The dataset.
        evaluation: The run's, of the split's test part.
        split: The run's.
        model: The run's, which says whether it learnt from validation events too.
        on_stage: Told "shortcuts" and the share done.
    """
    on_stage(FOLDER, None)
    log, hide_seen = learnt_part(split, model), evaluation.hide_seen
    # Of one split a log of one length is one log: all but the test's, or without validation's too.
    about = [split.fingerprint, len(log), hide_seen, digest(files(_DECIDE))]
    key = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]
    path = info.folder / FOLDER / f"{key}.safetensors"
    reached = _read(path)
    if reached is None:
        assert split.test is not None, "it was evaluated"
        reached = reached_by_shortcuts(log, split.test, hide_seen=hide_seen, on_progress=on_stage)
        with suppress(CoreError):  # a full disk, or a dataset that may only be read
            _write(workspace, path, reached)
    k = USUAL_K if USUAL_K in evaluation.ks else evaluation.ks[-1]
    period = last_period(log)
    margins = margins_over(reached, evaluation, [f"{metric}@{k}" for metric in METRICS])
    return RunShortcuts(
        people=len(next(iter(reached.values())).queries),
        of=evaluation.users,
        events=len(log),
        period=Period(period.kind, int(period.events.sum()), period.first, period.last),
        shortcuts=tuple(Shortcut(name, margins.get(name, ())) for name in NAMES),
    )


def margins_over(
    reached: Mapping[str, Reached], evaluation: Evaluation, metrics: Sequence[str]
) -> dict[str, tuple[Margin, ...]]:
    """The run's margins over each rule, on the people that the rules were asked about."""
    rows = _rows_of(evaluation, reached)
    values = {name: _values(rule.places, metrics) for name, rule in reached.items()}
    run = ""  # a name that no rule has
    values[run] = {metric: evaluation.per_user[metric][rows] for metric in metrics}
    margins: dict[str, list[Margin]] = {}
    for row in compare(values, run, metrics=metrics):  # rule - run: turned round below
        apart = values[run][row.metric] - values[row.run][row.metric]
        people = len(apart)
        margins.setdefault(row.run, []).append(
            Margin(
                metric=row.metric,
                reached=row.mean,
                run=row.baseline_mean,
                difference=0.0 - row.difference,
                se=float(apart.std(ddof=1) / np.sqrt(people)) if people > 1 else None,
                low=0.0 - row.high,
                high=0.0 - row.low,
                p=row.p,
                p_holm=row.p_holm,
            )
        )
    return {name: tuple(own) for name, own in margins.items()}


def _rows_of(evaluation: Evaluation, reached: Mapping[str, Reached]) -> Ints:
    """Where the rules' people stand in the evaluation, (B,); they were asked for the same items."""
    run = evaluation.ranking
    (asked, *others) = reached.values()
    rows = np.searchsorted(run.queries, asked.queries).clip(max=len(run.queries) - 1)
    same = all(_questions(other) == _questions(asked) for other in others)
    starts, sizes = run.places.offsets[rows], run.places.n_targets[rows]
    take = np.repeat(starts - np.r_[0, np.cumsum(sizes)[:-1]], sizes) + np.arange(sizes.sum())
    places = Places(run.places.places[take], np.r_[0, np.cumsum(sizes)], asked.places.candidates)
    run_asked = Reached(run.queries[rows], run.targets[take], places)
    same = same and _questions(run_asked) == _questions(asked)
    assert same, "the rules and the run were not asked the same"
    return rows


def _questions(asked: Reached) -> bytes:
    """Which items each query was asked for, whatever the order in which they were ranked."""
    owner = np.repeat(asked.queries, asked.places.n_targets)
    order = np.lexsort((asked.targets, owner))
    return np.stack([owner[order], asked.targets[order]]).tobytes()


def _values(places: Places, metrics: Sequence[str]) -> dict[str, Values]:
    by_name = metrics_of(OfTopK)
    cut = {metric: metric.split("@") for metric in metrics}
    return {metric: by_name[name].measure(places, int(k)) for metric, (name, k) in cut.items()}


def _read(path: Path) -> dict[str, Reached] | None:
    arrays = read_arrays(path)
    if arrays is None:
        return None
    names = [name for name in NAMES if f"{name}.places" in arrays]
    return {
        name: Reached(
            arrays[f"{name}.queries"],
            arrays[f"{name}.targets"],
            Places(*(arrays[f"{name}.{part}"] for part in ("places", "offsets", "candidates"))),
        )
        for name in names
    }


def _write(workspace: Workspace, path: Path, reached: dict[str, Reached]) -> None:
    arrays: dict[str, Array] = {}
    for name, rule in reached.items():
        places = rule.places
        arrays |= {f"{name}.queries": rule.queries, f"{name}.targets": rule.targets}
        arrays |= {f"{name}.places": places.places, f"{name}.offsets": places.offsets}
        arrays[f"{name}.candidates"] = places.candidates
    write_arrays(workspace, path, arrays)
