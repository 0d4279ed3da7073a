"""Files that are damaged or mean harm: each refused with one line that names the file, nothing run, nothing written."""

import json
import os
import pickle
import random
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from sae.formats import stand_ins
from sae.formats.cases import CASES, chosen, dictionary, esmc, interplm, linear, openai, pickled, saelens, sparsify
from sae.formats.formulas import D, F, K, rows, tensor, weights
from safetensors.torch import load_file, save_file

from seqsae.errors import SeqsaeError
from seqsae.sae import formats
from seqsae.sae.formats.opcodes import Handlers, Refused
from seqsae.sae.formats.opcodes import read as read_pickle
from seqsae.sae.formats.torchfile import load

MARK = "hacked"  # what the harmful files would leave behind


class Harm:
    """Unpickled, it runs a command."""

    def __reduce__(self):
        return os.system, (f"touch {MARK}",)


class Builtin:
    """Unpickled, it evaluates code."""

    def __reduce__(self):
        return eval, (f"open({MARK!r}, 'w')",)


@pytest.fixture
def w():
    return weights()


@pytest.fixture(autouse=True)
def nothing_runs(tmp_path, monkeypatch):
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    yield
    assert list((tmp_path / "cwd").iterdir()) == []


def refused(path, words, **options):
    with pytest.raises(SeqsaeError, match=words) as caught:
        formats.read(path, **options)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600
    return str(caught.value)


def test_the_harm_would_be_done_by_a_plain_unpickler(tmp_path):
    """The proof that the tests below can fail."""
    torch.save({"a": Harm()}, tmp_path / "a.pt")
    torch.load(tmp_path / "a.pt", weights_only=False)
    assert Path(MARK).exists()
    Path(MARK).unlink()


PICKLED = {
    "in place of a tensor": lambda w, p: torch.save(linear(w, bias=Harm()), p),
    "the whole file": lambda w, p: torch.save(Harm(), p),
    "beside the tensors": lambda w, p: torch.save(linear(w, bias=tensor(w.b_dec), more=[{"a": Builtin()}]), p),
    "in a list of keys": lambda w, p: torch.save({(Harm(),): 1}, p),
    "as a training's backup": lambda w, p: torch.save({"step": 1, "ae": linear(w), "optimizer": Harm()}, p),
    "protocol 4": lambda w, p: torch.save({"a": Harm()}, p, pickle_protocol=4),
    "a bare pickle": lambda w, p: p.write_bytes(pickle.dumps(Harm())),
    "torch before 1.6": lambda w, p: torch.save({"a": Harm()}, p, _use_new_zipfile_serialization=False),
}


@pytest.mark.parametrize("case", PICKLED)
@pytest.mark.parametrize("name", ["dictionary_learning", "interplm", "openai", "overcomplete", "interprot"])
def test_pickled_code_is_not_run(case, name, w, tmp_path):
    path = tmp_path / ("a.ckpt" if name == "interprot" else "a.pt")
    PICKLED[case](w, path)
    options = {"k": 3} if name == "interprot" else {}
    message = refused(path, "a.pt: |a.ckpt: ", format=name, **options)
    assert "bare" in case or "before" in case or "system" in message or "eval" in message
    formats.detected(path)  # looking at it runs nothing either


def test_code_in_a_whole_module_is_not_run_though_its_class_is_known(w, tmp_path):
    def build(names):
        made = stand_ins.sae(names.TopKSAE(), stand_ins.encoder(names, w), stand_ins.dictionary(names, w), top_k=K)
        made.device = Harm()
        return made

    path = pickled(tmp_path, build)
    assert "posix.system" in refused(
        path, "its pickle asks for posix.system, which is neither a tensor nor a plain container"
    )


def test_a_yaml_with_code_in_it_is_never_read(w, tmp_path):
    interplm(tmp_path, linear(w, bias=tensor(w.b_dec)))
    assert "os.system" in (tmp_path / "config.yaml").read_text()
    formats.read(tmp_path)


def _handlers():
    def refuse(*what):
        raise Refused(f"asked for {what}")

    return Handlers(refuse, refuse, refuse)


