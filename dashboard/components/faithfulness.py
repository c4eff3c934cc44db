"""How faithful a run's explanations are, in words that say no more than the figures."""

from __future__ import annotations

from core.runs.artifact import Run
from core.runs.faithfulness import RunFaithfulness
from dashboard.components.labels import run_label, text_or
from dashboard.state import t
from dashboard.text import Text

FIRST = ("random", "cosine", "leave-one-out")  # orders that the line on a run names


def faithful_sentence(measured: RunFaithfulness) -> Text:
    """How values stand beside the other orders, and no more than two standard errors allow."""
    standings = [one for one in measured.standings() if one.measures]
    comma = t("explain.comma")
    clear = [one for one in standings if len(one.ahead) == one.measures]
    clauses = []
    if clear:
        orders = comma.join(order_label(one.order) for one in clear)
        clauses.append(t("explain.faithful.ahead.all", orders=orders, of=clear[0].measures))
    for one in standings:
        if one not in clear:
            said = {"order": order_label(one.order), "of": one.measures}
            clause = t("explain.faithful.ahead", **said, n=len(one.ahead))
            if one.unsure:
                clause += t("explain.faithful.unsure", measures=comma.join(one.unsure))
            if one.behind:
                clause += t("explain.faithful.behind", measures=comma.join(one.behind))
            clauses.append(clause)
    return t("explain.faithful.sentence", clauses=t("explain.faithful.semicolon").join(clauses))


def faithful_line(run: Run) -> Text | None:
    """One line on a run of which it was measured; None of another."""
    measured = run.faithfulness
    if measured is None:
        return None
    each = [
        t(
            "explain.faithful.line.of",
            order=order_label(one.order),
            n=len(one.ahead),
            of=one.measures,
        )
        for one in measured.standings()
        if one.order in FIRST
    ]
    key = "explain.faithful.line.older" if measured.older else "explain.faithful.line"
    said = t("explain.comma").join(each)
    return t(key, run=run_label(run), people=measured.people, each=said)


def order_label(order: str) -> Text:
    """What an order of the events is called."""
    return text_or(f"explain.faithful.order.{order.replace(' ', '_')}", order)
