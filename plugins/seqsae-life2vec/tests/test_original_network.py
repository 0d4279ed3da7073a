"""The compatibility network against the published equations, and the rules that follow from them."""

import numpy as np
import pytest
import torch
from original_cases import (
    OPTIONS,
    PUBLISHED,
    SIZES,
    centred,
    document,
    lightning,
    oracle,
    pooling_state,
    token_head_state,
    transformer_state,
    vocabulary,
)
from seqsae_life2vec.model import open as open_life2vec

from seqsae.records.record import Record

LENGTH = OPTIONS["max_length"]


def opened(folder, state, options=OPTIONS, rows="events", form="pth", tokens=None, **more):
    path = folder / f"x.{form}"
    if form == "pth":
        torch.save(state, path)
    else:
        lightning(path, state, **more)
    tsv = vocabulary(folder / "result.tsv", *([tokens] if tokens else []))
    return open_life2vec(path, vocabulary=tsv, rows=rows, **options)


def item(ids: np.ndarray, mask: np.ndarray, subject: int = 0) -> Record:
    return Record(subject, subject, item={"input_ids": ids, "padding_mask": mask})


def read(model, documents, sites=None) -> dict[str, torch.Tensor]:
    batch = model.collate([model.prepare(item(*one)) for one in documents])
    return model.capture(batch, sites or model.sites)


@pytest.mark.parametrize("local_heads", [0, 1, 2, 3])
@pytest.mark.parametrize("n", [17, 9, 4])
def test_every_site_equals_the_published_equations(tmp_path, local_heads, n):
    state = transformer_state(**SIZES)
    model = opened(tmp_path, state, OPTIONS | {"local_heads": local_heads})
    ids, mask = document(n, LENGTH)
    wanted = oracle(state, ids, mask, SIZES["heads"], local_heads, OPTIONS["window"])
    found = read(model, [(ids, mask)])
    assert set(found) == set(wanted)
    rows = np.flatnonzero(mask & (ids[0] != 1))
    for site, value in found.items():
        np.testing.assert_allclose(value.numpy(), wanted[site][rows], rtol=1e-5, atol=1e-5, err_msg=site)


def test_lives_of_a_batch_do_not_touch_each_other(tmp_path):
    model = opened(tmp_path, transformer_state(**SIZES))
    documents = [document(n, LENGTH, seed=n) for n in (17, 5, 11)]
    together = read(model, documents, ["blocks.1"])["blocks.1"]
    alone = torch.cat([read(model, [one], ["blocks.1"])["blocks.1"] for one in documents])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_documents_are_padded_to_the_trained_length_and_another_length_would_not_do(tmp_path):
    state = transformer_state(**SIZES)
    model = opened(tmp_path, state)
    ids, mask = document(6, LENGTH)
    given = read(model, [(ids, mask)], ["blocks.1"])["blocks.1"]
    short = read(model, [(ids[:, :6], mask[:6])], ["blocks.1"])["blocks.1"]
    assert torch.equal(given, short)  # padded by the model, to the same bits
    assert model.prepare(item(ids, mask)).length == LENGTH and not model.pad_invariant
    longer = opened(tmp_path, state, OPTIONS | {"max_length": 40})
    moved = read(longer, [(ids, mask)], ["blocks.1"])["blocks.1"]
    assert (moved - given).norm() / given.norm() > 1e-3
    local_only = [
        read(opened(tmp_path, state, OPTIONS | {"max_length": n, "local_heads": 3}), [(ids, mask)], ["blocks.1"])[
            "blocks.1"
        ]
        for n in (LENGTH, 40)
    ]
    torch.testing.assert_close(*local_only)  # it is the FAVOR+ heads that count padding


def test_the_projections_are_those_of_the_file(tmp_path):
    state = transformer_state(**SIZES)
    one = document(12, LENGTH)
    before = read(opened(tmp_path, state), [one], ["blocks.0"])["blocks.0"]
    again = read(opened(tmp_path, state), [one], ["blocks.0"])["blocks.0"]
    assert torch.equal(before, again)
    key = "encoders.0.attention.attention.fast_attention.projection_matrix"
    after = read(opened(tmp_path, state | {key: state[key].flip(1)}), [one], ["blocks.0"])["blocks.0"]
    assert (after - before).abs().max() > 1e-4


