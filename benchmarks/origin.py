"""Do the people named as the origin of a reason bear it? Trained again without them. Needs no data.

python benchmarks/origin.py [--models NAME,...] [--seeds 3] [--people 300] [--cases 4] [--removed 8]

A made-up log: an item B follows its A within three events, or its C, or comes by chance; so people
hold A and then B for a reason, or by chance. A network learns it; of somebody who has A alone it is
told who taught it that A speaks for B (core.explain.origin). Then it learns anew, by the same seed,
while the first of them count next to nothing, so that every draw of the training is as it was, and
it is measured how far the value of A for B falls: v(history) less v(history without A), as a share
of what it was. Beside it the same without as many people who took
A and then B, those who took B soonest or some drawn; and without people drawn from all, each with
as many events as an origin. Each share has its standard error over all cases and seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

import numpy as np
from machine import machine
from protocols import plain_log

from core.explain.game import Game
from core.explain.origin import origins
from core.models import MODELS
from core.pipeline.explanations.origin import without
from core.runs.config import model_config
from core.types import Array, Interactions, Ints, Queries, Recommender, Setting, TrainData

NOISE, GROUPS = 60, 6
A, C, B = (NOISE + at * GROUPS for at in range(3))  # the first of the As, of the Cs, of the Bs
N_ITEMS = NOISE + 3 * GROUPS
FOLLOWS, B_BY_CHANCE, A_BY_CHANCE = 0.7, 0.4, 0.3
SMALL: dict[str, Mapping[str, Setting]] = {
    "two_tower": {"dim": 32, "batch": 128, "epochs": 25},
    "lightgcn": {"batch": 256, "epochs": 40},
    "simgcl": {"batch": 256, "epochs": 25},
    "unified": {"dim": 32, "layers": 1, "batch": 16, "learning_rate": 4e-3, "epochs": 40},
}


def planted_person(rng: np.random.Generator) -> list[int]:
    """One person's items, oldest first: noise, two causes, what follows, what comes by chance."""
    items: list[int] = rng.permutation(NOISE)[: rng.integers(5, 9)].tolist()
    for group in rng.choice(GROUPS, 2, replace=False).tolist():
        cause = group + (A if rng.random() < 0.5 else C)
        items.insert(int(rng.integers(len(items) + 1)), cause)
        if rng.random() < FOLLOWS:
            after = items.index(cause) + 1 + int(rng.integers(3))
            items.insert(min(len(items), after), group + B)
    for first, chance in ((B, B_BY_CHANCE), (A, A_BY_CHANCE)):
        extra = first + int(rng.integers(GROUPS))
        if rng.random() < chance and extra not in items:
            items.insert(int(rng.integers(len(items) + 1)), extra)
    return items


def planted_log(seed: int, people: int) -> Interactions:
    """A log of so many people, with times."""
    rng = np.random.default_rng(seed)
    histories = [planted_person(rng) for _ in range(people)]
    users = np.repeat(np.arange(people), [len(items) for items in histories])
    times = np.concatenate([np.arange(len(items)) for items in histories])
    return plain_log(users, np.concatenate(histories), people, N_ITEMS, times)


def asked(rng: np.random.Generator, group: int) -> Queries:
    """The history of somebody who has this group's A, and neither its B nor its C."""
    items: list[int] = rng.permutation(NOISE)[: rng.integers(5, 9)].tolist()
    items.insert(int(rng.integers(len(items) + 1)), A + group)
    n = len(items)
    ones = np.ones(n, np.float32)
    return Queries(np.array([-1]), np.array([0, n]), np.array(items), ones, times=np.arange(n))


def fitted(name: str, log: Interactions, seed: int) -> Recommender:
    """The network after as many passes each time, so that only the log makes a difference."""
    model = MODELS[name](model_config(name, SMALL[name]))
    return model.fit(TrainData(log), rng=np.random.default_rng(seed))


