"""Run with the interpreter of the peers' environment: loads what we exported with the real packages, and saves what we import.

    .venv-bench/bin/python tests/sae/formats/peer.py JOBS.json

JOBS is a list of {"do": name of a function below, "path": where the SAE lies or goes, "rows": a safetensors file with x [n, d], ...}. For
each, `<path>.out.safetensors` gets codes [n, F] and x_hat [n, d], as the package computes them.
"""

import json
import os
import sys
import warnings
from pathlib import Path

os.environ["SPARSIFY_DISABLE_TRITON"] = "1"
sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))
from peers.stubs import stand_in  # noqa: E402

stand_in("overcomplete.models", "overcomplete.visualization", "PIL", "nnsight", "circuitsvis", "umap", "zstandard")
import torch  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

warnings.simplefilter("ignore")
JOBS = {}


def job(function):
    JOBS[function.__name__] = function
    return function


def shaken(module, seed=0):
    """The module with random numbers added to all its weights."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in module.named_parameters():
        if "threshold" in name:
            value.data.copy_(0.3 + 0.3 * torch.rand(value.shape, generator=generator))
        else:
            value.data.add_(0.2 * torch.randn(value.shape, generator=generator))
    return module


def both(sae, x):
    codes = sae.encode(x)
    return codes, sae.decode(codes)


@job
def saelens_load(path, x):
    from sae_lens import SAE

    return both(SAE.load_from_disk(path), x)


@job
def saelens_save(path, x, architecture, **config):
    from sae_lens.registry import get_sae_class

    cls, config_cls = get_sae_class(architecture)
    sae = shaken(cls(config_cls(d_in=x.shape[1], d_sae=64, **config)))
    sae.save_model(path)
    return both(sae, x)


@job
def saelens_save_training(path, x, architecture, scale=None, **config):
    """A training checkpoint: not yet folded, its scaler beside it. Compared with what the package makes of it for inference."""
    from sae_lens import SAE
    from sae_lens.registry import get_sae_training_class
    from sae_lens.training.activation_scaler import ActivationScaler

    cls, config_cls = get_sae_training_class(architecture)
    normalize = "none" if scale is None else "expected_average_only_in"
    sae = shaken(cls(config_cls(d_in=x.shape[1], d_sae=64, normalize_activations=normalize, **config)))
    if hasattr(sae, "topk_threshold"):
        sae.topk_threshold = torch.tensor(0.6, dtype=torch.float64)
    sae.save_model(path)
    if scale is not None:
        ActivationScaler(scaling_factor=scale).save(str(Path(path) / "activation_scaler.json"))
        sae.fold_activation_norm_scaling_factor(scale)
    sae.save_inference_model(path + ".inference")
    return both(SAE.load_from_disk(path + ".inference"), x)


@job
def saelens_save_whitened(path, x, architecture, **config):
    from sae_lens.registry import get_sae_training_class
    from sae_lens.training.activation_scaler import ActivationScaler

    scaler = ActivationScaler()
    scaler.estimate_whitening(x.shape[1], iter(lambda: x, None), n_batches_for_norm_estimate=1)
    cls, config_cls = get_sae_training_class(architecture)
    sae = shaken(cls(config_cls(d_in=x.shape[1], d_sae=64, normalize_activations="covariance_whitening", **config)))
    sae.save_model(path)
    scaler.save(str(Path(path) / "activation_scaler.json"))
    sae.fold_activation_whitening(scaler.whitening.mean, scaler.whitening.matrix, scaler.whitening.inverse_matrix)
    return both(sae, x)


def spread(acts, indices, width):
    return torch.zeros(len(acts), width).scatter_add(1, indices.long(), acts)


@job
def sparsify_load(path, x):
    from sparsify import SparseCoder

    coder = SparseCoder.load_from_disk(path)
    acts, indices, _ = coder.encode(x)
    return spread(acts, indices, coder.num_latents), coder.decode(acts, indices)


@job
def sparsify_save(path, x, **config):
    from sparsify import SparseCoder, SparseCoderConfig

    coder = shaken(SparseCoder(x.shape[1], SparseCoderConfig(**config)))
    coder.save_to_disk(path)
    acts, indices, _ = coder.encode(x)
    return spread(acts, indices, coder.num_latents), coder.decode(acts, indices)


@job
def dictionary_learning_load(path, x):
    from dictionary_learning.dictionary import AutoEncoder
    from dictionary_learning.utils import load_dictionary

    config = json.loads((Path(path) / "config.json").read_text())
    if config["trainer"]["dict_class"] == "AutoEncoder":  # else it rescales codes on loading
        return both(AutoEncoder.from_pretrained(f"{path}/ae.pt", normalize_decoder=False), x)
    return both(load_dictionary(path, "cpu")[0], x)


@job
def dictionary_learning_save(path, x, cls):
    from dictionary_learning import dictionary
    from dictionary_learning.trainers.batch_top_k import BatchTopKSAE
    from dictionary_learning.trainers.matryoshka_batch_top_k import MatryoshkaBatchTopKSAE
    from dictionary_learning.trainers.top_k import AutoEncoderTopK

    made = {
        "BatchTopKSAE": BatchTopKSAE,
        "AutoEncoderTopK": AutoEncoderTopK,
        "MatryoshkaBatchTopKSAE": MatryoshkaBatchTopKSAE,
    }
    size = {"MatryoshkaBatchTopKSAE": (5, [8, 16, 40])}.get(cls, (5,) if cls in made else ())
    sae = shaken(made.get(cls, getattr(dictionary, cls, None))(x.shape[1], 64, *size))
    if cls in ("BatchTopKSAE", "MatryoshkaBatchTopKSAE"):
        sae.threshold.fill_(0.6)
    Path(path).mkdir(parents=True)
    torch.save(sae.state_dict(), f"{path}/ae.pt")
    trainer = {"dict_class": cls, "activation_dim": x.shape[1], "dict_size": 64, **({"k": 5} if cls in made else {})}
    (Path(path) / "config.json").write_text(json.dumps({"trainer": trainer}))
    return both(sae, x)


@job
def overcomplete_load(path, x, cls, **options):
    from overcomplete import sae as classes

    sae = getattr(classes, cls)(x.shape[1], nb_concepts=options.pop("width"), **options)
    sae.load_state_dict(torch.load(path))
    sae.eval()
    _, codes, x_hat = sae(x)
    return codes, x_hat


@job
def overcomplete_save(path, x, cls, mode="eval", encoder="linear", **options):
    from overcomplete import sae as classes

    if cls.startswith("RA"):
        options["points"] = torch.randn(30, x.shape[1], generator=torch.Generator().manual_seed(5))
    sae = getattr(classes, cls)(x.shape[1], nb_concepts=64, **options)
    sae = sae.tied() if encoder == "tied" else sae.untied(bias=True) if encoder == "untied" else sae
    sae = shaken(sae).train()
    sae(x)  # a batch sets the running threshold
    sae.eval()
    if mode == "train":
        sae.train()
    torch.save(sae, path)
    _, codes, x_hat = sae.eval()(x)
    return codes, x_hat


def main() -> None:
    for one in json.loads(Path(sys.argv[1]).read_text()):
        function, path, rows = JOBS[one.pop("do")], one.pop("path"), one.pop("rows")
        torch.manual_seed(0)
        with torch.no_grad():
            codes, x_hat = function(path, load_file(rows)["x"], **one)
        save_file({"codes": codes.contiguous(), "x_hat": x_hat.contiguous()}, path + ".out.safetensors")


if __name__ == "__main__":
    main()
