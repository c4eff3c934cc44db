"""What each command does: options → what --json prints, and what people read instead."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import artifact, config, jobs
from core.data.store import DatasetInfo, Workspace
from core.errors import BadInput
from core.terminal import progress, table
from core.types import Ints, Queries, RunConfig

if TYPE_CHECKING:
    from core import pipeline
    from core.rerank import Rerank

Result = tuple[dict[str, Any], str]

_ABOUT = (
    *("mapping", "evidence", "time_kind", "value_kind", "weights", "cleaning", "parent", "files"),
    *("first_time", "last_time", "item_columns", "user_columns", "created"),
)


def ingest(options: Any) -> Result:
    from core.data.ingest import ingest

    workspace = Workspace.open(options.data_dir)
    info = ingest(
        workspace,
        options.files,
        items=options.items,
        users=options.users,
        mapping=options.map or None,
        name=options.name,
        weights=options.weights,
        clean=options.clean or None,
        progress=progress(),
    )
    result = {"dataset": info.id, "name": info.name, **info.counts, **_about(info)}
    return result, _ingested(info)


def _about(info: DatasetInfo) -> dict[str, Any]:
    return {key: info.meta.get(key) for key in _ABOUT}


def _ingested(info: DatasetInfo) -> str:
    counts = info.counts
    lines = [
        f"{info.name} ({info.id}): {counts['rows_kept']} of {counts['rows_read']} rows, "
        f"{counts['users']} users, {counts['items']} items"
    ]
    lines += [f"  rejected {n}: {reason}" for reason, n in counts["rejected"].items()]
    lines += [f"  {role}: {sentence}" for role, sentence in info.meta["evidence"].items()]
    return "\n".join(lines)


def datasets(options: Any) -> Result:
    found = [
        {"id": info.id, "name": info.name, **info.counts, **_about(info)}
        for info in Workspace.open(options.data_dir).datasets()
    ]
    columns = ("id", "name", "rows_kept", "users", "items", "created")
    return {"datasets": found}, table(found, columns)


def runs(options: Any) -> Result:
    workspace = Workspace.open(options.data_dir)
    finished = {run.id: run for run in artifact.runs(workspace)}
    found = []
    for status in jobs.statuses(workspace):
        if status.kind != jobs.RUN:
            continue
        row: dict[str, Any] = {
            "id": status.run_id,
            "name": status.name,
            "dataset": status.dataset,
            "dataset_name": status.dataset_name,
            "model": status.model,
            "state": status.state,
            "message": status.message,
            "created": status.queued,
            "seconds": status.seconds,
        }
        if run := finished.get(status.run_id):
            measured = (run.metrics or {}).get("metrics", {})
            row |= {key: run.meta[key] for key in ("config", "parameters", "artifact_hash")}
            row |= {"metrics": measured, "ndcg@10": measured.get("ndcg@10", {}).get("mean")}
        found.append(row)
    columns = ("id", "name", "dataset_name", "model", "state", "seconds", "ndcg@10", "message")
    return {"runs": found}, table(found, columns)


def models(options: Any) -> Result:
    from core.models import MODELS

    found = [
        {
            "name": name,
            "about": (kind.__doc__ or "").split("\n\n")[0].strip(),
            "params": config.describe(name),
        }
        for name, kind in MODELS.items()
    ]
    lines = []
    for model in found:
        lines.append(f"{model['name']}: {' '.join(str(model['about']).split())}")
        for param in config.describe(str(model["name"])):
            lines.append(f"  {param['name']}={param['default']}  {param['help']}{_range(param)}")
    return {"models": found}, "\n".join(lines)


def _range(param: Mapping[str, Any]) -> str:
    if "choices" in param:
        return f" ({', '.join(map(str, param['choices']))})"
    return f" ({param['min']} … {param['max']})" if "min" in param else ""


def train(options: Any) -> Result:
    from core import pipeline

    workspace = Workspace.open(options.data_dir)
    if options.job:
        with jobs.resumed(workspace, options.job) as (asked, report):
            spec = RunConfig(**asked["config"])
            return _fitted(workspace, spec, asked["name"], options.evaluate, report)
    spec = artifact.plan(
        workspace,
        options.dataset,
        options.model,
        options.set,
        split=options.split,
        seed=options.seed,
        device=options.device,
        features=_features(options),
    )
    stored = pipeline.stored(workspace, spec, options.name)
    if stored and not (options.evaluate and stored.metrics is None and spec.split != "none"):
        print("recscope: this run is already there", file=sys.stderr)
        return _trained(stored, options.evaluate)
    with (
        jobs.working(workspace, spec, workspace.dataset(spec.dataset).name, options.name) as report,
        jobs.stopped_by_ctrl_c(report),
    ):
        return _fitted(workspace, spec, options.name, options.evaluate, report)


def _features(options: Any) -> dict[str, str]:
    from core.data.embeddings import CHOICES

    return {name: getattr(options, name) for name in CHOICES}


def _fitted(
    workspace: Workspace, spec: RunConfig, name: str | None, evaluate: bool, report: jobs.Report
) -> Result:
    from core import pipeline

    show = progress()

    def on_stage(stage: str, progress: float | None = None) -> None:
        report.stage(stage, progress)
        show(stage, progress)

    run = pipeline.fit(workspace, spec, name=name, on_stage=on_stage, on_epoch=report.epoch)
    evaluate = evaluate and spec.split != "none"
    if evaluate:
        pipeline.evaluate(workspace, run, device=spec.device, on_stage=on_stage)
    return _trained(run, evaluate)


def _trained(run: artifact.Run, evaluate: bool) -> Result:
    split = run.meta["split"]
    result = {
        "run": run.id,
        "name": run.name,
        "dataset": run.config.dataset,
        "dataset_name": run.dataset_name,
        "model": run.config.model,
        "params": dict(run.config.params),
        "features": dict(run.config.features),
        "seed": run.config.seed,
        "split": split["kind"],
        "split_tie_rate": split["tie_rate"],
        "split_fingerprint": split["fingerprint"],
        "train_events": split["train_events"],
        "test_users": split["test_users"],
        "device": run.config.device,
        **{key: run.meta[key] for key in ("seconds", "created", "machine", "parameters")},
        "artifact_hash": run.artifact_hash,
        "code_version": run.meta["code_version"],
    }
    text = f"{run.name} ({run.id}): {run.config.model} on {run.dataset_name}, {run.seconds:.1f} s"
    if made := run.meta.get("embeddings"):
        result["embeddings"] = made
        text += "".join(f"\n{_embedded(kind, about)}" for kind, about in made.items())
    if findings := run.meta.get("findings"):
        result["findings"] = findings
        text += _found(findings)
    measured = run.metrics if evaluate else None
    if measured:
        result["metrics"] = measured["metrics"]
        text += "\n" + _measured(measured)
    return result, text


def _embedded(kind: str, about: Mapping[str, Any]) -> str:
    """How many items have a text or an image, and what could not be read."""
    text = f"{kind}: {about['items']:,} of {about['of']:,} items have one"
    if about.get("unreadable"):
        text += f", {about['unreadable']:,} cannot be read, such as {about['example']}"
    return text


def _found(findings: Mapping[str, Any]) -> str:
    """What fit found out: a fusion's components, and why they were chosen."""
    if "components" not in findings:
        return ""
    text = ""
    for choice in findings.get("choices", ()):
        how = f"{choice['took']:.1f} s" if choice["taken"] else "not taken"
        text += f"\n{choice['model']}: {how}, {choice['why']}"
    segments = [f"from {edge} events" for edge in findings["segments"]]
    rows = [
        {
            "component": part["name"],
            "model": part["model"],
            "ndcg@10 alone": part["validation"],
            **dict(zip(segments, part["weights"], strict=True)),
        }
        for part in findings["components"]
    ]
    fused = findings["validation"]
    known = "" if fused is None else f" (ndcg@10 together, on validation: {fused:.4f})"
    columns = ("component", "model", "ndcg@10 alone", *segments)
    return f"{text}\nweights by length of the history{known}\n" + table(rows, columns)


