"""The maps of a run's items: where each lies, made once in the background and kept on disk.

The principal axes are there at once; the map that keeps neighbours, its quality and the clusters
take their time. Both show the same vectors, those of one of the model's spaces.
"""

from __future__ import annotations

import hashlib
import zipfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import numpy as np

from core.data.read_only import check_writable
from core.embed import PCA, Map, Quality, clusters, components, names_of, quality, words
from core.errors import BadInput
from core.pipeline import LoadedRun, Neighbourhood, continue_map
from core.runs.artifact import Run
from core.types import Floats, Ints, Progress
from dashboard.map.item_map import Groups, ItemMap
from dashboard.served import Shelf

WIDE, HIGH = 1.7, 0.95  # how far the outermost points lie from the middle, in half heights
AT_ONCE = 50_000  # items whose map of neighbours is made without being asked for
DRAWN = 50_000  # items in three axes, the most popular; each is sent with its name
SEED = 0
MOST_BYTES = 64 << 20  # of maps of workspaces that may only be looked at

_in_memory = Shelf(MOST_BYTES)


def principal_axes(
    loaded: LoadedRun, component: str, on_stage: Progress, epoch: int | None = None
) -> ItemMap:
    """The items of a run on the first two principal axes of their vectors.

    As they were after an epoch: on the axes of the run's own, so that only what moved has moved.

    Raises:
        BadInput: the model has no vectors or no such component, the epoch was not kept, or there
            are too few items for a map.
    """
    on_stage("items", None)
    data = loaded.load_dataset()
    log, _ = data.interactions, data.item_features  # read here: a page would stand still
    on_stage("vectors", None)
    codes = np.argsort(-np.bincount(log.items, minlength=log.n_items), kind="stable")
    near = Neighbourhood(loaded, component, epoch, seed=SEED)
    vectors = near.vectors.values
    own = vectors if epoch is None else replace(near, epoch=None).vectors.values
    if len(vectors) < 3:
        raise BadInput(f"a map needs 3 items or more, not {len(vectors)}")
    on_stage("axes", None)
    axes = PCA.fit(own, min(2, own.shape[1]))
    flat, frame = (np.zeros((len(codes), 2), np.float32) for _ in range(2))
    flat[:, : len(axes.axes[0])] = axes.project(vectors)
    frame[:, : len(axes.axes[0])] = axes.project(own)
    whole = float(vectors.var(axis=0, dtype=np.float64).sum())
    share = float(flat.var(axis=0, dtype=np.float64).sum()) / whole if whole else 1.0
    nowhere = np.zeros(0, np.float32)
    return _placed(ItemMap(loaded, near, codes, nowhere, nowhere, share), flat, frame)


@dataclass(frozen=True, eq=False)
class ThreeAxes:
    """N items along the three directions in which their vectors differ most."""

    points: Floats  # (N, 3), the most popular first; 0 along axes that the vectors do not have
    share: float  # of the vectors' variance, what these axes show; 0 … 1


def three_axes(item_map: ItemMap) -> ThreeAxes:
    """The items of a map in three axes instead of two."""
    vectors = item_map.near.vectors.values
    axes = PCA.fit(vectors, min(3, vectors.shape[1]))
    points = np.zeros((len(item_map.codes), 3), np.float32)
    points[:, : axes.axes.shape[1]] = axes.project(vectors)[item_map.codes]
    return ThreeAxes(points, axes.share)


def neighbour_map(item_map: ItemMap, on_stage: Progress) -> ItemMap:
    """The same items on the map that keeps neighbours, with clusters, as kept on disk or made.

    As they were after an epoch: on a map that is begun from the run's own and laid on it.
    """
    stored = _stored(item_map, on_stage)
    frame = _stored(_final(item_map), on_stage).points
    groups = Groups(stored.groups[item_map.codes], stored.names)
    whole = replace(item_map, quality=stored.quality, groups=groups)
    flat, wider = stored.points, np.ptp(frame[:, 0]) >= np.ptp(frame[:, 1])
    if not wider:  # a screen is wider than it is high
        flat, frame = flat[:, ::-1], frame[:, ::-1]
    return _placed(whole, flat, frame)


def has_neighbour_map(item_map: ItemMap) -> bool:
    """Whether the map that keeps neighbours has been made before."""
    path = _path(item_map)
    return path.exists() or _in_memory.get(str(path)) is not None


def made_before(loaded: LoadedRun) -> StoredMap | None:
    """The map that keeps neighbours of the run's usual space, if it has been made; none is made."""
    spaces = components(loaded.model)
    path = _path_of(loaded.run, spaces[0], None) if spaces else None
    if path is None:
        return None
    return _in_memory.get(str(path)) or StoredMap.read(path, len(loaded.items))


