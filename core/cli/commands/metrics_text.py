"""What a run is worth, as people read it."""

from __future__ import annotations

from dataclasses import asdict

from core.cli.terminal import table
from core.runs.metrics import RunMetrics
from core.runs.shortcuts import RunShortcuts

MANY_TIED = 0.5  # share of targets from which the last event says little


def metrics_text(metrics: RunMetrics, own: RunMetrics | None = None) -> str:
    """The figures; beside those of re-ranked lists the model's own, if measured the same way.

    Beside those under rules the same without them, and the paired difference with its ends.
    """
    hidden = "hidden" if metrics.hide_seen else "kept"
    cut = f" at {metrics.cut}" if metrics.cut else ""
    head = f"{metrics.users} users, {metrics.split}{cut}, every item ranked, seen items {hidden}"
    if metrics.target_hidden_share:
        among = "seen or not allowed" if metrics.rules else "among them"
        head += f", {metrics.target_hidden_share:.1%} of targets {among}: never reached"
    if metrics.split_tie_rate:
        head += f", {metrics.split_tie_rate:.1%} tied in time with what came before"
        if metrics.split == "leave-last-out" and metrics.split_tie_rate >= MANY_TIED:
            head += " (the order is the file's: --split last-visit holds a visit out whole)"
    rows = [{"metric": name, **asdict(interval)} for name, interval in metrics.metrics.items()]
    columns = ["metric", "mean", "low", "high"]
    if how := metrics.rerank:
        head += f", lists re-ranked: {how.method} by {how.by}, strength {how.strength:g}"
        if not metrics.rules and own and own.hide_seen == metrics.hide_seen:
            columns.append("not re-ranked")
            for row in rows:
                interval = own.metrics.get(row["metric"])
                row["not re-ranked"] = interval.mean if interval else None
    if metrics.rules:
        head += f", {metrics.rules.sentence()}"
        rows = [
            {
                **row,
                "without rules": cost.own,
                "difference": cost.difference,
                "from": cost.low,
                "to": cost.high,
            }
            for row, cost in zip(rows, metrics.rules.costs, strict=True)
        ]
        columns += ["without rules", "difference", "from", "to"]
    text = head + "\n" + table(rows, columns)
    return text + _shortcuts_text(metrics.shortcuts) if metrics.shortcuts else text


def _shortcuts_text(beside: RunShortcuts) -> str:
    """The sentence, what each rule reaches, and how far the run is ahead of it."""
    rows = [
        {"rule": rule.name, **asdict(margin)}
        for rule in beside.shortcuts
        for margin in rule.margins
    ]
    columns = ("rule", "metric", "reached", "run", "difference", "se", "low", "high", "p_holm")
    text = f"\n\n{beside.sentence()}\n{table(rows, columns)}\n{beside.period.sentence()}"
    if any(not rule.margins for rule in beside.shortcuts):
        text += "; own items again cannot be listed, as seen items are hidden"
    return text
