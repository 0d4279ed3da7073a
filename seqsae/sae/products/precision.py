"""The dense encoder product in low precision: what it costs in accuracy, and which precision a machine is fastest in."""

import torch
from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae.sae.products.kernels import Near, compiled_loops, quantised
from seqsae.sae.products.scratch import scratch

_INT8_SLACK = 3 / 12**0.5  # three standard deviations of rounding to a step, evenly spread over it
_BFLOAT16_STEP = 2.0**-9  # largest relative error of rounding to bfloat16


def resolved(precision: str, device: str) -> str:
    """The precision that "auto" stands for on this machine; any other is itself.

    bfloat16 where the device has instructions for it, else int8 where the processor has those and loops are compiled, else
    float32: without them both are slower than float32.

    Raises:
        SeqsaeError: int8 on a device that is no CPU.
    """
    if precision == "int8" and device != "cpu":
        raise SeqsaeError(
            f"SAE: precision 'int8' is for the CPU, the device is {device!r}; choose 'bfloat16' or 'auto'"
        )
    if precision != "auto":
        return precision
    if device != "cpu":
        return "bfloat16" if device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    if not torch.backends.mkldnn.is_available():
        return "float32"
    if torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported():
        return "bfloat16"
    return "int8" if torch.cpu._is_vnni_supported() and compiled_loops() is not None else "float32"


class Low:
    """Rows and weights in low precision, and how far from the truth their product may be.

    int8: rows and latents each in steps of their largest absolute number / 127. With steps s and u of a row x and a latent w,
    the product's error has standard deviation sqrt(s^2 |w|^2 + u^2 |x|^2) / sqrt(12); slack, three times s |w| + u |x|, is
    mostly more than four of it. bfloat16: error of rounding both factors, as if of random sign, and of the product itself.

    Args:
        rows: [n, d].
        table: [width, d], the encoder's weights latent by latent.
        bias: [width].
        precision: int8, or bfloat16 (autocast is taken for it).
    """

    def __init__(self, rows: Tensor, table: Tensor, bias: Tensor, precision: str):
        rows, table, bias = rows.float(), table.float(), bias.float()
        if precision == "int8":
            self.rows, step, length = quantised(rows)
            self.table, unit, norm = quantised(table)
            self.rough = torch.stack([step, _INT8_SLACK * step, _INT8_SLACK * length], dim=1)
            self.fine = torch.stack([unit, bias, norm, unit])
        else:
            self.rows, length = rows.bfloat16(), torch.linalg.vector_norm(rows, dim=1)
            self.table, norm = table.bfloat16(), torch.linalg.vector_norm(table, dim=1)
            slack = _BFLOAT16_STEP * (1 + 4 * (2 / 3 / rows.shape[1]) ** 0.5)
            self.rough = torch.stack([torch.ones_like(length), slack * length, torch.zeros_like(length)], dim=1)
            self.fine = torch.stack([torch.ones_like(norm), bias, norm, torch.zeros_like(norm)])

    def near(self, first: int, last: int) -> Near:
        """The product of rows [first, last), in `scratch`."""
        rows = self.rows[first:last]
        whole = rows.dtype == torch.int8
        out = scratch((len(rows), len(self.table)), torch.int32 if whole else torch.bfloat16, rows.device)
        (torch._int_mm if whole else torch.mm)(rows, self.table.T, out=out)
        return Near(out, self.rough[first:last], self.fine)
