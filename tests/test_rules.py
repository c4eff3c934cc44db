"""Lists under rules against plain loops over a full ranking, and what always holds."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.data import dataset
from core.data.ingest.ingest import ingest
from core.data.store import Workspace
from core.errors import BadInput
from core.evaluate import evaluate
from core.pipeline.item_rules import catalogue_rules
from core.recommend import ruled_lists
from core.recommend.rules import FORMS, Rule, Rules
from core.recommend.top_k import CANDIDATES, recommend
from core.types import PAD, Holdout, Interactions, Queries, Vocab

# id → genres, year; the table has an eleventh item, of which the log has no event
ITEMS = {
    1: (["Comedy", "Drama"], "1999"),
    2: (["Comedy"], "2001"),
    3: (["Horror"], ""),
    4: ([], "1999"),
    5: (["Drama", "Horror"], "1999"),
    6: (["Comedy", "Sci-Fi: new"], ""),
    7: (["Drama"], "2001"),
    8: ([], ""),
    9: (["Horror", "Comedy", "Drama"], "2001"),
    10: (["Comedy"], "1999"),
    11: (["Noir"], "1950"),
}
IDS = np.arange(1, 11)
N = len(IDS)


class Table:
    """A model whose scores are a table, a row per user."""

    def __init__(self, scores):
        self.scores = torch.as_tensor(np.asarray(scores), dtype=torch.float32)

    def score(self, queries):
        return self.scores[torch.from_numpy(queries.users)]


def queries_of(histories):
    offsets = np.cumsum([0, *map(len, histories)])
    items = np.array([item for history in histories for item in history], np.int64)
    return Queries(np.arange(len(histories)), offsets, items, np.ones(len(items), np.float32))


@pytest.fixture(scope="module")
def info(tmp_path_factory):
    """The dataset of these items, ingested from files."""
    folder = tmp_path_factory.mktemp("rules")
    log = "user_id,item_id,timestamp\n" + "".join(
        f"u{user},{item},{1_600_000_000 + 1000 * int(item)}\n" for user in range(3) for item in IDS
    )
    (folder / "log.csv").write_text(log)
    rows = [
        f"{item},film {item},{'|'.join(genres)},{year}\n" for item, (genres, year) in ITEMS.items()
    ]
    (folder / "items.csv").write_text("item_id,title,genres,year\n" + "".join(rows))
    home = Workspace.open(folder / "home")
    ingest(home, [folder / "log.csv"], items=folder / "items.csv", name="films")
    return home.dataset("films")


@pytest.fixture(scope="module")
def ruled(info):
    """Texts → rules over the ten items of the log."""
    return lambda *texts: catalogue_rules(Rules.parse(texts), Vocab(IDS), info)


def lists_of(scores, histories, k, rules, **options):
    return recommend(Table(scores), queries_of(histories), k, n_items=N, rules=rules, **options)


# The oracle


def has(code, attribute):
    """What the item of this code has of an attribute."""
    genres, year = ITEMS[code + 1]
    values = {"genres": genres, "year": [year] if year else [], "item_id": [str(code + 1)]}
    return values[attribute]


def by_loops(scores, history, k, texts):
    """One list, from the texts of the rules and a full ranking."""
    order = sorted(range(N), key=lambda i: (-scores[i], i))
    order = [i for i in order if i not in history]
    wanted, limits, boosts, pins = {}, [], {}, []
    for kind, said in (text.split(" ", 1) for text in texts):
        attribute, _, value = said.partition("=")
        if kind == "exclude":
            order = [i for i in order if value not in has(i, attribute)]
        elif kind == "only":
            wanted.setdefault(attribute, set()).add(value)
        elif kind == "at-most":
            limits.append((attribute, int(value)))
        elif kind == "boost":
            boosts[attribute, value[: value.rindex(":")]] = float(value[value.rindex(":") + 1 :])
        elif int(said) - 1 not in pins:
            pins.append(int(said) - 1)
    for attribute, values in wanted.items():
        order = [i for i in order if values & set(has(i, attribute))]
    value = {
        item: 1
        - math.log(n + 1) / math.log(200)
        + sum(number for (attribute, v), number in boosts.items() if v in has(item, attribute))
        for n, item in enumerate(order)
    }
    chosen = []
    first = [i for i in pins if i in order]
    for item in first + sorted(order, key=lambda i: -round(value[i], 12)):
        full = any(
            sum(v in has(other, attribute) for other in chosen) >= n
            for attribute, n in limits
            for v in has(item, attribute)
        )
        if item not in chosen and not full and len(chosen) < k:
            chosen.append(item)
    return chosen


def contradict(texts):
    """Whether the pins alone break the other rules."""
    others = [text for text in texts if not text.startswith(("pin", "boost"))]
    pins = [*dict.fromkeys(text for text in texts if text.startswith("pin"))]
    first = by_loops([0] * N, [], len(pins), [*pins, *others])
    return [f"pin {item + 1}" for item in first] != pins


VALUES = [
    *(f"genres={genre}" for genre in ("Comedy", "Drama", "Horror", "Sci-Fi: new", "Noir")),
    *("year=1999", "year=2001", "item_id=4", "item_id=9"),
]
NUMBERS = (-1.0, -0.37, -0.05, 0.0, 0.11, 0.3, 0.83, 1.0)


@st.composite
def rule_texts(draw, kinds=tuple(FORMS)):
    """Texts of a few rules that do not contradict each other's boosts."""
    texts = []
    if "exclude" in kinds:
        texts += [f"exclude {v}" for v in draw(st.lists(st.sampled_from(VALUES), max_size=2))]
    if "only" in kinds:
        texts += [f"only {v}" for v in draw(st.lists(st.sampled_from(VALUES[:7]), max_size=2))]
    if "at-most" in kinds:
        limits = st.tuples(st.sampled_from(("genres", "year")), st.integers(1, 3))
        texts += [f"at-most {a}={n}" for a, n in draw(st.lists(limits, max_size=2))]
    if "boost" in kinds:
        boosts = st.dictionaries(st.sampled_from(VALUES), st.sampled_from(NUMBERS), max_size=3)
        texts += [f"boost {v}:{number}" for v, number in draw(boosts).items()]
    if "pin" in kinds:
        texts += [f"pin {i}" for i in draw(st.lists(st.integers(1, N), max_size=2))]
    return texts


