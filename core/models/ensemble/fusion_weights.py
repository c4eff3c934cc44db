"""How much each of several scores should count: weights ≥ 0 that rank held-out items best."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from core.models.common.tensors import tensor
from core.models.common.validation import VALIDATION_K, ideal_dcg
from core.types import Array, Holdout, Queries

BEST = 60  # of each component compete with a target; NDCG@10 needs those ahead of it, to ten
PAIRS = 20_000  # of query and target, at most
EDGES = (1, 5, 20, 100)  # a history's length falls into one of five segments
PRIOR = 200  # people that the best component alone counts for, and all segments in each of them
SURE = 2.0  # standard errors by which other weights must be better to be taken
RATIOS = np.concatenate([[0.0], np.geomspace(0.003, 10, 22)])  # of a weight to the largest other
ROUNDS = 6  # over all components, at most: then each has been fitted to the others

Parts = Callable[[Queries], Tensor]  # the components' scores on one scale, (C, B, I)


def segment(queries: Queries) -> Array:
    """The segment of each history, (B,): none, below 5 events, below 20, below 100, or more."""
    return np.searchsorted(EDGES, queries.lengths, side="right")


class Pairs:
    """Held-out items, each with how far its competitors are ahead in every component.

    The competitors are the best of each component, without the history. The pairs of a query stand
    together, all of them.
    """

    def __init__(self, ahead: Tensor, counts: Tensor, segments: Tensor) -> None:
        self.ahead = ahead  # (P, M, C) competitor - target; -inf where there is none
        self.counts = counts  # (P,) targets of the same query
        self._ideal = ideal_dcg(counts)
        self.segments = segments  # (P,)

    def where(self, own: Tensor) -> Pairs:
        """Those of some queries."""
        return Pairs(self.ahead[own], self.counts[own], self.segments[own])

    @property
    def people(self) -> float:
        """How many queries they are of."""
        return float((1 / self.counts).sum())

    def ndcg(self, weights: Array) -> float:
        """The mean NDCG@10 of these weights (C,)."""
        return self.of_leads(weighted_lead(self.ahead, weights))

    def of_leads(self, ahead: Tensor) -> float:
        """The mean NDCG@10 where competitors (P, M) lead by so much."""
        return float(self._gains(ahead).sum()) / max(self.people, 1e-9)

    def _gains(self, ahead: Tensor) -> Tensor:
        """What each pair (P,) adds to its query's NDCG@10."""
        ranks = 1 + (ahead >= 0).sum(dim=1)
        return torch.where(ranks <= VALIDATION_K, 1 / torch.log2(1 + ranks), 0.0) / self._ideal

    def surely_better(self, weights: Array, than: Array) -> bool:
        """Whether these weights (C,) beat others by SURE standard errors, paired by query."""
        gained, lost = (
            self._gains(weighted_lead(self.ahead, row)).double() for row in (weights, than)
        )
        share = 1 / self.counts.double()
        query = (share.cumsum(0) - share / 2).long()
        each = torch.zeros(int(query[-1]) + 1, dtype=torch.float64, device=query.device)
        each.index_add_(0, query, gained - lost)
        return bool(each.mean() > SURE * each.std(correction=0) / len(each) ** 0.5)

    @classmethod
    def of(cls, parts: Parts, holdout: Holdout, rng: np.random.Generator, block: int) -> Pairs:
        """Some 20,000 pairs at most, drawn query by query.

        Args:
            parts: Scores the components.
            holdout: What came next, of which some can stand on a list (core.models.common.places).
            rng: Draws.
            block: Queries scored at once.
        """
        counts = np.diff(holdout.offsets)
        order = rng.permutation(len(counts))
        enough = int(np.searchsorted(counts[order].cumsum(), PAIRS)) + 1
        chosen = np.sort(order[:enough])
        blocks = [holdout[chosen[low : low + block]] for low in range(0, len(chosen), block)]
        leads = [_ahead(parts, held_out) for held_out in blocks]
        widest = max(lead.shape[1] for lead in leads)
        pads = [(0, 0, 0, widest - lead.shape[1]) for lead in leads]
        ahead = torch.cat(
            [pad(lead, by, value=-torch.inf) for lead, by in zip(leads, pads, strict=True)]
        )
        n = counts[chosen]
        segments = np.repeat(segment(holdout.queries[chosen]), n)
        return cls(ahead, *(tensor(x, ahead.device) for x in (np.repeat(n, n), segments)))


