"""What a run has learnt: vectors, a map, what is near an item."""

from __future__ import annotations

from typing import Any

from core import pipeline
from core.cli.terminal import Result, progress, table
from core.data.store import Workspace
from core.embed import Quality
from core.errors import BadInput
from core.pipeline import EmbeddingReport, LoadedRun
from core.pipeline.labels import with_id
from core.recommend import export
from core.runs import artifact

_LISTS = {
    "vectors": "to the model",
    "content": "by what is known of them",
    "together": "by who took both",
}


def embed(options: Any) -> Result:
    if options.axes and not options.map:
        raise BadInput(f"--axes {options.axes} has nothing to act on: add --map")
    if options.out:
        export.check(options.out)
    workspace = Workspace.open(options.data_dir)
    loaded = pipeline.load_run(workspace, artifact.find_run(workspace, options.run))
    embedding = pipeline.embedding(
        loaded,
        of=options.of,
        component=options.component,
        epoch=options.epoch,
        axes=(options.axes or 2) if options.map else 0,
        seed=options.seed,
        on_stage=progress(),
    )
    text, about = _in_words(embedding.report), embedding.report.to_json()
    if options.out:
        export.write(options.out, [embedding.frame])
        return {**about, "out": str(options.out)}, f"{text}\nin {options.out}"
    return about, text


def _in_words(about: EmbeddingReport) -> str:
    kept = "" if about.kept == 1 else f", {about.kept:.0%} of the weights' size"
    epoch = f", after epoch {about.epoch}" if about.epoch else ""
    lines = [
        f"{about.rows} {about.of} of {about.model} in {about.dim} numbers "
        f"({about.component}{kept}){epoch}"
    ]
    lines += [f"{finding.severity:4}  {finding.sentence}" for finding in about.diagnosis]
    if about.drift and about.drift.moved:
        lines.append(f"moved most: {', '.join(item.label for item in about.drift.moved[:5])}")
    lines += [
        f"{attribute.name} is told from ten neighbours for {attribute.accuracy.right:.0%}, from "
        f"the commonest value for {attribute.accuracy.commonest:.0%}"
        for attribute in about.attributes
    ]
    if about.map:
        lines.append(f"map in {about.map.axes} axes: {_trust(about.map.quality)}")
        rows = [cluster.to_json() for cluster in about.clusters]
        lines.append(table(rows, ("cluster", "size", "label")))
    return "\n".join(lines)


def _trust(quality: Quality) -> str:
    """How far a map can be believed."""
    if quality.trustworthiness is None or quality.recall is None:
        points = "one point is" if quality.points == 1 else f"{quality.points} points are"
        return f"{points} too few to say how far it can be believed"
    return (
        f"trustworthiness {quality.trustworthiness:.3f}; of the {quality.k} nearest in truth "
        f"{quality.recall:.0%} are among the {quality.k} nearest on it"
    )


def neighbours(options: Any) -> Result:
    workspace = Workspace.open(options.data_dir)
    if options.weight is not None and not options.less:
        raise BadInput(f"--weight {options.weight} has nothing to act on: add --less")
    loaded = pipeline.load_run(workspace, artifact.find_run(workspace, options.run))
    if options.less or len(options.item) > 1:
        return _combined(loaded, options)
    near = pipeline.neighbours(loaded, options.item[0], k=options.k, component=options.component)
    about = near.to_json()
    paragraphs = [f"near {with_id(near.label, near.item)}, {near.model}, {near.component}"]
    for name, title in _LISTS.items():
        columns = ("item", "label", "cosine") + ("both",) * (name == "together")
        body = near.why.get(name) or table(about[name], columns)
        paragraphs.append(f"{title}\n{body}")
    if near.recall < 1:
        paragraphs.append(f"the index finds {near.recall:.1%} of the ten nearest vectors")
    return about, "\n\n".join(paragraphs)


def _combined(loaded: LoadedRun, options: Any) -> Result:
    """What is like several items, and less like others; a column for what each of them adds."""
    near = pipeline.Neighbourhood(loaded, options.component)
    combined = pipeline.combined_neighbours(
        near, options.item, options.less, k=options.k, weight=options.weight
    )
    like, less = (
        ", ".join(with_id(named.label, named.item) for named in side)
        for side in (combined.like, combined.less)
    )
    less = f", less {less} (weight {combined.weight:g})" if less else ""
    signed = [f"+{named.item}" for named in combined.like]
    signed += [f"-{named.item}" for named in combined.less]
    rows = [
        {**answer.to_json(), **dict(zip(signed, (p.value for p in answer.parts), strict=True))}
        for answer in combined.vectors
    ]
    paragraphs = [
        f"like {like}{less}, {combined.model}, {combined.component}",
        f"each named item's part, which add up to the cosine\n"
        f"{table(rows, ('item', 'label', 'cosine', *signed))}",
    ]
    about = combined.to_json()
    if combined.terms:
        terms = table(about["terms"], ("name", "inside", "overall", "lift"))
        paragraphs.append(
            f"what the {combined.profiled} nearest have more of than all items\n{terms}"
        )
    return about, "\n\n".join(paragraphs)
