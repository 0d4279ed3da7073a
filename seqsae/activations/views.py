"""A view: which samples the model is shown, and which rows of them are read."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from seqsae import schema
from seqsae.errors import SeqsaeError
from seqsae.records.data import Dataset
from seqsae.records.record import Record


@dataclass(frozen=True)
class View:
    """The samples of a view, in order; sample number is index."""

    name: str
    subjects: np.ndarray
    """[n] subject of each sample."""
    moments: np.ndarray | None
    """[n] datetime64[us], the prediction times at which the input is cut; None in the full view."""

    def __len__(self) -> int:
        return len(self.subjects)

    def record(self, data: Dataset, sample: int) -> Record:
        """What the model may know in this sample: the cut is made on the input, before any forward pass."""
        record = data[int(self.subjects[sample])]
        return record if self.moments is None else record.until(self.moments[sample])

    def samples(self, n_rows: np.ndarray) -> pl.DataFrame:
        """Schema `samples`."""
        moments = np.full(len(self), np.datetime64("NaT"), "datetime64[us]") if self.moments is None else self.moments
        table = pl.DataFrame(
            {
                "sample": np.arange(len(self), dtype=np.uint32),
                "subject": self.subjects.astype(np.uint32),
                "prediction_time": pl.Series(moments, dtype=pl.Datetime("us")),
                "n_rows": n_rows.astype(np.uint32),
            }
        )
        return schema.check_table(table, "samples", f"view {self.name!r}")


def view_of(data: Dataset, name: str) -> View:
    """The view `full`, or that of a label table. Raises SeqsaeError naming the views there are."""
    if name == "full":
        return View(name, np.arange(len(data)), None)
    if name not in data.labels:
        raise SeqsaeError(f"no view {name!r}; there are: {', '.join(['full', *data.labels])} (label tables make views)")
    table = data.labels[name]
    return View(name, table["subject"].to_numpy(), table["prediction_time"].to_numpy())


def passes_of(sample: int, n_rows: int, passes: int, seed: int) -> np.ndarray:
    """[n_rows] int: the pass of the masked readout in which each row is hidden and read; shares differ by at most one."""
    return np.random.default_rng([seed, sample]).permutation(n_rows) % passes
