"""Models that make vectors of texts or images, by name or path; the extras [text] and [image]."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from core.errors import BadInput
from core.types import Floats

_NAME = re.compile(r"(hf-hub:)?[\w-][\w.-]*(/[\w-][\w.-]*)?(@[\w.-]+)?")

Encode = Callable[[list[Any]], Floats]  # texts, or RGB images of Pillow, → (n, D)


@dataclass(frozen=True)
class Library:
    """Where models come from: the package, the extra that brings it, and how one is opened."""

    package: str
    extra: str
    open: Callable[[str, str], Encode]  # name or folder, device

    def version(self) -> str:
        """The version that is installed.

        Raises:
            BadInput: none is.
        """
        try:
            return metadata.version(self.package)
        except metadata.PackageNotFoundError:
            raise BadInput(
                f"{self.package} is not installed, which this model needs: "
                f"pip install '.[{self.extra}]' in a clone of Recscope"
            ) from None


def _sentences(name: str, device: str) -> Encode:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(name, device=device)
    return lambda texts: model.encode(texts, show_progress_bar=False).astype("float32")


def _timm(name: str, device: str) -> Encode:
    import timm

    source = f"local-dir:{name}" if Path(name).is_dir() else name
    model = timm.create_model(source, pretrained=True, num_classes=0)
    prepare = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
    return _seeing(model, model, prepare, device)


def _open_clip(name: str, device: str) -> Encode:
    import open_clip

    if Path(name).is_dir():
        source, weights = f"local-dir:{name}", None
    elif name.startswith("hf-hub:"):
        source, weights = name, None
    else:
        source, _, weights = name.partition("/")
    model, _, prepare = open_clip.create_model_and_transforms(source, pretrained=weights)
    return _seeing(model, model.encode_image, prepare, device)


def _torchvision(name: str, device: str) -> Encode:
    from torch import nn
    from torchvision import models

    weights = models.get_model_weights(name).DEFAULT
    model = models.get_model(name, weights=None)
    model.load_state_dict(weights.get_state_dict(check_hash=True, weights_only=True))
    last = [at for at, module in model.named_modules() if isinstance(module, nn.Linear)][-1]
    model.set_submodule(last, nn.Identity())  # what it sees, not which of 1,000 classes
    return _seeing(model, model, weights.transforms(), device)


def _seeing(model: Any, encode: Any, prepare: Any, device: str) -> Encode:
    import torch

    model.to(device).eval()

    def see(images: list[Any]) -> Floats:
        batch = torch.stack([prepare(image) for image in images]).to(device)
        with torch.inference_mode():
            vectors: Floats = encode(batch).float().cpu().numpy()
        return vectors

    return see


# What stands before ":" in the name of a model; the first of its kind needs no prefix.
LIBRARIES: dict[str, dict[str, Library]] = {
    "text": {"sentence-transformers": Library("sentence-transformers", "text", _sentences)},
    "image": {
        "timm": Library("timm", "image", _timm),
        "open_clip": Library("open-clip-torch", "image", _open_clip),
        "torchvision": Library("torchvision", "image", _torchvision),
    },
}


def library(kind: str, model: str) -> tuple[str, str]:
    """The library of this model, and its name there: "torchvision:resnet50" → those two words.

    >>> library("image", "hf-hub:timm/resnet18.a1_in1k")
    ('timm', 'hf-hub:timm/resnet18.a1_in1k')
    """
    prefix, sign, name = model.partition(":")
    if sign and prefix in LIBRARIES[kind]:
        return prefix, name
    return next(iter(LIBRARIES[kind])), model


def is_name(model: str) -> bool:
    """Whether this names a model and nothing more: libraries also find paths in what they get.

    >>> [is_name(model) for model in ("ViT-B-32/openai", "local-dir:/etc", "ViT-B-32/../x.pt")]
    [True, False, False]
    """
    return _NAME.fullmatch(model) is not None


def open_encoder(kind: str, model: str, device: str) -> Encode:
    """The model of this name, or in this folder, on this device.

    Raises:
        BadInput: its library cannot open it, and why.
    """
    prefix, name = library(kind, model)
    try:
        return LIBRARIES[kind][prefix].open(name, device)
    except Exception as error:  # no network, no such name, a broken file: each library has its own
        why = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise BadInput(
            f"{prefix} cannot open the {kind} model {name!r} ({why[:300]}): give a name that it "
            "knows and a network to fetch it over, or a folder with the model's files"
        ) from error
