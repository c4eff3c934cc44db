"""What all models learnt by gradients share: fit with early stop and refit, state, load."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from core.errors import NotFitted
from core.models.common.deadline import NEVER, Deadline
from core.models.common.strengths import popularity
from core.models.common.tensors import tensor
from core.models.common.validation import validation_score
from core.models.neural.snapshots import Snapshots
from core.models.neural.start_state import (
    Scores,
    StartState,
    share_loss,
    solved,
    start_shares,
)
from core.models.neural.train_loop import seeded, train_loop
from core.models.neural.training_state import Batches
from core.types import (
    Array,
    Checkpoint,
    Encoder,
    EpochReport,
    Floats,
    Interactions,
    OnEpoch,
    Queries,
    TrainData,
)

SCORED_AT_ONCE = 1024
POPULARITY, START = "popularity", ("start.vector", "start.offsets")  # in a state
CHOOSING = 0.7  # of the time is over, as a guess, when validation has said when to stop

Net = TypeVar("Net", bound=nn.Module)
Task = tuple[Batches, Callable[[Tensor], Tensor]]


class GradientModel(ABC, Generic[Net]):
    """A model learnt by gradients: it stops when validation gets no better, then may learn anew.

    A kind of model says what its network is, what a step is and what it scores; here is the rest. A
    history without events is scored from a start state (start_state.py), by popularity only where
    nothing could be learnt, or where an earlier version learnt no start state.
    """

    Config: ClassVar[type]  # TrainingSettings and more
    needs_validation: ClassVar[bool] = True
    needs_features: ClassVar[bool] = False
    gives_shares: ClassVar[bool] = True

    def __init__(self, config: Any = None) -> None:
        self.config = self.Config() if config is None else config
        self._net: Net | None = None
        self._start: StartState | None = None
        self._scores_of_none = torch.zeros(0)  # (I,) of a history without events
        self._checkpoint: Checkpoint | None = None
        self._until = NEVER
        self.best_epoch = 0  # where validation said to stop; all of them without validation
        self.snapshots: Mapping[int, Floats] = {}

    @abstractmethod
    def _network(self, train: TrainData, log: Interactions) -> Net:
        """A network with fresh weights, drawn from torch's own state, for this part of the log."""

    @abstractmethod
    def _network_of(self, weights: Mapping[str, Tensor]) -> Net:
        """A network of the shape that these weights have; they are loaded afterwards."""

    @abstractmethod
    def _task(self, net: Net, log: Interactions, generator: torch.Generator) -> Task | None:
        """The rows to learn from and the mean loss of some of them; None: there is nothing."""

    @abstractmethod
    def _scores(self, net: Net, queries: Queries) -> Tensor:
        """(B, n_items) of these histories, any for one without events; no gradients are kept."""

    @abstractmethod
    def _refresh(self, net: Net) -> None:
        """Works out what scoring needs again and again, whenever the weights have changed."""

    @abstractmethod
    def _start_scores(self, net: Net) -> tuple[Scores, int]:
        """The scores (I,) float64 from a start vector, with gradients; and that vector's size."""

    def _start_loss(self, scores: Tensor, shares: Tensor) -> Tensor:
        """The loss of one event that a history without events foretells, from scores (I,)."""
        return share_loss(scores, shares)

    def resume_at(self, checkpoint: Checkpoint) -> None:
        """The next fit goes on from here, and leaves here how far it is."""
        self._checkpoint = checkpoint

    def stop_by(self, deadline: Deadline) -> None:
        """The next fit ends by then, with the best epoch that it has."""
        self._until = deadline

    def fit(
        self,
        train: TrainData,
        *,
        rng: np.random.Generator,
        device: str = "cpu",
        on_epoch: OnEpoch | None = None,
    ) -> Self:
        """Learn step by step; without validation for as many epochs as the config says.

        Raises:
            TooLarge: one row does not fit into the GPU's memory.
            BadInput: the loss went astray.
        """
        config, log = self.config, train.interactions
        checkpoint, self._checkpoint = self._checkpoint, None
        until, self._until = self._until, NEVER
        self._net, self.snapshots = None, {}
        self.best_epoch = epochs = int(config.epochs)
        with seeded(rng, device) as generator:
            start = int(torch.randint(2**62, (), generator=generator))

            def learn(
                log: Interactions,
                validate: Callable[[], float] | None = None,
                begin: float = 0.0,
                end: float = 1.0,
            ) -> int:
                torch.manual_seed(start)  # inside `seeded`
                net = self._network(train, log).to(device)
                self._keep(net, log, device)
                task = self._task(net, log, generator)
                if task is None:
                    return epochs
                last = end == 1.0  # nothing is learnt anew, with the validation events
                snapshots = self._marking(net, validated=validate is not None) if last else None
                best = train_loop(
                    net,
                    *task,
                    config=config,
                    epochs=epochs,
                    validate=validate,
                    on_epoch=_part_of(on_epoch, begin, end),
                    checkpoint=checkpoint.part("refit" if begin else "fit") if checkpoint else None,
                    snapshots=snapshots,
                    until=until,
                )
                if snapshots:
                    self.snapshots = {at: v.numpy() for at, v in snapshots.kept.items()}
                if last:
                    self._refresh(net.eval())
                    self._solve_start(net, log)
                return best

            if train.validation is None:
                learn(log)
            else:
                measure = validation_score(self.score, train.validation, rng, SCORED_AT_ONCE)

                def validate() -> float:
                    self._refresh(self._fitted())
                    return measure()

                again = train.train_and_validation if config.refit else None
                epochs = learn(log, validate, end=1.0 if again is None else CHOOSING)
                self.best_epoch = epochs
                if again is not None:
                    learn(again, begin=CHOOSING)
        self._refresh(self._fitted().eval())
        return self

    def _marking(self, net: Net, *, validated: bool) -> Snapshots | None:
        """Keeps the items' vectors of a few epochs, if it has any."""
        if not isinstance(self, Encoder):
            return None
        encode_items = self.encode_items

        def vectors() -> Tensor:
            if not validated:  # which has just worked them out
                self._refresh(net)
            return encode_items()

        return Snapshots(vectors)

    def _keep(self, net: Net, log: Interactions, device: str) -> None:
        self._net, self._start = net, None
        self._scores_of_none = tensor(np.log1p(popularity(log)), device)

    def _solve_start(self, net: Net, log: Interactions) -> None:
        scores, size = self._start_scores(net)
        shares = start_shares(log, self._scores_of_none.device)
        self._start = solved(scores, self._start_loss, shares, size=size, events=len(log))
        self._scores_of_none = self._start.scores(scores)

    def _or_start(self, vectors: Tensor, queries: Queries) -> Tensor:
        """The vectors (B, dim) of these histories; the start vector for those without events."""
        if self._start is None:
            return vectors
        empty = tensor(queries.lengths == 0, vectors.device)
        return torch.where(empty[:, None], self._start.vector, vectors)

    @property
    def device(self) -> str:
        """Where the network lies: "cpu" or "cuda"."""
        return self._scores_of_none.device.type

    def _fitted(self) -> Net:
        if self._net is None:
            raise NotFitted(f"this {type(self).__name__} model is not fitted yet: fit or load it")
        return self._net

    def score(self, queries: Queries) -> Tensor:
        """Scores (B, n_items), float32, on the model's device."""
        net = self._fitted()
        with torch.no_grad():
            scores = self._scores(net, queries)
        empty = tensor(queries.lengths == 0, scores.device)
        return torch.where(empty[:, None], self._scores_of_none, scores)

    def state(self) -> dict[str, Array]:
        """The weights and buffers of the network by name, and the start state, else popularity."""
        state = self._fitted().state_dict()
        if self._start is None:
            state[POPULARITY] = self._scores_of_none
        else:
            state |= dict(zip(START, self._start, strict=True))
        return {name: value.cpu().numpy() for name, value in state.items()}

    def load(self, state: Mapping[str, Array], *, device: str = "cpu") -> Self:
        """Take up what an earlier fit learnt."""
        weights = {name: torch.from_numpy(np.array(value)) for name, value in state.items()}
        start = [weights.pop(name).to(device) for name in START if name in weights]
        self._start = StartState(*start) if start else None
        if not start:  # nothing was learnt, or by an earlier version
            self._scores_of_none = weights.pop(POPULARITY).to(device)
        with torch.random.fork_rng([]):  # what it draws is overwritten at once
            net = self._network_of(weights)
        net.load_state_dict(weights)
        self._net = net.to(device).eval()
        self._refresh(self._net)
        if self._start is not None:
            self._scores_of_none = self._start.scores(self._start_scores(self._net)[0])
        return self


def _part_of(on_epoch: OnEpoch | None, begin: float, end: float) -> OnEpoch | None:
    """Says what share of the whole is done, where these epochs are a part of it."""
    if on_epoch is None:
        return None

    def tell(report: EpochReport) -> None:
        done = begin + report.share * (end - begin)
        on_epoch(replace(report, refit=begin > 0, done=done))

    return tell
