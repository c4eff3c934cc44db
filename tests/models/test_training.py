"""The loop: what it keeps, when it stops, what it says; and the figure it stops by."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from core.errors import BadInput, TooLarge
from core.models.common.validation import validation_score
from core.models.neural import snapshots
from core.models.neural import training_state as course
from core.models.neural.train_loop import (
    TrainingSettings,
    seeded,
    train_loop,
)
from core.models.neural.training_state import Average, Batches
from core.types import EpochReport, Holdout, Queries

QUICK = TrainingSettings(learning_rate=0.1, averaging=0.0, patience=3)


class Point(nn.Module):
    """A number that wants to be 3."""

    def __init__(self) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.zeros(1))

    def loss(self, rows: torch.Tensor) -> torch.Tensor:
        return ((self.x - 3) ** 2).sum() + 0 * rows.sum()


def batches(n: int = 8, size: int = 4) -> Batches:
    return Batches(torch.ones(n, dtype=torch.int64), size, torch.Generator().manual_seed(1))


def test_each_row_comes_once_per_pass_with_rows_of_its_length():
    lengths = torch.tensor([5] * 7 + [50] * 5 + [200] * 3)
    order = Batches(lengths, 4, torch.Generator().manual_seed(1))
    for _ in range(2):
        parts = list(order)
        assert sorted(torch.cat(parts).tolist()) == list(range(15))
        assert all(len(part) <= 4 and len(lengths[part].unique()) == 1 for part in parts)
    assert [p.tolist() for p in order] != [p.tolist() for p in order]
    assert len(order) == 15


def test_it_goes_down_the_slope_and_says_so():
    point, told = Point(), []
    best = train_loop(
        point, batches(), point.loss, config=QUICK, epochs=60, on_epoch=lambda f: told.append(f)
    )
    assert best == 60
    assert point.x.item() == pytest.approx(3, abs=0.05)
    assert [report.epoch for report in told] == list(range(1, 61))
    assert told[-1].loss < told[0].loss
    assert told[-1].seconds_left == 0


def test_it_stops_when_validation_gets_no_better_and_keeps_the_best():
    point, figures, seen = Point(), iter([1.0, 3.0, 2.0, 2.5, 3.0, 9.0]), []

    def validate() -> float:
        seen.append(point.x.item())
        return next(figures)

    best = train_loop(point, batches(), point.loss, config=QUICK, epochs=50, validate=validate)
    assert best == 2
    assert len(seen) == 5  # three passes without progress
    assert point.x.item() == seen[1]


def test_a_loss_that_explodes_is_said_in_one_sentence():
    point = Point()

    def loss(rows: torch.Tensor) -> torch.Tensor:
        return point.loss(rows) * torch.inf

    with pytest.raises(BadInput, match="lower learning_rate"):
        train_loop(point, batches(), loss, config=QUICK, epochs=1)


def test_short_memory_halves_the_batch_and_the_result_is_that_of_all_rows():
    point, sizes = Point(), []

    def loss(rows: torch.Tensor) -> torch.Tensor:
        if len(rows) > 2:
            raise torch.OutOfMemoryError("out of memory")
        sizes.append(len(rows))
        return point.loss(rows)

    order = batches(8, 8)
    train_loop(point, order, loss, config=QUICK, epochs=2)
    assert order.size == 2
    assert sizes == [2] * 8


def test_no_memory_at_all_is_refused():
    def loss(rows: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(TooLarge, match="not even one history"):
        train_loop(Point(), batches(), loss, config=QUICK, epochs=1)


def test_the_average_is_that_of_the_formula():
    point = Point()
    average, mean = Average(point, 0.9), 0.0
    for step in range(1, 30):
        with torch.no_grad():
            point.x.fill_(step**2)
        average.update()
        decay = min(0.9, step / (step + 9))
        mean = decay * mean + (1 - decay) * step**2
    with average.applied():
        assert point.x.item() == pytest.approx(mean, rel=1e-5)
    assert point.x.item() == 29**2


def test_torch_draws_from_the_seed_and_is_left_alone():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    drawn = []
    for _ in range(2):
        with seeded(np.random.default_rng(3), "cpu") as generator:
            drawn.append((torch.rand(2).tolist(), torch.rand(2, generator=generator).tolist()))
    assert drawn[0] == drawn[1]
    assert torch.equal(torch.rand(3), expected)


def asked(items: list[list[int]], targets: list[list[int]]) -> Holdout:
    lengths, sizes = [len(one) for one in items], [len(one) for one in targets]
    queries = Queries(
        np.arange(len(items)),
        np.cumsum([0, *lengths]),
        np.array([i for one in items for i in one], np.int64),
        np.ones(sum(lengths), np.float32),
    )
    return Holdout(queries, np.array([i for one in targets for i in one]), np.cumsum([0, *sizes]))


def measured(scores: Any, holdout: Holdout, block: int) -> float:
    table = torch.tensor(scores, dtype=torch.float32)
    score = lambda queries: table[torch.from_numpy(queries.users)]  # noqa: E731
    return validation_score(score, holdout, np.random.default_rng(0), block)()


@pytest.mark.parametrize("block", [1, 2, 10])
def test_validation_is_ndcg_with_seen_items_hidden_and_ties_against(block):
    scores = [[9, 5, 4, 1], [1, 2, 2, 0], [3, 2, 1, 0]]
    holdout = asked([[0], [3], [0, 1]], [[2], [1], [0, 3]])
    # 0 is hidden: rank 2; tied with 2: rank 2; of the third person's 0 is hidden, and so a miss, 3
    # is behind 2: rank 2
    expected = (2 / np.log2(3) + (1 / np.log2(3)) / (1 + 1 / np.log2(3))) / 3
    assert measured(scores, holdout, block) == pytest.approx(expected)


def test_validation_beyond_the_tenth_place_is_worth_nothing():
    scores = [list(range(12, 0, -1))]
    assert measured(scores, asked([[]], [[9]]), 5) == pytest.approx(1 / np.log2(11))
    assert measured(scores, asked([[]], [[10]]), 5) == 0


@pytest.mark.parametrize(
    ("room", "expected"),
    [(100, [1, 2, 4, 8, 16, 21, 23]), (5, [1, 8, 16, 21, 23]), (3, [1, 21, 23]), (2, [])],
)
def test_milestones_are_as_many_as_there_is_room_for(room, expected, monkeypatch):
    monkeypatch.setattr(snapshots, "MOST_BYTES", room * 4 * 6 + 3)
    now = torch.zeros(3, 2)
    marks = snapshots.Snapshots(lambda: now)
    best = [1, 1, 1, *range(4, 22), 21, 21]  # 2 and 3 were worse than 1, the last two than 21
    for epoch, best_epoch in enumerate(best, start=1):
        now.fill_(epoch)
        marks.take(epoch, best_epoch)
    assert list(marks.kept) == expected
    for epoch, vectors in marks.kept.items():
        assert (vectors == epoch).all()


class Memory:
    """Checkpoints that are kept here, and how often they were written."""

    def __init__(self, kept: dict[str, Any] | None = None, name: str = "") -> None:
        self.kept, self.name = {} if kept is None else kept, name

    def read(self) -> Any:
        return self.kept.get(self.name)

    def write(self, state: Any) -> None:
        self.kept[self.name] = {name: array.copy() for name, array in state.items()}

    def part(self, name: str) -> Memory:
        return Memory(self.kept, f"{self.name}.{name}")


class Walk(Point):
    """Goes down the slope with noise, and counts its steps; validation is best in pass 4."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = self.passes = 0

    def loss(self, rows: torch.Tensor) -> torch.Tensor:
        self.steps += 1
        return super().loss(rows) * torch.rand(()) + 0.01 * self.x.sum() * rows.sum()

    def validate(self) -> float:
        self.passes += 1
        return -abs(self.x.item() - 1.0)


