"""Why a run recommends what it does, what would change that, and what it goes by."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from core import pipeline
from core.data.store import Workspace as Folders
from core.errors import BadInput
from core.pipeline.explanations import surveying
from core.pipeline.explanations.faithfulness import PEOPLE
from core.runs import artifact
from core.types import Queries
from recscope import requests
from recscope.answers import Counterfactual, Faithfulness, Origins, Overview, WhatIf, WhyNot
from recscope.explanation import Explanation
from recscope.progress import ProgressLine
from recscope.requests import History


class Explains:
    """A finished run as far as it is explained; see `Run`."""

    def __init__(self, folders: Folders, stored: artifact.Run, progress: bool = True) -> None:
        self._folders, self.stored, self._progress = folders, stored, progress

    @cached_property
    def _loaded(self) -> pipeline.LoadedRun:
        return pipeline.load_run(self._folders, self.stored)

    def explain(
        self,
        user: object = None,
        item: object = None,
        k: int | None = None,
        against: object = None,
        *,
        history: History | None = None,
        method: str | None = None,
        seed: int = 0,
    ) -> Explanation:
        """Why items are recommended: what each event of a history adds to their scores.

        Args:
            user: Whose history counts, an id of the dataset. A history may stand in its place.
            item: The item to explain; the k best if not given. It may be one that nobody took yet,
                but the items' table describes, where the model reads content.
            k: How many of the best are explained, 10 if not given.
            against: Explain why an item comes before this one instead.
            history: Of somebody whom the log has never seen: a DataFrame or a `pathlib.Path` to a
                file as `recommend` takes them, of one person, or the items' ids, the oldest first.
            method: How the values are found: by what suits the model if not given, else by shap's
                own explainers, "shap-exact" (at most 14 events) or "shap-permutation".
            seed: Of what is drawn, where something is.

        Raises:
            NotFound: a user or an item that is not there.
            BadInput: not one person, an item beside k, or a method that cannot do it.

        >>> print(run.explain(1, item=318))
        Shawshank Redemption, The (1994) is in place 361. The strongest evidence for it is ...
        """
        seed = requests.whole("seed", seed, least=0)
        loaded = pipeline.with_described(self._loaded, [item, against])
        person, query = requests.person(loaded, user, history)
        items, other = requests.items_to_explain(loaded, query, item, k, against)
        found = pipeline.explain_items(
            loaded, query, items, against=other, seed=seed, method=method
        )
        described = pipeline.describe_explanation(loaded, query, found, user=person)
        return Explanation(found, tuple(described))

    def counterfactual(
        self,
        user: object = None,
        item: object = None,
        k: int = 10,
        *,
        history: History | None = None,
    ) -> Counterfactual:
        """The smallest change of the past found that takes an item off the list.

        Args:
            user: Whose history counts, an id of the dataset. A history may stand in its place.
            item: One of the k best.
            k: Length of the list.
            history: Of somebody whom the log has never seen, as in `explain`.

        Raises:
            NotFound: a user or an item that is not there.
            BadInput: not one person, an empty history, or an item that is not on the list.

        >>> print(str(run.counterfactual(1, run.recommend([1], k=1)["item_id"][0])).split(";")[0])
        28 Days (2000) (...) goes from place 1 to ... without 1 event of 232, and ...
        """
        loaded, person, query, item, k = self._asked(user, history, item, k)
        return Counterfactual(pipeline.counterfactual(loaded, query, item, k=k, user=person))

    def why_not(
        self,
        user: object = None,
        item: object = None,
        k: int = 10,
        *,
        history: History | None = None,
    ) -> WhyNot:
        """How far an item is from the list, and what little would bring it in.

        Every item of the catalogue is tried as one more event; where none is enough, two and three.

        Args:
            user: Whose history counts, an id of the dataset. A history may stand in its place.
            item: One that is not among the k best.
            k: Length of the list.
            history: Of somebody whom the log has never seen, as in `explain`.

        Raises:
            NotFound: a user or an item that is not there.
            BadInput: not one person, or an item that is on the list or in the history.

        >>> run.why_not(1, item=318).to_frame()[["addition", "rank_after"]].head(1)
           addition  rank_after
        0         1           2
        """
        loaded, person, query, item, k = self._asked(user, history, item, k)
        with ProgressLine(shown=self._progress) as line:
            answer = pipeline.why_not(loaded, query, item, k=k, user=person, on_stage=line)
        return WhyNot(answer)

    def what_if(
        self,
        user: object = None,
        drop: Sequence[object] | str | int = (),
        add: Sequence[object] | str | int = (),
        k: int = 10,
        *,
        history: History | None = None,
    ) -> WhatIf:
        """The list of an edited history, and how far each item moved.

        Args:
            user: Whose history counts, an id of the dataset. A history may stand in its place.
            drop: Ids of items, all of whose events are dropped; or "@3", the third oldest event.
            add: Ids of items, appended in this order.
            k: Length of the lists.
            history: Of somebody whom the log has never seen, as in `explain`.

        Raises:
            NotFound: a user or an item that is not there.
            BadInput: not one person, nothing to drop or add, or what is not there to be dropped.

        >>> run.what_if(1, add=[318], k=3).to_frame().columns.tolist()
        ['item_id', 'label', 'before', 'after']
        """
        k = requests.cutoff(self._loaded, k)
        drop, add = requests.ids("drop", drop), requests.ids("add", add)
        loaded = pipeline.with_described(self._loaded, add)
        person, query = requests.person(loaded, user, history)
        return WhatIf(pipeline.what_if(loaded, query, drop=drop, add=add, k=k, user=person))

    def overview(
        self, k: int = surveying.PLACES, *, people: int = surveying.PEOPLE, seed: int = 0
    ) -> Overview:
        """What the run goes by: the explanations of the k best items of some people, added up.

        Args:
            k: Items of each person that are explained.
            people: How many are drawn.
            seed: Decides who is drawn, and what else is.

        Raises:
            BadInput: k or people below 1, or nobody has both a history and a recommendation.
        """
        k, people = requests.cutoff(self._loaded, k), requests.whole("people", people)
        seed = requests.whole("seed", seed, least=0)
        with ProgressLine(shown=self._progress) as line:
            answer = pipeline.run_overview(
                self._loaded, k=k, people=people, seed=seed, on_stage=line
            )
        return Overview(answer)

    def origins(
        self,
        user: object = None,
        item: object = None,
        cause: object = None,
        *,
        history: History | None = None,
        retrain: bool = False,
    ) -> Origins:
        """Who in the log taught a network that an item of the history speaks for another.

        An estimate from its last layer (TracIn), of unified, two_tower, lightgcn and simgcl.

        Args:
            user: Whose history counts, an id of the dataset. A history may stand in its place.
            item: The item that is recommended.
            cause: The item of the history; the one that speaks most for it if not given.
            history: Of somebody whom the log has never seen, as in `explain`.
            retrain: Also train again without them, and without others, to see what is left.

        Raises:
            NotFound: a user or an item that is not there.
            BadInput: not one person, no such network, or no item of the history speaks for it.
        """
        loaded, person, query, item, _ = self._asked(user, history, item, requests.USUAL_K)
        code = int(pipeline.item_codes(loaded, [item])[0])
        if cause is None:
            why = pipeline.explain_items(loaded, query, np.array([code]))
            first = pipeline.strongest_cause(query, why)
            if first is None:
                raise BadInput(f"no item of the history is evidence for {item}: name a cause")
        else:
            first = int(pipeline.item_codes(loaded, [cause])[0])
        with ProgressLine(shown=self._progress) as line:
            answer = pipeline.reason_origins(
                loaded,
                query,
                first,
                code,
                user=person if history is None else None,
                retrain=retrain,
                on_stage=line,
            )
        return Origins(answer)

    def faithfulness(self, people: int = PEOPLE, *, seed: int = 0) -> Faithfulness:
        """Whether the explanations say what moves the run; kept with it, also for the pages.

        What the same code measured before, of as many people and by the same seed, is given at
        once; else it is measured anew and takes its place.

        Args:
            people: How many are drawn of those with five events or more.
            seed: Decides who is drawn, and what else is.

        Raises:
            BadInput: fewer than two people, asked for or there.
        """
        people = requests.whole("people", people, least=2)
        seed = requests.whole("seed", seed, least=0)
        with ProgressLine(shown=self._progress) as line:
            answer = pipeline.faithfulness(
                self._folders, self.stored, people=people, seed=seed, on_stage=line
            )
        return Faithfulness(answer)

    def _asked(
        self, user: object, history: History | None, item: object, k: object
    ) -> tuple[pipeline.LoadedRun, object, Queries, object, int]:
        """The run that knows the item, who is asked about, their history, the item, and k."""
        if item is None:
            raise BadInput("say which item is asked about: give item")
        length = requests.cutoff(self._loaded, k)
        loaded = pipeline.with_described(self._loaded, [item])
        person, query = requests.person(loaded, user, history)
        return loaded, person, query, item, length
