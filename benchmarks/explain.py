"""Explanations: do they add up, are they right, how fast are they, do they say what moves a model.

python benchmarks/explain.py DATA_FOLDER [--only NAME,...] [--quick] [--seed 0] [--device cuda]

gap         every model, 1,000 random pairs of a person and an item: does it add up
exact       at most 8 events against all coalitions, asked one by one by a loop of its own
sampled     40 to 120 events, 100 histories each, against a reference of ten times as many
seeds       200 events: do two seeds name the same, do the standard errors cover the error
shap        the same beside shap.PermutationExplainer as shipped: same model, same evaluations
speed       top 10 of `unified` on ml-1m, histories of 200: seconds to first bars and to the last
what-if     seconds to the new top 10 of an edited history
faithful    what happens to rank and score as events go, beside other orders of them, one of
            which is by what was explained once: the raw score
counter     counterfactuals: found, verified, never larger than in the order of values
common      the share of all values that is the same for the 100 best items

Models are trained here, small, on DATA_FOLDER/movielens-latest-small and ml-1m; each figure is
printed with what must be reached. --quick asks fewer people, to see that it runs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from itertools import product
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, peak_mib
from protocols import CUTS, learnt_from, movielens
from scipy.stats import spearmanr

from core.data.split import split_log
from core.explain import explain, refine, shapley
from core.explain.attribution import PER_PLAYER
from core.explain.candidates import candidates
from core.explain.checks.baselines import baselines, falling_order
from core.explain.checks.faithfulness import MEASURES, faithfulness
from core.explain.contrast import Contrast
from core.explain.counterfactual import counterfactual
from core.explain.game import Game
from core.explain.what_if import edit_history, rank_moves
from core.models import MODELS
from core.recommend.top_k import recommend
from core.runs.config import model_config
from core.types import Array, LinearInHistory, Queries, Recommender, TrainData

FILMS = "movielens-latest-small"
SMALL: dict[str, dict[str, Any]] = {  # enough to explain, not to win
    "unified": {"dim": 64, "epochs": 8, "loss": "sampled"},
    "two_tower": {"epochs": 3},
    "neumf": {"epochs": 2},
    "mlp_rating": {"epochs": 2},
    "lightgcn": {"epochs": 2},
    "simgcl": {"epochs": 2},
    "auto": {"minutes": 0.3},
}
FAITHFUL = ("recvae", "als", "unified")
LONG = {"dim": 64, "epochs": 3, "max_len": 200, "loss": "sampled", "refit": False}


class World:
    """The data, and models fitted to it when first asked for."""

    def __init__(self, chosen: Any) -> None:
        self.folder, self.quick, self.seed = chosen.folder, chosen.quick, chosen.seed
        self.device, self.only = chosen.device, tuple(filter(None, chosen.models.split(",")))
        self._cuts: dict[str, Any] = {}
        self._models: dict[tuple[str, str, int], Recommender] = {}

    def cut(self, data: str) -> tuple[TrainData, Queries]:
        """What is learnt from, and the histories that are asked."""
        if data not in self._cuts:
            folder = self.folder / data
            if data == FILMS:  # as the workbench cuts it
                log, features = movielens(folder)
                train = learnt_from(split_log(log, "leave-last-out", validation=True), features)
            else:
                train, _ = CUTS[data](folder, validation=True)
            self._cuts[data] = train, (train.train_and_validation or train.interactions).queries()
        train, queries = self._cuts[data]
        return train, queries

    def model(self, name: str, data: str = FILMS, seed: int = 0) -> Recommender:
        key = (name, data, seed)
        if key not in self._models:
            train, _ = self.cut(data)
            params = LONG if data == "ml-1m" else SMALL.get(name, {})
            given = train
            if name == "fusion":
                parts = {part: self.model(part, data, seed) for part in ("unified", "ease")}
                given = TrainData(
                    train.interactions,
                    train.item_features,
                    None,
                    train.validation,
                    train.train_and_validation,
                    parts,
                )
            config = model_config(name, params)
            rng, start = np.random.default_rng(seed), time.perf_counter()
            fitted = MODELS[name](config).fit(given, rng=rng, device=self.device)
            print(
                f"  ({name} on {data}, {params}, {time.perf_counter() - start:.0f} s)", flush=True
            )
            self._models[key] = fitted
        return self._models[key]

    def people(self, data: str, low: int, high: int, n: int) -> Iterator[Queries]:
        """Histories of low to high events, as strangers', drawn by the seed."""
        _, queries = self.cut(data)
        fits = np.flatnonzero((queries.lengths >= low) & (queries.lengths <= high))
        fits = np.random.default_rng(self.seed).permutation(fits)
        for b in fits[: min(n, 4) if self.quick else n]:
            one = queries[np.array([b])]
            yield Queries(np.array([-1]), one.offsets, one.items, one.weights, one.times)

    def n_items(self, data: str = FILMS) -> int:
        return self.cut(data)[0].interactions.n_items

    def top(self, model: Recommender, query: Queries, k: int = 10, data: str = FILMS) -> Array:
        """The k items it recommends."""
        found: Array = recommend(model, query, k, n_items=self.n_items(data)).items[0]
        return found


