"""Scores → hide what is not allowed → the k best, in blocks of queries that fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from core.errors import BadInput, CoreError
from core.models.common.memory import free_memory
from core.models.common.places import HIDDEN, hide_seen_items
from core.recommend.time_limit import check_time
from core.types import PAD, Queries, Recommendations, Recommender

if TYPE_CHECKING:
    from core.recommend.ruled_lists import CatalogueRules

BLOCK_BYTES = 256 * 2**20  # scores of one block, at most
CPU_BLOCK_BYTES = 16 * 2**20  # a CPU is fastest on blocks that its allocator hands out again
CANDIDATES = 200  # best items that a re-ranking chooses from; k where that is more

# Candidates (B, C), PAD last, their queries, k → the new lists as positions (B, k) in them.
Reorder = Callable[[Tensor, Queries, int], Tensor]


def score_blocks(
    model: Recommender, queries: Queries, n_items: int, *, limit: int = BLOCK_BYTES
) -> Iterator[tuple[slice, Tensor]]:
    """Which queries, and their scores (b, n_items) float32 on the model's device, block by block.

    A block never holds more than `limit` bytes of scores, nor an eighth of the free memory (16 MiB
    are always allowed), but at least one query. The scores may be the model's own memory: do not
    write into them.

    Raises:
        CoreError: a score is not a finite number, or the shape is not (b, n_items).
    """
    start, room = 0, min(limit, CPU_BLOCK_BYTES)
    while start < len(queries):
        block = slice(start, min(start + max(1, room // (4 * max(1, n_items))), len(queries)))
        with torch.no_grad():
            scores = model.score(queries[block]).to(torch.float32)
        check_scores(scores, block.stop - block.start, n_items)
        yield block, scores
        start = block.stop
        room = min(limit, block_bytes(scores.device.type))
        del scores  # before the next block is made, not after


def block_bytes(device: str) -> int:
    """Bytes of scores that one block on this device, "cpu" or "cuda", may hold."""
    most = BLOCK_BYTES if device == "cuda" else CPU_BLOCK_BYTES
    return min(most, max(CPU_BLOCK_BYTES, free_memory(device) // 8))


def check_scores(scores: Tensor, n: int, n_items: int) -> None:
    """What is asked of each block of scores that a model gave, before the next is made.

    Raises:
        CoreError: a score is not a finite number, or the shape is not (n, n_items).
        TimeoutError: the time that there was for it (core.recommend.time_limit) is over.
    """
    check_time()
    if scores.shape != (n, n_items):
        raise CoreError(f"the model gave {tuple(scores.shape)} scores, not {(n, n_items)}")
    if scores.numel():
        low, high = torch.aminmax(scores)  # a NaN anywhere makes both NaN
        if not torch.isfinite(low) or not torch.isfinite(high):
            raise CoreError(
                f"the model gave scores between {low.item()} and {high.item()}, not finite "
                "numbers: its training went astray, train it again with a smaller learning rate"
            )


def top_k(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k best items (B, k) int64 and their scores (B, k), best first.

    Of equal scores the lower item code comes first. Where fewer than k items are left that are not
    -inf, PAD and -inf fill up.

    >>> items, scores = top_k(torch.tensor([[1.0, 2.0, 2.0, HIDDEN]]), 5)
    >>> items.tolist()
    [[1, 2, 0, -1, -1]]
    """
    n_items = scores.shape[1]
    n = min(k, n_items)
    best, items = scores.topk(min(k + 1, n_items))  # one more, to see whether the cut is tied
    if n < n_items:
        tied = (best[:, n - 1] == best[:, n]) & (best[:, n] > HIDDEN)
        best, items = best[:, :n], items[:, :n]
        rows = tied.nonzero()[:, 0]
        if len(rows):
            items = items.clone()
            items[rows] = _lowest_of_the_tied(scores[rows], best[rows], items[rows])
    # Lower code first inside the list: by code, then by score without disturbing that order.
    items, order = items.sort(dim=1)
    best, order = best.gather(1, order).sort(dim=1, descending=True, stable=True)
    items = items.gather(1, order).masked_fill(best == HIDDEN, PAD)
    return _padded(items, k, PAD), _padded(best, k, HIDDEN)


