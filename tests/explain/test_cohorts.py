"""Groups of people, and what a run's stored figures say of just these."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from core import pipeline
from core.data.store import Workspace
from core.evaluate.intervals import bootstrap
from core.explain.survey.cohorts import FEWEST, cohorts
from core.pipeline.explanations.cohorts import cohort_metrics, why_no_metrics
from core.types import FeatureBlock, Features, Queries
from tests.explaining import train


def people(lengths) -> Queries:
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    n = int(offsets[-1])
    return Queries(np.arange(len(lengths))[::-1], offsets, np.zeros(n, int), np.ones(n, np.float32))


def test_groups_by_length_and_by_what_is_known_of_people():
    queries = people([2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24])  # user codes 11 … 0
    country = np.zeros((12, 2))
    country[:6, 0] = country[6:, 1] = 1
    rare = sparse.csr_matrix(np.eye(12)[:, :1])
    ages = np.arange(12.0)[:, None] * 10
    ages[0] = np.nan
    features = Features(
        categorical=FeatureBlock(("land=a", "land=b"), sparse.csr_matrix(country)),
        multi_hot=FeatureBlock(("tag=x",), rare),
        numeric=FeatureBlock(("age",), ages),
    )
    rows = np.arange(12)
    length, *others = cohorts(queries, rows, features)
    assert (length.by, length.value, length.above) == ("length", "13", True)
    assert length.everybody.tolist() == [False] * 6 + [True] * 6
    by_name = {(one.by, one.value): one for one in others}
    assert set(by_name) == {("user.land", "a"), ("user.land", "b"), ("user.age", "60")}
    assert by_name["user.land", "a"].everybody.tolist() == [False] * 6 + [True] * 6
    assert by_name["user.age", "60"].everybody.tolist() == [True] * 5 + [False] * 7
    assert cohorts(queries, rows[: 2 * FEWEST - 1], features)[1:] == ()  # too few on a side
    assert len(cohorts(queries, rows, None)) == 1


@pytest.fixture
def evaluated(shop: Workspace) -> pipeline.LoadedRun:
    run = train(shop, "ease")
    pipeline.evaluate(shop, run, device="cpu")
    return pipeline.load_run(shop, run)


def test_metrics_are_those_of_just_these_people(evaluated):
    rows = np.arange(0, 40, 2)
    (length,) = cohort_metrics(evaluated, rows)
    data = evaluated.load_dataset()
    queries, stored = data.interactions.queries(), evaluated.run.per_user()
    middle = int(np.median(queries.lengths[rows]))
    assert length.cohort.value == str(middle)
    ids = pd.Series(data.users.decode(queries.users).astype(str))
    long = pd.Series(queries.lengths > middle)
    chosen = pd.Series(np.isin(np.arange(40), rows))
    assert length.explained == ((long & chosen).sum(), (~long & chosen).sum())
    assert [one.metric for one in length.metrics] == ["ndcg@10", "recall@10"]
    for one in length.metrics:
        for group, who in (
            (one.inside, long & chosen),
            (one.outside, ~long & chosen),
            (one.all_inside, long),
            (one.all_outside, ~long),
        ):
            own = stored[stored["user_id"].astype(str).isin(ids[who])][one.metric].to_numpy()
            assert group.people == len(own) > 0
            assert group.figure.mean == pytest.approx(own.mean())
            if len(own) >= 10 and own.std() > 0:
                low, high = bootstrap(own[:, None], np.random.default_rng(0))
                assert (group.figure.low, group.figure.high) == (low[0], high[0])
            else:
                assert group.figure.low is group.figure.high is None


def test_what_was_not_evaluated_is_not_made_up(shop):
    run = train(shop, "popularity")
    loaded = pipeline.load_run(shop, run)
    (length,) = cohort_metrics(loaded, np.arange(20))
    assert length.metrics == ()
    assert why_no_metrics(loaded) == "evaluated"
    whole = replace(loaded, run=train(shop, "popularity", split="none"))
    assert why_no_metrics(whole) == "split"
    assert cohort_metrics(whole, np.arange(20))[0].metrics == ()


def test_damaged_figures_are_said_to_be(evaluated):
    (path,) = evaluated.run.folder.glob("per_user*.parquet")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert why_no_metrics(evaluated) == "damaged"
    assert cohort_metrics(evaluated, np.arange(20))[0].metrics == ()