def tune(options: Any) -> Result:
    from core import tune
    from core.tune.conduct import conduct

    workspace, show = Workspace.open(options.data_dir), progress()

    def searched(search: tune.Search, report: jobs.Report) -> Result:
        def on_stage(stage: str, progress: float | None = None) -> None:
            report.stage(stage, progress)
            show(stage, progress)

        result = conduct(workspace, search, report, on_stage)
        run = artifact.run(workspace, result["run"])
        measured = run.metrics if search.evaluate else None
        text = _tuned(result, run.dataset_name)
        if measured:
            return {**result, "metrics": measured["metrics"]}, f"{text}\n{_measured(measured)}"
        return result, text

    if options.job:
        with jobs.resumed(workspace, options.job) as (asked, report):
            return searched(tune.Search.of(asked), report)
    search = tune.plan(
        workspace,
        options.dataset,
        options.model,
        options.set,
        space=options.search,
        trials=options.trials,
        minutes=options.minutes,
        split=options.split,
        seed=options.seed,
        device=options.device,
        name=options.name,
        evaluate=options.evaluate,
        features=_features(options),
    )
    folder = workspace.searches_folder / search.id
    with (
        jobs.here(workspace, folder, lambda: tune.prepare(workspace, search)) as report,
        jobs.stopped_by_ctrl_c(report),
    ):
        return searched(search, report)