@st.composite
def worlds(draw):
    """Scores of up to three people (often tied), and their histories."""
    b = draw(st.integers(1, 3))
    levels = st.lists(st.integers(0, 6), min_size=N, max_size=N)
    histories = st.lists(st.lists(st.integers(0, N - 1), max_size=4), min_size=b, max_size=b)
    return np.array([draw(levels) for _ in range(b)], np.float32), draw(histories)


@given(worlds(), rule_texts(), st.integers(1, 12), st.booleans())
def test_equals_plain_loops_over_a_full_ranking(ruled, world, texts, k, hide):
    scores, histories = world
    if contradict(texts):
        with pytest.raises(BadInput, match="pinned"):
            ruled(*texts)
        return
    rules = ruled(*texts)
    found = lists_of(scores, histories, k, rules, hide_seen=hide)
    own = lists_of(scores, histories, N, None, hide_seen=hide)
    for b, history in enumerate(histories):
        items = by_loops(scores[b], history if hide else [], k, texts)
        n = len(items)
        assert found.items[b].tolist() == items + [PAD] * (k - n)
        np.testing.assert_array_equal(found.scores[b][:n], scores[b][items])
        assert (found.scores[b][n:] == -np.inf).all()
        np.testing.assert_array_equal(own.items[b][found.places[b][:n] - 1], items)
        assert (found.places[b][n:] == PAD).all()


