"""What a run's records hold that no release may: who, what is rare, and the ends of every range, as salted hashes."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from seqsae.disclosure.policy import Policy
from seqsae.errors import SeqsaeError
from seqsae.exports.audit.texts import digits_of
from seqsae.files import read_parquet

SHORTEST_ID, SHORTEST_CODE = 5, 3
"""Signs of an identifier, and of a rare code, that are looked up: shorter ones cannot be told from other words and numbers."""
TELLING_DIGITS = 4
"""Significant digits from which on a number is looked up."""
TELLING_WHOLE = 100_000
"""Size from which on a whole number is."""
CODED = r"[\d/:_.#-]"
"""A code with one of these is looked up as a word; others, which are plain words, only as a whole cell."""


@dataclass(frozen=True)
class Entry:
    """One kind of secret."""

    rule: str
    what: str
    words: bool
    """Whether it is looked up among the words of texts; else only as a whole cell, label or text."""
    lower: bool
    """Whether in any case of its letters."""
    hashes: np.ndarray
    """Sorted 64-bit hashes under the salt."""


@dataclass
class Known:
    """Every secret of a run; the salt is of this audit alone."""

    salt: int = field(default_factory=lambda: secrets.randbits(63))
    entries: list[Entry] = field(default_factory=list)
    sizes: set[int] = field(default_factory=set)
    """Subjects of the run and of each split."""
    short: int = 0
    """Secrets too short to be looked up."""
    sequences: pl.Series | None = None
    """Of residues, where subjects have such."""

    def hashed(self, words: pl.Series) -> np.ndarray:
        """[n] 64-bit hashes."""
        return words.cast(pl.String).hash(seed=self.salt).to_numpy()

    def add(self, values: pl.Series, rule: str, what: str, words: bool = True) -> None:
        """Take in secrets, but those too short to be told from others."""
        lower, shortest = rule == "D13", SHORTEST_ID if rule == "D13" else SHORTEST_CODE
        texts = values.drop_nulls().cast(pl.String).str.strip_chars().unique()
        long = texts.filter(texts.str.len_chars() >= shortest)
        self.short += len(texts) - len(long)
        if len(long):
            hashes = np.sort(self.hashed(long.str.to_lowercase() if lower else long))
            self.entries.append(Entry(rule, what, words, lower, hashes))

    def __len__(self) -> int:
        return sum(len(one.hashes) for one in self.entries)


def known_of(run: Path, policy: Policy) -> Known:
    """Secrets of a run; of public data only identifiers. Raises SeqsaeError if it has no records."""
    records = run / "records"
    if not (records / "subjects.parquet").is_file():
        raise SeqsaeError(f"{run}: has no records/subjects.parquet; give the run folder that the release was made from")
    known = Known()
    _subjects(known, records)
    if policy.public:
        return known
    common = _codes(known, records, policy)
    if (records / "sequences.parquet").is_file():
        known.sequences = read_parquet(records / "sequences.parquet", columns=["sequence"])["sequence"]
    if (records / "covariates.parquet").is_file():
        _covariates(known, read_parquet(records / "covariates.parquet"), common, policy)
    for profile in sorted(run.glob("features/*/*/profile.parquet")):
        _ends(known, read_parquet(profile), ("max",))
    return known


def _subjects(known: Known, records: Path) -> None:
    subjects = read_parquet(records / "subjects.parquet")
    known.sizes = {len(subjects)}
    if (records / "splits.parquet").is_file():
        known.sizes |= set(read_parquet(records / "splits.parquet")["split"].value_counts()["count"].to_list())
    for name, what in (("subject_id", "the identifier of a subject"), ("cluster", "the identifier of a cluster")):
        if name in subjects.columns:
            known.add(subjects[name], "D13", what)


def _codes(known: Known, records: Path, policy: Policy) -> set[str]:
    """Take in codes of too few subjects, with what the code table calls them; the codes of enough."""
    if not (records / "events.parquet").is_file():
        return set()
    events = read_parquet(records / "events.parquet")
    sizes = events.group_by("code").agg(pl.col("subject").n_unique().alias("n")).drop_nulls()
    rare = sizes.filter(pl.col("n") < policy.min_subjects)["code"].cast(pl.String)
    if (records / "code_table.parquet").is_file():
        table = read_parquet(records / "code_table.parquet")
        parents = table["parent_codes"].explode().drop_nulls().unique()
        rare = rare.filter(~rare.is_in(parents.implode()))  # a parent may stand for all of its children
        told = table.with_columns(pl.col("code").is_in(rare.implode()).alias("rare")).drop_nulls("description")
        told = told.group_by("description").agg(pl.col("rare").all())
        known.add(told.filter("rare")["description"], "D10", "what a code of too few subjects is called", words=False)
    coded = rare.str.contains(CODED) & ~rare.str.contains(r"^[\d.,+-]{1,4}$")
    known.add(rare.filter(coded), "D10", "a code of too few subjects")
    known.add(rare.filter(~coded), "D10", "a code of too few subjects", words=False)
    _ends(known, events, ("numeric_value",))
    return set(sizes.filter(pl.col("n") >= policy.min_subjects)["code"].cast(pl.String).to_list())


def _covariates(known: Known, table: pl.DataFrame, common: set[str], policy: Policy) -> None:
    """Levels that too few subjects have in every covariate, and the ends of every range."""
    texts = [column.drop_nulls() for column in table.drop("subject", strict=False) if column.dtype == pl.String]
    most: dict[str, int] = {}
    for column in texts:
        for value, count in column.value_counts().iter_rows():
            most[value] = max(count, most.get(value, 0))
    rare = [value for value, count in most.items() if count < policy.min_subjects and value not in common]
    known.add(pl.Series(rare, dtype=pl.String), "D10", "a level of too few subjects", words=False)
    _ends(known, table, tuple(table.columns))


def _ends(known: Known, table: pl.DataFrame, names: tuple[str, ...]) -> None:
    """The smallest and largest value of a column, if it is told by enough digits to be known again."""
    for name in names:
        if name in table.columns and table[name].dtype.is_float():
            column = table[name].drop_nulls().drop_nans()
            ends = [value for value in (column.min(), column.max()) if value is not None and np.isfinite(value)]
            told = sorted({text for value in ends for text in _written(value)})
            known.add(pl.Series(told, dtype=pl.String), "D5", f"an end of the range of {name}")


def _written(value: float) -> set[str]:
    """A number in every way of writing it by enough digits; whole ones need more, as counts are such."""
    rounded = {float(f"{value:.{digits}g}") for digits in range(TELLING_DIGITS, 18)} | {value}
    whole = {one for one in rounded if one == int(one)}
    told = {one for one in rounded - whole if digits_of(one) >= TELLING_DIGITS}
    return {str(one) for one in told} | {
        text for one in whole if abs(one) >= TELLING_WHOLE for text in (str(one), f"{one:.0f}")
    }
