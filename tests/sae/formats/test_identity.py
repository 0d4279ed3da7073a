"""What an imported SAE is allowed to encode: the activations that it was trained on, as far as numbers can tell."""

import json

import numpy as np
import polars as pl
import pytest
import torch
from sae.formats.cases import CASES, saelens
from sae.formats.formulas import rows, weights
from safetensors.torch import save_file

from seqsae import shelf
from seqsae.activations.store import Store
from seqsae.errors import SeqsaeError
from seqsae.features.encoding import encode
from seqsae.features.placing import principal
from seqsae.sae import checkpoint, formats
from seqsae.sae.base import Recipe, build
from seqsae.sae.quality.metrics import measure
from seqsae.sae.room import load_sae, train

D = 32
MODEL = {"name": "lives", "fingerprint": "f" * 16, "attention": "causal", "vocabulary_hash": None}


def layers(n: int = 2400) -> dict[str, torch.Tensor]:
    """Three layers as of a transformer: each adds directions of its own to what it was given; and one of another model."""
    draw = np.random.default_rng(0)
    x, found = np.zeros((n, D)), {}
    for layer in range(3):
        directions = draw.normal(size=(48, D))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        active = (draw.random((n, 48)) < 0.05) * draw.uniform(1, 2, (n, 48))
        x = x + active @ directions + 0.3 * draw.normal(size=D)
        found[f"layers.{layer}"] = torch.from_numpy(x).float()
    found["narrow"] = torch.from_numpy(x[:, :5]).float().contiguous()
    return found


