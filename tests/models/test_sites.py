"""How sites are spelled, and what stands there: parts, calls, number formats, packed sequences; what no hook reaches."""

from collections import namedtuple
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from models import own_models
from models.own_models import LENGTHS, records
from torch import nn

import seqsae
from seqsae.errors import SeqsaeError
from seqsae.models import parts
from seqsae.models.sites import Site, parse
from seqsae.testing import check_model, relative_l2

COMPILING = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")


@pytest.mark.parametrize(
    ("spelling", "site"),
    [
        ("a.2", Site("a.2")),
        ("a.2:in", Site("a.2", "in")),
        ("gru:out.1.-1", Site("gru", "out", ("1", "-1"))),
        ("dec:in.hidden_states", Site("dec", "in", ("hidden_states",))),
        ("shared#2", Site("shared", call=2)),
        ("shared#1:out.h@mean", Site("shared", "out", ("h",), 1, "mean")),
        ("@cls", Site("", pool="cls")),
    ],
)
def test_a_spelling_says_where(spelling, site):
    assert parse(spelling) == site


@pytest.mark.parametrize(
    ("spelling", "words"),
    [
        ("a:up", "'in' or 'out', not 'up'"),
        ("a@max", "one of mean, cls, last, pooled, not 'max'"),
        ("a#0", "counted from 1"),
        ("a#x", "write MODULE"),
        ("a:out.", "missing behind a dot"),
        ("a:out..b", "missing behind a dot"),
        ("a#²", "write MODULE"),
        ("", "site '': name a module, .* or say ':out' for what the model itself gives"),
        (3, "site 3 is int; spell it as text"),
        (None, "site None is NoneType; spell it as text"),
    ],
)
def test_a_wrong_spelling_is_told(spelling, words):
    with pytest.raises(SeqsaeError, match=words):
        parse(spelling)


@dataclass(frozen=True)
class Frozen:
    scale: float
    hidden: torch.Tensor


Named = namedtuple("Named", "first second")
TWO = torch.arange(6.0).view(2, 3), torch.ones(2, 3)
VALUES = [
    (TWO, "1", 1),
    (list(TWO), "-1", 1),
    ({"a": TWO[0], "b": TWO[1]}, "b", 1),
    ({"a": TWO[0], "b": TWO[1]}, "1", 1),
    (Named(*TWO), "second", 1),
    (Named(*TWO), "0", 0),
    (Frozen(1.0, TWO[1]), "hidden", 1),
    (SimpleNamespace(x=TWO[0], y=TWO[1]), "y", 1),
    ((None, {"deep": [TWO[1], TWO[0]]}), "1.deep.0", 1),
    (torch.stack(TWO), "-1", 1),
]


@pytest.mark.parametrize(("value", "spelled", "which"), VALUES, ids=lambda value: str(type(value).__name__))
def test_a_part_is_read_and_put_back(value, spelled, which):
    steps = spelled.split(".")
    assert torch.equal(parts.get(value, steps, "s"), TWO[which])
    changed = parts.put(value, steps, TWO[which] + 1, "s")
    assert type(changed) is type(value)
    assert torch.equal(parts.get(changed, steps, "s"), TWO[which] + 1)
    assert torch.equal(parts.get(value, steps, "s"), TWO[which])  # the module's own output is left as it was


def test_without_a_part_the_first_tensor_that_can_be_states_is_meant():
    whole = (None, torch.tensor(3.0), torch.ones(2, 3).long(), TWO[0], TWO[1])
    assert torch.equal(parts.get(whole, (), "s"), TWO[0])
    changed = parts.put(whole, (), TWO[0] * 2, "s")
    assert torch.equal(changed[3], TWO[0] * 2) and torch.equal(changed[4], TWO[1]) and changed[0] is None


@pytest.mark.parametrize(
    ("value", "spelled", "words"),
    [
        (TWO, "2", r"no part '2'; its parts: 0 \[2, 3\], 1 \[2, 3\]; name one, as in module:out.0"),
        ({"a": TWO[0]}, "b", r"no part 'b'; its parts: a \[2, 3\]"),
        ({"a": 3}, "", "dict without a tensor of states"),
        ((TWO[0], None), "1", "is NoneType, no tensor"),
        (TWO, "²", r"no part '²'; its parts: 0 \[2, 3\], 1 \[2, 3\]"),
        (TWO[0], "-²", "Tensor has no part '-²'"),
    ],
)
def test_a_part_that_is_not_there_is_told_with_those_that_are(value, spelled, words):
    with pytest.raises(SeqsaeError, match=words):
        parts.get(value, spelled.split(".") if spelled else (), "s")


def test_tensors_in_an_output_are_found_without_going_round_in_circles():
    output = SimpleNamespace(a=TWO[0], b={"c": [TWO[1], 3]}, ids=torch.ones(2).long(), module=nn.Linear(2, 2))
    output.itself = output
    assert sum(one is TWO[0] for one in parts.tensors_in(output)) >= 1
    assert all(one.is_floating_point() for one in parts.tensors_in(output))


