"""A dictionary of 65,536 latents at d_model 1280 trains on this machine: its peak memory, and that it learns. --quick: 8,192."""

import resource
import sys
import tempfile

import torch
from bars import Bars, arguments

from seqsae.sae.spec import Budget, Spec
from seqsae.sae.training.stream import ArrayStream
from seqsae.sae.training.train import train

D_MODEL, K, BATCH, STEPS, GIB = 1280, 64, 2048, 12, 2**30


def main() -> None:
    options = arguments(__doc__)
    width = 8_192 if options.quick else 65_536
    generator = torch.Generator().manual_seed(0)
    directions = torch.nn.functional.normalize(torch.randn(512, D_MODEL, generator=generator), dim=1)
    rows = torch.relu(torch.randn(12_288, 512, generator=generator) - 1.5) @ directions
    before = peak()
    budget = Budget(STEPS, BATCH, every=STEPS // 2)
    with tempfile.TemporaryDirectory() as work:  # with the state that an interrupted training resumes from
        stream, spec = ArrayStream(rows[:10_240]), Spec(width, K, precision="auto")
        trained = train(stream, "array", [spec], budget, [rows[10_240:]], work)
    first, last = trained.metrics["fvu"][0], trained.metrics["fvu"][-1]
    print(
        f"width {width:,}, d_model {D_MODEL}, k {K}, batch {BATCH}: {STEPS} steps with AuxK, clipping and saved states"
    )
    print(f"peak {peak() / GIB:.2f} GiB, {before / GIB:.2f} before training; held-out FVU {first:.3f} then {last:.3f}")
    bars = Bars()
    bars.at_most(f"peak GiB, {width} x {D_MODEL}", peak() / GIB, 12.0)
    bars.at_most("held-out FVU, last over first", last / first, 1.0)
    bars.tell(options.json)


def peak() -> int:
    """Largest memory of this process so far, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    sys.exit(main())