@given(worlds(), rule_texts(), st.integers(1, 12))
def test_nothing_excluded_comes_and_limits_hold(ruled, world, texts, k):
    scores, histories = world
    if contradict(texts):
        with pytest.raises(BadInput, match="pinned"):
            ruled(*texts)
        return
    rules = ruled(*texts)
    for row in lists_of(scores, histories, k, rules).items:
        items = [item for item in row.tolist() if item != PAD]
        assert len(items) == len(set(items))
        for kind, said in (text.split(" ", 1) for text in texts):
            attribute, _, value = said.partition("=")
            if kind == "exclude":
                assert not [i for i in items if value in has(i, attribute)]
            if kind == "at-most":
                listed = [v for i in items for v in has(i, attribute)]
                assert max(map(listed.count, listed), default=0) <= int(value)


@given(worlds(), rule_texts(), st.integers(1, 12), st.randoms())
def test_the_order_of_rules_plays_no_part(ruled, world, texts, k, random):
    texts = [text for text in texts if not text.startswith("pin")]
    other = random.sample(texts, len(texts))
    assert Rules.parse(texts) == Rules.parse(other)
    one, same = (lists_of(*world, k, ruled(*rules)).items for rules in (texts, other))
    np.testing.assert_array_equal(one, same)


@given(worlds(), st.sampled_from(VALUES), st.integers(1, 12))
def test_a_boost_of_0_changes_nothing(ruled, world, value, k):
    scores, histories = world
    found = lists_of(scores, histories, k, ruled(f"boost {value}:0"))
    plain = lists_of(scores, histories, k, None)
    np.testing.assert_array_equal(found.items, plain.items)
    np.testing.assert_array_equal(found.scores, plain.scores)


@given(rule_texts())
def test_a_rule_prints_what_it_parses(texts):
    rules = Rules.parse(texts)
    assert Rules.parse(rules.texts) == rules
    assert {Rule.parse(text) for text in texts} == set(rules.rules)


def test_what_is_excluded_is_looked_for_in_the_whole_catalogue():
    """Of 900 items the model's 400 best are excluded: the list comes from the others, in order."""
    scores = np.arange(900, 0, -1, dtype=np.float32)[None]
    shelf = Vocab(np.arange(900))
    texts = [f"exclude item_id={i}" for i in range(400)]
    for more in ([], ["boost item_id=405:0.01"]):
        rules = catalogue_rules(Rules.parse(texts + more), shelf, None)
        found = recommend(Table(scores), queries_of([[]]), 5, n_items=900, rules=rules)
        assert found.items.tolist() == [[400, 401, 402, 403, 404]]
        assert found.places.tolist() == [[401, 402, 403, 404, 405]]


def test_a_pin_beyond_the_candidates_comes_first():
    scores = np.arange(900, 0, -1, dtype=np.float32)[None]
    rules = catalogue_rules(Rules.parse(["pin 800", "pin 3"]), Vocab(np.arange(900)), None)
    found = recommend(Table(scores), queries_of([[]]), 4, n_items=900, rules=rules)
    assert found.items.tolist() == [[800, 3, 0, 1]]
    assert found.places.tolist() == [[801, 4, 1, 2]]
    assert found.scores[0, 0] == 100
    seen = recommend(Table(scores), queries_of([[800]]), 2, n_items=900, rules=rules)
    assert seen.items.tolist() == [[3, 0]]  # she has it already


def test_the_strongest_boost_reaches_the_200_best_and_no_further():
    scores = np.arange(900, 0, -1, dtype=np.float32)[None]
    texts = [f"boost item_id={i}:1" for i in (CANDIDATES - 1, CANDIDATES)]
    rules = catalogue_rules(Rules.parse(texts), Vocab(np.arange(900)), None)
    found = recommend(Table(scores), queries_of([[]]), 900, n_items=900, rules=rules)
    assert sorted(found.items[0].tolist()) == list(range(900))
    short = recommend(Table(scores), queries_of([[]]), 3, n_items=900, rules=rules)
    assert short.items.tolist() == [[0, CANDIDATES - 1, 1]]  # worth 1 + 0, 0 + 1, .87


