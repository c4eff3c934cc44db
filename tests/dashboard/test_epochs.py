"""Looking back at a run's epochs: where the items lay then, and how far they moved."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes

from core import pipeline
from core.data.store import Workspace
from core.embed import aligned
from core.errors import BadInput
from core.runs import weights
from core.runs.artifact import Run
from core.runs.request import RunRequest
from dashboard import cache
from dashboard.charts import drift
from dashboard.map import colouring as points
from dashboard.map import item_map as maps
from dashboard.map import layouts
from dashboard.text import text
from tests.dashboard.conftest import Open

pytestmark = pytest.mark.slow  # together too many for `make quick`


@pytest.fixture
def run(shop: Workspace) -> Run:
    """A small net that learnt for six epochs."""
    settings = {"dim": 6, "hidden": 8, "epochs": 6, "patience": 6, "refit": False}
    settings |= {"learning_rate": 0.05, "averaging": 0.5}
    return pipeline.train(shop, RunRequest("shop", "recvae", settings, device="cpu"))


def placed(workspace: Workspace, run: Run, epoch: int | None = None) -> maps.ItemMap:
    ready = pipeline.load_run(workspace, run, device="cpu")
    return layouts.principal_axes(ready, "", lambda step, share: None, epoch)


def other(run: Run) -> int:
    """A kept epoch that is not the run's own."""
    return next(epoch for epoch in run.epochs if epoch != run.own_epoch)


def test_an_epoch_lies_on_the_axes_of_the_run_s_own(shop: Workspace, run: Run) -> None:
    own, then = placed(shop, run), placed(shop, run, other(run))
    assert own.identity != then.identity
    after, before = (weights.load_snapshots(run)[e] for e in (run.own_epoch, other(run)))
    unit = [x / np.linalg.norm(x, axis=1)[:, None] for x in (before, after)]
    turned = before @ orthogonal_procrustes(*unit)[0]
    axes = np.linalg.svd(after - after.mean(axis=0))[2][:2].T
    on_axes = [((x - after.mean(axis=0)) @ axes)[own.codes] for x in (after, turned)]
    frame = [np.polyfit(on_axes[0][:, a], (own.x, own.y)[a], 1) for a in (0, 1)]
    wanted = np.stack([np.polyval(frame[a], on_axes[1][:, a]) for a in (0, 1)], axis=1)
    wanted /= max(1.0, *(np.abs(wanted) / [layouts.WIDE, layouts.HIGH]).max(axis=0))  # all is seen
    np.testing.assert_allclose(np.stack([then.x, then.y], axis=1), wanted, atol=1e-3)
    assert not np.allclose(own.x, then.x, atol=0.01)


def test_everything_of_an_epoch_is_of_that_epoch(shop: Workspace, run: Run) -> None:
    then = placed(shop, run, other(run))
    item = then.ids(np.array([0]))[0]
    before = weights.load_snapshots(run)[other(run)]
    unit = before / np.linalg.norm(before, axis=1)[:, None]
    code = int(then.codes[0])
    cosines = unit @ unit[code]
    cosines[code] = -2
    best = then.loaded.items.decode(np.argsort(-cosines)[:3]).tolist()
    assert [one.item for one in then.near.of(item, 3).vectors] == best


@pytest.mark.slow
def test_the_map_of_neighbours_of_an_epoch_is_laid_on_the_run_s_own(
    shop: Workspace, run: Run
) -> None:
    own, then = placed(shop, run), placed(shop, run, other(run))
    steps: list[str] = []
    made = layouts.neighbour_map(then, lambda step, share: steps.append(step))
    assert layouts.has_neighbour_map(own)
    assert len(list((run.folder / "maps").iterdir())) == 2
    steps.clear()
    again = layouts.neighbour_map(then, lambda step, share: steps.append(step))
    assert not steps, "it was made again"
    assert np.array_equal(again.x, made.x)
    final = layouts.neighbour_map(own, lambda step, share: steps.append(step))
    assert not steps
    mine, its = (np.stack([p.x, p.y], axis=1) for p in (made, final))
    everything = np.arange(25)
    moved, _ = aligned(mine, its, (everything, everything))
    turn = np.linalg.lstsq(mine - mine.mean(axis=0), moved - moved.mean(axis=0))[0]
    np.testing.assert_allclose(turn / turn[0, 0], np.eye(2), atol=1e-3)


