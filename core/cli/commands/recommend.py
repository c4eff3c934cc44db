"""What each person would get."""

from __future__ import annotations

from typing import Any

from core import pipeline
from core.cli.terminal import Result, table
from core.data.store import Workspace
from core.errors import BadInput
from core.recommend import export
from core.recommend.rerank import Rerank
from core.runs import artifact


def recommend(options: Any) -> Result:
    workspace = Workspace.open(options.data_dir)
    run = artifact.find_run(workspace, options.run)
    how = rerank(options)
    if options.out:
        export.check(options.out)
    loaded = pipeline.load_run(workspace, run)
    users = None if options.users == ["all"] else options.users
    people, queries = pipeline.queries_for(loaded, users=users, histories=options.histories)
    hide_seen = not options.keep_seen
    reranker = loaded.reranker(how) if how else None
    blocks = pipeline.recommendations(
        loaded, people, queries, k=options.k, hide_seen=hide_seen, reranker=reranker
    )
    result = {"run": run.id, "users": len(queries), "k": options.k, "hide_seen": hide_seen}
    result["rerank"] = reranker.report.to_json() if reranker else None
    if options.out:
        rows = export.write(options.out, blocks)
        text = f"{rows} recommendations for {len(queries)} users in {options.out}"
        return {**result, "rows": rows, "out": str(options.out)}, text
    found: list[Any] = [row for block in blocks for row in block.to_dict("records")]
    columns = ["user_id", "item_id", "rank", "score"] + ["model_rank"] * bool(reranker)
    text = table(found, columns)
    return {**result, "rows": len(found), "recommendations": found}, text


def rerank(options: Any) -> Rerank | None:
    """How lists are to be re-ranked; None if they are not."""
    strength = Rerank.strength if options.strength is None else options.strength
    if options.rerank != "none":
        return Rerank(options.rerank, strength)
    if options.strength is not None:
        raise BadInput(
            f"--strength {strength} has nothing to act on: add --rerank mmr or calibrated"
        )
    return None
