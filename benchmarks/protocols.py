"""The sets under DATA_FOLDER, cut as they are measured: what may be learnt from, what is asked.

python benchmarks/protocols.py DATA_FOLDER OUT_FOLDER writes OUT_FOLDER as the same data for a
machine without pyarrow: a file.npz for each file.parquet, several values in a cell as a|b.
"""

from __future__ import annotations

import csv
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from core.data.split import TimeCut, split_log
from core.types import Array, FeatureBlock, Features, Holdout, Interactions, Split, TrainData

PERIOD = 0.1  # share of all ratings that are asked for where the time decides
COLD_SHARE = 0.1  # of the items nothing is learnt, where cold items are asked for
Cut = tuple[TrainData, Holdout]


def columns(file: Path) -> dict[str, Array]:
    """The columns of a Parquet file, or of the .npz beside it."""
    if file.with_suffix(".npz").exists():
        return dict(np.load(file.with_suffix(".npz"), allow_pickle=False))
    import pyarrow.parquet as pq

    table = pq.read_table(file)
    return {name: table[name].to_numpy() for name in table.column_names}


def leave_last_out(folder: Path, *, validation: bool, seed: int = 0) -> Cut:
    """All but each user's last event, which is the target; for validation the one before."""
    log, ids = ordered_log(folder)
    cut = split_log(log, "leave-last-out", validation=validation)
    assert cut.test is not None
    return learnt_from(cut, item_features(folder, ids)), cut.test


def cold_items(folder: Path, *, validation: bool, seed: int = 0) -> Cut:
    """As leave_last_out, but no event of a tenth of the items is left, and only they are asked."""
    log, ids = ordered_log(folder)
    cold = np.zeros(len(ids), bool)
    n_cold = int(COLD_SHARE * len(ids))
    cold[np.random.default_rng(seed).choice(len(ids), n_cold, replace=False)] = True
    last = log.queries().ages == 0
    warm = log.where(~cold[log.items] & ~last)
    wanted = log.items[last]  # one of each user
    users = np.flatnonzero(cold[wanted] & (np.diff(warm.offsets) > 0))
    test = Holdout(warm.queries(users), wanted[users], np.arange(len(users) + 1))
    return learnt_from(
        split_log(warm, "none", validation=validation), item_features(folder, ids)
    ), test


def given_split(folder: Path, *, validation: bool, seed: int = 0) -> Cut:
    """train.parquet, and each user's items of test.parquet as targets; codes as they are.

    For validation a tenth of train: there is no order.
    """
    parts = [columns(folder / f"{name}.parquet") for name in ("train", "test")]
    n_users, n_items = (
        max(int(part[name].max()) for part in parts) + 1 for name in ("user_id", "item_id")
    )
    (users, items), (test_users, targets) = (
        (part["user_id"][order].astype(np.int64), part["item_id"][order].astype(np.int64))
        for part in parts
        for order in [np.argsort(part["user_id"], kind="stable")]
    )
    known = plain_log(users, items, n_users, n_items, None)
    test = Holdout(known.queries(), targets, np.searchsorted(test_users, np.arange(n_users + 1)))
    if not validation:
        return TrainData(known), test
    out = np.random.default_rng(0).random(len(users)) < 0.1
    train = known.where(~out)
    asked = np.searchsorted(users[out], np.arange(n_users + 1))
    return TrainData(train, None, None, Holdout(train.queries(), items[out], asked), known), test


def by_time(folder: Path, *, validation: bool, seed: int = 0, end: float = 1.0) -> Cut:
    """MovieLens: the last tenth of all ratings is asked for, the one before for validation.

    With an end, a share of all ratings, as it was when there were no more than those.
    """
    log, features = movielens(folder)
    assert log.times is not None
    log = log.where(log.times <= np.quantile(log.times, end, method="lower"))
    cut = split_log(log, "by-time", validation=validation, cut=TimeCut(PERIOD / end))
    assert cut.test is not None
    return learnt_from(cut, features), cut.test


