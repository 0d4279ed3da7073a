"""Sequences that a model does not read whole or in one piece: rows stay with their residues."""

import numpy as np
import polars as pl
import pytest
import torch
from seqsae_protein import hf
from tiny_models import AMINO, FAMILIES, rows_of, save

import seqsae
from seqsae.activations.batches import bucketed
from seqsae.errors import SeqsaeError
from seqsae.models.contract import Batch
from seqsae.models.objective import targets
from seqsae.records.record import Record
from seqsae.testing import check_model, relative_l2

LONG = "".join(np.random.default_rng(0).choice(list(AMINO), 95))
GAPPED = f"--{LONG[:20]}.{LONG[20:60]}-{LONG[60:]}*"
RECORDS = [Record(i, f"p{i}", sequence=s) for i, s in enumerate([LONG, "MKV", LONG[:50], GAPPED, "AC-DE"])]
POLICY = {"long": "window", "overlap": 8, "longest": 20, "gaps": "skip", "stops": "skip"}


@pytest.fixture(params=FAMILIES)
def model(request, tmp_path):
    return hf.open(save(request.param, tmp_path / "model"), **POLICY)


def test_windows_keep_the_contract(model):
    check_model(model, RECORDS)


def test_every_residue_has_one_row_under_its_index_in_the_sequence_as_given(model):
    batch = model.collate([model.prepare(record) for record in RECORDS])
    line = 0
    for record, sample in zip(RECORDS, batch.samples, strict=True):
        read = [index for index, letter in enumerate(record.sequence) if letter not in "-.*"]
        assert sample.event.tolist() == read
        assert "".join(sample.token) == "".join(record.sequence[index] for index in read)
        mask = batch.mask[line : line + sample.parts]
        ids = batch.inputs["input_ids"][line : line + sample.parts][mask]
        assert "".join(model.vocabulary[i] for i in ids) == "".join(sample.token), "rows stand where their residues do"
        assert mask.nonzero()[:, 1].tolist() == sample.position.tolist()
        line += sample.parts
    assert line == len(batch.mask) > len(RECORDS)


def test_a_row_is_what_the_model_says_of_its_window(model):
    """Each window alone, as a record of its own, gives the rows that the whole record has from it."""
    sample = model.prepare(RECORDS[0])
    rows = model.capture(model.collate([sample]), model.sites)
    done = 0
    for part in sample.inputs:
        window = Record(0, "w", sequence=LONG[part.first : part.first + 20])
        alone = rows_of(model, [window])
        before = len(model.before)
        low, high = part.rows.start - before, part.rows.stop - before
        for site, value in rows.items():
            assert relative_l2(alone[site][low:high], value[done : done + high - low]) < 1e-5
        done += high - low
    assert done == len(LONG)


def test_counts_are_told(model):
    for record in RECORDS:
        model.prepare(record)
    parts = sum(model.prepare(record).parts for record in (RECORDS[0], RECORDS[2], RECORDS[3]))
    told = model.account()
    assert f"windows of up to 20 residues: {2 * parts} in 6 sequences" in told
    assert "gaps without a row: 9 in 3 sequences" in told


def test_truncation_counts_what_it_leaves_out_and_moves_no_index(tmp_path):
    model = hf.open(save("EsmForMaskedLM", tmp_path), long="truncate", gaps="skip", stops="trim")
    samples = [model.prepare(record) for record in RECORDS]
    assert [len(sample) for sample in samples] == [38, 3, 38, 38, 4]
    assert samples[0].event.tolist() == list(range(38))
    assert samples[3].event.tolist() == [*range(2, 22), *range(23, 41)] and samples[4].event.tolist() == [0, 1, 3, 4]
    assert samples[0].inputs[0].ids[-1] == model.alphabet.end, "the end token still stands behind"
    assert model.account() == [
        "gaps without a row: 5 in 2 sequences",
        f"residues behind the first 38, without a row: {57 + 12 + 57} in 3 sequences",
        "stops without a row: 1 in 1 sequence",
    ]


