"""What a report cannot say, from what the run was: sentences for a reader who will otherwise read too much into it."""

import polars as pl

ALWAYS = (
    "What a feature means, or that it causes anything: a tie is an association in these data, beyond the confounders given and no others.",
    "Anything of subjects unlike these: no other population, register or time was looked at.",
)
FEW_CLUSTERS = 200


def limits(facts: dict, table: pl.DataFrame) -> tuple[str, ...]:
    """The sentences that hold of this run.

    Args:
        facts: `seeds` of the SAE; `trained_here` (None: not recorded) whether the base model was trained on the train split alone;
            `permutations`; `subjects`, `clusters` and `test` subjects; `confounders` names; `random_model` whether one stands beside.
        table: schema `associations`.
    """
    told = [
        _model(facts),
        _seeds(facts, table),
        _clusters(facts),
        _chance(facts, table),
        _adjusted(facts),
        _beside(facts),
    ]
    return (*(one for one in told if one is not None), *_few(table), *ALWAYS)


def _model(facts: dict) -> str | None:
    if facts.get("trained_here"):
        return None
    return "Whether the base model had seen the subjects of the test split: it was not trained in this run, and may remember them."


def _seeds(facts: dict, table: pl.DataFrame) -> str | None:
    if facts.get("seeds", 1) <= 1:
        return "Whether another training of the SAE would find the same features: one seed was trained, so nothing is said of replication."
    if table["n_seeds"].null_count() == len(table):
        return "Whether its ties repeat over the SAE's seeds: that was not computed."
    if facts["seeds"] < 3:
        return f"Much of replication over seeds: {facts['seeds']} were trained."
    return None


def _clusters(facts: dict) -> str | None:
    subjects, clusters = facts.get("subjects", 0), facts.get("clusters", 0)
    if clusters and clusters < FEW_CLUSTERS:
        return f"Small effects, or the last decimals of intervals: subjects stand in {clusters:,} clusters, and intervals rest on clusters."
    if subjects and subjects == clusters:
        return "What kinship or a shared household does: every subject is a cluster of its own; if some belong together, intervals are too narrow."
    return None


def _chance(facts: dict, table: pl.DataFrame) -> str | None:
    if not facts.get("permutations"):
        return "What the best of all features reaches by luck alone: no permutations were asked for."
    if facts["permutations"] < 100:
        return f"What the best of all features reaches by luck, but roughly: {facts['permutations']} permutations were drawn."
    return None


def _adjusted(facts: dict) -> str | None:
    if facts.get("confounders"):
        return None
    return "What is left beyond age, sex or calendar time: no covariate is a confounder; the length of the record alone is held fixed."


def _beside(facts: dict) -> str | None:
    if facts.get("random_model"):
        return None
    return 'Whether an untrained model would do as well: no SAE on the model with shuffled weights stands beside (also = ["random-model"]).'


def _few(table: pl.DataFrame) -> list[str]:
    """Of notes in the table: how many intervals are to first order only."""
    chosen = table.filter(pl.col("verdict").is_not_null() & (pl.col("verdict") != "not-selected"))
    first = chosen.filter(pl.col("note").str.contains("first order", literal=True).fill_null(False)).height
    if not first:
        return []
    return [
        f"Exact intervals of all ties: those of {first:,} of {len(chosen):,} chosen pairs are to first order (marked in their notes)."
    ]
