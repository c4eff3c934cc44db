"""What a run has learnt: vectors, a map, what is near an item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core import pipeline
from core.cli.terminal import Result, progress, table
from core.data.store import Workspace
from core.errors import BadInput
from core.pipeline import LoadedRun
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
    frame, about = pipeline.embedding(
        loaded,
        of=options.of,
        component=options.component,
        epoch=options.epoch,
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
    epoch = about["epoch"]
    lines = [
        f"{about['rows']} {about['of']} of {about['model']} in {about['dim']} numbers "
        f"({about['component']}{kept})" + (f", after epoch {epoch}" if epoch else "")
    ]
    lines += [f"{one['severity']:4}  {one['sentence']}" for one in about["diagnosis"]]
    if moved := (about["drift"] or {}).get("moved"):
        lines.append(f"moved most: {', '.join(one['label'] for one in moved[:5])}")
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


def neighbours(options: Any) -> Result:
    workspace = Workspace.open(options.data_dir)
    if options.weight is not None and not options.less:
        raise BadInput(f"--weight {options.weight} has nothing to act on: add --less")
    loaded = pipeline.load_run(workspace, artifact.find_run(workspace, options.run))
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


def _toward(loaded: LoadedRun, options: Any) -> Result:
    """What is like several items, and less like others; a column for what each of them adds."""
    near = pipeline.Neighbourhood(loaded, options.component)
    found = pipeline.combined_neighbours(
        near, options.item, options.less, k=options.k, weight=options.weight
    )
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
