"""What an item's score is held against: do the values then say better what moves its place?

python benchmarks/contrasts.py DATA_FOLDER [--models NAME,...] [--people 60] [--data NAME]

Each person's best item is explained by the mean of all items (as `explain` does it), by the other
contrasts of planted.py, and by the mean of the 100 best with the whole history; all values come of
the same histories. Then events go in the order of the values, as in `explain.py --only faithful`,
and it is printed how far each contrast is ahead of the mean of all, person by person.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from explain import FAITHFUL, FILMS, World, verdict
from machine import machine
from planted import CONTRASTS, Contrast, best

from core.explain import shapley
from core.explain.candidates import candidates
from core.explain.checks.baselines import falling_order
from core.explain.checks.faithfulness import MEASURES, faithfulness
from core.recommend.top_k import score_blocks
from core.types import Array, Queries, Recommender

PER_EVENT = 50  # histories asked for per event, at most


def mean_of_all(scores: torch.Tensor, allowed: Array, whole: Array) -> torch.Tensor:
    return scores[:, allowed].mean(dim=1)


WAYS: dict[str, Contrast] = {"mean": mean_of_all, **CONTRASTS, "100 best": best(100)}


def values_by_way(model: Recommender, query: Queries, item: int, n_items: int) -> Array:
    """Shapley values (n, W) of the item by each of WAYS."""
    allowed, n = candidates(query, n_items), len(query.items)
    whole = model.score(query)[0].double().cpu().numpy()

    def v(keep: Array) -> Array:
        blocks = []
        for _, scores in score_blocks(model, query.subsets(keep), n_items):
            all_scores = scores.double().cpu()
            against = [way(all_scores, allowed, whole) for way in WAYS.values()]
            blocks.append((all_scores[:, [item]] - torch.stack(against, dim=1)).numpy())
        return np.concatenate(blocks)

    if n <= shapley.MOST_ENUMERATED:
        return shapley.from_coalitions(v(shapley.coalitions(n)))
    orders = shapley.random_orders(n, PER_EVENT // 2, np.random.default_rng(0))
    return shapley.from_orders(v, orders).values


def main() -> None:
    """A line for each model and contrast."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", default=",".join(FAITHFUL))
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--data", default=FILMS)
    parser.add_argument("--seed", type=int, default=1, help="which people")
    parser.set_defaults(quick=False, device="cpu")
    chosen = parser.parse_args()
    print(machine("cpu"), flush=True)
    world, names = World(chosen), list(WAYS)
    n_items = world.n_items(chosen.data)
    for name in chosen.models.split(","):
        model, measured = world.model(name, chosen.data), []
        for query in world.people(chosen.data, 10, 120, chosen.people):
            item = int(world.top(model, query, 1, chosen.data)[0])
            values = values_by_way(model, query, item, n_items)
            orders = {
                way: falling_order(values[:, column], np.random.default_rng(0))
                for column, way in enumerate(names)
            }
            measured.append(faithfulness(model, query, item, orders, n_items=n_items))
        for way in names[1:]:
            words = []
            for measure, more in MEASURES.items():
                gains = np.array([one[way][measure] - one["mean"][measure] for one in measured])
                ahead = gains if more else -gains
                mean, se = ahead.mean(), ahead.std(ddof=1) / len(ahead) ** 0.5
                words.append(f"{measure} {mean:+.3f} ± {se:.3f}{verdict(mean, se)}")
            print(f"{name}, {way} ahead of the mean of all, {len(measured)} people:")
            print("  " + ", ".join(words), flush=True)


if __name__ == "__main__":
    main()
