"""No library: the least that any training step must do. One dense encode, fused Adam, and the k-sparse rest.

The rest is 10 N k d operations (decode, its two gradients, the encoder's gradient, a factor of 2 each), done here as one
dense product of as many. Nothing is learnt.
"""

import torch


def train(job: dict, feed, watch):
    """See `peers.worker`. Precision bfloat16 encodes in it."""
    d, width, n = job["d"], job["width"], job["batch"]
    low = torch.bfloat16 if job["precision"] == "bfloat16" else torch.float32
    weights = [torch.randn(width, d, requires_grad=True) for _ in range(2)]
    adam = torch.optim.Adam(weights, lr=job["lr"], fused=True)
    for weight in weights:
        weight.grad = torch.randn_like(weight)
    pre = torch.empty(n, width, dtype=low)
    rest, out = torch.randn(d, 5 * job["k"]), torch.empty(n, 5 * job["k"])
    with torch.no_grad():
        for x in feed:
            torch.mm(x.to(low), weights[0].T.to(low), out=pre)
            torch.mm(x, rest, out=out)
            adam.step()
    return None, None
