"""A sample of the subjects, whole clusters of them, in the place of all."""

from dataclasses import replace

import polars as pl

from seqsae.errors import SeqsaeError
from seqsae.progress import say
from seqsae.records.data import Dataset
from seqsae.records.splits import fraction

SALT = "sample\0"  # another order than that of the splits


def sampled(data: Dataset, limit: int | None, salt: str) -> Dataset:
    """At most `limit` subjects in their old order, numbered anew: whole clusters, drawn by hash of `salt`, until one is too many.

    Raises SeqsaeError if the first cluster drawn is larger than the limit.
    """
    if limit is None or limit >= len(data):
        return data
    sizes = data.subjects.group_by("cluster").len()
    drawn = sorted(sizes.iter_rows(), key=lambda one: (fraction(one[0], SALT + salt), one[0]))
    kept: set[str] = set()
    total = 0
    for cluster, size in drawn:
        if total + size > limit:
            break
        kept.add(cluster)
        total += size
    if not kept:
        raise SeqsaeError(
            f"records.limit = {limit}: the first cluster drawn has {drawn[0][1]} subjects, and clusters stay whole; give more"
        )
    say(
        f"records: {total:,} of {len(data):,} subjects drawn, {len(kept):,} of {len(sizes):,} clusters (records.limit = {limit:,})"
    )
    return _only(data, data.subjects["cluster"].is_in(list(kept)))


def _only(data: Dataset, keep: pl.Series) -> Dataset:
    """The subjects where `keep` [subjects] is True, numbered anew, with what every table says of them."""
    old = data.subjects["subject"].filter(keep)
    subjects = data.subjects.filter(keep).with_columns(pl.arange(0, len(old), dtype=pl.UInt32).alias("subject"))
    numbers = pl.DataFrame({"old": old, "new": subjects["subject"]})

    def of_them(table: pl.DataFrame | None, key: str = "subject") -> pl.DataFrame | None:
        if table is None:
            return None
        found = table.join(numbers, left_on=key, right_on="old", how="inner", maintain_order="left")
        return found.with_columns(pl.col("new").cast(table[key].dtype).alias(key)).select(table.columns)

    def listed(values: list | None) -> list | None:
        return None if values is None else [values[subject] for subject in old]

    names = set(subjects["subject_id"].cast(pl.String).to_list())
    spans = data.truth_spans
    return replace(
        data,
        subjects=subjects,
        table=of_them(data.table),
        items=listed(data.items),
        covariate_table=of_them(data.covariate_table),
        annotations=of_them(data.annotations, "sample"),
        splits=of_them(data.splits),
        meds_split=listed(data.meds_split),
        labels={name: of_them(table) for name, table in data.labels.items()},
        truth_spans=None if spans is None else spans.filter(pl.col("subject_id").cast(pl.String).is_in(list(names))),
    )
