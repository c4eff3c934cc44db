"""What a visitor without history gets: each network's answer to nothing, beside popularity's.

python benchmarks/cold.py DATA_FOLDER [--only NAME,...] [--models NAME,...] [--seeds 1]
    [--epochs N]

Each set is read as `recscope ingest` reads it and cut by time, a fifth of the events after the cut.
Asked is for everyone who comes only after it; all items are ranked, a tie counts against the
target. Prints NDCG@10 of each model trained by gradients and of `popularity`, and the paired
difference with its standard error over people (a person's figure is the mean over the seeds).
A network is fitted as `recscope train` does it; with --epochs, to be quick, in so many passes over
all before the cut.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from core.data.dataset import load
from core.data.ingest.ingest import ingest
from core.data.split import TimeCut, split_log
from core.data.store import Workspace
from core.errors import CoreError
from core.evaluate import evaluate
from core.models import MODELS
from core.models.neural.gradient_model import GradientModel
from core.runs.config import model_config
from core.types import Array, Features, Split, TrainData

SETS = {
    "movielens-latest-small": ["ratings.csv", "movies.csv", "tags.csv"],
    "online-retail": ["online_retail.parquet"],
    "rees46-sample": ["2019-Oct.csv"],
}
NETWORKS = [name for name, kind in MODELS.items() if issubclass(kind, GradientModel)]
AFTER = TimeCut(0.2)  # share of the events


def main() -> None:
    """A row for each set and model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default=",".join(SETS), help="data sets, with commas between")
    parser.add_argument("--models", default=",".join(NETWORKS), help="models, with commas between")
    parser.add_argument("--seeds", type=int, default=1, help="mean of so many")
    parser.add_argument("--epochs", type=int, default=0, help="passes, without validation")
    chosen = parser.parse_args()
    print("| data | people | model | NDCG@10 | popularity | difference |\n|" + " --- |" * 6)
    try:
        for name in chosen.only.split(","):
            split, features = cut(chosen.folder / name, SETS[name])
            floor = answered("popularity", 0, split, features, 1)
            for model in chosen.models.split(","):
                found = answered(model, chosen.epochs, split, features, chosen.seeds)
                gain = found - floor
                error = gain.std(ddof=1) / len(gain) ** 0.5
                cells = [name, str(len(gain)), model, f"{found.mean():.4f}", f"{floor.mean():.4f}"]
                print(f"| {' | '.join(cells)} | {gain.mean():+.4f} ± {error:.4f} |", flush=True)
    except (CoreError, KeyError) as error:
        sys.exit(f"cold.py: {error}")


def cut(folder: Path, files: list[str]) -> tuple[Split, Features | None]:
    """The set's events before and after the cut, and what is known of the items."""
    with tempfile.TemporaryDirectory() as temporary:
        info = ingest(Workspace.open(Path(temporary)), [folder / file for file in files])
        data = load(info)
        features = data.item_features
    return split_log(data.interactions, "by-time", validation=True, cut=AFTER), features


def answered(name: str, epochs: int, split: Split, features: Features | None, seeds: int) -> Array:
    """NDCG@10 of each person who comes only after the cut, mean over the seeds."""
    assert split.test is not None
    asked = split.test[np.flatnonzero(split.test.queries.lengths == 0)]
    known = split.train_and_validation
    kind, figures = MODELS[name], []
    for seed in range(seeds):
        model = kind(model_config(name, {"epochs": epochs} if epochs else {}))
        train = TrainData(split.train, features, None, split.validation, known)
        if epochs or not kind.needs_validation:
            train = TrainData(known, features)
        model.fit(train, rng=np.random.default_rng(seed))
        figures.append(evaluate(model, asked, train=known, ks=(10,)).per_user["ndcg@10"])
    mean: Array = np.mean(figures, axis=0)
    return mean


if __name__ == "__main__":
    main()