def test_the_model_itself_is_a_site_with_and_without_a_pool():
    model = seqsae.wrap(nn.Embedding(30, 4), [":out"], own_models.ids_and_mask)
    pooled = seqsae.wrap(nn.Embedding(30, 4), ["@mean", "@last"], own_models.ids_and_mask)
    for one, widths in ((model, {":out": 4}), (pooled, {"@mean": 4, "@last": 4})):
        check_model(one, records())
        assert one.sites == widths
    with pytest.raises(SeqsaeError, match="site '': name a module"):
        seqsae.wrap(nn.Embedding(30, 4), [""], own_models.ids_and_mask)


class Shared(nn.Module):
    """One layer that runs three times, one that is called with keywords, one that writes over its input."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.layer = nn.Embedding(own_models.N_TOKENS, 8), nn.Linear(8, 8)
        self.mix, self.over = Mix(), nn.ReLU(inplace=True)

    def forward(self, ids):
        x = self.embed(ids)
        for _ in range(3):
            x = torch.tanh(self.layer(x))
        return self.over(self.mix(gate=x.sigmoid(), states=x))


class Mix(nn.Module):
    def forward(self, states, gate, scale: float = 1.0):
        return states * gate * scale


def shared(*sites):
    return seqsae.wrap(Shared(), sites, own_models.ids_and_mask, ids=lambda ids: ids)


def batch_of(model):
    return model.collate([model.prepare(record) for record in records()])


def test_a_module_that_runs_several_times_is_refused_until_a_call_is_named():
    model = shared("layer", "layer#1", "layer#3")
    with pytest.raises(SeqsaeError, match="runs 3 times in one forward pass.* say which call, as in layer#1"):
        model.capture(batch_of(model), ["layer"])
    with pytest.raises(SeqsaeError, match="several times"), torch.no_grad():
        model.replace(batch_of(model), "layer", lambda rows: rows)
    batch = batch_of(model)
    rows = model.capture(batch, ["layer#1", "layer#3"])
    x = model.module.layer(model.module.embed(batch.inputs))
    assert torch.allclose(rows["layer#1"], x[batch.mask])
    for _ in range(2):
        x = model.module.layer(torch.tanh(x))
    assert torch.allclose(rows["layer#3"], x[batch.mask])
    check_model(shared("layer#1", "layer#3"), records())


def test_a_call_that_does_not_happen_is_told():
    model = shared("layer#4")
    with pytest.raises(SeqsaeError, match="did not run"):
        model.capture(batch_of(model), ["layer#4"])
    with pytest.raises(SeqsaeError, match="did not run"):
        model.replace(batch_of(model), "layer#4", lambda rows: rows)


def test_one_layer_under_two_names_is_seen_to_run_twice():
    model = Shared()
    model.again = model.layer
    with pytest.raises(SeqsaeError, match="3 times"):
        wrapped = seqsae.wrap(model, ["again"], own_models.ids_and_mask)
        wrapped.capture(batch_of(wrapped), ["again"])


def test_inputs_by_name_and_by_place():
    model = shared("mix:in.states", "mix:in.gate", "mix:in", "mix:in.1")
    rows = model.capture(batch_of(model), model.sites)
    assert torch.allclose(rows["mix:in.states"].sigmoid(), rows["mix:in.gate"])
    assert torch.equal(rows["mix:in"], rows["mix:in.gate"])  # the first as it is called
    assert torch.equal(rows["mix:in.1"], rows["mix:in.states"])
    check_model(model, records())


def test_what_a_later_module_writes_over_is_read_before():
    model = shared("mix")
    before = model.capture(batch_of(model), ["mix"])["mix"]
    both = shared("mix", "over").capture(batch_of(model), ["mix", "over"])
    assert torch.equal(both["mix"], before) and (before < 0).any()
    check_model(shared("mix", "over"), records())


def test_a_declared_width_is_held():
    model = seqsae.wrap(Shared(), ["embed"], own_models.ids_and_mask)
    model.sites["embed"] = 9
    with pytest.raises(SeqsaeError, match="declared 9 wide but gives 8"):
        model.capture(batch_of(model), ["embed"])


def test_whole_numbers_are_no_activations():
    class Channels(Shared):
        def forward(self, ids):
            return super().forward(self.over(ids[..., None].repeat(1, 1, 4))[..., 0])

    model = seqsae.wrap(Channels(), ["over#1:in.0"], own_models.ids_and_mask)
    with pytest.raises(SeqsaeError, match="torch.int64, no activations"):
        model.capture(batch_of(model), model.sites)


def test_packed_sequences_are_rows_like_padded_ones():
    packed, padded = (own_models.Recurrent(packed=flag) for flag in (True, False))
    padded.load_state_dict(packed.state_dict())
    one, other = (
        seqsae.wrap(module, ["gru", "lstm", "gru:in"], own_models.with_lengths, attention="causal")
        for module in (packed, padded)
    )
    rows, expected = (model.capture(batch_of(model), model.sites) for model in (one, other))
    for site in one.sites:
        assert len(rows[site]) == sum(LENGTHS) and relative_l2(expected[site], rows[site]) < 1e-6
    with torch.no_grad():
        zeroed, plain = (model.replace(batch_of(model), "gru", torch.zeros_like)[0] for model in (one, other))
    mask = batch_of(one).mask
    assert relative_l2(plain[mask], zeroed[mask]) < 1e-6


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_modules_in_16_bits_give_rows_in_32(dtype):
    torch.manual_seed(0)
    model = seqsae.wrap(own_models.gpt2().to(dtype), ["transformer.h.0"], own_models.named, attention="causal")
    batch = batch_of(model)
    assert model.capture(batch, model.sites)["transformer.h.0"].dtype == torch.float32
    seen = []
    with torch.no_grad():
        back = model.replace(batch, "transformer.h.0", lambda rows: seen.append(rows.dtype) or rows).logits
        assert torch.equal(back, model.forward(batch).logits)
    assert seen == [torch.float32] and back.dtype == dtype
    check_model(model, records())


def test_under_autocast_rows_are_in_32_bits_too():
    torch.manual_seed(0)
    model = seqsae.wrap(own_models.Recurrent(), ["head"], own_models.with_lengths)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert model.forward(batch_of(model))[0].dtype == torch.bfloat16
        assert model.capture(batch_of(model), ["head"])["head"].dtype == torch.float32


def test_double_precision_is_kept():
    model = seqsae.wrap(Shared().double(), ["embed"], own_models.ids_and_mask)
    assert model.capture(batch_of(model), ["embed"])["embed"].dtype == torch.float64


def test_recurrences_are_differentiated_without_cudnn():
    model = own_models.make("GRU")
    seen = []
    model.module.gru.register_forward_hook(lambda *_: seen.append(torch.backends.cudnn.enabled))
    model.forward(batch_of(model))
    with torch.no_grad():
        model.forward(batch_of(model))
    assert seen[0] is False and seen[1] is torch.backends.cudnn.enabled


@COMPILING
def test_data_parallel_and_compile_are_taken_off():
    plain = Shared()
    for outer in (nn.DataParallel(plain), torch.compile(plain), nn.DataParallel(torch.compile(plain))):
        model = seqsae.wrap(outer, ["embed", "layer#2"], own_models.ids_and_mask)
        assert model.module is plain and model.name == "Shared"
    check_model(model, records())


class FullyShardedDataParallel(nn.Module):
    """Called as torch's own, which needs a group of processes."""


