"""What is said of explanations: every claim in a sentence is asked of the model, by other code."""

from __future__ import annotations

import re
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.explain import explain
from core.explain.reasons import NOTABLE, PAD, Standing, Verdict, contrast_of, reasons_of
from core.models import MODELS
from core.pipeline.explanations.sentences import SAID, contrast_sentence, sentence
from dashboard.components.explain import words
from dashboard.text import LANGUAGES, plain, texts
from tests.explain.test_attribution import fitted, lifts, timed

K = 3
ASKED = sorted(MODELS.keys() - {"mlp_rating"})
HISTORIES = ((), (0,), (1, 3), (0, 2, 1), (5, 5, 4, 2), (1, 3, 2, 0, 5, 3), (6, 0, 1, 2))


def name(item: int) -> str:
    return f"item {item}"


def place(model, query, item: int, gone: set[int]) -> int:
    """Its place among the items that the whole history does not hold, some items' events gone."""
    keep = np.array([[taken not in gone for taken in query.items.tolist()]], bool)
    scores = model.score(query.subsets(keep.reshape(1, len(query.items))))[0].double().numpy()
    rivals = [i for i in range(len(scores)) if i == item or i not in query.items]
    return 1 + sorted(rivals, key=lambda i: (-scores[i], i)).index(item)


def lost(model, query, item: int, gone: set[int]) -> float:
    """How far the item falls, above the mean of all that may be recommended, without these."""
    keep = np.array([[True] * len(query.items), [i not in gone for i in query.items.tolist()]])
    whole, without = lifts(model, model.score(query.subsets(keep)), query)[:, item]
    return float(whole - without)


def check_twins(said: str, model, query, item: int) -> None:
    """Of what is joined by "or" any one does what all do, and without all of it the item falls."""
    named = re.search(r"(?:either|any of) (item .*? or item \d+)", said)
    assert bool(named) == ("alone does nearly what" in said)
    if not named:
        return
    twins = [int(number) for number in re.findall(r"item (\d+)", named[1])]
    assert ("Either alone does nearly what both do." in said) == (len(twins) == 2)
    assert ("Any one of the three alone does" in said) == (len(twins) == 3)
    whole = lost(model, query, item, set(twins))
    now = place(model, query, item, set())
    assert whole > 0
    for size in range(1, len(twins)):
        for fewer in map(set, combinations(twins, size)):
            assert abs(lost(model, query, item, fewer)) <= (NOTABLE + 1e-6) * whole
            assert place(model, query, item, fewer) <= now


def check_claims(said: str, model, query, item: int, *, impersonal: bool) -> None:
    """Whatever the sentence claims is so; found in the text, not in what it was made of."""
    lift = lifts(model, model.score(query), query)[0, item]
    empty = query.subsets(np.zeros((1, len(query.items)), bool))
    base = lifts(model, model.score(empty), query)[0, item]
    everything = set(query.items.tolist())
    now, without_any = place(model, query, item, set()), place(model, query, item, everything)
    check_twins(said, model, query, item)
    if "is recommended" in said:
        assert now <= K
        assert item not in everything
    if match := re.search(r"is in place (\d+)", said):
        assert now == int(match[1]) > K
    assert ("is in the history already" in said) == (item in everything)
    if match := re.search(r"because of (.*?) \((\d+)% of the evidence for it\)", said):
        causes = {int(number) for number in re.findall(r"item (\d+)", match[1])}
        apart = re.search(r"without that it would be in place (\d+) instead of (\d+)", said)
        assert causes
        assert place(model, query, item, causes) == int(apart[1]) > int(apart[2]) == now
        assert lift >= base - 1e-6 * max(1, abs(lift))
    if match := re.search(
        r"strongest evidence for it is (.*?) \(\d+% of all evidence for it\)", said
    ):
        causes = {int(number) for number in re.findall(r"item (\d+)", match[1])}
        if lower := re.search(r"would stand no lower, in place (\d+)", said):
            assert place(model, query, item, causes) == int(lower[1]) <= now
    if "in spite of" in said or "on the whole counts against it" in said:
        assert lift < base
    if match := re.search(r"without any(?: history)? it would be in place (\d+)", said):
        assert without_any == int(match[1])
    if "on the whole counts against it" in said and item not in everything:
        assert ("but against other items more" in said) == (without_any > now)
    if match := re.search(r"still be among the first (\d+), in place (\d+)", said):
        assert without_any == int(match[2]) <= int(match[1]) == K
    if "moves it" in said or "look at what a person did" in said:
        assert lift == pytest.approx(base, abs=1e-6)
    assert ("look at" in said) <= impersonal
    if match := re.search(r"item (\d+)(?: \(\d times\))? counts against it", said):
        values = explain(model, query, [item], n_items=8).values[:, 0]
        assert values[query.items == int(match[1])].sum() < 0