def _final(item_map: ItemMap) -> ItemMap:
    """The same items as they are in the end."""
    if not item_map.near.epoch:
        return item_map
    return replace(item_map, near=replace(item_map.near, epoch=None))


@dataclass(frozen=True, eq=False)
class StoredMap:
    """A map that keeps neighbours, and its clusters, as they are kept; N items in code order."""

    points: Floats  # (N, 2)
    groups: Ints  # (N,)
    names: tuple[str, ...]  # of the groups
    quality: Quality

    def save(self, path: Path) -> None:
        """Writes it as a whole or not at all.

        Raises:
            OSError: the folder cannot be written to.
            ReadOnly: the workspace may only be looked at.
        """
        check_writable(path)
        quality = self.quality
        path.parent.mkdir(exist_ok=True)
        temporary = path.with_name(f".{uuid4().hex}.npz")
        np.savez(
            temporary,
            allow_pickle=False,
            points=self.points,
            groups=self.groups,
            names=np.array(self.names, np.str_),
            quality=np.array(
                [quality.trustworthiness, quality.recall, quality.k, quality.points], float
            ),  # NaN for None
        )
        temporary.replace(path)

    @classmethod
    def read(cls, path: Path, n: int) -> StoredMap | None:
        """The map of n items that is kept there, or None where it is not whole."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                points, groups, names, figures = (
                    stored[name] for name in ("points", "groups", "names", "quality")
                )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        shapes = points.shape == (n, 2) and groups.shape == (n,) and len(figures) == 4
        named = shapes and groups.min() >= 0 and groups.max() < len(names)
        if not named or not np.isfinite(points).all():
            return None
        trust, recall, k, looked_at = figures.tolist()
        n_looked_at = int(looked_at)
        sound = (
            Quality(None, None, 0, n_looked_at)
            if np.isnan(trust)
            else Quality(trust, recall, int(k), n_looked_at)
        )
        return cls(points, groups, tuple(names.tolist()), sound)


def _stored(item_map: ItemMap, on_stage: Progress) -> StoredMap:
    path = _path(item_map)
    stored: StoredMap | None = _in_memory.get(str(path))
    stored = stored or StoredMap.read(path, len(item_map.codes))
    if stored is None:
        stored = _neighbour_map(item_map, on_stage)
        if item_map.loaded.workspace.read_only:
            _in_memory.put(str(path), stored, stored.points.nbytes + stored.groups.nbytes)
        else:
            with suppress(OSError):  # a folder that cannot be written to: made again next time
                stored.save(path)
    return stored


def _path(item_map: ItemMap) -> Path:
    return _path_of(item_map.loaded.run, item_map.near.vectors.component, item_map.near.epoch)


def _path_of(run: Run, component: str, epoch: int | None) -> Path:
    what = f"2 {run.artifact_hash} {component} {SEED}"
    if epoch:
        what += f" {epoch}"
    return run.folder / "maps" / f"{hashlib.sha256(what.encode()).hexdigest()[:24]}.npz"


def _neighbour_map(item_map: ItemMap, on_stage: Progress) -> StoredMap:
    vectors = item_map.near.vectors.values
    if item_map.near.epoch:
        start = _stored(_final(item_map), on_stage).points
        points = continue_map(start, vectors, seed=SEED, on_stage=on_stage)
    else:
        points = Map.fit(vectors, 2, seed=SEED, on_stage=on_stage).points
    on_stage("quality", None)
    figures = quality(vectors, points, seed=SEED)
    on_stage("clusters", None)
    groups = clusters(vectors, seed=SEED)
    typical = item_map.names(item_map.rows[groups.typical(vectors)])
    names = names_of(groups, words(item_map.loaded.load_dataset().item_features), typical)
    return StoredMap(points, groups.codes, tuple(names), figures)


def _placed(item_map: ItemMap, flat: Floats, frame: Floats) -> ItemMap:
    """With these points (N, 2), in code order, in the frame of others."""
    x, y = scaled(flat, frame)[item_map.codes].T
    placed = replace(item_map, x=np.ascontiguousarray(x), y=np.ascontiguousarray(y))
    placed.names([0])  # all are read here and not by the page, which would stand still
    return placed


def scaled(flat: Floats, frame: Floats | None = None) -> Floats:
    """Moved and scaled, both axes alike, so that all (N, 2) lie within ±WIDE and ±HIGH.

    With `frame` moved as that one would be, and scaled so unless points then lay outside.
    """
    points = flat.astype(np.float64)
    own = points if frame is None else frame.astype(np.float64)
    middle = (own.min(axis=0) + own.max(axis=0)) / 2
    half = np.abs(np.concatenate([points, own]) - middle).max(axis=0)
    factor = max(float(half[0]) / WIDE, float(half[1]) / HIGH) or 1.0
    return np.asarray((points - middle) / factor, np.float32)
