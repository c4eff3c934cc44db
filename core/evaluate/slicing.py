"""For whom, and for which items, does a model work? The same metrics on parts of the holdout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from core.errors import NotFound
from core.evaluate.evaluation import Evaluation, summarise
from core.evaluate.metrics import Places, Values
from core.evaluate.registry import METRICS, OfRanking, OfTopK
from core.models.common.attributes import attributes, categories
from core.types import PAD, Array, FeatureBlock, Features, Holdout, Interactions, Slice

ACTIVITY = (0, 1, 5, 10, 20, 50, 100)  # history lengths at which a new band begins
HEAD, TAIL = 0.2, 0.8  # cumulative shares of the training events
TOP = 8  # categories of an attribute, the most frequent first

Parts = Iterator[tuple[str, str, Array]]  # what it is cut by, which part, a boolean mask


def slices(
    evaluation: Evaluation,
    holdout: Holdout,
    train: Interactions,
    *,
    item_features: Features | None = None,
    user_features: Features | None = None,
    metrics: Sequence[str] | None = None,
    seed: int = 0,
) -> list[Slice]:
    """These metrics on every part of the holdout that has a query.

    Parts by user (activity, user attributes) hold whole queries. Parts by target (popularity, seen
    in training or not, item attributes) ask about the targets of that part alone: other targets
    count as plain items. They exist for the accuracy metrics only.

    Args:
        evaluation: Of the same holdout.
        holdout: What was evaluated on.
        train: What the model learnt from.
        item_features: Attributes of the items, (I, F) each.
        user_features: Attributes of the users, (U, F) each.
        metrics: Names as in evaluation.per_user; recall and NDCG at about 10 if not given.
        seed: Of the intervals' random draws.

    Raises:
        NotFound: no such metric in the evaluation.
    """
    names = _default_metrics(evaluation) if metrics is None else list(metrics)
    for name in names:
        if name not in evaluation.per_user:
            raise NotFound(f"no metric {name!r}; there are {', '.join(evaluation.per_user)}")
    rng = np.random.default_rng(seed)
    rows: list[Slice] = []
    for by, part, mask in _by_user(evaluation, holdout, user_features):
        values = {name: evaluation.per_user[name][mask] for name in names}
        rows += _rows(by, part, values, rng)
    for by, part, mask in _by_target(evaluation, train, item_features):
        places = _only(evaluation.ranking.places, mask)
        rows += _rows(by, part, _accuracy(places, names), rng)
    return rows


def _default_metrics(evaluation: Evaluation) -> list[str]:
    k = min(evaluation.ks, key=lambda k: abs(k - 10))
    return [f"recall@{k}", f"ndcg@{k}"]


def _rows(by: str, part: str, values: dict[str, Values], rng: np.random.Generator) -> list[Slice]:
    n = len(next(iter(values.values()), ()))
    if not n:
        return []
    return [
        Slice(by, part, metric, figures["mean"], figures["low"], figures["high"], n)
        for metric, figures in summarise(values, rng).items()
    ]


def _accuracy(places: Places, names: Sequence[str]) -> dict[str, Values]:
    values = {}
    for name in names:
        key, _, k = name.partition("@")
        metric = METRICS[key]
        if isinstance(metric, OfTopK):
            values[name] = metric.measure(places, int(k))
        elif isinstance(metric, OfRanking):
            values[name] = metric.measure(places)
    return values


def _only(places: Places, mask: Array) -> Places:
    """The places of the marked targets (T,), of the queries that have one."""
    owner = np.repeat(np.arange(len(places.n_targets)), places.n_targets)[mask]
    kept, starts = np.unique(owner, return_index=True)
    return Places(places.places[mask], np.r_[starts, len(owner)], places.candidates[kept])


def _by_user(evaluation: Evaluation, holdout: Holdout, features: Features | None) -> Parts:
    queries = evaluation.ranking.queries
    band = np.searchsorted(ACTIVITY, holdout.queries.lengths[queries], side="right") - 1
    for j, start in enumerate(ACTIVITY):
        end = ACTIVITY[j + 1] - 1 if j + 1 < len(ACTIVITY) else None
        name = f"{start}+" if end is None else str(start) if end == start else f"{start}–{end}"
        yield "activity", f"{name} events", band == j
    yield from _attribute_parts("user", features, holdout.queries.users[queries])


def _by_target(evaluation: Evaluation, train: Interactions, features: Features | None) -> Parts:
    targets = evaluation.ranking.targets
    counts = np.bincount(train.items, minlength=train.n_items)
    order = np.argsort(-counts, kind="stable")
    before = np.empty(train.n_items)
    before[order] = (np.cumsum(counts[order]) - counts[order]) / max(1, len(train))
    share, in_training = before[targets], counts[targets] > 0
    # Head and tail hold a fifth of the events each: Abdollahpouri et al., UMAP 2021.
    yield "target popularity", "head", in_training & (share < HEAD)
    yield "target popularity", "mid", in_training & (share >= HEAD) & (share < TAIL)
    yield "target popularity", "tail", in_training & (share >= TAIL)
    yield "target in training", "yes", in_training
    yield "target in training", "no (cold)", ~in_training
    yield from _attribute_parts("target", features, targets)


def _attribute_parts(what: str, features: Features | None, codes: Array) -> Parts:
    """Parts of these users or items (n,) by each of their attributes; PAD belongs to none."""
    if features is None:
        return
    has_code = codes != PAD
    rows = np.where(has_code, codes, 0)
    block = categories(features)
    if block is not None:
        yield from _category_parts(what, block, rows, has_code)
    if features.numeric is not None:
        yield from _number_parts(what, features.numeric, rows, has_code)


def _category_parts(what: str, block: FeatureBlock, rows: Array, has_code: Array) -> Parts:
    """The most frequent categories of each attribute, by its number of these (n,)."""
    has = block.matrix[rows].multiply(has_code[:, None]).tocsc()
    has.eliminate_zeros()
    sizes = np.diff(has.indptr)
    for name, columns in attributes(block.names).items():
        for column in columns[np.argsort(-sizes[columns], kind="stable")[:TOP]]:
            mask = np.zeros(len(rows), bool)
            mask[has.indices[has.indptr[column] : has.indptr[column + 1]]] = True
            yield f"{what}: {name}", block.names[column].partition("=")[2], mask


def _number_parts(what: str, block: FeatureBlock, rows: Array, has_code: Array) -> Parts:
    """Lower, middle and upper third of each number, by its values among these (n,)."""
    for column, name in enumerate(block.names):
        values = np.asarray(block.matrix)[rows, column].astype(np.float64)
        there = has_code & np.isfinite(values)
        if not there.any():
            continue
        low, high = np.quantile(values[there], [1 / 3, 2 / 3])
        values = np.where(there, values, 0.0)
        yield f"{what}: {name}", f"up to {low:g}", there & (values <= low)
        yield f"{what}: {name}", f"{low:g} to {high:g}", there & (values > low) & (values <= high)
        yield f"{what}: {name}", f"above {high:g}", there & (values > high)
