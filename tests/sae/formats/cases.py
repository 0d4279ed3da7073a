"""A checkpoint of each kind that other tools write, built from their documented layout, beside what it gives by the formulas.

Each case is a function (folder, w, x) -> (path to read, options of the reader, what the SAE gives on x).
"""

import json
from pathlib import Path

import numpy as np
import torch
from sae.formats import stand_ins
from sae.formats.formulas import D, F, Gives, K, above, gated, largest, layer_normed, relu, tensor
from safetensors.torch import save_file

CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


def plain(x, w, codes_of, subtract=True):
    """codes_of(pre) on rows as they are."""
    pre = (x - subtract * w.b_dec) @ w.W_enc + w.b_enc
    codes = codes_of(pre)
    return Gives(codes, codes @ w.W_dec + w.b_dec)


def normed(x, w, b_enc=True):
    """TopK on layer-normalised rows, undone with the deviation."""
    z, mean, std = layer_normed(x)
    codes = largest((z - w.b_dec) @ w.W_enc + (w.b_enc if b_enc else 0))
    return Gives(codes, (codes @ w.W_dec + w.b_dec) * std + mean)


# SAELens


def saelens(folder: Path, w, tensors=None, **config):
    base = {"architecture": "standard", "d_in": D, "d_sae": F, "dtype": "float32", "device": "cpu"}
    metadata = {"sae_lens_version": "6.54.12", "hook_name": "blocks.3.hook_resid_post", "model_name": "some-model"}
    (folder / "cfg.json").write_text(json.dumps({**base, "metadata": metadata, **config}))
    own = {"W_enc": w.W_enc, "b_enc": w.b_enc, "W_dec": w.W_dec, "b_dec": w.b_dec}
    own = {name: tensor(value) for name, value in own.items()} | (tensors or {})
    save_file({name: value for name, value in own.items() if value is not None}, folder / "sae_weights.safetensors")
    return folder


@case
def saelens_standard(folder, w, x):
    return saelens(folder, w), {}, plain(x, w, relu)


@case
def saelens_standard_without_subtraction(folder, w, x):
    return saelens(folder, w, apply_b_dec_to_input=False), {}, plain(x, w, relu, subtract=False)


@case
def saelens_gated(folder, w, x):
    extra = {"b_enc": None, "b_gate": tensor(w.b_enc), "b_mag": tensor(w.b_mag), "r_mag": tensor(w.r_mag)}
    return (
        saelens(folder, w, extra, architecture="gated"),
        {},
        plain(x, w, lambda pre: gated(pre - w.b_enc, w)),
    )


@case
def saelens_jumprelu(folder, w, x):
    path = saelens(folder, w, {"threshold": tensor(w.threshold)}, architecture="jumprelu")
    return path, {}, plain(x, w, lambda pre: above(pre, w.threshold))


@case
def saelens_of_attention_heads(folder, w, x):
    return saelens(folder, w, reshape_activations="hook_z"), {}, plain(x, w, relu)


@case
def saelens_topk_with_a_latent_without_direction(folder, w, x):
    W_dec = w.W_dec.copy()
    W_dec[2] = 0
    norms = np.linalg.norm(W_dec, axis=1)
    codes = largest(((x - w.b_dec) @ w.W_enc + w.b_enc) * norms)
    path = saelens(folder, w._replace(W_dec=W_dec), architecture="topk", k=K, rescale_acts_by_decoder_norm=True)
    return path, {}, Gives(codes, (codes / np.where(norms > 0, norms, 1)) @ W_dec + w.b_dec)


@case
def saelens_topk(folder, w, x):
    return saelens(folder, w, architecture="topk", k=K), {}, plain(x, w, largest)


