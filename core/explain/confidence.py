"""How far the values of an explanation can be relied on, and why no further."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How far."""

    EXACT = "exact"
    STABLE = "stable"
    INDICATIVE = "indicative"
    UNRELIABLE = "unreliable"


class Reason(StrEnum):
    """Why that far: what holds of the first two levels, what the next better one lacks."""

    NOT_SAMPLED = "not_sampled"  # nothing was estimated
    HALVES_AGREE = "halves_agree"  # on what matters most, and the errors are small
    FEW_EVALUATIONS = "few_evaluations"  # the errors are still too large for more
    HALVES_DISAGREE = "halves_disagree"  # the errors would do, but what comes first is not settled


# The least agreement and the largest error of each level that has any.
LIMITS = {Level.STABLE: (0.8, 0.2), Level.INDICATIVE: (0.6, 0.5)}


@dataclass(frozen=True)
class Confidence:
    """Of the values of one item."""

    level: Level
    reason: Reason
    error: float  # standard errors of all values together, relative to their length; 0 if exact
    agreement: float  # of the first five, the share that two halves of the sample have in common

    @property
    def name(self) -> str:
        """Of the sentence that says it; see core.pipeline.explanations.sentences."""
        return f"{self.level}.{self.reason}"

    @classmethod
    def exact(cls) -> Confidence:
        """Of values that were worked out in full."""
        return cls(Level.EXACT, Reason.NOT_SAMPLED, 0.0, 1.0)

    @classmethod
    def of_sample(cls, *, agreement: float, error: float) -> Confidence:
        """The best level whose limits both figures keep; where both break one, the error counts."""
        level, reason = Level.STABLE, Reason.HALVES_AGREE
        for limited, worse in zip(LIMITS, (Level.INDICATIVE, Level.UNRELIABLE), strict=True):
            least, most = LIMITS[limited]
            if error <= most and agreement >= least:
                break
            level = worse
            reason = Reason.HALVES_DISAGREE if error <= most else Reason.FEW_EVALUATIONS
        return cls(level, reason, error, agreement)