def _tuned(result: Mapping[str, Any], dataset: str) -> str:
    best, start = result["best"], result["default_validation"]
    columns = ("trial", "state", "validation", *result["space"], "seconds")
    rows = [{**told, **told["params"]} for told in result["history"]]
    settings = ", ".join(f"{name}={value}" for name, value in best["params"].items())
    shares = ", ".join(f"{name} {share:.0%}" for name, share in result["importance"].items())
    return "\n".join(
        [
            table(rows, columns),
            f"{result['model']} on {dataset}: {result['trials']} trials, of which "
            f"{result['pruned']} pruned and {result['failed']} failed, {result['seconds']:.1f} s",
            f"ndcg@10 on validation: {best['validation']:.4f} with {settings}"
            + ("" if start is None else f"; {start:.4f} with the defaults"),
            f"what matters: {shares or 'not known from so few trials that differ'}",
            f"run {result['name']} ({result['run']})",
        ]
    )


def evaluate(options: Any) -> Result:
    from core import pipeline

    workspace = Workspace.open(options.data_dir)
    run = artifact.run(workspace, options.run)
    result = pipeline.evaluate(
        workspace,
        run,
        ks=options.k,
        hide_seen=not options.keep_seen,
        rerank=_rerank(options),
        on_stage=progress(),
    )
    return result, _measured(result, run.metrics or {})


def _rerank(options: Any) -> Rerank | None:
    from core.rerank import Rerank

    strength = Rerank.strength if options.strength is None else options.strength
    if options.rerank != "none":
        return Rerank(options.rerank, strength)
    if options.strength is not None:
        raise BadInput(
            f"--strength {strength} has nothing to act on: add --rerank mmr or calibrated"
        )
    return None


def compare(options: Any) -> Result:
    from core import pipeline

    workspace = Workspace.open(options.data_dir)
    runs = [artifact.run(workspace, ref) for ref in options.runs]
    rows: list[Any] = pipeline.compare(workspace, runs, metrics=options.metrics).to_dict("records")
    columns = ("run", "metric", "mean", "difference", "low", "high", "p_holm")
    head = f"against {runs[0].name} ({runs[0].id}), user by user\n"
    return {"baseline": runs[0].id, "comparisons": rows}, head + table(rows, columns)


def _measured(result: Mapping[str, Any], own: Mapping[str, Any] | None = None) -> str:
    """The figures; beside those of re-ranked lists the model's own, if measured the same way."""
    hidden = "hidden" if result["hide_seen"] else "kept"
    head = f"{result['users']} users, every item ranked, items already seen {hidden}"
    rows = [{"metric": name, **figures} for name, figures in result["metrics"].items()]
    columns = ["metric", "mean", "low", "high"]
    if how := result.get("rerank"):
        head += f", lists re-ranked: {how['method']} by {how['by']}, strength {how['strength']:g}"
        if own and own["hide_seen"] == result["hide_seen"]:
            columns.append("not re-ranked")
            for row in rows:
                row["not re-ranked"] = own["metrics"].get(row["metric"], {}).get("mean")
    return head + "\n" + table(rows, columns)


def recommend(options: Any) -> Result:
    from core import export, pipeline

    workspace = Workspace.open(options.data_dir)
    run = artifact.run(workspace, options.run)
    how = _rerank(options)
    if options.out:
        export.check(options.out)
    loaded = pipeline.ready(workspace, run)
    users = None if options.users == ["all"] else options.users
    people, queries = pipeline.whom(loaded, users=users, histories=options.histories)
    hide_seen = not options.keep_seen
    reranker = loaded.reranker(how) if how else None
    blocks = pipeline.recommendations(
        loaded, people, queries, k=options.k, hide_seen=hide_seen, reranker=reranker
    )
    result = {"run": run.id, "users": len(queries), "k": options.k, "hide_seen": hide_seen}
    result["rerank"] = reranker.told() if reranker else None
    if options.out:
        rows = export.write(options.out, blocks)
        text = f"{rows} recommendations for {len(queries)} users in {options.out}"
        return {**result, "rows": rows, "out": str(options.out)}, text
    found: list[Any] = [row for block in blocks for row in block.to_dict("records")]
    columns = ["user_id", "item_id", "rank", "score"] + ["model_rank"] * bool(reranker)
    text = table(found, columns)
    return {**result, "rows": len(found), "recommendations": found}, text


