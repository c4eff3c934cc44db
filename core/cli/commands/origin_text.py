"""Where a reason came from, as people read it in a terminal."""

from __future__ import annotations

from core.cli.terminal import table
from core.pipeline.explanations.origin import Origin, ReasonOrigins


def origin_text(found: ReasonOrigins) -> str:
    """Who taught the reason, by how much and by what; and what is left of it without them.

    >>> from core.pipeline.explanations.as_json import NamedItem
    >>> a, b = NamedItem(1, "A"), NamedItem(2, "B")
    >>> print(origin_text(ReasonOrigins(a, b, 0.5, 0, 0, 0, True, ())))
    nobody in the log taught that A is evidence for B, as far as the last layer of the network tells
    """
    reason = f"that {found.cause.label} is evidence for {found.item.label}"
    if not found.origins:
        return f"nobody in the log taught {reason}, as far as the last layer of the network tells"
    before = "before it" if found.ordered else "too"
    said = (
        f"who taught {reason}, as the last layer of the network estimates it (no proof); "
        f"{found.takers:,} people took {found.item.label}"
        f"{f', {found.looked_at:,} were looked at' * (found.looked_at < found.takers)}, "
        f"{found.with_cause:,} of these had {found.cause.label} {before}"
    )
    rows = [_row(each) for each in found.origins]
    columns = ["user", "share", "because of", "taken", "between"]
    if not found.ordered:
        columns = columns[:3]
    return "\n".join([said, table(rows, columns), *_checked(found)])


def _row(origin: Origin) -> dict[str, object]:
    because = origin.because
    return {
        "user": f"{origin.user}{' (the person asked about)' * origin.own}",
        "share": f"{origin.share:.1%}",
        "because of": "" if because is None else because.item.label,
        "taken": origin.taken.timestamp,
        "between": origin.between,
    }


def _checked(found: ReasonOrigins) -> list[str]:
    check = found.retrained
    if check is None:
        return []
    return [
        f"trained again without these {check.people}: the reason is worth {check.without:.3g} "
        f"instead of {check.value:.3g}; without {check.others} others who took "
        f"{found.item.label}: {check.without_others:.3g}"
    ]
