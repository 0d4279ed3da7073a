"""What of the lives did not reach a model as it stands in the records, counted, and told in a line each."""

from collections import Counter

from seqsae.records.code_table import listed
from seqsae_life2vec.tokenizer import Encoded
from seqsae_life2vec.vocabulary import UNK


class Account:
    """Counts over lives; `counts` holds those of `Encoded.counts`, `lives`, and `shortened`: lives that lost events."""

    def __init__(self) -> None:
        self.counts: Counter = Counter()
        self.unknown: Counter = Counter()
        """Token of a row -> rows that were read as [UNK]."""

    def add(self, life: Encoded) -> None:
        """Count one life more."""
        self.counts.update(life.counts)
        self.counts.update(lives=1, shortened=int(life.counts["events_clipped"] > 0))
        self.unknown.update(life.name[life.token[life.row] == UNK].tolist())

    def lines(self) -> list[str]:
        """A line for each kind of loss that there was."""
        c = Counter({name: f"{count:,}" for name, count in self.counts.items()})
        common = listed([name for name, _ in self.unknown.most_common()], self.unknown)
        said = {
            "unknown": f"{c['unknown']} rows of {len(self.unknown):,} tokens outside the vocabulary read as [UNK]: {common}",
            "events_clipped": f"{c['shortened']} of {c['lives']} lives exceed the model: {c['events_clipped']} of their events left out",
            "long_moments": f"{c['long_moments']} moments alone longer than the model left out whole; {c['long_newest_moments']} of them were "
            "the newest of their life",
            "background_clipped": f"{c['background_clipped']} background rows had no place",
            "background_not_chosen": f"{c['background_not_chosen']} background rows are none that `background` names: left out",
            "other_background": f"{c['other_background']} of {c['lives']} lives have a background of other than 4 tokens, where the first "
            "5 positions are without time all the same",
            "without_birth": f"{c['without_birth']} of {c['lives']} lives have no MEDS_BIRTH: they have no age",
            "before_birth": f"{c['before_birth']} events before the birth have age 0",
            "second_births": f"{c['second_births']} second births are not read",
            "unread_values": f"{c['unread_values']} rows have values, which this model does not read",
        }
        return [line for name, line in said.items() if self.counts[name]]