def test_small_blocks_give_the_same(ruled, monkeypatch):
    rng = np.random.default_rng(5)
    scores, histories = rng.normal(size=(30, N)), [[int(i)] for i in rng.integers(0, N, 30)]
    rules = ruled("at-most genres=1", "boost year=1999:0.4")
    whole = lists_of(scores, histories, 5, rules)
    monkeypatch.setattr(ruled_lists, "BLOCK_CELLS", 50)
    np.testing.assert_array_equal(lists_of(scores, histories, 5, rules).items, whole.items)


def test_nobody_has_no_list(ruled):
    found = lists_of(np.zeros((0, N)), [], 4, ruled("at-most genres=1"))
    assert found.items.shape == found.places.shape == (0, 4)


def test_what_cannot_be_limited_is_told(ruled):
    report = ruled("at-most genres=1", "exclude item_id=8").report(5, 2)
    assert report.unlimited == {"genres": 1}  # items 4 and 8 have none, 8 is excluded
    assert "items without genres, so not limited: 1" in report.sentence()
    assert "people with fewer than 5 items: 2" in report.sentence()


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (["forbid genres=Horror"], "no rule 'forbid': choose one of exclude, only, at-most"),
        (["exclude"], "not of the form 'exclude genres=Horror'"),
        (["exclude genres"], "'exclude genres=' is not of the form"),
        (["only =Comedy"], "not of the form 'only genres=Comedy'"),
        (["pin "], "not of the form 'pin ITEM'"),
        (["at-most genres=two"], "'at-most genres=two' is not of the form 'at-most genres=2'"),
        (["at-most genres=0"], "at most 0 of each genres"),
        (["boost genres=Drama"], "not of the form 'boost genres=Drama:0.3'"),
        (["boost genres=Drama:1.5"], "from -1 to 1, not 1.5"),
        (["boost genres=Drama:nan"], "from -1 to 1, not nan"),
        (["boost genres=Drama:.1", "boost genres=Drama:.2"], "boosted by 0.1 and by 0.2"),
        (["exclude genre=Horror"], "no attribute 'genre'; there are item_id, title, genres, year"),
        (["exclude genres=horror"], "no item has genres='horror'; there are Horror"),
        (["only year=2.001"], "no item has year='2.001'"),
        (["exclude item_id=77"], "no item has item_id='77'"),
        (["pin 77"], "no item '77' to pin; there are ids such as 1, 2, 3"),
        (["pin 3", "exclude genres=Horror"], "item '3' is pinned, but other rules exclude it"),
        (["pin 3", "only genres=Drama"], "item '3' is pinned, but other rules exclude it"),
        (["pin 3", "pin 5", "at-most genres=1"], "2 pinned items alone go beyond at-most genres=1"),
    ],
)
def test_a_wrong_rule_is_one_sentence(ruled, texts, sentence):
    with pytest.raises(BadInput, match=r"^[^\n]*$") as refused:
        ruled(*texts)
    assert sentence in str(refused.value)


def test_values_are_all_of_the_table_and_numbers_as_cards_show_them(make_dataset):
    """3,000 brands of one item each: none is too rare to be excluded or limited."""
    ids = np.arange(3000)
    events = pd.DataFrame({"user_id": ["u"] * 3000, "item_id": ids})
    items = pd.DataFrame(
        {
            "item_id": ids,
            "brand": [f"b{i % 1500}" for i in ids],
            "price": ids / 8,
            "tags": [["x", None, f"t{i}"] if i % 2 else None for i in ids],
        }
    )
    info = make_dataset(events, items=items)
    vocab = dataset.load(info).items
    for text, gone in (("brand=b1499", [1499, 2999]), ("price=0.12", [1]), ("tags=t7", [7])):
        rules = catalogue_rules(Rules.parse([f"exclude {text}"]), vocab, info)
        assert np.flatnonzero(~rules.allowed).tolist() == gone
    limited = catalogue_rules(Rules.parse(["at-most brand=1"]), vocab, info)
    assert limited.limited.shape == (3000, 1500)


