"""What the page Explain asks a run about one history, or about many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core import pipeline
from core.data.store import Workspace
from core.explain import Explanation, refine, what_if
from core.explain import groups as grouping
from core.explain.counterfactual import Counterfactual
from core.explain.counterfactual import counterfactual as find_counterfactual
from core.explain.groups import explain_groups, group_labels
from core.explain.interactions import Interaction
from core.explain.item_rank import ItemRanks
from core.explain.parts import ItemPartValues, explain_parts, readable_parts
from core.explain.reasons import Reasons
from core.explain.survey.agreement import PEOPLE, Agreement, agreement
from core.explain.survey.overview import Overview, overview
from core.explain.what_if import Move
from core.pipeline.described import embeddings_left_out
from core.pipeline.explanations.as_json import item_interactions, item_reasons
from core.pipeline.explanations.cohorts import CohortMetrics, cohort_metrics
from core.pipeline.explanations.cohorts import why_no_metrics as reasons_for_none
from core.pipeline.explanations.evidence import Evidence, LearntLog
from core.pipeline.explanations.origin import ReasonOrigins, reason_origins
from core.pipeline.explanations.sentences import unseen as clauses_of_unseen
from core.pipeline.labels import Labels
from core.runs.artifact import Run
from core.runs.faithfulness import RunFaithfulness
from core.types import Array, Ints, Progress, Queries
from dashboard.background import Background
from dashboard.cache.keeping import (
    MEDIUM,
    RUNS,
    SMALL,
    cached_background,
    cached_copy,
    cached_shared,
)
from dashboard.cache.runs import loaded


@dataclass(frozen=True, eq=False)
class GroupValues:
    """What G groups of a history's events add to a score."""

    names: tuple[str, ...]  # (G,)
    counts: Ints  # (G,) events
    values: Array  # (G,)


@cached_copy(SMALL)
def rank(workspace: Workspace, run: Run, query: Queries, item: int) -> int:
    """The place of this item, from 1, among itself and all that the history does not have."""
    loaded_run = loaded(workspace, run)
    ranks = ItemRanks(loaded_run.model, query, item, len(loaded_run.items))
    return int(ranks(np.ones((1, len(query.items)), bool)).ranks[0])


@cached_background(SMALL)
def refining(
    workspace: Workspace, run: Run, query: Queries, items: tuple[int, ...], against: int | None
) -> Background[Explanation]:
    """Why these items, for this history, under way; with `against` why rather than that one."""
    loaded_run = loaded(workspace, run)
    codes = np.array(items, np.int64)
    steps = refine(loaded_run.model, query, codes, n_items=len(loaded_run.items), against=against)
    return Background(lambda report: next(steps, None), final=lambda explanation: explanation.exact)


def reasons(
    workspace: Workspace, run: Run, query: Queries, explanation: Explanation, column: int, k: int
) -> Reasons:
    """What may be said of the item in this column of the explanation; asked anew for each."""
    return item_reasons(loaded(workspace, run), query, explanation, column, k=k)


@cached_copy(SMALL)
def interactions(
    workspace: Workspace, run: Run, query: Queries, item: int, _explanation: Explanation
) -> tuple[Interaction, ...]:
    """Which two events matter together for this item; the explanation follows from the rest."""
    column = int(np.flatnonzero(_explanation.items == item)[0])
    return item_interactions(loaded(workspace, run), query, _explanation, column)


@cached_copy(SMALL)
def counterfactual(
    workspace: Workspace, run: Run, query: Queries, item: int, k: int, _order: Array
) -> Counterfactual:
    """What would take the item out of the first k; `_order` follows from the rest."""
    loaded_run = loaded(workspace, run)
    return find_counterfactual(
        loaded_run.model, query, item, n_items=len(loaded_run.items), k=k, order=_order
    )


@cached_background(SMALL)
def why_not(
    workspace: Workspace, run: Run, query: Queries, item: str, k: int
) -> Background[pipeline.ItemWhyNot]:
    """What would bring an item (an id) into the first k, under way."""
    loaded_run = loaded(workspace, run)

    def ask(on_stage: Progress) -> pipeline.ItemWhyNot:
        return pipeline.why_not(loaded_run, query, item, k=k, on_stage=on_stage)

    return Background(ask)


@cached_copy(SMALL)
def moves(
    workspace: Workspace,
    run: Run,
    query: Queries,
    k: int,
    drop: tuple[int, ...],
    add: tuple[int, ...],
    order: tuple[int, ...] | None,
) -> tuple[Move, ...]:
    """Where items go in the list once the history is edited so; see core.explain.what_if."""
    loaded_run = loaded(workspace, run)
    after = what_if.edit_history(query, drop=drop, add=add, order=order)
    return what_if.rank_moves(loaded_run.model, query, after, n_items=len(loaded_run.items), k=k)


