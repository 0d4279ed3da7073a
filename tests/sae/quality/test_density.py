import numpy as np
import torch

from seqsae.sae.quality.density import BINS, EDGES, histogram


def test_each_latent_lies_in_one_bin_with_its_upper_end():
    counts = histogram(torch.tensor([0.0, 0.0, 1e-7, 1e-5, 1.0001e-5, 0.1, 0.1000001, 1.0], dtype=torch.float64))
    assert len(counts) == BINS == 22 and sum(counts) == 8
    assert counts[:3] == [2, 2, 1]  # never; (0, 1e-5]; the next quarter decade
    assert counts[EDGES.index(0.1) + 1] == 1 and counts[EDGES.index(0.1) + 2] == 1
    assert counts[-1] == 1


def test_histogram_is_numpys_of_the_logarithms():
    density = 10 ** torch.empty(5000, dtype=torch.float64).uniform_(-4.9, 0, generator=torch.Generator().manual_seed(0))
    expected, _ = np.histogram(np.log10(density.numpy()), bins=np.linspace(-5, 0, 21))
    assert histogram(density)[2:] == expected.tolist()
