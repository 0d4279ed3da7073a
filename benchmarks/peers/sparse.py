"""sparsify: `Trainer.fit` on a stand-in model whose one layer gives out the rows. AuxK on, Adam with its linear fall."""

import tempfile

import torch
from sparsify import SaeConfig, TrainConfig, Trainer
from torch import nn


class Model(nn.Module):
    """What the trainer asks of a language model: a named layer, its width, and a forward pass that runs it."""

    device = torch.device("cpu")

    def __init__(self, feed):
        super().__init__()
        self.layer = nn.Identity()
        self._feed = feed
        self.asked = False

    @property
    def base_model(self):
        return self

    @property
    def dummy_inputs(self) -> dict:
        return {"input_ids": torch.zeros(1, 1, dtype=torch.long)}

    def forward(self, input_ids):
        real = input_ids.shape[1] > 1
        rows = self._feed.step() if real else torch.zeros(1, self._feed.d)
        return self.layer(rows[None])


class Tokens(torch.utils.data.Dataset):
    """As many sequences as there are steps; their tokens stand for rows."""

    def __init__(self, job: dict):
        self._steps = job["steps"]
        self._item = {"input_ids": torch.ones(job["batch"], dtype=torch.long)}

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, index: int) -> dict:
        return self._item


def train(job: dict, feed, watch):
    """See `peers.worker`."""
    with tempfile.TemporaryDirectory() as folder:
        config = TrainConfig(
            SaeConfig(num_latents=job["width"], k=job["k"]),
            batch_size=1,
            optimizer="adam",
            lr=job["lr"],
            lr_warmup_steps=round(job["warmup"] * job["steps"]),
            auxk_alpha=1 / 32,
            dead_feature_threshold=job["dead_steps"] * job["batch"],
            hookpoints=["layer"],
            init_seeds=[job["seed"]],
            save_every=1 << 40,
            log_to_wandb=False,
            save_dir=folder,
        )
        trainer = Trainer(config, Tokens(job), Model(feed))
        sae = trainer.saes["layer"]

        def read(x):
            found = sae(x)
            codes = x.new_zeros(len(x), sae.num_latents).scatter_(1, found.latent_indices, found.latent_acts)
            return found.sae_out, codes

        watch(read)
        ended = trainer.save
        trainer.save = lambda: (feed.pause(), ended())
        trainer.fit()
    return read, lambda: sae.W_dec.detach()