def test_local_heads_are_the_last_ones(tmp_path):
    """Values of the first head reach far positions, values of the last ones only the windows beside."""
    state = transformer_state(**SIZES | {"blocks": 1})
    state["encoders.0.attention.attention.to_out.weight"] = torch.eye(12)
    ids, mask = document(17, LENGTH)
    other = ids.copy()
    other[0, 16] = 9 if ids[0, 16] != 9 else 10
    model = opened(tmp_path, state)
    a, b = (read(model, [(one, mask)], ["blocks.0.attention"])["blocks.0.attention"] for one in (ids, other))
    moved = (a - b)[0].abs()  # row of position 1, far from position 16
    assert moved[:4].max() > 1e-6  # head 0: FAVOR+
    assert moved[4:].max() == 0


def test_logits_come_from_the_head_of_the_file(tmp_path):
    state = transformer_state(**SIZES)
    model = opened(tmp_path, state, OPTIONS, form="ckpt")
    ids, mask = document(9, LENGTH)
    x = oracle(state, ids, mask, 3, 2, 3)["blocks.1"][:9]
    head = {key: value.double().numpy() for key, value in token_head_state(12, 20).items()}
    inner = np.tanh(x @ head["V.weight"].T + head["V.bias"])
    table = centred(head["out.parametrizations.weight.original"])
    length = np.linalg.norm(table, axis=1, keepdims=True)
    wanted = head["g"] * (inner / np.linalg.norm(inner, axis=1, keepdims=True)) @ (table / np.maximum(length, 1e-12)).T
    with torch.no_grad():
        found = model.forward(model.collate([model.prepare(item(ids, mask))]))[0, :9]
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5, atol=1e-5)


def test_the_person_of_a_fine_tuned_file_is_what_its_decoder_pools(tmp_path):
    state, decoder = transformer_state(**SIZES), pooling_state(12)
    model = opened(tmp_path, state, OPTIONS, "person", form="ckpt", decoder=decoder)
    ids, mask = document(9, LENGTH)
    x = oracle(state, ids, mask, 3, 2, 3)["blocks.1"][:9]
    w = {key: value.double().numpy() for key, value in decoder.items()}
    u = x @ w["ff.weight"].T + w["ff.bias"]
    u = u / (1 + np.exp(-u))
    u = w["norm.g"] * u / np.linalg.norm(u, axis=1, keepdims=True)
    s = np.tanh(u @ w["pool.weight"].T + w["pool.bias"]) @ w["context"]
    weight = np.exp(s) * (1 / (1 + np.exp(-s)) + 1e-12)
    wanted = weight / weight.sum() @ u
    np.testing.assert_allclose(read(model, [(ids, mask)])["person"][0].numpy(), wanted, rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        classes = model.forward(model.collate([model.prepare(item(ids, mask))]))
    np.testing.assert_allclose(classes[0, 0].numpy(), w["out.weight"] @ wanted + w["out.bias"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", ["pth", "ckpt"])
def test_the_person_of_a_pretrained_file_is_its_cls(tmp_path, form):
    state = transformer_state(**SIZES)
    model = opened(tmp_path, state, OPTIONS, "person", form=form)
    ids, mask = document(9, LENGTH)
    wanted = oracle(state, ids, mask, 3, 2, 3)["blocks.1"][0]
    np.testing.assert_allclose(read(model, [(ids, mask)])["person"][0].numpy(), wanted, rtol=1e-5, atol=1e-5)


def test_a_checkpoint_of_published_size_loads_and_equals_the_equations(tmp_path):
    state = transformer_state(**PUBLISHED | {"blocks": 5})
    tokens = [*vocabulary_of(2043)]
    options = {"local_heads": 7, "window": 38, "max_length": 80}
    model = opened(tmp_path, state, options, tokens=tokens)
    own = model.module.state_dict()
    assert len(own) == len(state) - 3  # the flags of Center are not tensors here
    assert sum(value.numel() for key, value in own.items() if "projection" not in key) == 8_344_143
    ids, mask = document(60, 80)
    first = {
        key: value for key, value in state.items() if not key.startswith(tuple(f"encoders.{i}" for i in range(1, 5)))
    }
    wanted = oracle(first, ids, mask, 10, 7, 38)["blocks.0"]
    found = read(model, [(ids, mask)], ["blocks.0"])["blocks.0"]
    np.testing.assert_allclose(found.numpy(), wanted[1:60], rtol=1e-4, atol=1e-5)


def vocabulary_of(n: int) -> list[str]:
    from seqsae_life2vec.vocabulary import SPECIALS

    return [*SPECIALS, *(f"T_{i}" for i in range(n - len(SPECIALS)))]
