"""A real run on MovieLens, judged again by trec_eval (through ir-measures) and scikit-learn."""

from __future__ import annotations

import ir_measures
import numpy as np
import pandas as pd
import pytest
import torch
from ir_measures import AP, RR, P, R, Success, nDCG
from scipy import sparse
from sklearn.metrics import mean_absolute_error, roc_auc_score, root_mean_squared_error

from core.evaluate import evaluate
from core.evaluate.registry import OfTopK, metrics_of
from core.types import Holdout, Interactions

KS = (1, 5, 10, 20)
TREC = {
    "precision": P,
    "recall": R,
    "map": AP,
    "ndcg": nDCG,
    "hit_rate": Success,
}


class Cosine:
    """Item-kNN with every neighbour; rates an item by the user's mean and the item's."""

    def fit(self, train):
        x = train.queries().matrix(train.n_items, np.ones(len(train), np.float32))
        self.norms = np.sqrt(np.asarray(x.power(2).sum(axis=0)).ravel()).clip(1)
        self.similar = (x.T @ x).multiply(1 / self.norms[:, None]).multiply(1 / self.norms).tocsr()
        self.n_items = train.n_items
        total = np.bincount(train.items, train.values, minlength=train.n_items)
        self.rated = (total + 35) / (np.bincount(train.items, minlength=train.n_items) + 10)
        return self

    def score(self, queries):
        return torch.from_numpy((queries.matrix(self.n_items) @ self.similar).toarray())

    def predict(self, queries, items):
        sums = np.add.reduceat(queries.values, queries.offsets[:-1])
        return ((sums / queries.lengths + self.rated[items]) / 2).astype(np.float32)


@pytest.fixture(scope="module")
def world(sample_data):
    """Ratings of 610 people; each one's last tenth (at least one) is held out."""
    table = pd.read_csv(sample_data / "movielens-latest-small" / "ratings.csv")
    table = table.sort_values(["userId", "timestamp"], kind="stable")
    users, items = pd.factorize(table.userId)[0], pd.factorize(table.movieId, sort=True)[0]
    age = table.groupby("userId").cumcount(ascending=False).to_numpy()
    size = table.groupby("userId")["movieId"].transform("size").to_numpy()
    held = age < np.maximum(1, size // 10)
    values, n_users, n_items = table.rating.to_numpy(np.float32), users.max() + 1, items.max() + 1
    log = Interactions(
        users, items, np.ones(len(users), np.float32), n_users, n_items, values=values
    )
    train = log.where(~held)
    offsets = np.searchsorted(users[held], np.arange(n_users + 1))
    holdout = Holdout(train.queries(), items[held], offsets, values[held])
    model = Cosine().fit(train)
    return model, holdout, train, evaluate(model, holdout, train=train, ks=KS)


def worst_order(scores, seen, wanted):
    """Every item that may be ranked, best first; of equal scores the targets come last."""
    order = np.lexsort((np.isin(np.arange(len(scores)), wanted), -scores))
    return order[~np.isin(order, seen)]


def wanted_by(holdout, b):
    return holdout.targets[holdout.offsets[b] : holdout.offsets[b + 1]]


@pytest.mark.slow
def test_ranking_metrics_equal_trec_eval(world):
    """The run given to trec_eval has ranks for scores: it would break ties by document name."""
    model, holdout, train, evaluation = world
    scores = model.score(holdout.queries).numpy()
    run, relevant = {}, {}
    for b in range(len(holdout)):
        seen = train.items[train.offsets[b] : train.offsets[b + 1]]
        top = worst_order(scores[b], seen, wanted_by(holdout, b))[:50]
        run[str(b)] = {str(item): float(-place) for place, item in enumerate(top)}
        relevant[str(b)] = dict.fromkeys(map(str, wanted_by(holdout, b)), 1)
    measures = {f"{name}@{k}": measure @ k for name, measure in TREC.items() for k in KS}
    found = trec_eval(measures.values(), relevant, run)
    theirs = {name: found[str(measure)] for name, measure in measures.items()}
    for k in KS:  # trec_eval's reciprocal rank has no cut, so the run is cut
        short = {query: dict(list(items.items())[:k]) for query, items in run.items()}
        theirs[f"mrr@{k}"] = trec_eval([RR], relevant, short)[str(RR)]
    for name, values in theirs.items():
        expected = [values[b] for b in range(len(holdout))]
        np.testing.assert_allclose(evaluation.per_user[name], expected, atol=1e-6, err_msg=name)
    assert set(TREC) | {"mrr", "f1"} <= set(metrics_of(OfTopK))
    assert (
        0.04 < evaluation.summary["ndcg@10"]["mean"] < 0.08
    )  # it hits something, it leaks nothing


def trec_eval(measures, relevant, run):
    """Measure → query → value."""
    values = {}
    for m in ir_measures.pytrec_eval.iter_calc(list(measures), relevant, run):
        values.setdefault(str(m.measure), {})[int(m.query_id)] = m.value
    return values


def test_f1_is_the_harmonic_mean_of_what_trec_eval_checked(world):
    values = world[3].per_user
    p, r = values["precision@10"], values["recall@10"]
    expected = np.divide(2 * p * r, p + r, out=np.zeros_like(p), where=p + r > 0)
    np.testing.assert_allclose(values["f1@10"], expected, atol=1e-12)


def test_auc_equals_scikit_learn(world):
    model, holdout, train, evaluation = world
    for b in range(0, len(holdout), 20):
        seen = train.items[train.offsets[b] : train.offsets[b + 1]]
        scores = model.score(holdout.queries[b : b + 1]).numpy()[0]
        order = worst_order(scores, seen, wanted_by(holdout, b))
        hit = np.isin(order, wanted_by(holdout, b))
        expected = roc_auc_score(hit, -np.arange(len(order)))
        assert evaluation.per_user["auc"][b] == pytest.approx(expected, abs=1e-9)


def test_rating_errors_equal_scikit_learn(world):
    model, holdout, _, evaluation = world
    owner = np.repeat(np.arange(len(holdout)), np.diff(holdout.offsets))
    predicted = model.predict(holdout.queries[owner], holdout.targets)
    expected = {
        "rmse": root_mean_squared_error(holdout.values, predicted),
        "mae": mean_absolute_error(holdout.values, predicted),
    }
    for name, value in expected.items():
        figures = evaluation.summary[name]
        assert figures["mean"] == pytest.approx(value, abs=1e-6)
        assert figures["low"] < value < figures["high"]


def test_seen_items_would_be_there_were_they_not_hidden(world):
    model, holdout, train, hidden = world
    kept = evaluate(model, holdout, train=train, ks=KS, hide_seen=False)
    seen = train.queries().matrix(train.n_items)
    seen.data[:] = 1
    share = {}
    for name, evaluation in (("hidden", hidden), ("kept", kept)):
        items = evaluation.ranking.items
        lists = sparse.csr_matrix(
            (np.ones(items.size), items.ravel(), np.arange(len(items) + 1) * items.shape[1]),
            shape=seen.shape,
        )
        share[name] = lists.multiply(seen).sum() / items.size
    assert share["hidden"] == 0
    assert share["kept"] > 0.5
    assert hidden.summary["ndcg@10"]["mean"] > kept.summary["ndcg@10"]["mean"]
