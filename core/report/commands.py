"""The commands that make again what a report shows, as a shell reads them."""

from __future__ import annotations

import csv
import shlex
from dataclasses import dataclass

from core.data.features.embeddings import CHOICES
from core.data.quality.cleaning import FILTERED
from core.report.contents import Report
from core.report.people import LISTED
from core.runs.artifact import Run
from core.runs.config import describe_settings

WRITTEN_TO = "report.html"


@dataclass(frozen=True)
class Commands:
    """What they make again, as the key of a text, and a line each."""

    key: str
    lines: tuple[str, ...]


def commands(report: Report, language: str) -> tuple[Commands, ...]:
    """In the order in which they are run."""
    board, people = report.leaderboard, report.people
    ids = [run.id for run in report.runs]
    made = [
        Commands("report.command.data", _data(report)),
        Commands("report.command.train", tuple(map(_train, report.runs))),
    ]
    if board.differences and board.baseline:
        base = board.baseline.run.id
        others = [each.run.id for each in board.runs if each.run.id != base]
        metrics = ",".join(dict.fromkeys(row.metric for row in board.differences))
        line = _line("recscope", "compare", base, *others, "--metrics", metrics)
        made.append(Commands("report.command.compare", (line,)))
    explained = tuple(
        _line("recscope", "explain", people.run.id, "--user", str(person.user), "-k", str(LISTED))
        for person in people.people
        if person.explanations
    )
    made += [Commands("report.command.explain", explained)] if explained else []
    if report.item_map:
        line = _line("recscope", "embed", report.item_map.run.id, "--map")
        made.append(Commands("report.command.map", (line,)))
    users = [str(person.user) for person in people.people]
    named = ["--users", ",".join(map(_word, users))] if people.seed is None else []
    tongue = ["--language", language] if language != "en" else []
    line = _line("recscope", "report", *ids, *named, *tongue, "--out", WRITTEN_TO)
    return (*made, Commands("report.command.again", (line,)))


def _data(report: Report) -> tuple[str, ...]:
    """The files, then each filter with the steps that followed it, all under one name."""
    info = report.data.info
    groups: list[list[str]] = [[]]
    for step in map(str, info.meta["cleaning"]):
        if step.startswith(FILTERED):
            groups.append([])
        groups[-1].append(step)
    lines = [_ingest(report, groups[0])]
    for made_by, *steps in groups[1:]:
        terms = next(csv.reader([made_by.removeprefix(FILTERED)]))
        filters = [word for term in terms for word in ("--filter", term)]
        after = [",".join(steps)] if steps else []
        lines.append(_line("recscope", "clean", info.name, *after, *filters, "--name", info.name))
    return tuple(lines)


def _ingest(report: Report, cleaning: list[str]) -> str:
    info = report.data.info
    parts: dict[str, str] = info.meta.get("parts") or {}
    words = [name for name, part in parts.items() if part == "events"]
    for option in ("items", "users"):
        for name in (name for name, part in parts.items() if part == option):
            words += [f"--{option}", name]
    mapping = (_word(f"{role}={column}") for role, column in info.mapping.items() if column)
    words += ["--map", ",".join(mapping), "--name", info.name]
    if info.weights:
        words += ["--weights", ",".join(_word(f"{k}={v:g}") for k, v in info.weights.items())]
    words += ["--clean", ",".join(cleaning)] if cleaning else []
    return _line("recscope", "ingest", *words)


def _train(run: Run) -> str:
    config = run.config
    usual = usual_settings(config.model)
    changed = [f"{n}={v}" for n, v in config.params.items() if usual.get(n, ...) != v]
    words = ["--model", config.model, *(["--set", *changed] if changed else [])]
    words += ["--split", config.split, "--seed", str(config.seed), "--device", config.device]
    for option, value in (("--cut", config.cut), ("--validate-on", config.validate_on)):
        words += [option, value] if value else []
    for choice in CHOICES:
        if choice in config.features:
            words += [f"--{choice.replace('_', '-')}", config.features[choice]]
    words += ["--name", run.name] if run.name != config.model else []
    words += ["--evaluate"] if run.metrics else []
    return _line("recscope", "train", run.dataset_name, *words)


def usual_settings(model: str) -> dict[str, object]:
    """The settings of a model that nobody asked otherwise of; empty of a model that is gone."""
    return {setting.name: setting.default for setting in describe_settings(model)}


def _line(*words: str) -> str:
    return shlex.join(words)


def _word(text: str) -> str:
    """As core.cli.option_values.words takes it apart again."""
    return '"' + text.replace('"', '""') + '"' if "," in text or '"' in text else text
