"""Several fitted models as one: their scores on one scale, weighted, added up."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from core.errors import BadInput, NotFitted
from core.findings import ComponentFindings, FusionFindings
from core.models.common.deadline import NEVER, Deadline
from core.models.common.settings import setting
from core.models.common.tensors import tensor
from core.models.common.validation import VALIDATION_QUERIES, validation_score
from core.models.ensemble.fusion_weights import (
    EDGES,
    Pairs,
    best_weights,
    cross_fitted,
    segment,
)
from core.models.ensemble.score_fusion import SEGMENTS, ScoreFusion, ScoreFusionConfig
from core.types import (
    Array,
    Checkpoint,
    Composed,
    EpochReport,
    Features,
    Holdout,
    ItemPart,
    OnEpoch,
    Queries,
    ReadsLatest,
    Recommender,
    Resumable,
    TrainData,
)

SCALED_ON = 2_000  # histories, from which a frozen scale is taken
NUMBERS_AT_ONCE = 2**22  # components × queries × items; so few that a deadline is seen soon


@dataclass(frozen=True)
class Judged:
    """What validation said of a fusion."""

    figures: Array  # NDCG@10 of each component, then of the sum, (C + 1,); empty without validation
    people: int = 0  # who were asked
    newcomers: int = 0  # who gave the weights of empty histories; 0: they are as the others'


UNJUDGED = Judged(np.zeros(0))


@dataclass(frozen=True)
class FusionConfig(ScoreFusionConfig):
    """What is fused, and how."""

    method: str = setting(
        "scores",
        "scores adds weighted scores; ranks adds reciprocal ranks, all alike; stages lets the "
        "second run order what the first one finds",
        choices=("scores", "ranks", "stages"),
    )
    components: str = setting("", "The runs to fuse, with commas between")
    candidates: int = setting(
        500, "Items that the first stage finds for the second", min=1, max=100_000, step=100
    )


class Fusion:
    """S(q, i) = Σ_c w_c · z_c(q, i), z_c = (s_c - μ_c) / σ_c, w_c ≥ 0, Σ w_c = 1.

    μ and σ are those of a component's scores over all items: of each history, or frozen, one pair
    for all histories of a segment. The weights, a row per segment of history length, are those of
    high NDCG@10 on validation, leaning on a mix (fusion_weights.py). They are found on components
    fitted anew without the validation events, and then used for those given, which may know them.
    If the sum, by weights of other people, is surely worse on validation than the best component,
    that one has all the weight. Without validation events all weigh alike.
    `ranks` is reciprocal rank fusion, 1 / (60 + rank) of each added up (Cormack, Clarke, Büttcher,
    SIGIR 2009). `stages` has two components, the first of which finds what the second orders
    (score_fusion.py). The state holds the components: it is whole.
    """

    Config: ClassVar[type] = FusionConfig
    needs_validation: ClassVar[bool] = True
    needs_features: ClassVar[bool] = True

    def __init__(self, config: Any = None) -> None:
        self.config = self.Config() if config is None else config
        self._fusion: ScoreFusion | None = None
        self._checkpoint: Checkpoint | None = None
        self._names: tuple[str, ...] = ()
        self._judged = UNJUDGED

    def resume_at(self, checkpoint: Checkpoint) -> None:
        """The next fit goes on from here, and leaves here how far its components are."""
        self._checkpoint = checkpoint

    def _resumed(self, model: Recommender, name: str) -> Recommender:
        """The model, which goes on from its own part of the checkpoint."""
        if self._checkpoint and isinstance(model, Resumable):
            model.resume_at(self._checkpoint.part(name))
        return model

    def fit(
        self,
        train: TrainData,
        *,
        rng: np.random.Generator,
        device: str = "cpu",
        on_epoch: OnEpoch | None = None,
    ) -> Self:
        """Find how much each of train.components should count.

        Raises:
            BadInput: there are too few or too many components, or one is a fusion itself.
        """
        models = tuple(train.components.values())
        stages = self.config.method == "stages"
        if len(models) < 2 or (stages and len(models) > 2):
            raise BadInput(
                f"a fusion {'in stages ' * stages}needs two runs{' or more' * (not stages)}, not "
                f"{len(models)}: name them as components=RUN,RUN"
            )
        if nested := [
            name for name, model in train.components.items() if isinstance(model, Fusion)
        ]:
            raise BadInput(f"{nested[0]} is a fusion itself: name its components instead")
        probes = self._fit_anew(train, rng, device, on_epoch) if has_validation(train) else None
        self._fuse(tuple(train.components), models, probes, train, rng, device)
        return self

    def _fit_anew(
        self, train: TrainData, rng: np.random.Generator, device: str, on_epoch: OnEpoch | None
    ) -> list[Recommender]:
        """Models of the components' kinds and settings, without the validation events."""
        models, n = [], len(train.components)
        for position, (name, model) in enumerate(train.components.items()):
            config = model.config
            if getattr(config, "refit", False):
                config = replace(config, refit=False)
            on_component = part_of(on_epoch, name, position / n, (position + 1) / n)
            fresh = self._resumed(type(model)(config), name)
            models.append(
                fresh.fit(
                    without_validation_events(train), rng=rng, device=device, on_epoch=on_component
                )
            )
        return models

    def _fuse(
        self,
        names: tuple[str, ...],
        models: Sequence[Recommender],
        probes: Sequence[Recommender] | None,
        train: TrainData,
        rng: np.random.Generator,
        device: str,
    ) -> None:
        """Weighs the models as is best for the probes, which know nothing of the validation."""
        held_out, log = train.validation, train.interactions
        sample = log.queries(np.sort(rng.permutation(log.n_users)[:SCALED_ON]))
        fusion = ScoreFusion.alike(self.config, models, sample, device)
        self._names, self._judged = names, UNJUDGED
        if probes is not None and held_out is not None:
            probe_fusion = ScoreFusion.alike(self.config, probes, sample, device)
            weights, self._judged = weigh(probe_fusion, held_out, log.n_items, rng)
            fusion = replace(fusion, weights=weights)
        self._fusion = fusion

    @property
    def device(self) -> str:
        """Where the weights lie, and the scores of the components: "cpu" or "cuda"."""
        return "cpu" if self._fusion is None else self._fusion.weights.device.type

    def _fitted(self) -> ScoreFusion:
        if self._fusion is None:
            raise NotFitted(f"this {type(self).__name__} model is not fitted yet: fit or load it")
        return self._fusion

    def score(self, queries: Queries) -> Tensor:
        """Scores (B, n_items), float32, on the model's device."""
        return self._fitted().score(queries)

    def reads(self) -> int | None:
        """What the component reads that reads most."""
        models = self._fitted().models
        each = [model.reads() if isinstance(model, ReadsLatest) else None for model in models]
        most = [n for n in each if n is not None]
        return max(most) if len(most) == len(each) else None

    def contributions(self, queries: Queries) -> Tensor:
        """What each component adds to each score, (C, B, n_items).

        Raises:
            BadInput: stages do not add up.
        """
        fusion = self._fitted()
        if self.config.method == "stages":
            raise BadInput("in stages nothing is added up: the order is the second component's")
        weights = fusion.weights[tensor(segment(queries), fusion.weights.device)]
        return fusion.component_scores(queries) * weights.T[:, :, None]

    @property
    def adding(self) -> tuple[str, ...]:
        """The components whose parts add up to the score; none in stages."""
        return () if self.config.method == "stages" else self._names

    def parts(self, features: Features | None) -> tuple[ItemPart, ...]:
        """What the components' items are made of, each part once; none in stages.

        A component that knows items as wholes (ease, als, …) gives what it gives whatever parts
        are left; of only such there are none.
        """
        if self.config.method == "stages":
            return ()
        models = [model for model in self._fitted().models if isinstance(model, Composed)]
        return tuple(
            dict.fromkeys(item_part for model in models for item_part in model.parts(features))
        )

    def score_of_parts(
        self, query: Queries, item: int, features: Features | None, keep: Array
    ) -> Array:
        """The weighted sum (M,) of what the components give an item of only some parts.

        Their scales stay those of the whole catalogue and of this history, in which the item has
        all its parts; so do the scores that a rank is counted among.
        """
        fusion, all_parts, keep = self._fitted(), self.parts(features), np.asarray(keep, bool)
        weights = fusion.weights[int(segment(query)[0])].tolist()
        total = np.zeros(len(keep))
        for c, (model, weight) in enumerate(zip(fusion.models, weights, strict=True)):
            if not weight:
                continue
            with torch.no_grad():
                scores = model.score(query)
            whole = float(scores[0, item])
            values = np.full(len(keep), whole)
            if isinstance(model, Composed) and (own := model.parts(features)):
                kept = keep[:, [all_parts.index(item_part) for item_part in own]]
                values = model.score_of_parts(query, item, features, kept)
                values[kept.all(axis=1)] = whole  # to the last bit: ranks hang on it
            total += weight * fusion.rescaled(c, query, scores, values, item)
        return total

    @property
    def components(self) -> dict[str, Recommender]:
        """The fitted components by name."""
        return dict(zip(self._names, self._fitted().models, strict=True))

    def findings(self) -> FusionFindings:
        """Each component's weight by segment of history length, and what it is worth alone."""
        fusion = self._fitted()
        judged = self._judged
        weights, alone = fusion.weights.T.tolist(), judged.figures[:-1].tolist()
        components = (
            ComponentFindings(
                name=name,
                model=_name_of(model),
                weights=tuple(round(weight, 4) for weight in weights[c]),
                validation=alone[c] if alone else None,
            )
            for c, (name, model) in enumerate(zip(self._names, fusion.models, strict=True))
        )
        return FusionFindings(
            segments=(0, *EDGES),
            components=tuple(components),
            validation=float(judged.figures[-1]) if alone else None,
            candidates=self.config.candidates if self.config.method == "stages" else None,
            people=judged.people,
            newcomers=judged.newcomers,
        )

    def state(self) -> dict[str, Array]:
        """Weights (segments, C), scale (segments, C, 2), and each component's state as c.name."""
        fusion = self._fitted()
        about = [
            {"name": name, "model": _name_of(model), "params": asdict(model.config)}
            for name, model in zip(self._names, fusion.models, strict=True)
        ]
        state: dict[str, Array] = {
            "weights": fusion.weights.cpu().numpy(),
            "scale": fusion.scale.cpu().numpy(),
            "figures": self._judged.figures,
            "people": np.array([self._judged.people, self._judged.newcomers]),
            "components": np.frombuffer(json.dumps(about).encode(), np.uint8),
        }
        for c, model in enumerate(fusion.models):
            state |= {f"{c}.{key}": value for key, value in model.state().items()}
        return state

    def load(self, state: Mapping[str, Array], *, device: str = "cpu") -> Self:
        """Take up what an earlier fit learnt."""
        from core.models import MODELS

        about = json.loads(bytes(state["components"]))
        models = []
        for c, component in enumerate(about):
            kind, start = MODELS[component["model"]], f"{c}."
            own = {key[len(start) :]: v for key, v in state.items() if key.startswith(start)}
            models.append(kind(kind.Config(**component["params"])).load(own, device=device))
        weights, scale = (tensor(state[name], device) for name in ("weights", "scale"))
        self._fusion = ScoreFusion(self.config, tuple(models), weights, scale)
        self._names = tuple(component["name"] for component in about)
        people, newcomers = state.get("people", np.zeros(2, int)).tolist()  # earlier: none are said
        self._judged = Judged(np.array(state["figures"]), people, newcomers)
        return self


