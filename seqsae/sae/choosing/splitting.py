"""Feature splitting: which latent of a smaller dictionary becomes which of a larger one.

Bricken et al. 2023, "Towards monosemanticity": with more room, a dictionary tells apart what a smaller one held to be one
feature. Two latents are of one family if they point the same way and fire together, so both are asked for.
"""

from collections.abc import Iterable

import numpy as np
import polars as pl
import torch
from torch import Tensor

from seqsae import schema
from seqsae.sae.base import CHUNK, SAE, Codes
from seqsae.sae.choosing.pairing import check_pair

COSINE = 0.4  # of related decoder rows, at least: two equal and orthogonal parts of a parent have .71 with it each
TOGETHER = 0.5  # of the firing shared beyond chance, at least
SAME = 0.7  # cosine from which one latent can stand for the other
NEAREST = 8  # parents looked at for each latent of the larger dictionary


class Splitting:
    """Co-firing of the latents of two SAEs of one training, over batches of rows.

    Pairs are looked at if their decoder rows have a cosine of at least .4, for each latent of the larger SAE with its 8 nearest of
    the smaller. With `both` the rows on which both fire, a pair's numbers are

        covered = both / rows on which the smaller's latent fires      (how much of it this child takes over)
        within  = both / rows on which the larger's latent fires       (how much of the child lies in the parent)

    A share s is high if (s - r) / (1 - r) >= 1/2, r being the share of all rows on which the other latent fires: what two
    latents that do not know of each other would reach is taken off. A pair with both shares high is `same` if its cosine is at
    least .7, else `part`; with `within` alone high it is `part`, with `covered` alone high `wider`; other pairs are not related.

    Args:
        small, large: names and SAEs, of one normalisation.
    Raises:
        SeqsaeError: the SAEs do not read rows in the same units.
    """

    def __init__(self, small: tuple[str, SAE], large: tuple[str, SAE]):
        self._names, saes = (small[0], large[0]), (small[1], large[1])
        check_pair(*saes)
        self._widths = tuple(sae.width for sae in saes)
        self._feature, self._child, self._cosine = _candidates(saes[0].W_dec.detach(), saes[1].W_dec.detach())
        self._n = 0
        self._fired = [np.zeros(width, dtype=np.int64) for width in self._widths]
        self._both = np.zeros(len(self._feature), dtype=np.int64)

    def update(self, small: Codes, large: Codes) -> None:
        """Add the codes of the same rows by both SAEs."""
        self._n += len(small.values)
        on = [_active(codes, width) for codes, width in zip((small, large), self._widths, strict=True)]
        for fired, matrix in zip(self._fired, on, strict=True):
            fired += np.diff(matrix.indptr)
        for part in np.array_split(np.arange(len(self._both)), max(1, len(self._both) // 4096)):
            met = on[0][self._feature[part]].multiply(on[1][self._child[part]])
            self._both[part] += np.asarray(met.sum(axis=1)).ravel()

    def table(self) -> pl.DataFrame:
        """Schema `splitting`: the related pairs, ordered by feature and then by what they cover."""
        fired, fired_child = self._fired[0][self._feature], self._fired[1][self._child]
        covered, within = (_share(self._both, n) for n in (fired, fired_child))
        taken, inside = _beyond(covered, fired_child, self._n), _beyond(within, fired, self._n)
        same = taken & inside & (self._cosine >= SAME)
        relation = np.where(same, "same", np.where(inside, "part", "wider"))
        table = pl.DataFrame(
            {
                "small": self._names[0],
                "large": self._names[1],
                "feature": self._feature,
                "child": self._child,
                "cosine": self._cosine,
                "covered": covered,
                "within": within,
                "rows": self._both,
                "relation": relation,
            }
        ).filter(pl.Series(taken | inside))
        children = (pl.col("relation") != "wider").sum().over("feature")
        table = table.with_columns(children=children).sort(
            "feature", "covered", "child", descending=[False, True, False]
        )
        return schema.check_table(table, "splitting", f"{self._names[0]} and {self._names[1]}")


@torch.no_grad()
def splitting(small: tuple[str, SAE], large: tuple[str, SAE], batches: Iterable[Tensor]) -> pl.DataFrame:
    """Table `splitting` of two SAEs (name and SAE each) on raw rows [n, d]; see `Splitting`."""
    found = Splitting(small, large)
    for x in batches:
        found.update(small[1].encode(x), large[1].encode(x))
    return found.table()


def _candidates(small: Tensor, large: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Latent of the smaller, of the larger, and cosine, of the pairs that are looked at, from decoders [width, d]."""
    small, large = (torch.nn.functional.normalize(rows, dim=1) for rows in (small, large))
    parts = []
    for start, chunk in _numbered(large, max(1, CHUNK // len(small))):
        cosine, feature = (chunk @ small.T).topk(min(NEAREST, len(small)), dim=1)
        row, place = (cosine >= COSINE).nonzero(as_tuple=True)
        parts.append((feature[row, place], row + start, cosine[row, place]))
    feature, child, cosine = (torch.cat(part).cpu().numpy() for part in zip(*parts, strict=True))
    return feature, child, cosine.astype(np.float64)


def _numbered(rows: Tensor, size: int):
    return ((start, rows[start : start + size]) for start in range(0, len(rows), size))


def _active(codes: Codes, width: int):
    """[width, n] scipy matrix of ones where a latent fires on a row."""
    from scipy.sparse import csr_matrix

    row, place = (codes.values > 0).nonzero(as_tuple=True)
    latent = codes.indices[row, place].cpu().numpy()
    return csr_matrix(
        (np.ones(len(row), dtype=np.int64), (latent, row.cpu().numpy())), shape=(width, len(codes.values))
    )


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def _beyond(share: np.ndarray, fired: np.ndarray, n: int) -> np.ndarray:
    """[pairs] bool: the share is high beyond that of a latent firing anywhere, on as many rows."""
    rate = fired / max(n, 1)
    return (fired > 0) & (share - rate >= TOGETHER * (1 - rate)) & (share > 0)
