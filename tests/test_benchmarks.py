"""What the benchmarks measure is what they say; how much is for them to say."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import auto
import numpy as np
import pytest
import torch
from accuracy import FIGURES, Among, by_chance, judged, params_of, pooled, settings
from floor import Few, needs
from fuzz import FORMATS, Made, make, tried
from protocols import CUTS, by_time, cold_items, leave_last_out
from speed import contenders, quality
from trials import difference

from core.evaluate import evaluate
from core.models.ensemble.score_fusion import ScoreFusion, ScoreFusionConfig
from core.models.neural.training_state import Batches
from core.recommend.top_k import recommend
from core.runs.config import model_config

USERS, ITEMS, LENGTH = 200, 60, 6


class Drawn:
    """Ranks at random, always the same."""

    def score(self, queries):
        return torch.from_numpy(np.random.default_rng(0).random((len(queries), ITEMS), np.float32))


class KnowsEven:
    """Puts what is asked for on top for every other person, and nothing for the rest."""

    def __init__(self, asked):
        self.targets = dict(zip(asked.queries.users.tolist(), asked.targets.tolist(), strict=True))

    def score(self, queries):
        scores = torch.zeros(len(queries), ITEMS)
        for row, user in enumerate(queries.users.tolist()):
            scores[row, self.targets[user]] = 1.0 - user % 2
        return scores


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A shop's log as .npz: each person takes LENGTH of ITEMS, none twice; ids are not codes."""
    rng = np.random.default_rng(1)
    items = np.concatenate([rng.permutation(ITEMS)[:LENGTH] for _ in range(USERS)])
    users, places = np.divmod(np.arange(USERS * LENGTH), LENGTH)
    order = rng.permutation(len(users))
    log = {"user_id": 7 * users, "item_id": 100 + 3 * items, "position": places}
    np.savez(tmp_path / "events.npz", **{name: values[order] for name, values in log.items()})
    tags = np.array([f"red|kind {item % 3}" for item in range(ITEMS)])
    np.savez(tmp_path / "items.npz", item_id=100 + 3 * np.arange(ITEMS), attributes=tags)
    return tmp_path


def test_a_random_ranking_gets_what_chance_gives():
    rng, n, draws = np.random.default_rng(0), 15, 40_000
    ranks = rng.integers(1, n + 1, draws)
    expected = by_chance(n)
    for k in (5, 10, 20):
        assert (ranks <= k).mean() == pytest.approx(expected[f"recall@{k}"], rel=0.05)
        gains = np.where(ranks <= k, 1 / np.log2(ranks + 1), 0)
        assert gains.mean() == pytest.approx(expected[f"ndcg@{k}"], rel=0.05)


def test_nothing_is_learnt_of_cold_items_and_only_they_are_asked(folder):
    whole, last = leave_last_out(folder, validation=False)
    train, test = cold_items(folder, validation=True, seed=3)
    seen = np.bincount(train.train_and_validation.items, minlength=ITEMS)
    cold = np.flatnonzero(seen == 0)
    assert len(cold) == ITEMS // 10
    assert np.isin(test.targets, cold).all()
    assert len(test) == np.isin(last.targets, cold).sum() > 0  # everyone whose last item is cold
    np.testing.assert_array_equal(test.targets, last.targets[test.queries.users])
    np.testing.assert_array_equal(
        train.train_and_validation.items,
        whole.interactions.items[~np.isin(whole.interactions.items, cold)],
    )
    assert len(train.validation.targets) > 0
    assert not np.isin(train.validation.targets, cold).any()
    other, _ = cold_items(folder, validation=True, seed=4)
    assert set(
        np.flatnonzero(np.bincount(other.train_and_validation.items, minlength=ITEMS) == 0)
    ) != set(cold)


def test_cold_items_are_ranked_among_themselves_in_multiples_of_chance(folder):
    train, test = cold_items(folder, validation=False)
    cold = np.flatnonzero(np.bincount(train.interactions.items, minlength=ITEMS) == 0)
    lists = recommend(Among(Drawn(), cold), test.queries, len(cold), n_items=ITEMS).items
    assert (np.sort(lists, axis=1) == cold).all()
    found = judged(Drawn(), train.interactions, test, cold=True)["hidden"]
    assert found["recall@5"] == pytest.approx(1, abs=0.5)
    assert found["recall@10"] == pytest.approx(1)  # everyone finds it, also by chance


def test_what_comes_after_the_end_of_a_period_is_not_known_in_it(sample_data):
    folder = sample_data / "movielens-latest-small"
    whole, last = by_time(folder, validation=False)
    train, test = by_time(folder, validation=True, end=0.9)
    asked = len(last.targets)
    assert len(test.targets) == pytest.approx(asked, rel=0.01)
    assert len(train.train_and_validation) == pytest.approx(
        len(whole.interactions) - asked, rel=0.01
    )
    assert len(train.validation.targets) == pytest.approx(asked, rel=0.01)


def test_periods_are_pooled_by_hand():
    def part(users: list[int], ndcg: list[float]) -> dict[str, Any]:
        mean = {"ndcg@10": float(np.mean(ndcg))}
        per_user = {"ndcg@10": np.array(ndcg)}
        rest = {"per_user": per_user, "users": np.array(users), "seconds": 2.0, "mib": (3.0, 0.0)}
        return {"hidden": mean, "kept": mean, **rest}

    found = pooled([part([4, 7], [0.2, 0.4]), part([7], [0.9])])
    assert found["hidden"]["ndcg@10"] == pytest.approx(0.5)
    assert found["users"].tolist() == [4, 7]
    np.testing.assert_allclose(found["per_user"]["ndcg@10"], [0.2, 0.65])
    assert found["seconds"] == 4


