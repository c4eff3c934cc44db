"""Which models suit a log, with which settings, and about how long they take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import numpy as np

from core.findings import ChoiceFindings
from core.models.common.memory import free_memory
from core.models.popularity import CLOCK_TIMES, DAY_S
from core.types import Params, TrainData

LONG = 50.0  # events in a typical history, from which on a log is treated like one of films
ENOUGH_EVENTS = 10_000  # for a neural model to learn what counting does not
MANY_EVENTS = 500_000  # below, more and shorter windows of a history teach more than few long ones
WINDOWS = (1, 7, 30, 90, 365, 1000)  # days whose popularity may be a trend
SHORTEST, LONGEST = 0.01, 0.25  # a window, as a share of the log's days
MOST_DIRECTIONS = 256  # of gfcf beside models that know the order
RANK_SHARE = 1 / 32  # directions per person or item that gfcf keeps, of whichever are fewer
USUAL_EPOCHS = 20
NETWORK = "unified"
WHY = {  # why a model was taken or not
    "visitors": "what to show to people without a history",
    "spans": "the log spans {days:,.0f} days",
    "brief": "the log spans {days:,.0f} days, too few to have a trend",
    "no_days": "the log does not say on which days things happened",
    "attributes": "the items have attributes",
    "nothing_known": "nothing is known of the items",
    "ordered": "the log has an order",
    "unordered": "the log has no order",
    "no_order": "the log has no order to learn from",
    "order_used": "the log has an order, others use it",  # in runs of earlier versions
    "every_log": "suits every log",
    "large_too": "suits every log, also a large one",
    "few_items": "{items:,} items are few enough",
    "many_items": "{items:,} items would need {gib:,.0f} GiB",
    "network": "the log has an order and events enough to learn it",
    "few_events": "{events:,} events are too few for a neural model",
    "too_large": "needs more memory than is free",
    "too_large_again": "had weight on validation, whose figure is with it, but needed more memory "
    "than was free when it was fitted again",
    "late": "would take {seconds:,.0f} s, and {left:,.0f} s are left",
    "late_at_least": "would take {seconds:,.0f} s at least, and {left:,.0f} s are left",
    "another": "two networks from different draws err less than one",
    "another_late": "two networks from different draws err less than one, but another would take "
    "{seconds:,.0f} s, and {left:,.0f} s are left",
    "faded": "; an event counts {decay:.2f} of the one after it, which is better on validation",
}
LATE = {"network": "late_at_least", "another": "another_late"}  # by the reason it suited; or "late"


@dataclass(frozen=True)
class Facts:
    """What the choice of models hangs on."""

    events: int
    users: int
    items: int
    length: float  # of the history that the event in the middle belongs to
    ordered: bool
    days: float  # from the first event to the last; 0 without clock times
    attributes: bool
    device: str
    memory: int  # bytes that are free

    @classmethod
    def of(cls, train: TrainData, device: str) -> Self:
        """The facts about these data on this device."""
        log = train.interactions
        lengths = np.sort(np.diff(log.offsets))
        middle = int(np.searchsorted(lengths.cumsum(), len(log) / 2))
        times, days = log.times, 0.0
        if times is not None and len(times) and CLOCK_TIMES[0] <= times.max() < CLOCK_TIMES[1]:
            days = float(times.max() - times.min()) / DAY_S
        return cls(
            events=len(log),
            users=log.n_users,
            items=log.n_items,
            length=float(lengths[middle]) if len(lengths) else 0.0,
            ordered=times is not None,
            days=days,
            attributes=any(train.item_features.blocks()) if train.item_features else False,
            device=device,
            memory=free_memory(device),
        )


@dataclass(frozen=True)
class Choice:
    """A model, whether it is taken, and why."""

    model: str
    params: Params
    taken: bool
    reason: str  # a key of WHY
    seconds: float  # to fit it twice, for the choice of weights and for good: the order of it
    apart: str = ""  # what tells it from another of the same model
    about: Mapping[str, float] = field(default_factory=dict)  # the numbers in its reason
    decay: float | None = None  # of a history, where another than the usual one is better

    @property
    def why(self) -> str:
        """Its reason in words."""
        faded = "" if self.decay is None else WHY["faded"].format(decay=self.decay)
        return WHY[self.reason].format(**self.about) + faded

    @property
    def name(self) -> str:
        """What the component is called."""
        return f"{self.model} {self.apart}".strip()

    def left_out(self, seconds: float, left: float) -> Self:
        """It suits, but would take so many seconds, and so many are left."""
        about = {"seconds": seconds, "left": left}
        return replace(self, taken=False, reason=LATE.get(self.reason, "late"), about=about)

    def fading(self, decay: float) -> Self:
        """The same with another history_decay, found on validation."""
        return replace(self, params={**self.params, "history_decay": decay}, decay=decay)

    def findings(self, took: float | None) -> ChoiceFindings:
        """The same for who reads what was found out; took seconds, None if not taken."""
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        return ChoiceFindings(**own, name=self.name, why=self.why, took=took)


def choose(facts: Facts) -> list[Choice]:
    """What suits such data, and what does not; what costs least comes first, networks last.

    Whether there is time for it, `Budget` says.
    """
    counted = sorted(_candidates(facts), key=lambda choice: choice.seconds)
    network = _unified(facts)
    again = [replace(network, reason="another", apart="2")] if network.taken else []
    return [*counted, network, *again]


def _candidates(facts: Facts) -> Iterator[Choice]:
    """All but the neural one; seconds as on two CPU cores or on a GPU of a data centre."""
    gpu, long = facts.device != "cpu", facts.length >= LONG
    about = {"days": facts.days, "items": facts.items, "gib": 16 * facts.items**2 / 2**30}

    def choice(
        model: str, params: Params, taken: bool, reason: str, cpu_s: float, apart: str = ""
    ) -> Choice:
        seconds = 2 * cpu_s * (0.05 if gpu else 1) + 0.02
        return Choice(model, params, taken, reason, seconds, apart, about)

    yield choice("popularity", {}, True, "visitors", 0)
    windows = [n for n in WINDOWS if SHORTEST * facts.days <= n <= LONGEST * facts.days]
    for window in windows:
        params = {"window_days": float(window)}
        yield choice("recent_popularity", params, True, "spans", 0, f"{window} d")
    if not windows:
        reason = "brief" if facts.days else "no_days"
        yield choice("recent_popularity", {"window_days": 1.0}, False, reason, 0)
    described = facts.attributes
    reason = "attributes" if described else "nothing_known"
    yield choice("content", {}, described, reason, 1e-6 * facts.items)
    params = {"gap": 10, "history_decay": 0.8} if long else {}
    reason = "ordered" if facts.ordered else "no_order"
    yield choice("transitions", params, facts.ordered, reason, 8e-7 * facts.events)
    # pairs of items that the same people took: an event counts as many as its history is long
    paired = 8e-8 * min(facts.events * facts.length, facts.items**2)
    seconds = 2.5e-6 * facts.events + paired
    yield choice("item_knn", {"similarity": "tfidf"}, True, "every_log", seconds)
    size = 8e-5 * (facts.users + facts.items) + 1e-6 * facts.events
    yield choice("als", {}, True, "large_too", size)
    fits = about["gib"] * 2**30 <= facts.memory / 2
    reason = "few_items" if fits else "many_items"
    params = {"l2": 300.0 if long else 100.0}
    yield choice("ease", params, fits, reason, 8e-12 * facts.items**3 + 5e-7 * facts.events)
    most = MOST_DIRECTIONS if facts.ordered else 1024
    rank = int(np.clip(RANK_SHARE * min(facts.users, facts.items) // 32 * 32, 64, most))
    reason = "large_too" if facts.ordered else "unordered"
    seconds = (1e-6 + 1e-8 * rank) * facts.events + paired
    seconds += 2.5e-10 * rank**2 * (facts.users + facts.items)
    yield choice("gfcf", {"rank": rank}, True, reason, seconds)


def _unified(facts: Facts) -> Choice:
    """The transformer in the size that suits the device; seconds for its usual passes."""
    gpu, long = facts.device != "cpu", facts.length >= LONG
    params: dict[str, Any] = {"dropout": 0.3, "patience": 5 if gpu else 3}
    if gpu:
        params |= {"dim": 256, "heads": 4, "max_len": 200 if long else 50}
        params |= {"temperature": 0.05 if long else 0.07}
    else:
        params |= {"dim": 64, "heads": 1, "layers": 1, "loss": "sampled", "max_len": 50}
        if long and facts.events >= MANY_EVENTS:  # there is enough to fill a wider one
            params |= {"dim": 128, "heads": 2, "max_len": 100}
    # events per step: as many as keep the device busy, but a hundred steps per epoch before that
    step = min(12_800 if gpu and long else 2_048, facts.events / 100)
    width = min(max(facts.length, 1.0), params["max_len"])
    params["batch"] = int(np.clip(step / width, 8, 256))
    rate = 2e5 if gpu else 1.5e4 if params["max_len"] > 50 else 3.5e4  # events per second
    validation = min(facts.users, 10_000) * facts.items * (1e-10 if gpu else 4e-8)
    epoch = 2 * facts.events / rate + validation  # twice: for the choice, and for good
    taken, reason = True, "network"
    about: dict[str, float] = {}
    if not facts.ordered:
        taken, reason = False, "no_order"
    elif facts.events < ENOUGH_EVENTS:
        taken, reason, about = False, "few_events", {"events": facts.events}
    params["epochs"] = 2 * USUAL_EPOCHS  # it ends when it gets no better, or by the clock
    return Choice(NETWORK, params, taken, reason, USUAL_EPOCHS * epoch, about=about)
