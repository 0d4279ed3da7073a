"""Files that are out of all proportion in size, depth or numbers: refused with one line, soon, and without gigabytes of memory."""

import json
import os
import resource
import signal
import zipfile
from pathlib import Path

import pytest
import torch
from sae.formats import stand_ins
from sae.formats.cases import CASES, dictionary, esmc, interplm, linear, openai, pickled, saelens, sparsify
from sae.formats.formulas import F, K, rows, tensor, weights
from safetensors.torch import load_file, save_file

from seqsae.errors import SeqsaeError
from seqsae.sae import formats
from seqsae.sae.formats import files, torchfile
from seqsae.sae.formats.opcodes import Handlers, Refused
from seqsae.sae.formats.opcodes import read as read_pickle

HUGE = 10**400
NESTED = 22  # tuples, each twice the last: 2^22 items to walk through; 60 of them would take years


@pytest.fixture
def w():
    return weights()


@pytest.fixture(autouse=True)
def in_time():
    """A test that waits or works without end fails."""

    def stop(*_):
        raise AssertionError("still at work after 30 s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def in_memory():
    """A test that takes 2 GiB more than there is in use fails."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2 * 2**30, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def refused(path, words, **options):
    with pytest.raises(SeqsaeError, match=words) as caught:
        formats.read(path, **options)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500 + len(str(path))
    return str(caught.value)


# pickles


def torch_file(path, pickle: bytes):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", pickle)
    return path


def text(word: str) -> bytes:
    return b"X" + len(word).to_bytes(4, "little") + word.encode()


# The tuples are made at the bottom of the stack, where nothing asks for them, and the last of them is fetched with DEEP.
START = b"\x80\x04()q\x00" + b"".join(bytes([*b"h", i, *b"h", i, 0x86, *b"q", i + 1]) for i in range(NESTED)) + b"t"
DEEP = b"h" + bytes([NESTED])


def handlers():
    """What reads a checkpoint, without a file; every name is known."""
    archive = torchfile._Archive.__new__(torchfile._Archive)
    archive.inert, archive.entries, archive.storages = (), {}, {}
    return Handlers(lambda name: name, archive.call, archive.stored)


KEYS = {
    "a key": b"}" + DEEP + b"Ns.",
    "one of several keys": b"}(" + DEEP + b"Nu.",
    "an item of a set": b"\x8f(" + DEEP + b"\x90.",
    "a key of a made dict": b"ccollections\nOrderedDict\n](" + DEEP + b"N\x86e\x85R.",
    "an item of a made set": b"cbuiltins\nset\n](" + DEEP + b"e\x85R.",
}


@pytest.mark.parametrize("case", KEYS)
def test_tuples_of_tuples_are_no_keys(case):
    """Hashing one walks through all it stands for."""
    with pytest.raises(Refused, match="its pickle holds tuples within tuples as keys"):
        read_pickle(START + KEYS[case], handlers())


def test_keys_that_checkpoints_have_are_read(tmp_path):
    state = {"a": 1, 2: "b", ("c", 3): None, (): 0.5}
    torch.save(state, tmp_path / "a.pt")
    assert torchfile.load(tmp_path / "a.pt") == state


NAMES = {
    "a module": (DEEP + text("a") + b"\x93.", "a name that is no text"),
    "a storage's type": (
        b"(" + text("storage") + DEEP + text("0") + b"NNtQ.",
        r"a storage of type \(\(.*, which is not",
    ),
    "a storage's number": (
        b"(" + text("storage") + b"ctorch\nFloatStorage\n" + DEEP + b"NNtQ.",
        r"a storage \(\(.*, which is no number",
    ),
}


@pytest.mark.parametrize("case", NAMES)
def test_names_are_text(case):
    pickle, words = NAMES[case]
    with pytest.raises(Refused, match=words) as caught:
        read_pickle(START + pickle, handlers())
    assert len(str(caught.value)) < 200


ACTIVATION = b"}(" + text("latent_bias") + b"N" + text("activation")
SHOWN = {
    "the activation": (START + ACTIVATION + DEEP + b"u.", r"activation \(\(\(\(\.\.\.\).* has no counterpart"),
    "what follows the topk": (
        START + ACTIVATION + text("TopK") + text("activation_state_dict") + b"}" + text("postact_fn") + DEEP + b"su.",
        r"\(\(\(\(\.\.\.\).* after the topk has no counterpart",
    ),
    "a list of 50,000 lists": (
        b"\x80\x02" + ACTIVATION + b"]" * 50_000 + b"a" * 49_999 + b"u.",
        r"activation \[\[\[\[\.\.\.\]\]\]\] has no counterpart",
    ),
}


@pytest.mark.parametrize("case", SHOWN)
def test_what_is_deep_is_cut_where_an_error_shows_it(case, tmp_path):
    pickle, words = SHOWN[case]
    refused(torch_file(tmp_path / "a.pt", pickle), words, format="openai")


def test_what_an_encoder_is_of_is_not_put_into_words(w, tmp_path, in_memory):
    """It would take 4 GiB."""
    deep = ()
    for _ in range(30):
        deep = (deep, deep)

    def build(names):
        encoder = stand_ins.encoder(names, w)
        encoder.output_activation = deep
        return stand_ins.sae(names.TopKSAE(), encoder, stand_ins.dictionary(names, w), top_k=K)

    refused(pickled(tmp_path, build), "its encoder .MLPEncoder. is not one linear map and a relu")


def test_modules_that_share_their_parts_are_not_walked_through_without_end(w, tmp_path):
    """Eleven modules, each of ten times the last: 10^11 paths to the innermost."""

    def build(names):
        inner = torch.nn.Module()
        for _ in range(11):
            outer = torch.nn.Module()
            for i in range(10):
                outer.add_module(str(i), inner)
            inner = outer
        made = stand_ins.sae(names.TopKSAE(), stand_ins.encoder(names, w), stand_ins.dictionary(names, w), top_k=K)
        made.more = inner
        return made

    refused(pickled(tmp_path, build), "modules within modules without end")


@pytest.mark.parametrize("opcode", [b"]", b"}", b"\x8f"])
def test_a_pickle_of_millions_of_opcodes_is_refused_unread(opcode, tmp_path):
    path = torch_file(tmp_path / "a.pt", b"\x80\x04(" + opcode * 20_000_000 + b"t.")
    assert formats.detected(path) is None
    refused(path, "its pickle takes more than 4,194,304 bytes, which no checkpoint needs", format="openai")


TOO_MANY = {
    "opcodes": b"(" + b"]" * 300_000 + b"t.",
    # A list or dict of 1,000 items, copied 2,000 times.
    "copies for a set": b"](" + b"K\x01" * 1000 + b"e\x85q\x00cbuiltins\nset\nq\x01(" + b"h\x01h\x00R" * 2000 + b"t.",
    "copies of a state": b"}("
    + b"".join(b"M" + i.to_bytes(2, "little") + b"N" for i in range(1000))
    + b"uq\x00cm\nn\n)\x81"
    + b"h\x00b" * 2000
    + b".",
}


@pytest.mark.parametrize("case", TOO_MANY)
def test_a_short_pickle_of_much_work_is_refused(case):
    with pytest.raises(Refused, match="its pickle takes more than 250,000 steps, which no checkpoint needs"):
        read_pickle(b"\x80\x04" + TOO_MANY[case], handlers())


# what is no file


@pytest.mark.parametrize("name", ["a.pt", "a.pth", "a.ckpt", "ae.pt", "ae_normalized.pt"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "loop"])
def test_what_is_no_file_is_not_opened(kind, name, tmp_path, in_memory):
    """A pipe would be waited for, /dev/zero read for ever."""
    path = tmp_path / name
    {
        "pipe": os.mkfifo,
        "device": lambda path: path.symlink_to("/dev/zero"),
        "folder": lambda path: path.mkdir(),
        "loop": lambda path: path.symlink_to(path),
    }[kind](path)
    assert torchfile.names(path) == []
    for format in (None, "openai", "overcomplete", "interprot", "interplm", "dictionary_learning"):
        refused(path, None, format=format, **({"k": K} if format == "interprot" else {}))


def test_a_scaler_that_is_a_pipe_and_not_needed_is_not_waited_for(w, tmp_path):
    os.mkfifo(saelens(tmp_path, w) / "activation_scaler.json")
    assert "activation_scaler.json" not in formats.read(tmp_path).identity["imported"]["files"]


# numbers

FACTORS = [HUGE, 1e-320, 1e31, 0, -1.0, True, "2", float("inf"), float("nan")]


@pytest.mark.parametrize("factor", FACTORS, ids=lambda factor: f"{factor!s:.6}")
def test_a_factor_that_no_weight_can_bear_is_refused(factor, w, tmp_path):
    lens, backup = tmp_path / "lens", tmp_path / "backup"
    lens.mkdir(), backup.mkdir()
    saelens(lens, w, normalize_activations="expected_average_only_in")
    (lens / "activation_scaler.json").write_text(json.dumps({"scaling_factor": factor}))
    refused(lens, "activation_scaler.json: scaling_factor is .*, not a number from 1e-30 to 1e.30")
    refused(lens, "--scale is .*, not a number from 1e-30 to 1e.30", scale=factor)
    state = {"step": 1, "ae": linear(w, bias=tensor(w.b_dec)), "norm_factor": factor}
    refused(dictionary(backup, "AutoEncoder", state), "ae.pt: norm_factor is .*, not a number from 1e-30 to 1e.30")


@pytest.mark.parametrize("multiplier", [-1000.0, 1000.0])
def test_a_dictionary_stretched_to_nothing_or_beyond_all_bounds_is_refused(multiplier, w, tmp_path):
    def build(names):
        shapes = stand_ins.dictionary(names, w, multiplier=multiplier)
        return stand_ins.sae(names.TopKSAE(), stand_ins.encoder(names, w), shapes, top_k=K)

    refused(pickled(tmp_path, build), r"exp\(multiplier\) is (0.0|inf), not a number from 1e-30")


def test_largest_codes_that_are_all_but_nothing_are_refused(w, tmp_path):
    factor = torch.ones(F)
    factor[3] = 1e-40
    path = interplm(tmp_path, linear(w, bias=tensor(w.b_dec)), factor)
    refused(path, "activation_rescale_factor is not from 1e-30 to 1e.30 everywhere", scaled=True)


LONG = {
    "a k": (lambda w, p: saelens(p, w, architecture="topk", k=HUGE), r"k is 10+\.\.\.0+, not a whole number"),
    "a k of a batch": (lambda w, p: saelens(p, w, **_training(k=HUGE), tensors=_one()), r"k is 10+\.\.\.0+ with"),
    "ends of groups": (
        lambda w, p: saelens(p, w, **_training("matryoshka_", matryoshka_widths=[-HUGE, HUGE]), tensors=_one()),
        r"matryoshka_widths is .-10+\.\.\.0+.*, no list of whole numbers up to 20",
    ),
    "a width": (lambda w, p: sparsify(p, w, num_latents=0, expansion_factor=HUGE), r"expansion_factor is 10+\.\.\.0+,"),
    "a shape": (
        lambda w, p: saelens(p, w, {"b_dec": torch.ones([1] * 400)}),
        r"b_dec is \[1, 1, 1, 1, 1, 1, \.\.\.\] where",
    ),
    "groups": (lambda w, p: _groups(p, w), r"its groups \[1, 1, 1, 1, 1, 1, \.\.\.\] do not sum to 20 latents"),
}


def _training(kind="", **config):
    return {"architecture": f"{kind}batchtopk", "k": K, **config}


def _one():
    return {"topk_threshold": torch.tensor(0.5)}


def _groups(folder, w):
    path = CASES["dictionary_learning_matryoshka"](folder, w, rows(4))[0]
    state = torch.load(path / "ae.pt") | {"group_sizes": torch.ones(400, dtype=torch.int64)}
    torch.save(state, path / "ae.pt")
    return path


@pytest.mark.parametrize("case", LONG)
def test_long_numbers_and_shapes_are_cut_where_an_error_shows_them(case, w, tmp_path):
    build, words = LONG[case]
    refused(build(w, tmp_path), words)


def test_a_number_of_the_caller_is_cut_too(w, tmp_path):
    message = refused(openai(tmp_path / "a.pt", w, activation="TopK", activation_state_dict={"k": 3}), "given", k=HUGE)
    assert "1000" in message and str(HUGE) not in message
    refused(esmc(tmp_path, w, layers=(4, 9)), r"has no layer 10+\.\.\.0+; give --layer, one of 4, 9", layer=HUGE)


def test_what_is_shown_stands_on_one_line():
    for value in (torch.ones(30, 30), "a\nb\u2028", ["\ud800"] * 1000, {"a": {"b": [HUGE] * 9}}):
        said = files.shown(value)
        assert len(said) <= 60 and said.isascii() and said.isprintable()
    assert files.shown(["a", 1, None]) == "['a', 1, None]"


# names and keys


def test_digits_that_are_no_number_name_no_layer(w, tmp_path):
    esmc(tmp_path, w, layers=(4,))
    (tmp_path / "layer_4.safetensors").rename(tmp_path / "layer_²⁴.safetensors")
    refused(tmp_path, "no layer_<number>.safetensors in it")


@pytest.mark.parametrize("layer", [True, -1, HUGE, "4"])
def test_a_layer_that_is_no_number_is_not_written_as_one(layer, w, tmp_path):
    sae = formats.read(esmc(_made(tmp_path / "in"), w))
    sae.identity["imported"]["said"]["layer"] = layer
    formats.write(sae, tmp_path / "out", "esmc")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["config.json", "layer_0.safetensors"]


def _made(folder):
    folder.mkdir()
    return folder


def test_a_key_that_stands_twice_is_refused(w, tmp_path):
    """Readers differ in which of the two they take."""
    config = saelens(tmp_path, w) / "cfg.json"
    whole = config.read_text()
    config.write_text(whole[:-1] + ', "d_in": 6}')
    refused(tmp_path, "cfg.json: not a JSON document .the key 'd_in' stands twice in one object.")
    config.write_text(whole.replace('"metadata": {', '"metadata": {"x": 1, "x": 2, '))
    refused(tmp_path, "the key 'x' stands twice in one object")


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"a":' * 100_000])
def test_a_config_of_lists_within_lists_is_refused(deep, w, tmp_path):
    (saelens(tmp_path, w) / "cfg.json").write_text(deep)
    refused(tmp_path, "cfg.json: not a JSON document .lists within lists without end.; copy it again")


# options


def test_zero_is_given_and_not_left_out(w, tmp_path):
    """0 equals False in Python; it must not be taken for an option that is off."""
    layers = esmc(_made(tmp_path / "a"), w, layers=(0, 1))
    tensors = load_file(layers / "layer_0.safetensors")
    save_file(tensors | {"b_dec": tensors["b_dec"] + 1}, layers / "layer_0.safetensors")
    assert formats.read(layers, layer=0).identity["imported"]["said"]["layer"] == 0
    scaled = saelens(_made(tmp_path / "b"), w, normalize_activations="expected_average_only_in")
    refused(scaled, "cfg.json: --scale is 0, not a number from 1e-30", scale=0)
    plain = saelens(_made(tmp_path / "c"), w)
    refused(plain, "saelens: its files need no k", k=0)
    refused(plain, "cfg.json: activations were not scaled; leave out --scale", scale=0)
    refused(CASES["interprot_safetensors"](tmp_path, w, rows(4))[0], "k is 0 with 20 latents", k=0)