@cached_copy(SMALL)
def parts(workspace: Workspace, run: Run, query: Queries, item: int) -> ItemPartValues | None:
    """Why this item, by what it is made of; None where the model knows items as wholes."""
    loaded_run = loaded(workspace, run)
    features = loaded_run.load_dataset().item_features
    if not readable_parts(loaded_run.model, features):
        return None
    return explain_parts(loaded_run.model, query, item, features, n_items=len(loaded_run.items))


def evidence(
    workspace: Workspace, run: Run, query: Queries, item: int
) -> tuple[Evidence, ...] | None:
    """What the log says of each item of the history for this one; None without the dataset."""
    if Labels(loaded(workspace, run)).info is None:
        return None
    return _counted(workspace, run, query, item)


@cached_copy(SMALL)
def _counted(workspace: Workspace, run: Run, query: Queries, item: int) -> tuple[Evidence, ...]:
    return _learnt_log(workspace, run).evidence(query, item)


@cached_shared(RUNS)
def _learnt_log(workspace: Workspace, run: Run) -> LearntLog:
    return LearntLog(loaded(workspace, run))


@cached_background(SMALL)
def origins(
    workspace: Workspace, run: Run, query: Queries, cause: int, item: int, user: str
) -> Background[ReasonOrigins]:
    """Who in the log taught the run that one item speaks for another, under way."""
    loaded_run = loaded(workspace, run)

    def ask(on_stage: Progress) -> ReasonOrigins:
        return reason_origins(loaded_run, query, cause, item, user=user, on_stage=on_stage)

    return Background(ask)


@cached_copy(SMALL)
def unseen(workspace: Workspace, run: Run, item: int) -> tuple[str, ...]:
    """The clauses of an item that the run never saw anyone take; none of one that it did."""
    loaded_run = loaded(workspace, run)
    known_by = Labels(loaded_run).known_by(np.array([item]))
    left_out = embeddings_left_out(loaded_run, item)
    return tuple(clauses_of_unseen(known_by[0] if known_by else None, left_out))


@cached_copy(SMALL)
def ways(workspace: Workspace, run: Run, query: Queries) -> tuple[str, ...]:
    """How this history's events can be grouped; see core.explain.groups."""
    return grouping.grouping_names(query, loaded(workspace, run).load_dataset().item_features)


@cached_copy(SMALL)
def groups(workspace: Workspace, run: Run, query: Queries, item: int, how: str) -> GroupValues:
    """What the history adds to the item's score, by groups of its events."""
    loaded_run = loaded(workspace, run)
    data = loaded_run.load_dataset()
    labels, names = group_labels(query, how, data.item_features, event_names=data.event_names)
    explanation = explain_groups(
        loaded_run.model, query, np.array([item]), labels, n_items=len(loaded_run.items)
    )
    counts = np.bincount(labels, minlength=len(names))
    return GroupValues(names, counts, explanation.values[:, 0])


@cached_background(MEDIUM)
def survey(workspace: Workspace, run: Run) -> Background[Overview]:
    """What the run goes by over many users, under way; see core.explain.survey.overview."""
    loaded_run = loaded(workspace, run)
    data = loaded_run.load_dataset()

    def ask(on_stage: Progress) -> Overview:
        return overview(
            loaded_run.model,
            data.interactions.queries(),
            n_items=len(loaded_run.items),
            features=data.item_features,
            event_names=data.event_names,
            clock=data.info.time_kind == "clock",
            on_progress=on_stage,
        )

    return Background(ask)


@cached_copy(MEDIUM)
def cohorts(
    workspace: Workspace, run: Run, evaluation: str, _overview: Overview
) -> tuple[CohortMetrics, ...]:
    """Groups of the people surveyed, with what this evaluation of the run says of each."""
    return cohort_metrics(loaded(workspace, run), _overview.rows)


def why_no_metrics(workspace: Workspace, run: Run) -> str:
    """Why there are no figures of single people: split, evaluated or damaged; "" if there are."""
    return reasons_for_none(loaded(workspace, run))


@cached_background(MEDIUM)
def agreeing(
    workspace: Workspace, run: Run, other: Run, _overview: Overview
) -> Background[Agreement]:
    """Whether another run has the same reasons for what this one recommends, under way."""
    loaded_run, loaded_other = loaded(workspace, run), loaded(workspace, other)
    queries = loaded_run.load_dataset().interactions.queries()

    def ask(on_stage: Progress) -> Agreement:
        return agreement(
            loaded_run.model,
            loaded_other.model,
            queries,
            _overview.rows[:PEOPLE],
            n_items=len(loaded_run.items),
            on_progress=on_stage,
        )

    return Background(ask)


@cached_background(MEDIUM)
def measuring(workspace: Workspace, run: Run) -> Background[RunFaithfulness]:
    """How faithful the run's explanations are, under way; kept with the run when it is there."""
    return Background(lambda on_stage: pipeline.faithfulness(workspace, run, on_stage=on_stage))
