"""Each word of confidence has one meaning, and a reason: against the limits written out."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.explain.confidence import Confidence, Level, Reason
from core.explain.explanation import Explanation
from core.pipeline.explanations.sentences import RELIED_ON, confidence_sentence
from dashboard.text import LANGUAGES, texts

ORDER = list(Level)


def sampled(se: float, stability: float, method: str = "permutations") -> Explanation:
    """Of one item and six events, whose errors together are `se` times their values."""
    values = np.array([[3.0], [2.0], [1.0], [1.0], [0.5], [-0.5]])
    return Explanation(
        items=np.array([1]),
        players=np.arange(6),
        scores=values.sum(axis=0),
        base=np.zeros(1),
        raw_scores=values.sum(axis=0),
        raw_base=np.zeros(1),
        values=values,
        se=se * np.abs(values),
        method=method,
        evaluations=40,
        seed=0,
        stability=np.array([stability]),
    )


@pytest.mark.parametrize(
    ("error", "agreement", "name", "said"),
    [
        (0.04, 1.0, "stable.halves_agree", "± 4%, and two halves of it agree on 100% of"),
        (0.19, 0.8, "stable.halves_agree", "± 19%, and two halves of it agree on 80% of"),
        (0.3, 1.0, "indicative.few_evaluations", "few histories: .* only to ± 30%"),
        (0.3, 0.6, "indicative.few_evaluations", "few histories: .* only to ± 30%"),
        (0.1, 0.6, "indicative.halves_disagree", "agree on only 60% of .* may change"),
        (0.7, 1.0, "unreliable.few_evaluations", "too few histories: .* only to ± 70%"),
        (0.7, 0.2, "unreliable.few_evaluations", "too few histories: .* only to ± 70%"),
        (0.1, 0.4, "unreliable.halves_disagree", "agree on only 40% of .*: do not rely"),
        (0.3, 0.4, "unreliable.halves_disagree", "agree on only 40% of .*: do not rely"),
    ],
)
def test_each_reason(error, agreement, name, said):
    [confidence] = sampled(error, agreement).confidence
    assert confidence.name == name
    assert re.search(said, confidence_sentence(confidence))


def test_what_was_not_sampled_is_exact_whatever_else():
    [confidence] = sampled(0.0, 1.0, "enumeration").confidence
    assert confidence == Confidence(Level.EXACT, Reason.NOT_SAMPLED, 0.0, 1.0)
    assert confidence_sentence(confidence) == "Worked out in full, nothing was estimated."
    assert sampled(0.0, 1.0).confidence[0].level is Level.STABLE  # a sample stays a sample


shares = st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])


@settings(max_examples=200)
@given(st.floats(0, 2), shares)
def test_a_level_means_one_thing_and_lacks_what_it_says(error, agreement):
    got = Confidence.of_sample(agreement=agreement, error=error)
    stable = error <= 0.2 and agreement >= 0.8
    indicative = error <= 0.5 and agreement >= 0.6
    assert (got.level is Level.STABLE) == stable
    assert (got.level is Level.UNRELIABLE) == (not indicative)
    better = {Level.INDICATIVE: (0.2, 0.8), Level.UNRELIABLE: (0.5, 0.6)}
    if got.level in better:
        most, least = better[got.level]
        if got.reason is Reason.FEW_EVALUATIONS:
            assert error > most
        else:
            assert got.reason is Reason.HALVES_DISAGREE
            assert agreement < least
            assert error <= most
    more = Confidence.of_sample(agreement=agreement, error=error / 2)
    assert ORDER.index(more.level) <= ORDER.index(got.level)
    assert (got.error, got.agreement) == (error, agreement)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_pages_say_the_same(language):
    page = {
        name.removeprefix("explain.confidence."): said
        for name, said in texts(language).items()
        if name.startswith("explain.confidence.")
    }
    assert page.keys() == RELIED_ON.keys() | {str(level) for level in Level}
    for name, template in RELIED_ON.items():
        if language == "en":
            assert page[name] == template
        gaps = [sorted(re.findall(r"\{(\w+)", text)) for text in (page[name], template)]
        assert gaps[0] == gaps[1], name
