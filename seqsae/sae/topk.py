"""TopK: the k largest latents of each row, with an auxiliary loss that brings dead ones back."""

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from seqsae.errors import SeqsaeError
from seqsae.sae.base import SAE, Codes, Loss, Recipe, TrainingState, row_chunks
from seqsae.sae.sparse import Columns, Picked, decode_at, encode_at, top_k

_DENSE = 6  # up to this many times aux_k dead latents, dense products over all of them beat sparse ones


class TopK(SAE):
    """Gao et al. 2024, "Scaling and evaluating sparse autoencoders" (arXiv 2406.04093), section 2.3 and appendix A.2.

        z     = TopK(relu((x - b_dec) W_enc + b_enc))
        x_hat = z W_dec + b_dec
        L     = mean (x - x_hat)^2 + aux_weight * mean (e - e_hat)^2,   e = x - x_hat, no gradient through e
        e_hat = z_dead W_dec,   z_dead: the aux_k largest pre-activations among the dead latents

    z_dead is taken before the relu: a latent that is negative on every row would otherwise get no gradient and never
    come back. The auxiliary term moves the dead latents alone; b_dec learns from the first term.

    Options: aux_k (None: half of d_model), aux_weight (0 turns the term off).
    """

    OPTIONS: ClassVar = {"aux_k": None, "aux_weight": 1 / 32}

    def __init__(self, recipe: Recipe):
        if recipe.k is None:
            raise SeqsaeError("SAE 'topk': no k; give the number of active latents a row")
        super().__init__(recipe)

    def codes(self, x: Tensor) -> Codes:
        pre = torch.addmm(self.b_enc, x - self.b_dec, self.W_enc)
        indices = top_k(pre, self.k)
        return Codes(pre.gather(1, indices).relu(), indices)

    def loss(self, x: Tensor, state: TrainingState) -> Loss:
        centred = x - self.b_dec.detach()
        dead = self._dead(state)
        indices, pre, pre_dead = self._dense_pass(centred, dead, state.precision)
        pattern = Picked(indices, self.width)
        if pre.dtype != x.dtype:  # chosen in low precision, computed in full
            pre = pattern.dots(centred, self.W_enc.detach().T) + self.b_enc.detach()[indices]
        values = encode_at(centred, (self.W_enc, self.b_enc, self.b_dec), pre, pattern).relu()
        x_hat = decode_at(values, self.W_dec, pattern) + self.b_dec
        reconstruction = mse_loss(x_hat, x)
        auxiliary = self._auxiliary(centred, x - x_hat.detach(), dead, pre_dead) if len(dead) else x.new_zeros(())
        fired = pattern.latent_sum(values.detach()) > 0
        return Loss(reconstruction + auxiliary, reconstruction.detach(), auxiliary.detach(), fired)

    def _dead(self, state: TrainingState) -> Tensor:
        """[m] int64: the dead latents, none if the auxiliary term is off."""
        dead = state.dead.nonzero().squeeze(1)
        return dead if self.options["aux_weight"] else dead[:0]

    @torch.no_grad()
    def _dense_pass(self, centred: Tensor, dead: Tensor, precision: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        """The one dense product of a step, some rows at a time: top-k indices [n, k] and, at them and at the dead
        latents [m], the pre-activations [n, k] and [n, m]."""
        low = precision if precision != torch.float32 else centred.dtype
        weights, bias = self.W_enc.to(low), self.b_enc.to(low)
        parts = []
        for chunk in row_chunks(centred, self.width):
            pre = torch.addmm(bias, chunk.to(low), weights)
            indices = top_k(pre, self.k)
            parts.append((indices, pre.gather(1, indices), pre.index_select(1, dead)))
        indices, pre, pre_dead = (torch.cat(part) for part in zip(*parts, strict=True))
        return indices, pre, pre_dead

    def _auxiliary(self, centred: Tensor, error: Tensor, dead: Tensor, pre: Tensor) -> Tensor:
        """[] the weighted auxiliary term. pre [n, m]: pre-activations at the m dead latents."""
        aux_k = min(self.options["aux_k"] or max(1, self.d_model // 2), len(dead))
        pattern, chosen, mask = self._aux_pattern(dead, pre, aux_k)
        if chosen.dtype != error.dtype:
            latents = dead if isinstance(pattern, Columns) else pattern.indices
            chosen = pattern.dots(centred, self.W_enc.detach().T) + self.b_enc.detach()[latents]
        values = encode_at(centred, (self.W_enc, self.b_enc, self.b_dec.detach()), chosen, pattern)
        guess = decode_at(values if mask is None else values * mask, self.W_dec, pattern)
        return self.options["aux_weight"] * mse_loss(guess, error)

    def _aux_pattern(self, dead: Tensor, pre: Tensor, aux_k: int) -> tuple[Columns | Picked, Tensor, Tensor | None]:
        """The pattern of the aux_k largest dead latents of each row, `pre` at its places, and a mask [n, m] if the
        pattern holds more places than those."""
        if len(dead) == aux_k:
            return Columns(dead, self.width), pre, None
        chosen = top_k(pre, aux_k)
        if len(dead) <= _DENSE * aux_k:
            return (
                Columns(dead, self.width),
                pre,
                torch.zeros_like(pre, dtype=torch.bool).scatter_(1, chosen, True),
            )
        return Picked(dead[chosen], self.width), pre.gather(1, chosen), None
