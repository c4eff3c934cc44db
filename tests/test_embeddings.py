"""Texts and images on their way through the commands, runs, fusions and searches."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from core import cli, pipeline, tune
from core.data.features.encoders import LIBRARIES, Library
from core.errors import BadInput
from core.jobs.progress import Report
from core.runs import artifact, weights
from core.runs.request import RunRequest
from core.tune.conduct import run_search


def colours(images):
    return np.array([np.asarray(image, np.float32).mean(axis=(0, 1)) for image in images])


@pytest.fixture
def images(tmp_path, monkeypatch):
    """What to say to look at colours: a folder with images of 12 items, of which one is broken."""
    see = Library("numpy", "image", lambda name, device: colours)
    monkeypatch.setitem(LIBRARIES["image"], "colours", see)
    folder = tmp_path / "images"
    folder.mkdir()
    for n in range(1, 13):
        Image.new("RGB", (2, 2), (20 * n, n % 3, 0)).save(folder / f"{n * 10}.png")
    (folder / "30.png").write_text("broken")
    return {"image_model": "colours:mean", "images": str(folder)}


@pytest.fixture
def recscope(shop, capsys):
    """Runs a command in the shop's workspace: its exit code, output and errors."""

    def run(*words):
        code = cli.main([*words, "--data-dir", str(shop.path)])
        return code, *capsys.readouterr()

    return run


def flags(images):
    return [word for name, v in images.items() for word in (f"--{name.replace('_', '-')}", v)]


def test_a_command_trains_on_images_and_says_what_it_could_not_read(recscope, images):
    train = ["train", "shop", "--model", "content", *flags(images)]
    code, out, err = recscope(*train)
    assert code == 0, err
    assert "image: 11 of 25 items have one, 1 cannot be read, such as" in out
    assert "30.png: cannot identify" in out
    code, out, err = recscope(*train, "--json")
    again = json.loads(out)
    assert "already there" in err
    assert again["features"]["image_model"] == "colours:mean"
    assert again["embeddings"]["image"]["unreadable"] == 1
    code, out, _ = recscope("train", "shop", "--model", "content", "--json")
    assert json.loads(out)["run"] != again["run"]
    code, out, err = recscope("recommend", again["run"], "--users", "u1", "-k", "3")
    assert code == 0, err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--model", "ease", "--text-model", "svd"], "ease reads no texts or images: leave text_"),
        (
            ["--model", "content", "--text-model", "svd"],
            "the items of shop have no texts for 'svd'",
        ),
        (
            ["--model", "content", "--image-model", "x", "--images", "picture"],
            "timm is not installed",
        ),
        (
            ["--model", "content", "--image-model", "colours:x", "--images", "picture"],
            "'picture' is neither a folder nor a column of the items: their columns are kind",
        ),
    ],
)
def test_a_wrong_choice_is_told_in_a_sentence(recscope, images, words, sentence, monkeypatch):
    absent = Library("no-such-thing-as-timm", "image", lambda name, device: colours)
    monkeypatch.setitem(LIBRARIES["image"], "timm", absent)
    code, _, err = recscope("train", "shop", *words)
    assert code == 2
    assert sentence.replace("timm", "no-such-thing-as-timm") in err
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("recscope: ")


def test_embeddings_change_what_is_scored_and_survive_the_disk(shop, images):
    def scores(**asked):
        run = pipeline.train(shop, RunRequest("shop", "content", device="cpu", **asked))
        return run, pipeline.recommend(shop, run, users=["u1", "u2"], k=25)["score"].to_numpy()

    run, seen = scores(features=images)
    _, blind = scores()
    assert not np.allclose(seen, blind)
    model, _ = weights.load_model(run, device="cpu")
    assert model.state()["embeddings"].shape == (25, 2)  # nothing is blue


def test_a_fusion_reads_what_its_components_read(shop, images):
    seeing = pipeline.train(
        shop, RunRequest("shop", "content", features=images, device="cpu", name="seeing")
    )
    blind = pipeline.train(shop, RunRequest("shop", "content", device="cpu", name="blind"))
    graph = pipeline.train(shop, RunRequest("shop", "transitions", device="cpu"))
    parts = {"components": f"{seeing.id},{graph.id}"}
    assert RunRequest("shop", "fusion", parts).resolve(shop).features == seeing.config.features
    fused = pipeline.train(shop, RunRequest("shop", "fusion", parts, device="cpu"))
    assert fused.meta["embeddings"]["image"]["items"] == 11
    parts = {"components": f"{graph.id}"}
    assert RunRequest("shop", "fusion", parts).resolve(shop).features == {}
    parts = {"components": f"{seeing.id},{blind.id}"}
    with pytest.raises(BadInput, match="blind has no encoder and seeing has image_model colours:m"):
        RunRequest("shop", "fusion", parts).resolve(shop)


def test_a_search_reads_them_in_each_trial(shop, images, tmp_path):
    space = {"image_embedding_weight": "1..3"}
    search = tune.plan_search(
        shop, RunRequest("shop", "content", features=images), space=space, trials=2
    )
    tune.prepare_search(shop, search)
    stages = []
    report = Report(shop.searches_folder / search.id)
    found = run_search(shop, search, report, lambda stage, share: stages.append(stage))
    assert stages.index("embed") < stages.index("tune")
    run = artifact.find_run(shop, found.run)
    assert run.config.features == search.config.features
    assert run.meta["embeddings"]["image"]["items"] == 11
    assert len({trial.validation for trial in found.history}) == 2