@case
def saelens_topk_rescaled_by_decoder_norm(folder, w, x):
    norms = np.linalg.norm(w.W_dec, axis=1)
    codes = largest(((x - w.b_dec) @ w.W_enc + w.b_enc) * norms)
    path = saelens(folder, w, architecture="topk", k=K, rescale_acts_by_decoder_norm=True)
    return path, {}, Gives(codes, (codes / norms) @ w.W_dec + w.b_dec)


@case
def saelens_topk_layer_norm(folder, w, x):
    return saelens(folder, w, architecture="topk", k=K, normalize_activations="layer_norm"), {}, normed(x, w)


@case
def saelens_topk_rows_of_one_length(folder, w, x):
    path = saelens(folder, w, architecture="topk", k=K, normalize_activations="constant_norm_rescale")
    length = np.linalg.norm(x, axis=1, keepdims=True) / D**0.5
    gives = plain(x / length, w, largest)
    return path, {}, Gives(gives.codes, gives.x_hat * length)


@case
def saelens_scaled_with_its_scaler_beside(folder, w, x):
    (folder / "activation_scaler.json").write_text(json.dumps({"scaling_factor": 0.25, "has_whitening": False}))
    gives = plain(0.25 * x, w, relu)
    path = saelens(folder, w, normalize_activations="expected_average_only_in")
    return path, {}, Gives(gives.codes, gives.x_hat / 0.25)


@case
def saelens_scaled_with_the_scale_given(folder, w, x):
    gives = plain(0.5 * x, w, relu)
    path = saelens(folder, w, normalize_activations="expected_average_only_in")
    return path, {"scale": 0.5}, Gives(gives.codes, gives.x_hat / 0.5)


@case
def saelens_whitened(folder, w, x):
    rng = np.random.default_rng(1)
    matrix, mean = rng.normal(size=(D, D)) + 2 * np.eye(D), rng.normal(size=D)
    whitening = {"mean": mean, "matrix": matrix, "inverse_matrix": np.linalg.inv(matrix)}
    tensors = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in whitening.items()}
    save_file(tensors, folder / "activation_whitening.safetensors")
    (folder / "activation_scaler.json").write_text(json.dumps({"scaling_factor": None, "has_whitening": True}))
    gives = plain((x - mean) @ matrix, w, relu)
    path = saelens(folder, w, normalize_activations="covariance_whitening")
    return path, {}, Gives(gives.codes, gives.x_hat @ whitening["inverse_matrix"] + mean)


@case
def saelens_batchtopk_in_training(folder, w, x):
    norms = np.linalg.norm(w.W_dec, axis=1)
    codes = above(((x - w.b_dec) @ w.W_enc + w.b_enc) * norms, 0.7)
    config = {"architecture": "batchtopk", "k": float(K), "rescale_acts_by_decoder_norm": True}
    path = saelens(folder, w, {"topk_threshold": torch.tensor(0.7, dtype=torch.float64)}, **config)
    return path, {}, Gives(codes, (codes / norms) @ w.W_dec + w.b_dec)


@case
def saelens_batchtopk_of_a_broken_k(folder, w, x):
    extra = {"topk_threshold": torch.tensor(0.75, dtype=torch.float64)}
    path = saelens(folder, w, extra, architecture="batchtopk", k=2.5)
    return path, {}, plain(x, w, lambda pre: above(pre, 0.75))


@case
def saelens_batchtopk_of_a_broken_k_scaled_and_rescaled(folder, w, x):
    """Codes come in raw units, as the package's own export has them; its threshold is of scaled and rescaled numbers."""
    norms = np.linalg.norm(w.W_dec, axis=1)
    (folder / "activation_scaler.json").write_text(json.dumps({"scaling_factor": 0.5}))
    codes = above(((0.5 * x - w.b_dec) @ w.W_enc + w.b_enc) * norms, 0.7)
    config = {"architecture": "batchtopk", "k": 2.5, "rescale_acts_by_decoder_norm": True}
    config["normalize_activations"] = "expected_average_only_in"
    path = saelens(folder, w, {"topk_threshold": torch.tensor(0.7, dtype=torch.float64)}, **config)
    return path, {}, Gives(codes / 0.5, ((codes / norms) @ w.W_dec + w.b_dec) / 0.5)


