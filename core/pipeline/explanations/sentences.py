"""What is said of an explanation, in English: one set of sentences for all who say it.

The pages have the same sentences under the same names, in their languages (`explain.said.NAME`,
`explain.confidence.NAME`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from core.explain.confidence import Confidence
from core.explain.reasons import Cause, Contrast, Reasons
from core.types import PAD

SAID = {
    "listed.empty": "{item} is what {model} gives anyone of whom it knows nothing: the history is "
    "empty.",
    "listed.impersonal": "{item} is recommended because many people take it: {model} does not look "
    "at what a person did.",
    "listed.unmoved": "{item} is recommended, but nothing in the history moves it: without any "
    "history it would be in place {rank_without_history:,}.",
    "listed.in_spite": "{item} is recommended in spite of the history, which on the whole counts "
    "against it: without any it would be in place {rank_without_history:,}.",
    "listed.in_spite.higher": "{item} is recommended: the history on the whole counts against "
    "it, but against other items more; without any it would be in place {rank_without_history:,}.",
    "listed.because": "{item} is recommended because of {causes} ({share:.0%} of the evidence "
    "for it): without that it would be in place {rank_without_causes:,} instead of {rank:,}.",
    "listed.speaks": "{item} is recommended. The strongest evidence for it is {causes} "
    "({share:.0%} of all evidence for it), but without that it would stand no lower, in place "
    "{rank_without_causes:,}.",
    "listed.nothing": "{item} is recommended, but nothing in the history stands out as the reason.",
    "unlisted.empty": "{item} is in place {rank:,} for anyone of whom nothing is known: the "
    "history is empty.",
    "unlisted.impersonal": "{item} is in place {rank:,} for everyone: {model} does not look at "
    "what a person did.",
    "unlisted.unmoved": "{item} is in place {rank:,}, and nothing in the history moves it: without "
    "any history it would be in place {rank_without_history:,}.",
    "unlisted.in_spite": "{item} is in place {rank:,}: the history on the whole counts against "
    "it, without any it would be in place {rank_without_history:,}.",
    "unlisted.in_spite.higher": "{item} is in place {rank:,}: the history on the whole counts "
    "against it, but against other items more; without any it would be in place "
    "{rank_without_history:,}.",
    "unlisted.because": "{item} is in place {rank:,}. The strongest evidence for it is {causes} "
    "({share:.0%} of all evidence for it): without that it would be in place "
    "{rank_without_causes:,}.",
    "unlisted.speaks": "{item} is in place {rank:,}. The strongest evidence for it is {causes} "
    "({share:.0%} of all evidence for it), but without that it would stand no lower, in place "
    "{rank_without_causes:,}.",
    "unlisted.nothing": "{item} is in place {rank:,}; nothing in the history stands out as the "
    "reason.",
    "known.impersonal": "{item} is in the history already, so it is not recommended again; "
    "{model} does not look at what a person did.",
    "known.unmoved": "{item} is in the history already, so it is not recommended again; nothing in "
    "the history moves its score.",
    "known.in_spite": "{item} is in the history already, so it is not recommended again; the "
    "history on the whole counts against it.",
    "known.because": "{item} is in the history already, so it is not recommended again. The "
    "strongest evidence for it is {causes} ({share:.0%} of all evidence for it).",
    "known.speaks": "{item} is in the history already, so it is not recommended again. The "
    "strongest evidence for it is {causes} ({share:.0%} of all evidence for it).",
    "known.nothing": "{item} is in the history already, so it is not recommended again; nothing "
    "in it stands out as evidence for it.",
    "contrast.empty": "{item} comes before {other}, for anyone: the history is empty.",
    "contrast.unmoved": "{item} comes before {other}, and nothing in the history makes the "
    "difference.",
    "contrast.in_spite": "{item} comes before {other} in spite of the history, which on the "
    "whole favours {other}: without any it would be further ahead.",
    "contrast.nothing": "{item} comes before {other}, but nothing in the history stands out as the "
    "reason.",
    "contrast.speaks": "{item} comes before {other}. The strongest evidence for that is {causes} "
    "({share:.0%} of all evidence for it).",
    "contrast.known": "{known} is in the history already, so it is not recommended again: their "
    "scores alone are compared.",
    "contrast.known.both": "{known} are in the history already, so they are not recommended again: "
    "their scores alone are compared.",
    "unseen.content": "It has no event in training: {model} knows it by its content only.",
    "unseen.described": "Nobody took it yet: it stands only in the table of items, and {model} "
    "knows it by what is said of it there.",
    "unseen.text_embedding": "What a text model would make of its texts is left out.",
    "unseen.image_embedding": "What an image model would make of its images is left out.",
    "unseen.nothing": "It has no event in training, and {model} knows nothing else of it.",
    "either": "either {first} or {last}",
    "either.three": "any of {first} or {last}",
    "twins": "Either alone does nearly what both do.",
    "twins.three": "Any one of the three alone does nearly what all do.",
    "against": "{against} counts against it.",
    "listed_anyway": "Without any history it would still be among the first {k}, in place "
    "{rank_without_history:,}.",
}
RELIED_ON = {
    "exact.not_sampled": "Worked out in full, nothing was estimated.",
    "stable.halves_agree": "Estimated from a sample: all values together are known to "
    "± {error:.0%}, and two halves of it agree on {agreement:.0%} of the main reasons.",
    "indicative.few_evaluations": "Estimated from few histories: all values together are known "
    "only to ± {error:.0%}, so the order of the reasons may change.",
    "indicative.halves_disagree": "Estimated from a sample whose two halves agree on only "
    "{agreement:.0%} of the main reasons: which of them come first may change.",
    "unreliable.few_evaluations": "Estimated from too few histories: all values together are "
    "known only to ± {error:.0%}. Do not rely on single reasons.",
    "unreliable.halves_disagree": "Estimated from a sample whose two halves agree on only "
    "{agreement:.0%} of the main reasons: do not rely on single ones.",
}
OLDEST = "the oldest {n:,} events"
TIMES = "{item} ({n} times)"


def sentence(
    reasons: Reasons,
    name: Callable[[int], str],
    model: str,
    known_by: str | None = None,
    left_out: Sequence[str] = (),
) -> str:
    """Why the item stands where it does, in English.

    Args:
        reasons: What may be said.
        name: Of an item code.
        model: What the model is called.
        known_by: By what the model knows the item: "events", "content", "described" or "nothing".
        left_out: Embeddings that it does not have, since it came later.
    """
    values = {
        **vars(reasons),
        "item": name(reasons.item),
        "model": model,
        "causes": _causes(reasons, name),
        "against": called(reasons.against, name) if reasons.against else "",
    }
    clauses = [*reasons.clauses, *unseen(known_by, left_out)]
    return " ".join(SAID[clause].format(**values) for clause in clauses)


def unseen(known_by: str | None, left_out: Sequence[str]) -> list[str]:
    """Which clauses say that nobody took an item, and what is left out of it."""
    if known_by in (None, "events"):
        return []
    return [f"unseen.{what}" for what in (known_by, *left_out)]


def unseen_sentence(model: str, left_out: Sequence[str]) -> str:
    """The same of an item that stands only in the table of items, in English."""
    return " ".join(SAID[clause].format(model=model) for clause in unseen("described", left_out))


def confidence_sentence(confidence: Confidence) -> str:
    """How far an explanation can be relied on, and why no further, in English."""
    return RELIED_ON[confidence.name].format(**vars(confidence))


def _causes(reasons: Reasons, name: Callable[[int], str]) -> str:
    """The causes named, last those of which one would do."""
    alone = [called(cause, name) for cause in reasons.speaking if cause not in reasons.twins]
    if not reasons.twins:
        return listed(alone)
    *others, last = (called(cause, name) for cause in reasons.twins)
    either = SAID["either" if len(others) == 1 else "either.three"]
    return listed([*alone, either.format(first=", ".join(others), last=last)])


def contrast_sentence(contrast: Contrast, name: Callable[[int], str]) -> str:
    """What puts one item before another, in English."""
    values = {
        "item": name(contrast.item),
        "other": name(contrast.other),
        "causes": listed([called(cause, name) for cause in contrast.speaking]),
        "against": called(contrast.against, name) if contrast.against else "",
        "share": contrast.share,
        "known": listed([name(item) for item in contrast.known]),
    }
    return " ".join(SAID[clause].format(**values) for clause in contrast.clauses)


def called(cause: Cause, name: Callable[[int], str]) -> str:
    """The cause by its name, with how often it is in the history."""
    if cause.item == PAD:
        return OLDEST.format(n=cause.events)
    item = name(cause.item)
    return item if cause.events == 1 else TIMES.format(item=item, n=cause.events)


def listed(names: Sequence[str]) -> str:
    """A, B and C."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
