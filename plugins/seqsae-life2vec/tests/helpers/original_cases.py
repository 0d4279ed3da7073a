"""Original checkpoints as they are on disk, with random weights, and the published equations in float64 numpy.

The equations here are written from the papers and from the published description, one query at a time, and share nothing
with the package's own network.
"""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from seqsae_life2vec.vocabulary import SPECIALS

SIZES = {"H": 12, "FF": 10, "blocks": 2, "heads": 3, "V": 20, "m": 7}
OPTIONS = {"local_heads": 2, "window": 3, "max_length": 17}
PUBLISHED = {"H": 280, "FF": 2210, "blocks": 5, "heads": 10, "V": 2043, "m": 436}
TOKENS = [*SPECIALS, "F", "M", "DK", "MONTH_1", "YEAR_1980", "I21", "POS_2310", "INCOME_7", "A", "B"]


def transformer_state(H, FF, blocks, heads, V, m, seed=0) -> OrderedDict:
    """The keys and shapes of a transformer's state dict; values large enough for every part to show."""
    rng = np.random.default_rng(seed)

    def draw(*shape, scale=0.5):
        return torch.from_numpy(rng.normal(0, scale, shape)).float()

    state = OrderedDict()
    state["embedding.token.parametrizations.weight.original"] = draw(V, H)
    state["embedding.token.parametrizations.weight.0.norm"] = torch.tensor([False])
    state["embedding.token.parametrizations.weight.0.use_ignore_index"] = torch.tensor([True])
    state["embedding.token.parametrizations.weight.0.ignore_index"] = torch.tensor([0, 4, 5, 6, 7, 8])
    for name in ("age", "abspos"):
        for part, width in (("w0", 1), ("b0", 1), ("w", H - 1), ("b", H - 1)):
            state[f"embedding.{name}.{part}"] = draw(1, width, scale=0.01)
    state["embedding.segment.weight"] = draw(4, H)
    for name in ("age", "abs", "seg"):
        state[f"embedding.res_{name}.weights"] = draw(1)
    for i in range(blocks):
        at = f"encoders.{i}."
        for name in ("to_q", "to_k", "to_v", "to_out"):
            state[f"{at}attention.attention.{name}.weight"] = draw(H, H, scale=H**-0.5)
        state[f"{at}attention.attention.to_out.bias"] = draw(H)
        state[f"{at}attention.attention.fast_attention.projection_matrix"] = draw(m, H // heads, scale=1)
        state[f"{at}attention_sublayer.norm.weights"] = draw(1)
        state[f"{at}position_wise.hidden2ff.weight"] = draw(FF, H, scale=H**-0.5)
        state[f"{at}position_wise.hidden2ff.bias"] = draw(FF)
        state[f"{at}position_wise.ff2hidden.weight"] = draw(H, FF, scale=FF**-0.5)
        state[f"{at}position_wise.ff2hidden.bias"] = draw(H)
        state[f"{at}position_sublayer.norm.weights"] = draw(1)
    return state


def token_head_state(H, V, seed=1) -> dict:
    """`mlm_decoder`."""
    draw = torch.Generator().manual_seed(seed)
    return {
        "V.weight": torch.randn(H, H, generator=draw),
        "V.bias": torch.randn(H, generator=draw),
        "g": torch.randn(1, generator=draw),
        "out.parametrizations.weight.original": torch.randn(V, H, generator=draw),
        "out.parametrizations.weight.0.norm": torch.tensor([True]),
        "out.parametrizations.weight.0.use_ignore_index": torch.tensor([True]),
        "out.parametrizations.weight.0.ignore_index": torch.tensor([0, 4, 5, 6, 7, 8]),
    }


def order_head_state(H, seed=2) -> dict:
    """`cls_decoder`."""
    draw = torch.Generator().manual_seed(seed)
    sizes = {
        "in_layer.weight": (H, H),
        "in_layer.bias": (H,),
        "norm.g": (1,),
        "out_layer.weight": (3, H),
        "out_layer.bias": (3,),
    }
    return {name: torch.randn(*shape, generator=draw) for name, shape in sizes.items()}


def pooling_state(H, classes=2, seed=3) -> dict:
    """`decoder` of a fine-tuned model."""
    draw = torch.Generator().manual_seed(seed)
    sizes = {
        **{"ff.weight": (H, H), "ff.bias": (H,), "pool.weight": (H // 2, H), "pool.bias": (H // 2,), "norm.g": (1,)},
        **{"context": (H // 2,), "out.weight": (classes, H), "out.bias": (classes,)},
    }
    return {name: torch.randn(*shape, generator=draw) for name, shape in sizes.items()}


def lightning(path: Path, transformer: dict, decoder: dict | None = None, **hyper) -> Path:
    """A `.ckpt` with all that stands in one beside the weights: optimiser, a scheduler's function, metrics, callbacks."""
    H, V = SIZES["H"], SIZES["V"]
    state = OrderedDict((f"transformer.{key}", value) for key, value in transformer.items())
    if decoder is None:
        state |= {f"mlm_decoder.{key}": value for key, value in token_head_state(H, V).items()}
        state |= {f"cls_decoder.{key}": value for key, value in order_head_state(H).items()}
        state |= {"cls_w": torch.tensor(0.2), "mlm_w": torch.tensor(0.8), "cls_a": torch.tensor([1 / 0.9, 10.0, 10.0])}
    else:
        state |= {f"decoder.{key}": value for key, value in decoder.items()}
    document = {
        "epoch": 3,
        "state_dict": state,
        "hyper_parameters": {
            "hidden_size": H,
            "hidden_act": "swish",
            "weight_tying": "wt",
            "emb_dropout": 0.1,
            **hyper,
        },
        "optimizer_states": [{"state": {0: {"step": 3, "exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 5e-3}]}],
        "lr_schedulers": [{"anneal_func": torch.optim.lr_scheduler.OneCycleLR._annealing_cos, "total_steps": 9}],
        "callbacks": {torch.optim.AdamW: {"best": Path("/somewhere/else.ckpt"), "score": np.float64(1.5)}},
    }
    torch.save(document, path, pickle_protocol=2)
    return path


def vocabulary(path: Path, tokens=TOKENS) -> Path:
    """A `result.tsv`."""
    lines = ["ID\tTOKEN\tCATEGORY", *(f"{i}\t{token}\tX" for i, token in enumerate(tokens))]
    path.write_text("\n".join(lines) + "\n")
    return path


def document(n: int, L: int, seed=0) -> tuple[np.ndarray, np.ndarray]:
    """Channels [4, L] of token, position, age, segment, and the mask [L] of its first n positions."""
    rng = np.random.default_rng(seed)
    ids = np.zeros((4, L), np.int64)
    ids[0, :n], ids[1, :n], ids[2, :n], ids[3, :n] = (
        rng.integers(9, 20, n), rng.integers(-900, 900, n), rng.integers(0, 90, n), rng.integers(1, 4, n)
    )  # fmt: skip
    ids[0, 0] = 1
    return ids, np.arange(L) < n


def oracle(state: dict, ids: np.ndarray, mask: np.ndarray, heads: int, local_heads: int, window: int) -> dict:
    """Every site of one life in float64, by the equations: [L, .] each."""
    w = {key: value.double().numpy() for key, value in state.items()}
    x = _embedding(w, ids)
    sites = {"embedding": x}
    for i in range(sum(key.endswith("to_q.weight") for key in w)):
        at = f"encoders.{i}."
        x = x * mask[:, None]
        write = w[at + "attention_sublayer.norm.weights"] * _attention(w, at, x, mask, heads, local_heads, window)
        sites[f"blocks.{i}.attention"] = write
        x = x + write
        hidden = x @ w[at + "position_wise.hidden2ff.weight"].T + w[at + "position_wise.hidden2ff.bias"]
        hidden = hidden / (1 + np.exp(-hidden))
        out = hidden @ w[at + "position_wise.ff2hidden.weight"].T + w[at + "position_wise.ff2hidden.bias"]
        write = w[at + "position_sublayer.norm.weights"] * out
        x = x + write
        sites |= {f"blocks.{i}.mlp.hidden": hidden, f"blocks.{i}.mlp": write, f"blocks.{i}": x}
    return sites


def centred(table: np.ndarray, ignored=(0, 4, 5, 6, 7, 8)) -> np.ndarray:
    real = [i for i in range(len(table)) if i not in ignored]
    table = table - table[real].mean(0)
    table[list(ignored)] = 0
    return table


def _embedding(w: dict, ids: np.ndarray) -> np.ndarray:
    token, position, age, segment = ids
    x = centred(w["embedding.token.parametrizations.weight.original"])[token]
    for name, gate, wave, value in (("age", "age", np.cos, age), ("abspos", "abs", np.sin, position)):
        at = f"embedding.{name}."
        t = value[:, None].astype(float)
        p = np.concatenate([wave(t @ w[at + "w"] + w[at + "b"]), t @ w[at + "w0"] + w[at + "b0"]], axis=1)
        p[:5] = 0
        x = x + w[f"embedding.res_{gate}.weights"] * p
    return x + w["embedding.res_seg.weights"] * w["embedding.segment.weight"][segment]


def _attention(
    w: dict, at: str, x: np.ndarray, mask: np.ndarray, heads: int, local_heads: int, window: int
) -> np.ndarray:
    at += "attention.attention."
    q, k, v = (x @ w[f"{at}to_{name}.weight"].T for name in "qkv")
    d = x.shape[1] // heads
    out = []
    for head in range(heads):
        part = slice(head * d, (head + 1) * d)
        if head < heads - local_heads:
            one = _favor(q[:, part], k[:, part], v[:, part] * mask[:, None], w[at + "fast_attention.projection_matrix"])
        else:
            one = _local(q[:, part], k[:, part], v[:, part], mask, window)
        out.append(one)
    return np.concatenate(out, axis=1) @ w[at + "to_out.weight"].T + w[at + "to_out.bias"]


def _favor(q, k, v, projection, eps=1e-4):
    """Choromanski et al. 2021: phi(x) = m^-1/2 (exp(w.x d^-1/4 - |x|^2 d^-1/2 / 2 - max) + eps)."""
    m, d = projection.shape
    q, k = q / d**0.25, k / d**0.25
    highest = (k @ projection.T).max()
    phi_k = np.array([np.exp(projection @ one - one @ one / 2 - highest) + eps for one in k]) / m**0.5
    rows = []
    for one in q:
        along = projection @ one
        phi_q = (np.exp(along - one @ one / 2 - along.max()) + eps) / m**0.5
        weights = phi_k @ phi_q
        rows.append(weights @ v / weights.sum())
    return np.array(rows)


def _local(q, k, v, mask, window):
    """Each query sees the real keys of its own window and of the two beside it."""
    rows = np.zeros_like(q)
    for i in range(len(q)):
        block = i // window
        seen = [j for j in range(len(k)) if abs(j // window - block) <= 1 and mask[j]]
        if mask[i]:
            scores = np.array([q[i] @ k[j] for j in seen]) / q.shape[1] ** 0.5
            weights = np.exp(scores - scores.max())
            rows[i] = weights / weights.sum() @ v[seen]
    return rows
