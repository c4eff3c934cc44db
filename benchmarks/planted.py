"""Made-up logs whose causes are known: does an explanation name them? Needs no data.

python benchmarks/planted.py [--models NAME,...] [--people 40] [--log 2000] [--seed 0]

Each of ten items A has its own B, which follows it within three events and never comes otherwise; C
follows only who has both of the first two A; the rest is noise. Each model learns as the workbench
trains it, then people who have one A, and not yet its B, are asked why B: is A the first event, and
what is its share of all values? And people who have the first two are asked why C: is theirs the
strongest interaction, and is any other pair claimed? Beside it the same by
other contrasts than the mean of all items: the score as it is, the share of the softmax (its
logarithm), and the k-th best.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from machine import machine
from protocols import learnt_from, plain_log

from core.data.split import split_log
from core.explain import explain, shapley
from core.explain.interactions import interactions
from core.models import MODELS
from core.runs.config import model_config
from core.types import Array, Features, Interactions, LinearInHistory, Queries, Recommender

NOISE, CAUSES, KTH = 60, 10, 10
JOINT, N_ITEMS = NOISE + 2 * CAUSES, NOISE + 2 * CAUSES + 1  # the effect of the first two causes
BOTH = 0.25  # how likely a person has the first two causes, and not two drawn
LEAST_LINEAR, LEAST, FIRST = 0.8, 0.6, 0.95
SHORT = {"auto": {"minutes": 0.5}}
NAMES = (
    *("unified", "two_tower", "recvae", "als", "neumf", "lightgcn", "simgcl"),
    *("ease", "transitions", "item_knn", "fusion", "auto"),
)
# scores (M, I), candidates (I,), the whole history's scores (I,) → (M,)
Contrast = Callable[[torch.Tensor, Array, Array], torch.Tensor]


def planted_items(
    rng: np.random.Generator, causes: tuple[int, ...], *, complete: bool
) -> list[int]:
    """One person's items, oldest first, who has these causes.

    An incomplete history is one that is asked: what its causes bring has not come yet.
    """
    items: list[int] = rng.permutation(NOISE)[: rng.integers(6, 10)].tolist()
    for cause in causes:
        items.insert(int(rng.integers(len(items) + 1)), NOISE + cause)
    if complete:
        effects: list[tuple[tuple[int, ...], int]]
        effects = [((NOISE + cause,), NOISE + CAUSES + cause) for cause in causes]
        if {0, 1} <= set(causes):
            effects.append(((NOISE, NOISE + 1), JOINT))
        for needed, effect in effects:
            last = max(items.index(cause) for cause in needed)
            items.insert(min(len(items), last + 1 + int(rng.integers(3))), effect)
    return items


def drawn_causes(rng: np.random.Generator) -> tuple[int, ...]:
    """The two causes of one person."""
    pair = (0, 1) if rng.random() < BOTH else rng.choice(CAUSES, 2, replace=False)
    return tuple(int(cause) for cause in pair)


def planted_log(n_users: int, seed: int) -> Interactions:
    """A log of so many people."""
    rng = np.random.default_rng(seed)
    histories = [planted_items(rng, drawn_causes(rng), complete=True) for _ in range(n_users)]
    users = np.repeat(np.arange(n_users), [len(items) for items in histories])
    times = np.concatenate([np.arange(len(items)) for items in histories])
    starts = rng.integers(0, 10_000, n_users)[users]
    return plain_log(users, np.concatenate(histories), n_users, N_ITEMS, starts * 100 + times)


def fitted(name: str, log: Interactions, seed: int) -> Recommender:
    """The model as the workbench trains it, with the last events for validation."""
    train = learnt_from(split_log(log, "none", validation=True), Features())
    if name == "fusion":
        parts = {part: fitted(part, log, seed) for part in ("unified", "transitions", "als")}
        train = replace(train, components=parts)
    config = model_config(name, SHORT.get(name, {}))
    return MODELS[name](config).fit(train, rng=np.random.default_rng(seed))


def asked(rng: np.random.Generator, causes: tuple[int, ...]) -> Queries:
    """The history, as a stranger's, of somebody who has these causes and not their effects."""
    items = planted_items(rng, causes, complete=False)
    n = len(items)
    return Queries(
        np.array([-1]),
        np.array([0, n]),
        np.array(items),
        np.ones(n, np.float32),
        times=np.arange(n) + 500_000,
    )


def log_share(scores: torch.Tensor, candidates: Array, whole: Array) -> torch.Tensor:
    return scores.logsumexp(dim=1)


def kth(scores: torch.Tensor, candidates: Array, whole: Array) -> torch.Tensor:
    allowed = scores.masked_fill(~torch.from_numpy(candidates), -torch.inf)
    return allowed.topk(KTH, dim=1).values[:, -1]


