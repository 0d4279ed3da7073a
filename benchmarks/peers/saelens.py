"""sae-lens: `SAETrainer.fit` on an iterator of batches, its training SAEs with their own defaults."""

from sae_lens.config import LoggingConfig, SAETrainerConfig
from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig
from sae_lens.saes.jumprelu_sae import JumpReLUTrainingSAE, JumpReLUTrainingSAEConfig
from sae_lens.saes.matryoshka_batchtopk_sae import (
    MatryoshkaBatchTopKTrainingSAE,
    MatryoshkaBatchTopKTrainingSAEConfig,
)
from sae_lens.saes.topk_sae import TopKTrainingSAE, TopKTrainingSAEConfig
from sae_lens.training.sae_trainer import SAETrainer

KINDS = {
    "topk": (TopKTrainingSAE, TopKTrainingSAEConfig),
    "batchtopk": (BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig),
    "matryoshka": (MatryoshkaBatchTopKTrainingSAE, MatryoshkaBatchTopKTrainingSAEConfig),
    "jumprelu": (JumpReLUTrainingSAE, JumpReLUTrainingSAEConfig),
}


def train(job: dict, feed, watch):
    """See `peers.worker`. Precision "autocast" is sae-lens's own bfloat16."""
    kind, settings = KINDS[job["architecture"]]
    sae = kind(settings(d_in=job["d"], d_sae=job["width"], device="cpu", **_own(job)))
    config = SAETrainerConfig(
        total_training_samples=job["steps"] * job["batch"],
        train_batch_size_samples=job["batch"],
        lr=job["lr"],
        lr_end=job["lr"],
        lr_warm_up_steps=round(job["warmup"] * job["steps"]),
        lr_decay_steps=round(job["decay"] * job["steps"]),
        autocast=job["precision"] == "autocast",
        dead_feature_window=job["dead_steps"],
        logger=LoggingConfig(log_to_wandb=False),
    )

    def read(x):
        training = sae.training
        codes = sae.eval().encode(x)
        found = sae.decode(codes), codes
        sae.train(training)
        return found

    watch(read)
    SAETrainer(config, sae, iter(feed)).fit()
    return read, lambda: sae.W_dec.detach()


def _own(job: dict) -> dict:
    """Options of each kind. JumpReLU aims at k active latents, as GemmaScope 2 does; Matryoshka's prefixes double."""
    if job["architecture"] == "jumprelu":
        return {"jumprelu_sparsity_loss_mode": "quadratic", "target_l0": float(job["k"])}
    if job["architecture"] == "matryoshka":
        return {"k": job["k"], "matryoshka_widths": [job["width"] >> halvings for halvings in (4, 3, 2, 1, 0)]}
    return {"k": job["k"]}
