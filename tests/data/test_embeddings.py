"""Embeddings are made once, in batches, by what a person names, and go on where they stopped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from core.data.dataset import load
from core.data.features import embeddings
from core.data.features.embeddings import embed_items, resolve_encoders
from core.data.features.encoders import LIBRARIES, Library
from core.data.store import Workspace
from core.errors import BadInput, Corrupt

TITLES = ["aa", "abba", None, "aa", "echo", "ibis", "ode", "uvula"]


class Vowels:
    """A text encoder: how often each vowel occurs. Keeps what it was asked, and may give up."""

    def __init__(self):
        self.opened, self.asked, self.gives_up_at = [], [], None

    def open(self, name, device):
        if name == "none":
            raise OSError("there is no such model\nand much more")
        self.opened.append((name, device))
        return self.encode

    def encode(self, texts):
        if self.gives_up_at in texts:
            raise KeyboardInterrupt
        self.asked.append(texts)
        return count(texts)


def count(texts):
    return np.array([[text.count(vowel) for vowel in "aeiou"] for text in texts], np.float32)


def colours(images):
    return np.array([np.asarray(image, np.float32).mean(axis=(0, 1)) for image in images])


@pytest.fixture
def vowels(monkeypatch):
    encoder = Vowels()
    monkeypatch.setitem(LIBRARIES["text"], "vowels", Library("numpy", "text", encoder.open))
    see = Library("numpy", "image", lambda name, device: colours)
    monkeypatch.setitem(LIBRARIES["image"], "colours", see)
    monkeypatch.setitem(LIBRARIES["image"], "absent", Library("no-such-thing", "image", see.open))
    return encoder


@pytest.fixture
def space(tmp_path):
    return Workspace.open(tmp_path / "space")


@pytest.fixture
def goods(make_dataset):
    """Items 1, 2 … with these titles."""

    def make(titles=TITLES, **columns):
        ids = np.arange(len(titles)) + 1
        events = pd.DataFrame({"user_id": ids % 2, "item_id": ids})
        items = pd.DataFrame({"item_id": ids, "title": titles, **columns})
        return load(make_dataset(events, items=items))

    return make


def text_of(workspace, data, model="vowels:small", on_share=lambda share: None):
    chosen = resolve_encoders({"text_model": model}, ())
    features, told = embed_items(workspace, data, chosen, on_share=on_share)
    return features.text_embedding.matrix, told["text"]


def said(titles):
    return [f"title: {title}" for title in titles]


def test_each_text_is_encoded_once(space, goods, vowels):
    vectors, told = text_of(space, goods())
    expected = count(said([title or "" for title in TITLES]))
    expected[2] = np.nan
    np.testing.assert_array_equal(vectors, expected)
    assert told == {"items": 7, "of": 8, "dim": 5}
    assert vowels.asked == [said(["aa", "abba", "echo", "ibis", "ode", "uvula"])]
    again, _ = text_of(space, goods())
    np.testing.assert_array_equal(again, expected)
    assert vowels.opened == [("small", "cpu")], "nothing new, nothing opened"
    more, _ = text_of(space, goods([*TITLES, "new"]))
    np.testing.assert_array_equal(more[:8], expected)
    assert vowels.asked[1:] == [said(["new"])]


def test_they_are_encoded_in_batches_with_progress(space, goods, vowels, monkeypatch):
    monkeypatch.setattr(embeddings, "BATCH", 4)
    shares = []
    text_of(space, goods(), on_share=shares.append)
    assert [len(batch) for batch in vowels.asked] == [4, 2]
    assert shares == pytest.approx([4 / 6, 1])


def test_what_was_stopped_goes_on(space, goods, vowels, monkeypatch):
    monkeypatch.setattr(embeddings, "BATCH", 1)
    monkeypatch.setattr(embeddings, "STORED_AT_ONCE", 2)
    vowels.gives_up_at = "title: uvula"
    with pytest.raises(KeyboardInterrupt):
        text_of(space, goods())
    vowels.asked, vowels.gives_up_at = [], None
    vectors, _ = text_of(space, goods())
    assert vowels.asked == [said(["ode"]), said(["uvula"])], "four were stored by twos"
    np.testing.assert_array_equal(vectors[[0, 7]], count(said(["aa", "uvula"])))
    assert not list(space.tmp_folder.iterdir())


def test_another_model_or_version_begins_anew(space, goods, vowels, monkeypatch, tmp_path):
    text_of(space, goods())
    text_of(space, goods(), "vowels:large")
    newer = replace(LIBRARIES["text"]["vowels"], package="scipy")
    monkeypatch.setitem(LIBRARIES["text"], "vowels", newer)
    text_of(space, goods())
    folder = tmp_path / "model"
    for content in ("1", "2", "2"):
        folder.mkdir(exist_ok=True)
        (folder / "weights").write_text(content)
        text_of(space, goods(), f"vowels:{folder}")
    names = [name for name, _ in vowels.opened]
    assert names == ["small", "large", "small", str(folder), str(folder)]


def test_a_damaged_store_says_so(space, goods, vowels):
    text_of(space, goods())
    (part,) = space.path.glob("embeddings/text-small-*/*/vectors.parquet")
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(Corrupt, match=r"is damaged .* delete it, and it is made anew"):
        text_of(space, goods())


def test_a_changed_bit_in_a_stored_vector_is_noticed(space, goods, vowels):
    data = goods()
    expected, _ = text_of(space, data)
    (path,) = (space.path / "embeddings").rglob("vectors.parquet")
    content = path.read_bytes()
    noticed = 0
    for place in range(4, len(content) // 3, 5):  # the pages; the rest says where they lie
        path.write_bytes(content[:place] + bytes([content[place] ^ 8]) + content[place + 1 :])
        try:
            found, _ = text_of(space, data)
        except Corrupt:
            noticed += 1
        else:
            np.testing.assert_array_equal(found, expected, err_msg=str(place))
    assert noticed > 10


def test_images_are_encoded_and_the_broken_counted(space, goods, vowels, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for name, colour in {"1": (9, 0, 0), "2": (0, 7, 0), "4": (9, 0, 0)}.items():
        Image.new("RGB", (3, 3), colour).save(folder / f"{name}.png")
    for name in ("5", "6"):
        (folder / f"{name}.png").write_text("broken")
    chosen = resolve_encoders({"image_model": "colours:x", "images": str(folder)}, ["title"])
    features, told = embed_items(space, goods(), chosen)
    expected = np.full((8, 3), np.nan)
    expected[[0, 1, 3]] = (9, 0, 0), (0, 7, 0), (9, 0, 0)
    np.testing.assert_array_equal(features.image_embedding.matrix, expected)
    assert told["image"] == {
        "items": 3,
        "of": 8,
        "dim": 3,
        "unreadable": 2,
        "example": told["image"]["example"],
    }
    assert told["image"]["example"].startswith(f"{folder / '5.png'}: cannot identify image file")
    assert features.categorical or features.text, "what was known before stays"
    other = resolve_encoders({"image_model": "colours:x", "images": str(folder)}, ["title"])
    assert other == chosen
    (folder / "7.png").write_text("new")
    assert resolve_encoders({"image_model": "colours:x", "images": str(folder)}, []) != chosen
    for name in ("1", "2", "4"):
        (folder / f"{name}.png").write_text("broken")
    with pytest.raises(BadInput, match=r"none of the 6 images can be read \(.*1\.png: "):
        embed_items(space, goods(), chosen)


def test_texts_and_images_share_the_progress(space, goods, vowels, tmp_path):
    Image.new("RGB", (3, 3)).save(tmp_path / "1.png")
    asked = {"text_model": "vowels:x", "image_model": "colours:x", "images": str(tmp_path)}
    shares = []
    features, told = embed_items(
        space, goods(), resolve_encoders(asked, []), on_share=shares.append
    )
    assert shares == [0.5, 1.0]
    assert sorted(told) == ["image", "text"]
    assert features.text_embedding.matrix.shape == (8, 5)


def test_svd_keeps_what_words_have_in_common(space, goods):
    titles = [
        f"{a} {b}" for a in ("red", "blue", "old") for b in ("tea pot", "tea cup", "hat rack")
    ]
    data = goods([*titles, None])
    vectors, told = text_of(space, data, "svd")
    assert np.isnan(vectors[9]).all()
    assert told == {"items": 9, "of": 10, "dim": 8}
    words = data.item_features.text.matrix[:9].toarray()
    rank = np.linalg.matrix_rank(words)
    np.testing.assert_allclose(vectors[:9] @ vectors[:9].T, words @ words.T, atol=1e-5)
    assert 1 < rank < 9
    assert not (space.path / "embeddings").exists()


def test_items_without_texts_are_refused(space, goods, vowels):
    for model in ("svd", "vowels:x"):
        with pytest.raises(BadInput, match=r"have no texts for '.*' to read: ingest it with"):
            text_of(space, goods([None] * 8), model)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"sound_model": "x"}, "there is no choice 'sound_model': there are text_model, image_"),
        ({"images": "title"}, "image_model is missing"),
        ({"image_model": "absent:x"}, "images is missing"),
        (
            {"image_model": "absent:x", "images": "title"},
            r"no-such-thing is not installed, .*: pip install '\.\[image\]' in a clone",
        ),
        ({"image_model": "colours:x", "images": "no"}, "'no' is neither a folder nor a column"),
        ({"text_model": "vowels:/no/x"}, "'/no/x' is neither a folder nor the name of a model"),
        ({"text_model": "vowels:a/../../b"}, "neither a folder nor the name"),
        ({"image_model": "colours:local-dir:/etc", "images": "title"}, "neither a folder nor"),
        ({"image_model": "colours:ViT-B-32//x.pt", "images": "title"}, "neither a folder nor"),
    ],
)
def test_a_wrong_choice_gets_a_sentence(asked, sentence, vowels):
    with pytest.raises(BadInput, match=sentence):
        resolve_encoders(asked, ["title"])


def test_a_choice_is_what_was_said_and_no_more(vowels, tmp_path, monkeypatch):
    assert resolve_encoders({"text_model": " ", "image_model": "", "images": ""}, []) == {}
    assert resolve_encoders({"text_model": "svd"}, []) == {"text_model": "svd"}
    (tmp_path / "title").mkdir()
    monkeypatch.chdir(tmp_path)
    asked = {"image_model": "colours:x", "images": "title"}
    assert resolve_encoders(asked, ["title"]) == asked
    assert resolve_encoders(asked, ["name"])["images"] == str(tmp_path / "title")


def test_a_model_that_cannot_be_opened_says_why(space, goods, vowels):
    with pytest.raises(
        BadInput, match=r"vowels cannot open the text model 'none' \(there is no su"
    ):
        text_of(space, goods(), "vowels:none")
