"""Masked-event training: hide a share of the rows, guess their tokens. The train split alone is learnt from."""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from seqsae.errors import SeqsaeError
from seqsae.progress import say, track
from seqsae.shelf import digest
from seqsae_life2vec import batching, folder, losses, options, vocabulary
from seqsae_life2vec.network import Life2VecEncoder, Shape
from seqsae_life2vec.options import Options
from seqsae_life2vec.state import State
from seqsae_life2vec.tokenizer import Encoded, encode


def train(records, train_subjects: np.ndarray, heldout_subjects: np.ndarray, out: Path, seed: int, **given) -> dict:
    """Learn a vocabulary and a network from the train subjects and write them into the folder `out`.

    Args:
        records: gives the Record of a subject by `records[subject]`.
        train_subjects: [n] ints; vocabulary and weights come from them alone.
        heldout_subjects: [m] ints of the select split, on which the losses are reported; nothing is chosen by them.
        out: gets config.json, vocabulary.json, model.safetensors and training.json. `.state` in it is what an
            interrupted training goes on from, to the same bytes.
        seed: fixes the weights, the order of the lives and what is hidden.
        given: see `Options`.

    Returns:
        What training.json says: `losses` in nats per masked event, of the model and of the token frequencies alone.

    Raises:
        SeqsaeError: an unknown option, no subjects, subjects in both splits, or records that cannot be read.
    """
    chosen = options.parse(given)
    subjects, heldout_ids = _subjects(train_subjects, heldout_subjects)
    words = vocabulary.learn((records[subject] for subject in subjects), chosen.min_subjects)
    lives, heldout = (_lives(records, ids, words, chosen) for ids in (subjects, heldout_ids))
    _report(words)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    key = digest({"options": chosen.__dict__, "seed": seed, "train": subjects, "tokens": words.tokens})
    network = _network(words, chosen, seed)
    steps = _fit(network, lives, chosen, seed, State(out, key))
    report = {
        "losses": {
            "unit": "nats per masked event",
            "unigram": losses.unigram(lives, heldout, len(words)),
            "model": losses.masked(network, heldout, max(1, round(1 / chosen.mask_share)), seed),
        },
        "left_out": words.left_out,
        "n_train": len(lives),
        "n_heldout": len(heldout),
        "n_steps": steps,
        "options": chosen.__dict__,
        "seed": seed,
    }
    say(
        f"life2vec: a hidden event costs {report['losses']['model']:.3f} nats, {report['losses']['unigram']:.3f} by frequency alone"
    )
    folder.save(out, network, words, chosen.max_length, report)
    State(out, key).remove()
    return report


def schedule(step: int, steps: int, warmup: float) -> float:
    """Share of the peak rate in step 0, 1, ...: a linear rise over `warmup` of the steps, then half a cosine to 0."""
    rise = max(1, round(warmup * steps))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


def draw(real: Tensor, share: float, seed: int, step: int) -> Tensor:
    """[B, T] bool: which rows step `step` hides, by its own generator, so that a resumed training hides the same."""
    rng = np.random.default_rng([seed, 2, step])
    return batching.rows(real) & torch.from_numpy(rng.random(tuple(real.shape)) < share)


def _fit(network: Life2VecEncoder, lives: list[Encoded], chosen: Options, seed: int, state: State) -> int:
    """Train in place; returns the number of steps."""
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=chosen.learning_rate, weight_decay=chosen.weight_decay, fused=True
    )
    lengths = np.array([len(life) for life in lives])
    per_epoch = math.ceil(len(lives) / chosen.batch_size)
    steps = chosen.epochs * per_epoch
    done = state.load(network, optimiser)
    if done:
        say(f"life2vec: going on after step {done:,} of {steps:,}")
    network.train()
    for step in track(range(done, steps), "life2vec training", steps - done):
        if step == done or step % per_epoch == 0:
            batches = batching.epoch(lengths, chosen.batch_size, seed, step // per_epoch)
        for group in optimiser.param_groups:
            group["lr"] = chosen.learning_rate * schedule(step, steps, chosen.warmup)
        inputs = batching.pad([lives[i] for i in batches[step % per_epoch]])
        _step(network, optimiser, inputs, draw(inputs["real"], chosen.mask_share, seed, step), chosen.device)
        if (step + 1) % chosen.checkpoint_every == 0 and step + 1 < steps:
            state.save(step + 1, network, optimiser)
    return steps


def _step(network: Life2VecEncoder, optimiser: torch.optim.Optimizer, inputs: dict, where: Tensor, device: str) -> None:
    if not where.any():
        return
    hidden = network.hidden(**batching.to(batching.hide(inputs, where), device))[where.to(device)]
    loss = F.cross_entropy(network.head(hidden), inputs["token"][where].to(device))
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()


def _network(words: vocabulary.Vocabulary, chosen: Options, seed: int) -> Life2VecEncoder:
    shape = Shape(
        n_tokens=len(words),
        d_model=chosen.d_model,
        n_blocks=chosen.n_blocks,
        n_heads=chosen.n_heads,
        d_hidden=chosen.d_hidden,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Life2VecEncoder(shape).to(chosen.device)


def _subjects(train_subjects, heldout_subjects) -> tuple[list[int], list[int]]:
    ours, theirs = (
        [int(subject) for subject in np.asarray(given).ravel()] for given in (train_subjects, heldout_subjects)
    )
    if not ours or not theirs:
        empty = "train" if not ours else "held-out"
        raise SeqsaeError(f"life2vec: there are no {empty} subjects to train with; give more subjects or another split")
    both = set(ours) & set(theirs)
    if both:
        raise SeqsaeError(
            f"life2vec: subject {min(both)} is in the train and the held-out split; a subject belongs to one"
        )
    return ours, theirs


def _lives(records, subjects: list[int], words: vocabulary.Vocabulary, chosen: Options) -> list[Encoded]:
    """The subjects as channels; those without any event are passed over."""
    lives = [encode(records[subject], words, chosen.max_length) for subject in subjects]
    lives = [life for life in lives if (life.segment > 0).any()]
    if not lives:
        raise SeqsaeError("life2vec: no subject of the split has an event with a time; check the records")
    return lives


def _report(words: vocabulary.Vocabulary) -> None:
    rare = words.left_out
    say(
        f"life2vec: {len(words):,} tokens; {rare['codes']:,} codes ({rare['events']:,} events) held by fewer than "
        f"{rare['min_subjects']} subjects became [UNK]"
    )
