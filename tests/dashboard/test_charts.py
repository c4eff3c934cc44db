"""Charts say what the frames say, in colours that stand out."""

from __future__ import annotations

import itertools
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dashboard.charts import compare, data, search, theme, training
from dashboard.components import comparison

DASHBOARD = Path(__file__).resolve().parents[2] / "dashboard"


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_of_black_and_white_is_21() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("dark", [False, True])
def test_every_mark_stands_out_from_the_ground(dark: bool) -> None:
    for colour in (*theme.colours(dark), theme.quiet(dark)):
        assert contrast(colour, theme.GROUND[dark]) >= 3, colour


@pytest.mark.parametrize("dark", [False, True])
def test_the_categories_are_eight_different_marks(dark: bool) -> None:
    assert len(set(theme.colours(dark))) == len(set(theme.MARKERS)) == 8


# Machado, Oliveira, Fernandes, IEEE TVCG 15 (6), 2009: linear RGB as people see it who lack a cone.
SEEN_BY = {
    "all": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "without M": (
        (0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413),
        (-0.01182, 0.04294, 0.968881),
    ),
    "without L": (
        (0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
}  # fmt: skip


def lab(colour: str, seen: tuple[tuple[float, ...], ...]) -> np.ndarray:
    """CIE L*a*b* of a colour as it is seen."""
    parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = to_xyz @ np.clip(np.array(seen) @ linear, 0, 1) / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("who", SEEN_BY)
@pytest.mark.parametrize("dark", [False, True])
def test_points_are_told_apart_also_without_a_cone(dark: bool, who: str) -> None:
    for one, other in itertools.combinations(theme.APART[dark], 2):
        assert np.linalg.norm(lab(one, SEEN_BY[who]) - lab(other, SEEN_BY[who])) > 15, (one, other)
        assert contrast(one, theme.GROUND[dark]) >= 3


@pytest.mark.parametrize("dark", [False, True])
def test_a_sequence_stands_out_and_goes_one_way(dark: bool) -> None:
    found = theme.sequence(dark, 32)
    assert found[0] == theme.LITTLE_TO_MUCH[dark][0]
    assert found[-1] == theme.LITTLE_TO_MUCH[dark][-1]
    against = [contrast(colour, theme.GROUND[dark]) for colour in (*found, theme.faint(dark))]
    assert min(against) >= 3
    assert against[:-1] == sorted(against[:-1])


@pytest.mark.parametrize("who", SEEN_BY)
@pytest.mark.parametrize("dark", [False, True])
def test_for_and_against_are_told_apart_also_without_a_cone(dark: bool, who: str) -> None:
    found = theme.diverging(dark, 32)
    against, speaking = found[:16][::-1], found[16:]  # each from little to much
    grey = lab(theme.faint(dark), SEEN_BY[who])
    for side in (against, speaking):
        strength = [contrast(colour, theme.GROUND[dark]) for colour in side]
        assert min(strength) >= 3
        assert strength == sorted(strength)
        assert min(np.linalg.norm(lab(colour, SEEN_BY[who]) - grey) for colour in side) > 20
    for one, other in zip(against, speaking, strict=True):
        assert np.linalg.norm(lab(one, SEEN_BY[who]) - lab(other, SEEN_BY[who])) > 40


def test_intervals_reach_from_low_to_high_best_on_top() -> None:
    frame = pd.DataFrame(
        {"run": ["a", "b"], "mean": [0.3, 0.2], "low": [0.25, 0.1], "high": [0.4, 0.3]}
    )
    trace = compare.intervals(frame, x="x", dark=False).data[0]
    assert list(trace.y) == ["b", "a"]
    assert list(trace.x + trace.error_x.array) == pytest.approx([0.3, 0.4])
    assert list(trace.x - trace.error_x.arrayminus) == pytest.approx([0.1, 0.25])


def test_long_names_leave_room_and_are_told_apart() -> None:
    runs = [f"{'n' * 80} (EASE) · {n}" for n in ("3f9a1c", "3f9a1d")]
    frame = pd.DataFrame({"run": runs, "mean": [0.3, 0.2], "low": [0.2, 0.1], "high": [0.4, 0.3]})
    named = compare.intervals(frame, x="x", dark=False).data[0].y
    assert [name[-6:] for name in named] == ["3f9a1d", "3f9a1c"]
    assert max(map(len, named)) <= compare.LONGEST


@pytest.mark.parametrize("dark", [False, True])
def test_what_is_written_in_a_chart_can_be_read(dark: bool) -> None:
    assert contrast(theme.words(dark), theme.GROUND[dark]) >= 4.5


FRONT = pd.DataFrame(
    {"run": list("abcd"), "x": [1.0, 2, 3, 1], "y": [3.0, 2, 1, 1], "place": ["on", "on", "?", "-"]}
)
PLACES = {"on": "on the front", "?": "open", "-": "behind"}


@pytest.mark.parametrize("logarithmic", [False, True])
def test_the_front_is_marked_by_shape_and_colour_and_each_run_by_its_name(
    logarithmic: bool,
) -> None:
    drawn = compare.front(
        FRONT,
        x="x",
        y="y",
        places=PLACES,
        line=True,
        falling=True,
        logarithmic=logarithmic,
        dark=True,
    )
    line, *marks = drawn.data
    assert [list(line.x), list(line.y)] == [[1, 2], [3, 2]], "it joins those on the front alone"
    assert [mark.name for mark in marks] == list(PLACES.values())
    assert [name for mark in marks for name in mark.text] == list("abcd")
    assert len({mark.marker.symbol for mark in marks}) == 3
    assert len({mark.marker.color for mark in marks}) == 3
    low, high = drawn.layout.xaxis.range
    assert (10**low if logarithmic else low) < 1
    assert (10**high if logarithmic else high) > 3


def test_names_stand_beside_each_other_not_upon() -> None:
    near = pd.DataFrame({"run": ["one name", "other"], "x": [1.0, 1.01], "y": [1.0, 1.0]})
    far = pd.DataFrame({"run": ["far"], "x": [3.0], "y": [3.0]})
    frame = pd.concat([near, far], ignore_index=True).assign(place="on")
    sides = compare._beside(frame, logarithmic=False)
    boxes = [
        compare._box((x - 1) / 3 + 0.1, (y - 1) / 3 + 0.1, len(name) / 110, sides[at])
        for at, (name, x, y) in enumerate(zip(frame["run"], frame["x"], frame["y"], strict=True))
    ]
    assert not compare._covers(boxes[0], boxes[1])


def test_people_are_counted_in_one_bar() -> None:
    bars = compare.wins({"better": 5, "alike": 90, "worse": 1}, dark=False).data
    assert [bar.x[0] for bar in bars] == [5, 90, 1]
    assert [bar.name for bar in bars] == ["better: 5", "alike: 90", "worse: 1"]
    assert len({bar.marker.pattern.shape for bar in bars}) == 3


def test_slices_keep_the_order_of_the_groups() -> None:
    frame = pd.DataFrame(
        {"group": ["few", "many"] * 2, "run": ["a", "a", "b", "b"], "mean": [1.0, 2, 3, 4],
         "low": [0.5] * 4, "high": [5.0] * 4}
    )  # fmt: skip
    drawn = compare.slices(frame, y="y", groups=["few", "many"], dark=False)
    assert [list(trace.x) for trace in drawn.data] == [["few", "many"]] * 2
    assert [list(trace.y) for trace in drawn.data] == [[1, 2], [3, 4]]
    assert list(drawn.layout.xaxis.categoryarray) == ["few", "many"]


def test_bands_of_activity_stand_in_order_whichever_run_has_which() -> None:
    bands = ["10–19 events", "100+ events", "0 events", "10–19 events", "5–9 events"]
    ordered = ["0 events", "5–9 events", "10–19 events", "100+ events"]
    assert comparison.in_order("activity", bands) == ordered
    assert comparison.in_order("target popularity", ["head", "mid", "tail", "mid"]) == [
        "head", "mid", "tail"
    ]  # fmt: skip


def test_data_charts_draw_what_they_are_given() -> None:
    tail = pd.DataFrame({"item_share": [0, 0.1, 1], "event_share": [0, 0.6, 1]})
    assert list(data.long_tail(tail, x="x", y="y", dark=False).data[0].y) == [0, 0.6, 1]
    days = pd.to_datetime(["2020-01-01", "2020-02-01", "2020-03-01"])
    when = pd.DataFrame({"period": days[:2], "until": days[1:]})
    when = when.assign(events=[3, 5], chosen=[True, False])
    (bars,) = data.activity(when, x="x", y="y", dark=True).data
    assert list(bars.y) == [3, 5]
    assert list(bars.width) == [31 * 86_400_000, 29 * 86_400_000]  # from a month to the next
    assert len(set(bars.marker.color)) == 2


def test_a_chosen_value_is_marked_by_more_than_its_colour() -> None:
    frame = pd.DataFrame({"label": ["<b>Tea", "cup"], "events": [3, 2], "chosen": [False, True]})
    drawn = data.values(frame, x="x", dark=False)
    assert list(drawn.layout.yaxis.ticktext) == ["&lt;b&gt;Tea", "✓ cup"]
    assert len(set(drawn.data[0].marker.color)) == 2
    free = data.values(frame.assign(chosen=False), x="x", dark=False)
    assert len(set(free.data[0].marker.color)) == 1
    assert list(free.layout.yaxis.ticktext) == ["&lt;b&gt;Tea", "cup"]


@pytest.mark.parametrize("dark", [False, True])
def test_what_is_chosen_is_read_well(dark: bool) -> None:
    themes = tomllib.loads((DASHBOARD / "config.toml").read_text("utf-8"))["theme"]
    ground = themes["dark" if dark else "light"]["backgroundColor"]
    assert ground == theme.GROUND[dark]
    assert themes["dark" if dark else "light"]["textColor"] == theme.WORDS[dark]
    chosen = theme.chosen(dark)
    assert contrast(chosen, ground) >= 4.5
    primary = themes["dark" if dark else "light"]["primaryColor"]
    parts = ((int(c[i : i + 2], 16) for i in (1, 3, 5)) for c in (primary, ground))
    tenth = "".join(f"{round(0.1 * a + 0.9 * b):02x}" for a, b in zip(*parts, strict=True))
    assert contrast(chosen, f"#{tenth}") >= 4.5  # Streamlit's ground of a chosen segment
    assert contrast("#ffffff", primary) >= 4.5  # the words on a button
    if not dark:
        assert chosen == primary  # nothing else is needed there
    assert (contrast(primary, ground) < 4.5) == dark


def test_each_fit_is_a_curve_of_its_own() -> None:
    frame = pd.DataFrame(
        {
            "fit": ["a", "a", "b", "b"],
            "epoch": [1, 2, 1, 2],
            "loss": [4.0, 3, 2, 1],
            "validation": [0.1, 0.2, None, None],
        }
    )
    drawn = training.epochs(frame, x="epoch", loss="Loss", validation="NDCG@10", dark=True)
    assert [(t.name, list(t.x), list(t.y)) for t in drawn.data[::2]] == [
        ("a", [1, 2], [4, 3]),
        ("b", [1, 2], [2, 1]),
    ]
    assert len({trace.marker.color for trace in drawn.data}) == 2
    assert drawn.layout.showlegend


def test_epochs_show_the_loss_and_below_it_the_validation() -> None:
    figures = {"loss": [3.0, 2, 1], "validation": [0.1, 0.2, None]}
    frame = pd.DataFrame({"fit": "Fit", "epoch": [1, 2, 3], **figures})
    drawn = training.epochs(frame, x="epoch", loss="Loss", validation="NDCG@10", dark=False)
    upper, lower = drawn.data
    assert list(upper.y) == [3, 2, 1]
    assert list(lower.y[:2]) == [0.1, 0.2]
    assert (upper.yaxis, lower.yaxis) == ("y", "y2")
    assert drawn.layout.yaxis2.title.text == "NDCG@10"


def test_a_search_shows_each_trial_and_the_best_so_far() -> None:
    frame = pd.DataFrame(
        {"trial": [1, 2, 3], "validation": [0.1, None, 0.3], "best": [0.1, 0.1, 0.3]}
    )
    drawn = search.best_so_far(frame, x="trial", y="NDCG@10", each="one", best="best", dark=True)
    marks, line = drawn.data
    assert [marks.y[0], marks.y[2]] == [0.1, 0.3]
    assert (list(line.x), list(line.y)) == ([1, 2, 3], [0.1, 0.1, 0.3])
    assert (marks.mode, line.mode, line.line.shape) == ("markers", "lines", "hv")


def test_the_setting_that_matters_most_is_on_top() -> None:
    frame = pd.DataFrame({"setting": ["a", "b", "c"], "share": [0.2, 0.7, 0.1]})
    trace = search.importance(frame, x="x", dark=False).data[0]
    assert (list(trace.y), list(trace.x)) == (["c", "a", "b"], [0.1, 0.2, 0.7])
