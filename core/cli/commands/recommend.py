"""What each person would get."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from core import pipeline
from core.cli.terminal import Result, table
from core.data.store import Workspace
from core.errors import BadInput
from core.recommend import export
from core.recommend.rerank import Rerank
from core.recommend.rules import Rules
from core.runs import artifact

if TYPE_CHECKING:
    import pandas as pd


def recommend(options: Any) -> Result:
    workspace = Workspace.open(options.data_dir)
    run = artifact.find_run(workspace, options.run)
    how, rules = rerank(options), Rules.parse(options.rules)
    if options.out:
        export.check(options.out)
    loaded = pipeline.load_run(workspace, run)
    users = None if options.users == ["all"] else options.users
    people, queries = pipeline.queries_for(loaded, users=users, histories=options.histories)
    hide_seen = not options.keep_seen
    reranker = loaded.reranker(how) if how else None
    ruled = loaded.rules(rules, how)
    blocks = pipeline.recommendations(
        *(loaded, people, queries),
        k=options.k,
        hide_seen=hide_seen,
        reranker=reranker,
        rules=ruled,
    )
    lists = _Counted(blocks, options.k)
    result = {"run": run.id, "users": len(queries), "k": options.k, "hide_seen": hide_seen}
    result["rerank"] = reranker.report.to_json() if reranker else None
    if options.out:
        rows = export.write(options.out, lists)
        text = f"{rows} recommendations for {len(queries)} users in {options.out}"
        shown = {"rows": rows, "out": str(options.out)}
    else:
        found: list[Any] = [row for block in lists for row in block.to_dict("records")]
        columns = ["user_id", "item_id", "rank", "score"] + ["model_rank"] * bool(reranker or ruled)
        text = table(found, columns)
        shown = {"rows": len(found), "recommendations": found}
    report = ruled.report(options.k, len(queries) - lists.full) if ruled else None
    result["rules"] = report.to_json() if report else None
    return {**result, **shown}, f"{text}\n{report.sentence()}" if report else text


class _Counted:
    """Blocks of lists as they come, and how many lists of full length were in them."""

    def __init__(self, blocks: Iterable[pd.DataFrame], k: int) -> None:
        self._blocks, self._k = blocks, k
        self.full = 0

    def __iter__(self) -> Iterator[pd.DataFrame]:
        for block in self._blocks:
            self.full += int((block["rank"] == self._k).sum())
            yield block


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