@pytest.mark.parametrize("model_name", ASKED)
def test_every_claim_of_a_sentence_is_so(model_name, world):
    model, verdicts, told = fitted(model_name, world), set(), 0
    impersonal = model_name in ("popularity", "recent_popularity")
    for items in HISTORIES:
        query = timed(*items)
        explanation = explain(model, query, np.arange(8), n_items=8)
        for column in range(8):
            reasons = reasons_of(
                model, query, explanation, column, n_items=8, k=K, impersonal=impersonal
            )
            said = sentence(reasons, name, model_name)
            check_claims(said, model, query, column, impersonal=impersonal)
            verdicts.add(reasons.verdict)
            told += 1
    assert told == 56
    assert Verdict.EMPTY in verdicts


@pytest.mark.parametrize("model_name", ASKED)
def test_what_is_said_to_come_first_does(model_name, world):
    model, query = fitted(model_name, world), timed(1, 3, 2, 0)
    for other in (4, 7):
        found = explain(model, query, [5, 6], n_items=8, against=other)
        scores = model.score(query)[0].double().numpy()
        for column, item in enumerate((5, 6)):
            said = contrast_sentence(contrast_of(query.items, found, column), name)
            first = re.match(r"item (\d+) comes before item (\d+)", said)
            assert scores[int(first[1])] >= scores[int(first[2])]
            assert {int(first[1]), int(first[2])} == {item, other}
            nothing = model.score(timed())[0].double().numpy()
            ahead = [float(s[int(first[1])] - s[int(first[2])]) for s in (scores, nothing)]
            assert ("in spite" in said) == (ahead[0] < ahead[1] - 1e-5)


@pytest.mark.parametrize(
    ("item", "other", "said"),
    [
        (3, 2, ()),
        (3, 1, ("item 1 is in the history already, so it is not recommended again",)),
        (0, 1, ("are in the history already", "they are not recommended again")),
    ],
)
def test_what_the_history_has_is_not_said_to_be_recommended_first(item, other, said):
    model, query = Table(none=0, _0=3, _1=0, _0_1=3), timed(0, 1)
    found = explain(model, query, [item], n_items=5, against=other)
    told = contrast_sentence(contrast_of(query.items, found, 0), name)
    assert all(part in told for part in said)
    assert ("in the history already" in told) == bool(said)


class Table:
    """Scores by which of the events 0 and 1 are there; item 2 of 5 is asked for."""

    config = None

    def __init__(self, **scores: float) -> None:
        self.scores = scores

    def score(self, queries):
        rows = torch.zeros(len(queries), 5)
        for row in range(len(queries)):
            there = "".join(f"_{item}" for item in sorted(set(queries[[row]].items.tolist())))
            rows[row, 2] = self.scores[there or "none"]
        rows[:, 3], rows[:, 4] = 1.0, -9.0
        return rows


def told(model, *items: int, k: int = 1):
    query = timed(*items)
    return reasons_of(model, query, explain(model, query, [2], n_items=5), 0, n_items=5, k=k)


