"""README's tables are measured again. Run as a script it writes them anew."""

import json
import re
import sys
from pathlib import Path

import polars as pl
import pytest

README = Path(__file__).parents[1] / "README.md"
OUTSIDE = ["MEDS_BIRTH", "MEDS_DEATH", "EMIGRATION//ABROAD", "JURY//SUMMONS"]
YEAR = 365.25 * 86400e6  # microseconds
BANDS = (16, 30, 40, 50, 60, 70, 78)


def read(folder: Path) -> tuple[dict, pl.DataFrame, pl.DataFrame]:
    truth = json.loads((folder / "truth.json").read_text())
    return truth, pl.read_parquet(folder / "data" / "*.parquet"), pl.read_parquet(folder / "covariates.parquet")


def table(head: list[str], rows: list[list]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def loss(folder: Path) -> str:
    truth, events, _ = read(folder)
    known = truth["loss"]
    told = (
        f"{len(events):,} rows, {known['n_events']:,} of them drawn, at {known['n_moments']:,} moments. Nats an event: "
    )
    told += f"{known['unigram']:.3f} under the code frequencies, {known['oracle']:.3f} under the true process given the true "
    told += f"states, so that there are {known['unigram'] - known['oracle']:.3f} to be learnt. "
    ends = truth["endings"]
    return (
        told
        + f"Of the records, {ends['dead']} end by death, {ends['abroad']} by emigration, {ends['closed']} when the registers close."
    )


def concepts(folder: Path) -> str:
    rows = []
    for one in read(folder)[0]["concepts"]:
        worth = f"{one['worth']['inside']:.2f}" if one["worth"] else "-"
        shares = [f"{one[key]:.4f}" for key in ("prevalence_persons", "prevalence_events")]
        rows.append([one["level"], f"`{one['name']}`", one["description"], *shares, worth])
    return table(["level", "concept", "what it is", "persons", "rows", "worth"], rows)


def lengths(folder: Path) -> str:
    events = read(folder)[1]
    n = (
        events.filter(~pl.col("code").is_in(OUTSIDE) & pl.col("time").is_not_null())
        .group_by("subject_id")
        .agg(rows=pl.len(), moments=pl.col("time").n_unique())
    )
    n = events.select(pl.col("subject_id").unique()).join(n, on="subject_id", how="left").fill_null(0)
    rows = []
    for name in ("moments", "rows"):
        tenths = [int(n[name].quantile(q, "nearest")) for q in (0.0, 0.1, 0.5, 0.9, 1.0)]
        rows.append([name, *tenths, f"{n[name].mean():.2f}"])
    return table(["events a person", "fewest", "10%", "median", "90%", "most", "mean"], rows)


def codes(folder: Path) -> str:
    events = read(folder)[1].filter(~pl.col("code").is_in(OUTSIDE) & pl.col("time").is_not_null())
    counts = (
        events.group_by("code")
        .agg(n=pl.len(), persons=pl.col("subject_id").n_unique())
        .sort("n", "code", descending=[True, False])
    )
    people = read(folder)[1]["subject_id"].n_unique()
    rows = [
        [f"`{code}`", f"{n / len(events):.4f}", f"{persons / people:.3f}"]
        for code, n, persons in counts.head(10).iter_rows()
    ]
    return table(["commonest codes", "share of rows", "persons who have it"], rows)


def mortality(folder: Path) -> str:
    """Deaths over years lived between the first event and the end of the record, by age."""
    events = read(folder)[1].drop_nulls("time")
    age = (pl.col("time") - pl.col("time").first()).dt.total_microseconds() / YEAR
    lives = events.group_by("subject_id", maintain_order=True).agg(
        first=age.slice(1).first(),
        last=age.last(),
        code=pl.col("code").last(),
        birth=pl.col("time").first(),
        end=pl.col("time").last(),
    )
    closing = (pl.datetime(2023, 12, 31) - pl.col("birth")).dt.total_microseconds() / YEAR
    ended = pl.col("code").is_in(["MEDS_DEATH", "EMIGRATION//ABROAD"])
    lives = lives.drop_nulls("first").with_columns(until=pl.when(ended).then(pl.col("last")).otherwise(closing))
    rows = []
    for low, high in zip(BANDS[:-1], BANDS[1:], strict=True):
        lived = lives.select((pl.min_horizontal("until", high) - pl.max_horizontal("first", low)).clip(0).sum()).item()
        died = lives.filter(
            (pl.col("code") == "MEDS_DEATH") & pl.col("last").is_between(low, high, closed="left")
        ).height
        rows.append([f"{low} to {high}", f"{lived:.0f}", died, f"{1000 * died / lived:.2f}"])
    return table(["age", "years lived", "deaths", "deaths in 1,000 years"], rows)


def covariates(folder: Path) -> str:
    found = read(folder)[2].drop("subject_id")
    rows = []
    for column in found.iter_columns():
        if column.dtype.is_float():
            told = f"mean {column.mean():.3f}, standard deviation {column.std():.3f}"
        else:
            shares = (
                column.cast(pl.String)
                .drop_nulls()
                .value_counts(normalize=True)
                .sort("proportion", column.name, descending=[True, False])
            )
            told = ", ".join(f"{value} {share:.3f}" for value, share in shares.iter_rows())
        rows.append([f"`{column.name}`", told, f"{column.null_count() / len(column):.3f}"])
    return table(["column", "margin", "null"], rows)


def labels(folder: Path) -> str:
    rows = []
    for file in sorted((folder / "labels").glob("*.parquet")):
        values = pl.read_parquet(file)["boolean_value"]
        rows.append([f"`{file.stem}`", len(values), int(values.sum())])
    return table(["label table", "persons", "positive"], rows)


PARTS = (loss, concepts, lengths, codes, mortality, covariates, labels)


def between(name: str) -> re.Pattern:
    return re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- /{name} -->)", re.S)


@pytest.fixture(scope="module")
def full_block(tmp_path_factory) -> Path:
    from synthetic_lives import make

    return make(tmp_path_factory.mktemp("block") / "lives", 2000, preset="full")


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
@pytest.mark.parametrize("world", ["small", "full"])
def test_the_readme_tells_what_is_measured(world, part, lives, full_block):
    [found] = between(f"{world} {part.__name__}").findall(README.read_text())
    folder = lives if world == "small" else full_block
    assert found == part(folder) + "\n", (
        "run `python synthetic_data/tests/test_readme.py` to write README's tables anew"
    )


def write() -> None:
    from tempfile import mkdtemp

    sys.path.insert(0, str(README.parent))
    from synthetic_lives import make

    scratch, text = Path(mkdtemp()), README.read_text()
    for world, persons in (("small", 6000), ("full", 2000)):
        folder = make(scratch / world, persons, preset=world)
        for part in PARTS:
            text = between(f"{world} {part.__name__}").sub(
                lambda _, part=part, folder=folder: part(folder) + "\n", text
            )
    README.write_text(text)


if __name__ == "__main__":
    write()
