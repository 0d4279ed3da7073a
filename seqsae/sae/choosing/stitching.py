"""Stitching: which latents of a larger dictionary hold what a smaller one misses, and which stand for what it has.

Leask et al. 2025, "Sparse autoencoders do not find canonical units of analysis" (arXiv 2502.04878). A latent of the larger SAE
is put into the smaller one: what it adds to a row is added to the smaller SAE's reconstruction. If the squared error falls it is
`novel`; if it rises, the smaller SAE had that part already (`reconstruction`), and the latent can only take another's place. The
paper's cheap stand-in for the insertion is the largest cosine with the smaller's decoder rows, novel below .7; here every
latent is inserted, and the cosine is judged by it.
"""

from collections.abc import Iterable

import numpy as np
import polars as pl
import torch
from torch import Tensor

from seqsae import schema
from seqsae.sae.base import CHUNK, SAE, Codes
from seqsae.sae.choosing.pairing import check_pair
from seqsae.sae.products.sparse import Picked
from seqsae.sae.quality.metrics import best_match

THRESHOLD = 0.7  # cosine below which the paper takes a latent for novel
SURE = 2.0  # standard errors from 0 at which the sign of a change is believed


class Stitching:
    """The change of the smaller SAE's squared error by each latent of the larger one, over batches of rows, in closed form.

    With e = x - x_hat of the smaller SAE, latent j of the larger active by a_j on a row, s_i the activation of the nearest latent
    i of the smaller, all in normalised units:

        insertion  |e - a_j d_j|^2 - |e|^2             = a_j^2 |d_j|^2 - 2 a_j <e, d_j>
        swap       |e + s_i d_i - a_j d_j|^2 - |e|^2   = insertion + s_i^2 |d_i|^2 + 2 s_i <e, d_i> - 2 a_j s_i <d_i, d_j>

    summed over rows in float64 and told as shares of the sum of |e|^2. A change is believed if it is two standard errors
    over rows from 0; else the latent is `unclear`, and `unseen` if it fires on no row.

    Args:
        small, large: names and SAEs, of one normalisation.
    Raises:
        SeqsaeError: the SAEs do not read rows in the same units.
    """

    def __init__(self, small: tuple[str, SAE], large: tuple[str, SAE]):
        self._names = small[0], large[0]
        self._small, self._large = small[1], large[1]
        check_pair(self._small, self._large)
        self._match = best_match(self._large.W_dec.detach(), self._small.W_dec.detach())
        width = self._large.width
        self._n, self._error = 0, 0.0
        self._fired = torch.zeros(width, dtype=torch.float64)
        self._change, self._squares, self._cross = (torch.zeros(width, dtype=torch.float64) for _ in range(3))
        self._removal = torch.zeros(self._small.width, dtype=torch.float64)

    @torch.no_grad()
    def update(self, x: Tensor, small: Codes, large: Codes) -> None:
        """Add raw rows [n, d] and their codes by both SAEs."""
        x = self._small.normalise(x.to(self._small.W_dec))
        error = x - self._small.decode_normalised(small)
        self._n += len(x)
        self._error += error.double().square().sum().item()
        inserted = _effects(self._large, error, large)
        self._fired += _summed(large, large.values > 0, self._large.width)
        self._change += _summed(large, inserted, self._large.width)
        self._squares += _summed(large, inserted.square(), self._large.width)
        removed = Codes(-small.values, small.indices)
        self._removal += _summed(small, _effects(self._small, error, removed), self._small.width)
        for low, high in _chunks(len(x), self._small.width):
            self._cross += self._crossed(_part(small, low, high), _part(large, low, high))

    def _crossed(self, small: Codes, large: Codes) -> Tensor:
        """[width] sum over rows of a_j s_i, i the latent of the smaller SAE that is nearest to j."""
        dense = small.values.new_zeros(len(small.values), self._small.width)
        dense.scatter_add_(1, small.indices, small.values)
        beside = dense.gather(1, self._match.index[large.indices])
        return _summed(large, large.values.double() * beside.double(), self._large.width)

    def table(self) -> pl.DataFrame:
        """Schema `stitching`: a row for each latent of the larger SAE."""
        nearest = self._match.index.cpu()
        d_small = self._small.W_dec.detach().double().cpu()[nearest]
        along = torch.linalg.vecdot(self._large.W_dec.detach().double().cpu(), d_small)
        swap = self._change + self._removal[nearest] - 2 * self._cross * along
        spread = (self._squares - self._change.square() / max(self._n, 1)).clamp_min(0).sqrt()
        change, error = (self._share(part) for part in (self._change, spread))
        seen = (self._fired > 0).numpy()
        table = pl.DataFrame(
            {
                "small": self._names[0],
                "large": self._names[1],
                "feature": np.arange(len(seen)),
                "nearest": nearest.numpy(),
                "cosine": self._match.cosine.double().cpu().numpy(),
                "rows": self._fired.long().numpy(),
                "change": change,
                "change_se": error,
                "swap": self._share(swap),
                "kind": _kinds(change, error, seen),
            }
        )
        unseen = pl.col("rows") == 0
        told = [
            pl.when(unseen).then(None).otherwise(pl.col(name)).alias(name) for name in ("change", "change_se", "swap")
        ]
        return schema.check_table(table.with_columns(told).fill_nan(None), "stitching", " and ".join(self._names))

    def _share(self, part: Tensor) -> np.ndarray:
        return (part / self._error).numpy() if self._error > 0 else np.full(len(part), np.nan)


