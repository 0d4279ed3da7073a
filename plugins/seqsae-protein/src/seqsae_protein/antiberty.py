"""The model `antiberty`: AntiBERTy (Ruffolo, Gray & Sulam 2021, arXiv:2112.07782), from the package that ships it.

A BERT of 25.8 million parameters, masked LM on 558 million natural antibody sequences; 8 blocks, d = 512, context 512.
Give it whole variable domains (V and J): on bare V genes its sense of species fails.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from seqsae_protein import asked, hf, weights
from seqsae_protein.alphabet import read_lines
from seqsae_protein.families import FAMILIES
from seqsae_protein.packages import shipped
from seqsae_protein.reading import reading
from seqsae_protein.residues import ResidueModel

REQUIREMENT = "antiberty==0.1.3"
FOLDER = "trained_models/AntiBERTy_md_smooth"
HEADS = ("cls.species.", "cls.chain.", "cls.graft.")  # classifiers beside the masked LM, not used here


def open(
    path: str | Path | None = None,
    *,
    sites: Iterable[str] | str | None = None,
    untrained: bool = False,
    device: str = "cpu",
    **policies: Any,
) -> ResidueModel:
    """AntiBERTy with its residual stream, `bert.encoder.layer.0` to `.7`, as sites.

    Args:
        path: folder with config.json and pytorch_model.bin; default: the one in the installed package. The vocabulary
            lies in the folder above, as in the package.
        sites: other module paths, for example `bert.encoder.layer.3.output.dense` (what the MLP writes) or
            `bert.encoder.layer.3.intermediate` (its hidden neurons), or kinds of sites (`families.KINDS`).
        untrained: the same network with seeded random weights, the control that a learnt feature must beat.
        policies: as in `seqsae_protein.hf.open`.
    Raises:
        SeqsaeError: the package is not installed, or a file is missing or damaged.
    """
    policy = reading(policies, "antiberty")
    asked.flag("model antiberty", "untrained", untrained)
    folder = shipped("antiberty", REQUIREMENT, FOLDER) if path is None else Path(path)
    fields = hf.read_config(folder)
    alphabet = read_lines(folder.parent / "vocab.txt")
    module = hf.build("BertForMaskedLM", fields, alphabet, str(folder))
    if not untrained:
        spare = (*FAMILIES["BertForMaskedLM"].spare, *HEADS)
        weights.fill(module, weights.read_folder(folder), str(folder), spare)
    return hf.residue_model(module, alphabet, name="antiberty", sites=sites, device=device, policy=policy)