@case
def saelens_matryoshka_in_training(folder, w, x):
    extra = {"topk_threshold": torch.tensor(0.75, dtype=torch.float64)}
    config = {"architecture": "matryoshka_batchtopk", "k": K, "matryoshka_widths": [5, 12]}
    return saelens(folder, w, extra, **config), {}, plain(x, w, lambda pre: above(pre, 0.75))


@case
def saelens_before_version_6(folder, w, x):
    path = saelens(folder, w, {"scaling_factor": torch.ones(F)})
    config = {
        **{
            "d_in": D,
            "d_sae": F,
            "dtype": "torch.float32",
            "hook_point": "blocks.3.hook_resid_post",
            "hook_point_layer": 3,
        },
        **{
            "activation_fn_str": "topk",
            "activation_fn_kwargs": {"k": K},
            "normalize_activations": False,
            "prepend_bos": True,
        },
    }
    (folder / "cfg.json").write_text(json.dumps(config))
    return path, {}, plain(x, w, largest)


@case
def saelens_in_bfloat16(folder, w, x):
    rounded = w._replace(**{name: tensor(value).bfloat16().double().numpy() for name, value in w._asdict().items()})
    tensors = {name: tensor(getattr(w, name)).bfloat16() for name in ("W_enc", "b_enc", "W_dec", "b_dec")}
    return saelens(folder, w, tensors, dtype="bfloat16"), {}, plain(x, rounded, relu)


# sparsify


def sparsify(folder: Path, w, **config):
    base = {"activation": "topk", "expansion_factor": 32, "normalize_decoder": True, "num_latents": F, "k": K}
    base |= {"multi_topk": False, "skip_connection": False, "transcode": False, "d_in": w.W_enc.shape[0]}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cfg.json").write_text(json.dumps({**base, **config}))
    tensors = {"encoder.weight": w.W_enc.T, "encoder.bias": w.b_enc, "W_dec": w.W_dec, "b_dec": w.b_dec}
    save_file({name: tensor(value) for name, value in tensors.items()}, folder / "sae.safetensors")
    return folder


@case
def sparsify_layer(folder, w, x):
    return sparsify(folder / "encoder.layer.3", w), {}, plain(x, w, largest)


@case
def sparsify_num_latents_0(folder, w, x):
    """Its default: the number of latents is d_in * expansion_factor."""
    w = w._replace(W_enc=w.W_enc[:, :18], b_enc=w.b_enc[:18], W_dec=w.W_dec[:18])
    return sparsify(folder, w, num_latents=0, expansion_factor=3), {}, plain(x, w, largest)


@case
def sparsify_as_wide_as_its_input(folder, w, x):
    """A transposed W_dec would fit, and give other numbers."""
    w = w._replace(W_enc=w.W_enc[:, :D], b_enc=w.b_enc[:D], W_dec=w.W_dec[:D])
    return sparsify(folder, w, num_latents=D), {}, plain(x, w, largest)


@case
def sparsify_one_seed_of_several(folder, w, x):
    sparsify(folder / "layers.0" / "seed1", w)
    return sparsify(folder / "layers.0" / "seed0", w), {}, plain(x, w, largest)


# dictionary_learning


