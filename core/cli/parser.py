"""What may be asked on the command line: commands, their options, what each may look like."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from core import DEVICES
from core.cli import option_values as values
from core.text import LANGUAGES


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
        server = add(name, about)
        server.add_argument("--port", type=values.port, default=8501)
        if name == "serve":
            server.add_argument(
                "--read-only", action="store_true", help="refuse all that writes in the workspace"
            )
    for name, about in (
        ("datasets", "the datasets"),
        ("runs", "the runs, also those that wait, work or failed"),
    ):
        listed = add(name, about, output)
        listed.add_argument("--all", action="store_true", help="also what is archived")
        if name == "runs":
            listed.add_argument(
                "--tag", action="append", default=[], metavar="TAG", help="only those that have it"
            )
    delete = add("delete", "a dataset with all that stands on it, a run, or a search", output)
    delete.add_argument("thing", metavar="DATASET|RUN")
    delete.add_argument("--yes", action="store_true", help="without being asked")
    rename = add("rename", "a dataset or a run", output)
    rename.add_argument("thing", metavar="DATASET|RUN")
    rename.add_argument("name", metavar="NAME")
    archive = add("archive", "leave a dataset or a run out of lists, but keep it", output)
    archive.add_argument("thing", metavar="DATASET|RUN")
    archive.add_argument("--undo", action="store_true", help="list it again")
    note = add("note", "what you write on a run, and its tags", output)
    note.add_argument("run", metavar="RUN")
    note.add_argument(
        "text", nargs="?", metavar="TEXT", help="instead of the last; '' takes it off"
    )
    note.add_argument("--tag", type=values.words, default=[], metavar="TAG,TAG", help="to add")
    note.add_argument("--untag", type=values.words, default=[], metavar="TAG,TAG", help="to remove")
    add("models", "the models and their parameters", output)
    add("doctor", "is everything there that Recscope needs?", output)
    _add_ingest(add("ingest", "files → a dataset", output))
    _add_profile(add("profile", "what people do in a dataset, under a filter", output))
    _add_clean(add("clean", "a dataset → a version of what a filter and cleaning leave", output))
    _add_export_dataset(add("export-dataset", "a dataset → files of another library", output))
    pictures = add("pictures", "pictures of a dataset's items, shown with them", output)
    pictures.add_argument("dataset", metavar="DATASET")
    pictures.add_argument(
        "images", metavar="FOLDER|COLUMN", help="files named by item id, or paths"
    )
    _add_train(add("train", "a dataset → a run", output))
    _add_tune(add("tune", "the best settings of a model → a run", output))
    evaluate = add("evaluate", "what a run is worth on held-out events", output)
    evaluate.add_argument("run", metavar="RUN")
    evaluate.add_argument("-k", type=values.cutoffs, default=(5, 10, 20), metavar="5,10,20")
    evaluate.add_argument(
        "--export",
        type=Path,
        metavar="FOLDER",
        help="histories, targets and eligible items as Parquet, to measure elsewhere",
    )
    _add_lists(evaluate)
    compare = add("compare", "runs against the first of them", output)
    compare.add_argument("runs", nargs="+", metavar="RUN")
    compare.add_argument("--metrics", type=values.words, metavar="ndcg@10,recall@10")
    compare.add_argument(
        "--people",
        type=Path,
        metavar="FILE.csv|FILE.parquet",
        help="for whom each is better than the first, and for whom worse, in the first metric",
    )
    _add_report(add("report", "runs → one file to hand on", output))
    _add_recommend(add("recommend", "what each person would get", output))
    _add_explain(add("explain", "why an item is recommended", output))
    _add_changes(lambda name, about: add(name, about, output))
    _add_overviews(lambda name, about: add(name, about, output))
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
    near.add_argument("-k", type=values.cutoff, default=10)
    near.add_argument("--component", default="", metavar="NAME", help=_COMPONENT)
    _add_sql(add("sql", "a question of your own to a dataset and a run", output))
    return parser


_COMPONENT = "of unified and two_tower fused, id or content; of a fusion the name of a run"


def _add_embed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--of", default="items", choices=("items", "users"))
    parser.add_argument("--component", default="", metavar="NAME", help=_COMPONENT)
    parser.add_argument(
        "--epoch", type=values.cutoff, metavar="N", help="as they were after one that was kept"
    )
    parser.add_argument("--map", action="store_true", help="and where each lies, and clusters")
    parser.add_argument("--axes", type=int, choices=(2, 3), help="of the map, 2 if not given")
    parser.add_argument("--seed", type=values.seed, default=0)
    parser.add_argument("--out", type=Path, metavar="FILE.parquet|FILE.csv")


def _add_sql(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("statement", metavar="STATEMENT", help="one SELECT, in double quotes")
    parser.add_argument("--dataset", metavar="D", help="that of the run if not given")
    parser.add_argument("--run", metavar="R", help="the newest of the dataset if not given")
    parser.add_argument(
        "--param",
        type=values.parameter,
        action="append",
        default=[],
        metavar="user=ID",
        help="what $user, $item or another $name in the statement stands for",
    )
    parser.add_argument("--out", type=Path, metavar="FILE.csv|FILE.parquet|FILE.json")


def _add_ingest(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--items", type=Path, action="append", metavar="FILE")
    parser.add_argument("--users", type=Path, action="append", metavar="FILE")
    parser.add_argument(
        "--map",
        type=values.pairs,
        default={},
        metavar="user_id=COLUMN,…",
        help="which column is what; layout=… says how a file is laid out (table: as it lies)",
    )
    parser.add_argument(
        "--delimiter", metavar="C|tab|blanks", help="what stands between the cells of a text"
    )
    parser.add_argument("--quote", metavar="C|none", help="what stands around cells")
    parser.add_argument(
        "--header-line",
        type=values.header_line,
        metavar="N|none",
        help="the line that names the columns",
    )
    parser.add_argument("--comment", metavar="C", help="lines that begin so are passed over")
    parser.add_argument("--decimal", choices=(".", ","), help="what stands before decimals")
    parser.add_argument("--weights", type=values.weights, metavar="view=1,purchase=5")
    parser.add_argument("--clean", type=values.words, default=[], metavar="dedupe,k_core=5,…")
    parser.add_argument("--name")


def _add_profile(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET")
    parser.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="TERM",
        help="time=2018-01..2018-03, event=NAME, platform=NAME, item.COLUMN=VALUE, "
        "user.COLUMN=VALUE or history=5..19; several of a kind are alternatives",
    )


def _add_clean(parser: argparse.ArgumentParser) -> None:
    _add_profile(parser)
    parser.add_argument(
        "steps", nargs="?", type=values.words, default=[], metavar="dedupe,k_core=5,…"
    )
    parser.add_argument("--name", help="of the version")


def _add_export_dataset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET")
    parser.add_argument("--to", required=True, choices=("recbole", "lenskit", "parquet"))
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER", help="is made anew")


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET")
    parser.add_argument("--model", required=True, metavar="M")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="key=value")
    parser.add_argument(
        "--split",
        default="leave-last-out",
        metavar="leave-last-out|last-visit|by-time|none",
        help="what is held out and asked about: each person's last event or whole last visit, or "
        "what comes after one moment; nothing with none",
    )
    parser.add_argument(
        "--cut",
        default="",
        metavar="DATE|SHARE",
        help="of --split by-time: what is from then on, or this last share, is asked about",
    )
    parser.add_argument(
        "--validate-on",
        default="",
        metavar="next-event|next-visit|next-period",
        help="what decides when a network stops and how a fusion weighs: each person's next event "
        "or whole visit, or the next period of everyone; as the split asks if not given, "
        "next-event without a test",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", choices=DEVICES)
    parser.add_argument("--text-model", default="", metavar="svd|NAME|FOLDER")
    parser.add_argument("--image-model", default="", metavar="NAME|FOLDER")
    parser.add_argument("--images", default="", metavar="FOLDER|COLUMN")
    parser.add_argument("--name", help="of the run")
    parser.add_argument("--evaluate", action="store_true", help="and evaluate it right away")
    parser.add_argument(
        "--log", choices=("mlflow",), help="settings, metrics and tags to MLflow, too"
    )
    parser.add_argument("--job", help=argparse.SUPPRESS)  # in the child of jobs.start_child


def _add_tune(parser: argparse.ArgumentParser) -> None:
    _add_train(parser)
    parser.add_argument("--trials", type=int, metavar="N", help="at most, 20 if not given")
    parser.add_argument("--minutes", type=float, metavar="F", help="after which no trial is begun")
    parser.add_argument(
        "--search",
        type=values.pairs,
        default={},
        metavar="key=low..high,key=a|b",
        help="what is searched, instead of what is usual for the model",
    )


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help="of one dataset")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE.html|FILE.ipynb")
    parser.add_argument("--language", default="en", choices=tuple(LANGUAGES))
    parser.add_argument(
        "--users", type=values.words, metavar="ID,ID", help="who is shown; drawn if not given"
    )


def _add_recommend(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN")
    whom = parser.add_mutually_exclusive_group()
    whom.add_argument("--users", type=values.words, default=["all"], metavar="ID,ID|all")
    whom.add_argument("--histories", type=Path, metavar="FILE")
    parser.add_argument("-k", type=values.cutoff, default=10)
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
    what.add_argument("-k", type=values.cutoff, help="the best so many, 10 if no item is given")
    parser.add_argument("--against", metavar="ID", help="why rather than this item")
    parser.add_argument(
        "--origin", action="store_true", help="and who in the log taught a network the first reason"
    )
    parser.add_argument(
        "--retrain", action="store_true", help="and what is left of it, trained again without them"
    )
    parser.add_argument("--seed", type=values.seed, default=0)
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="all it takes to replay it")
    parser.add_argument(
        "--hash-user", action="store_true", help="leave the user's id out of that file"
    )


def _add_changes(add: Callable[..., argparse.ArgumentParser]) -> None:
    """What would change a list, and what a change would do."""
    counterfactual = add("counterfactual", "what would take an item off a list, or bring it in")
    _add_person(counterfactual)
    counterfactual.add_argument("--item", required=True, metavar="ID")
    counterfactual.add_argument(
        "--add", action="store_true", help="of an item that is not on the list: what brings it in"
    )
    counterfactual.add_argument("-k", type=values.cutoff, default=10, help="length of the list")
    what_if = add("what-if", "the new list of an edited history")
    _add_person(what_if)
    what_if.add_argument(
        "--drop",
        type=values.words,
        default=[],
        metavar="ID,@N",
        help="all events of an item, or the N-th oldest event",
    )
    what_if.add_argument(
        "--add", type=values.words, default=[], metavar="ID,ID", help="appended in this order"
    )
    what_if.add_argument("-k", type=values.cutoff, default=10)


def _add_person(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN")
    whom = parser.add_mutually_exclusive_group(required=True)
    whom.add_argument("--user", metavar="ID")
    whom.add_argument("--histories", type=Path, metavar="FILE", help="of one person")


def _add_overviews(add: Callable[..., argparse.ArgumentParser]) -> None:
    """What is said of a run over many people."""
    overview = add("overview", "what a run goes by, over many people")
    faithfulness = add("faithfulness", "do a run's explanations say what moves it?")
    for parser, people in ((overview, 50), (faithfulness, 100)):
        parser.add_argument("run", metavar="RUN")
        parser.add_argument(
            "--people",
            type=values.cutoff,
            default=people,
            metavar="N",
            help=f"{people} if not given",
        )
        parser.add_argument("--seed", type=values.seed, default=0, help="decides who is drawn")
    overview.add_argument(
        "-k", type=values.cutoff, default=3, help="items of each that are explained"
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
    for kind, (form, about) in _RULES.items():
        parser.add_argument(
            f"--{kind}",
            dest="rules",
            action="append",
            default=[],
            type=f"{kind} {{}}".format,  # as core.recommend.rules reads it
            metavar=form,
            help=about,
        )


_RULES = {
    "exclude": ("ATTRIBUTE=VALUE", "no items that have this value; item_id=… for one item"),
    "only": ("ATTRIBUTE=VALUE", "items with this value; of several one is enough"),
    "at-most": ("ATTRIBUTE=N", "each value at most so often in a list"),
    "boost": ("ATTRIBUTE=VALUE:X", "items with this value higher up, or lower: -1 … 1"),
    "pin": ("ITEM", "this item first, of several in this order"),
}
