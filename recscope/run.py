"""A run: a model as it was trained, to be measured, asked, explained and looked into."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TypeAlias

import pandas as pd
from plotly.graph_objects import Figure

from core import holdings, pipeline
from core.errors import BadInput
from core.pipeline.item_neighbours import Neighbour
from core.pipeline.labels import Labels
from core.recommend.rules import Rules
from core.runs.metrics import RunMetrics, meaningless
from core.types import Params
from recscope import figures, html, requests
from recscope.explaining import Explains
from recscope.progress import ProgressLine
from recscope.requests import Histories, Users

Tags: TypeAlias = "str | Iterable[str]"

NEIGHBOURS = ("vectors", "content", "together")
SHOWN = ("ndcg", "recall", "mrr", "coverage", "rmse", "mae")  # what a notebook shows of a run


class Run(Explains):
    """A finished run, which `Workspace.train` and `Workspace.run` give.

    The model is read when it is first needed, and kept.
    """

    @property
    def id(self) -> str:
        """12 hex digits: equal settings on equal data with equal code give equal ids."""
        return self.stored.id

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.stored.name

    @property
    def settings(self) -> Params:
        """All of the model's settings, also those left as they are by default."""
        return dict(self.stored.config.params)

    @property
    def note(self) -> str:
        """What a person wrote on it; empty where nobody did."""
        return self.stored.notes.note

    @property
    def tags(self) -> tuple[str, ...]:
        """Short words to find it by, sorted."""
        return self.stored.notes.tags

    def annotate(self, note: str | None = None, *, tags: Tags = (), untag: Tags = ()) -> None:
        """Writes on the run; its id, which follows from what was trained, stays.

        Args:
            note: In the place of the last one; "" takes that away, None leaves it.
            tags: One or several that it is to have besides, each of at most 40 printable
                characters without a comma.
            untag: One or several that it is to have no more.

        Raises:
            BadInput: too long, too many, unprintable, or a tag to remove that is not there.

        >>> run.annotate("the one to beat", tags=["baseline", "2024"])
        >>> run.tags, run.note
        (('2024', 'baseline'), 'the one to beat')
        >>> run.annotate("", untag=["baseline", "2024"])
        """
        holdings.annotate(
            self._folders,
            self.id,
            None if note is None else requests.text("note", note),
            add=requests.texts("tags", tags),
            remove=requests.texts("untag", untag),
        )

    def evaluate(
        self,
        k: int | Iterable[int] = (5, 10, 20),
        *,
        keep_seen: bool = False,
        rules: Rules | Iterable[str] = (),
    ) -> pd.DataFrame:
        """What the run is worth on the events that its split held out, also shown by the pages.

        It takes the place of what was measured before: other cutoffs than the usual ones are then
        all that pages and `Workspace.compare` have of this run.

        Args:
            k: Cutoffs, each at least 1.
            keep_seen: Rank the items too that a person had already.
            rules: As in `recommend`; nothing is kept then.

        Returns:
            metric ("ndcg@10", …), mean, low, high: 95 % intervals over the users, missing where a
            metric is one number for all. Under rules also own (without them), difference,
            difference_low and difference_high: what they cost, person by person, 95 %.

        Raises:
            BadInput: nothing was held out (split="none"), a cutoff is not a whole number ≥ 1, or
                rules that cannot be kept.

        >>> run.evaluate().query("metric == 'ndcg@10'").round(3)
             metric   mean    low  high
        19  ndcg@10  0.073  0.057  0.09
        """
        ks = [requests.whole("k", at) for at in (k if isinstance(k, Iterable) else [k])]
        with ProgressLine(shown=self._progress) as line:
            found = pipeline.evaluate(
                self._folders,
                self.stored,
                ks=ks,
                hide_seen=not keep_seen,
                rules=requests.rules(rules),
                on_stage=line,
            )
        return _intervals(found)

    def metrics(self) -> pd.DataFrame:
        """What the run was measured to be worth when last evaluated; nothing is measured anew.

        Returns:
            metric ("ndcg@10", …), mean, low, high, as `evaluate` has them, without what says
            nothing of this log.

        Raises:
            BadInput: it was not evaluated yet.
        """
        measured = self.stored.check_metrics()
        if measured is None:
            raise BadInput(f"run {self.name} ({self.id}) was not evaluated yet: evaluate it first")
        return _intervals(measured.without(self._meaningless()))

    def _meaningless(self) -> tuple[str, ...]:
        """The metrics that say nothing of this log."""
        return meaningless(self._folders.dataset(self.stored.config.dataset).value_kind)

    def shortcuts(self) -> pd.DataFrame:
        """How far the run is ahead of simple rules, person by person, when last evaluated.

        The rules learnt from the same events and were asked about the same people: what follows
        what (`transitions`, as the model of that name), what was popular in the last period
        (`last_period`), and, where seen items are not hidden, a person's own items again
        (`repeats`). Where low and high have 0 between them, or p_holm is not small, the run is not
        surely better.

        Returns:
            rule, metric, reached (by the rule), run, difference (run - reached), se (of the
            difference, over people), low, high (95 %), p, p_holm (corrected for all rows).

        Raises:
            BadInput: the run was not evaluated, or by a Recscope that asked no rules.
        """
        metrics = self.stored.metrics
        if metrics is None or metrics.shortcuts is None:
            raise BadInput(
                f"run {self.name} ({self.id}) was not evaluated beside simple rules yet: evaluate "
                "it (again) first"
            )
        rows = [
            {"rule": rule.name, **asdict(margin)}
            for rule in metrics.shortcuts.shortcuts
            for margin in rule.margins
        ]
        return pd.DataFrame(rows)

    def recommend(
        self,
        users: Users | None = None,
        histories: Histories | None = None,
        k: int = 10,
        keep_seen: bool = False,
        *,
        labels: bool = False,
        rules: Rules | Iterable[str] = (),
    ) -> pd.DataFrame:
        """The k best items for each person.

        Args:
            users: Ids of people in the dataset, in the order wanted, each once: 1 and "1" are the
                same. Everybody if neither users nor histories are given.
            histories: What people did whom the log has never seen, instead: user_id, item_id, and
                if need be timestamp, event, value and platform. Events of items that the run does
                not know do not count.
            k: Items for each; a person who has fewer left gets fewer.
            keep_seen: Recommend what a person had already, too.
            labels: Also say what each item is called.
            rules: What lists must keep, as texts: "exclude genres=Horror", "only genres=Comedy",
                "at-most genres=2", "boost genres=Drama:0.3", "pin 17". Items that have no value of
                an attribute are not limited by at-most.

        Returns:
            user_id, item_id, rank (from 1), score (the model's own scale), and label if asked.
            Under rules also model_rank, the item's place without them; `attrs["rules"]` says how
            many people got fewer than k items (short), and how many items are not limited.

        Raises:
            NotFound: a user whom the dataset does not have, or an attribute, a value or an item.
            BadInput: k below 1 or beyond the items that there are, or unreadable histories.

        >>> run.recommend([1], k=2, labels=True)[["user_id", "rank", "label"]]
           user_id  rank                  label
        0        1     1         28 Days (2000)
        1        1     2  200 Cigarettes (1999)
        """
        k = requests.cutoff(self._loaded, k)
        people, queries = requests.people(self._loaded, users, histories)
        wanted = requests.rules(rules)
        frame = pipeline.recommendation_table(
            self._loaded, people, queries, k=k, hide_seen=not keep_seen, rules=wanted
        )
        if labels:
            codes = self._loaded.items.encode(frame["item_id"])
            names = Labels(self._loaded).labels(codes)
            frame["label"] = [names[code] for code in codes.tolist()]
        return frame

    def embed(
        self,
        map: bool = False,
        *,
        of: str = "items",
        component: str = "",
        epoch: int | None = None,
        axes: int = 2,
        seed: int = 0,
    ) -> pd.DataFrame:
        """The vectors that the model has learnt.

        Args:
            map: Also where each lies on a map, and in which cluster.
            of: "items" or "users".
            component: Of a model that has several kinds of vectors, which; the usual if empty.
            epoch: One that was kept: what the items were after it.
            axes: Of the map, 2 or 3.
            seed: Of the map and the clusters.

        Returns:
            item_id or user_id, label, v0 … vD-1, and with a map x, y[, z], cluster (0 the largest)
            and cluster_label.

        Raises:
            BadInput: the model has no vectors, or no such component or epoch.

        >>> vectors = run.embed()
        >>> len(vectors), vectors.columns[:3].tolist()
        (9724, ['item_id', 'label', 'v0'])
        """
        if axes not in (2, 3):
            raise BadInput(f"a map has 2 or 3 axes, not {axes!r}")
        seed = requests.whole("seed", seed, least=0)
        with ProgressLine(shown=self._progress) as line:
            embedding = pipeline.embedding(
                self._loaded,
                of=of,
                component=component,
                epoch=epoch,
                axes=axes if map else 0,
                seed=seed,
                on_stage=line,
            )
        return embedding.frame

    def map(self, *, of: str = "items", axes: int = 2, seed: int = 0) -> Figure:
        """A plotly figure of the vectors, near each other what the model takes for alike.

        Raises:
            BadInput: the model has no vectors.
        """
        frame = self.embed(map=True, of=of, axes=axes, seed=seed)
        return figures.points(frame, f"{of} of {self.name}")

    def neighbours(
        self, item: object, k: int = 10, *, by: str = "vectors", component: str = ""
    ) -> pd.DataFrame:
        """The items nearest to one.

        Args:
            item: Its id.
            k: How many at most.
            by: "vectors" (to the model), "content" (what is known of them) or "together" (who took
                both).
            component: As in `embed`.

        Returns:
            item_id, label, cosine, the nearest first; by "together" also both, the people who took
            both.

        Raises:
            NotFound: an item that the run does not know.
            BadInput: the model has no vectors, or there is no neighbour; the sentence says why.

        >>> run.neighbours(1, k=2)["label"].tolist()
        ['Terminator 2: Judgment Day (1991)', 'Speed (1994)']
        """
        k = requests.cutoff(self._loaded, k)
        if by not in NEIGHBOURS:
            raise BadInput(f"neighbours are by {', '.join(NEIGHBOURS)}, not by {by!r}")
        found = pipeline.neighbours(self._loaded, item, k=k, component=component)
        if by in found.why:
            raise BadInput(f"item {item} has no neighbours by {by}: {found.why[by]}")
        near: tuple[Neighbour, ...] = getattr(found, by)
        rows = [each.to_json() for each in near]
        return pd.DataFrame(rows).rename(columns={"item": "item_id"})

    def __repr__(self) -> str:
        return (
            f"<recscope run {self.name}: {self.stored.config.model} on {self.stored.dataset_name}>"
        )

    def _repr_html_(self) -> str:
        config, split = self.stored.config, self.stored.meta["split"]
        held_out = f"{split['kind']}, {split['test_users']:,} users are asked about"
        notes = self.stored.notes
        written = {"tags": ", ".join(notes.tags), "note": notes.note}
        blocks = [
            html.facts(
                {
                    "id": self.id,
                    "model": config.model,
                    "dataset": f"{self.stored.dataset_name} ({config.dataset})",
                    "split": held_out if split["test_users"] else split["kind"],
                    "seed": config.seed,
                    "took": f"{self.stored.seconds:.1f} s on {config.device}",
                    "settings": ", ".join(
                        f"{name}={value}" for name, value in config.params.items()
                    ),
                    **{name: text for name, text in written.items() if text},
                }
            )
        ]
        if measured := self.stored.metrics:
            measured = measured.without(self._meaningless())
            rows = [
                (name, at.mean, at.low, at.high)
                for name, at in measured.metrics.items()
                if name.startswith(SHOWN)
            ]
            more = (
                f"these are {len(rows)} of {len(measured.metrics)} figures: run.evaluate() has all"
            )
            blocks.append(html.table(("metric", "mean", "low", "high"), rows))
            blocks.append(html.paragraph(more))
        else:
            blocks.append(html.paragraph("not evaluated yet: run.evaluate()"))
        return html.panel(f"Run {self.name}", *blocks)


def _intervals(measured: RunMetrics) -> pd.DataFrame:
    """Each metric with its interval; under rules what they cost beside it."""
    rows = [(name, at.mean, at.low, at.high) for name, at in measured.metrics.items()]
    frame = pd.DataFrame(rows, columns=["metric", "mean", "low", "high"])
    frame = frame.astype({"low": float, "high": float})
    if measured.rules is None:
        return frame
    costs = {cost.metric: cost for cost in measured.rules.costs}
    of_each = [costs[name] for name in frame["metric"]]
    frame["own"] = [cost.own for cost in of_each]
    frame["difference"] = [cost.difference for cost in of_each]
    frame["difference_low"] = pd.Series([cost.low for cost in of_each], dtype=float)
    frame["difference_high"] = pd.Series([cost.high for cost in of_each], dtype=float)
    frame.attrs["rules"] = measured.rules.to_json()
    return frame
