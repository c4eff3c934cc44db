"""Made-up logs whose causes are known: does an explanation name them? Needs no data.

python benchmarks/planted.py [--models NAME,...] [--people 40] [--seed 0]

B follows A within three events and never comes otherwise; C follows only who has both A and D; the
rest is noise. Each model learns as the workbench trains it, then people who have A, and not yet B,
are asked why B: is A the first event, and what is its share of all values? Beside it the same by
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
from core.models import MODELS
from core.runs.config import model_config
from core.types import Array, Features, Interactions, LinearInHistory, Queries, Recommender

NOISE, A, B, C, D = 100, 100, 101, 102, 103  # the items before A are noise
N_ITEMS, USERS, KTH = 104, 2_000, 10
PRESENT = 0.3  # how likely a person has A, and has D
LEAST_LINEAR, LEAST, FIRST = 0.8, 0.6, 0.95
SHORT = {"auto": {"minutes": 0.5}}
NAMES = (
    *("unified", "two_tower", "recvae", "als", "neumf", "lightgcn", "simgcl"),
    *("ease", "transitions", "item_knn", "fusion", "auto"),
)
Contrast = Callable[[torch.Tensor, Array], torch.Tensor]  # scores (M, I), candidates (I,) → (M,)


def planted_items(rng: np.random.Generator, *, complete: bool) -> tuple[list[int], set[str]]:
    """One person's items, oldest first, and which of "A", "D" there are.

    An incomplete history is one that is asked: what A and D cause has not come yet.
    """
    items = rng.permutation(NOISE)[: rng.integers(7, 12)].tolist()
    present = {name for name in "AD" if rng.random() < PRESENT}
    for name, item in (("A", A), ("D", D)):
        if name in present:
            items.insert(int(rng.integers(len(items) + 1)), item)
    if complete and "A" in present:
        items.insert(_after(items, (A,), rng), B)
    if complete and present == {"A", "D"}:
        items.insert(_after(items, (A, D), rng), C)
    return items, present


def _after(items: list[int], causes: tuple[int, ...], rng: np.random.Generator) -> int:
    last = max(items.index(cause) for cause in causes)
    return min(len(items), last + 1 + int(rng.integers(3)))


def planted_log(seed: int) -> Interactions:
    """A log of USERS people."""
    rng = np.random.default_rng(seed)
    histories = [planted_items(rng, complete=True)[0] for _ in range(USERS)]
    users = np.repeat(np.arange(USERS), [len(items) for items in histories])
    times = np.concatenate([np.arange(len(items)) for items in histories])
    starts = rng.integers(0, 10_000, USERS)[users]
    return plain_log(users, np.concatenate(histories), USERS, N_ITEMS, starts * 100 + times)


def fitted(name: str, log: Interactions, seed: int) -> Recommender:
    """The model as the workbench trains it, with the last events for validation."""
    train = learnt_from(split_log(log, "none", validation=True), Features())
    if name == "fusion":
        parts = {part: fitted(part, log, seed) for part in ("unified", "transitions", "als")}
        train = replace(train, components=parts)
    config = model_config(name, SHORT.get(name, {}))
    return MODELS[name](config).fit(train, rng=np.random.default_rng(seed))


def asked(rng: np.random.Generator, want: set[str], people: int) -> list[Queries]:
    """Histories of those who have exactly these causes, as strangers'."""
    histories: list[Queries] = []
    while len(histories) < people:
        items, present = planted_items(rng, complete=False)
        if present == want:
            n = len(items)
            histories.append(
                Queries(
                    np.array([-1]),
                    np.array([0, n]),
                    np.array(items),
                    np.ones(n, np.float32),
                    times=np.arange(n) + 500_000,
                )
            )
    return histories


def log_share(scores: torch.Tensor, candidates: Array) -> torch.Tensor:
    return scores.logsumexp(dim=1)


def kth(scores: torch.Tensor, candidates: Array) -> torch.Tensor:
    allowed = scores.masked_fill(~torch.from_numpy(candidates), -torch.inf)
    return allowed.topk(KTH, dim=1).values[:, -1]


def nothing(scores: torch.Tensor, candidates: Array) -> torch.Tensor:
    return torch.zeros(len(scores), dtype=scores.dtype)


CONTRASTS: dict[str, Contrast] = {"raw": nothing, "log-share": log_share, "10th": kth}


def values_by(model: Recommender, query: Queries, item: int, contrast: Contrast) -> Array:
    """Shapley values (n,) of score - contrast: of all coalitions, or of 100 n along orders."""
    candidates = np.ones(N_ITEMS, bool)
    candidates[[*query.items, item]] = False

    def v(keep: Array) -> Array:
        with torch.no_grad():
            scores = model.score(query.subsets(keep)).double().cpu()
        return (scores[:, item] - contrast(scores, candidates)).numpy()[:, None]

    n = len(query.items)
    if n <= shapley.MOST_ENUMERATED:
        return shapley.from_coalitions(v(shapley.coalitions(n)))[:, 0]
    orders = shapley.random_orders(n, 50, np.random.default_rng(0))
    return shapley.from_orders(v, orders).values[:, 0]


def share_of(values: Array, position: int) -> tuple[bool, float]:
    """Whether this event is the first, and its share of all absolute values."""
    total = np.abs(values).sum()
    return bool(values.argmax() == position), float(values[position] / total) if total else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", default=",".join(NAMES))
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--contrasts", action="store_true", help="the other contrasts as well")
    chosen = parser.parse_args()
    print(machine("cpu"), flush=True)
    log = planted_log(chosen.seed)
    for name in chosen.models.split(","):
        start = time.perf_counter()
        model = fitted(name, log, chosen.seed)
        took = time.perf_counter() - start
        histories = asked(np.random.default_rng(chosen.seed + 1), {"A"}, chosen.people)
        ways = {"mean": None, **(CONTRASTS if chosen.contrasts else {})}
        for way, contrast in ways.items():
            told = []
            for query in histories:
                if contrast is None:
                    whole = explain(model, query, np.array([B]), n_items=N_ITEMS)
                    values = whole.values[:, 0]
                else:
                    values = values_by(model, query, B, contrast)
                told.append(share_of(values, query.items.tolist().index(A)))
            first, share = np.mean(told, axis=0)
            least = LEAST_LINEAR if isinstance(model, LinearInHistory) else LEAST
            right = first >= FIRST and share >= least
            print(
                f"{name}, {way}: A first {first:.1%} (must {FIRST:.0%}), share {share:.3f} "
                f"(must {least}){'' if right else ' FALLS SHORT'}; fitted in {took:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
