"""What is said of explanations: every claim in a sentence is asked of the model, by other code."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from core.explain import explain
from core.explain.reasons import PAD, Standing, Verdict, contrast_of, reasons_of
from core.models import MODELS
from core.pipeline.explanations.sentences import SAID, contrast_sentence, sentence
from dashboard.text import LANGUAGES, texts
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


def check_claims(said: str, model, query, item: int, *, impersonal: bool) -> None:
    """Whatever the sentence claims is so; found in the text, not in what it was made of."""
    lift = lifts(model.score(query), query)[0, item]
    empty = query.subsets(np.zeros((1, len(query.items)), bool))
    base = lifts(model.score(empty), query)[0, item]
    everything = set(query.items.tolist())
    now, without_any = place(model, query, item, set()), place(model, query, item, everything)
    if "is recommended" in said:
        assert now <= K
        assert item not in everything
    if match := re.search(r"is in place (\d+)", said):
        assert now == int(match[1]) > K
    assert ("is in the history already" in said) == (item in everything)
    if match := re.search(r"because of (.*?) \((\d+)% of what speaks for it\)", said):
        causes = {int(number) for number in re.findall(r"item (\d+)", match[1])}
        apart = re.search(r"without that it would be in place (\d+) instead of (\d+)", said)
        assert causes
        assert place(model, query, item, causes) == int(apart[1]) > int(apart[2]) == now
        assert lift >= base - 1e-6 * max(1, abs(lift))
    if match := re.search(r"speaks for it most is (.*?) \(\d+% of all that does\)", said):
        causes = {int(number) for number in re.findall(r"item (\d+)", match[1])}
        if lower := re.search(r"would stand no lower, in place (\d+)", said):
            assert place(model, query, item, causes) == int(lower[1]) <= now
    if "in spite of" in said or "on the whole speaks against it" in said:
        assert lift < base
    if match := re.search(r"without any(?: history)? it would be in place (\d+)", said):
        assert without_any == int(match[1])
    if match := re.search(r"still be among the first (\d+), in place (\d+)", said):
        assert without_any == int(match[2]) <= int(match[1]) == K
    if "moves it" in said or "look at what a person did" in said:
        assert lift == pytest.approx(base, abs=1e-6)
    assert ("look at" in said) <= impersonal
    if match := re.search(r"item (\d+)(?: \(\d times\))? speaks against it", said):
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


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_pages_say_the_same(language):
    """The English of the pages is that of the command line; other languages have the same gaps."""
    for key, template in SAID.items():
        page = texts(language)[f"explain.said.{key}"]
        if language == "en":
            assert page.replace("**", "") == template
        gaps = [sorted(re.findall(r"\{(\w+)", text)) for text in (page, template)]
        assert gaps[0] == gaps[1], key
