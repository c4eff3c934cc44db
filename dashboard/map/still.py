"""A map of items as a picture that does not move: an SVG of its points and its largest clusters."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import numpy as np

from core.types import Array
from dashboard.charts import theme
from dashboard.map.colouring import SHOWN
from dashboard.map.layouts import SEED, StoredMap, scaled
from dashboard.text import plain

MOST_POINTS = 6_000  # drawn; more would be no different picture
UNITS = 1000  # of the drawing in half its height
WIDE, HIGH = 1760, 1000  # from the middle to an edge
NAMES, LONGEST = 4, 22  # of clusters that are written, and letters of each
ROOM_X, ROOM_Y = 1300, 220  # that a name takes


def still_map(stored: StoredMap, label: Callable[[str], str], *, dark: bool) -> bytes:
    """The picture as SVG, its ground left clear.

    Args:
        stored: The map.
        label: What a cluster is called on the page, by its name.
        dark: Whether the ground is dark.
    """
    flat = stored.points
    if np.ptp(flat[:, 0]) < np.ptp(flat[:, 1]):
        flat = flat[:, ::-1]
    points = np.rint(scaled(flat) * UNITS).astype(np.int64)
    drawn = np.random.default_rng(SEED).permutation(len(points))[:MOST_POINTS]
    paths = []
    for group in range(len(stored.names)):
        own = points[drawn[stored.groups[drawn] == group]]
        if len(own):
            line = "".join(f"M{x} {y}h0" for x, y in own.tolist())
            paths.append(f'<path stroke="{theme.APART[dark][group % SHOWN]}" d="{line}"/>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{-WIDE} {-HIGH} {2 * WIDE} {2 * HIGH}">'
        f'<g fill="none" stroke-width="16" stroke-linecap="round" opacity=".75">{"".join(paths)}'
        f"</g>{_names(stored, points, label, dark)}</svg>"
    ).encode()


def _names(stored: StoredMap, points: Array, label: Callable[[str], str], dark: bool) -> str:
    """The names of the largest clusters, in their middles, as far as there is room."""
    taken: list[tuple[int, int]] = []
    written: list[str] = []
    for group, name in enumerate(stored.names):
        own = points[stored.groups == group]
        if not len(own) or len(written) == NAMES:
            continue
        x, y = (int(value) for value in np.median(own, axis=0))
        x = max(-WIDE + ROOM_X // 2, min(WIDE - ROOM_X // 2, x))
        if any(abs(x - left) < ROOM_X and abs(y - top) < ROOM_Y for left, top in taken):
            continue
        taken.append((x, y))
        said = plain(", ".join(label(name).split(", ")[:2]))
        said = said if len(said) <= LONGEST else f"{said[: LONGEST - 1]}…"
        written.append(f'<text x="{x}" y="{y}">{escape(said)}</text>')
    style = f'fill="{theme.WORDS[dark]}" stroke="{theme.GROUND[dark]}" stroke-width="36"'
    return (
        f'<g {style} paint-order="stroke" font-size="150" font-weight="600" '
        f'font-family="sans-serif" text-anchor="middle" stroke-linejoin="round">'
        f"{''.join(written)}</g>"
    )
