"""What a model has learnt, to be looked at: vectors, neighbours, maps, clusters, diagnosis."""

from core.embed.alignment import align
from core.embed.clusters import Clusters, clusters, names_of, over_represented, words
from core.embed.compared import Compared, compared
from core.embed.diagnosis import Finding, diagnosis
from core.embed.drift import Drift, Step, drift
from core.embed.index import Index, searcher
from core.embed.layout import Map
from core.embed.map_quality import Quality, Told, quality, told
from core.embed.neighbours import Exact, Neighbours, nearest
from core.embed.pca import PCA, aligned
from core.embed.selection import Part, held_against_rest
from core.embed.vector_arithmetic import Toward, toward
from core.embed.vectors import Vectors, components, item_vectors, user_vectors

__all__ = [
    "PCA",
    "Clusters",
    "Compared",
    "Drift",
    "Exact",
    "Finding",
    "Index",
    "Map",
    "Neighbours",
    "Part",
    "Quality",
    "Step",
    "Told",
    "Toward",
    "Vectors",
    "align",
    "aligned",
    "clusters",
    "compared",
    "components",
    "diagnosis",
    "drift",
    "held_against_rest",
    "item_vectors",
    "names_of",
    "nearest",
    "over_represented",
    "quality",
    "searcher",
    "told",
    "toward",
    "user_vectors",
    "words",
]
