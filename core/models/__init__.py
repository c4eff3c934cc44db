"""Arrays → scores. Needs numpy, scipy and torch, nothing else.

A model's module is imported when the model is first asked for: most of them load torch, which what
only counts, or only lists names, need not await.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from core.types import Recommender

_CLASSES = {  # name → module of this package, class
    "popularity": ("popularity", "Popularity"),
    "recent_popularity": ("popularity", "RecentPopularity"),
    "item_knn": ("neighbours", "ItemKNN"),
    "user_knn": ("neighbours", "UserKNN"),
    "transitions": ("transitions", "Transitions"),
    "ease": ("ease", "EASE"),
    "als": ("als", "ALS"),
    "content": ("content", "Content"),
    "gfcf": ("gfcf", "GFCF"),
    "lightgcn": ("lightgcn", "LightGCN"),
    "simgcl": ("lightgcn", "SimGCL"),
    "recvae": ("recvae", "RecVAE"),
    "two_tower": ("two_tower", "TwoTower"),
    "neumf": ("neumf", "NeuMF"),
    "mlp_rating": ("mlp_rating", "MLPRating"),
    "unified": ("unified", "Unified"),
    "fusion": ("ensemble.fusion", "Fusion"),
    "auto": ("ensemble.auto", "Auto"),
}


class _Models(Mapping[str, type[Recommender]]):
    """The classes by name."""

    def __getitem__(self, name: str) -> type[Recommender]:
        module, kind = _CLASSES[name]
        found: type[Recommender] = getattr(import_module(f"{__name__}.{module}"), kind)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(_CLASSES)

    def __len__(self) -> int:
        return len(_CLASSES)


MODELS = _Models()
