"""Like these, less those: against a loop in float64, its parts against its cosines."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core import pipeline
from core.embed import Exact, Index, combined_neighbours, item_vectors, words
from core.errors import BadInput, NotFound
from core.runs.request import RunRequest

Lists = list[list[float]]


def cosine(a: list[float], b: list[float]) -> float:
    sizes = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / sizes if sizes else 0.0


def direction(rows: Lists, like: list[int], less: list[int], weight: float) -> list[float]:
    """Mean of unit vectors - weight · mean of unit vectors, number by number."""
    found = [0.0] * len(rows[0])
    for items, factor in ((like, 1.0), (less, -weight)):
        for item in items:
            size = math.sqrt(sum(x * x for x in rows[item]))
            for place, x in enumerate(rows[item]):
                found[place] += factor * x / size / len(items)
    return found


@st.composite
def asked(draw: Any) -> tuple[np.ndarray, list[int], list[int], float]:
    """Vectors, two sides without an item in common, a weight."""
    n, dim = draw(st.integers(4, 30)), draw(st.integers(2, 8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    vectors = rng.standard_normal((n, dim)).astype(np.float32) * np.float32(
        draw(st.sampled_from((1e-3, 1, 1e4)))
    )
    named = rng.permutation(n)[: draw(st.integers(1, min(n, 6)))].tolist()
    liked = draw(st.integers(1, len(named)))
    return vectors, named[:liked], named[liked:], draw(st.floats(0, 3))


@given(asked(), st.integers(1, 12))
def test_answers_and_their_parts_are_those_of_a_loop(question: Any, k: int) -> None:
    vectors, like, less, weight = question
    rows = vectors.astype(np.float64).tolist()
    way = direction(rows, like, less, weight)
    assume(math.sqrt(sum(x * x for x in way)) > 1e-3)
    found = combined_neighbours(Exact(vectors), like, less, k=k, weight=weight)
    others = [item for item in range(len(rows)) if item not in {*like, *less}]
    cosines = {item: cosine(rows[item], way) for item in others}
    assert len(found.items) == min(k, len(others))
    assert set(found.items.tolist()) <= set(others)
    np.testing.assert_allclose(found.cosines, [cosines[i] for i in found.items], atol=1e-9)
    best = sorted(cosines.values(), reverse=True)[: len(found.items)]
    np.testing.assert_allclose(found.cosines, best, atol=1e-9)
    np.testing.assert_allclose(found.parts.sum(axis=1), found.cosines, atol=1e-6)
    size = math.sqrt(sum(x * x for x in way))
    for item, parts in zip(found.items.tolist(), found.parts.tolist(), strict=True):
        alone = [cosine(rows[item], rows[i]) / len(like) / size for i in like]
        alone += [-weight * cosine(rows[item], rows[i]) / len(less) / size for i in less]
        np.testing.assert_allclose(parts, alone, atol=1e-9)


@given(asked())
def test_only_directions_count_and_the_order_named_does_not(question: Any) -> None:
    vectors, like, less, weight = question
    way = np.array(direction(vectors.astype(np.float64).tolist(), like, less, weight))
    assume(np.linalg.norm(way) > 1e-3)
    found = combined_neighbours(Exact(vectors), like, less, k=3, weight=weight)
    longer = vectors.astype(np.float64) * np.linspace(0.5, 2, len(vectors))[:, None]
    turned = combined_neighbours(
        Exact(longer), [*like[::-1], like[0]], less[::-1], k=3, weight=weight
    )
    np.testing.assert_allclose(turned.cosines, found.cosines, atol=1e-9)


def test_one_item_alone_has_its_neighbours_for_answers(clumps: Any) -> None:
    vectors, _ = clumps
    near = Exact(vectors).nearest(vectors[[7]], 10, np.array([7]))
    found = combined_neighbours(Exact(vectors), [7])
    assert found.items.tolist() == near.items[0].tolist()
    np.testing.assert_allclose(found.parts[:, 0], near.cosines[0], atol=1e-9)


def test_less_of_a_clump_leads_away_from_it(clumps: Any) -> None:
    vectors, labels = clumps
    a, b = np.flatnonzero(labels == 5)[0], np.flatnonzero(labels == 4)[0]
    both = combined_neighbours(Exact(vectors), [a, b], k=20)
    assert set(labels[both.items]) == {4, 5}
    less = combined_neighbours(Exact(vectors), [a], [b], k=20, weight=1)
    assert set(labels[less.items]) == {5}


def test_an_index_finds_the_same(clumps: Any) -> None:
    vectors, _ = clumps
    exact, index = (combined_neighbours(kind(vectors), [3, 60], [200]) for kind in (Exact, Index))
    assert len(np.intersect1d(exact.items, index.items)) >= 9
    np.testing.assert_allclose(index.parts.sum(axis=1), index.cosines, atol=1e-6)


@pytest.mark.parametrize(
    ("like", "less", "weight", "sentence"),
    [
        ([], [1], 0.5, "nothing is wanted"),
        ([1, 2], [2], 0.5, "item <2> is wanted and wanted less at once"),
        ([1, 0], [], 0.5, "nobody took item <0> where the model learnt: its vector is 0"),
        ([1], [0], 0.5, "item <0>"),
        ([3], [4], 1.0, "cancel each other"),
        ([1], [2], -1.0, "a number from 0, not -1.0"),
        ([1], [2], math.nan, "a number from 0, not nan"),
    ],
)
def test_what_points_nowhere_gets_one_sentence(
    like: list[int], less: list[int], weight: float, sentence: str
) -> None:
    vectors = np.random.default_rng(1).standard_normal((8, 5)).astype(np.float32)
    vectors[0], vectors[4] = 0, 2 * vectors[3]  # the two are one direction
    with pytest.raises(BadInput, match=sentence):
        combined_neighbours(
            Exact(vectors), like, less, weight=weight, called=lambda item: f"<{item}>"
        )
    if weight == 1:
        assert len(combined_neighbours(Exact(vectors), like, less, weight=0.99).items) == 6


# ---- a run, and the command ---------------------------------------------------------------------


@pytest.fixture
def near(shop: Any, shop_is_home: None) -> pipeline.Neighbourhood:
    """ALS on the shop's 25 items."""
    run = pipeline.train(shop, RunRequest("shop", "als", {"dim": 4}, device="cpu", name="als"))
    return pipeline.Neighbourhood(pipeline.load_run(shop, run, device="cpu"))