def test_because_needs_a_rank_that_gets_worse():
    because = told(Table(none=0, _0=3, _1=0, _0_1=3), 0, 1)
    assert (because.verdict, because.standing) == (Verdict.BECAUSE, Standing.LISTED)
    assert [cause.item for cause in because.speaking] == [0]
    assert (because.rank, because.rank_without_causes, because.share) == (1, 2, 1)
    assert because.clauses == ("listed.because",)
    stays = told(Table(none=2, _0=3, _1=2, _0_1=3), 0, 1)
    assert stays.verdict is Verdict.SPEAKS
    assert stays.clauses == ("listed.speaks", "listed_anyway")


def test_what_was_pushed_down_is_there_in_spite_of_it():
    pushed = told(Table(none=9, _0=4, _1=9, _0_1=4), 0, 1)
    assert pushed.verdict is Verdict.IN_SPITE
    assert pushed.against is not None
    assert pushed.against.item == 0
    assert pushed.clauses == ("listed.in_spite", "against")
    held_up = told(Table(none=9, _0=2, _1=12, _0_1=4), 0, 1)  # 1 speaks for it, less than 0 against
    assert held_up.verdict is Verdict.IN_SPITE


def test_what_nothing_moves_names_no_cause():
    unmoved = told(Table(none=3, _0=3, _1=3, _0_1=3), 0, 1)
    assert (unmoved.verdict, unmoved.speaking, unmoved.against) == (Verdict.UNMOVED, (), None)
    assert unmoved.clauses == ("listed.unmoved",)


def test_an_item_taken_twice_is_one_cause_and_the_oldest_together_are_nameless():
    twice = told(Table(none=0, _0=3, _1=0, _0_1=3), 0, 1, 0)
    assert [(cause.item, cause.events) for cause in twice.speaking] == [(0, 2)]
    said = sentence(twice, name, "model")
    assert said.startswith("item 2 is recommended because of item 0 (2 times) (100% of")
    assert PAD not in [cause.item for cause in twice.speaking]


class Pulls:
    """What lifts item 7 of 8, by which of the items 0, 1, 2 the history holds: a bit for each."""

    config = None

    def __init__(self, pulls) -> None:
        self.pulls = pulls

    def score(self, queries):
        rows = torch.zeros(len(queries), 8)
        rows[:, 3:7] = torch.tensor([1.0, 2.0, 3.0, 4.0])
        for row in range(len(queries)):
            rows[row, 7] = self.pulls[sum(1 << item for item in {*queries[[row]].items.tolist()})]
        return rows


def said_of(pulls, *items: int, k: int = K):
    model, query = Pulls(pulls), timed(*items)
    explanation = explain(model, query, [7], n_items=8)
    reasons = reasons_of(model, query, explanation, 0, n_items=8, k=k)
    said = sentence(reasons, name, "model")
    check_claims(said, model, query, 7, impersonal=False)
    return reasons, said


@pytest.mark.parametrize(
    ("pulls", "twins"),
    [
        ((0, 5, 5, 5), {0, 1}),  # exactly
        ((0, 4.9, 4.8, 5), {0, 1}),  # nearly
        ((0, 4.9, 4.2, 5), set()),  # one does too little by itself
        ((0, 3, 3, 6), set()),  # they add up
        ((0, 0, 0, 5), set()),  # only both together
        ((0, 5, 0, 5), set()),  # one alone does it
        ((5, 5, 5, 5), set()),  # nothing does
        ((0, 9, 9, 5), set()),  # each does more without the other
        ((9, 5, 5, 9.0), set()),  # they make good what each of them spoils
    ],
)
def test_twins_are_joined(pulls, twins):
    reasons, said = said_of(pulls, 0, 1)
    assert {cause.item for cause in reasons.twins} == twins
    assert ("because of either item 0 or item 1 (100% of" in said) == bool(twins)
    if twins:
        assert reasons.clauses == ("listed.because", "twins")
        assert (reasons.rank, reasons.rank_without_causes) == (1, 6)


