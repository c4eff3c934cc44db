"""Re-ranked lists against plain loops that ask the metrics themselves, and what always holds."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from core.data import dataset
from core.data.split import split_log
from core.errors import BadInput
from core.evaluate import evaluate
from core.evaluate.lists import Lists, calibration, diversity
from core.models import MODELS
from core.models.common.attributes import taste, traits
from core.models.common.places import HIDDEN
from core.recommend import rerank
from core.recommend.rerank import METHODS, Rerank, Reranker
from core.recommend.top_k import CANDIDATES, recommend
from core.types import PAD, FeatureBlock, Features, Holdout, Interactions, Queries, TrainData

N_ITEMS, N_VALUES = 9, 4
STRENGTHS = (0.0, 0.1, 0.3, 0.5, 0.8, 1.0)


class Table:
    """A model whose scores are a table, a row per user."""

    def __init__(self, scores):
        self.scores = torch.as_tensor(np.asarray(scores), dtype=torch.float32)

    def score(self, queries):
        return self.scores[torch.from_numpy(queries.users)]


class Vectors(Table):
    """The same, with a vector for each item."""

    def __init__(self, scores, vectors):
        super().__init__(scores)
        self.vectors = torch.as_tensor(np.asarray(vectors), dtype=torch.float32)

    def encode(self, queries):
        return torch.zeros(len(queries), self.vectors.shape[1])

    def encode_items(self):
        return self.vectors


def queries_of(histories):
    offsets = np.cumsum([0, *map(len, histories)])
    items = np.array([item for history in histories for item in history], np.int64)
    return Queries(np.arange(len(histories)), offsets, items, np.ones(len(items), np.float32))


def genres(has):
    names = tuple(f"genre={g}" for g in range(len(has[0])))
    return Features(multi_hot=FeatureBlock(names, sparse.csr_matrix(np.array(has) * 1.0)))


def reranker(method, strength, model, features, histories):
    consumed = np.array([item for history in histories for item in history], np.int64)
    return Reranker.of(Rerank(method, strength), model, features, consumed)


def lists_of(model, histories, features, k, method, strength, **options):
    chooses = reranker(method, strength, model, features, histories)
    n_items = model.scores.shape[1]
    queries = queries_of(histories)
    return recommend(model, queries, k, n_items=n_items, reorder=chooses, **options)


# Four films: two of genre A, one of both, one of B; the model likes them in this order.
FILMS = genres([[1, 0], [1, 0], [1, 1], [0, 1], [1, 1]])  # the fifth is in the history
SCORES = [[4.0, 3.0, 2.0, 1.0, 9.0]]
# worth 1 - ln(place) / ln(200): 1, .869, .793, .738


@pytest.mark.parametrize(
    ("method", "strength", "expected"),
    [
        # 0 leads. Then .5·worth - .5·likeness: 1 gets -.065, 2 .043, 3 .369; then 2 before 1.
        ("mmr", 0.5, [0, 3, 2, 1]),
        # .9·worth - .1·likeness: 1 gets .682, 2 .643, 3 .665; then 3 before 2.
        ("mmr", 0.1, [0, 1, 3, 2]),
        # Half A, half B is wanted: only 2 has that (KL 0; of 0, 1 and 3 it is 1.96). Then all of
        # them cost .5·.14, so 0 comes; then 3 (.369 - 0) restores the halves, 1 gets .435 - .143.
        ("calibrated", 0.5, [2, 0, 3, 1]),
        # .99·worth - .01·KL: the costs .020, .001 … are below what a place is worth.
        ("calibrated", 0.01, [0, 1, 2, 3]),
    ],
)
def test_four_films_by_hand(method, strength, expected):
    found = lists_of(Table(SCORES), [[4]], FILMS, 4, method, strength)
    assert found.items.tolist() == [expected]
    assert found.places.tolist() == [[item + 1 for item in expected]]
    assert found.scores.tolist() == [[SCORES[0][item] for item in expected]]


@st.composite
def worlds(draw):
    """Scores of up to four people (often tied), their histories, genres that some items lack."""
    b = draw(st.integers(1, 4))
    cells = st.lists(st.booleans(), min_size=N_ITEMS * N_VALUES, max_size=N_ITEMS * N_VALUES)
    has = np.array(draw(cells)).reshape(N_ITEMS, N_VALUES)
    has[0, :2] = True  # else there might be no taste at all
    levels = st.lists(st.integers(0, 6), min_size=N_ITEMS, max_size=N_ITEMS)
    scores = np.array([draw(levels) for _ in range(b)], np.float32)
    histories = draw(
        st.lists(st.lists(st.integers(0, N_ITEMS - 1), max_size=4), min_size=b, max_size=b)
    )
    histories[0] = [0, *histories[0]]
    return scores, histories, has


def likeness(one, other, features):
    """The cosine of two described items, from the metric."""
    pair = Lists(np.array([[one, other]]), np.ones(N_ITEMS, int), 1, traits=traits(features))
    return 1 - diversity(pair, 2)[0]


def by_loops(method, strength, scores, history, has, consumed, k):
    """One list: at each place every candidate's value, the cost from the metric's own code."""
    features = genres(has)
    order = [i for _, i in sorted((-s, i) for i, s in enumerate(scores)) if i not in history]
    worth = {item: 1 - np.log(n + 1) / np.log(200) for n, item in enumerate(order)}
    seen = queries_of([list(set(history))]).matrix(N_ITEMS)
    own = taste(FeatureBlock(features.multi_hot.names, features.multi_hot.matrix), consumed)
    chosen = []
    while len(chosen) < k and len(chosen) < len(order):
        cost = {}
        for item in order:
            if method == "calibrated":
                tried = Lists(
                    np.array([[*chosen, item]]), np.ones(N_ITEMS, int), 1, seen, None, own
                )
                cost[item] = calibration(tried, k)[0]
            elif has[item].any():
                rest = [other for other in chosen if has[other].any()]
                cost[item] = max((likeness(item, other, features) for other in rest), default=0)
        mean = np.mean([*cost.values()]) if cost else 0
        value = {
            item: (1 - strength) * worth[item] - strength * round(cost.get(item, mean), 9)
            for item in order
            if item not in chosen
        }
        chosen.append(max(value, key=value.__getitem__))  # the first of equals
    return chosen + [PAD] * (k - len(chosen))


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@given(worlds(), st.sampled_from(STRENGTHS), st.integers(1, 6))
def test_equals_plain_loops_over_the_metrics(method, world, strength, k):
    scores, histories, has = world
    consumed = np.concatenate([np.array(h, np.int64) for h in histories])
    found = lists_of(Table(scores), histories, genres(has), k, method, strength)
    for b, history in enumerate(histories):
        expected = by_loops(method, strength, scores[b], history, has, consumed, k)
        assert found.items[b].tolist() == expected


@pytest.mark.parametrize("method", METHODS)
@given(worlds(), st.sampled_from(STRENGTHS), st.integers(1, 15), st.booleans())
def test_lists_hold_candidates_once_and_nothing_hidden(method, world, strength, k, hide):
    scores, histories, has = world
    found = lists_of(Table(scores), histories, genres(has), k, method, strength, hide_seen=hide)
    own = recommend(Table(scores), queries_of(histories), N_ITEMS, n_items=N_ITEMS, hide_seen=hide)
    for b, history in enumerate(histories):
        items = found.items[b][found.items[b] != PAD]
        allowed = set(range(N_ITEMS)) - (set(history) if hide else set())
        assert len(items) == len(set(items.tolist())) == min(k, len(allowed))
        assert set(items.tolist()) <= allowed
        n = len(items)
        assert (found.items[b][n:] == PAD).all()
        assert (found.places[b][n:] == PAD).all()
        assert (found.scores[b][n:] == HIDDEN).all()
        np.testing.assert_array_equal(own.items[b][found.places[b][:n] - 1], items)
        np.testing.assert_array_equal(found.scores[b][:n], scores[b][items])


@pytest.mark.parametrize("method", METHODS)
@given(worlds(), st.integers(1, 12))
def test_strength_0_is_the_order_of_the_model(method, world, k):
    scores, histories, has = world
    found = lists_of(Table(scores), histories, genres(has), k, method, 0)
    plain = recommend(Table(scores), queries_of(histories), k, n_items=N_ITEMS)
    np.testing.assert_array_equal(found.items, plain.items)
    np.testing.assert_array_equal(found.scores, plain.scores)


@pytest.mark.parametrize("method", METHODS)
@given(worlds(), st.sampled_from(STRENGTHS))
def test_a_longer_list_begins_with_the_shorter_one(method, world, strength):
    scores, histories, has = world
    long, short = (
        lists_of(Table(scores), histories, genres(has), k, method, strength) for k in (6, 3)
    )
    np.testing.assert_array_equal(long.items[:, :3], short.items)


@pytest.fixture
def shelf():
    """More items than candidates: 20 people, 900 items, 12 genres, some items without any."""
    rng = np.random.default_rng(3)
    histories = [rng.choice(900, rng.integers(0, 30), replace=False).tolist() for _ in range(20)]
    return Table(rng.normal(size=(20, 900))), histories, genres(rng.random((900, 12)) < 0.15)


@pytest.mark.parametrize("method", METHODS)
def test_small_blocks_give_the_same(method, shelf, monkeypatch):
    whole = lists_of(*shelf, 10, method, 0.5)
    monkeypatch.setattr(rerank, "BLOCK_CELLS", 1500)
    np.testing.assert_array_equal(lists_of(*shelf, 10, method, 0.5).items, whole.items)


@pytest.mark.parametrize("method", METHODS)
def test_a_list_comes_from_the_best_200(method, shelf):
    found = lists_of(*shelf, 10, method, 1)
    assert 50 < found.places.max() <= CANDIDATES
    longer = lists_of(*shelf, 300, method, 1)
    assert np.sort(longer.places, axis=1).tolist() == [[*range(1, 301)]] * 20


@pytest.mark.parametrize("method", METHODS)
def test_no_queries_give_no_lists(method, shelf):
    model, _, features = shelf
    chooses = reranker(method, 0.5, model, features, [[1, 2]])
    found = recommend(model, queries_of([]), 4, n_items=900, reorder=chooses)
    assert found.items.shape == found.places.shape == (0, 4)


@pytest.mark.parametrize(("strength", "expected"), [(0.35, [0, 1, 3, 2]), (0.5, [0, 3, 1, 2])])
def test_what_nothing_is_known_of_is_neither_sought_nor_shunned(strength, expected):
    """Beside 0 (A), 0 and 2 (A) cost 1, 3 (both) .707, and 1, without a genre, their mean, .902.

    At .35 it gets .249 and 3 .232 (with a cost of 1 it would get .215), at .5 -.017 and 3 .016
    (with a cost of 0 it would get .435).
    """
    features = genres([[1, 0], [0, 0], [1, 0], [1, 1]])
    found = lists_of(Table([[4.0, 3.0, 2.0, 1.0]]), [[]], features, 4, "mmr", strength)
    assert found.items.tolist() == [expected]


def test_without_a_history_there_is_no_mix_to_keep():
    found = lists_of(Table(SCORES * 2), [[4], []], FILMS, 4, "calibrated", 0.9)
    assert found.items[1].tolist() == [4, 0, 1, 2]


def test_item_vectors_stand_in_for_attributes():
    """Of two people the first gets by cosine, not by length; opposites count as unrelated."""
    vectors = [[1, 0], [5, 0.1], [0, 2], [-3, 0]]
    model = Vectors([[4.0, 3.0, 2.0, 1.0], [1.0, 4.0, 3.0, 2.0]], vectors)
    found = lists_of(model, [[], []], None, 4, "mmr", 0.5)
    assert found.items.tolist() == [[0, 2, 3, 1], [1, 2, 3, 0]]


def test_what_it_went_by_is_told():
    text = Features(text=FeatureBlock(("title=a",), sparse.csr_matrix(np.ones((2, 1)))))
    model = Vectors(np.ones((1, 2)), np.eye(2))
    report = reranker("mmr", 0.4, model, FILMS, [[0]]).report
    assert report.to_json() == {"method": "mmr", "strength": 0.4, "by": "attributes"}
    for features, by in ((text, "attributes"), (None, "item vectors")):
        assert reranker("mmr", 0.4, model, features, [[0]]).report == replace(report, by=by)
    assert reranker("calibrated", 0.4, model, FILMS, [[0]]).report.by == "genre"


def test_nothing_to_go_by_is_one_sentence():
    text = Features(text=FeatureBlock(("title=a",), sparse.csr_matrix(np.ones((2, 1)))))
    one_value = genres([[1], [1]])
    with pytest.raises(BadInput, match=r"needs attributes of the items .* or a model with vectors"):
        reranker("mmr", 0.4, Table([[1.0]]), None, [[0]])
    for features in (None, text, one_value):
        with pytest.raises(BadInput, match="needs an attribute of the items with several values"):
            reranker("calibrated", 0.4, Table([[1.0]]), features, [[0]])


@pytest.mark.parametrize(
    ("method", "strength", "sentence"),
    [
        ("none", 0.5, "no re-ranking 'none': choose one of mmr, calibrated"),
        ("mmr", 1.5, "from 0 to 1, not 1.5"),
        ("mmr", -0.1, "from 0 to 1, not -0.1"),
        ("calibrated", float("nan"), "from 0 to 1, not nan"),
    ],
)
def test_a_wrong_wish_is_one_sentence(method, strength, sentence):
    with pytest.raises(BadInput, match=sentence):
        Rerank(method, strength)


# The evaluation of re-ranked lists


def measured(world, targets, reorder):
    scores, histories, has = world
    queries = queries_of(histories)
    users = np.repeat(np.arange(len(histories)), queries.lengths)
    ones = np.ones(len(users), np.float32)
    train = Interactions(users, queries.items, ones, len(histories), N_ITEMS)
    holdout = Holdout(queries, targets, np.arange(len(histories) + 1))
    return evaluate(
        Table(scores), holdout, train=train, ks=(2, 4), reorder=reorder, item_features=genres(has)
    )


@pytest.mark.parametrize("method", METHODS)
@given(worlds(), st.sampled_from(STRENGTHS[1:]), st.data())
def test_places_are_those_of_the_list_and_then_the_models(method, world, strength, data):
    scores, histories, has = world
    step = np.linspace(0, 0.5, N_ITEMS, dtype=np.float32)  # no ties, and some below 0
    scores = scores - 3 - step
    world = (scores, histories, has)
    n = len(histories)
    targets = np.array(data.draw(st.lists(st.integers(0, N_ITEMS - 1), min_size=n, max_size=n)))
    chooses = reranker(method, strength, Table(scores), genres(has), histories)
    found = measured(world, targets, chooses)
    lists = lists_of(Table(scores), histories, genres(has), 4, method, strength).items
    np.testing.assert_array_equal(found.ranking.items, lists)
    assert found.score_tie_rate == 0
    for b, (history, target) in enumerate(zip(histories, targets, strict=True)):
        first = [item for item in lists[b].tolist() if item != PAD]
        rest = [i for i in np.argsort(-scores[b]).tolist() if i not in history and i not in first]
        if target not in history:
            assert found.ranking.places.places[b] == 1 + [*first, *rest].index(target)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("level", [0.0, -2.5, 3e38])
def test_ties_below_the_list_still_count_against_a_target(method, level):
    """Nine items of one score: four are listed, the others share the last place."""
    has = np.eye(N_VALUES)[np.arange(N_ITEMS) % N_VALUES]
    world = (np.full((1, N_ITEMS), level, np.float32), [[8]], has)
    chooses = reranker(method, 1, Table(world[0]), genres(has), [[8]])
    listed = lists_of(Table(world[0]), [[8]], genres(has), 4, method, 1).items[0]
    for target in range(N_ITEMS - 1):
        place = measured(world, np.array([target]), chooses).ranking.places.places[0]
        assert place == (1 + listed.tolist().index(target) if target in listed else N_ITEMS - 1)


# Sample data


@pytest.fixture(scope="module")
def films(workspace):
    data = dataset.load(workspace.dataset("movielens"))
    parts = split_log(data.interactions, "leave-last-out", validation=False)
    model = MODELS["item_knn"](MODELS["item_knn"].Config())
    model.fit(TrainData(parts.train), rng=np.random.default_rng(0), device="cpu")

    def mean(method, strength):
        chooses = Reranker.of(
            Rerank(method, strength), model, data.item_features, parts.train.items
        )
        found = evaluate(
            model,
            parts,
            train=parts.train,
            ks=(10,),
            item_features=data.item_features,
            reorder=chooses,
        )
        return {name: figures["mean"] for name, figures in found.summary.items()}

    return mean


@pytest.mark.quality
@pytest.mark.parametrize(
    ("method", "metric", "falls", "ends"),
    [
        ("mmr", "diversity@10", False, (0.85, 0.89)),
        ("calibrated", "calibration@10", True, (0.05, 0.09)),
    ],
)
def test_a_greater_strength_gives_more_of_it(films, method, metric, falls, ends):
    """The metric that the method aims at never gets worse; a little costs little of NDCG."""
    found = [films(method, strength) for strength in (0, 0.3, 0.6, 1)]
    steps = [
        (after - before) * (-1 if falls else 1)
        for before, after in pairwise(one[metric] for one in found)
    ]
    assert min(steps) > 0.02
    assert ends[0] < found[-1][metric] < ends[1]
    ndcg = [one["ndcg@10"] for one in found]
    assert 0.9 < ndcg[1] / ndcg[0] < 1.1
    assert ndcg[-1] < 0.9 * ndcg[0]
