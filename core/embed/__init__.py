"""What a model has learnt, to be looked at: vectors, neighbours, maps, clusters, diagnosis."""

from core.embed.alignment import align
from core.embed.clusters import Clusters, clusters, names_of, over_represented, words
from core.embed.compared import SpaceComparison, compare_spaces
from core.embed.diagnosis import Finding, diagnosis
from core.embed.drift import Drift, Step, drift
from core.embed.index import Index, searcher
from core.embed.layout import Map
from core.embed.map_quality import NeighbourAccuracy, Quality, neighbour_accuracy, quality
from core.embed.neighbours import Exact, Neighbours, nearest
from core.embed.pca import PCA, aligned
from core.embed.selection import SelectionNumbers, held_against_rest
from core.embed.vector_arithmetic import CombinedNeighbours, combined_neighbours
from core.embed.vectors import Vectors, components, item_vectors, user_vectors

__all__ = [
    "PCA",
    "Clusters",
    "CombinedNeighbours",
    "Drift",
    "Exact",
    "Finding",
    "Index",
    "Map",
    "NeighbourAccuracy",
    "Neighbours",
    "Quality",
    "SelectionNumbers",
    "SpaceComparison",
    "Step",
    "Vectors",
    "align",
    "aligned",
    "clusters",
    "combined_neighbours",
    "compare_spaces",
    "components",
    "diagnosis",
    "drift",
    "held_against_rest",
    "item_vectors",
    "names_of",
    "nearest",
    "neighbour_accuracy",
    "over_represented",
    "quality",
    "searcher",
    "user_vectors",
    "words",
]
