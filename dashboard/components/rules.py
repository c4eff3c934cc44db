"""The rules that lists must keep, in the address; what they cost is measured when asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import streamlit as st

from core import pipeline
from core.data.store import DatasetInfo, Workspace
from core.errors import BadInput
from core.recommend.rules import RuleCost, Rules
from core.runs.artifact import Run
from dashboard import cache, state
from dashboard.components.errors import show_error
from dashboard.components.labels import metric_label, run_label
from dashboard.components.page import listing
from dashboard.components.progress import progress_bar
from dashboard.state import t
from dashboard.text import Text

OFFERED = 4  # of the most frequent categories
TOLD = ("ndcg", "recall", "coverage", "diversity", "novelty")  # metrics whose cost is shown
COSTS = "rules_cost"


def rules_box(dataset: DatasetInfo, run: Run, workspace: Workspace) -> Rules:
    """A box of the rules of the address, which takes others; what cannot be kept is said.

    Returns:
        The rules that this run's lists can keep.
    """
    asked = _asked()
    kept = Rules.parse(asked)
    options = list(dict.fromkeys([*asked, *_offered(dataset)]))
    names = state.apart({option: option for option in options})
    key = f"pick_rules_{state.mark(options)}"
    st.session_state[key] = asked
    st.multiselect(
        t("rules.title"),
        options,
        format_func=lambda option: names.get(option, option),
        key=key,
        accept_new_options=True,
        placeholder=t("rules.placeholder"),
        help=t("rules.help"),
        on_change=lambda: state.put_many("rules", st.session_state[key]),
    )
    if not kept:
        return kept
    try:
        cache.loaded(workspace, run).rules(kept)
    except BadInput as error:
        show_error(error)
        st.caption(t("rules.none_kept"))
        return Rules()
    return kept


def _asked() -> list[str]:
    """The rules of the address; what says none is told, and taken out."""
    said, good = state.many("rules"), list[str]()
    for text in said:
        try:
            Rules.parse([*good, text])
        except BadInput:
            continue
        good.append(text)
    if len(good) < len(said):
        unread = ", ".join(text for text in said if text not in good)
        state.amiss("rules", unread, "rules.unread", left=good)
    return good


def _offered(dataset: DatasetInfo) -> Iterator[str]:
    """Rules that one could want of these items: of the category, its most frequent values."""
    columns = cache.card_columns(dataset)
    if columns.category is None:
        return
    yield f"at-most {columns.category}=2"
    for value in columns.frequent[:OFFERED]:
        yield f"exclude {columns.category}={value}"
        yield f"only {columns.category}={value}"
        yield f"boost {columns.category}={value}:0.3"


def rules_cost(workspace: Workspace, run: Run, rules: Rules, k: int, *, hide_seen: bool) -> None:
    """A button that measures what the rules cost this run, and what was measured last."""
    if run.config.split == "none":
        st.caption(t("rules.cost.none", run=run_label(run)))
        return
    asked = (run.id, rules.texts, k, hide_seen)
    label = t("rules.cost", run=run_label(run))
    if st.button(label, key="rules_cost_button", icon=":material/balance:"):
        try:
            with st.empty():  # the bar goes when it is done
                measured = pipeline.evaluate(
                    workspace,
                    run,
                    ks=(k,),
                    hide_seen=hide_seen,
                    rules=rules,
                    on_stage=progress_bar("rules.cost.stage"),
                )
                st.container()
        except BadInput as error:
            show_error(error)
            return
        assert measured.rules is not None, "it was measured under rules"
        st.session_state[COSTS] = asked, measured.rules.costs, measured.users
    said = st.session_state.get(COSTS)
    if said is not None and said[0] == asked:
        _table(said[1], said[2])


def _table(costs: Sequence[RuleCost], people: int) -> None:
    """The metrics without the rules and under them, with the interval of the difference."""
    shown = [cost for cost in costs if cost.metric.partition("@")[0] in TOLD]
    st.caption(t("rules.cost.said", people=people))
    listing(
        {
            t("rules.metric"): [metric_label(cost.metric) for cost in shown],
            t("rules.own"): [f"{cost.own:.4f}" for cost in shown],
            t("rules.under"): [f"{cost.mean:.4f}" for cost in shown],
            t("rules.difference"): [_difference(cost) for cost in shown],
        },
        alt=t("rules.cost.alt", n=len(shown)),
    )


def _difference(cost: RuleCost) -> str | Text:
    if cost.low is None or cost.high is None:
        return f"{cost.difference:+.4f}"
    return t("rules.difference.of", at=cost.difference, low=cost.low, high=cost.high)
