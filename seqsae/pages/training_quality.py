"""What was measured of finished SAEs, in a table, and what each number means in plain words."""

from collections.abc import Callable
from html import escape
from typing import NamedTuple


class Number(NamedTuple):
    """A column of the table."""

    title: str
    read: Callable[[dict], float | None]
    """From the quality document."""
    form: str
    """How it is printed."""
    meaning: str


def _in(part: str, name: str) -> Callable[[dict], float | None]:
    return lambda document: (document.get(part) or {}).get(name)


def _over_chance(document: dict) -> float | None:
    found = document.get("privileged")
    return None if not found or found["kurtosis"] is None else found["kurtosis"] - found["chance"]


NUMBERS = [
    Number(
        "FVU",
        lambda document: document["fvu"],
        ".3f",
        "Fraction of variance unexplained. 0: every row is rebuilt exactly; 1: no better than always giving the mean row.",
    ),
    Number(
        "L0",
        lambda document: document["l0"],
        ".1f",
        "Latents that are active in a row, on average. Fewer are easier to read, more rebuild better.",
    ),
    Number(
        "Dead",
        lambda document: document["dead"],
        ".1%",
        "Latents that are active in none of these held-out rows: rare ones, and ones that are never active. Compare with dead in training.",
    ),
    Number(
        "Dense",
        lambda document: document["dense"],
        ".1%",
        "Latents that are active in more than a tenth of the rows. A few are normal; many are hard to tie to one meaning.",
    ),
    Number(
        "Shrinkage",
        lambda document: document["shrinkage"],
        ".3f",
        "1: latents' values have the right size on average. Below 1 they are too small, as a penalty on their size makes "
        "them: 0.9 asks for values a ninth larger.",
    ),
    Number(
        "Linear error",
        _in("dark_matter", "linear_share"),
        ".1%",
        "Share of what is left unexplained that a linear map of the activations predicts. High: the error holds much that "
        "further latents may still find; what is not linear is of another kind.",
    ),
    Number(
        "FVU left",
        _in("dark_matter", "nonlinear_fvu"),
        ".3f",
        "The part of FVU that would remain if that linear part of the error were explained.",
    ),
    Number(
        "Nearest latent",
        _in("decoder", "nearest_mean"),
        ".2f",
        "Cosine of a latent's direction with the most similar other one, on average. Near 1: latents are copies of one "
        "another.",
    ),
    Number("Copies", _in("decoder", "nearest_over_09"), ".1%", "Latents with another one at a cosine above 0.9."),
    Number(
        "Encoder, decoder",
        _in("decoder", "encoder_mean"),
        ".2f",
        "Cosine between the direction a latent looks for and the one it writes, on average. Below 1 is normal; near 0 many "
        "latents hardly learnt.",
    ),
    Number(
        "Kurtosis",
        _over_chance,
        "+.2f",
        "How far directions lie along single coordinates of the model, over what random directions show. Near 0: the "
        "coordinates are nothing special; large: some carry features by themselves.",
    ),
]


def table(names: list[str], documents: list[dict | None]) -> str:
    """A row an SAE and a column a number, as HTML; nothing if none was measured. The names are HTML already."""
    if not any(documents):
        return ""
    head = "".join(
        f'<th scope="col" class="plain num" title="{escape(n.meaning)}">{escape(n.title)}</th>' for n in NUMBERS
    )
    rows = "".join(_row(name, found) for name, found in zip(names, documents, strict=True))
    body = f'<table><thead><tr><th scope="col" class="plain">SAE</th>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return f'<div class="panel flush"><div class="scroll" tabindex="0" id="quality-table">{body}</div></div>'


def _row(name: str, document: dict | None) -> str:
    cells = "".join(f'<td class="num">{_shown(number, document)}</td>' for number in NUMBERS)
    return f"<tr><td><b>{name}</b></td>{cells}</tr>"


def _shown(number: Number, document: dict | None) -> str:
    found = None if document is None else number.read(document)
    return "–" if found is None else format(found, number.form).replace("-", "−")


def meanings() -> str:
    """Every number of the table in plain words."""
    lines = "".join(f"<div><dt>{escape(n.title)}</dt><dd>{escape(n.meaning)}</dd></div>" for n in NUMBERS)
    return f'<div class="panel"><dl class="meanings">{lines}</dl></div>'
