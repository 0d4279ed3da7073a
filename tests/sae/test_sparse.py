import pytest
import torch

from seqsae.sae.sparse import Columns, Picked, top_k


def _case(n=7, width=11, k=3, d=5):
    generator = torch.Generator().manual_seed(1)
    indices = torch.rand(n, width - 2, generator=generator).topk(k, dim=1).indices  # the last two latents stay empty
    values = torch.randn(n, k, generator=generator, dtype=torch.float64)
    table = torch.randn(width, d, generator=generator, dtype=torch.float64)
    rows = torch.randn(n, d, generator=generator, dtype=torch.float64)
    return indices, values, table, rows, torch.zeros(n, width, dtype=torch.float64).scatter_(1, indices, values)


def test_picked_products_are_those_of_the_dense_codes():
    indices, values, table, rows, dense = _case()
    pattern = Picked(indices, 11)
    torch.testing.assert_close(pattern.gather_sum(values, table), dense @ table)
    torch.testing.assert_close(pattern.scatter_sum(values, rows), dense.T @ rows)
    torch.testing.assert_close(pattern.latent_sum(values), dense.sum(0))
    torch.testing.assert_close(pattern.dots(rows, table), (rows @ table.T).gather(1, indices))


def test_columns_products_are_those_of_the_dense_codes():
    _, _, table, rows, _ = _case()
    latents = torch.tensor([8, 0, 3])
    values = torch.randn(7, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    dense = torch.zeros(7, 11, dtype=torch.float64)
    dense[:, latents] = values
    pattern = Columns(latents, 11)
    torch.testing.assert_close(pattern.gather_sum(values, table), dense @ table)
    torch.testing.assert_close(pattern.scatter_sum(values, rows), dense.T @ rows)
    torch.testing.assert_close(pattern.latent_sum(values), dense.sum(0))
    torch.testing.assert_close(pattern.dots(rows, table), (rows @ table.T)[:, latents])


@pytest.mark.parametrize(
    ("n", "width", "k"),
    [(50, 512, 16), (50, 512, 31), (50, 512, 32), (50, 512, 512), (50, 511, 3), (3, 8, 1), (1, 4096, 64), (0, 512, 16)],
)
def test_top_k_is_torch_topk(n, width, k):
    pre = torch.randn(n, width, generator=torch.Generator().manual_seed(width + k))
    found = top_k(pre, k)
    assert found.shape == (n, k)
    assert torch.equal(found.sort(1).values, pre.topk(k, dim=1).indices.sort(1).values)


def test_top_k_with_ties_takes_distinct_places_of_the_right_values():
    pre = torch.randn(200, 512, generator=torch.Generator().manual_seed(0)).mul(2).round()  # few distinct values
    found = top_k(pre, 16)
    assert all(len(set(row.tolist())) == 16 for row in found)
    assert torch.equal(pre.gather(1, found).sort(1).values, pre.topk(16, dim=1).values.sort(1).values)
