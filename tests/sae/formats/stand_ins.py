"""Modules that pickle under the names of overcomplete's, with what its own keep, so that its files can be built without it."""

import sys
from types import ModuleType
from unittest.mock import patch

import torch
from sae.formats.formulas import tensor
from torch import nn

CLASSES = {
    "overcomplete.sae.base": ("SAE",),
    "overcomplete.sae.topk_sae": ("TopKSAE",),
    "overcomplete.sae.batchtopk_sae": ("BatchTopKSAE",),
    "overcomplete.sae.jump_sae": ("JumpSAE",),
    "overcomplete.sae.qsae": ("QSAE",),
    "overcomplete.sae.rasae": ("RATopKSAE",),
    "overcomplete.sae.modules": ("MLPEncoder", "TieableEncoder"),
    "overcomplete.sae.dictionary": ("DictionaryLayer",),
    "overcomplete.sae.archetypal_dictionary": ("RelaxedArchetypalDictionary",),
}


class Names:
    """The classes by name, importable while the context lasts."""

    def __enter__(self):
        modules = {"overcomplete": ModuleType("overcomplete"), "overcomplete.sae": ModuleType("overcomplete.sae")}
        for place, names in CLASSES.items():
            modules[place] = ModuleType(place)
            for name in names:
                made = type(name, (nn.Module,), {"__module__": place})
                setattr(self, name, made)
                setattr(modules[place], name, made)
        for kind in ("l2", "max_l2", "l1", "max_l1", "identity"):
            function = _function(f"normalize_{kind}", "overcomplete.sae.dictionary")
            setattr(modules["overcomplete.sae.dictionary"], function.__name__, function)
            setattr(self, function.__name__, function)
        self.patched = patch.dict(sys.modules, modules)
        self.patched.__enter__()
        return self

    def __exit__(self, *problem):
        self.patched.__exit__(*problem)


def _function(name: str, module: str):
    def function(x):
        return x

    function.__name__ = function.__qualname__ = name
    function.__module__ = module
    return function


def with_state(module: nn.Module, **state) -> nn.Module:
    """The module with parameters for tensors and attributes for the rest."""
    for name, value in state.items():
        setattr(module, name, nn.Parameter(value) if isinstance(value, torch.Tensor) else value)
    return module


def encoder(names: Names, w, norm=nn.Identity) -> nn.Module:
    made = with_state(names.MLPEncoder(), nb_blocks=0, norm_layer=norm, output_activation=nn.ReLU)
    linear = nn.Linear(*w.W_enc.shape)
    linear.weight.data, linear.bias.data = tensor(w.W_enc.T), tensor(w.b_enc)
    made.final_block = nn.Sequential(linear, norm(len(w.b_enc)))
    return made


def dictionary(names: Names, w, kind: str = "l2", multiplier: float = 0.0) -> nn.Module:
    made = with_state(names.DictionaryLayer(), _weights=tensor(w.W_dec), _fused_dictionary=None)
    made.normalization = getattr(names, f"normalize_{kind}")
    made.register_buffer("multiplier", torch.tensor(multiplier))
    return made


def sae(cls: nn.Module, encoder: nn.Module, dictionary: nn.Module, **state) -> nn.Module:
    """A whole SAE."""
    made = with_state(cls, **state)
    made.encoder, made.dictionary = encoder, dictionary
    return made
