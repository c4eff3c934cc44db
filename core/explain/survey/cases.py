"""Many explained cases side by side: one person, one item recommended, why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.explain.confidence import Level
from core.explain.reasons import Cause, Verdict
from core.explain.survey.explained import Explained


@dataclass(frozen=True)
class SurveyedCase:
    """Why one item is recommended to one person, as far as the survey's few histories tell."""

    person: int  # position in the overview's rows
    item: int  # code
    rank: int
    rank_without_causes: int | None  # without all causes named; None where none is
    verdict: Verdict
    strongest: Cause | None  # that speaks for it; None where none stands out
    share: float  # of all that speaks for it, what the strongest does; 0 … 1
    events: int  # of the history
    confidence: Level


def surveyed_cases(explained: Sequence[Explained]) -> tuple[SurveyedCase, ...]:
    """Each item explained of each person, in their order."""
    cases = []
    for person, user in enumerate(explained):
        for reasons, confidence in zip(user.reasons, user.confidence, strict=True):
            speaking = sum(cause.value for cause in reasons.speaking)
            strongest = reasons.speaking[0] if reasons.speaking else None
            cases.append(
                SurveyedCase(
                    person=person,
                    item=reasons.item,
                    rank=reasons.rank,
                    rank_without_causes=reasons.rank_without_causes,
                    verdict=reasons.verdict,
                    strongest=strongest,
                    share=reasons.share * strongest.value / speaking if strongest else 0.0,
                    events=len(user.query.items),
                    confidence=confidence,
                )
            )
    return tuple(cases)
