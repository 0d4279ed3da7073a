import pytest
import torch

from seqsae.errors import SeqsaeError
from seqsae.sae.products import precision
from seqsae.sae.products.precision import resolved
from seqsae.sae.spec import Budget, Spec
from seqsae.sae.training.stream import ArrayStream
from seqsae.sae.training.train import train


def _machine(monkeypatch, bf16=False, amx=False, vnni=False, onednn=True, loops=True):
    monkeypatch.setattr(precision, "compiled_loops", lambda: precision if loops else None)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: vnni)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: onednn)


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        ({}, "float32"),
        ({"vnni": True}, "int8"),
        ({"vnni": True, "bf16": True}, "bfloat16"),
        ({"vnni": True, "amx": True}, "bfloat16"),
        ({"vnni": True, "onednn": False}, "float32"),
        ({"vnni": True, "loops": False}, "float32"),
    ],
)
def test_auto_is_what_the_machine_has_instructions_for(monkeypatch, machine, expected):
    _machine(monkeypatch, **machine)
    assert resolved("auto", "cpu") == expected
    assert resolved("float32", "cpu") == "float32" and resolved("int8", "cpu") == "int8"


def test_int8_is_for_the_cpu():
    with pytest.raises(SeqsaeError, match="'int8' is for the CPU, the device is 'cuda'"):
        resolved("int8", "cuda")


@pytest.mark.parametrize("architecture", ["topk", "batchtopk"])
def test_low_precision_costs_no_quality(planted, architecture):
    train_rows, held = planted.rows[:10_000], planted.rows[10_000:]
    specs = [
        Spec(256, 4, architecture, lr=6e-3, precision=name) for name in ("float32", "int8", "bfloat16", "autocast")
    ]
    metrics = train(ArrayStream(train_rows), "array", specs, Budget(200, 512), [held]).metrics
    fvu = metrics.filter(metrics["step"] == 200).sort("sae")["fvu"].to_list()
    assert fvu[0] < 0.3
    assert fvu[1:] == [pytest.approx(fvu[0], rel=0.01)] * 3
