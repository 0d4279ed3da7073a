import pytest

import seqsae
from seqsae.errors import SeqsaeError
from seqsae.sae.spec import Spec
from seqsae.sae.training.feasible import checked


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (Spec(10**12, 4), r"1 SAEs of up to 1,000,000,000,000 latents at d_model 64 need .* GiB, this machine has"),
        (Spec(16, 4, options={"aux_k": 0}), "aux_k is 0"),
        (Spec(16, 4, options={"aux_weight": 10**400}), r"aux_weight is 1000.*\.\.\.; give a number"),
        (Spec(16, 4, "relu"), "leave k out"),
        (Spec(16, 17), "k is 17 with a width of 16"),
    ],
)
def test_what_cannot_be_trained_is_refused(spec, words):
    with pytest.raises(SeqsaeError, match=words):
        checked([spec], 64, "cpu")


def test_nothing_is_left_of_a_training_that_was_refused(planted, tmp_path):
    with pytest.raises(SeqsaeError, match="unknown option 'a'"):
        seqsae.train(planted.rows[:200], out=tmp_path, options={"a": 1})
    assert not list(tmp_path.rglob("*"))