def test_refusal_names_the_policies(tmp_path):
    with pytest.raises(SeqsaeError, match="'p0' has 95 residues; .* reads 38 at most: .* long = \"window\""):
        hf.open(save("EsmForMaskedLM", tmp_path)).prepare(RECORDS[0])
    with pytest.raises(SeqsaeError, match="longest = 39, but it reads 38"):
        hf.open(tmp_path, long="window", longest=39)
    with pytest.raises(SeqsaeError, match="overlap = 38 of windows of 38 residues; give less"):
        hf.open(tmp_path, long="window", overlap=38)


def test_a_hidden_residue_is_hidden_in_every_window_that_shows_it(tmp_path):
    model = hf.open(save("BertForMaskedLM", tmp_path), **POLICY)
    samples = [model.prepare(record) for record in RECORDS[:4]]
    batch = model.collate(samples)
    where = batch.mask & (torch.rand(batch.mask.shape, generator=torch.Generator().manual_seed(1)) < 0.3)
    hidden = model.hide(batch, where).inputs["input_ids"] == model.alphabet.mask
    line = 0
    for sample in samples:
        marked = where[line : line + sample.parts][batch.mask[line : line + sample.parts]]  # [n]
        for part in sample.inputs:
            length = len(part.ids) - 2
            assert torch.equal(hidden[line, 1 : 1 + length], marked[part.first : part.first + length])
            assert not hidden[line, 0] and not hidden[line, 1 + length :].any()
            line += 1
    own = targets(model, batch)
    assert (own >= 0).sum() == sum(map(len, samples)), "each residue is asked for once"


def test_a_harvest_of_windows_has_each_residue_once_and_padding_never(tmp_path):
    names = [f"p{index}" for index in range(len(RECORDS))]
    fasta = "".join(f">{name}\n{record.sequence}\n" for name, record in zip(names, RECORDS, strict=True))
    (tmp_path / "x.fasta").write_text(fasta)
    model = hf.open(save("EsmForMaskedLM", tmp_path / "model"), **POLICY)
    store = seqsae.harvest(model, seqsae.dataset(tmp_path / "x.fasta"), out=tmp_path / "run")
    rows = store.rows
    for index, record in enumerate(RECORDS):
        mine = rows.filter(pl.col("sample") == index)
        assert mine["event"].to_list() == [i for i, letter in enumerate(record.sequence) if letter not in "-.*"]
        assert "".join(mine["token"]) == "".join(letter for letter in record.sequence if letter not in "-.*")
    assert set(rows["role"]) == {"token"}
    site = next(iter(model.sites))
    expected = rows_of(model, RECORDS)[site]
    assert relative_l2(expected, store.read(site, np.arange(len(rows))).float()) < 1e-2  # stored as float16


def test_windows_count_in_a_batch_as_many_times_as_there_are(tmp_path):
    lengths, parts = np.array([10, 22, 22, 3, 10]), np.array([1, 8, 2, 1, 1])
    groups = [group.tolist() for group in bucketed(lengths, 70, parts=parts)]
    assert groups == [[3, 0, 4], [1], [2]]
    assert [group.tolist() for group in bucketed(lengths, 220, parts=parts)] == [[3, 0, 4], [1, 2]]
    model = hf.open(save("BertForMaskedLM", tmp_path), **POLICY)
    samples = [model.prepare(record) for record in RECORDS]
    assert [sample.length for sample in samples] == [22, 5, 22, 22, 6]


def test_a_batch_whose_mask_has_not_a_line_for_each_part_is_refused(tmp_path):
    model = hf.open(save("BertForMaskedLM", tmp_path), **POLICY)
    batch = model.collate([model.prepare(record) for record in RECORDS[:2]])
    assert batch.owner.tolist() == [0] * 8 + [1]
    with pytest.raises(SeqsaeError, match="a batch of 2 samples needs a mask of 9 rows, but it has 8"):
        Batch(batch.inputs, batch.mask[:-1], batch.samples)
    wrong = batch.mask.clone()
    wrong[3, 0] = True
    with pytest.raises(SeqsaeError, match="sample 0 of the batch: 95 rows are described but its mask marks 96"):
        Batch(batch.inputs, wrong, batch.samples)
