"""Groups and their names, on clumps whose words are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.stats import fisher_exact

from core.embed.clusters import Clusters, clusters, names_of, over_represented, words
from core.embed.neighbours import unit
from core.types import FeatureBlock, Features


def has(n: int, **columns: list[int]) -> FeatureBlock:
    """Which of n things have each of these."""
    matrix = np.zeros((n, len(columns)))
    for place, rows in enumerate(columns.values()):
        matrix[rows, place] = 1
    return FeatureBlock(tuple(columns), sparse.csr_matrix(matrix))


def test_clumps_are_found_largest_first_and_the_same_again(clumps):
    points, labels = clumps
    found, again = clusters(points, 6, seed=3), clusters(points, 6, seed=3)
    np.testing.assert_array_equal(found.codes, again.codes)
    assert found.sizes.tolist() == [90, 70, 50, 40, 30, 20]
    np.testing.assert_array_equal(found.codes, 5 - labels)
    for group, row in enumerate(found.typical(points)):
        own = np.flatnonzero(found.codes == group)
        far = np.linalg.norm(unit(points)[own] - found.centres[group], axis=1)
        assert row == own[far.argmin()]


def test_equal_vectors_make_fewer_groups():
    found = clusters(np.repeat(np.eye(3), 5, axis=0), 7)
    assert found.sizes.tolist() == [5, 5, 5]
    assert clusters(np.ones((1, 2))).sizes.tolist() == [1]
    assert clusters(np.random.default_rng(0).standard_normal((3200, 4))).sizes.shape == (10,)


def test_terms_are_those_that_chance_does_not_explain():
    chosen = np.arange(200) < 40
    among = has(
        200,
        inside=[*range(30), 50, 60],  # 30 of 40 inside, 32 of 200: telling
        everywhere=list(range(200)),
        outside=list(range(40, 120)),
        twice=[0, 1],  # only inside, but two of two may be chance
        INSIDE=[*range(28), 50, 60],  # the same word again
        weak=[*range(12), *range(100, 140)],  # 12 of 40 inside, 52 of 200: lift 1.15
        rare=list(range(10)),  # ten of ten, all inside
    )
    found = over_represented(chosen, among)
    assert [term.name for term in found] == ["inside", "rare"]
    first = found[0]
    assert (first.inside, first.overall) == (30, 32)
    assert first.lift == pytest.approx((30 / 40) / (32 / 200))
    chance = fisher_exact([[2, 38], [0, 160]], alternative="greater").pvalue
    assert chance * 7 > 0.01  # why `twice` is not there
    assert over_represented(np.ones(200, bool), among) == []
    assert [term.name for term in over_represented(chosen, among, tested=10**6)] == ["inside"]

    many = np.arange(4000) < 1000
    somewhat = has(4000, weak=list(range(610, 1810)), telling=list(range(400, 1400)))
    assert [term.name for term in over_represented(many, somewhat)] == ["telling"]  # 1.3, 2.4


def test_names_have_three_terms_and_are_never_alike():
    groups = Clusters(np.repeat(np.arange(4), 50), np.zeros((4, 2), np.float32))
    half = list(range(100))
    among = has(200, a=half, b=[*range(40), *range(50, 90)], c=list(range(100, 140)))
    found = names_of(groups, among, ["K", "L", "M", "K"])
    assert found == ["a, b", "a, b, like L", "c", "like K"]
    assert names_of(groups, None, ["K", "L", "K", "k"]) == [
        "like K",
        "like L",
        "like K (2)",
        "like k (3)",
    ]


def test_a_decade_is_named_where_it_tells_more_than_any_of_its_years():
    """640 things: 20 with each of 1993 … 1998 in their titles, and in a column of years."""
    years = np.full(640, np.nan)
    years[:120] = np.repeat(np.arange(1993, 1999), 20)
    columns = {str(year): np.flatnonzero(years == year).tolist() for year in range(1993, 1999)}
    years[[130, 131]] = 1955  # one year is no decade
    numbers = np.stack([years, np.linspace(1900, 1999, 640)], axis=1)  # the second are no years
    among = words(
        Features(text=has(640, **columns), numeric=FeatureBlock(("year", "price"), numbers))
    )
    assert among.names == (*columns, "1990s")
    assert among.matrix[:, -1].sum() == 120

    several = np.zeros(640, bool)
    several[[*range(0, 120, 4), 200, 300]] = True  # 5 of each year and 2 others
    (term,) = over_represented(several, among)
    # A year: 5 of 32 to 20 of 640, 5 · ln 5 = 8.0. The decade: 30 to 120, 30 · ln 5 = 48.3.
    assert (term.name, term.inside, term.overall) == ("1990s", 30, 120)
    assert term.lift == pytest.approx(5)

    (term,) = over_represented(years == 1993, among)
    # The year: 20 of 20 to 20 of 640, 20 · ln 32 = 69.3. The decade: 20 · ln 5.33 = 33.5.
    assert (term.name, term.inside, term.overall) == ("1993", 20, 20)


def test_words_are_categories_and_long_words():
    features = Features(
        categorical=FeatureBlock(("kind=tea", "kind=x=y"), sparse.csr_matrix(np.eye(2))),
        text=FeatureBlock(
            ("title: of", "title: pot", "name: 茶壶"), sparse.csr_matrix(np.ones((2, 3)) / 2)
        ),
    )
    found = words(features)
    assert found.names == ("tea", "x=y", "pot", "茶壶")
    np.testing.assert_array_equal(found.matrix.toarray(), [[1, 0, 1, 1], [0, 1, 1, 1]])
    assert words(None) is None
    assert (
        words(Features(text=FeatureBlock(("t: of",), sparse.csr_matrix(np.ones((2, 1)))))) is None
    )