def test_a_run_s_answer_by_ids(near: pipeline.Neighbourhood) -> None:
    ids = near.loaded.items.ids
    found = pipeline.combined_neighbours(near, [ids[1], str(ids[4]), ids[1]], [ids[2]], k=20)
    wanted = combined_neighbours(Exact(item_vectors(near.loaded.model).values), [1, 4], [2], k=20)
    assert [one.item for one in found.vectors] == ids[wanted.items].tolist()
    assert [one.item for one in found.like] == ids[[1, 4]].tolist()
    assert (found.weight, found.recall, found.profiled) == (0.5, 1.0, 20)
    for one, parts in zip(found.vectors, wanted.parts, strict=True):
        assert [part.item for part in one.parts] == ids[[1, 4, 2]].tolist()
        assert [part.value for part in one.parts] == pytest.approx(parts)
        assert sum(part.value for part in one.parts) == pytest.approx(one.cosine, abs=1e-6)
    with pytest.raises(NotFound, match="item '7' is not in dataset shop"):
        pipeline.combined_neighbours(near, [7])


def test_what_stands_out_among_the_nearest_is_counted(near: pipeline.Neighbourhood) -> None:
    features = near.loaded.load_dataset().item_features
    known = words(features)
    assert known is not None
    loaded = near.loaded
    state = loaded.model.state()
    column = known.names.index("tea")
    tea = known.matrix[:, [column]].toarray()[:, 0] > 0
    state["items"] = np.where(tea[:, None], [[1.0, 0.1]], [[0.1, 1.0]]).astype(np.float32)
    state["items"] += np.random.default_rng(0).normal(0, 0.01, state["items"].shape)
    loaded.model.load(state)
    liked = int(np.flatnonzero(tea)[0])
    k = int(tea.sum()) - 1
    found = pipeline.combined_neighbours(
        pipeline.Neighbourhood(loaded), [loaded.items.ids[liked]], k=k
    )
    assert found.profiled == k
    (term,) = found.terms
    assert (term.name, term.inside, term.overall) == ("tea", k, tea.sum())


def test_the_command_says_the_same(near: pipeline.Neighbourhood, recscope: Any) -> None:
    asked = ["neighbours", "als", "--item", "20", "--item", "50"]
    asked += ["--less", "30", "--weight", "0.7", "-k", "4"]
    code, out, err = recscope(*asked, "--json")
    assert code == 0, err
    wanted = pipeline.combined_neighbours(near, [20, 50], [30], k=4, weight=0.7).to_json()
    assert out == json.loads(json.dumps(wanted, default=str))
    code, out, _ = recscope(*asked)
    assert code == 0
    assert "like pot (20), cup (50), less pot (30) (weight 0.7), als, vectors" in out
    assert "cosine" in out
    (head,) = (line for line in out.splitlines() if line.lstrip().startswith("item"))
    assert head.split() == ["item", "label", "cosine", "+20", "+50", "-30"]
    code, out, _ = recscope(*asked[:6], "--json")
    assert (code, out["less"]) == (0, [])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--item", "20", "--less", "20"), "item 20 is wanted and wanted less at once"),
        (("--item", "20", "--less", "7"), "item '7' is not in dataset shop"),
        (("--item", "20", "--weight", "1"), "--weight 1.0 has nothing to act on: add --less"),
        (("--item", "20", "--less", "30", "--weight", "-1"), "a number from 0, not -1.0"),
        (("--less", "30"), "--item"),
    ],
)
def test_mistakes_get_one_sentence(
    near: pipeline.Neighbourhood, recscope: Any, words: tuple[str, ...], sentence: str
) -> None:
    code, _, err = recscope("neighbours", "als", *words)
    assert code == 2
    assert sentence in err
    assert "Traceback" not in err