def test_twins_lose_no_place_one_without_the_other():
    """Of 4.1 to 3.9 is next to nothing, but another item lies between."""
    assert said_of((0, 3.9, 4.1, 4.1), 0, 1)[0].twins == ()
    assert len(said_of((0, 4.1, 4.2, 4.2), 0, 1)[0].twins) == 2


def test_three_of_which_any_would_do_and_a_pair_beside_another_cause():
    three, said = said_of((0, *[5] * 7), 0, 1, 2)
    assert len(three.twins) == 3
    assert "because of any of item 0, item 1 or item 2 (100% of" in said
    assert said.endswith("Any one of the three alone does nearly what all do.")
    beside = [4 * bool(bits & 3) + 2 * bool(bits & 4) for bits in range(8)]
    pair, said = said_of(beside, 0, 2, 1, 0)
    assert [cause.events for cause in pair.twins] == [2, 1]
    assert "because of item 2 and either item 0 (2 times) or item 1 (100% of" in said
    assert pair.verdict is Verdict.BECAUSE


def test_of_two_pairs_that_which_matters_more_and_none_where_another_does_it_all():
    either_or_both = (0, 5, 2, 5, 0, 5, 5, 5)  # 0, or 1 and 2 together; 1 does more by itself
    assert {cause.item for cause in said_of(either_or_both, 0, 1, 2)[0].twins} == {0, 1}
    outdone = [max(9 * (bits >> 2), 5 * bool(bits & 3)) for bits in range(8)]
    reasons, _ = said_of(outdone, 0, 1, 2)
    assert (len(reasons.speaking), reasons.twins) == (3, ())


def test_twins_that_hold_no_place_speak_for_it():
    reasons, said = said_of((4.5, 9, 9, 9), 0, 1)
    assert (reasons.verdict, len(reasons.twins)) == (Verdict.SPEAKS, 2)
    assert (
        "strongest evidence for it is either item 0 or item 1 (100% of all evidence for it), but"
        in said
    )


@settings(max_examples=60)
@given(st.lists(st.sampled_from([0, 0.2, 3.8, 4.1, 4.2, 6, 9]), min_size=8, max_size=8))
def test_whatever_the_pulls_the_sentence_is_so(pulls):
    """Every claim; and of two things those that are twins, and the model says so, are joined."""
    said_of(pulls, 0, 1, 2)
    reasons, said = said_of(pulls, 0, 1)
    none, first, second, both = pulls[:4]
    ranks = [1 + sum(other >= pull for other in (1, 2, 3, 4)) for pull in (both, first, second)]
    small = all(abs(both - each) <= NOTABLE * (both - none) for each in (first, second))
    if reasons.verdict in (Verdict.BECAUSE, Verdict.SPEAKS) and len(reasons.speaking) == 2:
        joined = both > none and small and ranks[0] >= max(ranks[1:])
        assert ("either item" in said) == joined


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_pages_say_the_same(language):
    """The English of the pages is that of the command line; other languages have the same gaps."""
    for key, template in SAID.items():
        page = texts(language)[f"explain.said.{key}"]
        if language == "en":
            assert page.replace("**", "") == template
        gaps = [sorted(re.findall(r"\{(\w+)", text)) for text in (page, template)]
        assert gaps[0] == gaps[1], key


def test_pages_join_twins_too():
    pair, _ = said_of([4 * bool(bits & 3) + 2 * bool(bits & 4) for bits in range(8)], 0, 2, 1, 0)
    three, _ = said_of((0, *[5] * 7), 0, 1, 2)
    config = SimpleNamespace(model="als")
    case = SimpleNamespace(item=7, name=name, run=SimpleNamespace(config=config))
    said = plain(words.sentence(case, pair))
    assert "because of “item 2” and either “item 0” (2 times) or “item 1” (100% of" in said
    assert said.endswith("Either alone does nearly what both do.")
    assert "any of “item 0”, “item 1” or “item 2” (" in plain(words.sentence(case, three))
