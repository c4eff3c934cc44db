"""Groups of like vectors, and what each is called: by what it has more of than the rest."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.stats import hypergeom

from core.embed.neighbours import unit
from core.models.common.attributes import categories
from core.types import Array, FeatureBlock, Features, Floats, Ints

BATCHES_FROM = 50_000  # vectors, from where on k-means learns from parts
LEVEL = 0.01  # of the chance that any term of any cluster is named without reason
LIFT = 1.5  # how many times commoner than overall a term must be
TERMS = 3  # in a name
_YEAR = re.compile(r"(18|19|20)\d\d")


@dataclass(frozen=True, eq=False)
class Clusters:
    """Which of C groups each of N vectors is in, the largest group first."""

    codes: Ints  # (N,)
    centres: Floats  # (C, D), of unit vectors

    @property
    def sizes(self) -> Ints:
        """How many vectors each has, (C,)."""
        return np.bincount(self.codes, minlength=len(self.centres))

    def typical(self, vectors: Array) -> Ints:
        """The vector nearest to each group's centre, (C,)."""
        table = unit(vectors)
        far = np.square(table - self.centres[self.codes]).sum(axis=1)
        order = np.lexsort((far, self.codes))
        return order[np.searchsorted(self.codes[order], np.arange(len(self.centres)))]


