"""What is taken for rows, and what is refused in one line."""

import numpy as np
import pytest
import torch

from seqsae.errors import SeqsaeError
from seqsae.sae.arrays import as_rows
from seqsae.sae.base import Recipe, build
from seqsae.sae.normalise import fit

X = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.mark.parametrize(
    "given",
    [
        X,
        X.astype(">f4"),
        X[::-1, ::-1][::-1, ::-1],
        X.astype(np.int16),
        X.astype(np.float16),
        torch.from_numpy(X),
        X.tolist(),
    ],
    ids=["plain", "big-endian", "reversed twice", "ints", "half", "tensor", "lists"],
)
def test_rows_are_what_was_given(given):
    np.testing.assert_array_equal(as_rows(given, "here").float().numpy(), X)


def test_reversed_rows_are_read_in_their_order():
    np.testing.assert_array_equal(as_rows(X[::2, ::-1], "here").numpy(), X[::2, ::-1])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.ma.masked_greater(X, 5), "a masked array; give the rows that count"),
        (X.astype(str), "type <U32; give real numbers"),
        (X.astype(object), "type object"),
        (X.astype("datetime64[s]"), r"type datetime64\[s\]"),
        (X.astype(np.longdouble), "type float128|type float96"),
        (X.astype(complex), "type complex128"),
        (X > 2, "type bool"),
        (X[0], r"shape \(3,\)"),
        (torch.from_numpy(X).to_sparse(), "not dense"),
        (torch.empty(4, 3, device="meta"), "not dense"),
        (torch.empty(4, 3).to(torch.float8_e4m3fn), "float8"),
        (None, "a NoneType; give an array"),
        ([[1.0], [1.0, 2.0]], "a list; give an array"),
    ],
)
def test_what_is_no_rows_is_refused(given, words):
    with pytest.raises(SeqsaeError, match=f"here: .*(?:{words})"):
        as_rows(given, "here")


def test_numbers_too_large_for_float32_are_refused_and_large_ones_are_not():
    sae = build(Recipe("topk", 3, 6, 2, "row-norm"))
    large = torch.randn(50, 3, generator=torch.Generator().manual_seed(0)) * 1e30
    sae.set_normaliser(fit([large], "row-norm", "s"))
    assert torch.isfinite(sae(large)).all()
    with pytest.raises(SeqsaeError, match="NaN, infinite or too large values"):
        sae.encode(torch.full((2, 3), 1e300, dtype=torch.float64))