def store_of(folder, sites: dict[str, torch.Tensor], samples: int = 24) -> Store:
    """A store with several sites, 100 rows a sample."""
    n = len(next(iter(sites.values()))) // samples
    place = np.tile(np.arange(n, dtype=np.uint32), samples)
    names = [f"s{i}" for i in range(samples)]
    index = pl.Series(range(samples), dtype=pl.UInt32)
    nothing = pl.Series([None] * samples, dtype=pl.Datetime("us"))
    tables = {
        "samples": {
            "sample": index,
            "subject": index,
            "prediction_time": nothing,
            "n_rows": pl.Series([n] * samples, dtype=pl.UInt32),
        },
        "subjects": {"subject": index, "subject_id": names, "dataset": ["d"] * samples, "cluster": names},
        "splits": {"subject": index, "split": ["train", "train", "select", "test"] * (samples // 4)},
    }
    total = n * samples
    columns = {
        "row": np.arange(total, dtype=np.int64),
        "sample": np.repeat(np.arange(samples, dtype=np.uint32), n),
        **{"event": place, "position": place},
        "time": pl.Series([None] * total, dtype=pl.Datetime("us")),
        **{"token": ["a", "b"] * (total // 2), "role": ["token"] * total},
    }
    table = pl.DataFrame(columns)

    def write(work):
        for name, one in tables.items():
            pl.DataFrame(one).write_parquet(work / f"{name}.parquet")
        table.write_parquet(work / "rows-00000.parquet")
        for site, x in sites.items():
            (work / site).mkdir()
            save_file({"activations": x[:total].clone()}, work / site / "shard-00000.safetensors")

    config = {"sites": list(sites), "shard_samples": samples, "model": MODEL}
    return Store(
        shelf.stage(folder / "activations" / "full", "activations", config, {"rows": shelf.hash_table(table)}, write)
    )


@pytest.fixture(scope="module")
def acts(tmp_path_factory):
    return store_of(tmp_path_factory.mktemp("run"), layers())


@pytest.fixture(scope="module")
def foreign(acts, tmp_path_factory):
    """A SAELens folder of an SAE that was trained on layers.1 and does not say so."""
    [sae] = train(acts.read("layers.1", np.arange(acts.n_rows)), "topk", width=96, k=4, seeds=1, steps=200, batch=128)
    path = tmp_path_factory.mktemp("foreign") / "sae"
    formats.write(sae, path, "saelens")
    return path


def imported(foreign, folder, **options):
    formats.convert(foreign, folder / "runs" / "sae" / "foreign", "seqsae", **options)
    return load_sae(folder / "runs" / "sae" / "foreign")


def test_it_is_marked_so_with_what_its_files_were_and_said(foreign, tmp_path):
    sae = imported(foreign, tmp_path)
    document = json.loads((tmp_path / "runs" / "sae" / "foreign" / "config.json").read_text())
    assert document["inputs"] == {"model": None, "fingerprint": None, "site": None}
    assert document["imported"]["format"] == "saelens"
    assert document["imported"]["files"] == {
        name: shelf.sha256(foreign / name) for name in ("cfg.json", "sae_weights.safetensors")
    }
    assert document["imported"]["said"] == {"training_architecture": "topk", "seqsae": {}}
    assert sae.identity["imported"] == document["imported"] and document["training_data"] is None


def test_it_asks_for_a_site(foreign, acts, tmp_path):
    with pytest.raises(
        SeqsaeError, match="imported from saelens, does not say what it reads; give site=, one of layers.0, layers.1"
    ):
        encode(imported(foreign, tmp_path), acts, out=tmp_path)


def test_at_the_right_site_it_encodes(foreign, acts, tmp_path, capsys):
    sae = imported(foreign, tmp_path)
    codes = encode(sae, acts, site="layers.1", out=tmp_path)
    assert codes.site == "layers.1" and codes.matrix.shape == (acts.n_rows, 96)
    again = load_sae(tmp_path / "runs" / "sae" / "foreign")
    assert encode(again, acts, site="layers.1", out=tmp_path).artefact.hash == codes.artefact.hash
    told = encode(imported(foreign, tmp_path / "told", site="layers.1", model="lives"), acts, out=tmp_path / "told")
    assert (told.matrix != codes.matrix).nnz == 0


def test_at_a_wrong_layer_it_is_refused_with_both_numbers(foreign, acts, tmp_path):
    for wrong in ("layers.0", "layers.2"):
        words = rf"leaves a share of \d\.\d\d of the variance of {wrong} unexplained, but 0\.\d\d of that of layers.1; give site='layers.1'"
        with pytest.raises(SeqsaeError, match=words):
            encode(imported(foreign, tmp_path / wrong), acts, site=wrong, out=tmp_path)
    assert not (tmp_path / "features").exists()


def test_on_activations_of_another_model_it_is_refused_with_the_numbers(foreign, acts, tmp_path):
    """The same rows in another basis: what an independently trained model of the same width would have."""
    basis = torch.linalg.qr(torch.randn(D, D, generator=torch.Generator().manual_seed(0)))[0]
    other = store_of(tmp_path / "other", {"layers.1": acts.read("layers.1", np.arange(acts.n_rows)).float() @ basis})
    words = (
        r"leaves a share of [01]\.\d\d of the variance of layers.1 unexplained on 2,400 rows, where 4 principal components leave "
        r"0\.\d\d: it was not trained on such activations"
    )
    with pytest.raises(SeqsaeError, match=words):
        encode(imported(foreign, tmp_path), other, site="layers.1", out=tmp_path)
    still = store_of(tmp_path / "still", {"layers.1": torch.ones(2400, D)})
    with pytest.raises(SeqsaeError, match="a share of inf of the variance"):
        encode(load_sae(tmp_path / "runs" / "sae" / "foreign"), still, site="layers.1", out=tmp_path)


def test_a_sparse_sae_that_beats_as_many_principal_components_is_let_through(tmp_path):
    """One latent a row explains little anywhere; that is no sign of a wrong site."""
    x = torch.randn(2400, D, generator=torch.Generator().manual_seed(3))
    site = store_of(tmp_path / "one", {"layers.0": x})
    sae = build(Recipe("topk", D, 96, 1, "none"))
    formats.write(sae, tmp_path / "foreign", "saelens")
    values = np.linalg.eigvalsh(np.cov(x.double().numpy().T))
    plain = 1 - values[-1] / values.sum()
    assert principal(x, 1) == pytest.approx(plain) and 0.7 < measure(sae, [x]).fvu < plain
    encode(imported(tmp_path / "foreign", tmp_path), site, site="layers.0", out=tmp_path)


def test_at_a_site_of_another_width_or_one_that_is_not_there_it_is_refused(foreign, acts, tmp_path):
    sae = imported(foreign, tmp_path)
    with pytest.raises(SeqsaeError, match="reads rows of width 32, those of narrow have 5"):
        encode(sae, acts, site="narrow", out=tmp_path)
    with pytest.raises(SeqsaeError, match="holds no site 'layers.9'; it has layers.0"):
        encode(sae, acts, site="layers.9", out=tmp_path)
    told = imported(foreign, tmp_path / "b", site="layers.1")
    with pytest.raises(SeqsaeError, match="was imported for site 'layers.1', 'layers.0' was given"):
        encode(told, acts, site="layers.0", out=tmp_path)


def test_one_of_our_own_needs_no_site_and_takes_no_other(acts, tmp_path):
    [sae] = train(acts, "topk", site="layers.0", width=24, k=4, seeds=1, steps=30, batch=64, out=tmp_path)
    assert encode(sae, acts, out=tmp_path).site == "layers.0"
    assert encode(sae, acts, site="layers.0", out=tmp_path).site == "layers.0"
    with pytest.raises(SeqsaeError, match="this SAE was trained on layers.0, 'layers.1' was given; leave site out"):
        encode(sae, acts, site="layers.1", out=tmp_path)


def test_one_of_our_own_that_went_through_another_tool_still_knows_what_it_reads(acts, tmp_path):
    [sae] = train(acts, "topk", site="layers.0", width=24, k=4, seeds=1, steps=30, batch=64, out=tmp_path)
    formats.write(sae, tmp_path / "out", "saelens")
    back = formats.read(tmp_path / "out")
    assert back.identity["inputs"] == sae.identity["inputs"]
    checkpoint.check_identity(back, model="lives", fingerprint="f" * 16, site="layers.0")
    with pytest.raises(SeqsaeError, match="give the activations it was trained on"):
        checkpoint.check_identity(back, model="lives", fingerprint="0" * 16, site="layers.0")
    (tmp_path / "said").mkdir()
    known = {"sae_lens_version": "6.54.12", "seqsae": {"model": "lives", "fingerprint": 3, "site": "layers.0"}}
    odd = formats.read(saelens(tmp_path / "said", weights(), metadata=known))
    assert odd.identity["inputs"] == {"model": None, "fingerprint": None, "site": None}


def test_load_sae_of_a_foreign_folder_says_how_to_convert_it(tmp_path):
    for name in (
        "saelens_topk",
        "sparsify_layer",
        "dictionary_learning_topk",
        "openai_topk",
        "esmc_one_layer",
        "interprot_safetensors",
    ):
        folder = tmp_path / name
        folder.mkdir()
        path, _, _ = CASES[name](folder, weights(), rows(4))
        format_ = name.rpartition("_")[0] if "learning" in name else name.partition("_")[0]
        with pytest.raises(SeqsaeError) as caught:
            load_sae(path)
        words = f"{path}: an SAE of {format_}, not of seqsae; convert it first: seqsae convert {path} NEW --to seqsae"
        assert str(caught.value) == words


def test_a_checkpoint_of_before_imports_is_still_read(acts, tmp_path):
    [sae] = train(acts, "topk", site="layers.0", width=24, k=4, seeds=1, steps=30, batch=64, out=tmp_path)
    folder = sae.artefact.path
    document = json.loads((folder / "config.json").read_text())
    assert document.pop("imported") is None
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "config.json").write_text(json.dumps(document))
    (tmp_path / "old" / "sae.safetensors").write_bytes((folder / "sae.safetensors").read_bytes())
    assert checkpoint.load(tmp_path / "old").identity["imported"] is None