def clusters(vectors: Array, n: int | None = None, *, seed: int = 0) -> Clusters:
    """Groups of vectors (N, D) by k-means on their directions (scikit-learn's, k-means++).

    Args:
        vectors: (N, D), at least one.
        n: How many; √(N / 32) if not given, from 2 to 40. Fewer come where vectors are equal.
        seed: Equal seeds give equal groups.
    """
    # scikit-learn's k-means takes a second to load, and most of what is here does without.
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    table = unit(vectors)
    if n is None:
        n = min(40, max(2, round((len(table) / 32) ** 0.5)))
    n = min(n, len(table))
    many = len(table) > BATCHES_FROM
    batched = MiniBatchKMeans(n, n_init=3, random_state=seed, batch_size=8192) if many else None
    kmeans = batched or KMeans(n, n_init=4, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct vectors than groups
        labels = kmeans.fit_predict(table)
    kinds, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    centres = kmeans.cluster_centers_[kinds[order]].astype(np.float32)
    return Clusters(np.argsort(order)[codes].astype(np.int64), centres)


def words(features: Features | None) -> FeatureBlock | None:
    """What a thing can be called by: its categories, the words of its texts, decades; or None.

    Words of one or two Latin letters or digits say nothing: "of", "la". A decade, "1990s", is there
    beside its years where two or more of them occur, and of whole numbers that are all years.
    """
    given = [block for block in (categories(features), _long(features)) if block is not None]
    blocks = [FeatureBlock(tuple(map(_plain, b.names)), sparse.csr_matrix(b.matrix)) for b in given]
    blocks += _decades(blocks, features.numeric if features else None)
    if not blocks:
        return None
    matrix = sparse.hstack([block.matrix for block in blocks], format="csr")
    matrix.eliminate_zeros()
    matrix.data = np.ones_like(matrix.data)
    return FeatureBlock(tuple(name for block in blocks for name in block.names), matrix)


def _decades(blocks: Sequence[FeatureBlock], numeric: FeatureBlock | None) -> list[FeatureBlock]:
    """One block of decades, or none."""
    things, years = [], []
    for block in blocks:
        columns = block.matrix.tocsc()
        for column, name in enumerate(block.names):
            if _YEAR.fullmatch(name):
                own = columns.indices[columns.indptr[column] : columns.indptr[column + 1]]
                things.append(own)
                years.append(np.full(len(own), int(name)))
    for numbers in np.asarray(numeric.matrix).T if numeric else ():
        own = np.flatnonzero(np.isfinite(numbers))
        given = numbers[own]
        if len(own) and given.min() >= 1800 and given.max() < 2100 and not (given % 1).any():
            things.append(own)
            years.append(given.astype(np.int64))
    if not years:
        return []
    rows, each = np.concatenate(things), np.concatenate(years)
    distinct = np.unique(each) // 10
    decades = np.unique(distinct)[np.unique(distinct, return_counts=True)[1] > 1]
    kept = np.isin(each // 10, decades)
    if not kept.any():
        return []
    n = len(numeric.matrix) if numeric else blocks[0].matrix.shape[0]
    columns = np.searchsorted(decades, each[kept] // 10)
    matrix = sparse.csr_matrix((np.ones(len(columns)), (rows[kept], columns)), (n, len(decades)))
    return [FeatureBlock(tuple(f"{decade}0s" for decade in decades), matrix)]


def _family(name: str) -> str:
    """Terms that say much the same: a word in any case, the years of a decade.

    >>> _family("Noir"), _family("1994"), _family("1990s")
    ('noir', '1990s', '1990s')
    """
    return f"{name[:3]}0s" if _YEAR.fullmatch(name) else name.casefold()


def _long(features: Features | None) -> FeatureBlock | None:
    """The words of the texts that are not too short to say something."""
    if features is None or features.text is None:
        return None
    names = features.text.names
    words = [_plain(name) for name in names]
    kept = [column for column, word in enumerate(words) if len(word) > 2 or not word.isascii()]
    matrix = sparse.csr_matrix(features.text.matrix)[:, kept]
    return FeatureBlock(tuple(names[column] for column in kept), matrix) if kept else None


def _plain(name: str) -> str:
    """Of "genres=Comedy" Comedy, of "title: toy" toy.

    >>> _plain("genres=Comedy"), _plain("title: toy"), _plain("word")
    ('Comedy', 'toy', 'word')
    """
    kind, sign, value = name.partition("=")
    return value if sign and kind else name.rpartition(": ")[2]


@dataclass(frozen=True)
class Term:
    """A word or a category that a group has more of than all do."""

    name: str
    lift: float  # share inside / share overall
    inside: int  # things of the group that have it
    overall: int


def over_represented(chosen: Array, among: FeatureBlock, tested: int = 1) -> list[Term]:
    """What the things marked in chosen (N,) have more of than all N, the most telling first.

    A term counts if it is at least 1.5 times as common, in two things or more, and so often inside
    by chance (hypergeometric tail) with probability < .01 / (terms · tested). Told by
    inside · ln lift, the group's part of the divergence. The same name in another spelling of case
    counts once, and so does a decade with its years: what tells most of them is named.

    Args:
        chosen: Which things, bool (N,).
        among: What each has, 0 and 1 (N, F).
        tested: Groups that are looked at.
    """
    matrix = sparse.csr_matrix(among.matrix)
    n, m = matrix.shape[0], int(np.sum(chosen))
    overall = np.asarray(matrix.sum(axis=0)).ravel().round().astype(np.int64)
    inside = np.asarray(matrix[np.flatnonzero(chosen)].sum(axis=0)).ravel().round().astype(np.int64)
    if not m or m == n:
        return []
    lift = (inside / m) / np.maximum(overall / n, 1e-12)
    maybe = np.flatnonzero((inside > 1) & (lift >= LIFT))
    chance = hypergeom.sf(inside[maybe] - 1, n, overall[maybe], m)
    kept = maybe[chance < LEVEL / max(1, len(among.names) * tested)]
    telling = inside[kept] * np.log(lift[kept])
    by_family: dict[str, Term] = {}
    for column in kept[np.argsort(-telling, kind="stable")].tolist():
        term = Term(
            among.names[column], float(lift[column]), int(inside[column]), int(overall[column])
        )
        by_family.setdefault(_family(term.name), term)
    return list(by_family.values())


def names_of(groups: Clusters, among: FeatureBlock | None, else_named: Sequence[str]) -> list[str]:
    """A name for each group, no two alike: its three most telling terms.

    Args:
        groups: C of them.
        among: What each thing has; None if nothing is known.
        else_named: What a group is like, (C,), where no term is told: its most typical thing.
    """
    names: list[str] = []
    taken: set[str] = set()
    for code, size in enumerate(groups.sizes.tolist()):
        terms: list[Term] = []
        if among is not None and size:
            terms = over_represented(groups.codes == code, among, len(groups.centres))
        words = [term.name for term in terms]
        several = [", ".join(words[:count]) for count in range(TERMS, len(words) + 1)]
        options = several or [", ".join(words)] if words else []
        options = [*options, f"{options[0]}, like {else_named[code]}"] if options else []
        options = [*options, f"like {else_named[code]}"]
        options += [f"{options[0]} ({number})" for number in range(2, len(groups.centres) + 2)]
        name = next(option for option in options if option.casefold() not in taken)
        taken.add(name.casefold())
        names.append(name)
    return names
