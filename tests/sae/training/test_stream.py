import json

import numpy as np
import pytest
import torch

from seqsae.errors import SeqsaeError
from seqsae.sae.training.stream import ArrayStream


def _array(n=10, d=3):
    return np.arange(n * d, dtype=np.float64).reshape(n, d)


def test_an_epoch_gives_each_row_once_and_epochs_differ():
    stream = ArrayStream(_array(), "layers.1", seed=3)
    assert stream.sites == {"layers.1": 3} and stream.n_rows == 10
    one, two = (torch.cat([stream.next(4)["layers.1"], stream.next(6)["layers.1"]]) for _ in range(2))
    assert one.dtype == torch.float32
    for epoch in (one, two):
        assert sorted(epoch[:, 0].tolist()) == _array()[:, 0].tolist()
    assert not torch.equal(one, two)


def test_the_order_follows_the_seed_and_not_the_size_of_the_requests():
    whole = ArrayStream(_array(), seed=1).next(35)["array"]
    stream = ArrayStream(_array(), seed=1)
    assert torch.equal(whole, torch.cat([stream.next(n)["array"] for n in (1, 9, 12, 13)]))
    assert not torch.equal(whole, ArrayStream(_array(), seed=2).next(35)["array"])


def test_a_stream_goes_on_from_its_state():
    stream = ArrayStream(_array(), seed=1)
    stream.next(17)
    state = json.loads(json.dumps(stream.state()))
    rest = stream.next(20)["array"]
    other = ArrayStream(_array(), seed=1)
    other.restore(state)
    assert torch.equal(other.next(20)["array"], rest)


def test_a_state_of_other_data_is_refused():
    state = ArrayStream(_array(), seed=1).state()
    with pytest.raises(SeqsaeError, match="saved stream had seed 1, this one has 2"):
        ArrayStream(_array(), seed=2).restore(state)
    with pytest.raises(SeqsaeError, match="saved stream had n_rows 10, this one has 9"):
        ArrayStream(_array(9), seed=1).restore(state)


@pytest.mark.parametrize(
    "bad", [np.zeros(3), np.zeros((0, 3)), np.zeros((3, 0)), np.zeros((3, 2), bool), np.full((3, 2), np.nan)]
)
def test_what_is_no_array_of_rows_is_refused(bad):
    with pytest.raises(SeqsaeError, match="site 'array'"):
        ArrayStream(bad)