def _name_of(model: Recommender) -> str:
    from core.models import MODELS

    return next(name for name, kind in MODELS.items() if kind is type(model))


def has_validation(train: TrainData) -> bool:
    """Whether there is anything to choose by."""
    return train.validation is not None and len(train.validation.targets) > 0


def without_validation_events(train: TrainData) -> TrainData:
    """What is learnt from before the choice."""
    return replace(train, train_and_validation=None, components={})


def part_of(on_epoch: OnEpoch | None, name: str, begin: float, end: float) -> OnEpoch:
    """Tells of a component's epochs, from one share of the whole to another; once at its start."""

    def tell(report: EpochReport) -> None:
        if on_epoch is not None:
            done = begin + report.share * (end - begin)
            on_epoch(replace(report, component=name, done=done))

    tell(EpochReport(0, 1))
    return tell


def weigh(
    fusion: ScoreFusion,
    held_out: Holdout,
    n_items: int,
    rng: np.random.Generator,
    until: Deadline = NEVER,
) -> tuple[Tensor, Judged]:
    """The best weights (segments, C), and what they and each component are worth.

    The NDCG@10 of the sum is by weights that other people's events gave, as by its own it would be
    too good (fusion_weights.cross_fitted).
    """
    n, device = len(fusion.models), fusion.weights.device
    block = max(1, NUMBERS_AT_ONCE // (n * n_items))
    if fusion.config.method != "scores":
        seed = int(rng.integers(2**63))  # the same queries for each
        scores = [*(model.score for model in fusion.models), fusion.score]
        figures = [
            validation_score(score, held_out, np.random.default_rng(seed), block)()
            for score in scores
        ]
        asked = int(np.count_nonzero(np.diff(held_out.offsets)))
        return fusion.weights, Judged(np.array(figures), min(asked, VALIDATION_QUERIES))
    # of the time there is a third at most for each: scores, weights, and what these are worth
    scored_by = Deadline.within(until.left / 3)
    pairs = Pairs.of(fusion.component_scores, held_out, rng, block, scored_by)
    if pairs is None:  # nothing that was held out can stand on a list
        return fusion.weights, Judged(np.zeros(n + 1))
    alone = np.array([pairs.figure(pairs.ahead[..., c]) for c in range(n)])
    weights = best_weights(pairs, Deadline.within(until.left / 2))
    figure, too_little = cross_fitted(pairs, until)
    if too_little:
        weights, figure = np.tile(np.eye(n)[int(alone.argmax())], (SEGMENTS, 1)), alone.max()
    asked = round(pairs.people / pairs.answerable)
    return tensor(weights.astype(np.float32), device), Judged(np.append(alone, figure), asked)
