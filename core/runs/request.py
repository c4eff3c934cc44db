"""A training as a person asks for it: names and numbers, resolved once into a checked config."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Self

from core.data.split import KINDS, VALIDATE_ON, TimeCut, usual_validation
from core.data.store import Workspace
from core.errors import BadInput
from core.runs.artifact import Run, find_run
from core.runs.config import model_class, model_config, settle_device
from core.types import RunConfig


@dataclass(frozen=True)
class RunRequest:
    """A training as it is asked for, by a command, a page, a cell or a test."""

    dataset: str  # an id, a name, or the beginning of an id
    model: str  # a name in MODELS
    params: Mapping[str, object] | Iterable[str] = ()  # what differs from the defaults; "key=value"
    split: str = "leave-last-out"  # last-visit, by-time, none
    seed: int = 0  # 0 … 2⁶³ - 1
    device: str = "auto"  # takes the GPU where there is one; cpu, cuda
    features: Mapping[str, str] = field(default_factory=dict)  # encoders of texts and images
    name: str | None = None  # of the run; the model's if not given
    cut: str = ""  # where by-time cuts: a date, a share, an order number; TimeCut.parse reads it
    validate_on: str = ""  # next-event, next-visit, next-period; "" as is usual for the split

    @classmethod
    def again(cls, config: RunConfig, name: str | None = None) -> Self:
        """What a run of this config was asked for by; it resolves to the same config."""
        features = {n: value for n, value in config.features.items() if not n.endswith("_hash")}
        return cls(
            *(config.dataset, config.model, config.params, config.split, config.seed),
            config.device,
            features=features,
            name=name,
            cut=config.cut,
            validate_on=config.validate_on,
        )

    def config(self) -> RunConfig:
        """Every parameter named and the device settled; dataset and encoders as they are written.

        Raises:
            BadInput: an unknown name or a value out of range, and what would be right.
        """
        if self.split not in KINDS:
            raise BadInput(f"there is no split {self.split!r}: choose one of {', '.join(KINDS)}")
        if self.cut and self.split != "by-time":
            raise BadInput(
                f"only by-time is cut at a time or share, not {self.split}: choose the split "
                "by-time, or leave the cut out"
            )
        if self.validate_on and self.validate_on not in VALIDATE_ON:
            raise BadInput(
                f"there is no validation on {self.validate_on!r}: choose one of "
                f"{', '.join(VALIDATE_ON)}"
            )
        if self.validate_on and not model_class(self.model).needs_validation:
            raise BadInput(
                f"{self.model} needs no validation: leave the validation on {self.validate_on} out"
            )
        if not 0 <= self.seed < 2**63:
            raise BadInput(f"the seed must lie in 0 … {2**63 - 1}, not at {self.seed}")
        if self.features and not model_class(self.model).needs_features:
            raise BadInput(
                f"{self.model} reads no texts or images: leave {', '.join(self.features)} out"
            )
        return RunConfig(
            dataset=self.dataset,
            model=self.model,
            params=asdict(model_config(self.model, self.params)),
            split=self.split,
            seed=self.seed,
            device=settle_device(self.device),
            features=self.features,
            cut=self.cut,
            validate_on=""
            if self.validate_on == usual_validation(self.split)
            else self.validate_on,
        )

    def resolve(self, workspace: Workspace) -> RunConfig:
        """The same with the ids of the dataset and of a fusion's runs, and the encoders found.

        Raises:
            BadInput: as `config`, no such dataset, or components of other data.
        """
        # Deferred: it loads what makes features, which a page that only lists jobs does not need.
        from core.data.features.embeddings import resolve_encoders

        info = workspace.dataset(self.dataset)
        features = resolve_encoders(self.features, info.meta["item_columns"])
        cut = TimeCut.parse(self.cut, info.time_kind).written(info.time_kind)
        config = replace(self, dataset=info.id, features=features).config()
        config = replace(config, cut=cut)
        if "components" not in config.params:
            return config
        refs = [ref.strip() for ref in str(config.params["components"]).split(",") if ref.strip()]
        components = {run.id: run for run in (find_run(workspace, ref) for ref in refs)}
        for run in components.values():
            if (run.config.dataset, run.config.split, run.config.cut) != (info.id, self.split, cut):
                raise BadInput(
                    f"run {run.name} ({run.id}) learnt from {run.dataset_name} "
                    f"({run.config.dataset}, {run.config.split}), not from {info.name} ({info.id}, "
                    f"{self.split}): components are runs of one dataset and split"
                )
        return replace(
            config,
            params={**config.params, "components": ",".join(components)},
            features=_shared_features(config, components.values()),
        )


def _shared_features(config: RunConfig, components: Iterable[Run]) -> Mapping[str, str]:
    """What all components that read features were given, which a fusion may fit anew."""
    readers = [run for run in components if model_class(run.config.model).needs_features]
    given = {run.name: dict(run.config.features) for run in readers}
    if config.features:
        given["this fusion"] = dict(config.features)
    for name, features in given.items():
        (first, shared), *_ = given.items()
        if features != shared:
            raise BadInput(
                f"{name} has {_encoders(features)} and {first} has {_encoders(shared)}: "
                "components that read texts and images need the same of them"
            )
    return next(iter(given.values()), {})


def _encoders(features: Mapping[str, str]) -> str:
    named = [f"{name} {value}" for name, value in features.items() if not name.endswith("_hash")]
    return ", ".join(named) or "no encoder"