def value(model: Recommender, query: Queries, cause: int, item: int) -> float:
    """How much less the item is lifted above others without the cause."""
    keep = np.stack([np.ones(len(query.items), bool), query.items != cause])
    whole, rest = Game(model, query, np.array([item]), N_ITEMS)(keep)[:, 0, 0]
    return float(whole - rest)


def gaps(log: Interactions, cause: int, item: int) -> Array:
    """Events from each person's cause to the item after it, (U,); inf where there is none."""
    gap = np.full(log.n_users, np.inf)
    for user, (low, high) in enumerate(zip(log.offsets[:-1], log.offsets[1:], strict=True)):
        taken = log.items[low:high].tolist()
        if cause in taken and item in taken[taken.index(cause) :]:
            gap[user] = taken.index(item) - taken.index(cause)
    return gap


def alike(log: Interactions, users: Ints, rng: np.random.Generator) -> Ints:
    """For each of these people another one, drawn from those with as many events or nearly."""
    lengths = log.queries().lengths
    drawn: list[int] = []
    for user in users.tolist():
        distance = np.abs(lengths - lengths[user]) + rng.random(len(lengths))
        distance[[*users, *drawn]] = np.inf
        drawn.append(int(distance.argmin()))
    return np.array(drawn)


def removals(
    model: Recommender, query: Queries, log: Interactions, group: int, n: int, seed: int
) -> dict[str, Ints]:
    """Whom to leave out, by each way of choosing n people."""
    rng = np.random.default_rng(seed)
    first = origins(model, query, A + group, B + group, log, n_items=N_ITEMS).users[:n]
    gap = gaps(log, A + group, B + group)
    both = np.flatnonzero(np.isfinite(gap))
    soonest = both[np.lexsort((rng.random(len(both)), gap[both]))]
    return {
        "origins": first,
        "A then B, soonest": soonest[:n],
        "A then B, drawn": rng.permutation(both)[:n],
        "alike in length": alike(log, first, rng),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", default=",".join(SMALL))
    for name, default in (("seeds", 3), ("first", 0), ("people", 300), ("cases", 4)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--removed", type=int, default=8)
    chosen = parser.parse_args()
    print(machine("cpu"), flush=True)
    for name in chosen.models.split(","):
        values: dict[str, list[float]] = {}
        for seed in range(chosen.first, chosen.first + chosen.seeds):
            log = planted_log(seed, chosen.people)
            model = fitted(name, log, seed)
            rng = np.random.default_rng(seed + 100)
            for group in range(chosen.cases):
                query = asked(rng, group)
                ways = removals(model, query, log, group, chosen.removed, seed)
                logs = {way: without(log, users) for way, users in ways.items()}
                models = {way: fitted(name, each, seed) for way, each in logs.items()}
                for way, each in {"nobody": model, **models}.items():
                    own = value(each, query, A + group, B + group)
                    values.setdefault(way, []).append(own)
                latest = ", ".join(f"{way} {own[-1]:.3g}" for way, own in values.items())
                print(f"  {name}, seed {seed}, without {latest}", flush=True)
        report(name, values)


def report(name: str, values: Mapping[str, list[float]]) -> None:
    """How far the value falls without whom, as a share of its mean, and how that compares."""
    before = np.array(values["nobody"])
    falls = {way: before - own for way, own in values.items() if way != "nobody"}
    for way, fall in falls.items():
        print(f"{name}: without {way} the value falls by {share(fall, before)}")
    for way in list(falls)[1:]:
        ahead = falls["origins"] - falls[way]
        print(f"{name}: origins ahead of {way} by {share(ahead, before)}", flush=True)


def share(fall: Array, before: Array) -> str:
    """Mean fall / mean value, with the standard error of the mean fall."""
    error = np.std(fall, ddof=1) / len(fall) ** 0.5
    return f"{fall.mean() / before.mean():.0%} ± {error / before.mean():.0%}"


if __name__ == "__main__":
    main()
