"""The whole evaluation: what it states, what it leaves out, what it compares and how it slices."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

from core.errors import BadInput, CoreError, NotFound
from core.evaluate import METRICS, compare, evaluate, slices
from core.evaluate.registry import OfRanking, OfRatings, metrics_of
from core.types import PAD, FeatureBlock, Features, Holdout, Interactions, Queries, Split

N_USERS, N_ITEMS = 120, 60


class Table:
    def __init__(self, scores):
        self.scores = torch.as_tensor(np.asarray(scores), dtype=torch.float32)

    def score(self, queries):
        return self.scores[torch.from_numpy(queries.users)]


class Rater(Table):
    """Rates everything 3."""

    rating = 3.0

    def predict(self, queries, items):
        return np.full(len(items), self.rating, np.float32)


@pytest.fixture
def world():
    """A log with repeats, targets for three users out of four, some cold, some already seen."""
    rng = np.random.default_rng(0)
    users = np.sort(rng.integers(0, N_USERS, 900))
    items = np.minimum(rng.geometric(0.06, 900), N_ITEMS - 10) - 1  # the last ten are cold
    train = Interactions(users, items, np.ones(900, np.float32), N_USERS, N_ITEMS)
    counts = np.where(np.arange(N_USERS) % 4 == 0, 0, rng.integers(1, 5, N_USERS))
    targets = rng.integers(0, N_ITEMS, counts.sum())
    values = rng.integers(1, 6, counts.sum()).astype(np.float32)
    values[::7] = np.nan
    holdout = Holdout(train.queries(), targets, np.r_[0, np.cumsum(counts)], values)
    return Table(rng.normal(size=(N_USERS, N_ITEMS))), holdout, train


@pytest.fixture
def item_features():
    rng = np.random.default_rng(1)
    brand = np.eye(3)[rng.integers(0, 3, N_ITEMS)]
    genres = rng.random((N_ITEMS, 12)) < 0.2
    price = rng.random((N_ITEMS, 1)).astype(np.float32)
    price[5] = np.nan
    return Features(
        categorical=FeatureBlock(("brand=a", "brand=b=c", "brand=d"), sparse.csr_matrix(brand)),
        multi_hot=FeatureBlock(tuple(f"genre={g}" for g in range(12)), sparse.csr_matrix(genres)),
        numeric=FeatureBlock(("price",), price),
    )


def names(ks):
    without_k = {*metrics_of(OfRanking), *metrics_of(OfRatings)}
    return without_k | {f"{m}@{k}" for m in METRICS if m not in without_k for k in ks}


def test_every_metric_is_there_and_none_is_nan(world, item_features):
    model, holdout, train = world
    rater = Rater(model.scores)
    found = evaluate(rater, holdout, train=train, ks=(10, 3, 3), item_features=item_features)
    assert found.ks == (3, 10)
    assert set(found.summary) == names((3, 10))
    for name, figures in found.summary.items():
        assert np.isfinite(list(figures.values())).all(), name
        assert figures["low"] <= figures["mean"] <= figures["high"], name
    for name, values in found.per_user.items():
        assert values.shape == (found.users,)
        assert values.mean() == pytest.approx(found.summary[name]["mean"]), name


def test_what_the_data_cannot_tell_is_absent(world):
    model, holdout, train = world
    found = evaluate(model, holdout, train=train, ks=(3,))
    assert names((3,)) - set(found.summary) == {"rmse", "mae", "diversity@3", "calibration@3"}
    assert found.taste_attribute is None


def test_the_conditions_are_stated(world):
    model, holdout, train = world
    owner = np.repeat(np.arange(N_USERS), np.diff(holdout.offsets))
    pairs = set(zip(owner.tolist(), holdout.targets.tolist(), strict=True))
    seen = set(zip(train.users.tolist(), train.items.tolist(), strict=True))
    found = evaluate(model, holdout, train=train)
    assert found.users == 90
    assert found.users_without_targets == 30
    assert found.ranking.queries.tolist() == [u for u in range(N_USERS) if u % 4]
    assert found.hide_seen is True
    assert found.target_hidden_share == pytest.approx(len(pairs & seen) / len(pairs))
    assert 0 < found.target_hidden_share < 1
    assert found.score_tie_rate == 0
    assert found.seconds > 0
    kept = evaluate(model, holdout, train=train, hide_seen=False)
    assert kept.hide_seen is False
    assert kept.target_hidden_share == 0


def test_constant_scores_tie_at_every_cut_and_hit_nothing(world):
    _, holdout, train = world
    found = evaluate(Table(np.zeros((N_USERS, N_ITEMS))), holdout, train=train, ks=(5,))
    assert found.score_tie_rate == 1
    assert found.summary["hit_rate@5"]["mean"] == 0


def test_the_order_of_the_queries_changes_nothing(world, item_features):
    model, holdout, train = world
    order = np.random.default_rng(2).permutation(N_USERS)
    counts = np.diff(holdout.offsets)
    targets = [holdout.targets[holdout.offsets[b] : holdout.offsets[b + 1]] for b in order]
    shuffled = Holdout(
        holdout.queries[order], np.concatenate(targets), np.r_[0, np.cumsum(counts[order])]
    )
    first = evaluate(model, holdout, train=train, item_features=item_features)
    again = evaluate(model, shuffled, train=train, item_features=item_features)
    at = {query: n for n, query in enumerate(first.ranking.queries.tolist())}
    take = [at[query] for query in order[again.ranking.queries].tolist()]
    for name, values in first.per_user.items():
        np.testing.assert_allclose(again.per_user[name], values[take], rtol=1e-9, err_msg=name)
    for name in ("coverage@10", "gini@10"):
        assert again.summary[name]["mean"] == pytest.approx(first.summary[name]["mean"])


def test_other_item_codes_change_nothing(world, item_features):
    model, holdout, train = world
    new = np.random.default_rng(3).permutation(N_ITEMS)
    old = np.argsort(new)
    renamed = Interactions(train.users, new[train.items], train.weights, N_USERS, N_ITEMS)
    moved = Features(
        categorical=FeatureBlock(
            item_features.categorical.names, item_features.categorical.matrix[old]
        ),
        multi_hot=FeatureBlock(item_features.multi_hot.names, item_features.multi_hot.matrix[old]),
    )
    first = evaluate(model, holdout, train=train, item_features=item_features)
    again = evaluate(
        Table(model.scores.numpy()[:, old]),
        Holdout(renamed.queries(), new[holdout.targets], holdout.offsets),
        train=renamed,
        item_features=moved,
    )
    for name, figures in first.summary.items():
        assert again.summary[name]["mean"] == pytest.approx(figures["mean"]), name


def test_a_split_is_evaluated_on_its_test_part(world):
    model, holdout, train = world
    split = Split("by-time", train, None, train, holdout, 0.0, "")
    whole = evaluate(model, split, train=train)
    np.testing.assert_array_equal(
        whole.per_user["ndcg@10"], evaluate(model, holdout, train=train).per_user["ndcg@10"]
    )
    with pytest.raises(BadInput, match='the split "none" holds nothing out'):
        evaluate(model, Split("none", train, None, train, None, 0.0, ""), train=train)


@pytest.mark.parametrize("ks", [(), (0, 5), (-1,)])
def test_a_k_below_one_is_refused(world, ks):
    model, holdout, train = world
    with pytest.raises(BadInput, match="from 1 up"):
        evaluate(model, holdout, train=train, ks=ks)


def test_k_beyond_the_catalogue_is_allowed(world):
    model, holdout, train = world
    found = evaluate(model, holdout, train=train, ks=(500,), hide_seen=False)
    assert found.summary["recall@500"]["mean"] == 1
    assert found.score_tie_rate == 0


def test_a_person_nobody_knows_without_history_is_evaluated():
    train = Interactions(np.array([0]), np.array([1]), np.ones(1, np.float32), 1, 3)
    cold = Queries(np.array([PAD]), np.array([0, 0]), np.array([], int), np.array([], np.float32))

    class Popular(Table):
        def score(self, queries):
            return self.scores.expand(len(queries), -1)

    found = evaluate(
        Popular([[1.0, 3.0, 2.0]]), Holdout(cold, np.array([2]), np.array([0, 1])), train=train
    )
    assert found.summary["mrr@5"] == {"mean": 0.5, "low": 0.5, "high": 0.5}
    assert "popularity_bias@5" not in found.summary


def test_ratings_that_are_missing_are_left_out(world):
    model, holdout, train = world
    found = evaluate(Rater(model.scores), holdout, train=train)
    errors = 3 - holdout.values[np.isfinite(holdout.values)]
    assert found.summary["mae"]["mean"] == pytest.approx(np.abs(errors).mean())
    assert found.summary["rmse"]["mean"] == pytest.approx(np.sqrt((errors**2).mean()))
    nothing = Holdout(holdout.queries, holdout.targets, holdout.offsets)
    assert "rmse" not in evaluate(Rater(model.scores), nothing, train=train).summary


def test_a_predicted_nan_is_refused(world):
    model, holdout, train = world
    rater = Rater(model.scores)
    rater.rating = np.nan
    with pytest.raises(CoreError, match="not a finite number"):
        evaluate(rater, holdout, train=train)


def test_same_seed_same_intervals(world):
    model, holdout, train = world
    first, again, other = (evaluate(model, holdout, train=train, seed=s).summary for s in (1, 1, 2))
    assert first == again
    assert first != other


# --- compare


def test_compare_by_hand():
    runs = {
        "old": {"ndcg@10": np.array([0.0, 0.5, 0.0, 1.0] * 30), "mrr@10": np.zeros(120)},
        "new": {"ndcg@10": np.array([1.0, 0.5, 0.0, 1.0] * 30), "mrr@10": np.zeros(120)},
    }
    better, same = compare(runs, "old")
    assert (better.run, better.metric, better.users) == ("new", "ndcg@10", 120)
    assert (better.baseline_mean, better.mean, better.difference) == (0.375, 0.625, 0.25)
    assert 0.15 < better.low < 0.25 < better.high < 0.35
    assert better.p == 0.0001
    assert better.p_holm == pytest.approx(0.0002)
    assert (same.difference, same.low, same.high, same.p, same.p_holm) == (0, 0, 0, 1, 1)


def test_compare_is_paired():
    """A small gain for everyone is real, however far users lie apart."""
    rng = np.random.default_rng(4)
    base = rng.random(200)
    runs = {"a": {"auc": base}, "b": {"auc": base + 0.01 * rng.random(200)}}
    (row,) = compare(runs, "a")
    assert row.p_holm < 0.001
    assert row.low > 0


def test_compare_takes_the_metrics_both_have_or_those_asked_for():
    runs = {
        "a": {"x": np.ones(3), "y": np.ones(3)},
        "b": {"y": np.ones(3), "z": np.ones(3)},
        "c": {"x": np.ones(3), "y": np.ones(3)},
    }
    rows = compare(runs, "a")
    assert [(r.run, r.metric) for r in rows] == [("b", "y"), ("c", "x"), ("c", "y")]
    assert [r.metric for r in compare(runs, "a", metrics=["y"])] == ["y", "y"]
    assert compare({"a": runs["a"]}, "a") == []
    with pytest.raises(NotFound, match="run 'b' has no metric 'x'"):
        compare(runs, "a", metrics=["x"])
    with pytest.raises(NotFound, match="no run 'd'"):
        compare(runs, "d")


def test_compare_refuses_other_users():
    with pytest.raises(BadInput, match="on 3 and on 4 users"):
        compare({"a": {"x": np.ones(3)}, "b": {"x": np.ones(4)}}, "a")
    with pytest.raises(BadInput, match="no users"):
        compare({"a": {"x": np.ones(0)}, "b": {"x": np.ones(0)}}, "a")


# --- slices


@pytest.fixture
def sliced(world, item_features):
    model, holdout, train = world
    country = sparse.csr_matrix(np.eye(2)[np.arange(N_USERS) % 2])
    user_features = Features(categorical=FeatureBlock(("Country=A", "Country=B"), country))
    evaluation = evaluate(model, holdout, train=train, item_features=item_features)
    rows = slices(
        evaluation,
        holdout,
        train,
        item_features=item_features,
        user_features=user_features,
        metrics=["recall@10", "novelty@5", "auc"],
    )
    return evaluation, holdout, train, {(r.by, r.part, r.metric): r for r in rows}


def test_bands_of_activity_partition_the_users(sliced):
    evaluation, holdout, _, rows = sliced
    bands = [r for (by, _, metric), r in rows.items() if by == "activity" and metric == "auc"]
    assert sum(r.n for r in bands) == evaluation.users
    mean = sum(r.n * r.mean for r in bands) / evaluation.users
    assert mean == pytest.approx(evaluation.summary["auc"]["mean"])
    lengths = holdout.queries.lengths[evaluation.ranking.queries]
    row = rows["activity", "5–9 events", "recall@10"]
    inside = (lengths >= 5) & (lengths <= 9)
    assert row.n == inside.sum()
    assert row.mean == pytest.approx(evaluation.per_user["recall@10"][inside].mean())
    assert row.low <= row.mean <= row.high


def test_user_attributes(sliced):
    evaluation, _, _, rows = sliced
    odd = evaluation.ranking.queries % 2 == 1
    row = rows["user: Country", "B", "novelty@5"]
    assert row.n == odd.sum()
    assert row.mean == pytest.approx(evaluation.per_user["novelty@5"][odd].mean())


def recall_on(evaluation, keep):
    """Recall@10 asking for the marked targets only, by loops."""
    places = evaluation.ranking.places
    owner = np.repeat(np.arange(evaluation.users), places.n_targets)
    users = np.unique(owner[keep])
    hits = [(places.places[keep & (owner == u)] <= 10).mean() for u in users]
    return len(users), np.mean(hits)


def test_auc_of_a_slice_counts_each_users_own_candidates(sliced):
    evaluation, _, train, rows = sliced
    places = evaluation.ranking.places
    cold = np.bincount(train.items, minlength=N_ITEMS)[evaluation.ranking.targets] == 0
    owner = np.repeat(np.arange(evaluation.users), places.n_targets)
    expected = []
    for user in np.unique(owner[cold]):
        mine = places.places[cold & (owner == user)]  # a cold target is never hidden
        others = places.candidates[user] - len(mine)
        expected.append(np.mean(1 - (mine - 1 - np.arange(len(mine))) / others))
    row = rows["target in training", "no (cold)", "auc"]
    assert row.mean == pytest.approx(np.mean(expected))


def test_popularity_and_cold_targets(sliced):
    evaluation, _, train, rows = sliced
    counts = np.bincount(train.items, minlength=N_ITEMS)
    targets = evaluation.ranking.targets
    n, mean = recall_on(evaluation, counts[targets] == 0)
    row = rows["target in training", "no (cold)", "recall@10"]
    assert (row.n, row.mean) == (n, pytest.approx(mean))
    order = np.argsort(-counts, kind="stable")
    head = order[: np.searchsorted(np.cumsum(counts[order]), 0.2 * len(train)) + 1]
    n, mean = recall_on(evaluation, np.isin(targets, head))
    row = rows["target popularity", "head", "recall@10"]
    assert (row.n, row.mean) == (n, pytest.approx(mean))
    assert ("target popularity", "head", "novelty@5") not in rows  # no property of a target


def test_item_attributes(sliced, item_features):
    evaluation, _, _, rows = sliced
    targets = evaluation.ranking.targets
    n, mean = recall_on(evaluation, item_features.categorical.matrix.toarray()[targets, 1] > 0)
    row = rows["target: brand", "b=c", "recall@10"]
    assert (row.n, row.mean) == (n, pytest.approx(mean))
    genres = {part for by, part, _ in rows if by == "target: genre"}
    assert len(genres) == 8  # the most frequent of twelve
    thirds = [r for (by, _, m), r in rows.items() if by == "target: price" and m == "auc"]
    assert len(thirds) == 3


def test_slices_of_an_unknown_metric_are_refused(sliced):
    evaluation, holdout, train, _ = sliced
    with pytest.raises(NotFound, match="no metric 'ndcg@7'"):
        slices(evaluation, holdout, train, metrics=["ndcg@7"])


def test_slices_default_to_recall_and_ndcg_near_ten(sliced):
    evaluation, holdout, train, _ = sliced
    rows = slices(evaluation, holdout, train)
    assert {r.metric for r in rows} == {"recall@10", "ndcg@10"}
    assert {r.by for r in rows} == {"activity", "target popularity", "target in training"}
