"""What is written after an option → its value, or why it is none."""

from __future__ import annotations

import argparse
import csv


def words(text: str) -> list[str]:
    """a,b → [a, b]; a word with a comma in it is put in double quotes."""
    return [word.strip() for word in next(csv.reader([text], skipinitialspace=True), [])]


def pairs(text: str) -> dict[str, str]:
    """key=value,… ; nothing after the sign says that the log has no such column."""
    pairs = {}
    for word in words(text):
        key, sign, value = word.partition("=")
        if not sign or not key.strip():
            raise argparse.ArgumentTypeError(f"{word!r} is not key=value")
        pairs[key.strip()] = value.strip()
    return pairs


def parameter(text: str) -> tuple[str, str]:
    """name=value; the value is all that follows, as it is written."""
    name, sign, value = text.partition("=")
    if not sign or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is not name=value")
    return name, value


def weights(text: str) -> dict[str, float]:
    try:
        return {name: float(value) for name, value in pairs(text).items()}
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not event=number,…") from None


def cutoffs(text: str) -> tuple[int, ...]:
    return tuple(cutoff(word) for word in words(text))


def cutoff(text: str) -> int:
    return whole(text, 1, 1_000_000)


def header_line(text: str) -> int:
    return 0 if text.strip().lower() == "none" else whole(text, 1, 1_000_000)


def port(text: str) -> int:
    return whole(text, 1, 65_535)


def seed(text: str) -> int:
    return whole(text, 0, 2**63 - 1)


def whole(text: str, low: int, high: int) -> int:
    if not text.strip().isdecimal() or not low <= int(text) <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
    return int(text)