def refused():
    compiled = Shared()
    compiled.mix.compile()
    inside = Shared()
    inside.mix = torch.compile(inside.mix)
    return [
        (lambda: Shared, "Shared is no nn.Module object"),
        (lambda: "bert-base", "str is no nn.Module"),
        (lambda: FullyShardedDataParallel(), "sharded"),
        (lambda: compiled, "module 'mix' is compiled"),
        (lambda: inside, "module 'mix' is compiled"),
    ]


@COMPILING
@pytest.mark.parametrize("which", range(5))
def test_what_no_hook_reaches_is_refused_with_a_reason(which):
    make, words = refused()[which]
    with pytest.raises(SeqsaeError, match=words) as caught:
        seqsae.wrap(make(), ["mix"], own_models.ids_and_mask)
    assert "\n" not in str(caught.value)
    if which == 3:
        seqsae.wrap(make(), ["embed"], own_models.ids_and_mask)  # beside the compiled part hooks do fire


@COMPILING
def test_torchscript_inside_is_refused_where_a_site_lies_in_it():
    model = Shared()
    model.mix = torch.jit.script(Mix())
    with pytest.raises(SeqsaeError, match="'mix' is TorchScript"):
        seqsae.wrap(model, ["mix"], own_models.ids_and_mask)
    seqsae.wrap(model, ["embed"], own_models.ids_and_mask)


def test_hide_and_ids_get_the_inputs_as_collate_gave_them():
    class TakesDict(Shared):
        def forward(self, batch):
            return super().forward(batch["ids"])

    def pad(items):
        ids, mask = own_models.ids_and_mask(items)
        return {"ids": ids}, mask

    model = seqsae.wrap(
        TakesDict(),
        ["embed"],
        pad,
        hide=lambda inputs, where: {"ids": inputs["ids"].masked_fill(where, own_models.MASK)},
        ids=lambda inputs: inputs["ids"],
    )
    check_model(model, records())
    batch = batch_of(model)
    assert torch.equal(model.ids(batch) != 0, batch.mask)
    assert (model.ids(model.hide(batch, batch.mask))[batch.mask] == own_models.MASK).all()
