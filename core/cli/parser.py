"""What may be asked on the command line: commands, their options, what each may look like."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any, NoReturn

from core.types import DEVICES


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"recscope: {message}; see {self.prog} --help\n")


def build_parser() -> argparse.ArgumentParser:
    everywhere = _Parser(add_help=False)
    everywhere.add_argument(
        "--data-dir", type=Path, metavar="DIR", help="the workspace (else RECSCOPE_HOME)"
    )
    output = _Parser(add_help=False)
    output.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser = _Parser(prog="recscope", description="A workbench for recommenders.")
    parser.set_defaults(json=False)
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)

    def add(name: str, about: str, *parents: Any) -> Any:
        made = subparsers.add_parser(
            name, help=about, description=about, parents=[everywhere, *parents]
        )
        made.set_defaults(command=name)
        return made

    for name, about in (
        ("demo", "open the workbench with the sample data in it"),
        ("serve", "open the workbench on this machine"),
    ):
        add(name, about).add_argument("--port", type=_port, default=8501)
    add("datasets", "the datasets", output)
    add("runs", "the runs, also those that wait, work or failed", output)
    add("models", "the models and their parameters", output)
    add("doctor", "is everything there that Recscope needs?", output)
    _add_ingest(add("ingest", "files → a dataset", output))
    _add_export_dataset(add("export-dataset", "a dataset → files of another library", output))
    _add_train(add("train", "a dataset → a run", output))
    _add_tune(add("tune", "the best settings of a model → a run", output))
    evaluate = add("evaluate", "what a run is worth on held-out events", output)
    evaluate.add_argument("run", metavar="RUN")
    evaluate.add_argument("-k", type=_cutoffs, default=(5, 10, 20), metavar="5,10,20")
    _add_lists(evaluate)
    compare = add("compare", "runs against the first of them", output)
    compare.add_argument("runs", nargs="+", metavar="RUN")
    compare.add_argument("--metrics", type=_words, metavar="ndcg@10,recall@10")
    _add_recommend(add("recommend", "what each person would get", output))
    _add_explain(add("explain", "why an item is recommended", output))
    _add_embed(add("embed", "what a run has learnt, as vectors and a map", output))
    near = add("neighbours", "what is near an item, and by what", output)
    near.add_argument("run", metavar="RUN")
    near.add_argument(
        "--item",
        required=True,
        action="append",
        metavar="ID",
        help="or several, for what is like all",
    )
    near.add_argument(
        "--less", action="append", default=[], metavar="ID", help="and what it should be less like"
    )
    near.add_argument(
        "--weight", type=float, metavar="W", help="of what is wanted less, 0.5 if not given"
    )
    near.add_argument("-k", type=_cutoff, default=10)
    near.add_argument("--component", default="", metavar="NAME", help=_COMPONENT)
    return parser


_COMPONENT = "of unified and two_tower fused, id or content; of a fusion the name of a run"


def _add_embed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--of", default="items", choices=("items", "users"))
    parser.add_argument("--component", default="", metavar="NAME", help=_COMPONENT)
    parser.add_argument(
        "--epoch", type=_cutoff, metavar="N", help="as they were after one that was kept"
    )
    parser.add_argument("--map", action="store_true", help="and where each lies, and clusters")
    parser.add_argument("--axes", type=int, choices=(2, 3), help="of the map, 2 if not given")
    parser.add_argument("--seed", type=_seed, default=0)
    parser.add_argument("--out", type=Path, metavar="FILE.parquet|FILE.csv")


def _add_ingest(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--items", type=Path, action="append", metavar="FILE")
    parser.add_argument("--users", type=Path, action="append", metavar="FILE")
    parser.add_argument(
        "--map",
        type=_pairs,
        default={},
        metavar="user_id=COLUMN,…",
        help="which column is what; layout=… says how a file is laid out (table: as it lies)",
    )
    parser.add_argument(
        "--delimiter", metavar="C|tab|blanks", help="what stands between the cells of a text"
    )
    parser.add_argument("--quote", metavar="C|none", help="what stands around cells")
    parser.add_argument(
        "--header-line", type=_header_line, metavar="N|none", help="the line that names the columns"
    )
    parser.add_argument("--comment", metavar="C", help="lines that begin so are passed over")
    parser.add_argument("--decimal", choices=(".", ","), help="what stands before decimals")
    parser.add_argument("--weights", type=_weights, metavar="view=1,purchase=5")
    parser.add_argument("--clean", type=_words, default=[], metavar="dedupe,k_core=5,…")
    parser.add_argument("--name")


def _add_export_dataset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET")
    parser.add_argument("--to", required=True, choices=("recbole", "lenskit", "parquet"))
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER", help="is made anew")


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET")
    parser.add_argument("--model", required=True, metavar="M")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="key=value")
    parser.add_argument("--split", default="leave-last-out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", choices=DEVICES)
    parser.add_argument("--text-model", default="", metavar="svd|NAME|FOLDER")
    parser.add_argument("--image-model", default="", metavar="NAME|FOLDER")
    parser.add_argument("--images", default="", metavar="FOLDER|COLUMN")
    parser.add_argument("--name", help="of the run")
    parser.add_argument("--evaluate", action="store_true", help="and evaluate it right away")
    parser.add_argument("--job", help=argparse.SUPPRESS)  # in the child of jobs.start_child


def _add_tune(parser: argparse.ArgumentParser) -> None:
    _add_train(parser)
    parser.add_argument("--trials", type=int, metavar="N", help="at most, 20 if not given")
    parser.add_argument("--minutes", type=float, metavar="F", help="after which no trial is begun")
    parser.add_argument(
        "--search",
        type=_pairs,
        default={},
        metavar="key=low..high,key=a|b",
        help="what is searched, instead of what is usual for the model",
    )


def _add_recommend(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN")
    whom = parser.add_mutually_exclusive_group()
    whom.add_argument("--users", type=_words, default=["all"], metavar="ID,ID|all")
    whom.add_argument("--histories", type=Path, metavar="FILE")
    parser.add_argument("-k", type=_cutoff, default=10)
    _add_lists(parser)
    parser.add_argument("--out", type=Path, metavar="FILE.parquet|FILE.csv")


def _add_explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", nargs="?")
    whom = parser.add_mutually_exclusive_group(required=True)
    whom.add_argument("--user", metavar="ID")
    whom.add_argument("--histories", type=Path, metavar="FILE", help="of one person")
    whom.add_argument(
        "--replay", type=Path, metavar="FILE", help="does what --out wrote still hold?"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--item", metavar="ID")
    what.add_argument("-k", type=_cutoff, help="the best so many, 10 if no item is given")
    parser.add_argument("--against", metavar="ID", help="why rather than this item")
    parser.add_argument("--seed", type=_seed, default=0)
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="all it takes to replay it")
    parser.add_argument(
        "--hash-user", action="store_true", help="leave the user's id out of that file"
    )


def _add_lists(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keep-seen", action="store_true", help="do not hide what is already in the history"
    )
    parser.add_argument(
        "--rerank",
        default="none",
        metavar="none|mmr|calibrated",
        help="lists that are more varied, or closer to each person's own mix",
    )
    parser.add_argument(
        "--strength", type=float, metavar="0…1", help="0 the model's order … 1 without it (0.3)"
    )


def _words(text: str) -> list[str]:
    """a,b → [a, b]; a word with a comma in it is put in double quotes."""
    return [word.strip() for word in next(csv.reader([text], skipinitialspace=True), [])]


def _pairs(text: str) -> dict[str, str]:
    """key=value,… ; nothing after the sign says that the log has no such column."""
    pairs = {}
    for word in _words(text):
        key, sign, value = word.partition("=")
        if not sign or not key.strip():
            raise argparse.ArgumentTypeError(f"{word!r} is not key=value")
        pairs[key.strip()] = value.strip()
    return pairs


def _weights(text: str) -> dict[str, float]:
    try:
        return {name: float(value) for name, value in _pairs(text).items()}
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not event=number,…") from None


def _cutoffs(text: str) -> tuple[int, ...]:
    return tuple(_cutoff(word) for word in _words(text))


def _cutoff(text: str) -> int:
    return _whole(text, 1, 1_000_000)


def _header_line(text: str) -> int:
    return 0 if text.strip().lower() == "none" else _whole(text, 1, 1_000_000)


def _port(text: str) -> int:
    return _whole(text, 1, 65_535)


def _seed(text: str) -> int:
    return _whole(text, 0, 2**63 - 1)


def _whole(text: str, low: int, high: int) -> int:
    if not text.strip().isdecimal() or not low <= int(text) <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
    return int(text)