def test_an_epoch_that_was_not_kept_is_refused(shop: Workspace, run: Run) -> None:
    with pytest.raises(BadInput, match=r"the epochs 1, 2.* were kept, not 77"):
        placed(shop, run, 77)
    als = pipeline.train(shop, RunRequest("shop", "als", {"dim": 4, "sweeps": 2}, device="cpu"))
    with pytest.raises(BadInput, match="has no epochs to look back at"):
        placed(shop, als, 1)
    assert cache.drift(placed(shop, als)) is None
    assert "moved" not in cache.colourings(placed(shop, als))


def test_points_are_coloured_by_how_far_they_moved(shop: Workspace, run: Run) -> None:
    then = placed(shop, run, run.epochs[1])
    assert "moved" in cache.colourings(then)
    assert "moved" not in cache.colourings(placed(shop, run, run.epochs[0]))
    step = cache.drift_step(then)
    assert step is not None
    assert (step.before, step.after) == run.epochs[:2]
    wanted = points.by_number(1 - step.cosines[then.codes])
    assert cache.colouring(then, "moved").values.tolist() == wanted.values.tolist()
    own = cache.drift_step(placed(shop, run))
    assert own is not None
    assert own.after == run.own_epoch


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_looks_back_and_says_how_far_the_items_moved(
    shop: Workspace, run: Run, open_page: Open, language: str
) -> None:
    epoch = other(run)
    page = open_page(
        shop, "embeddings", run=run.id, language=language, layout="axes", epoch=str(epoch)
    )
    for _ in range(50):
        if page.dataframe:
            break
        page.run()
    said = text(language, "embeddings.epoch.axes", epoch=epoch, own=run.own_epoch)
    assert said in [element.value for element in page.caption]
    assert text(language, "embeddings.drift") in [element.value for element in page.header]
    (box,) = [one for one in page.selectbox if one.label == text(language, "embeddings.epoch")]
    own = text(language, "embeddings.epoch.own", epoch=run.own_epoch)
    assert box.options == [own if e == run.own_epoch else str(e) for e in run.epochs]
    assert box.value == str(epoch)
    found = cache.drift(placed(shop, run))
    assert found is not None
    assert found.half is not None
    key = f"embeddings.sound.{found.finding.key}" if found.finding else ""
    assert text(language, key, **found.finding.numbers) in [m.value for m in page.markdown]
    (moved,) = [f.value for f in page.dataframe if "similarity" in f.value]
    assert moved["similarity"].tolist() == sorted(moved["similarity"])
    box.set_value(str(run.own_epoch)).run()
    assert not page.exception
    assert page.query_params["epoch"] == str(run.own_epoch)
    assert said not in [element.value for element in page.caption]


def test_an_address_with_an_epoch_that_is_not_there_shows_the_run_s_own(
    shop: Workspace, run: Run, open_page: Open
) -> None:
    for asked in ("77", "x", "-1"):
        page = open_page(shop, "embeddings", run=run.id, layout="axes", epoch=asked)
        for _ in range(50):
            if page.dataframe:
                break
            page.run()
        (box,) = [one for one in page.selectbox if one.label == text("en", "embeddings.epoch")]
        assert box.value == str(run.own_epoch)


def test_the_chart_says_what_the_frame_says() -> None:
    import pandas as pd

    frame = pd.DataFrame({"step": ["1 → 2", "2 → 4"], "cosine": [0.5, -0.2], "overlap": [0.1, 0.9]})
    for dark in (False, True):
        drawn = drift.by_epoch(frame, x="x", cosine="c", overlap="o", dark=dark)
        first, second = drawn.data
        assert (list(first.y), list(second.y)) == ([0.5, -0.2], [0.1, 0.9])
        assert list(first.x) == list(frame["step"])
        assert first.marker.symbol != second.marker.symbol
        assert drawn.layout.yaxis.range[0] < -0.2


def test_drift_as_json(shop: Workspace, run: Run) -> None:
    ready = pipeline.load_run(shop, run, device="cpu")
    about = pipeline.embedding(ready, epoch=other(run)).report.to_json()
    assert about["epoch"] == other(run)
    told = json.loads(json.dumps(about["drift"]))
    assert [step["before"] for step in told["steps"]] == list(run.epochs[:-1])
    found = pipeline.drift_of(ready)
    assert found is not None
    assert found.half is not None
    ids = ready.items.decode(found.half.moved).tolist()
    assert [one["item"] for one in told["moved"]] == ids
    assert about["diagnosis"][-1]["key"] == found.finding.key  # type: ignore[union-attr]