def best(n: int) -> Contrast:
    """The mean of the n best with the whole history, the same for all parts of it."""

    def mean(scores: torch.Tensor, candidates: Array, whole: Array) -> torch.Tensor:
        first = np.argsort(-np.where(candidates, whole, -np.inf), kind="stable")[:n]
        return scores[:, first].mean(dim=1)

    return mean


def nothing(scores: torch.Tensor, candidates: Array, whole: Array) -> torch.Tensor:
    return torch.zeros(len(scores), dtype=scores.dtype)


CONTRASTS: dict[str, Contrast] = {
    "raw": nothing,
    "log-share": log_share,
    "10th": kth,
    "10 best": best(10),
}


def values_by(model: Recommender, query: Queries, item: int, contrast: Contrast) -> Array:
    """Shapley values (n,) of score - contrast: of all coalitions, or of 100 n along orders."""
    candidates = np.ones(N_ITEMS, bool)
    candidates[[*query.items, item]] = False
    whole = model.score(query)[0].double().cpu().numpy()

    def v(keep: Array) -> Array:
        with torch.no_grad():
            scores = model.score(query.subsets(keep)).double().cpu()
        return (scores[:, item] - contrast(scores, candidates, whole)).numpy()[:, None]

    n = len(query.items)
    if n <= shapley.MOST_ENUMERATED:
        return shapley.from_coalitions(v(shapley.coalitions(n)))[:, 0]
    orders = shapley.random_orders(n, 50, np.random.default_rng(0))
    return shapley.from_orders(v, orders).values[:, 0]


def share_of(values: Array, position: int) -> tuple[bool, float]:
    """Whether this event is the first, and its share of all absolute values."""
    total = np.abs(values).sum()
    return bool(values.argmax() == position), float(values[position] / total) if total else 0.0


def joint(model: Recommender, rng: np.random.Generator, people: int) -> tuple[float, float]:
    """How often the two causes of C are the first pair, and the share of other pairs claimed."""
    first, others, claimed = 0, 0, 0
    for _ in range(people):
        query = asked(rng, (0, 1))
        explanation = explain(model, query, np.array([JOINT]), n_items=N_ITEMS)
        pairs = interactions(model, query, explanation, 0, n_items=N_ITEMS)
        both = {query.items.tolist().index(NOISE + cause) for cause in (0, 1)}
        first += bool(pairs) and {pairs[0].first, pairs[0].second} == both
        rest = [pair for pair in pairs if {pair.first, pair.second} != both]
        others += len(rest)
        claimed += sum(pair.claimed for pair in rest)
    return first / people, claimed / max(1, others)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", default=",".join(NAMES))
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--log", type=int, default=2_000, help="people in the log")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--contrasts", action="store_true", help="the other contrasts as well")
    chosen = parser.parse_args()
    print(machine("cpu"), flush=True)
    log = planted_log(chosen.log, chosen.seed)
    for name in chosen.models.split(","):
        start = time.perf_counter()
        model = fitted(name, log, chosen.seed)
        took = time.perf_counter() - start
        people = np.random.default_rng(chosen.seed + 1)
        causes = [int(people.integers(CAUSES)) for _ in range(chosen.people)]
        histories = [asked(people, (cause,)) for cause in causes]
        ways = {"explain": None, **(CONTRASTS if chosen.contrasts else {})}
        for way, contrast in ways.items():
            told = []
            for query, cause in zip(histories, causes, strict=True):
                effect = NOISE + CAUSES + cause
                if contrast is None:
                    whole = explain(model, query, np.array([effect]), n_items=N_ITEMS)
                    values = whole.values[:, 0]
                else:
                    values = values_by(model, query, effect, contrast)
                told.append(share_of(values, query.items.tolist().index(NOISE + cause)))
            first, share = np.mean(told, axis=0)
            least = LEAST_LINEAR if isinstance(model, LinearInHistory) else LEAST
            right = first >= FIRST and share >= least
            print(
                f"{name}, {way}: A first {first:.1%} (must {FIRST:.0%}), share {share:.3f} "
                f"(must {least}){'' if right else ' FALLS SHORT'}; fitted in {took:.0f} s",
                flush=True,
            )
        if isinstance(model, LinearInHistory):
            continue
        pair_first, others_claimed = joint(model, people, chosen.people)
        print(
            f"{name}: the two causes of C are the first pair {pair_first:.1%} (must 95%), other "
            f"pairs claimed {others_claimed:.1%} (at most 5%)",
            flush=True,
        )


if __name__ == "__main__":
    main()
