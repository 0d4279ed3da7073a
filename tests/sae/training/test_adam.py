import subprocess
import sys

import pytest
import torch

from seqsae.sae.training.adam import Adam, clip


def test_steps_are_those_of_torch_optim():
    generator = torch.Generator().manual_seed(0)
    ours = [torch.randn(shape, generator=generator) for shape in ((7, 5), (3,), ())]
    theirs = [weight.clone() for weight in ours]
    adam = Adam(ours, betas=(0.8, 0.95), eps=1e-9)
    reference = torch.optim.Adam(theirs, betas=(0.8, 0.95), eps=1e-9, fused=True)
    for step in range(5):
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            gradient = None if index == step % 2 else torch.randn(one.shape, generator=generator)
            one.grad, other.grad = gradient, None if gradient is None else gradient.clone()
        reference.param_groups[0]["lr"] = 0.1 / (step + 1)
        reference.step()
        adam.step(0.1 / (step + 1))
        assert all(weight.grad is None for weight in ours)
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one, other)
        assert all(torch.equal(value, reference.state[other][name]) for name, value in adam.state[one].items())


@pytest.mark.parametrize("limit", [0.5, 1e3])
def test_clip_is_that_of_torch(limit):
    generator = torch.Generator().manual_seed(0)
    ours = [torch.randn(shape, generator=generator) for shape in ((7, 5), (3,), ())]
    theirs = [torch.zeros_like(gradient).requires_grad_() for gradient in ours]
    for weight, gradient in zip(theirs, ours, strict=True):
        weight.grad = gradient.clone()
    torch.nn.utils.clip_grad_norm_(theirs, limit)
    clip(ours, limit)
    for weight, gradient in zip(theirs, ours, strict=True):
        assert torch.equal(weight.grad, gradient)


def test_no_compiler_is_loaded():
    program = """if True:
        import sys, torch
        from seqsae.sae.training.adam import Adam
        weight = torch.ones(3)
        weight.grad = weight.clone()
        Adam([weight]).step(0.1)
        print("torch._dynamo" in sys.modules, weight.tolist())
    """
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("False [0.900")
