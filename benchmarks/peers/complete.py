"""overcomplete: `train_sae` on an iterable of batches, mean squared error with its term for dead codes."""

from peers.stubs import stand_in

stand_in("overcomplete.models", "overcomplete.visualization", "PIL")
import torch  # noqa: E402
from overcomplete.sae import TopKSAE, train_sae  # noqa: E402
from overcomplete.sae.losses import mse_l1, reanimation_regularizer  # noqa: E402


def train(job: dict, feed, watch):
    """See `peers.worker`."""
    sae = TopKSAE(job["d"], nb_concepts=job["width"], top_k=job["k"])
    adam = torch.optim.Adam(sae.parameters(), lr=job["lr"])
    schedule = torch.optim.lr_scheduler.LambdaLR(adam, lambda step: _rate(step, job))

    def read(x):
        sae.eval()
        _, codes, x_hat = sae(x)
        sae.train()
        return x_hat, codes

    watch(read)
    train_sae(sae, feed, _loss, adam, schedule, nb_epochs=1, monitoring=0)
    return read, lambda: sae.get_dictionary().detach()


def _loss(*of):
    return mse_l1(*of, penalty=0.0) + reanimation_regularizer(*of, penalty=1e-5)


def _rate(step: int, job: dict) -> float:
    """Share of the learning rate: linear climb, plateau, linear fall."""
    steps = job["steps"]
    return min(1.0, (step + 1) / (job["warmup"] * steps), max(0.0, steps - step) / (job["decay"] * steps))