def explain(options: Any) -> Result:
    from core import export, pipeline, sentences

    workspace = Workspace.open(options.data_dir)
    run = None if options.run is None else artifact.run(workspace, options.run)
    if options.replay:
        _only_replayed(options)
        result = pipeline.replay(workspace, options.replay, run=run)
        return result, f"{options.replay}: {sentences.replayed(result)}"
    if run is None:
        raise BadInput("say which run is to be explained: recscope explain RUN …")
    if options.out:
        export.check(options.out, (".json",))
    elif options.hash_user:
        raise BadInput("--hash-user has nothing to act on: add --out FILE.json")
    loaded = pipeline.ready(workspace, run)
    user, query = _one_person(loaded, options)
    items, against = _what_to_explain(loaded, query, options)
    found = pipeline.explained(loaded, query, items, against=against, seed=options.seed)
    told = pipeline.told(loaded, query, found, user=user)
    if options.item is not None and against is None:
        told[0]["attributes"] = pipeline.attributes(loaded, query, int(items[0]))
    result = {"run": run.id, "user": user, "explanations": told}
    text = "\n\n".join(f"{sentences.sentence(one)}\n{sentences.figures(one)}" for one in told)
    if options.item is not None:
        result = told[0]
    if options.out:
        about = {"user": user, "hash_user": options.hash_user}
        pipeline.export(options.out, pipeline.document(loaded, query, found, **about))
        return {**result, "out": str(options.out)}, f"{text}\n\nto be replayed: {options.out}"
    return result, text


def _only_replayed(options: Any) -> None:
    """Refuses what the file says itself."""
    for name in ("item", "k", "against", "seed", "out", "hash_user"):
        if getattr(options, name):
            raise BadInput(f"--{name.replace('_', '-')} has no place beside --replay: leave it out")


def _one_person(loaded: pipeline.Ready, options: Any) -> tuple[Any, Queries]:
    """Whose history is to be explained, and the history."""
    from core import pipeline

    if options.histories is None:
        query, users = pipeline.history_of(loaded, options.user), loaded.dataset.users
        return users.decode(users.encode([options.user]))[0], query
    people, queries = pipeline.whom(loaded, histories=options.histories)
    if len(people) != 1:
        raise BadInput(
            f"{options.histories.name} has {len(people)} people: one history is explained at a "
            "time, so leave one of them in"
        )
    return people[0], queries


def _what_to_explain(
    loaded: pipeline.Ready, query: Queries, options: Any
) -> tuple[Ints, int | None]:
    """The codes of the items asked for, or of the k best; that of what they are held against."""
    from core import pipeline

    against = None
    if options.against is not None:
        against = int(pipeline.codes_of(loaded, [options.against])[0])
    if options.item is not None:
        return pipeline.codes_of(loaded, [options.item]), against
    best = pipeline.places(loaded, query)[: options.k or 10]
    best = best[best != against]
    if not len(best):
        raise BadInput("no item is left to be explained: name one with --item, or raise -k")
    return best, against


def embed(options: Any) -> Result:
    from core import export, pipeline

    if options.axes and not options.map:
        raise BadInput(f"--axes {options.axes} has nothing to act on: add --map")
    if options.out:
        export.check(options.out)
    workspace = Workspace.open(options.data_dir)
    loaded = pipeline.ready(workspace, artifact.run(workspace, options.run))
    frame, about = pipeline.embedding(
        loaded,
        of=options.of,
        component=options.component,
        axes=(options.axes or 2) if options.map else 0,
        seed=options.seed,
        on_stage=progress(),
    )
    text = _vectors_told(about)
    if options.out:
        export.write(options.out, [frame])
        return {**about, "out": str(options.out)}, f"{text}\nin {options.out}"
    return about, text


