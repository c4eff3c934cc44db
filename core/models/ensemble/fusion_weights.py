"""How much each of several scores should count: weights ≥ 0 that rank held-out items best."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from core.models.common.deadline import NEVER, Deadline
from core.models.common.places import reachable
from core.models.common.tensors import tensor
from core.models.common.validation import VALIDATION_K, ideal_dcg
from core.types import Array, Holdout, Queries

BEST = 60  # of each component compete with a target; NDCG@10 needs those ahead of it, to ten
PAIRS = 20_000  # of query and target, at most
EDGES = (1, 5, 20, 100)  # a history's length falls into one of five segments
PRIOR = 300  # people that the mix counts for, and all segments in each of them
STEEP = 4  # power of what a component is worth alone, as which it counts in the mix
SURE = 2.0  # standard errors by which a segment's own weights must be better to be taken
NUMBERS = 2**24  # of competitors' leads, at most some more: 64 MiB
RATIOS = np.concatenate([[0.0], np.geomspace(0.003, 10, 22)])  # of a weight to the largest other
ROUNDS = 6  # over all components, at most: then each has been fitted to the others

Parts = Callable[[Queries], Tensor]  # the components' scores on one scale, (C, B, I)


def segment(queries: Queries) -> Array:
    """The segment of each history, (B,): none, below 5 events, below 20, below 100, or more."""
    return np.searchsorted(EDGES, queries.lengths, side="right")


class Pairs:
    """Held-out items, each with how far its competitors are ahead in every component.

    The competitors are the best of each component, without the history. The pairs of a query stand
    together, all of them that a list can hold.
    """

    def __init__(
        self,
        ahead: Tensor,
        counts: Tensor,
        segments: Tensor,
        totals: Tensor | None = None,
        answerable: float = 1.0,
    ) -> None:
        self.ahead = ahead  # (P, M, C) competitor - target; -inf where there is none
        self.counts = counts  # (P,) pairs of the same query
        self.totals = counts if totals is None else totals  # (P,) its targets, seen ones too
        self._ideal = ideal_dcg(self.totals)
        self.segments = segments  # (P,)
        self.answerable = answerable  # share of all queries of which there are pairs

    def where(self, own: Tensor) -> Pairs:
        """Those of some queries."""
        return Pairs(self.ahead[own], self.counts[own], self.segments[own], self.totals[own])

    def hopeful(self) -> Pairs:
        """Those whose target is among the best of some component; another is hardly ever listed."""
        return self.where(((self.ahead >= 0).sum(dim=1) < BEST).any(dim=1))

    @property
    def owners(self) -> Tensor:
        """The query of each pair, (P,) int64 from 0."""
        share = 1 / self.counts.double()
        return (share.cumsum(0) - share / 2).long()

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

    def figure(self, leads: Tensor) -> float:
        """NDCG@10 where competitors (P, M) lead by so much, of all queries, as evaluated."""
        return self.answerable * self.of_leads(leads)

    def by_query(self, weights: Array) -> Tensor:
        """NDCG@10 of these weights (C,), of each query, float64."""
        owners = self.owners
        each = torch.zeros(int(owners[-1]) + 1, dtype=torch.float64, device=owners.device)
        gains = self._gains(weighted_lead(self.ahead, weights)).double()
        return each.index_add_(0, owners, gains)

    def surely_better(self, weights: Array, than: Array, errors: float = SURE) -> bool:
        """Whether these weights (C,) beat others by so many standard errors, paired by query."""
        each = self.by_query(weights) - self.by_query(than)
        return bool(each.mean() > errors * each.std(correction=0) / len(each) ** 0.5)

    @classmethod
    def of(
        cls,
        parts: Parts,
        holdout: Holdout,
        rng: np.random.Generator,
        block: int,
        until: Deadline = NEVER,
    ) -> Pairs | None:
        """Some 20,000 pairs at most, drawn query by query; None where no list holds a target.

        Args:
            parts: Scores the components.
            holdout: What came next.
            rng: Draws.
            block: Queries scored at once.
            until: When it ends with the pairs that it has; those of one block at least.
        """
        held_out, totals = reachable(holdout)
        if not len(held_out):
            return None
        answerable = len(held_out) / np.count_nonzero(np.diff(holdout.offsets))
        n = np.diff(held_out.offsets)
        order = rng.permutation(len(n))
        order = order[: int(np.searchsorted(n[order].cumsum(), PAIRS)) + 1]
        leads: list[Tensor] = []
        numbers = 0
        for low in range(0, len(order), block):
            if leads and (until.passed or numbers > NUMBERS):
                order = order[:low]
                break
            leads.append(_ahead(parts, held_out[order[low : low + block]]))
            numbers += leads[-1].numel()
        widest = max(lead.shape[1] for lead in leads)
        pads = [(0, 0, 0, widest - lead.shape[1]) for lead in leads]
        ahead = torch.cat(
            [pad(lead, by, value=-torch.inf) for lead, by in zip(leads, pads, strict=True)]
        )
        counts, segments, targets = (
            tensor(np.repeat(x, n[order]), ahead.device)
            for x in (n[order], segment(held_out.queries[order]), totals[order])
        )
        return cls(ahead, counts, segments, targets, answerable)


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


def best_weights(pairs: Pairs, until: Deadline = NEVER) -> Array:
    """Weights (segments, C) ≥ 0, the sum of each row 1, of high NDCG@10.

    One component after the other gets the weight that is best beside the others', from a grid,
    until none changes; once from the best component alone and once from all alike. The weights lean
    on a mix in which each component counts by a power of what it is worth alone, the more, the
    fewer people they are of. A segment's own are taken if surely better than those of all, and lean
    on these. What is found when the time is over is taken.
    """
    n = pairs.ahead.shape[2]
    alone = np.array([pairs.of_leads(pairs.ahead[..., c]) for c in range(n)])
    worth = (alone / max(alone.max(), 1e-300)) ** STEEP
    mix = worth / worth.sum() if alone.any() else np.full(n, 1 / n)
    starts = (np.eye(n)[int(alone.argmax())], np.full(n, 1 / n))
    together = _leaning(pairs, starts, mix, until)
    rows = []
    for n_segment in range(len(EDGES) + 1):
        own = pairs.where(pairs.segments == n_segment)
        row = together
        if len(own.counts) and not until.passed:
            fitted = _leaning(own, (together,), together, until)
            row = fitted if own.surely_better(fitted, together) else together
        rows.append(row)
    return np.stack(rows)


def _leaning(pairs: Pairs, starts: Sequence[Array], prior: Array, until: Deadline) -> Array:
    """The best weights (C,) from these starts, leaning on others as if PRIOR people had those."""
    if until.passed:
        return prior
    some = pairs.hopeful()
    fitted = max((_climb(some, start, until) for start in starts), key=lambda found: found[1])[0]
    leaning: Array = (pairs.people * fitted + PRIOR * prior) / (pairs.people + PRIOR)
    return leaning


def cross_fitted(pairs: Pairs, until: Deadline = NEVER) -> tuple[float, bool]:
    """What such weights are worth to people they were not found on, and whether it is too little.

    Weights found on every other person are asked of the others, and the other way round. It is too
    little where the best component alone is better by more than a standard error, paired by person.

    Returns:
        NDCG@10 of all queries, and whether that component should have all the weight.
    """
    n = pairs.ahead.shape[2]
    alone = [pairs.of_leads(pairs.ahead[..., c]) for c in range(n)]
    best = np.eye(n)[int(np.argmax(alone))]
    owners = pairs.owners
    if int(owners[-1]) < 1:
        return pairs.figure(weighted_lead(pairs.ahead, best)), True
    fused = torch.zeros(int(owners[-1]) + 1, dtype=torch.float64, device=owners.device)
    single = pairs.by_query(best)
    for half in (0, 1):
        asked = pairs.where(owners % 2 == half)
        weights = best_weights(pairs.where(owners % 2 != half), until)
        gains = torch.zeros(len(asked.counts), dtype=torch.float64, device=owners.device)
        for n_segment, row in enumerate(weights):
            rows = asked.segments == n_segment
            some = asked.where(rows)
            gains[rows] = some._gains(weighted_lead(some.ahead, row)).double()
        fused.index_add_(0, owners[owners % 2 == half], gains)
    lost = single - fused
    too_little = bool(lost.mean() > lost.std(correction=0) / len(lost) ** 0.5)
    return pairs.answerable * float(fused.mean()), too_little


def _climb(pairs: Pairs, start: Array, until: Deadline) -> tuple[Array, float]:
    """The weights (C,) that no change of one of them betters, and their NDCG@10."""
    weights, best, ahead = start.copy(), pairs.ndcg(start), pairs.ahead
    for _ in range(ROUNDS):
        before = best
        for c in range(len(weights)):
            others = np.where(np.arange(len(weights)) == c, 0, weights)
            if not others.any():
                continue
            if until.passed:
                return weights / weights.sum(), best
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