PICKLES = {
    "a name": b"cposix\nsystem\n.",
    "an old instance": b"(S'touch hacked'\niposix\nsystem\n.",
    "an extension": b"\x82\x01.",
    "a huge memo": b"\x80\x02Nr\xff\xff\xff\x7f.",
    "a huge frame": b"\x80\x05\x95\xff\xff\xff\xff\xff\xff\xff\x7fN.",
    "a huge bytearray": b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7f.",
    "nothing": b"",
    "no end": b"\x80\x02}",
    "an empty stack": b"\x80\x02.",
    "a tuple of too few": b"\x80\x02N\x87.",
    "a list as a key": b"\x80\x02}]Ns.",
    "state for a list": b"\x80\x02]}b.",
    "an append to a dict": b"\x80\x02}Na.",
    "garbage": b"\xff\xfe",
}


@pytest.mark.parametrize("case", PICKLES)
def test_opcodes_that_no_checkpoint_needs_are_refused(case):
    try:
        found = read_pickle(PICKLES[case], _handlers())
    except Refused:
        return
    assert found is None and case in ("a huge memo", "a huge frame")  # harmless here: nothing is set aside for them


def test_a_truncated_or_altered_torch_file_is_refused_or_read_never_anything_else(w, tmp_path):
    torch.save(linear(w, bias=tensor(w.b_dec)), tmp_path / "a.pt")
    whole, draw = (tmp_path / "a.pt").read_bytes(), random.Random(0)
    broken = tmp_path / "b.pt"
    for _ in range(300):
        data = bytearray(whole[: draw.randrange(len(whole))] if draw.random() < 0.3 else whole)
        for _ in range(draw.randrange(1, 6)):
            if data:
                data[draw.randrange(len(data))] = draw.randrange(256)
        broken.write_bytes(data)
        try:
            load(broken)
        except SeqsaeError as error:
            assert str(broken) in str(error) and "\n" not in str(error)


