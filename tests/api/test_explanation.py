"""What Run.explain gives: the values of core, as table, HTML, figure, and as shap's own object."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from core import pipeline
from core.explain.shap_explainers import MOST_EXACT, EventMasker
from core.models import MODELS

ALSO = 1e-6  # of max(1, |score|): what ours and shap's may differ by


def short_history(run, most=6):
    """The id of a user with a history that is long, but not longer than this."""
    loaded = run._loaded
    lengths = loaded.load_dataset().interactions.queries().lengths
    return loaded.load_dataset().users.ids[int(np.argmax(np.where(lengths <= most, lengths, 0)))]


def test_it_says_what_the_command_line_says(run, ws, shop_is_home, recscope):
    why = run.explain("u1", item=10)
    code, said, err = recscope("explain", run.id, "--user", "u1", "--item", "10")
    assert code == 0, err
    assert said.startswith(str(why))
    frame, score = why.to_frame(), why.scores().loc[0]
    assert score["base"] + frame["value"].sum() == pytest.approx(score["score"], abs=1e-5)
    assert (
        frame["history_item_id"].tolist()
        == ws.dataset("shop").history("u1")["item_id"].tolist()[::-1]
    )


def test_several_items_are_a_table(run):
    why = run.explain("u1", k=3)
    best = run.recommend("u1", k=3)["item_id"].tolist()
    assert why.scores()["item_id"].tolist() == best
    assert why.scores()["rank"].tolist() == [1, 2, 3]
    assert why.to_frame()["item_id"].unique().tolist() == best
    assert len(why) == 3
    assert len(run.explain("u1")) == 10


def test_against_another_item(run):
    first, second = run.recommend("u1", k=2)["item_id"]
    why = run.explain("u1", item=first, against=second)
    scores = run.recommend("u1", k=2)["score"]
    assert why.scores().loc[0, "score"] == pytest.approx(scores[0] - scores[1], abs=1e-5)
    assert "comes before" in str(why)


def test_a_history_is_a_list_a_frame_or_a_file(run, tmp_path):
    frame = pd.DataFrame({"user_id": ["me", "me"], "item_id": [30, 10]})
    frame.to_csv(tmp_path / "me.csv", index=False)
    by_list = run.explain([30, 10], item=20).to_frame()
    for history in (frame, tmp_path / "me.csv", (30, "10"), np.array([30, 10])):
        pd.testing.assert_frame_equal(by_list, run.explain(history, item=20).to_frame())
        pd.testing.assert_frame_equal(by_list, run.explain(history=history, item=20).to_frame())
    assert by_list["history_item_id"].tolist() == [30, 10]
    assert "timestamp" not in by_list


@pytest.mark.slow
@pytest.mark.parametrize("model", list(MODELS))
def test_shap_finds_what_we_find(released, model):
    """Our exact values and those of shap's own explainers, for every model there is."""
    runs = released.runs()
    run = released.run(runs[runs["model"] == model]["id"].iloc[0])
    user = short_history(run)
    ours, theirs = run.explain(user, k=2), run.explain(user, k=2, method="shap-exact")
    assert ours.values.exact
    assert theirs.scores()["method"].unique().tolist() == ["shap-exact"]
    unit = np.maximum(1, np.abs(ours.values.scores))
    np.testing.assert_allclose(theirs.values.values / unit, ours.values.values / unit, atol=ALSO)
    drawn = run.explain(user, k=2, method="shap-permutation").values
    off = np.abs(drawn.values - ours.values.values)
    assert (off <= 6 * drawn.se + ALSO * unit).all()
    assert not drawn.exact


def test_shap_leaves_the_global_generator_alone(run):
    before = np.random.get_state()[1].copy()  # noqa: NPY002  it is the one looked at
    first = run.explain("u1", item=10, method="shap-permutation", seed=3)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002  whatever it is, the seed alone decides
    second = run.explain("u1", item=10, method="shap-permutation", seed=3)
    np.testing.assert_array_equal(first.values.values, second.values.values)


def test_shap_takes_contrasts_and_empty_histories_and_refuses_long_ones(released):
    run = released.run("als")
    user = short_history(run)
    first, second = run.recommend(user, k=2)["item_id"]
    ours = run.explain(user, item=first, against=second)
    theirs = run.explain(user, item=first, against=second, method="shap-exact")
    np.testing.assert_allclose(ours.values.values, theirs.values.values, atol=ALSO)
    loaded = run._loaded
    nobody = pipeline.history_of(loaded, user)[:1].latest(0)
    nothing = pipeline.explain_items(loaded, nobody, np.array([0]), method="shap-exact")
    assert nothing.values.shape == (0, 1)
    assert nothing.scores == nothing.base
    ids = run.embed()["item_id"].tolist()
    with pytest.raises(Exception, match=f"at most {MOST_EXACT}; choose shap-permutation"):
        run.explain(ids[: MOST_EXACT + 1], k=1, method="shap-exact")


def test_a_masker_shows_the_model_who_is_there():
    masker = EventMasker(3)
    (row,) = masker(np.array([True, False, True]), np.ones((1, 3)))
    assert row.tolist() == [[1, 0, 1]]


@pytest.fixture
def pyplot(monkeypatch):
    """Matplotlib, drawing into memory."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    monkeypatch.setattr(pyplot, "show", lambda *args, **more: None)
    yield pyplot
    pyplot.close("all")


def test_shaps_plots_take_it(run, pyplot):
    import shap

    why = run.explain("u1", k=3)
    theirs = why.to_shap()
    assert theirs.shape == why.values.values.T.shape
    np.testing.assert_allclose(
        theirs.base_values + theirs.values.sum(axis=1), why.values.scores, rtol=1e-6
    )
    names = [f"event of {one.player.label}" for one in why.items[0].players]
    assert len(theirs.feature_names) == len(names)
    draw = {
        "waterfall": lambda: shap.plots.waterfall(theirs[0], show=False),
        "beeswarm": lambda: shap.plots.beeswarm(theirs, show=False),
        "bar": lambda: shap.plots.bar(theirs, show=False),
        "decision": lambda: shap.plots.decision(
            float(theirs.base_values[0]), theirs.values[0], theirs.feature_names, show=False
        ),
    }
    for name, plot in draw.items():
        pyplot.figure()
        plot()
        pyplot.gcf().canvas.draw()
        assert pyplot.gcf().axes, name
        texts = {tick.get_text() for ax in pyplot.gcf().axes for tick in ax.get_yticklabels()}
        assert any(theirs.feature_names[0] in text for text in texts), name


def test_a_figure_of_one_item(run):
    why = run.explain("u1", k=2)
    items = why.scores()["item_id"].tolist()
    figure = why.plot(items[1])
    assert sorted(figure.data[0].x) == pytest.approx(sorted(why.values.values[:, 1]))
    assert why.plot().layout.title.text.startswith(str(why.items[0].label)[:5])
