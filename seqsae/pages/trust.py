"""What the run card says of the run itself: its controls, how inflated its tests are, looks at the test split, what it cannot say."""

from collections import Counter
from html import escape

import polars as pl

from seqsae.pages.content import Content

_LOOKS = {
    "associate": "association tests", "concepts": "annotated concepts", "faithfulness": "what the model keeps of the SAE",
    "probe": "probes",
}  # fmt: skip


def texts(content: Content) -> dict[str, str]:
    """The parts of the run card below, each under its name, as HTML."""
    return {
        "controls": _panel("Controls", controls(content)),
        "inflation": _panel("Inflation of the tests", inflation(content)),
        "openings": openings(content),
        "limits": f'<ul class="limits">{limits(content)}</ul>' if content.limits else "",
    }


def _panel(heading: str, body: str) -> str:
    return f'<section class="panel"><h3>{heading}</h3>{body}</section>' if body else ""


def controls(content: Content) -> str:
    """A banner, and a line a control; nothing where none were run. Green only where every control came out as it must."""
    table, given = content.controls, _given(content)
    if (table is None or table.is_empty()) and given.is_empty():
        return ""
    alarming = _failed(table, "negative") + given.filter(pl.col("supported") > 0)["label"].to_list()
    rows = [] if table is None else [_line(row) for row in table.sort("kind", "control").iter_rows(named=True)]
    rows += [_given_line(row) for row in given.iter_rows(named=True)]
    return _banner(alarming, _failed(table, "positive")) + _table(
        ("Control", "Chosen on select", "Supported on test", "Outcome"), rows
    )


def _failed(table: pl.DataFrame | None, kind: str) -> list[str]:
    if table is None:
        return []
    return table.filter(~pl.col("as_expected"), pl.col("kind") == kind).sort("control")["control"].to_list()


def _banner(alarming: list[str], lost: list[str]) -> str:
    if not alarming and not lost:
        return f'<aside class="notice fine" id="controls-fine">{_FINE}</aside>'
    told = []
    if alarming:
        names = ", ".join(f'<bdi class="cutname">{escape(name)}</bdi>' for name in alarming)
        told.append(
            f'<aside class="notice alarm" id="controls-failed"><b>A negative control failed: {names}.</b> {_ALARM}</aside>'
        )
    if lost:
        told.append(f'<aside class="notice" id="controls-lost">{_LOST}</aside>')
    return "".join(told)


_FINE = (
    "<b>Every control came out as it must.</b> Labels that mean nothing were given no supported feature, "
    "and what was planted was found."
)
_ALARM = (
    "A label that means nothing has a supported feature: do not trust this run. Look for leaks between splits, for clusters that "
    "were left out, and for a confounder that is not in the schema."
)
_LOST = (
    "<b>The planted label was not found.</b> This run finds little: what it does not report may be there all the same. "
    "It needs more subjects, or more of them in the select split."
)


def _given(content: Content) -> pl.DataFrame:
    """Negative controls among the covariates: `label`, `selected` and `supported` features over all categories."""
    named = [entry["name"] for entry in content.covariates if entry.get("role") == "negative-control"]
    feature, verdict = pl.col("feature"), pl.col("verdict")
    mine = content.associations.filter(pl.col("covariate").is_in(named))
    told = mine.group_by(label="covariate").agg(
        selected=feature.filter(verdict != "not-selected").n_unique(),
        supported=feature.filter(verdict == "supported").n_unique(),
    )
    return told.sort("label")


def _line(row: dict) -> list[str]:
    negative = row["kind"] == "negative"
    name = escape(row["control"]) if negative else f"planted on feature {row['feature']}, a tenth turned round"
    return [name, *_counts(row), _outcome(row["as_expected"], negative)]


