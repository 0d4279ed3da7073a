"""Weights that leave: of released features alone, after a sign-off and a test of what the SAE remembers of its subjects (D17, D18)."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from seqsae.activations.store import Store
from seqsae.associations.effects import auroc_variance
from seqsae.disclosure.policy import Policy
from seqsae.errors import SeqsaeError
from seqsae.files import save_tensors
from seqsae.options import read_toml
from seqsae.sae.base import SAE
from seqsae.sae.fold import folded

FILE = "weights.safetensors"
SIGNED = ("name", "statement")
AUC_HIGH, TPR, FPR = 0.55, 0.02, 0.01
"""Bars of the membership attack: upper end of the interval of its AUROC, and its true positive rate at this false positive rate."""
NEAR = 0.95
"""Cosine of a direction with the mean activation of a subject above which it points at the subject."""
BLOCK = 4096  # rows read at a time
KEPT = "weights stay: "


class Memory(NamedTuple):
    """What a membership attack by reconstruction error tells of the subjects that the SAE was trained on."""

    auc_high: float
    """Upper end of the 95% interval of its AUROC, whichever way it is read."""
    tpr_at_1_fpr: float


class Weights(NamedTuple):
    """What leaves, who signed for it, and what the test found."""

    tensors: dict[str, Tensor]
    """W_enc [d, F], W_dec [F, d], b_enc [F], b_dec [d] of the F released features, half precision."""
    signoff: dict[str, str]
    memory: Memory

    def entry(self) -> dict:
        """The manifest's `weights`."""
        return {
            "signoff": self.signoff,
            "memorisation": {name: round(value, 3) for name, value in self.memory._asdict().items()},
        }

    def write(self, folder: Path) -> None:
        """The file of weights."""
        save_tensors(folder / FILE, self.tensors)


def signed(path: Path | str) -> dict[str, str]:
    """A sign-off file (TOML): `name`, who takes it upon themselves, and `statement`, what they state.

    Raises:
        SeqsaeError: no such file, not TOML, or a line is missing or empty.
    """
    if not Path(path).exists():
        raise SeqsaeError(f"{path}: no such file; give the path of a sign-off file")
    document = read_toml(Path(path))
    for name in SIGNED:
        if not isinstance(document.get(name), str) or not document[name].strip():
            raise SeqsaeError(f'{path}: has no {name!r}; a sign-off says name = "..." and statement = "..."')
    return {name: " ".join(document[name].split())[:200] for name in SIGNED}


def weights(sae: SAE, store: Store, site: str, listed: list[int], signoff: Path | str, policy: Policy) -> Weights:
    """The weights of released features, if the SAE remembers no subject.

    Raises:
        SeqsaeError: no sign-off; the membership attack does better than chance by more than the bars (D18); a direction points at
            fewer subjects than the policy's threshold.
    """
    who = signed(signoff)
    errors, means = _of_subjects(sae, store, site)
    memory = membership(errors, store)
    if memory.auc_high > AUC_HIGH or memory.tpr_at_1_fpr > TPR:
        raise SeqsaeError(
            f"D18: {KEPT}a membership attack by reconstruction error has an AUROC of up to {memory.auc_high:.3f} (at most {AUC_HIGH}) and finds "
            f"{memory.tpr_at_1_fpr:.1%} of the training subjects at 1% false positives (at most {TPR:.0%}); train on more subjects or with less width"
        )
    tensors = _cut(sae, listed)
    if pointing := pointing_at_few(tensors["W_dec"], means, policy):
        raise SeqsaeError(
            f"D18: {KEPT}{pointing} directions point at the mean activation of fewer than {policy.min_subjects} subjects; "
            "train on more subjects or with less width"
        )
    return Weights(tensors, who, memory)


def _cut(sae: SAE, listed: list[int]) -> dict[str, Tensor]:
    sae = sae if sae.config.normalisation == "none" else folded(sae)
    with torch.no_grad():
        parts = {
            "W_enc": sae.W_enc[:, listed],
            "W_dec": sae.W_dec[listed],
            "b_enc": sae.b_enc[listed],
            "b_dec": sae.b_dec,
        }
        return {name: part.detach().half().contiguous().clone() for name, part in parts.items()}


@torch.no_grad()
def _of_subjects(sae: SAE, store: Store, site: str) -> tuple[np.ndarray, Tensor]:
    """[S] mean squared reconstruction error of each subject's rows, NaN without any, and [S, d] their mean activation less that of all."""
    n, d = len(store.subjects), store.sites[site]
    errors, counts, sums = np.zeros(n), np.zeros(n), torch.zeros(n, d)
    for start in range(0, store.n_rows, BLOCK):
        rows = np.arange(start, min(start + BLOCK, store.n_rows))
        x = store.read(site, rows)
        error = (sae.decode(sae.encode(x)) - x).square().sum(1).double().numpy()
        owner = store.row_subject[rows].astype(np.int64)
        errors += np.bincount(owner, error, n)
        counts += np.bincount(owner, minlength=n)
        sums.index_add_(0, torch.from_numpy(owner), x)
    there = torch.from_numpy(np.maximum(counts, 1)).float()[:, None]
    mean = sums.sum(0) / max(1.0, counts.sum())
    means = torch.where(torch.from_numpy(counts > 0)[:, None], sums / there - mean, torch.zeros(()))
    return np.where(counts > 0, errors / np.maximum(counts, 1), np.nan), means


def membership(errors: np.ndarray, store: Store) -> Memory:
    """The attack that takes subjects with a small error for training subjects: trained on (train) against not (test).

    Args:
        errors: [S] of each subject.
    """
    split = store.subjects["split"].to_numpy()
    known = np.isfinite(errors) & np.isin(split, ("train", "test"))
    score, member = -errors[known], (split == "train")[known]
    cluster = store.subjects["cluster"].rank("dense").to_numpy()[known]
    if member.all() or not member.any():
        raise SeqsaeError(
            f"D18: {KEPT}nobody is held out, so that it cannot be told what the SAE remembers; give it a test split"
        )
    u = stats.mannwhitneyu(score[member], score[~member]).statistic / (member.sum() * (~member).sum())
    spread = np.sqrt(max(0.0, float(np.nan_to_num(auroc_variance(score, member.astype(float), cluster)))))
    threshold = np.sort(score[~member])[::-1][int(FPR * (~member).sum())]
    return Memory(float(min(1.0, max(u, 1 - u) + 1.96 * spread)), float((score[member] > threshold).mean()))


def pointing_at_few(directions: Tensor, means: Tensor, policy: Policy) -> int:
    """Directions [F, d] with a cosine above NEAR to the mean activations [S, d] of some, but of fewer subjects than the threshold."""
    unit = torch.nn.functional.normalize(directions.float(), dim=1)
    near = (torch.nn.functional.normalize(means.float(), dim=1) @ unit.T > NEAR).sum(0)
    return int(((near > 0) & (near < policy.min_subjects)).sum())