def _ahead(parts: Parts, holdout: Holdout) -> Tensor:
    """How far the competitors of these targets are ahead, (P, M, C)."""
    scores, queries = parts(holdout.queries), holdout.queries
    device = scores.device
    owners = tensor(np.repeat(np.arange(len(holdout)), np.diff(holdout.offsets)), device)
    items = tensor(holdout.targets, device)
    wanted = scores[:, owners, items]
    allowed = scores.clone()
    allowed[:, tensor(queries.rows, device), tensor(queries.items, device)] = -torch.inf
    best = allowed.topk(min(BEST, allowed.shape[2]), dim=2).indices
    union = best.permute(1, 0, 2).flatten(1).sort(dim=1).values
    again = torch.zeros_like(union, dtype=torch.bool)  # found by an earlier component too
    again[:, 1:] = union[:, 1:] == union[:, :-1]
    again, order = again.int().sort(dim=1, stable=True)
    width = int((again == 0).sum(dim=1).max())
    union, again = union.gather(1, order)[:, :width], again[:, :width].bool()  # (B, M)
    others = allowed.gather(2, union.expand(len(scores), -1, -1)).masked_fill_(again, -torch.inf)
    ahead = (others[:, owners] - wanted[:, :, None]).permute(1, 2, 0).contiguous()
    return ahead.masked_fill_((union[owners] == items[:, None])[:, :, None], -torch.inf)


def best_weights(pairs: Pairs) -> Array:
    """Weights (segments, C) ≥ 0, the sum of each row 1, of highest NDCG@10.

    One component after the other gets the weight that is best beside the others', from a grid,
    until none changes; once from the best component alone and once from all alike. They are taken
    if they are surely better than the best component alone, and lean on it the more, the fewer
    people they are of; a segment's own, if surely better than those of all, lean on these.
    """
    n = pairs.ahead.shape[2]
    alone = [pairs.of_leads(pairs.ahead[..., c]) for c in range(n)]
    best = np.eye(n)[int(np.argmax(alone))]
    together = _sure(pairs, (best, np.full(n, 1 / n)), best)
    parts = (pairs.where(pairs.segments == n_segment) for n_segment in range(len(EDGES) + 1))
    return np.stack([_sure(own, (together,), together) for own in parts])


def _sure(pairs: Pairs, starts: Sequence[Array], prior: Array) -> Array:
    """The best weights (C,) from these starts, leaning on the prior ones; those if not surely."""
    if not (people := pairs.people):
        return prior
    fitted = max((_climb(pairs, start) for start in starts), key=lambda found: found[1])[0]
    leaning: Array = (people * fitted + PRIOR * prior) / (people + PRIOR)
    return leaning if pairs.surely_better(leaning, prior) else prior


def _climb(pairs: Pairs, start: Array) -> tuple[Array, float]:
    """The weights (C,) that no change of one of them betters, and their NDCG@10."""
    weights, best, ahead = start.copy(), pairs.ndcg(start), pairs.ahead
    for _ in range(ROUNDS):
        before = best
        for c in range(len(weights)):
            others = np.where(np.arange(len(weights)) == c, 0, weights)
            if not others.any():
                continue
            rest, own = weighted_lead(ahead, others), ahead[..., c].nan_to_num(neginf=0.0)
            for weight in RATIOS * others.max():
                gained = pairs.of_leads(torch.add(rest, own, alpha=float(weight)))
                if gained > best:
                    best, weights = gained, others.copy()
                    weights[c] = weight
        if best == before:
            break
    return weights / weights.sum(), best


def weighted_lead(ahead: Tensor, weights: Array) -> Tensor:
    """Σ_c weight · lead, (P, M); -inf where there is no competitor."""
    lead = ahead.nan_to_num(neginf=0.0) @ tensor(weights.astype(np.float32), ahead.device)
    return lead.masked_fill(torch.isinf(ahead[..., 0]), -torch.inf)
