"""The control that a learnt feature must beat: the same model with its weights shuffled."""

import torch

from seqsae.models.contract import SequenceModel


@torch.no_grad()
def shuffle_weights(model: SequenceModel, seed: int) -> int:
    """Permute at random the entries of every weight tensor of the model within itself, in place; the number of tensors.

    What the model learnt is gone; each tensor keeps its entries, and so its mean, scale and sparsity (the randomisation test of
    Adebayo et al. 2018; SAEs on random transformers: Heap et al. 2025, arXiv:2501.17727). Tensors that are tied stay tied;
    buffers stay as they are. The permutation is the same on every device.

    Returns 0, and changes nothing, where the model has no weights that are numbers of floating point.
    """
    weights = [one for one in model.module.parameters() if one.is_floating_point()]
    random = torch.Generator().manual_seed(seed)
    for one in weights:
        order = torch.randperm(one.numel(), generator=random).to(one.device)
        one.copy_(one.flatten()[order].view_as(one))
    if weights:
        model.options = {**model.options, "weights": f"shuffled with seed {seed}"}
    return len(weights)
