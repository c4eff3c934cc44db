"""What an item is: a vector from its id and its content, so that a new item has one too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional

from core.errors import BadInput
from core.models.common.item_parts import EMBEDDINGS, ID, item_parts, rows_like, unembedded
from core.models.common.tensors import ragged_range, tensor
from core.models.common.vectors import unit_rows, whitened
from core.types import Array, Features, Floats, Ints, ItemPart

EMBEDDING_DROPOUT = 0.2


def content(
    features: Features | None, n_items: int, learnt: int | None = None
) -> tuple[sparse.csr_matrix, Floats, dict[str, Array]]:
    """What the item features say: tags (I, F) of kinds and words, numbers (I, N), embeddings.

    Rows of tags have unit length per kind of attribute. A number becomes its z-score, clipped to
    ±5, and a second column says where it is missing. Embeddings are whitened, (I, D) each. Means
    and spreads of numbers are those of the first `learnt` items, or of all.
    """
    tags = [sparse.csr_matrix((n_items, 0), dtype=np.float32)]
    numbers = [np.zeros((n_items, 0), np.float32)]
    embeddings = {}
    for kind, block in features.blocks() if features else ():
        if kind in EMBEDDINGS:
            if (vectors := whitened(block.matrix)).shape[1]:  # 0 if all are alike
                embeddings[kind] = vectors
        elif kind == "numeric":
            numbers.append(_standard(np.asarray(block.matrix, np.float64), learnt))
        else:
            tags.append(unit_rows(sparse.csr_matrix(block.matrix, dtype=np.float32)))
    stacked = sparse.hstack(tags, format="csr", dtype=np.float32)
    return stacked, np.hstack(numbers).astype(np.float32), embeddings


def _standard(values: Array, learnt: int | None) -> Array:
    missing = np.isnan(values)
    present = np.ma.masked_array(values, missing)
    first = present[:learnt]
    spread = np.maximum(first.std(axis=0).filled(0), 1e-9)
    z = ((present - first.mean(axis=0)) / spread).filled(0)
    both: Array = np.hstack([np.clip(z, -5, 5), missing])
    return both


class Embedded(nn.Module):
    """σ(gate) · W x_i of each item's frozen embedding x, (I, dim).

    An item that has none, a row of NaN, gets a learnt vector in place of W x_i: to have no picture
    says something.
    """

    vectors: Tensor
    there: Tensor

    def __init__(self, dim: int, vectors: Array) -> None:
        super().__init__()
        there = np.asarray(np.isfinite(vectors).all(axis=1))
        self.register_buffer("vectors", torch.from_numpy(np.where(there[:, None], vectors, 0)))
        self.register_buffer("there", torch.from_numpy(there))
        self.project = nn.Linear(vectors.shape[1], dim)
        self.missing = nn.Parameter(torch.randn(dim) * 0.02)
        self.gate = nn.Parameter(torch.zeros(()))
        self.drop = nn.Dropout(EMBEDDING_DROPOUT)
        nn.init.normal_(self.project.weight, std=0.02 / vectors.shape[1] ** 0.5)  # small, like ids
        nn.init.zeros_(self.project.bias)

    def forward(self, rows: slice | Tensor) -> Tensor:
        """What it adds to each of these items, (I, dim)."""
        there = self.there[rows][:, None]
        seen = torch.where(there, self.project(self.vectors[rows]), self.missing)
        dropped: Tensor = self.drop(seen)
        return torch.sigmoid(self.gate) * dropped


class ItemTower(nn.Module):
    """e_i = LN(m_i · id_i + Σ tags + numbers + Σ embedded), (I, dim).

    m_i is 0 for an item that was never seen in training, whose content must speak for it, and for
    a share of the seen ones while training, so that content learns to.
    """

    known: Tensor
    values: Tensor
    places: Tensor
    starts: Tensor
    numbers: Tensor

    def __init__(
        self,
        dim: int,
        tags: sparse.csr_matrix,
        numbers: Floats,
        embeddings: Mapping[str, Array] | None = None,
    ) -> None:
        super().__init__()
        n_items = len(numbers)
        self.register_buffer("known", torch.ones(n_items, dtype=torch.bool))
        self.register_buffer("values", torch.from_numpy(tags.data))
        self.register_buffer("places", torch.from_numpy(tags.indices.astype(np.int64)))
        self.register_buffer("starts", torch.from_numpy(tags.indptr.astype(np.int64)))
        self.register_buffer("numbers", torch.from_numpy(numbers))
        self.id = nn.Embedding(n_items, dim)
        self.tag = nn.Embedding(tags.shape[1], dim) if tags.shape[1] else None
        self.number = nn.Linear(numbers.shape[1], dim) if numbers.shape[1] else None
        self.embedded = nn.ModuleDict(
            {kind: Embedded(dim, vectors) for kind, vectors in (embeddings or {}).items()}
        )
        self.norm = nn.LayerNorm(dim)
        for table in filter(None, (self.id, self.tag)):
            nn.init.normal_(table.weight, std=0.02)

    @classmethod
    def of_state(cls, dim: int, state: Mapping[str, Tensor]) -> Self:
        """A tower of the shape that these weights of a whole network need."""
        arrays = [state[f"tower.{name}"].numpy() for name in ("values", "places", "starts")]
        shape = (len(state["tower.known"]), len(state.get("tower.tag.weight", ())))
        tags = sparse.csr_matrix(tuple(arrays), shape=shape)
        embeddings = {
            kind: state[key].numpy()
            for kind in EMBEDDINGS
            if (key := f"tower.embedded.{kind}.vectors") in state
        }
        return cls(dim, tags, state["tower.numbers"].numpy(), embeddings)

    @staticmethod
    def extended(
        state: Mapping[str, Array], features: Features, learnt: int | None, like: Array
    ) -> dict[str, Array]:
        """Of the state of a whole network the tower's arrays, with more items.

        Args:
            state: With I items.
            features: Of those first, then of M more; embeddings count for nothing.
            learnt: The first so many were learnt from; all if not given.
            like: Whose id and embeddings each of the M has, PAD for none, (M,).
        """
        n_items = len(state["tower.known"])
        hears = "tower.tag.weight" in state or state["tower.numbers"].shape[1]
        tags, numbers, _ = content(
            unembedded(features) if hears else None, features.n_rows, learnt or n_items
        )
        new = tags[n_items:]
        rows: dict[str, Array] = {
            "values": new.data,
            "places": new.indices.astype(np.int64),
            "starts": state["tower.starts"][-1] + new.indptr[1:].astype(np.int64),
            "numbers": numbers[n_items:],
        }
        embedded = (
            f"embedded.{kind}.{what}" for kind in EMBEDDINGS for what in ("vectors", "there")
        )
        for name in ("known", "id.weight", *embedded):
            if (own := state.get(f"tower.{name}")) is not None:
                rows[name] = rows_like(own, like)
        return {
            f"tower.{name}": np.concatenate([state[f"tower.{name}"], more])
            for name, more in rows.items()
        }

    def forward(self, id_dropout: float = 0.0, items: Tensor | None = None) -> Tensor:
        """The vectors (I, dim) of these items (I,), or of all; ids are dropped at this rate."""
        rows = slice(None) if items is None else items
        keep = self.known[rows]
        if id_dropout:
            keep = keep & (torch.rand(len(keep), device=keep.device) >= id_dropout)
        total = self.id.weight[rows] * keep[:, None]
        for term in self._content(items).values():
            total = total + term
        vectors: Tensor = self.norm(total)
        return vectors

    def _content(self, items: Tensor | None = None) -> dict[str, Tensor]:
        """What the content of these items, or of all, adds to the sum, by kind, (I, dim) each."""
        rows, terms = slice(None) if items is None else items, {}
        if self.tag is not None:
            places, starts, values = self._tags(items)
            terms["tags"] = functional.embedding_bag(
                places,
                self.tag.weight,
                starts,
                mode="sum",
                per_sample_weights=values,
                include_last_offset=True,
            )
        if self.number is not None:
            terms["numbers"] = self.number(self.numbers[rows])
        return terms | {kind: embedded(rows) for kind, embedded in self.embedded.items()}

    def terms(self) -> dict[str, Tensor]:
        """The sum's terms "id" and "content", then what is embedded, (I, dim) each; 0 if absent."""
        with torch.no_grad():
            ids = self.id.weight * self.known[:, None]
            parts = self._content()
            content = sum(parts.values(), start=torch.zeros_like(ids))
        return {"id": ids, "content": content} | {k: parts[k] for k in self.embedded}

    def _tags(self, items: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """The tags of these items, one item after another: places, where each starts, values."""
        if items is None:
            return self.places, self.starts, self.values
        lengths = self.starts[items + 1] - self.starts[items]
        take = ragged_range(self.starts[items], lengths)
        return self.places[take], functional.pad(lengths.cumsum(0), (1, 0)), self.values[take]

    def parts(self, features: Features | None) -> dict[ItemPart, Ints]:
        """The parts of an item, and the columns of tags or of numbers where each one stands.

        Raises:
            BadInput: the tower learnt from other features than these.
        """
        n_tags, n_numbers = 0 if self.tag is None else len(self.tag.weight), self._n_numbers
        columns = {ID: np.zeros(0, np.int64)}
        tags = numbers = 0  # columns so far, in the order of `content`
        for kind, block in features.blocks() if features and n_tags + n_numbers else ():
            if kind == "numeric":
                columns |= item_parts(kind, block)
                numbers += len(block.names)
            elif kind not in EMBEDDINGS:
                columns |= {
                    item_part: tags + own for item_part, own in item_parts(kind, block).items()
                }
                tags += len(block.names)
        if (tags, numbers) != (n_tags, n_numbers):
            raise BadInput(
                f"the model learnt from {n_tags} tags and {n_numbers} numbers of the items, and "
                f"these features have {tags} and {numbers}: give it those it was trained with"
            )
        return columns | {ItemPart(kind, ""): columns[ID] for kind in self.embedded}

    @property
    def _n_numbers(self) -> int:
        return self.numbers.shape[1] // 2  # each has a second column: whether it is missing

    def of_parts(self, item: int, features: Features | None, keep: Array) -> Tensor:
        """The vectors of an item of only the parts in each row of keep (M, P), (M, dim).

        The parts that are left out are left out of the sum. The layer of numbers has a constant,
        which is no number's own, and stays.
        """
        terms = [
            self._term(item, item_part, own) for item_part, own in self.parts(features).items()
        ]
        kept = tensor(np.asarray(keep, np.float32), self.numbers.device)
        total = kept @ torch.stack(terms)
        if self.number is not None:
            total = total + self.number.bias
        vectors: Tensor = self.norm(total)
        return vectors

    def _term(self, item: int, item_part: ItemPart, columns: Ints) -> Tensor:
        """What this part of the item adds to the sum, (dim,)."""
        at = tensor(columns, self.numbers.device)
        if item_part == ID:
            term = self.id.weight[item] * self.known[item]
        elif item_part.kind in self.embedded:
            term = self.embedded[item_part.kind](slice(item, item + 1))[0]
        elif item_part.kind == "numeric":
            assert self.number is not None, "it has numbers"
            both = torch.cat([at, at + self._n_numbers])
            term = self.number.weight[:, both] @ self.numbers[item, both]
        else:
            assert self.tag is not None, "it has tags"
            places, _, values = self._tags(torch.tensor([item], device=at.device))
            own = torch.isin(places, at)
            term = values[own] @ self.tag.weight[places[own]]
        vector: Tensor = term
        return vector