def test_lists_of_peers_are_judged_as_ours_are(folder):
    train, test = leave_last_out(folder, validation=False)
    lists = recommend(Drawn(), test.queries, 10, n_items=ITEMS).items
    found = evaluate(Drawn(), test, train=train.interactions, ks=(10,)).summary
    expected = (found["recall@10"]["mean"], found["ndcg@10"]["mean"])
    assert quality(lists, test) == pytest.approx(expected)
    assert 0 < expected[1] < expected[0] < 1


def test_halves_are_weighed_by_the_other_half(folder):
    train, _ = leave_last_out(folder, validation=True)
    asked, log = train.validation, train.interactions
    fusion = ScoreFusion.alike(
        ScoreFusionConfig(), (Drawn(), KnowsEven(asked)), log.queries(np.arange(0)), "cpu"
    )
    found = auto.crossed(fusion, asked, log, np.random.default_rng(0))
    assert len(found) == len(asked) == USERS
    assert (found[::2] == 1).mean() > 0.9
    assert found[1::2].mean() < 0.3


def test_what_auto_promised_is_kept_or_broken():
    own = {"told": 0.1, "evaluated": 0.1, "off": 0.4}
    row = {"minutes": 0.5, "wall": 31.0, "mib": 900.0, "shown": {"auto": own}, "ndcg@10": 0.1}
    row["components"] = {"als": auto.margin(-0.01, -0.02, 0.0) | {"ndcg@10": 0.09}}
    row["singles"] = {"als": auto.margin(-0.02, -0.03, -0.01) | {"ndcg@10": 0.08}}
    assert row["components"]["als"]["errors"] == pytest.approx(1.96, abs=0.01)
    assert "BROKEN" not in "\n".join(auto.verdict([row, {"failed": "no word why"}]))
    for broken in (
        {"wall": 32.0},
        {"mib": 3000.0},
        {"shown": {"auto": auto.beside(0.2, np.array([0.0, 0.1, 0.1, 0.0]))}},
        {"components": {"als": auto.margin(0.01, 0.0, 0.02) | {"ndcg@10": 0.11}}},
        {"singles": {"als": auto.margin(-0.01, -0.02, 0.0) | {"ndcg@10": 0.09}}},
    ):
        assert "\n".join(auto.verdict([row | broken])).count("BROKEN") == 1


def test_a_step_needs_what_a_layer_needs():
    net = torch.nn.Linear(5, 3, bias=False)
    rows = torch.ones(8, 5)
    steps = Few(Batches(torch.full((16,), 9), 8, torch.Generator()), 2)
    flops, kept = needs(net, steps, lambda chosen: (net(rows[: len(chosen)]) ** 2).sum())
    assert flops == 2 * (2 * 8 * 5 * 3) * 2  # forward, and backward to the weights; two steps
    assert kept == 2 * (8 * 5 + 8 * 3) * 4  # the input, and the output to be squared


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_each_row_has_data_a_model_and_settings_that_are_there(device):
    for row in settings()["row"]:
        model_config(row["model"], params_of(row, device))
        assert row["data"] in CUTS
        assert {*row.get("must", {}), *row.get("aim", {})} <= set(FIGURES)
    for target in settings()["target"]:
        model_config("unified", target["params"])
    for _, who, own in [c for name in ("peers", "equal") for c in contenders(settings()[name])]:
        if who == "recscope":
            model_config("unified", settings()["peers"]["shape"] | own)
    model_config("unified", settings()["million"]["params"])


def test_a_trial_notices_each_way_of_reading_wrong():
    right = [("a", "1", 10.0, 2.5), ("a", "2", 20.0, None), ("b", "1", 30.0, 1.0)]
    assert not difference(right[::-1], right, 0.001)
    assert "2 events" in difference(right[1:], right, 0.001)
    for wrong in (("a", "3", 10.0, 2.5), ("A", "1", 10.0, 2.5), ("a", "1", 10.5, 2.5)):
        assert difference([wrong, *right[1:]], right, 0.001)
    assert difference([("a", "1", 10.0, 25.0), *right[1:]], right, 0.001)
    assert difference([("a", "1", None, 2.5), *right[1:]], right, 0.001)


def test_people_without_names_may_bear_any():
    right = [("0", "x", None, None), ("0", "y", None, None), ("1", "x", None, None)]
    named = [("1", "y", None, None), ("1", "x", None, None), ("2", "x", None, None)]
    assert not difference(named, right, 0.001)
    assert difference([*named[:2], ("2", "y", None, None)], right, 0.001)


def test_fuzzed_files_are_told_apart(tmp_path):
    whole = next(
        made
        for made in (make(8 * n, 0) for n in range(100))
        if made.events and len(made.events) > 5
    )
    assert make(8, 0) == make(8, 0)
    assert {make(n, 0).name.split(".", 1)[1] for n in range(8)} == set(FORMATS)
    assert tried(whole, tmp_path / "whole").kind == "read"
    lost = Made(whole.name, whole.content, (), whole.events + Counter({("7", "none"): 1}))
    assert tried(lost, tmp_path / "lost").kind == "untrue"
    empty = Made("empty.csv", b"", (), None)
    assert tried(empty, tmp_path / "empty").kind == "refused"
