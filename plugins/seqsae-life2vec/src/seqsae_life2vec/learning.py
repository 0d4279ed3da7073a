"""A vocabulary from the records of the train subjects."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from seqsae.errors import SeqsaeError
from seqsae.progress import say
from seqsae.records.record import Record
from seqsae_life2vec import quantiles as values
from seqsae_life2vec.birth import tokens_of_birth
from seqsae_life2vec.rollup import Holders, ancestors, roll_up
from seqsae_life2vec.vocabulary import SPECIALS, Vocabulary, is_birth, without_quantile


def learn(
    records: Callable[[], Iterable[Record]],
    min_subjects: int,
    quantiles: int = 0,
    birth_tokens: bool = False,
    parents: Mapping[str, list[str]] | None = None,
) -> Vocabulary:
    """The vocabulary of the tokens that at least `min_subjects` of these subjects hold.

    A rarer token is read as its code without the quantile, as its nearest frequent ancestor by `parents`, or, failing
    these, as [UNK]. Births are left out: they give the age, and with `birth_tokens` month and year.

    Args:
        records: called for each pass over the train records; two passes with quantiles, one without.
        parents: code to its parent codes, as in MEDS' codes.parquet.
    Raises:
        SeqsaeError: no token is frequent enough.
    """
    edges = values.fit(records(), quantiles)
    holders, events, births = Holders(min_subjects), Counter(), Counter()
    for number, record in enumerate(records()):
        names, born = _tokens(record, edges), tokens_of_birth(record) if birth_tokens else []
        events.update(names)
        births.update(born)
        holders.add({*names, *born}, number)
    rolled = roll_up(holders, lambda token: _levels(token, edges, parents or {}))
    kept = sorted(holders.frequent | set(rolled.values()))
    if not kept:
        raise SeqsaeError(
            f"no code is held by {min_subjects} or more subjects; lower min_subjects or give more records"
        )
    rolled = {token: end for token, end in rolled.items() if token != end}
    counts = _counts(events, births, set(kept), rolled)
    counts |= {"min_subjects": min_subjects, "codes_with_quantiles": len(edges)}
    return Vocabulary([*SPECIALS, *kept], edges, rolled, counts)


def tell(words: Vocabulary) -> None:
    """The counts as one line of progress."""
    c = words.counts
    births = f" and {c['unknown_births']:,} MONTH_m and YEAR_y of births" if c["unknown_births"] else ""
    say(
        f"life2vec: {len(words):,} tokens from {c['events']:,} events; {c['rolled_codes']:,} rare codes ({c['rolled_events']:,} "
        f"events) read as a parent, {c['unknown_codes']:,} ({c['unknown_events']:,} events){births} held by fewer than "
        f"{c['min_subjects']} subjects as [UNK]; {c['codes_with_quantiles']:,} codes cut into quantiles"
    )


def _tokens(record: Record, edges: dict[str, list[float]]) -> list[str]:
    """The tokens of a record's events, births and what is written like a special left out."""
    named = Vocabulary(list(SPECIALS), edges).names(record.code, record.numeric_value)
    pairs = zip(record.code, named, strict=True)
    return [str(name) for code, name in pairs if not is_birth(str(code)) and name not in SPECIALS]


def _levels(token: str, edges: dict[str, list[float]], parents: Mapping[str, list[str]]) -> list[list[str]]:
    code = without_quantile(token, edges)
    found = [[node for node in level if node not in SPECIALS] for level in ancestors(code, parents)]
    return found if code == token else [[token], *found]


def _counts(events: Counter, births: Counter, kept: set[str], rolled: dict[str, str]) -> dict[str, int]:
    unknown = set(events) - kept - set(rolled)
    return {
        "events": sum(events.values()),
        "rolled_codes": len(rolled),
        "rolled_events": sum(events[token] for token in rolled),
        "unknown_codes": len(unknown),
        "unknown_events": sum(events[token] for token in unknown),
        "unknown_births": sum(count for token, count in births.items() if token not in kept and token not in rolled),
    }
