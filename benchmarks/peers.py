r"""One contender of `speed.py peers` or `equal`: trains so many seconds, ranks for everyone.

python benchmarks/peers.py WHO LOG.npz LISTS.npy JSON is what speed.py runs. RecTools pins NumPy
below 2, and RecBole 1.2.1 needs names that NumPy 2 has no more, so the peers want an environment of
their own, `speed.py peers --python ENV/bin/python`:

    ENV/bin/pip install torch==2.13.0 "rectools[torch]==0.19.0" "numpy<2" "pandas<3"
    ENV/bin/pip install --no-deps recbole==1.2.1
    ENV/bin/pip install colorlog==4.7.2 colorama==0.4.4 scikit-learn pyyaml tabulate texttable \
        plotly psutil tensorboard thop

The first line is all that `equal` needs. RecBole's list of needs includes ray 2.6, which only its
parallel tuning imports; hence --no-deps. Its model is never read back from its file, as torch.load
today refuses what it writes.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import peak_mib
from scipy import sparse

K, WARM = 10, 5  # places of a list; steps whose seconds do not count
Lists = np.ndarray[Any, Any]  # (users, K) items, best first; -1 where there are fewer
Settings = dict[str, Any]


class Clock:
    """Counts what was learnt from, from some steps on, and says when the time is over.

    On one thread of a CPU the seconds are those that this process had of it, so that what else the
    machine does is not to anyone's loss.
    """

    def __init__(self, seconds: float, device: str) -> None:
        self.limit, self.device = seconds, device
        alone = device == "cpu" and torch.get_num_threads() == 1
        self.now = time.process_time if alone else time.perf_counter
        self.steps, self.targets = 0, 0.0
        self.start = self.seconds = 0.0

    def step(self, targets: float) -> bool:
        """After each step, whose targets these were: is it the last one?"""
        if self.device == "cuda":
            torch.cuda.synchronize()
        now = self.now()
        self.steps += 1
        if self.steps <= WARM:
            self.start = now
        else:
            self.targets += targets
            self.seconds = now - self.start
        return self.seconds >= self.limit

    def figures(self) -> dict[str, float]:
        return {"targets": self.targets, "seconds": self.seconds}


def recscope(log: Any, with_: Settings) -> tuple[Lists, dict[str, float]]:
    """Ours: the steps of `fit`, pass after pass, until the time is over."""
    from core.models.neural.train_loop import train_loop
    from core.models.neural.training_state import Batches
    from core.models.unified import Unified
    from core.recommend.top_k import recommend
    from core.runs.config import model_config
    from core.types import FeatureBlock, Features, Interactions, TrainData

    shape = {name: with_[name] for name in ("dim", "layers", "heads", "max_len", "batch")}
    model = Unified(model_config("unified", {**shape, **with_["ours"]}))
    n_users, n_items = int(log["users"].max()) + 1, int(log["n_items"])
    ones = np.ones(len(log["users"]), np.float32)
    data = Interactions(log["users"], log["items"], ones, n_users, n_items, log["times"])
    kinds = sparse.coo_matrix((np.ones(len(log["kinds"]), np.float32), (log["of"], log["kinds"])))
    names = tuple(f"kind {kind}" for kind in range(kinds.shape[1]))
    kinds.resize(n_items, len(names))
    known = Features(multi_hot=FeatureBlock(names, kinds.tocsr()))
    net = model._network(TrainData(data, known), data).to(with_["device"])
    model._keep(net, data, with_["device"])
    task = model._task(net, data, torch.Generator().manual_seed(0))
    assert task is not None
    batches, clock = task[0], Clock(with_["seconds"], with_["device"])
    targets = (len(data) - n_users) / len(batches)  # of a row: all but each user's first event

    class Timed(Batches):
        def __init__(self) -> None:
            self.size = batches.size

        def __len__(self) -> int:
            return 20 * len(batches)  # as much as says how long to warm up

        def __iter__(self) -> Iterator[torch.Tensor]:
            while True:
                for rows in batches:
                    yield rows
                    if clock.step(len(rows) * targets):  # after the step
                        return

    train_loop(net, Timed(), task[1], config=model.config, epochs=1)
    model._refresh(net.eval())
    return recommend(model, data.queries(), K, n_items=n_items).items, clock.figures()


def rectools(log: Any, with_: Settings) -> tuple[Lists, dict[str, float]]:
    """RecTools' SASRec: softmax over all items, or what `theirs` says; LiGR layers as eSASRec."""
    import pandas as pd
    from pytorch_lightning import Trainer
    from pytorch_lightning.callbacks import LambdaCallback
    from rectools.dataset import Dataset
    from rectools.models import SASRecModel
    from rectools.models.nn.transformers.ligr import LiGRLayers

    clock = Clock(with_["seconds"], with_["device"])

    def after(trainer: Any, module: Any, out: Any, batch: Any, i: int) -> None:
        trainer.should_stop = clock.step(int((batch["y"] != 0).sum()))

    def trainer() -> Trainer:
        return Trainer(
            max_epochs=10_000,
            accelerator="gpu" if with_["device"] == "cuda" else "cpu",
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[LambdaCallback(on_train_batch_end=after)],
        )

    stamps = pd.to_datetime(log["times"], unit="s")
    table = {"user_id": log["users"], "item_id": log["items"], "weight": 1.0, "datetime": stamps}
    theirs = dict(with_["theirs"])
    described: Settings = {}
    if theirs.pop("content", False):
        known = np.isin(log["of"], log["items"])
        kinds = {"id": log["of"][known], "value": log["kinds"][known], "feature": "kind"}
        described = {"item_features_df": pd.DataFrame(kinds), "cat_item_features": ["kind"]}
    if theirs.pop("ligr", False):
        theirs |= {"transformer_layers_type": LiGRLayers, "use_key_padding_mask": True}
    data = Dataset.construct(pd.DataFrame(table), **described)
    shape = {
        "n_blocks": with_["layers"],
        "n_heads": with_["heads"],
        "n_factors": with_["dim"],
        "session_max_len": with_["max_len"],
        "batch_size": with_["batch"],
    }
    model = SASRecModel(**shape | theirs, get_trainer_func=trainer).fit(data)
    asked = np.arange(int(log["users"].max()) + 1)
    found = model.recommend(asked, data, k=K, filter_viewed=True)
    lists = np.full((len(asked), K), -1)
    lists[found["user_id"], found["rank"] - 1] = found["item_id"]
    return lists, clock.figures()


