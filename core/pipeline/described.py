"""Items that stand only in a dataset's table of items: a run that reads content can be asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from core.data.queries import described_ids
from core.errors import NotFound
from core.models import MODELS
from core.models.common.item_parts import EMBEDDINGS, ID
from core.pipeline.labels import Labels
from core.pipeline.loaded_run import LoadedRun
from core.types import PAD, Extensible, Features


def with_described(loaded: LoadedRun, ids: Iterable[object]) -> LoadedRun:
    """The run with those of these items in its catalogue that nobody took but that are described.

    What it says of all others stays, but for what hangs on the whole catalogue: places, and the
    mean that an explanation is above. Nothing is kept: the next question begins with the log's.

    Args:
        loaded: A run.
        ids: Of any items, None among them or not; of those that are not described nothing is said.

    Raises:
        NotFound: an item is described, but the run's model knows only those of its log.
    """
    wanted = [item for item in ids if item is not None]
    codes = loaded.items.encode(wanted)
    unknown = [str(item) for item, code in zip(wanted, codes, strict=True) if code == PAD]
    info = Labels(loaded).info if unknown else None
    new = described_ids(info, unknown) if info is not None else []
    if not new:
        return loaded
    data = loaded.load_dataset().with_items(new)
    features = data.item_features
    if features is None or not _reads(loaded, features):
        raise NotFound(_why_not(loaded, new[0]))
    assert isinstance(loaded.model, Extensible)
    model = loaded.model.with_items(features, data.n_taken)
    return replace(loaded, model=model, items=data.items, data=data)


def embeddings_left_out(loaded: LoadedRun, item: int) -> tuple[str, ...]:
    """Which embeddings the model reads, and this item (a code) has none of since it came later.

    They would have to be made by the same encoder, and be whitened with all others anew.
    """
    if not loaded.is_described(item) or not isinstance(loaded.model, Extensible):
        return ()
    parts = loaded.model.parts(loaded.load_dataset().item_features)
    return tuple(part.kind for part in parts if part.kind in EMBEDDINGS)


def _reads(loaded: LoadedRun, features: Features) -> bool:
    """Whether the model hears of attributes that a new item can have."""
    model = loaded.model
    if not isinstance(model, Extensible):
        return False
    return any(part != ID and part.kind not in EMBEDDINGS for part in model.parts(features))


def _why_not(loaded: LoadedRun, item: object) -> str:
    able = [name for name, kind in MODELS.items() if issubclass(kind, Extensible)]
    run, model = loaded.run, loaded.run.config.model
    without = " and was trained without what is known of items" if model in able else ""
    return (
        f"item {str(item)!r} is described in dataset {run.dataset_name}, but no event of its log "
        f"is of it, and run {run.id} ({model}) knows only items of its log{without}: what is "
        f"known of an item is read by {', '.join(able[:-1])} and {able[-1]}"
    )
