"""dictionary-learning: `trainSAE` on an iterable of batches, its inputs scaled as it advises."""

from peers.stubs import stand_in

stand_in("nnsight", "circuitsvis", "umap")
from dictionary_learning import training  # noqa: E402
from dictionary_learning.trainers.top_k import TopKTrainer  # noqa: E402


class Data:
    """Batches. The first pass, from which it takes the scale, is on no clock; the second one is training."""

    def __init__(self, feed):
        self._feed = feed
        self._passes = 0

    def __iter__(self):
        self._passes += 1
        return iter(self._feed) if self._passes == 2 else self._sample()

    def _sample(self):
        while self._passes == 1:
            yield self._feed.rows(self._feed.batch)


def train(job: dict, feed, watch):
    """See `peers.worker`."""
    trainers, scale = [], []

    class Trainer(TopKTrainer):
        """Theirs, with the dead threshold, which no option of its reaches."""

        def __init__(self, **options):
            super().__init__(**options)
            self.dead_feature_threshold = job["dead_steps"] * job["batch"]
            trainers.append(self)

    def factor(data, steps):
        scale.append(measured(data, steps))
        feed.rewind()
        return scale[0]

    def read(x):
        sae, by = trainers[0].ae, scale[0]
        codes = sae.encode(x / by)
        return sae.decode(codes) * by, codes

    measured, training.get_norm_factor = training.get_norm_factor, factor
    watch(read)
    training.trainSAE(Data(feed), [_config(job, Trainer)], job["steps"], normalize_activations=True, device="cpu")
    sae = trainers[0].ae
    sae.scale_biases(1 / scale[0])  # which trainSAE brought to raw units at its end
    return read, lambda: sae.decoder.weight.detach().T


def _config(job: dict, trainer: type) -> dict:
    steps = job["steps"]
    return {
        "trainer": trainer,
        "steps": steps,
        "activation_dim": job["d"],
        "dict_size": job["width"],
        "k": job["k"],
        "layer": 0,
        "lm_name": "none",
        "lr": job["lr"],
        "warmup_steps": max(1, round(job["warmup"] * steps)),
        "decay_start": steps - round(job["decay"] * steps),
        "seed": job["seed"],
        "device": "cpu",
    }
