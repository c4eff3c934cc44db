"""The only place where the stages are wired together: load → split → fit → save, and back."""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core import artifact
from core.artifact import Run
from core.config import model_class, model_config, plan, run_id, settle_device
from core.data.store import Workspace
from core.errors import BadInput, Corrupt, NotFound
from core.types import PAD, OnEpoch, Queries, Recommender, RunConfig, Split, TrainData, Vocab

if TYPE_CHECKING:
    import pandas as pd

    from core.data.dataset import Dataset

OnStage = Callable[[str, float | None], None]  # "load", "split", "fit", "save", "evaluate"

_log = logging.getLogger("recscope")

_BLOCK_ROWS = 1_000_000  # recommendations made before some are written


def train(
    workspace: Workspace,
    dataset_ref: str,
    model: str,
    params: Mapping[str, Any] | Iterable[str] = (),
    *,
    split: str = "leave-last-out",
    seed: int = 0,
    device: str = "auto",
    name: str | None = None,
    on_stage: OnStage | None = None,
    on_epoch: OnEpoch | None = None,
) -> Run:
    """Fits a model to a dataset and stores it; the same again returns what is stored.

    Raises:
        BadInput: an unknown dataset, model or parameter, or a log that the model cannot learn from.
    """
    info = workspace.dataset(dataset_ref)
    config = plan(info.id, model, params, split=split, seed=seed, device=device)
    return fit(workspace, config, name=name, on_stage=on_stage, on_epoch=on_epoch)


def fit(
    workspace: Workspace,
    config: RunConfig,
    *,
    name: str | None = None,
    on_stage: OnStage | None = None,
    on_epoch: OnEpoch | None = None,
) -> Run:
    """The run of this config, fitted unless it is already there and whole."""
    from core.data import dataset

    say = on_stage or _silent
    if found := stored(workspace, config, name):
        return found
    began = time.perf_counter()
    info = workspace.dataset(config.dataset)
    kind = model_class(config.model)
    say("load", None)
    data = dataset.load(info)
    say("split", None)
    parts = _split(data, config)
    features = (data.item_features, data.user_features) if kind.needs_features else (None, None)
    say("fit", None)
    model = kind(model_config(config.model, config.params)).fit(
        TrainData(parts.train, *features, parts.validation),
        rng=np.random.default_rng(config.seed),
        device=config.device,
        on_epoch=on_epoch,
    )
    state = model.state()
    say("save", None)
    return artifact.save(
        workspace,
        run_id(config),
        config,
        state,
        data.items,
        name=artifact.checked_name(name or config.model),
        dataset_name=info.name,
        created=_created(workspace, config),
        seconds=round(time.perf_counter() - began, 3),
        split={
            "kind": parts.kind,
            "fingerprint": parts.fingerprint,
            "tie_rate": parts.tie_rate,
            "train_events": len(parts.train),
            "test_users": len(parts.test) if parts.test else 0,
        },
        machine=_machine(config.device),
    )


def _silent(stage: str, progress: float | None = None) -> None:
    """Nobody listens."""


def stored(workspace: Workspace, config: RunConfig, name: str | None) -> Run | None:
    """The finished run of this config, under the name asked for; None if damaged or not there."""
    found = artifact.open_run(workspace, run_id(config))
    if found is None:
        return None
    try:
        artifact.verify(found)
    except Corrupt:
        return None
    return artifact.rename(workspace, found.id, name) if name else found


def _split(data: Dataset, config: RunConfig) -> Split:
    from core.data.split import split

    validation = model_class(config.model).needs_validation
    return split(data.interactions, config.split, validation=validation)


def _created(workspace: Workspace, config: RunConfig) -> str:
    """When a job asked for this run, or now."""
    from core.progress import now, read_json

    spec = read_json(workspace.runs_folder / run_id(config) / "run.json") or {}
    return str(spec.get("created") or now())