def _given_line(row: dict) -> list[str]:
    name = f'<bdi class="cutname" title="{escape(row["label"])}">{escape(row["label"])}</bdi> <span class="muted">(covariate)</span>'
    return [name, *_counts(row), _outcome(row["supported"] == 0, True)]


def _counts(row: dict) -> list[str]:
    return [f"{row['selected']:,}", f"{row['supported']:,}"]


def _outcome(good: bool, negative: bool) -> str:
    if good:
        return f'<span class="chip good">{"nothing supported" if negative else "found"}</span>'
    return f'<span class="chip warn">{"supported: alarm" if negative else "NOT found"}</span>'


def inflation(content: Content) -> str:
    """Median inflation of the tests by covariate, crude and beyond the confounders; nothing where it was not told."""
    table = content.diagnostics
    if table is None or table["inflation"].null_count() == len(table):
        return ""
    order = {entry["name"]: place for place, entry in enumerate(content.covariates)}
    told = (
        table.drop_nulls("inflation")
        .group_by("covariate")
        .agg(
            pl.col("inflation", "inflation_adjusted").median(),
            features=pl.col("n_features").max(),
            n_permutations=pl.col("n_permutations").max(),
        )
        .sort(pl.col("covariate").replace_strict(order, default=len(order), return_dtype=pl.Int64), "covariate")
    )
    rows = [
        _inflated(*row) for row in told.select("covariate", "inflation", "inflation_adjusted", "features").iter_rows()
    ]
    return (
        _table(("Covariate", "Crude", "Beyond the confounders", "Features"), rows, "inflation-table")
        + f'<p class="note">{_INFLATION}</p>'
    )


_INFLATION = (
    "Median of z² over the features, over 0.455, on the select split; median over poolings and categories. Near 1 where most features "
    "have no tie; far above it where a confounder or clusters are left out, or most features are truly tied. Bars end at 10."
)


def _inflated(name: str, crude: float, adjusted: float | None, features: int) -> list[str]:
    shown = f'<bdi class="cutname" title="{escape(name)}">{escape(name)}</bdi>'
    return [shown, _bar(crude, "crude"), _bar(adjusted, "adjusted"), f"{features:,}"]


def _bar(value: float | None, kind: str) -> str:
    if value is None:
        return '<span class="muted">–</span>'
    width = 100 * min(value, 10.0) / 10.0
    return f'<span class="gauge {kind}" title="{value:.3f}"><i style="width:{width:.0f}%"></i></span><span class="gauge-number">{value:.2f}</span>'


def openings(content: Content) -> str:
    """How often the test split was looked at, and for what."""
    if content.openings is None:
        return '<p class="note">How often the test split was opened is not recorded: there is no ledger beside this run.</p>'
    counts = Counter(str(entry.get("stage", "?")) for entry in content.openings)
    whole = sum(counts.values())
    told = ", ".join(f"{escape(_LOOKS.get(stage, stage))} {n}" for stage, n in sorted(counts.items()))
    repeated = max(counts.values(), default=0) > 1
    again = (
        " " + _warning("more than one look for the same thing: each adds to what luck can bring") if repeated else ""
    )
    times = {0: "never", 1: "once", 2: "twice"}.get(whole, f"{whole:,} times")
    what = f": {told}" if told else ""
    return f'<p id="openings">The test split was opened <b>{times}</b>, each look with settings or a purpose of its own{what}.{again}</p>'


def _warning(text: str) -> str:
    return f'<span class="chip warn">{escape(text)}</span>'


def limits(content: Content) -> str:
    """The list of what the report cannot say."""
    return "".join(f"<li>{escape(one)}</li>" for one in content.limits)


def _table(head: tuple[str, ...], rows: list[list[str]], name: str = "controls-table") -> str:
    heads = "".join(f'<th scope="col" class="plain">{escape(one)}</th>' for one in head)
    cells = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll short" tabindex="0"><table id="{name}"><thead><tr>{heads}</tr></thead><tbody>{cells}</tbody></table></div>'