def gap(world: World) -> None:
    rng, n_items = np.random.default_rng(world.seed), world.n_items()
    for name in world.only or MODELS:
        model, worst, pairs = world.model(name), 0.0, 0
        for query in world.people(FILMS, 1, 300, 100):
            items = rng.choice(n_items, 10, replace=False)
            found = explain(model, query, items, n_items=n_items, per_player=4)
            worst = max(worst, float((found.gap / np.maximum(1, np.abs(found.scores))).max()))
            pairs += len(items)
        print(f"gap, {name}: {worst:.1e} of max(1, |score|) at worst of {pairs:,}; must 1e-5")


def exact(world: World) -> None:
    for name in world.only or MODELS:
        model, off, n_items = world.model(name), [], world.n_items()
        for query in world.people(FILMS, 1, 10_000, 20):
            query = query.latest(8)
            items = world.top(model, query, 3)
            found = explain(model, query, items, n_items=n_items)
            allowed = candidates(query, n_items)
            if isinstance(model, LinearInHistory):
                v = linear(model, items, allowed)
            else:
                v = asked(model, items, allowed)
            off.append(distance(found.values, by_loop(v, query)))
        must = 1e-10 if isinstance(model, LinearInHistory) else 1e-6
        print(f"exact, {name}: relative L2 {max(off):.1e} at worst of {len(off)}; must {must:.0e}")


def by_loop(v: Callable[[Queries], Array], query: Queries) -> Array:
    """Shapley values (n, T) by the weighted sum over subsets, one at a time."""
    n = len(query.items)
    values = {}
    for keep in product((0, 1), repeat=n):
        there = np.flatnonzero(keep)
        times = None if query.times is None else query.times[there]
        part = Queries(
            query.users,
            np.array([0, len(there)]),
            query.items[there],
            query.weights[there],
            times,
        )
        values[keep] = v(part)
    found = np.zeros((n, len(values[(0,) * n])))
    for keep, value in values.items():
        for i in range(n):
            if not keep[i]:
                joined = values[(*keep[:i], 1, *keep[i + 1 :])]
                found[i] += (joined - value) / (n * comb(n - 1, sum(keep)))
    return found


def asked(model: Recommender, items: Array, allowed: Array) -> Callable[[Queries], Array]:
    """How far the items (T,) lie above those that may be recommended, as `explain` has it."""
    return lambda part: asked_all(model, part, items, allowed)[0]


def asked_all(model: Recommender, queries: Queries, items: Array, allowed: Array) -> Array:
    """The same of several histories, (B, T)."""
    scores = model.score(queries).double().cpu().numpy()
    level = scores[:, allowed].mean(axis=1, keepdims=True)
    if Contrast.of(model) is Contrast.SHARE:
        level = np.log(np.exp(scores[:, allowed]).sum(axis=1, keepdims=True))
    above: Array = scores[:, items] - level
    return above


def linear(model: LinearInHistory, items: Array, allowed: Array) -> Callable[[Queries], Array]:
    """The same in float64, event by event, from what each adds and how it fades."""

    def v(part: Queries) -> Array:
        total, fading = np.zeros(len(items)), model.fading(max(1, len(part.items)))
        shares = model.shares(part, np.arange(len(allowed)))
        for place, age in enumerate(part.ages):
            own = shares[place].astype(np.float64)
            total += (own[items] - own[allowed].mean()) * fading[age]
        return total

    return v


def distance(values: Array, reference: Array) -> float:
    size = float(np.linalg.norm(reference))
    return float(np.linalg.norm(values - reference)) / size if size else float(np.abs(values).max())