def dictionary(folder: Path, cls: str, state: dict, **trainer):
    config = {
        "trainer": {
            "dict_class": cls,
            "activation_dim": D,
            "dict_size": F,
            "layer": 3,
            "lm_name": "some-model",
            **trainer,
        }
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    torch.save(state, folder / "ae.pt")
    return folder


def linear(w, **more):
    """Weights as torch.nn.Linear keeps them."""
    own = {"encoder.weight": w.W_enc.T, "encoder.bias": w.b_enc, "decoder.weight": w.W_dec.T}
    return {name: tensor(value) for name, value in own.items()} | more


def named(w, **more):
    own = {name: tensor(getattr(w, name)) for name in ("W_enc", "b_enc", "W_dec", "b_dec")}
    return own | more


def chosen(w, threshold):
    return linear(w, b_dec=tensor(w.b_dec), k=torch.tensor(K, dtype=torch.int32), threshold=torch.tensor(threshold))


@case
def dictionary_learning_autoencoder(folder, w, x):
    path = dictionary(folder / "trainer_0", "AutoEncoder", linear(w, bias=tensor(w.b_dec)))
    return path, {}, plain(x, w, relu)


@case
def dictionary_learning_autoencoder_new(folder, w, x):
    path = dictionary(folder, "AutoEncoderNew", linear(w) | {"decoder.bias": tensor(w.b_dec)})
    return path, {}, plain(x, w, relu, subtract=False)


@case
def dictionary_learning_topk(folder, w, x):
    """Its threshold is of no use in it: its codes are the k largest."""
    return dictionary(folder, "AutoEncoderTopK", chosen(w, 0.3), k=K), {}, plain(x, w, largest)


@case
def dictionary_learning_batchtopk(folder, w, x):
    path = dictionary(folder, "BatchTopKSAE", chosen(w, 0.75), k=K)
    return path, {}, plain(x, w, lambda pre: above(pre, 0.75))


@case
def dictionary_learning_batchtopk_never_estimated(folder, w, x):
    return dictionary(folder, "BatchTopKSAE", chosen(w, -1.0), k=K), {}, plain(x, w, relu)


@case
def dictionary_learning_matryoshka(folder, w, x):
    more = {"k": torch.tensor(K), "threshold": torch.tensor(0.75), "group_sizes": torch.tensor([4, 6, 10])}
    path = dictionary(folder, "MatryoshkaBatchTopKSAE", named(w, **more), k=K)
    return path, {}, plain(x, w, lambda pre: above(pre, 0.75))


@case
def dictionary_learning_jumprelu(folder, w, x):
    path = dictionary(folder, "JumpReluAutoEncoder", named(w, threshold=tensor(w.threshold)))
    return path, {}, plain(x, w, lambda pre: above(pre, w.threshold), subtract=False)


def gate(w):
    names = {"decoder_bias": w.b_dec, "r_mag": w.r_mag, "gate_bias": w.b_enc, "mag_bias": w.b_mag}
    weights = {"encoder.weight": w.W_enc.T, "decoder.weight": w.W_dec.T}
    return {name: tensor(value) for name, value in (weights | names).items()}


@case
def dictionary_learning_gated(folder, w, x):
    path = dictionary(folder, "GatedAutoEncoder", gate(w))
    return path, {}, plain(x, w, lambda pre: gated(pre - w.b_enc, w))


@case
def dictionary_learning_without_a_config(folder, w, x):
    torch.save(gate(w), folder / "ae.pt")
    return folder / "ae.pt", {}, plain(x, w, lambda pre: gated(pre - w.b_enc, w))


@case
def dictionary_learning_topk_without_a_config(folder, w, x):
    torch.save(chosen(w, 0.75), folder / "ae.pt")
    return folder, {"architecture": "topk"}, plain(x, w, largest)


@case
def dictionary_learning_checkpoint_of_a_step(folder, w, x):
    dictionary(folder, "AutoEncoder", {})
    (folder / "checkpoints").mkdir()
    torch.save(linear(w, bias=tensor(w.b_dec)), folder / "checkpoints" / "ae_500.pt")
    return folder / "checkpoints" / "ae_500.pt", {}, plain(x, w, relu)


@case
def dictionary_learning_backup_of_a_training(folder, w, x):
    """Its SAE reads x / norm_factor; codes come in raw units once its biases are multiplied."""
    adam = torch.optim.Adam([torch.nn.Parameter(torch.ones(2))]).state_dict()
    backup = {"step": 5, "ae": chosen(w, 0.25), "optimizer": adam, "config": {"k": K}, "norm_factor": 3.0}
    gives = plain(x / 3, w, lambda pre: above(pre, 0.25))
    return dictionary(folder, "BatchTopKSAE", backup, k=K), {}, Gives(3 * gives.codes, 3 * gives.x_hat)


# openai


def openai(path: Path, w, **more):
    own = {"pre_bias": w.b_dec, "latent_bias": w.b_enc, "encoder.weight": w.W_enc.T, "decoder.weight": w.W_dec.T}
    state = {name: tensor(value) for name, value in own.items()}
    statistics = {"stats_last_nonzero": torch.zeros(F, dtype=torch.long)}
    statistics |= {"latents_activation_frequency": torch.ones(F), "latents_mean_square": torch.zeros(F)}
    torch.save(state | statistics | more, path)
    return path


@case
def openai_relu(folder, w, x):
    return openai(folder / "a.pt", w, activation="ReLU", activation_state_dict={}), {}, plain(x, w, relu)


@case
def openai_topk(folder, w, x):
    more = {"activation": "TopK", "activation_state_dict": {"k": K, "postact_fn": "ReLU"}}
    more |= {"activation.k": K, "activation.postact_fn": "ReLU"}  # its own strict reader stumbles over these
    return openai(folder / "a.pt", w, **more), {}, normed(x, w)


@case
def openai_tied(folder, w, x):
    w = w._replace(W_dec=w.W_enc.T)
    path = openai(folder / "a.pt", w)
    state = torch.load(path)
    state["decoder.linear.weight"] = state["encoder.weight"]
    del state["decoder.weight"]
    torch.save(state, path)
    return path, {}, plain(x, w, relu)


# InterPLM


def interplm(folder: Path, state: dict, factor=None, name="ae.pt", era=2):
    if era == 2:
        state["activation_rescale_factor"] = torch.ones(F) if factor is None else tensor(factor)
        state["normalize_to_sqrt_d"] = torch.tensor(False)
    torch.save(state, folder / name)
    (folder / "config.yaml").write_text("x: !!python/object/apply:os.system ['touch hacked']\n")
    return folder


@case
def interplm_relu(folder, w, x):
    return interplm(folder, linear(w, bias=tensor(w.b_dec))), {}, plain(x, w, relu)


@case
def interplm_relu_tied(folder, w, x):
    path = interplm(folder, linear(w) | {"decoder.bias": tensor(w.b_dec)})
    return path, {}, plain(x, w, relu, subtract=False)


@case
def interplm_jumprelu(folder, w, x):
    state = linear(w) | {"decoder.bias": tensor(w.b_dec), "threshold": tensor(w.threshold)}
    return interplm(folder, state), {}, plain(x, w, lambda pre: above(pre, w.threshold), subtract=False)


@case
def interplm_topk(folder, w, x):
    return interplm(folder, chosen(w, -1.0)), {"architecture": "topk"}, plain(x, w, largest)


@case
def interplm_batchtopk(folder, w, x):
    path = interplm(folder, chosen(w, 0.75))
    return path, {"architecture": "batchtopk"}, plain(x, w, lambda pre: above(pre, 0.75))


def factors(w):
    """Largest values of codes; 0 where a latent never fired."""
    found = 0.5 + np.abs(w.r_mag)
    found[3] = 0
    return found.astype(np.float32).astype(np.float64)


@case
def interplm_before_version_1_with_the_scaling_in_its_weights(folder, w, x):
    factor = np.where(factors(w) > 0, factors(w), 1)
    baked = w._replace(W_enc=w.W_enc / factor, b_enc=w.b_enc / factor, W_dec=w.W_dec * factor[:, None])
    path = interplm(folder, linear(baked, bias=tensor(w.b_dec)), name="ae_normalized.pt", era=1)
    gives = plain(x, w, relu)
    return path, {}, Gives(gives.codes / factor, gives.x_hat)


@case
def interplm_since_version_1_as_encoded(folder, w, x):
    return interplm(folder, linear(w, bias=tensor(w.b_dec)), factors(w)), {}, plain(x, w, relu)


@case
def interplm_since_version_1_scaled(folder, w, x):
    gives = plain(x, w, relu)
    path = interplm(folder, linear(w, bias=tensor(w.b_dec)), factors(w))
    return path, {"scaled": True}, Gives(gives.codes / np.where(factors(w) > 0, factors(w), 1), gives.x_hat)


@case
def interplm_batchtopk_scaled(folder, w, x):
    gives = plain(x, w, lambda pre: above(pre, 0.75))
    path = interplm(folder, chosen(w, 0.75), factors(w))
    options = {"architecture": "batchtopk", "scaled": True}
    return path, options, Gives(gives.codes / np.where(factors(w) > 0, factors(w), 1), gives.x_hat)


# overcomplete


def unit(w):
    return w._replace(W_dec=w.W_dec / np.linalg.norm(w.W_dec, axis=1, keepdims=True), b_dec=0 * w.b_dec)


def pickled(folder: Path, build) -> Path:
    """A whole module, as `torch.save(sae, path)` writes it."""
    with stand_ins.Names() as names:
        torch.save(build(names), folder / "sae.pt")
    return folder / "sae.pt"


@case
def overcomplete_topk(folder, w, x):
    path = pickled(
        folder,
        lambda names: stand_ins.sae(
            names.TopKSAE(), stand_ins.encoder(names, w), stand_ins.dictionary(names, w, "l2", 0.5), top_k=K
        ),
    )
    u = unit(w)
    return path, {}, plain(x, u._replace(W_dec=u.W_dec * np.exp(0.5)), largest)


@case
def overcomplete_relu_of_another_normalisation(folder, w, x):
    path = pickled(
        folder,
        lambda names: stand_ins.sae(names.SAE(), stand_ins.encoder(names, w), stand_ins.dictionary(names, w, "max_l1")),
    )
    W_dec = w.W_dec / np.abs(w.W_dec).sum(1).max()
    return path, {}, plain(x, w._replace(W_dec=W_dec, b_dec=0 * w.b_dec), relu)


@case
def overcomplete_in_eval_mode_keeps_its_fused_dictionary(folder, w, x):
    def build(names):
        made = stand_ins.sae(names.SAE(), stand_ins.encoder(names, w), stand_ins.dictionary(names, w))
        made.eval()
        made.dictionary._fused_dictionary = tensor(2 * w.W_dec)
        return made

    return pickled(folder, build), {}, plain(x, w._replace(W_dec=2 * w.W_dec, b_dec=0 * w.b_dec), relu)


@case
def overcomplete_jump(folder, w, x):
    t = np.exp(w.r_mag)
    path = pickled(
        folder,
        lambda names: stand_ins.sae(
            names.JumpSAE(), stand_ins.encoder(names, w), stand_ins.dictionary(names, w), thresholds=tensor(w.r_mag)
        ),
    )
    return path, {}, plain(x, unit(w), lambda pre: above(pre, t))


@case
def overcomplete_batchtopk(folder, w, x):
    def build(names):
        made = stand_ins.sae(
            names.BatchTopKSAE(), stand_ins.encoder(names, w), stand_ins.dictionary(names, w), top_k=500
        )
        made.running_threshold = torch.tensor(0.7)  # no part of its state dict
        return made

    return pickled(folder, build), {}, plain(x, unit(w), lambda pre: above(pre, 0.7))


@case
def overcomplete_archetypal(folder, w, x):
    rng = np.random.default_rng(2)
    W, C, relax = rng.normal(size=(F, 9)), rng.normal(size=(9, D)), rng.normal(size=(F, D))

    def build(names):
        made = names.RelaxedArchetypalDictionary()
        own = {"W": tensor(W), "C": tensor(C), "Relax": tensor(relax), "multiplier": torch.tensor(0.25)}
        stand_ins.with_state(made, **own, delta=0.5, _fused_dictionary=None)
        return stand_ins.sae(names.RATopKSAE(), stand_ins.encoder(names, w), made, top_k=K)

    stochastic = relu(W) / (relu(W).sum(1, keepdims=True) + 1e-8)
    relax = relax * np.minimum(1, 0.5 / np.linalg.norm(relax, axis=1, keepdims=True))
    dictionary = (stochastic @ C + relax) * np.exp(0.25)
    return pickled(folder, build), {}, plain(x, w._replace(W_dec=dictionary, b_dec=0 * w.b_dec), largest)


@case
def overcomplete_tied(folder, w, x):
    def build(names):
        layer = stand_ins.dictionary(names, w)
        made = stand_ins.with_state(names.TieableEncoder(), bias=tensor(w.b_enc))
        made.tied_to = layer
        return stand_ins.sae(names.TopKSAE(), made, layer, top_k=K)

    u = unit(w)
    return pickled(folder, build), {}, plain(x, u._replace(W_enc=u.W_dec.T), largest)


def overcomplete_state(w):
    own = {
        "encoder.final_block.0.weight": w.W_enc.T,
        "encoder.final_block.0.bias": w.b_enc,
        "dictionary._weights": w.W_dec,
    }
    return {name: tensor(value) for name, value in own.items()} | {"dictionary.multiplier": torch.tensor(0.0)}


@case
def overcomplete_state_dict_of_a_topk(folder, w, x):
    torch.save(overcomplete_state(w), folder / "a.pt")
    return folder / "a.pt", {"k": K}, plain(x, unit(w), largest)


@case
def overcomplete_state_dict_of_a_plain_one(folder, w, x):
    torch.save(overcomplete_state(w), folder / "a.pt")
    return folder / "a.pt", {"architecture": "relu"}, plain(x, unit(w), relu)


# InterProt and ESM C


def interprot(w):
    own = {"w_enc": w.W_enc, "w_dec": w.W_dec, "b_enc": w.b_enc, "b_pre": w.b_dec}
    return {name: tensor(value) for name, value in own.items()} | {
        "stats_last_nonzero": torch.zeros(F, dtype=torch.long)
    }


@case
def interprot_safetensors(folder, w, x):
    path = folder / "esm2_plm1280_l24_sae4096.safetensors"
    save_file(interprot(w), path)
    return path, {"k": K}, normed(x, w)


@case
def interprot_lightning(folder, w, x):
    path = folder / "last.ckpt"
    state = {f"sae_model.{name}": value for name, value in interprot(w).items()}
    torch.save({"epoch": 1, "state_dict": state | {"esm.weight": torch.ones(2)}, "loops": {"fit": [1, None]}}, path)
    return path, {"k": K}, normed(x, w)


def esmc(folder: Path, w, layers=(4,), **config):
    base = {"d_model": D, "codebook_dim": F, "k": K, "available_layers": list(layers), "model_type": "esmc_sae"}
    (folder / "config.json").write_text(json.dumps({**base, **config}))
    tensors = {"W_enc": w.W_enc, "W_dec": w.W_dec, "b_dec": w.b_dec, "idf": np.ones(F), "max": np.ones(F)}
    for layer in layers:
        save_file({name: tensor(value) for name, value in tensors.items()}, folder / f"layer_{layer}.safetensors")
    return folder


@case
def esmc_one_layer(folder, w, x):
    return esmc(folder, w), {}, normed(x, w, b_enc=False)


@case
def esmc_one_of_several_layers(folder, w, x):
    esmc(folder, w._replace(W_enc=w.W_enc + 1), layers=(10,))
    return esmc(folder, w, layers=(4, 9)), {"layer": 9}, normed(x, w, b_enc=False)
