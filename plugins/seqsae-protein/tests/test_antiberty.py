import shutil

import pytest
import torch
import transformers
from seqsae_protein import antiberty as room
from seqsae_protein import packages

from seqsae.errors import SeqsaeError
from seqsae.testing import check_model, relative_l2


@pytest.fixture(scope="module")
def copy(antiberty, tmp_path_factory):
    """The package's files without the weights, laid out as there."""
    source = packages.shipped("antiberty", room.REQUIREMENT, room.FOLDER)
    folder = tmp_path_factory.mktemp("trained_models") / "model"
    folder.mkdir()
    shutil.copy(source / "config.json", folder)
    shutil.copy(source.parent / "vocab.txt", folder.parent)
    return folder


def test_it_is_the_published_size(antiberty):
    assert sum(parameter.numel() for parameter in antiberty.module.parameters()) == 25_759_769
    assert antiberty.sites == {f"bert.encoder.layer.{i}": 512 for i in range(8)}
    assert (antiberty.name, antiberty.context, len(antiberty.vocabulary)) == ("antiberty", 512, 25)
    assert (antiberty.attention, antiberty.module.training) == ("bidirectional", False)


def test_it_restores_hidden_residues(antiberty, human_heavy, masked_accuracy):
    assert masked_accuracy(antiberty, human_heavy) > 0.9


def test_it_keeps_the_contract(antiberty, human_heavy):
    by_length = {len(record.sequence): record for record in human_heavy}
    antiberty_sites = dict(antiberty.sites)
    try:
        antiberty.sites = {site: antiberty_sites[site] for site in ("bert.encoder.layer.3", "bert.encoder.layer.7")}
        check_model(antiberty, list(by_length.values())[:3])
    finally:
        antiberty.sites = antiberty_sites


def test_padded_rows_are_those_of_the_sequence_alone(antiberty, human_heavy):
    given = sorted(human_heavy, key=lambda record: len(record.sequence))
    samples = [antiberty.prepare(record) for record in (given[0], given[-1])]
    assert samples[0].length < samples[1].length
    both = antiberty.capture(antiberty.collate(samples), antiberty.sites)
    alone = antiberty.capture(antiberty.collate(samples[:1]), antiberty.sites)
    for site, rows in alone.items():
        assert relative_l2(rows, both[site][: len(samples[0])]) < 1e-5


def test_the_mlp_site_is_what_the_mlp_adds(antiberty, human_heavy):
    """LayerNorm(attention output + MLP output) is the block's output: so `output.dense` is the MLP's own write."""
    block = "bert.encoder.layer.3"
    sites = (block, f"{block}.output.dense", f"{block}.attention.output")
    batch = antiberty.collate([antiberty.prepare(human_heavy[0])])
    antiberty.sites.update(dict.fromkeys(sites))
    rows = antiberty.capture(batch, sites)
    for site in sites[1:]:
        del antiberty.sites[site]
    norm = antiberty.module.get_submodule(f"{block}.output.LayerNorm")
    with torch.no_grad():
        assert torch.allclose(norm(rows[sites[1]] + rows[sites[2]]), rows[block], atol=1e-5)
    length = rows[block].norm(dim=1)
    assert 15 < length.mean() < 30 and length.std() / length.mean() < 0.1  # post-LN: the same length everywhere


def test_it_equals_transformers_own_loading(antiberty, human_heavy):
    source = packages.shipped("antiberty", room.REQUIREMENT, room.FOLDER)
    transformers.logging.set_verbosity_error()  # 8 unexpected weights: pooler and the classifiers
    reference = transformers.BertForMaskedLM.from_pretrained(source).eval()
    batch = antiberty.collate([antiberty.prepare(record) for record in human_heavy[:2]])
    with torch.no_grad():
        hidden = reference(**batch.inputs, output_hidden_states=True).hidden_states
    rows = antiberty.capture(batch, antiberty.sites)
    for index, site in enumerate(antiberty.sites):
        assert relative_l2(hidden[index + 1][batch.mask], rows[site]) < 1e-6


def test_truncated_weights_are_one_line(copy):
    source = packages.shipped("antiberty", room.REQUIREMENT, room.FOLDER) / "pytorch_model.bin"
    with source.open("rb") as file:
        (copy / "pytorch_model.bin").write_bytes(file.read(1_000_000))
    with pytest.raises(SeqsaeError) as caught:
        room.open(copy)
    assert f"{copy / 'pytorch_model.bin'}: cannot be read as weights" in str(caught.value)
    (copy / "pytorch_model.bin").unlink()
    with pytest.raises(SeqsaeError, match="no weights there"):
        room.open(copy)


def test_wrong_folder_and_missing_package(tmp_path, monkeypatch):
    with pytest.raises(SeqsaeError, match=r"no config\.json there"):
        room.open(tmp_path)
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    with pytest.raises(SeqsaeError, match=r"pip install --no-deps antiberty==0\.1\.3$"):
        room.open()
