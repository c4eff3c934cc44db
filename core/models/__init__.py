"""Arrays → scores. Needs numpy, scipy and torch, nothing else.

A model's module is imported when the model is first asked for: most of them load torch, which what
only counts, or only lists names, need not await.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
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


class _Models(MutableMapping[str, type[Recommender]]):
    """The classes by name, each imported when it is asked for; others can be put in."""

    def __init__(self) -> None:
        self._kinds: dict[str, type[Recommender] | tuple[str, str]] = dict(_CLASSES)

    def __getitem__(self, name: str) -> type[Recommender]:
        kind = self._kinds[name]
        if isinstance(kind, tuple):
            module, class_name = kind
            kind = self._kinds[name] = getattr(import_module(f"{__name__}.{module}"), class_name)
        return kind

    def __setitem__(self, name: str, kind: type[Recommender]) -> None:
        self._kinds[name] = kind

    def __delitem__(self, name: str) -> None:
        del self._kinds[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)


MODELS = _Models()