def recbole(log: Any, with_: Settings) -> tuple[Lists, dict[str, float]]:
    """RecBole's SASRec: each prefix of a history is a row with one target; softmax over all."""
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.data.interaction import Interaction
    from recbole.model.sequential_recommender import SASRec
    from recbole.trainer import Trainer

    device = with_["device"]
    with tempfile.TemporaryDirectory() as folder, chdir(folder):  # it leaves files where it runs
        place = Path(folder) / "log"
        place.mkdir()
        with (place / "log.inter").open("w", encoding="ascii") as file:
            file.write("user_id:token\titem_id:token\ttimestamp:float\n")
            for row in zip(*(log[n].tolist() for n in ("users", "items", "times")), strict=True):
                file.write("{}\t{}\t{}\n".format(*row))
            # what its own split takes away from training
            for user, item in enumerate(log["targets"].tolist()):
                file.write(f"{user}\t{item}\t{int(log['times'].max()) + 1}\n")
        settings = {
            **{"data_path": folder, "checkpoint_dir": folder, "use_gpu": device == "cuda"},
            **{"hidden_size": with_["dim"], "n_layers": with_["layers"], "n_heads": with_["heads"]},
            **{"MAX_ITEM_LIST_LENGTH": with_["max_len"], "train_batch_size": with_["batch"]},
            **{"load_col": {"inter": ["user_id", "item_id", "timestamp"]}, "loss_type": "CE"},
            "eval_args": {"split": {"LS": "test_only"}, "order": "TO", "mode": "full"},
            **{"train_neg_sample_args": None, "show_progress": False, "state": "ERROR"},
        }
        sys.argv = sys.argv[:1]  # it reads them
        config = Config(model="SASRec", dataset="log", config_dict=settings)
        data = create_dataset(config)
        batches = data_preparation(config, data)[0]
        model = SASRec(config, batches.dataset).to(config["device"])
        clock = Clock(with_["seconds"], device)

        class Timed:
            """Its own batches, until the time is over."""

            shuffle = False  # the sampler's part for several machines

            def __iter__(self) -> Iterator[Any]:
                for batch in batches:
                    yield batch
                    if clock.step(len(batch)):  # after the step
                        return

        trainer = Trainer(config, model)
        epoch = 0
        while clock.seconds < clock.limit:
            trainer._train_epoch(Timed(), epoch)
            epoch += 1
    return lists_of_recbole(model, data, log, with_, Interaction), clock.figures()


def lists_of_recbole(model: Any, data: Any, log: Any, with_: Settings, Interaction: Any) -> Lists:
    """Its full_sort_predict on the whole histories, seen items hidden."""
    n_items, width = int(log["n_items"]), with_["max_len"]
    known = np.unique(np.r_[log["items"], log["targets"]])
    code, back = np.zeros(n_items, np.int64), np.full(data.item_num, -1)
    code[known] = data.token2id("item_id", known.astype(str))
    back[code[known]] = known
    seen = np.split(code[log["items"]], np.flatnonzero(np.diff(log["users"])) + 1)
    model.eval()
    parts = []
    for low in range(0, len(seen), 512):
        part = seen[low : low + 512]
        latest = [torch.from_numpy(codes[-width:]) for codes in part]
        rows = torch.zeros(len(part), width, dtype=torch.int64)
        for row, codes in zip(rows, latest, strict=True):
            row[: len(codes)] = codes
        lengths = torch.tensor([len(codes) for codes in latest])
        asked = Interaction({"item_id_list": rows, "item_length": lengths})
        with torch.no_grad():
            scores = model.full_sort_predict(asked.to(model.device)).cpu()
        scores[:, 0] = -torch.inf
        for row, taken in zip(scores, part, strict=True):
            row[taken] = -torch.inf
        parts.append(back[scores.topk(K).indices.numpy()])
    return np.concatenate(parts)


def main() -> None:
    who, source, out, text = sys.argv[1:]
    with_ = json.loads(text)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.manual_seed(0)
    contender = {"recscope": recscope, "rectools": rectools, "recbole": recbole}[who]
    try:
        lists, figures = contender(dict(np.load(source)), with_)
    except ModuleNotFoundError as error:
        sys.exit(f"{error.name} is missing: peers.py says at its top what to install")
    np.save(out, lists)
    print("\n" + json.dumps({**figures, "mib": peak_mib(with_["device"])}))


if __name__ == "__main__":
    main()
