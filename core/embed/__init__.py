"""What a model has learnt, to be looked at: vectors, neighbours, maps, clusters, diagnosis."""

from core.embed.vectors import Vectors, components, item_vectors, user_vectors

__all__ = ["Vectors", "components", "item_vectors", "user_vectors"]