def movielens(folder: Path) -> tuple[Interactions, Features]:
    """MovieLens' own CSV files: the ratings in their order, the films' genres."""
    with (folder / "ratings.csv").open(encoding="utf-8", newline="") as file:
        names = ("userId", "movieId", "timestamp")
        rows = [[int(line[name]) for name in names] for line in csv.DictReader(file)]
    with (folder / "movies.csv").open(encoding="utf-8", newline="") as file:
        films = [(int(line["movieId"]), line["genres"].split("|")) for line in csv.DictReader(file)]
    users, taken, times = np.array(rows, np.int64).T
    order = np.lexsort((times, users))  # stable: ties as in the file
    ids, items = np.unique(taken[order], return_inverse=True)
    codes = np.unique(users[order], return_inverse=True)[1]
    genres = [(film, f"genres={kind}") for film, kinds in films for kind in kinds]
    log = plain_log(codes, items, int(codes.max()) + 1, len(ids), times[order])
    return log, multi_hot(ids, genres)


CUTS: dict[str, Callable[..., Cut]] = {
    "amazon-beauty": leave_last_out,
    "amazon-toys": leave_last_out,
    "ml-1m": leave_last_out,
    "gowalla": given_split,
    "movielens-latest-small": by_time,
}


def learnt_from(cut: Split, features: Features) -> TrainData:
    return TrainData(cut.train, features, None, cut.validation, cut.train_and_validation)


def ordered_log(folder: Path) -> tuple[Interactions, Array]:
    """The events in their order, and the items' ids."""
    log = columns(folder / "events.parquet")
    order = np.lexsort((log["position"], log["user_id"]))
    users = np.unique(log["user_id"][order], return_inverse=True)[1]
    ids, items = np.unique(log["item_id"][order], return_inverse=True)
    times = log["position"][order].astype(np.int64)
    return plain_log(users, items, int(users.max()) + 1, len(ids), times), ids


def plain_log(
    users: Array, items: Array, n_users: int, n_items: int, times: Array | None
) -> Interactions:
    return Interactions(users, items, np.ones(len(users), np.float32), n_users, n_items, times)


def item_features(folder: Path, ids: Array) -> Features:
    """What items.parquet says: lists and a|b are sets of kinds, years are half-decades."""
    table = columns(folder / "items.parquet")
    pairs = []
    for name in sorted(table.keys() & {"attributes", "genres", "year"}):
        for key, value in zip(table["item_id"].tolist(), table[name].tolist(), strict=True):
            if name == "year":
                value = [str(value // 5 * 5)]
            parts = value.split("|") if isinstance(value, str) else value
            pairs += [(key, f"{name}={part}") for part in parts]
    return multi_hot(ids, pairs)


def multi_hot(ids: Array, pairs: list[tuple[int, str]]) -> Features:
    """What each item has, from pairs of an id and what it has; other ids are passed over."""
    places = {key: place for place, key in enumerate(ids.tolist())}
    pairs = [(places[key], name) for key, name in pairs if key in places]
    names = sorted({name for _, name in pairs})
    column = {name: place for place, name in enumerate(names)}
    cells = np.array([(row, column[name]) for row, name in pairs]).T
    ones = np.ones(cells.shape[1], np.float32)
    matrix = sparse.csr_matrix((ones, tuple(cells)), shape=(len(ids), len(names)))
    return Features(multi_hot=FeatureBlock(tuple(names), matrix))


def main() -> None:
    source, out = map(Path, sys.argv[1:])
    for name in CUTS:
        (out / name).mkdir(parents=True, exist_ok=True)
        for file in (source / name).glob("*.csv"):
            shutil.copy(file, out / name)
        for file in (source / name).glob("*.parquet"):
            table: Any = {key: as_plain(values) for key, values in columns(file).items()}
            np.savez_compressed(out / name / file.with_suffix(".npz").name, **table)


def as_plain(values: Array) -> Array:
    """Texts, and lists of texts, as numpy's own kind of text; numbers as they are."""
    if values.dtype != object:
        return values
    return np.array([cell if isinstance(cell, str) else "|".join(cell) for cell in values])


if __name__ == "__main__":
    main()
