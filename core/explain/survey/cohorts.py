"""Groups of people whose reasons, and figures, are held against those of the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from core.models.common.attributes import attributes, categories
from core.types import Array, Features, Ints, Queries

LENGTH = "length"
USER = "user."
FEWEST = 5  # of the people explained, on either side
MOST = 12  # cohorts, beside that by length


@dataclass(frozen=True, eq=False)
class Cohort:
    """People who have something in common, among all queries."""

    by: str  # length, or user.NAME
    value: str  # of that attribute; of a number, and of the length, what they lie above
    above: bool  # whether `value` is a number that they lie above
    everybody: Array  # (B,) bool, which of the queries


def cohorts(queries: Queries, rows: Ints, user_features: Features | None) -> tuple[Cohort, ...]:
    """Long histories, and each attribute of people that five of those explained have or have not.

    Numbers are cut at the median of the people explained.

    Args:
        queries: Of everybody.
        rows: Of those explained, positions in `queries`.
        user_features: Attributes of users, by their codes.
    """
    middle = int(np.median(queries.lengths[rows]))
    long = Cohort(LENGTH, f"{middle:,}", True, queries.lengths > middle)
    others = [
        cohort
        for cohort in _by_attribute(queries, rows, user_features)
        if FEWEST <= cohort.everybody[rows].sum() <= len(rows) - FEWEST
    ]
    others.sort(key=lambda cohort: -int(cohort.everybody[rows].sum()))
    return (long, *others[:MOST])


def _by_attribute(queries: Queries, rows: Ints, features: Features | None) -> Iterator[Cohort]:
    if features is None:
        return
    block = categories(features)
    if block is not None:
        for name, columns in attributes(block.names).items():
            there = (block.matrix[:, columns][queries.users] > 0).toarray()
            for column, own in zip(columns, there.T, strict=True):
                value = block.names[column].partition("=")[2]
                yield Cohort(f"{USER}{name}", value, False, own)
    if features.numeric is not None:
        for column, name in enumerate(features.numeric.names):
            numbers = np.asarray(features.numeric.matrix, float)[queries.users, column]
            known = numbers[rows][np.isfinite(numbers[rows])]
            if len(known):
                middle = float(np.median(known))
                yield Cohort(f"{USER}{name}", f"{middle:g}", True, numbers > middle)
