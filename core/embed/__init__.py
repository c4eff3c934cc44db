"""What a model has learnt, to be looked at: vectors, neighbours, maps, clusters, diagnosis."""

from core.embed.clusters import Clusters, clusters, names_of, over_represented, words
from core.embed.compared import Compared, compared
from core.embed.diagnosis import Finding, diagnosis, overlap
from core.embed.index import Index, searcher
from core.embed.layout import Map
from core.embed.neighbours import Exact, Neighbours, nearest
from core.embed.pca import PCA, aligned
from core.embed.quality import Quality, Told, quality, told
from core.embed.vectors import Vectors, components, item_vectors, user_vectors

__all__ = [
    "PCA",
    "Clusters",
    "Compared",
    "Exact",
    "Finding",
    "Index",
    "Map",
    "Neighbours",
    "Quality",
    "Told",
    "Vectors",
    "aligned",
    "clusters",
    "compared",
    "components",
    "diagnosis",
    "item_vectors",
    "names_of",
    "nearest",
    "over_represented",
    "overlap",
    "quality",
    "searcher",
    "told",
    "user_vectors",
    "words",
]
