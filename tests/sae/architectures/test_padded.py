import torch

from seqsae.sae.architectures.padded import padded


def test_rows_are_padded_with_zeros_to_the_fullest():
    values = torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0], [9.0, 1.0, 1.0, 1.0]], requires_grad=True)
    active = torch.tensor([[False, True, False, True], [False] * 4, [True, True, True, False]])
    codes = padded(values, active)
    assert codes.values.tolist() == [[2.0, 4.0, 0.0], [0.0, 0.0, 0.0], [9.0, 1.0, 1.0]]
    assert codes.indices.dtype == torch.int64
    assert codes.indices[0, :2].tolist() == [1, 3] and codes.indices[2].tolist() == [0, 1, 2]
    codes.values.sum().backward()
    assert torch.equal(values.grad, active.float())


def test_no_rows_and_no_active_places():
    for rows in (0, 3):
        codes = padded(torch.ones(rows, 4), torch.zeros(rows, 4, dtype=torch.bool))
        assert codes.values.shape == codes.indices.shape == (rows, 1) and not codes.values.any()