def _rewrite(path: Path, change) -> None:
    """The zip again, its entries as `change(name, bytes)` gives them."""
    with zipfile.ZipFile(path) as old:
        entries = {info.filename: old.read(info.filename) for info in old.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as new:
        for name, data in entries.items():
            new.writestr(name, change(name, data))


def _claim(path: Path, shape: tuple, stride: tuple) -> None:
    """A tensor of a few numbers that claims another shape."""
    torch.save({"bias": torch.arange(4.0).reshape(1, 4)}, path)
    pattern = b"K\x01K\x04\x86q"  # size (1, 4)
    encode = {True: lambda n: b"K" + bytes([n]), False: lambda n: b"J" + struct.pack("<i", n)}

    def change(name, data):
        if not name.endswith("data.pkl"):
            return data
        size = b"".join(encode[n < 256](n) for n in shape)
        steps = b"".join(encode[n < 256](n) for n in stride)
        at = data.index(pattern)
        memo = data[at + 6 : at + 7]
        rest = data[at + 7 :]
        assert rest.startswith(b"K\x04K\x01\x86")
        return data[:at] + size + b"\x86q" + memo + steps + b"\x86" + rest[5:]

    _rewrite(path, change)


@pytest.mark.parametrize(
    ("shape", "stride"), [((2**30, 2**30), (0, 0)), ((2**30, 2**30), (1, 1)), ((2, 4), (4, 1)), ((1, 4), (4, 2))]
)
def test_a_shape_that_claims_more_than_is_stored_is_refused_before_memory_is_set_aside(shape, stride, tmp_path):
    _claim(tmp_path / "a.pt", shape, stride)
    with pytest.raises(SeqsaeError, match=r"a tensor of shape \[.*\] claims more than the 4 numbers stored for it"):
        load(tmp_path / "a.pt")


def test_a_compressed_zip_is_refused_unopened(tmp_path):
    """A bomb: a thousandth of what it unfolds to."""
    with zipfile.ZipFile(tmp_path / "a.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\x80\x02}." + bytes(10_000_000))
    with pytest.raises(SeqsaeError, match="a.pt: it is a compressed zip, torch.save compresses nothing"):
        load(tmp_path / "a.pt")


def test_a_zip_whose_entries_overlap_is_refused(tmp_path):
    path = tmp_path / "a.pt"
    torch.save({"a": torch.ones(1000), "b": torch.ones(1000) * 2}, path)
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        sizes = [info.file_size for info in archive.infolist() if info.file_size == 4000]
    assert len(sizes) == 2
    path.write_bytes(data.replace(struct.pack("<II", 4000, 4000), struct.pack("<II", 900_000, 900_000)))
    with pytest.raises(SeqsaeError, match="a.pt: "):
        load(path)


def test_storages_that_are_missing_or_cut_are_refused(tmp_path):
    path = tmp_path / "a.pt"
    torch.save({"a": torch.ones(10)}, path)
    _rewrite(path, lambda name, data: data[:-3] if "/data/" in name else data)
    with pytest.raises(SeqsaeError, match="the bytes of .*data/0 are cut"):
        load(path)
    torch.save({"a": torch.ones(10)}, path)
    _rewrite(path, lambda name, data: data[:-4] if "/data/" in name else data)
    with pytest.raises(SeqsaeError, match="storage 0 holds 9 numbers where the pickle claims 10"):
        load(path)


def _config(folder, name, **changes):
    document = {**json.loads((folder / name).read_text()), **changes}
    (folder / name).write_text(json.dumps({key: value for key, value in document.items() if value != "absent"}))


def _tensors(folder, name, **changes):
    tensors = {**load_file(folder / name), **changes}
    save_file({key: value for key, value in tensors.items() if value is not None}, folder / name)


def _pt(folder, name, **changes):
    state = {**torch.load(folder / name), **changes}
    torch.save({key: value for key, value in state.items() if value is not None}, folder / name)


def _cut(path, share=0.5):
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


def _then(made, change):
    change(made)
    return made


BROKEN = {
    # SAELens
    "cut weights": (
        lambda w, p: _then(saelens(p, w), lambda f: _cut(f / "sae_weights.safetensors")),
        "sae_weights.safetensors: not a whole safetensors file",
    ),
    "no weights at all": (
        lambda w, p: _then(saelens(p, w), lambda f: (f / "sae_weights.safetensors").write_bytes(b"")),
        "sae_weights.safetensors: not a whole safetensors file",
    ),
    "a header that claims gigabytes": (
        lambda w, p: _then(
            saelens(p, w), lambda f: (f / "sae_weights.safetensors").write_bytes(struct.pack("<Q", 2**40) + b"{}")
        ),
        "sae_weights.safetensors: not a whole safetensors file",
    ),
    "a shape that claims gigabytes": (
        lambda w, p: _then(saelens(p, w), lambda f: _huge(f / "sae_weights.safetensors")),
        "sae_weights.safetensors: not a whole safetensors file",
    ),
    "weights are a folder": (
        lambda w, p: _then(
            saelens(p, w), lambda f: [(f / "sae_weights.safetensors").unlink(), (f / "sae_weights.safetensors").mkdir()]
        ),
        "sae_weights.safetensors: not a file",
    ),
    "weights are a pipe": (
        lambda w, p: _then(
            saelens(p, w),
            lambda f: [(f / "sae_weights.safetensors").unlink(), os.mkfifo(f / "sae_weights.safetensors")],
        ),
        "sae_weights.safetensors: not a file",
    ),
    "weights are the zero device": (
        lambda w, p: _then(
            saelens(p, w),
            lambda f: [
                (f / "sae_weights.safetensors").unlink(),
                (f / "sae_weights.safetensors").symlink_to("/dev/zero"),
            ],
        ),
        "sae_weights.safetensors: not a file",
    ),
    "half a config": (
        lambda w, p: _then(saelens(p, w), lambda f: _cut(f / "cfg.json")),
        "cfg.json: not a JSON document",
    ),
    "a config of lists within lists": (
        lambda w, p: _then(saelens(p, w), lambda f: (f / "cfg.json").write_text("[" * 200_000)),
        "cfg.json: not a JSON document",
    ),
    "a config that is a list": (
        lambda w, p: _then(saelens(p, w), lambda f: (f / "cfg.json").write_text("[1]")),
        "cfg.json: a JSON list",
    ),
    "d_in is a word": (lambda w, p: saelens(p, w, d_in="6"), "cfg.json: d_in is '6', not a whole number"),
    "d_in is true": (lambda w, p: saelens(p, w, d_in=True), "cfg.json: d_in is True, not a whole number"),
    "no d_sae": (
        lambda w, p: _then(saelens(p, w), lambda f: _config(f, "cfg.json", d_sae="absent")),
        "cfg.json: d_sae is None",
    ),
    "d_sae of another SAE": (lambda w, p: saelens(p, w, d_sae=99), r"W_enc is \[6, 20\] where \[d, F\] is \[6, 99\]"),
    "d_sae is huge": (lambda w, p: saelens(p, w, d_sae=10**18), r"W_enc is \[6, 20\] where"),
    "k above the width": (lambda w, p: saelens(p, w, architecture="topk", k=21), "k is 21 with 20 latents"),
    "k is 0": (lambda w, p: saelens(p, w, architecture="topk", k=0), "cfg.json: k is 0, not a whole number >= 1"),
    "architecture is a list": (lambda w, p: saelens(p, w, architecture=["topk"]), "architecture is .*, not a word"),
    "apply_b_dec_to_input is a number": (
        lambda w, p: saelens(p, w, apply_b_dec_to_input=1),
        "is 1, neither true nor false",
    ),
    "NaN weights": (
        lambda w, p: saelens(p, w, {"b_enc": torch.full((F,), torch.nan)}),
        "sae_weights.safetensors: b_enc holds NaN or infinite values",
    ),
    "infinite weights": (
        lambda w, p: saelens(p, w, {"W_dec": torch.full((F, D), torch.inf)}),
        "sae_weights.safetensors: W_dec holds NaN or infinite values",
    ),
    "whole numbers for weights": (
        lambda w, p: saelens(p, w, {"W_dec": torch.ones(F, D, dtype=torch.int64)}),
        "W_dec holds int64, not real numbers",
    ),
    "transposed": (
        lambda w, p: saelens(p, w, {"W_dec": tensor(w.W_dec.T)}),
        r"W_dec is \[6, 20\] where \[F, d\] is \[20, 6\]",
    ),
    "a tensor is missing": (lambda w, p: saelens(p, w, {"b_dec": None}), "no tensor 'b_dec', it holds 'b_enc'"),
    "a tensor more": (
        lambda w, p: saelens(p, w, {"W_skip": torch.ones(D, D)}),
        "unknown tensor 'W_skip', which may change",
    ),
    "a scaling factor": (
        lambda w, p: saelens(p, w, {"scaling_factor": 2 * torch.ones(F)}),
        "a scaling_factor other than 1",
    ),
    "an empty SAE": (
        lambda w, p: saelens(
            p, w, {"W_enc": torch.ones(D, 0), "W_dec": torch.ones(0, D), "b_enc": torch.ones(0)}, d_sae=20
        ),
        r"W_enc is \[6, 0\] where",
    ),
    **{
        f"architecture {name}": (
            lambda w, p, name=name: saelens(p, w, architecture=name),
            f"cfg.json: architecture '{name}' has no counterpart here; those that can be imported are standard, gated",
        )
        for name in (
            "transcoder",
            "skip_transcoder",
            "jumprelu_transcoder",
            "temporal",
            "matching_pursuit",
            "abstopk",
            "tanh",
        )
    },
    "an unknown preparation of rows": (
        lambda w, p: saelens(p, w, normalize_activations="batch_norm"),
        "normalize_activations 'batch_norm' has no counterpart here",
    ),
    "another reshaping": (
        lambda w, p: saelens(p, w, reshape_activations="x"),
        "reshape_activations 'x' has no counterpart",
    ),
    "scaled beyond float32": (
        lambda w, p: _then(
            saelens(p, w, {"W_dec": tensor(w.W_dec * 1e20)}, normalize_activations="expected_average_only_in"),
            lambda f: (f / "activation_scaler.json").write_text('{"scaling_factor": 1e-30}'),
        ),
        "W_dec is too large for float32 once scaled",
    ),
    "scaled by an unknown factor": (
        lambda w, p: saelens(p, w, normalize_activations="expected_average_only_in"),
        "activations were scaled to a mean length and no activation_scaler.json says by what; give --scale",
    ),
    "a fine-tuning factor before version 6": (
        lambda w, p: saelens(p, w, metadata={}, finetuning_scaling_factor=True),
        "a finetuning_scaling_factor has no counterpart here",
    ),
    "another activation before version 6": (
        lambda w, p: saelens(p, w, metadata={}, activation_fn_str="tanh-relu"),
        "activation 'tanh-relu' has no counterpart here",
    ),
    # sparsify
    "a run of several hookpoints": (
        lambda w, p: _then(p, lambda f: [sparsify(f / f"layers.{i}", w) for i in (0, 1)]),
        "holds several SAEs .layers.0, layers.1.; give the folder of one of them",
    ),
    "a hookpoint of several seeds": (
        lambda w, p: _then(p, lambda f: [sparsify(f / f"seed{i}", w) for i in (0, 1)]),
        "holds several SAEs .seed0, seed1.; give",
    ),
    "groupmax": (lambda w, p: sparsify(p, w, activation="groupmax"), "activation 'groupmax' has no counterpart here"),
    "a transcoder": (lambda w, p: sparsify(p, w, transcode=True), "cfg.json: a transcoder has no counterpart here"),
    "a skip connection": (
        lambda w, p: sparsify(p, w, skip_connection=True),
        "an SAE with a skip connection has no counterpart",
    ),
    "an option of an older version": (
        lambda w, p: sparsify(p, w, signed=True),
        "unknown option 'signed' .True., which may change",
    ),
    "num_latents and expansion_factor both 0": (
        lambda w, p: sparsify(p, w, num_latents=0, expansion_factor=0),
        "expansion_factor is 0, not a whole number >= 1",
    ),
    "num_latents 0 and weights of another width": (
        lambda w, p: sparsify(p, w, num_latents=0),
        r"where \[F, d\] is \[192, 6\]",
    ),
    # dictionary_learning
    "a class without counterpart": (
        lambda w, p: dictionary(p, "CrossCoder", linear(w)),
        "dict_class 'CrossCoder' has no counterpart here; those that can be imported are AutoEncoder, ",
    ),
    "a class as a list": (lambda w, p: dictionary(p, ["x"], linear(w)), "dict_class .* has no counterpart here"),
    "no trainer": (
        lambda w, p: _then(dictionary(p, "AutoEncoder", linear(w)), lambda f: (f / "config.json").write_text("{}")),
        "config.json: no 'trainer' in it",
    ),
    "another class than the config says": (
        lambda w, p: dictionary(p, "GatedAutoEncoder", linear(w, bias=tensor(w.b_dec))),
        "ae.pt: no tensor 'r_mag'|ae.pt: no tensor 'gate_bias'|ae.pt: no tensor 'decoder_bias'",
    ),
    "another k than the config says": (
        lambda w, p: dictionary(p, "BatchTopKSAE", chosen(w, 0.5), k=9),
        "k is 3 where config.json says 9",
    ),
    "topk or batchtopk": (
        lambda w, p: _then(dictionary(p, "BatchTopKSAE", chosen(w, 0.5)), lambda f: (f / "config.json").unlink()),
        "its tensors do not tell which class it is; give --architecture, one of topk, batchtopk",
    ),
    "several trainers": (
        lambda w, p: _then(p, lambda f: [dictionary(f / f"trainer_{i}", "AutoEncoder", {}) for i in (0, 1)]),
        "holds several SAEs .trainer_0, trainer_1.; give",
    ),
    "a list for a state dict": (lambda w, p: dictionary(p, "AutoEncoder", [1, 2]), "ae.pt: holds no state dict"),
    "numbers for tensors": (
        lambda w, p: dictionary(p, "AutoEncoder", linear(w, bias=3.0)),
        "ae.pt: 'bias' is a float, not a named tensor",
    ),
    "names that no terminal should print": (
        lambda w, p: dictionary(p, "AutoEncoder", linear(w, bias=tensor(w.b_dec)) | {"\x1b[31m\n": torch.ones(1)}),
        r"unknown tensor '.x1b.31m.n', which",
    ),
    "numbers for names": (lambda w, p: dictionary(p, "AutoEncoder", {1: torch.ones(2)}), "ae.pt: holds no state dict"),
    "k that is no number": (
        lambda w, p: dictionary(p, "BatchTopKSAE", chosen(w, 0.5) | {"k": torch.tensor(2.5)}),
        "k holds float32, not whole numbers",
    ),
    "groups that do not sum to the width": (
        lambda w, p: _pt_groups(p, w),
        r"its groups \[4, 6, 11\] do not sum to 20 latents",
    ),
    "a norm factor of 0": (
        lambda w, p: dictionary(
            p, "AutoEncoder", {"step": 1, "ae": linear(w, bias=tensor(w.b_dec)), "norm_factor": 0.0}
        ),
        "norm_factor is 0.0, not a number from 1e-30 to 1e.30",
    ),
    # openai
    "an activation without counterpart": (
        lambda w, p: openai(p / "a.pt", w, activation="Identity"),
        "activation 'Identity' has no counterpart here",
    ),
    "a topk of anything but relu": (
        lambda w, p: openai(p / "a.pt", w, activation="TopK", activation_state_dict={"k": 3, "postact_fn": "Identity"}),
        "'Identity' after the topk has no counterpart here",
    ),
    "a topk without k": (
        lambda w, p: openai(p / "a.pt", w, activation="TopK", activation_state_dict={}),
        "how many latents are active a row stands nowhere in it; give --k",
    ),
    # InterPLM
    "rows brought to length sqrt(d)": (
        lambda w, p: _then(
            interplm(p, linear(w, bias=tensor(w.b_dec))),
            lambda f: _pt(f, "ae.pt", normalize_to_sqrt_d=torch.tensor(True)),
        ),
        r"it brings each row to length sqrt\(d\), which has no counterpart here",
    ),
    "a TopKSAE or a BatchTopKSAE": (
        lambda w, p: interplm(p, chosen(w, 0.5)),
        "its tensors are those of a TopKSAE and of a BatchTopKSAE; give --architecture topk or batchtopk",
    ),
    "normalised and unnormalised in one folder": (
        lambda w, p: _then(
            interplm(p, linear(w, bias=tensor(w.b_dec)), name="ae_normalized.pt", era=1),
            lambda f: torch.save(linear(w, bias=tensor(w.b_dec)), f / "ae_unnormalized.pt"),
        ),
        "holds ae_normalized.pt and ae_unnormalized.pt; give the file that is meant",
    ),
    # InterProt and ESM C
    "interprot without k": (
        lambda w, p: CASES["interprot_safetensors"](p, w, rows(4))[0],
        "how many latents are active a row stands nowhere in it; give --k",
    ),
    "several layers": (
        lambda w, p: esmc(p, w, layers=(4, 10, 9)),
        "holds several layers; give --layer, one of 4, 9, 10",
    ),
    "an option of esmc's that is not known": (
        lambda w, p: esmc(p, w, gating=True),
        "config.json: unknown option 'gating'",
    ),
    "a wrong codebook_dim": (
        lambda w, p: esmc(p, w, codebook_dim=21),
        r"W_enc is \[6, 20\] where \[d, F\] is \[6, 21\]",
    ),
    # overcomplete
    "a state dict that says too little": (
        lambda w, p: CASES["overcomplete_state_dict_of_a_plain_one"](p, w, rows(4))[0],
        "a state dict does not say which class it was of; give --k for a TopKSAE, --architecture relu",
    ),
    "a QSAE": (
        lambda w, p: pickled(p, lambda n: stand_ins.sae(n.QSAE(), stand_ins.encoder(n, w), stand_ins.dictionary(n, w))),
        "a QSAE has no counterpart here; those that can be imported are SAE, TopKSAE",
    ),
    "an encoder of several layers": (
        lambda w, p: pickled(
            p,
            lambda n: stand_ins.sae(
                n.TopKSAE(), stand_ins.encoder(n, w, torch.nn.LayerNorm), stand_ins.dictionary(n, w), top_k=3
            ),
        ),
        "its encoder .MLPEncoder. is not one linear map and a relu",
    ),
    "a running threshold that was never set": (
        lambda w, p: pickled(
            p, lambda n: stand_ins.sae(n.BatchTopKSAE(), stand_ins.encoder(n, w), stand_ins.dictionary(n, w), top_k=3)
        ),
        "its running threshold was never set",
    ),
    "a module within itself": (
        lambda w, p: pickled(p, lambda n: _loop(n, w)),
        "modules within modules without end",
    ),
    # none of them
    "an empty folder": (lambda w, p: p, "looks like none of them; formats are saelens, sparsify"),
    "nothing there": (lambda w, p: p / "nowhere", "is not there; formats are saelens, sparsify"),
}


def _huge(path):
    header = json.dumps({"W_enc": {"dtype": "F32", "shape": [2**30, 2**30], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))


def _pt_groups(folder, w):
    path = CASES["dictionary_learning_matryoshka"](folder, w, rows(4))[0]
    _pt(path, "ae.pt", group_sizes=torch.tensor([4, 6, 11]))
    return path


def _loop(names, w):
    made = stand_ins.sae(names.SAE(), stand_ins.encoder(names, w), stand_ins.dictionary(names, w))
    made.encoder._modules["again"] = made.encoder
    return made


@pytest.mark.parametrize("case", BROKEN)
def test_what_cannot_be_read_is_refused_with_one_line(case, w, tmp_path):
    build, words = BROKEN[case]
    folder = tmp_path / "sae"
    folder.mkdir()
    path = build(w, folder)
    message = refused(path, words)
    assert str(tmp_path) in message and ";" in message


def test_options_that_a_format_has_no_use_for_are_refused(w, tmp_path):
    refused(sparsify(tmp_path / "a", w), "sparsify: its files need no k; options of this format: none", k=4)
    (tmp_path / "b").mkdir()
    refused(
        CASES["interplm_topk"](tmp_path / "b", w, rows(4))[0],
        "a topk chooses among unscaled codes",
        architecture="topk",
        scaled=True,
    )
    refused(tmp_path / "a", "no format named 'saelense'; choose one of saelens, sparsify", format="saelense")


def test_links_to_files_are_followed_as_download_caches_have_them(w, tmp_path):
    sparsify(tmp_path / "blobs", w)
    (tmp_path / "snapshot").mkdir()
    for name in ("cfg.json", "sae.safetensors"):
        (tmp_path / "snapshot" / name).symlink_to(tmp_path / "blobs" / name)
    assert formats.read(tmp_path / "snapshot").k == K


def test_nothing_is_overwritten_and_nothing_is_left(w, tmp_path):
    sae = formats.read(sparsify(tmp_path / "a", w))
    before = {path: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    with pytest.raises(SeqsaeError, match="already there; give another path, nothing is overwritten"):
        formats.write(sae, tmp_path / "a", "saelens")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(SeqsaeError, match="link: already there"):
        formats.write(sae, tmp_path / "link", "saelens")
    assert {path: path.read_bytes() for path in (tmp_path / "a").iterdir()} == before

    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "cwd", "link"]


def test_a_file_format_wants_its_suffix(w, tmp_path):
    sae = formats.read(CASES["interprot_safetensors"](tmp_path, w, rows(4))[0], k=3)
    with pytest.raises(SeqsaeError, match="this format is one file; give a path that ends in .safetensors"):
        formats.write(sae, tmp_path / "out", "interprot")


CONFIGURED = [
    *("saelens_topk_rescaled_by_decoder_norm", "saelens_batchtopk_in_training", "saelens_matryoshka_in_training"),
    *("saelens_before_version_6", "saelens_scaled_with_its_scaler_beside", "sparsify_num_latents_0"),
    *("dictionary_learning_batchtopk", "dictionary_learning_matryoshka", "esmc_one_layer"),
]
ODD = [None, True, -1, 0, 2.5, 10**30, float("nan"), float("inf"), "word", "", [], ["a", None], {}, {"a": 1}]


@pytest.mark.parametrize("name", CONFIGURED)
def test_any_value_of_a_config_may_be_of_a_wrong_kind(name, w, tmp_path):
    """Refused with one line, or of no account: never another error."""
    path, options, _ = CASES[name](tmp_path, w, rows(4))
    for config in sorted(path.glob("*.json")):
        whole = config.read_text()
        for holder, key in _places(json.loads(whole)):
            for odd in ODD:
                document = json.loads(whole)
                inner = document
                for step in holder:
                    inner = inner[step]
                inner[key] = odd
                config.write_text(json.dumps(document))
                try:
                    formats.read(path, **options)
                except SeqsaeError as error:
                    assert str(tmp_path) in str(error) and "\n" not in str(error)
        config.write_text(whole)


def _places(document: dict, holder: tuple = ()):
    """Every key of a document, with the keys that lead to its holder."""
    for key, value in document.items():
        yield holder, key
        if isinstance(value, dict):
            yield from _places(value, (*holder, key))