def walked(memory: Memory | None, stop_after: int | None = None) -> tuple[Walk, list[Any], Any]:
    """A training from the same seeds; what it told, and its best epoch or None if stopped."""
    walk, told = Walk(), []

    def tell(report: EpochReport) -> None:
        told.append((report.epoch, report.loss, report.validation))
        if report.epoch == stop_after:
            raise KeyboardInterrupt

    config = TrainingSettings(learning_rate=0.1, averaging=0.5, patience=3)
    with seeded(np.random.default_rng(5), "cpu") as generator:
        rows = Batches(torch.ones(8, dtype=torch.int64), 4, generator)
        options = {"config": config, "epochs": 40, "validate": walk.validate, "on_epoch": tell}
        try:
            best = train_loop(walk, rows, walk.loss, **options, checkpoint=memory)
        except KeyboardInterrupt:
            best = None
    return walk, told, best


@pytest.mark.parametrize("stop_after", [1, 3, 6])
def test_an_interrupted_training_ends_as_if_it_had_not_been(stop_after, monkeypatch):
    monkeypatch.setattr(course, "SELDOM_S", 0.0)
    monkeypatch.setattr(course, "SHARE", 1e9)
    whole, all_told, best = walked(None)
    memory = Memory()
    assert walked(memory, stop_after)[2] is None
    again, told, best_again = walked(memory)
    # the pass that was interrupted had told, but not been left; it is done again
    assert again.steps == whole.steps - 2 * (stop_after - 1)
    assert (best_again, told) == (best, all_told)
    assert torch.equal(again.x, whole.x)
    over, told, _ = walked(memory)  # one that was over does nothing more
    assert (over.steps, told) == (0, all_told)
    assert torch.equal(over.x, whole.x)


def test_a_checkpoint_is_left_seldom():
    memory = Memory()
    walked(memory)
    assert not memory.kept  # all was over long before it was time