@torch.no_grad()
def stitching(small: tuple[str, SAE], large: tuple[str, SAE], batches: Iterable[Tensor]) -> pl.DataFrame:
    """Table `stitching` of two SAEs (name and SAE each) on raw rows [n, d]; see `Stitching`."""
    found = Stitching(small, large)
    for x in batches:
        found.update(x, small[1].encode(x), large[1].encode(x))
    return found.table()


def agreement(table: pl.DataFrame) -> pl.DataFrame:
    """For each pair of SAEs in a table `stitching`: how many latents of each kind, and how well the cosine tells novel from not.

    Columns: small, large, the four kinds, `change_novel` (sum of the changes of the novel ones, as if they did not overlap), and
    over the latents of known kind `auroc` (of a low cosine for novel), `agree` (share told rightly at .7), `threshold` (that at
    which most are told rightly, the mean of both shares) and `agree_threshold`; null where only one kind occurs.
    """
    rows = [_agreement(pair, part) for pair, part in table.group_by("small", "large", maintain_order=True)]
    kinds = dict.fromkeys(("novel", "reconstruction", "unclear", "unseen"), pl.Int64)
    shares = dict.fromkeys(("change_novel", "auroc", "agree", "threshold", "agree_threshold"), pl.Float64)
    return pl.DataFrame(rows, schema={"small": pl.String, "large": pl.String, **kinds, **shares})


def _agreement(pair: tuple[str, str], part: pl.DataFrame) -> dict:
    counts = dict(part["kind"].value_counts().iter_rows())
    kinds = {kind: counts.get(kind, 0) for kind in ("novel", "reconstruction", "unclear", "unseen")}
    novel = part.filter(pl.col("kind") == "novel")
    found = {"small": pair[0], "large": pair[1], **kinds, "change_novel": novel["change"].sum()}
    known = part.filter(pl.col("kind").is_in(["novel", "reconstruction"]))
    return found | _threshold(known["cosine"].to_numpy(), (known["kind"] == "novel").to_numpy())


def _threshold(cosine: np.ndarray, novel: np.ndarray) -> dict:
    """How well `cosine < threshold` says novel; `agree` is the mean of the shares told rightly of either kind."""
    if novel.all() or not novel.any():
        return {}
    order = np.argsort(cosine, kind="stable")
    levels, first = np.unique(cosine[order], return_index=True)
    below, below_not = (np.concatenate([[0], np.cumsum(kind[order])]) for kind in (novel, ~novel))
    shares = (below / below[-1] + 1 - below_not / below_not[-1]) / 2  # [n + 1] if so many are called novel
    best = int(shares[first].argmax())
    auroc = (
        (below[first] + below[np.append(first[1:], len(order))])
        / 2
        * np.diff(np.append(below_not[first], below_not[-1]))
    ).sum()
    return {
        "auroc": float(auroc / (below[-1] * below_not[-1])),
        "agree": float(shares[np.searchsorted(cosine[order], THRESHOLD)]),
        "threshold": float((levels[max(best - 1, 0)] + levels[best]) / 2),
        "agree_threshold": float(shares[first].max()),
    }


def _effects(sae: SAE, error: Tensor, codes: Codes) -> Tensor:
    """[n, k] float64: change of |error|^2 of each row if each code alone were added to the reconstruction."""
    decoder = sae.W_dec.detach()
    dots = Picked(codes.indices, sae.width).dots(error, decoder).double()
    squares = decoder.double().square().sum(1)[codes.indices]
    values = codes.values.double()
    return values.square() * squares - 2 * values * dots


def _summed(codes: Codes, values: Tensor, width: int) -> Tensor:
    """[width] float64, on the CPU so that the order of the sum is one: values [n, k] summed by latent."""
    latents, values = codes.indices.flatten().cpu(), values.flatten().double().cpu()
    return torch.zeros(width, dtype=torch.float64).index_add_(0, latents, values)


def _chunks(n: int, width: int) -> list[tuple[int, int]]:
    size = max(1, CHUNK // width)
    return [(low, min(low + size, n)) for low in range(0, n, size)]


def _part(codes: Codes, low: int, high: int) -> Codes:
    return Codes(codes.values[low:high], codes.indices[low:high])


def _kinds(change: np.ndarray, error: np.ndarray, seen: np.ndarray) -> np.ndarray:
    sure = np.abs(change) >= SURE * error
    kind = np.where(change < 0, "novel", "reconstruction")
    return np.where(seen, np.where(sure, kind, "unclear"), "unseen")