def _lowest_of_the_tied(scores: Tensor, best: Tensor, items: Tensor) -> Tensor:
    """The items (b, n), where those whose score equals the last one's are the lowest codes."""
    b, n = best.shape
    cut = best[:, -1:]
    codes = torch.arange(scores.shape[1], dtype=torch.int32, device=scores.device)
    outside = torch.full_like(codes, len(codes))
    tied = torch.where(scores == cut, codes, outside).topk(n, largest=False).values.long()
    above = (best > cut).sum(dim=1, keepdim=True)  # these places are certain
    rank = torch.arange(n, device=scores.device).expand(b, n)
    return torch.where(rank < above, items, tied.gather(1, (rank - above).clamp(min=0)))


def _padded(values: Tensor, k: int, fill: float) -> Tensor:
    missing = k - values.shape[1]
    return torch.nn.functional.pad(values, (0, missing), value=fill) if missing else values


def recommend(
    model: Recommender,
    queries: Queries,
    k: int,
    *,
    n_items: int,
    hide_seen: bool = True,
    reorder: Reorder | None = None,
    rules: CatalogueRules | None = None,
) -> Recommendations:
    """The k best of all items for each query, best first; see top_k for ties and short lists.

    Args:
        model: Fitted or loaded.
        queries: The histories to recommend for, B of them.
        k: Length of each list, at least 1; may exceed the catalogue.
        n_items: Items in the catalogue.
        hide_seen: Leave out the items that are in the query's own history.
        reorder: Chooses the list from the best 200 instead (core.recommend.rerank);
            scores and places stay the model's own.
        rules: What may be listed, over the whole catalogue; rules that order lists take the
            place of `reorder`.

    Raises:
        BadInput: k is below 1.
    """
    if k < 1:
        raise BadInput(f"k must be at least 1, not {k}")
    items = np.full((len(queries), k), PAD, np.int64)
    best = np.full((len(queries), k), -np.inf, np.float32)
    if rules is not None and rules.reorders:
        reorder = rules
    places = None if reorder is None and rules is None else items.copy()
    for block, scores in score_blocks(model, queries, n_items):
        unseen = hide_seen_items(scores, queries[block]) if hide_seen else scores
        allowed = unseen if rules is None else rules.hide(unseen)
        if reorder is None:
            listed, best_scores = top_k(allowed, k)
        else:
            listed, best_scores = candidates(allowed, k, rules)
            at = reorder(listed, queries[block], k)
            listed, best_scores = listed.gather(1, at), best_scores.gather(1, at)
        if places is not None:
            own = at + 1 if rules is None else model_places(unseen, listed)
            places[block] = own.masked_fill(listed == PAD, PAD).cpu().numpy()
        items[block], best[block] = listed.cpu().numpy(), best_scores.cpu().numpy()
    return Recommendations(items, best, places)


def candidates(scores: Tensor, k: int, rules: CatalogueRules | None) -> tuple[Tensor, Tensor]:
    """What a re-ordering chooses a list of k from, and the scores (b, C): the best, and pins."""
    items, best = top_k(scores, max(k, CANDIDATES))
    if rules is None or not rules.reorders:
        return items, best
    return rules.with_pins(items, best, scores)


def model_places(scores: Tensor, items: Tensor) -> Tensor:
    """Where each of these items (b, k) stands by these scores (b, I), from 1, as top_k has it.

    >>> model_places(torch.tensor([[1.0, 2.0, 2.0]]), torch.tensor([[2, 0]])).tolist()
    [[2, 3]]
    """
    codes = torch.arange(scores.shape[1], device=scores.device)
    places = torch.empty_like(items)
    for nth in range(items.shape[1]):
        item = items[:, nth : nth + 1].clamp(min=0)
        own = scores.gather(1, item)
        above = (scores > own) | ((scores == own) & (codes < item))
        places[:, nth] = 1 + above.sum(dim=1)
    return places
