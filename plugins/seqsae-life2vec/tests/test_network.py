"""The reference network against its equations."""

from pathlib import Path

import numpy as np
import pytest
import torch
from life2vec_cases import network
from seqsae_life2vec.embedding import Centred, Time2Vec
from seqsae_life2vec.heads import OrderHead, ScaleNorm
from seqsae_life2vec.network import Life2VecEncoder
from seqsae_life2vec.options import PRESETS, parse
from seqsae_life2vec.shape import Shape, Start
from seqsae_life2vec.vocabulary import IGNORED


def channels(B=2, T=7, V=14, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return {
        "token": torch.randint(1, V, (B, T), generator=draw),
        "age": torch.rand(B, T, generator=draw) * 80,
        "time": torch.rand(B, T, generator=draw) * 9000,
        "segment": torch.randint(1, 4, (B, T), generator=draw),
        "dated": torch.arange(T).expand(B, T) > 1,
        "real": torch.ones(B, T, dtype=torch.bool),
    }


def test_the_published_preset_has_the_published_size():
    network = Life2VecEncoder(parse({"preset": "published"}).shape(2043), Start())
    parameters = sum(parameter.numel() for parameter in network.parameters())
    assert parameters == 8_502_348  # 8.5 M, tied output table counted once
    assert round(parameters / 1e6, 2) == 8.50


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_makes_a_network(preset):
    options = parse({"preset": preset})
    assert options.layout.max_length == options.max_length
    shape = options.shape(40)
    assert shape.d_model % shape.n_heads == 0


def test_the_readme_says_what_the_presets_are():
    table = (Path(__file__).parents[1] / "README.md").read_text().partition("## Presets")[2].partition("##")[0]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("|")]
    lines = {row[0]: row[1:] for row in cells if len(row) == 1 + len(PRESETS)}
    for number, name in enumerate(PRESETS):
        options = parse({"preset": name})
        sizes = f"{options.d_model}, {options.n_blocks}, {options.n_heads}, {options.d_hidden}"
        said = {heading: row[number] for heading, row in lines.items()}
        assert said[""].split()[0] == name
        assert said["width, blocks, heads, MLP"] == sizes
        assert said["max_length"] == str(options.max_length)
        assert said["quantiles"] == str(options.quantiles or "off")
        assert said["separators, birth tokens"] == ("yes" if options.separators and options.birth_tokens else "no")
        assert said["sentence order"] == (f"{options.order_weight} of the loss" if options.order_weight else "no")
        assert said["guessed; kept, random of these"].startswith(f"{options.mask_share:.0%}".replace("%", " %"))
        assert said["gates start at; time frequencies"].startswith(f"{options.gate:.0f};")


def test_published_start_values_make_the_network_its_token_table():
    network = Life2VecEncoder(parse({"preset": "published", "d_model": 20, "d_hidden": 8}).shape(14), Start()).eval()
    given = channels()
    with torch.no_grad():
        torch.testing.assert_close(network.hidden(**given), network.embedding.token(given["token"]))


def test_centred_tokens_by_hand():
    table = Centred(12, 3, 0.5)
    weight = table.weight.detach().double().numpy()
    real = [i for i in range(12) if i not in IGNORED]
    wanted = weight - weight[real].mean(0)
    wanted[list(IGNORED)] = 0
    np.testing.assert_allclose(table.table().detach().numpy(), wanted, atol=1e-6)
    assert table(torch.tensor([0, 4, 8])).abs().sum() == 0


@pytest.mark.parametrize(("wave", "formula"), [(torch.cos, np.cos), (torch.sin, np.sin)])
def test_time2vec_by_hand(wave, formula):
    embedding = Time2Vec(5, wave, Start(spread=True))
    w0, b0, w, b = (getattr(embedding, name).detach().double().numpy() for name in ("w0", "b0", "w", "b"))
    t = 12.5
    wanted = np.concatenate([formula(t * w + b), t * w0 + b0])
    np.testing.assert_allclose(embedding(torch.tensor([t])).detach().numpy()[0], wanted, atol=1e-5)


def test_the_embedding_leaves_time_out_where_there_is_no_date_and_age_where_there_is_no_birth():
    embedding, given = network().embedding, channels()
    del given["real"]
    given["age"][0, 3] = -1.0
    with torch.no_grad():
        x = embedding(**given)
        plain = embedding.token(given["token"]) + embedding.segment_gate * embedding.segment(given["segment"])
        time = embedding.time_gate * embedding.time(given["time"] / 365.25)
        age = embedding.age_gate * embedding.age(given["age"])
    torch.testing.assert_close(x[:, :2], plain[:, :2])
    torch.testing.assert_close(x[0, 3], (plain + time)[0, 3])
    torch.testing.assert_close(x[0, 4], (plain + time + age)[0, 4])


def test_the_token_head_by_hand():
    tested = network()
    h = torch.randn(3, 16)
    out = tested.embedding.token.table().detach().double().numpy()
    length = np.linalg.norm(out, axis=1, keepdims=True)
    unit = out / np.where(length > 0, length, 1)
    inner = np.tanh(
        h.double().numpy() @ tested.head.inner.weight.detach().double().numpy().T
        + tested.head.inner.bias.detach().numpy()
    )
    wanted = 4.0 * inner / np.linalg.norm(inner, axis=1, keepdims=True) @ unit.T  # g starts at sqrt(16)
    np.testing.assert_allclose(tested.head(h).detach().numpy(), wanted, atol=1e-5)


def test_the_order_head_by_hand():
    head = OrderHead(Shape(14, 4, n_heads=2, dropout=0.0))
    x = torch.randn(2, 4)
    inner = torch.nn.functional.linear(x, head.inner.weight, head.inner.bias)
    inner = inner * torch.sigmoid(inner)
    wanted = head.out(2.0 * inner / inner.norm(dim=-1, keepdim=True))
    torch.testing.assert_close(head(x), wanted)
    assert ScaleNorm(4)(torch.zeros(1, 4)).abs().sum() == 0


def test_without_dates_the_order_of_the_positions_says_nothing():
    tested, given = network().eval(), channels()
    given["dated"][:] = False
    order = torch.randperm(7, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        x, moved = tested.hidden(**given), tested.hidden(**{name: value[:, order] for name, value in given.items()})
    torch.testing.assert_close(x[:, order], moved, rtol=1e-5, atol=1e-5)


def test_a_causal_network_does_not_see_what_follows():
    tested, given = network(causal=True).eval(), channels()
    other = {name: value.clone() for name, value in given.items()}
    other["token"][:, 4:] = 12
    with torch.no_grad():
        x, y = tested(**given), tested(**other)
    torch.testing.assert_close(x[:, :4], y[:, :4])
    assert not torch.allclose(x[:, 4:], y[:, 4:])


def test_dropout_is_off_when_read():
    tested, given = network(dropout=0.5), channels()
    with torch.no_grad():
        assert not torch.equal(tested.train()(**given), tested(**given))
        assert torch.equal(tested.eval()(**given), tested(**given))
