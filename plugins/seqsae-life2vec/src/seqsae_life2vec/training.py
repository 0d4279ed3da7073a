"""Training: guess hidden or next tokens, and the order of moments. The train split alone is learnt from."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from seqsae.errors import SeqsaeError
from seqsae.progress import say, track
from seqsae.shelf import digest
from seqsae_life2vec import batching, folder, interrupt, learning, losses, objectives, options
from seqsae_life2vec.codes import parents_of
from seqsae_life2vec.network import Life2VecEncoder
from seqsae_life2vec.options import Options
from seqsae_life2vec.state import State
from seqsae_life2vec.tokenizer import PREFIX, Encoded, encode
from seqsae_life2vec.vocabulary import SPECIALS, Vocabulary

TRAINED = 16  # bytes a weight: itself, its gradient and two means, in float32


def train(
    records, train_subjects: np.ndarray, heldout_subjects: np.ndarray, out: Path, seed: int, parents=None, **given
) -> dict:
    """Learn a vocabulary and a network from the train subjects and write them into the folder `out`.

    Args:
        records: gives the Record of a subject by `records[subject]`; a Dataset's code table names parents.
        train_subjects: [n] ints; vocabulary, quantile edges and weights come from them alone.
        heldout_subjects: [m] ints of the select split, on which the losses are reported; nothing is chosen by them.
        out: gets config.json, vocabulary.json, model.safetensors and training.json. `.state` in it is what an
            interrupted training goes on from, to the same bytes.
        seed: fixes the weights, the order of the lives and what is hidden.
        parents: code to its parent codes, for the roll-up of rare codes, in place of those of the records.
        given: `preset`, and see `Options`.

    Returns:
        What training.json says: `losses` in nats an event, of the model and of the token frequencies alone.

    Raises:
        SeqsaeError: an unknown option, no subjects, subjects in both splits, or records that cannot be read.
    """
    chosen = options.parse(given)
    folder.checked_size(chosen.shape(len(SPECIALS)), chosen.device, TRAINED, "life2vec")
    check_seed(seed)
    subjects, heldout_ids = _subjects(train_subjects, heldout_subjects)
    words = learning.learn(
        lambda: (records[subject] for subject in subjects),
        chosen.min_subjects,
        chosen.quantiles,
        chosen.birth_tokens,
        parents_of(records) if parents is None else parents,
    )
    learning.tell(words)
    lives, heldout = (_lives(records, ids, words, chosen) for ids in (subjects, heldout_ids))
    out, key = Path(out), _key(chosen, seed, words, lives, heldout)
    done = folder.kept(out, key)
    if done is not None:
        say(f"life2vec: {out} holds this very model already; nothing is trained")
        return done
    state = State(out, key)
    network = _network(words, chosen, seed)
    out.mkdir(parents=True, exist_ok=True)
    with _nothing_saved(state):
        steps = _fit(network, lives, chosen, seed, state)
        told = _losses(network, lives, heldout, chosen, seed)
    report = {
        "key": key,
        "losses": told,
        "vocabulary": words.counts,
        "read": {"train": _counts(lives), "heldout": _counts(heldout)},
        "n_train": len(lives),
        "n_heldout": len(heldout),
        "n_steps": steps,
        "n_parameters": sum(parameter.numel() for parameter in network.parameters()),
        "options": asdict(chosen),
        "seed": seed,
    }
    _tell(told)
    folder.save(out, network, words, chosen.layout, report)
    state.remove()
    return report


def _tell(told: dict) -> None:
    """The losses as a line of progress, and a warning where they show that nothing was learnt."""
    say(f"life2vec: an event costs {told['model']:.3f} nats, {told['unigram']:.3f} by frequency alone")
    if told["model"] >= told["unigram"]:
        say(
            "life2vec: warning: the model guesses no better than frequencies do; give more epochs or lives, or a smaller preset"
        )


def check_seed(seed: int) -> None:
    """Raises SeqsaeError for a seed that the random generators do not take."""
    if not 0 <= seed < 2**63:
        raise SeqsaeError(f"life2vec: seed = {seed}; it must be 0 to {2**63 - 1}")


def schedule(step: int, steps: int, warmup: float) -> float:
    """Share of the peak rate in step 0, 1, ...: a linear rise over `warmup` of the steps, then half a cosine to 0."""
    rise = max(1, round(warmup * steps))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


def _fit(network: Life2VecEncoder, lives: list[Encoded], chosen: Options, seed: int, state: State) -> int:
    """Train in place; returns the number of steps."""
    optimiser = _optimiser(network, chosen)
    lengths = np.array([len(life) for life in lives])
    size = chosen.batch_size * chosen.accumulate
    per_epoch = math.ceil(len(lives) / size)
    steps = chosen.epochs * per_epoch
    done = state.load(network, optimiser)
    if done:
        say(f"life2vec: going on after step {done:,} of {steps:,}")
    network.train()
    with interrupt.held() as stopped:
        for step in track(range(done, steps), "life2vec training", steps - done):
            if step == done or step % per_epoch == 0:
                batches = batching.epoch(lengths, size, seed, step // per_epoch)
            for group in optimiser.param_groups:
                group["lr"] = chosen.learning_rate * schedule(step, steps, chosen.warmup)
            batch = [lives[i] for i in batches[step % per_epoch]]
            _step(network, optimiser, batch, chosen, (seed, 2, step))
            _keep(state, step + 1, steps, chosen, stopped(), network, optimiser)
    return steps


def _keep(state: State, done: int, steps: int, chosen: Options, stopped: bool, *learnt) -> None:
    """Save network and optimiser where it is time to. Raises KeyboardInterrupt, once they are kept, if the user has stopped."""
    if stopped or (done % chosen.checkpoint_every == 0 and done < steps):
        state.save(done, *learnt)
    if stopped:
        say(f"life2vec: stopped; kept after step {done:,} of {steps:,}")
        raise KeyboardInterrupt


def _step(network, optimiser: torch.optim.Optimizer, batch: list[Encoded], chosen: Options, seed: tuple) -> None:
    """One step of the optimiser, over `accumulate` forward passes; every draw in it follows from `seed`.

    Raises:
        FloatingPointError: the gradient is not finite.
    """
    parts = [batch[start : start + chosen.batch_size] for start in range(0, len(batch), chosen.batch_size)]
    optimiser.zero_grad()
    with _seeded(chosen, seed):
        for number, part in enumerate(parts):
            question = objectives.ask(part, chosen, network.shape.n_tokens, *seed, number)
            (objectives.loss(network, question, chosen) * (len(part) / len(batch))).backward()
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    if not torch.isfinite(norm):
        raise FloatingPointError("the gradient")
    optimiser.step()


@contextmanager
def _nothing_saved(state: State) -> Iterator[None]:
    """Inside, numbers that are not finite end the training in one line and leave nothing behind."""
    try:
        yield
    except FloatingPointError as cause:
        state.remove()
        with suppress(OSError):
            state.folder.parent.rmdir()  # if nothing else is in it
        raise SeqsaeError(
            f"life2vec: {cause} is not a finite number, and nothing is saved; give a lower learning_rate, or starting values "
            "and days_per_unit nearer to those of the presets"
        ) from None


@contextmanager
def _seeded(chosen: Options, seed: tuple) -> Iterator[None]:
    """Inside, dropout draws what it drew in this step before a kill."""
    cuda = torch.device(chosen.device).type == "cuda"
    with torch.random.fork_rng(devices=[torch.device(chosen.device)] if cuda else [], enabled=chosen.dropout > 0):
        if chosen.dropout > 0:
            torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
        yield


def _optimiser(network: Life2VecEncoder, chosen: Options) -> torch.optim.AdamW:
    """AdamW; the decay is for weight matrices alone: not for tokens, times, gates and biases, as published."""
    decayed, free = [], []
    for name, parameter in network.named_parameters():
        matrix = parameter.ndim == 2 and not name.startswith("embedding.") and name != "head.out"
        (decayed if matrix else free).append(parameter)
    groups = [{"params": decayed, "weight_decay": chosen.weight_decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=chosen.learning_rate, fused=True)


def _network(words: Vocabulary, chosen: Options, seed: int) -> Life2VecEncoder:
    folder.checked_size(chosen.shape(len(words)), chosen.device, TRAINED, "life2vec")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Life2VecEncoder(chosen.shape(len(words)), chosen.start).to(chosen.device)


def _losses(network: Life2VecEncoder, lives: list[Encoded], heldout: list[Encoded], chosen: Options, seed: int) -> dict:
    model = losses.nats(network, heldout, max(1, round(1 / chosen.mask_share)), seed)
    unigram = losses.unigram(lives, heldout, network.shape.n_tokens)
    told = {"unit": f"nats per {chosen.objective} event", "unigram": unigram, "model": model}
    if not math.isfinite(model):
        raise FloatingPointError("the held-out loss")
    told["perplexity"] = math.exp(min(model, 700.0))
    if network.order is not None:
        told["order_accuracy"] = losses.order_accuracy(network, heldout, seed)
    return told


def _key(chosen: Options, seed: int, words: Vocabulary, lives: list[Encoded], heldout: list[Encoded]) -> str:
    """What a kept state or model must be of to be gone on from: options, seed and every number the network is shown."""
    learnt = [words.tokens, words.edges, words.rolled]
    data = [_digest(part) for part in (lives, heldout)]
    return digest({"options": asdict(chosen), "seed": seed, "vocabulary": learnt, "data": data})


def _digest(lives: list[Encoded]) -> str:
    whole = hashlib.sha256()
    for life in lives:
        for channel in (life.token, life.age, life.time, life.moment):
            whole.update(channel.tobytes() + b"\0")
    return whole.hexdigest()


def _counts(lives: list[Encoded]) -> dict[str, int]:
    total: Counter = Counter()
    for life in lives:
        total.update(life.counts)
    return dict(total)


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


def _lives(records, subjects: list[int], words: Vocabulary, chosen: Options) -> list[Encoded]:
    """The subjects as channels; those without any event are passed over, and said."""
    read = [encode(records[subject], words, chosen.layout) for subject in subjects]
    lives = [life for life in read if (life.moment > PREFIX).any()]
    if not lives:
        _none(read, chosen)
    counts = _counts(read)
    told = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items() if count)
    without = len(read) - len(lives)
    say(
        f"life2vec: read {len(lives):,} lives: {told}" + (f"; {without:,} without an event left out" if without else "")
    )
    return lives


def _none(read: list[Encoded], chosen: Options) -> None:
    clipped = _counts(read)["events_clipped"]
    if clipped:
        raise SeqsaeError(
            f"life2vec: no moment of the split fits into max_length = {chosen.max_length}: {clipped:,} events clipped; give more"
        )
    raise SeqsaeError("life2vec: no subject of the split has an event with a time; check the records")