def sampled(world: World) -> None:
    for name in ("unified", "als", "recvae"):
        rows = []
        for query in world.people(FILMS, 40, 80, 12):
            model, n = world.model(name), len(query.items)
            items = world.top(model, query)
            reference = converged(world, model, query, items, 1000)
            game = Game(model, query, items, world.n_items())
            drawn = shapley.random_orders(
                n, 100 * n // (2 * n - 2), np.random.default_rng(world.seed)
            )
            found = shapley.from_orders(totals(game), drawn)
            rows.append([*agreement(found.values, reference), game.evaluations / n])
        off, order, spent = np.median(rows, axis=0)
        print(
            f"sampled, {name}: {len(rows)} people, {spent:.0f} histories per event: relative L2 "
            f"{off:.3f} (must .12), Spearman {order:.3f} (must .97), medians; 9 in 10 below "
            f"{np.quantile([row[0] for row in rows], 0.9):.3f}",
            flush=True,
        )


def converged(
    world: World, model: Recommender, query: Queries, items: Array, per_event: int
) -> Array:
    """Values (n, T) from so many histories per event, other orders than those measured."""
    game, n = Game(model, query, items, world.n_items()), len(query.items)
    drawn = shapley.random_orders(n, per_event * n // (2 * n - 2), np.random.default_rng(10**6))
    return shapley.from_orders(totals(game), drawn).values


def totals(game: Game) -> Callable[[Array], Array]:
    """What the game says, components added up, (M, T)."""
    return lambda keep: game(keep).sum(axis=2)


def agreement(values: Array, reference: Array) -> tuple[float, float]:
    """Median over the items of the relative L2 and of Spearman's correlation."""
    off = np.linalg.norm(values - reference, axis=0) / np.linalg.norm(reference, axis=0)
    orders = [spearmanr(a, b)[0] for a, b in zip(values.T, reference.T, strict=True)]
    return float(np.median(off)), float(np.median(orders))


def seeds(world: World) -> None:
    """Two seeds at the usual effort, and how often ± 1.96 covers what many more orders give."""
    for name, data in (("als", FILMS), ("recvae", FILMS), ("unified", "ml-1m")):
        model, n_items, same, covered = world.model(name, data), world.n_items(data), [], []
        for query in world.people(data, 200, 10_000, 12):
            query = query.latest(200)
            items = world.top(model, query, 3, data)
            first, second = (explain(model, query, items, n_items=n_items, seed=s) for s in (0, 1))
            best = [np.argsort(-np.abs(each.values), axis=0)[:5] for each in (first, second)]
            pairs = zip(*(each.T for each in best), strict=True)
            same += [len(np.intersect1d(*pair)) / 5 for pair in pairs]
            steps = refine(
                model, query, items, n_items=n_items, seed=2, per_player=600, until=10**9
            )
            *_, many = steps
            gaps = np.abs(first.values - many.values)
            covered.append(float((gaps <= 1.96 * np.hypot(first.se, many.se)).mean()))
        print(
            f"seeds, {name} on {data}: of the first five of two seeds {np.mean(same):.1%} are the "
            f"same (must 90%), ± 1.96 covers {np.mean(covered):.1%} (must 95 ± 3), {len(covered)} "
            "people, 3 items each",
            flush=True,
        )


def against_shap(world: World) -> None:
    import shap

    class Players:
        """The masker: a coalition is its own row of 0 and 1."""

        def __init__(self, n: int) -> None:
            self.shape = (1, n)

        def __call__(self, mask: Array, x: Array) -> tuple[Array]:
            return (np.asarray(mask, float)[None, :],)

    rows: list[list[tuple[float, float]]] = []
    model, n_items = world.model("unified"), world.n_items()
    for query in world.people(FILMS, 50, 70, 9):
        n, items = len(query.items), world.top(model, query)
        reference = converged(world, model, query, items, 1000)

        def scores(keep: Array, query: Queries = query, items: Array = items) -> Array:
            allowed = candidates(query, n_items)
            return asked_all(model, query.subsets(keep > 0.5), items, allowed)

        explainer = shap.PermutationExplainer(scores, Players(n), seed=world.seed)
        start = time.perf_counter()
        theirs = explainer(np.ones((1, n)), max_evals=100 * n, silent=True).values[0]
        middle = time.perf_counter()
        timed = [(theirs, middle - start)]
        for per_event in (100, 20):  # as many orders as shap draws; a fifth of them
            begin = time.perf_counter()
            game = Game(model, query, items, n_items)
            pairs = per_event * n // (2 * n + 1)
            drawn = shapley.random_orders(n, pairs, np.random.default_rng(world.seed))
            ours = shapley.from_orders(totals(game), drawn).values
            timed.append((ours, time.perf_counter() - begin))
        rows.append([(seconds, agreement(values, reference)[0]) for values, seconds in timed])
    told = np.array(rows[1:] or rows)  # the first warms up
    (slow, their_error), (fast, error), (few, few_error) = np.median(told, axis=0)
    ratios = np.median(told[:, :1, 0] / told[:, 1:, 0], axis=0)
    print(
        f"shap, PermutationExplainer, 100 evaluations per event: {slow:.2f} s, error "
        f"{their_error:.3f}; here {fast:.2f} s, error {error:.3f}: {ratios[0]:.1f} times faster "
        f"(must 5, error not larger); with a fifth of the evaluations {few:.2f} s, error "
        f"{few_error:.3f}: {ratios[1]:.1f} times"
    )


def speed(world: World) -> None:
    model, n_items = world.model("unified", "ml-1m"), world.n_items("ml-1m")
    times = []
    for query in world.people("ml-1m", 200, 10_000, 51):
        query = query.latest(200)
        items, start = world.top(model, query, data="ml-1m"), time.perf_counter()
        seen = [
            (time.perf_counter() - start, f) for f in refine(model, query, items, n_items=n_items)
        ]
        times.append([seen[0][0], seen[-1][0], seen[-1][1].evaluations])
    first, last, evaluations = np.median(times[1:], axis=0)
    musts = (1.5, 15) if world.device == "cpu" else (0.3, 0.3)
    print(
        f"speed, unified on ml-1m, top 10, 200 events, {len(times) - 1} people: first bars "
        f"{first:.2f} s (must {musts[0]}), full precision {last:.2f} s (must {musts[1]}), "
        f"{evaluations:,.0f} histories, medians"
    )


def what_if(world: World) -> None:
    for data, low in ((FILMS, 20), ("ml-1m", 200)):
        model, n_items, times = world.model("unified", data), world.n_items(data), []
        for query in world.people(data, low, 10_000, 51):
            rng, n = np.random.default_rng(world.seed), len(query.items)
            start = time.perf_counter()
            changed = edit_history(query, drop=[n // 2], add=[int(rng.integers(n_items))])
            rank_moves(model, query, changed, n_items=n_items, k=10)
            times.append(time.perf_counter() - start)
        print(
            f"what-if, unified on {data}: {np.median(times[1:]):.3f} s, at most "
            f"{max(times[1:]):.3f} s of {len(times) - 1} (must .3)"
        )


def counter(world: World) -> None:
    """An order by values, and the check of what is found, of its own."""
    for name in ("unified", "ease", "als"):
        model, n_items, sizes, times = world.model(name), world.n_items(), [], []
        for query in world.people(FILMS, 5, 100, 30):
            item = int(world.top(model, query, 1)[0])
            values = explain(model, query, np.array([item]), n_items=n_items).values[:, 0]
            order = np.argsort(-values, kind="stable")
            start = time.perf_counter()
            found = counterfactual(model, query, item, n_items=n_items, order=order)
            times.append(time.perf_counter() - start)
            assert not found.exists or rank_without(model, query, item, found.removed) > 10
            along = (
                m
                for m in range(1, len(order) + 1)
                if rank_without(model, query, item, order[:m]) > 10
            )
            sizes.append((len(found.removed), next(along, 0), found.exists))
        mine, theirs, right = np.array(sizes).T
        there = theirs > 0
        larger = int((there & ((mine > theirs) | (right == 0))).sum())
        small = int(((mine > 0) & (mine <= 5)).sum())
        print(
            f"counter, {name}: top 1 out of the top 10, {len(sizes)} people: all of "
            f"{int(right.sum())} found hold when asked again, {larger} larger than in the order of "
            f"values (must 0), {mine[there].sum()} events against {theirs[there].sum()} in all, "
            f"at most 5 for {small}; {np.median(times):.2f} s"
        )


def rank_without(model: Recommender, query: Queries, item: int, removed: Any) -> int:
    """The item's rank among all items but those of the whole history, some events gone."""
    keep = ~np.isin(np.arange(len(query.items)), removed)
    scores = model.score(query.subsets(keep[None]))[0].double().cpu().numpy()
    own = scores[item]
    scores[query.items] = -np.inf
    return 1 + int((scores > own).sum()) + int((scores[:item] == own).sum())


def faithful(world: World) -> None:
    n_items, seeds = world.n_items(), (0, 1)
    log = world.cut(FILMS)[0].interactions
    together = log.queries().matrix(n_items).T.tocsr()  # who took each item: for als' cosines
    for name, seed in product(world.only or FAITHFUL, seeds):
        model, told = world.model(name, seed=seed), []
        for query in world.people(FILMS, 10, 120, 10_000):
            item = int(world.top(model, query, 1)[0])
            rng = np.random.default_rng(world.seed)
            orders = baselines(model, query, item, n_items=n_items, rng=rng, rows=together)
            found = explain(model, query, np.array([item]), n_items=n_items)
            orders["values"] = falling_order(found.values[:, 0], rng)
            effort = max(1, found.evaluations // (2 * len(query.items)))  # as many histories
            raw = raw_values(model, query, np.array([item]), n_items, pairs=effort)
            orders["raw score"] = falling_order(raw[:, 0], rng)
            told.append(faithfulness(model, query, item, orders, n_items=n_items))
        for other in [order for order in told[0] if order != "values"]:
            words = []
            for measure, more in MEASURES.items():
                ahead = [one["values"][measure] - one[other][measure] for one in told]
                ahead = [gain if more else -gain for gain in ahead if np.isfinite(gain)]
                mean, se = np.mean(ahead), np.std(ahead, ddof=1) / len(ahead) ** 0.5
                words.append(f"{measure} {mean:+.3f} ± {se:.3f}{verdict(mean, se)}")
            print(f"faithful, {name}, seed {seed}, ahead of {other}, {len(told)} people:")
            print("  " + ", ".join(words), flush=True)


class RawGame(Game):
    """The game of the model's own score, without the mean of all items."""

    def __call__(self, keep: Array) -> Array:
        scores: Array = self.scores(keep)[:, :-1]
        return scores


def raw_values(
    model: Recommender, query: Queries, items: Array, n_items: int, *, pairs: int = PER_PLAYER // 2
) -> Array:
    """Shapley values (n, T) of the raw score: all coalitions, or pairs of orders.

    A closed form is not used: its values are those of the orders, which know fading and sums.
    """
    game = RawGame(model, query, items, n_items)
    n = game.n

    def v(keep: Array) -> Array:
        total: Array = game(keep).sum(axis=2)
        return total

    if n <= shapley.MOST_ENUMERATED:
        return shapley.from_coalitions(v(shapley.coalitions(n)))
    orders = shapley.random_orders(n, pairs, np.random.default_rng(0))
    return shapley.from_orders(v, orders).values


def common(world: World) -> None:
    """Of an event's values of many items, what is the same for all moves none before another."""
    model, n_items = world.model("unified"), world.n_items()
    everything, shares = np.arange(n_items), []
    for query in world.people(FILMS, 5, 60, 50):
        items = world.top(model, query, 100)
        allowed, own = candidates(query, n_items), []
        for values in (
            explain(model, query, everything, n_items=n_items).values,
            explain(model, query, everything, n_items=n_items, contrast=Contrast.MEAN).values,
            raw_values(model, query, everything, n_items),
        ):
            best = values[:, items]
            own += [share_in_common(best, values[:, allowed].mean(axis=1))]
            own += [share_in_common(best, best.mean(axis=1))]
        shares.append(own)
    print(f"common, unified, of the squares of values of the 100 best items, {len(shares)} people:")
    ways = ("as explained", "less the mean", "raw score")
    for way, (in_all, in_best) in zip(ways, np.mean(shares, axis=0).reshape(3, 2), strict=True):
        print(f"  {way}: the same for all items {in_all:.1%} (must 5%), for the 100 {in_best:.1%}")


def share_in_common(values: Array, common: Array) -> float:
    """Of the squares of values (n, T), the part of what is the same (n,) for every item."""
    return float(np.square(common).sum() * values.shape[1] / np.square(values).sum())


def verdict(mean: Any, se: Any) -> str:
    return " better" if mean > 2 * se else " WORSE" if mean < -2 * se else " alike"


PARTS: dict[str, Callable[[World], None]] = {
    "gap": gap,
    "exact": exact,
    "sampled": sampled,
    "seeds": seeds,
    "shap": against_shap,
    "speed": speed,
    "what-if": what_if,
    "counter": counter,
    "faithful": faithful,
    "common": common,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--models", default="", help="of gap, exact and faithful; else all theirs")
    parser.add_argument("--quick", action="store_true", help="few people, to see that it runs")
    parser.add_argument("--seed", type=int, default=0, help="which people, and which orders")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    chosen = parser.parse_args()
    print(machine(chosen.device), flush=True)
    world = World(chosen)
    for name in chosen.only.split(","):
        start = time.perf_counter()
        PARTS[name](world)
        print(
            f"  ({name}: {time.perf_counter() - start:.0f} s, {peak_mib('cpu')[0]:.0f} MiB)",
            flush=True,
        )


if __name__ == "__main__":
    main()