def _machine(device: str) -> dict[str, str]:
    import torch

    name = torch.cuda.get_device_name() if device == "cuda" else platform.machine()
    return {
        "device": device,
        "device_name": name,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


@dataclass(frozen=True, eq=False)
class Ready:
    """A run that is loaded and can answer: the model, its catalogue, its dataset."""

    workspace: Workspace
    run: Run
    model: Recommender
    items: Vocab

    @cached_property
    def dataset(self) -> Dataset:
        """The dataset that the run learnt from; its items are the run's."""
        from core.data import dataset

        data = dataset.load(self.workspace.dataset(self.run.config.dataset))
        if not np.array_equal(data.items.ids, self.items.ids):
            raise Corrupt(
                f"run {self.run.id} knows other items than its dataset has: train it again"
            )
        return data


def ready(workspace: Workspace, run: Run, *, device: str = "auto") -> Ready:
    """The run, loaded and checked, to be asked as often as one likes."""
    model, items = artifact.load(run, device=settle_device(device))
    return Ready(workspace, run, model, items)


def evaluate(
    workspace: Workspace,
    run: Run,
    *,
    ks: Sequence[int] = (5, 10, 20),
    hide_seen: bool = True,
    device: str = "auto",
    on_stage: OnStage | None = None,
) -> dict[str, Any]:
    """What the run is worth on the events that its split held out; stored beside the run too.

    Returns:
        {run, dataset, model, split, hide_seen, users, metrics: {"ndcg@10": {mean, low, high}}, …}

    Raises:
        BadInput: nothing was held out.
    """
    import pandas as pd

    from core.evaluate import evaluate as measure

    say = on_stage or _silent
    if run.config.split == "none":
        raise BadInput(
            f"run {run.id} learnt from everything (--split none), so nothing is left to test it "
            "on: train with leave-last-out or by-time"
        )
    say("load", None)
    loaded = ready(workspace, run, device=device)
    parts = _split(loaded.dataset, run.config)
    if parts.fingerprint != run.meta["split"]["fingerprint"] or parts.test is None:
        raise Corrupt(f"run {run.id} was split by another version of Recscope: train it again")
    say("evaluate", None)
    found = measure(
        loaded.model,
        parts.test,
        train=parts.train,
        ks=tuple(ks),
        hide_seen=hide_seen,
        item_features=loaded.dataset.item_features,
        on_progress=lambda done: say("evaluate", done),
    )
    result = {
        "run": run.id,
        "name": run.name,
        "dataset": run.config.dataset,
        "model": run.config.model,
        "split": run.config.split,
        "split_tie_rate": parts.tie_rate,
        "hide_seen": hide_seen,
        "users": found.users,
        "metrics": found.summary,
        "target_hidden_share": found.target_hidden_share,
        "score_tie_rate": found.score_tie_rate,
        "seconds": round(found.seconds, 3),
    }
    asked = parts.test.queries.users[found.ranking.queries]
    user_ids = loaded.dataset.users.decode(asked)
    per_user = pd.DataFrame({"user_id": user_ids, **found.per_user})
    artifact.save_metrics(workspace, run, result, per_user)
    return result


def recommend(
    workspace: Workspace,
    run: Run,
    *,
    users: Sequence[object] | None = None,
    histories: Path | None = None,
    k: int = 10,
    hide_seen: bool = True,
    device: str = "auto",
) -> pd.DataFrame:
    """user_id, item_id, rank (from 1), score: the k best for each person; see recommendations."""
    import pandas as pd

    loaded = ready(workspace, run, device=device)
    people, queries = whom(loaded, users=users, histories=histories)
    blocks = recommendations(loaded, people, queries, k=k, hide_seen=hide_seen)
    return pd.concat(list(blocks), ignore_index=True)


def whom(
    loaded: Ready, *, users: Sequence[object] | None = None, histories: Path | None = None
) -> tuple[Any, Queries]:
    """The ids (B,) of those to recommend for, and what each did, as queries.

    Args:
        loaded: A run.
        users: Ids of people in the dataset, in the order wanted, each once; all of them if not
            given. Their whole history counts, also what the split held out.
        histories: A table user_id, item_id[, timestamp] of people never seen, instead.

    Raises:
        NotFound: an id that the dataset does not have.
    """
    if histories is not None:
        return _strangers(loaded, histories)
    known = loaded.dataset.users
    if users is None:
        return known.ids, loaded.dataset.interactions.queries()
    asked = list(dict.fromkeys(map(str, users)))
    codes = known.encode(asked)
    unknown = [name for name, code in zip(asked, codes, strict=True) if code == PAD]
    if unknown:
        some = ", ".join(map(repr, unknown[:5])) + (" …" if len(unknown) > 5 else "")
        raise NotFound(
            f"{len(unknown)} of {len(asked)} users are not in dataset {loaded.run.dataset_name}: "
            f"{some}; it has ids such as {', '.join(map(str, known.ids[:3]))}, and people whom it "
            "does not know come with --histories"
        )
    return known.decode(codes), loaded.dataset.interactions.queries(codes)


def _strangers(loaded: Ready, path: Path) -> tuple[Any, Queries]:
    from core.data.dataset import histories

    people, queries, unknown = histories(path, loaded.items)
    if unknown:
        _log.warning(
            "%d events of %s are of items that run %s does not know, and do not count",
            *(unknown, path, loaded.run.id),
        )
    return people, queries


def recommendations(
    loaded: Ready, people: Any, queries: Queries, *, k: int = 10, hide_seen: bool = True
) -> Iterator[pd.DataFrame]:
    """user_id, item_id, rank, score of these queries, in frames of about a million rows.

    The order is that of the queries, then of the rank. Fewer than k rows come where a person has
    fewer items left. There is always at least one frame, maybe without rows.
    """
    import pandas as pd

    from core.recommend import recommend as best

    n_items = len(loaded.items)
    k = min(k, n_items)
    step = max(1, _BLOCK_ROWS // max(k, 1))
    for start in range(0, max(len(queries), 1), step):
        part = slice(start, min(start + step, len(queries)))
        found = best(loaded.model, queries[part], k, n_items=n_items, hide_seen=hide_seen)
        rows, places = np.nonzero(found.items != PAD)
        yield pd.DataFrame(
            {
                "user_id": people[part][rows],
                "item_id": loaded.items.decode(found.items[rows, places]),
                "rank": places + 1,
                "score": found.scores[rows, places],
            }
        )
