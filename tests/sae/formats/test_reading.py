"""Checkpoints of other tools, built by hand from their documented layout, give what the formulas give."""

import pytest
from sae.formats.cases import CASES
from sae.formats.formulas import assert_gives, rows, weights

from seqsae.sae import formats


@pytest.fixture
def w():
    return weights()


@pytest.fixture
def x():
    return rows()


@pytest.mark.parametrize("name", CASES)
def test_an_imported_sae_gives_what_the_formulas_give(name, tmp_path, w, x):
    path, options, gives = CASES[name](tmp_path, w, x)
    assert_gives(formats.read(path, **options), x, gives)


@pytest.mark.parametrize("name", CASES)
def test_a_format_is_known_by_its_files(name, tmp_path, w, x):
    path, _, _ = CASES[name](tmp_path, w, x)
    assert name.startswith(formats.detected(path))
