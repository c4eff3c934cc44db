"""What may be said above the figures of a report, and what must be said beside them."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from core.evaluate.comparison import Comparison
from core.explain.confidence import Level
from core.pipeline.explanations.as_json import ItemExplanation
from core.report.contents import EvaluatedRun, Person, Report
from core.report.words import Words, day, ends
from core.runs.artifact import Run
from core.runs.shortcuts import SURE
from core.types import Interval

OWN_ENDS = ("leave-last-out", "last-visit")  # splits that hold out each person's own end
MANY_TIES = 0.01  # of the lists of a run
FIRST = ("random", "cosine", "leave-one-out")  # orders that the line on faithfulness names


class Sentences:
    """The sentences of one report in one language."""

    def __init__(self, words: Words, report: Report) -> None:
        self.t, self.report, self.board = words, report, report.leaderboard

    def summary(self) -> list[Markup]:
        """What a reader in a hurry takes along, each no stronger than the figures below it."""
        return [*self._on_data(), *self._on_runs()]

    def _on_data(self) -> Iterator[Markup]:
        data, t = self.report.data, self.t
        seen, counts = data.overview, data.info.counts
        timeless = "" if data.info.time_kind == "clock" else ".timeless"
        yield t(
            f"report.summary.data{timeless}",
            **{"events": seen.events, "users": seen.users, "items": seen.items},
            **{"first": day(seen.first), "last": day(seen.last)},
            **{"kept": counts["rows_kept"], "read": counts["rows_read"]},
        )
        titles = t("explain.comma").join(t(f"verdict.{v.key}.title") for v in data.grave)
        yield t("report.summary.grave", titles=titles) if titles else t("report.summary.fine")

    def _on_runs(self) -> Iterator[Markup]:
        board, t = self.board, self.t
        if not board.runs:
            yield t("report.answer.none")
            return
        best = board.best
        if best is None:
            yield t("report.answer.different", n=len(board.runs))
            return
        yield self._answer(best)
        if board.runner_up:
            yield self._runner_up(board.runner_up)
        yield from self._hits(best)
        if own := best.metrics.shortcuts:
            yield t.shortcuts(best.run, own)
        yield t("report.summary.read_on", title=t("report.caveats"))

    def _answer(self, best: EvaluatedRun) -> Markup:
        board, t = self.board, self.t
        reached = best.metrics.metrics[board.metric]
        said = {
            "metric": t.metric(board.metric),
            "best": t.run(best.run),
            "value": f"{reached.mean:.4f} {ends(reached)}".strip(),
        }
        if len(board.runs) == 1:
            return t("report.answer.one", **said)
        if board.baseline is best:
            return t("report.answer.self", **said)
        assert board.baseline is not None, "of several runs one is held against"
        row = self.difference(best.run)
        real = ".real" if row.p_holm < SURE else ".unsure"
        return t(
            f"report.answer{real}",
            **said,
            difference=row.difference,
            interval=ends_signed(row),
            baseline=t.run(board.baseline.run),
            p=row.p_holm,
        )

    def difference(self, run: Run) -> Comparison:
        """This run against the baseline, in the metric that the runs are ordered by."""
        return next(
            row
            for row in self.board.differences
            if row.run == run.id and row.metric == self.board.metric
        )

    def _runner_up(self, row: Comparison) -> Markup:
        real = ".real" if row.p < SURE else ".unsure"
        return self.t(
            f"report.answer.runner_up{real}",
            other=self.t.run(self.board.runs[1].run),
            difference=row.difference,
            interval=ends_signed(row),
            p=row.p,
        )

    def _hits(self, best: EvaluatedRun) -> Iterator[Markup]:
        """How many of 100 people find what came next on their lists."""
        name, t, base = f"hit_rate@{self.board.k}", self.t, self.board.baseline
        hits: Interval | None = best.metrics.metrics.get(name)
        if hits is None:
            return
        said = {"hits": f"{100 * hits.mean:.0f}", "k": self.board.k, "best": t.run(best.run)}
        if base is None or base is best or name not in base.metrics.metrics:
            yield t("report.answer.hits", **said)
            return
        beside = f"{100 * base.metrics.metrics[name].mean:.0f}"
        yield t("report.answer.hits.beside", **said, baseline=t.run(base.run), base=beside)

    def method(self) -> list[Markup]:
        """What each run was asked; runs that were asked the same are said together."""
        t, said_of = self.t, dict[Markup, list[Markup]]()
        for each in self.board.runs:
            own = each.metrics
            asked = t(
                "report.method.asked",
                split=t.split(each),
                n=own.users,
                items=self.report.data.info.counts["items"],
                seen=t("compare.seen.hidden" if own.hide_seen else "compare.seen.shown"),
            )
            said_of.setdefault(asked, []).append(t.run(each.run))
        lines = [
            asked
            if len(said_of) == 1
            else t("report.method.runs", runs=t("explain.comma").join(runs))
            + t("explain.space")
            + asked
            for asked, runs in said_of.items()
        ]
        seeds = sorted({run.config.seed for run in self.report.runs})
        lines.append(t("report.method.seeds", seeds=", ".join(map(str, seeds))))
        evaluated = {each.run.id for each in self.board.runs}
        lines += [
            t("report.method.unevaluated", run=t.run(run), id=run.id)
            for run in self.report.runs
            if run.id not in evaluated
        ]
        return lines

    def caveats(self) -> list[Markup]:
        """What cannot be concluded, as far as the contents tell."""
        return [*self._on_evaluation(), *self._on_ties(), *self._on_machines(), *self._on_reasons()]

    def _on_evaluation(self) -> Iterator[Markup]:
        board, t = self.board, self.t
        if not board.runs:
            return
        yield t("report.caveat.offline")
        yield t("report.caveat.people")
        best = board.best
        if best and len(board.runs) > 1:
            yield t("report.caveat.chosen", best=t.run(best.run), n=len(board.runs))
        if any(each.metrics.split in OWN_ENDS for each in board.runs):
            yield t("report.caveat.later")
        for each in [best] if best else board.runs:
            own = each.metrics.shortcuts
            not_beaten = (
                [r for r in own.shortcuts if r.margins and r.verdict != "better"] if own else []
            )
            if not_beaten:
                yield t(
                    "report.caveat.rule",
                    metric=t.metric(not_beaten[0].margins[0].metric),
                    run=t.run(each.run),
                    rules=t("shortcuts.and").join(t.rule(rule.name) for rule in not_beaten),
                )

    def _on_ties(self) -> Iterator[Markup]:
        """Each once, of the runs that were asked the same."""
        t, said = self.t, dict[Markup, None]()
        for each in self.board.runs:
            own = each.metrics
            if own.split_tie_rate:
                said[t("compare.conditions.ties", share=own.split_tie_rate)] = None
            if own.target_hidden_share:
                hidden = t("compare.conditions.hidden", share=own.target_hidden_share)
                said[hidden + t("explain.space") + t("compare.conditions.auc")] = None
        yield from said
        for each in self.board.runs:
            share = each.metrics.score_tie_rate
            if share > MANY_TIES:
                yield t("report.caveat.score_ties", run=t.run(each.run), share=share)

    def _on_machines(self) -> Iterator[Markup]:
        machines, t = self.report.machines, self.t
        if machines.differ:
            runs = zip(self.report.runs, machines.runs, strict=True)
            each = (f"{t.run(run)}: {at.device_name or at.device}" for run, at in runs)
            yield t("report.caveat.machines", each=t("explain.comma").join(map(Markup, each)))

    def _on_reasons(self) -> Iterator[Markup]:
        people, t = self.report.people, self.t
        yield t("report.caveat.why", n=len(people.people), of=people.of)
        measured = people.run.faithfulness
        if measured is None:
            yield t("report.caveat.unfaithful", run=t.run(people.run), id=people.run.id)
            return
        each = t("explain.comma").join(
            t(
                "explain.faithful.line.of",
                order=t.name_or(f"explain.faithful.order.{own.order}", own.order),
                n=len(own.ahead),
                of=own.measures,
            )
            for own in measured.standings()
            if own.order in FIRST
        )
        older = ".older" if measured.older else ""
        yield t(
            f"explain.faithful.line{older}",
            **{"run": t.run(people.run), "people": measured.people, "each": each},
        )

    def why(self, person: Person, explanation: ItemExplanation) -> Markup:
        """Why an item is recommended, as far as its confidence lets anybody say so."""
        if not self.named(explanation):
            return self.t("report.people.unreliable", item=explanation.label)
        return self.t.why(self.report.people.run, person, explanation)

    def named(self, explanation: ItemExplanation) -> bool:
        """Whether its reasons are sure enough to be told."""
        return explanation.confidence.level is not Level.UNRELIABLE

    def confidence(self, explanation: ItemExplanation) -> Markup:
        """How far the reasons can be relied on, and why no further."""
        own = explanation.confidence
        return self.t(f"explain.confidence.{own.name}", **vars(own))

    def people(self) -> Markup:
        """Who is shown, and who chose them."""
        people, t = self.report.people, self.t
        if people.seed is None:
            return t("report.people.named", run=t.run(people.run))
        return t("report.people.drawn", of=people.of, seed=people.seed, run=t.run(people.run))

    def left_out(self) -> Markup:
        """The metrics that are not shown, since they say nothing of this log."""
        return self.t("explain.comma").join(self.t.metric(name) for name in self.board.left_out)

    def shortcut_conditions(self) -> list[Markup]:
        """Whom the rules were compared on, and what their last period is; each once."""
        t, said = self.t, dict[Markup, None]()
        for each in self.board.runs:
            own = each.metrics.shortcuts
            if own is None:
                said[t("shortcuts.older", run=t.run(each.run), id=each.run.id)] = None
                continue
            if own.people < own.of:
                said[t("shortcuts.sample", n=own.people, of=own.of)] = None
            first, last = own.period.ends
            key = f"shortcuts.period.{own.period.kind}"
            said[t(key, n=own.period.events, first=first, last=last)] = None
            if any(not rule.margins for rule in own.shortcuts):
                said[t("shortcuts.no_repeats")] = None
        return list(said)


def ends_signed(row: Comparison) -> str:
    """The interval of a difference, such as "[+0.0118, +0.0290]"."""
    return f"[{row.low:+.4f}, {row.high:+.4f}]"