def _vectors_told(about: Mapping[str, Any]) -> str:
    kept = "" if about["kept"] == 1 else f", {about['kept']:.0%} of the weights' size"
    lines = [
        f"{about['rows']} {about['of']} of {about['model']} in {about['dim']} numbers "
        f"({about['component']}{kept})"
    ]
    lines += [f"{one['severity']:4}  {one['sentence']}" for one in about["diagnosis"]]
    lines += [
        f"{one['name']} is told from ten neighbours for {one['right']:.0%}, from the commonest "
        f"value for {one['commonest']:.0%}"
        for one in about["attributes"]
    ]
    if shown := about["map"]:
        lines.append(
            f"map in {shown['axes']} axes: trustworthiness {shown['trustworthiness']:.3f}; of the "
            f"{shown['k']} nearest in truth {shown['recall']:.0%} are among the {shown['k']} "
            "nearest on it"
        )
        lines.append(table(about["clusters"], ("cluster", "size", "label")))
    return "\n".join(lines)


_LISTS = {
    "vectors": "to the model",
    "content": "by what is known of them",
    "together": "by who took both",
}


def neighbours(options: Any) -> Result:
    from core import pipeline

    workspace = Workspace.open(options.data_dir)
    if options.weight is not None and not options.less:
        raise BadInput(f"--weight {options.weight} has nothing to act on: add --less")
    loaded = pipeline.ready(workspace, artifact.run(workspace, options.run))
    if options.less or len(options.item) > 1:
        return _toward(loaded, options)
    found = pipeline.neighbours(loaded, options.item[0], k=options.k, component=options.component)
    parts = [f"near {found['label']} ({found['item']}), {found['model']}, {found['component']}"]
    for name, about in _LISTS.items():
        columns = ("item", "label", "cosine") + ("both",) * (name == "together")
        body = found["why"].get(name) or table(found[name], columns)
        parts.append(f"{about}\n{body}")
    if found["recall"] < 1:
        parts.append(f"the index finds {found['recall']:.1%} of the ten nearest vectors")
    return found, "\n\n".join(parts)


def _toward(loaded: pipeline.Ready, options: Any) -> Result:
    """What is like several items, and less like others; a column for what each of them adds."""
    from core import pipeline

    near = pipeline.Near(loaded, options.component)
    found = pipeline.toward(near, options.item, options.less, k=options.k, weight=options.weight)
    sides = [
        ", ".join(f"{one['label']} ({one['item']})" for one in found[side])
        for side in ("like", "less")
    ]
    less = f", less {sides[1]} (weight {found['weight']:g})" if sides[1] else ""
    signed = [f"{sign}{one['item']}" for sign, side in (("+", "like"), ("-", "less"))
              for one in found[side]]  # fmt: skip
    rows = [
        {**one, **{name: part["value"] for name, part in zip(signed, one["parts"], strict=True)}}
        for one in found["vectors"]
    ]
    parts = [
        f"like {sides[0]}{less}, {found['model']}, {found['component']}",
        f"each named item's part, which add up to the cosine\n"
        f"{table(rows, ('item', 'label', 'cosine', *signed))}",
    ]
    if found["terms"]:
        said = table(found["terms"], ("name", "inside", "overall", "lift"))
        parts.append(f"what the {found['profiled']} nearest have more of than all items\n{said}")
    return found, "\n\n".join(parts)


def doctor(options: Any) -> Result:
    from core.doctor import examine

    checks = examine(options.data_dir)
    lines = [f"{'ok ' if c.ok else 'BAD'}  {c.name}: {c.found}" for c in checks]
    lines += [f"{c.name}: {c.advice}" for c in checks if c.advice]
    ok = all(c.ok for c in checks)
    return {"ok": ok, "checks": [asdict(c) for c in checks]}, "\n".join(lines)


def serve(options: Any) -> Result:
    """Becomes the server, so that signals and the exit code are the server's own."""
    workspace = Workspace.open(options.data_dir)
    _check_free(options.port)
    root = str(Path(__file__).resolve().parent.parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    os.environ["RECSCOPE_HOME"] = str(workspace.path)
    print(f"recscope: http://127.0.0.1:{options.port} (Ctrl-C stops it)", file=sys.stderr)
    command = [sys.executable, "-m", "dashboard", "--port", str(options.port)]
    sys.stderr.flush()
    os.execv(sys.executable, [*command, "--data-dir", str(workspace.path)])


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise BadInput(
                f"port {port} cannot be used ({error.strerror}): choose another with --port"
            ) from None


def demo(options: Any) -> Result:
    from core.demo import prepare_in_background

    _check_free(options.port)
    prepare_in_background(Workspace.open(options.data_dir), options.port)
    return serve(options)