def test_without_a_table_only_ids_can_be_named(make_dataset):
    info = make_dataset(pd.DataFrame({"user_id": ["u", "v"], "item_id": [1, 2]}))
    with pytest.raises(BadInput, match="no table of items, so rules can name item_id alone"):
        catalogue_rules(Rules.parse(["exclude kind=tea"]), dataset.load(info).items, info)


# The evaluation of lists under rules


def measured(scores, histories, targets, rules, ks=(2, 4)):
    queries = queries_of(histories)
    users = np.repeat(np.arange(len(histories)), queries.lengths)
    train = Interactions(users, queries.items, np.ones(len(users), np.float32), len(histories), N)
    holdout = Holdout(queries, np.array(targets), np.arange(len(histories) + 1))
    return evaluate(Table(scores), holdout, train=train, ks=ks, rules=rules)


def test_an_only_rule_by_hand(ruled):
    """Horror is of codes 2, 4 and 8. The model's order is 0, 1, 2 … for both people.

    The first has seen 2 and is asked for 8: second of 4, 8, so a list of two hits, at place 2. The
    second is asked for 1, which is no horror: never reached.
    """
    scores = [np.arange(N, 0, -1)] * 2
    found = measured(scores, [[2], [5]], [8, 1], ruled("only genres=Horror"))
    assert found.ranking.items.tolist() == [[4, 8, PAD, PAD], [2, 4, 8, PAD]]
    assert found.per_user["hit_rate@2"].tolist() == [1, 0]
    assert found.per_user["mrr@4"].tolist() == [1 / 2, 0]
    assert found.ranking.places.candidates.tolist() == [2, 3]
    assert found.target_hidden_share == 0.5


def test_nothing_follows_a_list_that_a_limit_ended(ruled):
    """One genre each once: 0 (Comedy, Drama), 2 (Horror), 3 and 7 (none); nothing else fits."""
    scores = [np.arange(N, 0, -1)] * 2
    found = measured(scores, [[], []], [7, 1], ruled("at-most genres=1"), ks=(3, 6))
    assert found.ranking.items.tolist() == [[0, 2, 3, 7, PAD, PAD]] * 2
    assert found.per_user["hit_rate@6"].tolist() == [1, 0]
    assert found.per_user["mrr@6"].tolist() == [1 / 4, 0]


@given(worlds(), rule_texts(), st.data())
def test_measured_lists_are_the_recommended_ones(ruled, world, texts, data):
    scores, histories = world
    scores = scores - np.linspace(0, 0.5, N, dtype=np.float32)  # no ties
    if contradict(texts):
        with pytest.raises(BadInput, match="pinned"):
            ruled(*texts)
        return
    rules = ruled(*texts)
    n = len(histories)
    targets = data.draw(st.lists(st.integers(0, N - 1), min_size=n, max_size=n))
    found = measured(scores, histories, targets, rules)
    lists = lists_of(scores, histories, 4, rules).items
    np.testing.assert_array_equal(found.ranking.items, lists)
    hits = [target in row for target, row in zip(targets, lists, strict=True)]
    assert found.per_user["hit_rate@4"].tolist() == hits


@given(worlds(), st.sampled_from(VALUES), st.data())
def test_a_boost_of_0_is_measured_as_no_rule(ruled, world, value, data):
    n = len(world[1])
    targets = data.draw(st.lists(st.integers(0, N - 1), min_size=n, max_size=n))
    plain, zero = (measured(*world, targets, rules) for rules in (None, ruled(f"boost {value}:0")))
    assert plain.summary == zero.summary
