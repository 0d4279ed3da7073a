"""Small FASTA, GFF3 and UniProt TSV files, and what can happen to them: characters, lines, line ends, encodings, bytes."""

import gzip
import random
from pathlib import Path

from fuzz_readers import naive_fasta
from seqsae_protein.feature_table import KEYS

AMINO = "ACDEFGHIKLMNPQRSTVWY"
ODD = list("->.*?<;:/=\\\"'|#%,XBZJUO aA1\t\n\r\0") + [
    "\u017f",
    "\u00df",
    "\u2028",
    "\ufeff",
    ">>",
    "..",
    "\r\n",
    "%3B",
    "sp|",
    "9999999",
]
KINDS = {key: KEYS[key] for key in ("DOMAIN", "BINDING", "DISULFID", "HELIX", "MUTAGEN", "MOD_RES", "SIGNAL")}


def fasta(draw: random.Random) -> str:
    names = [
        draw.choice([f"sp|P{i}|N{i}_X Name {i} OS=Homo sapiens PE=1", f"p{i} some words", f"q{i}"])
        for i in range(draw.randint(1, 4))
    ]
    end = draw.choice(["\n", "\n", "\r\n", "\r"])
    lines = []
    for name in names:
        sequence = residues(draw)
        width = draw.choice([7, 60])
        lines += [f">{name}", *(sequence[at : at + width] for at in range(0, len(sequence), width))]
    return end.join([*lines, ""])


def residues(draw: random.Random) -> str:
    letters = AMINO if draw.random() < 0.7 else AMINO + "XBU-.*acd"
    text = "".join(draw.choice(letters) for _ in range(draw.randint(1, 60)))
    return text + "*" * (draw.random() < 0.2)


def gff(draw: random.Random, text: str) -> str:
    lines = ["##gff-version 3"]
    for name, sequence in naive_fasta(text)[:4]:
        for _ in range(draw.randint(0, 3)):
            first, last = ends(draw, len(sequence))
            what = draw.choice(["Note=SH3 2;evidence=a", "ligand=Zn(2%2B);ligand_id=x", "Note=S%3B by x", "."])
            kind = draw.choice(list(KINDS.values()))
            lines.append(
                "\t".join([name, "UniProtKB", kind, first, last, ".", ".", ".", what]) + draw.choice(["", "\t"])
            )
    return "\n".join([*lines, ""])


def tsv(draw: random.Random) -> str:
    columns = {
        "Domain [FT]": "DOMAIN",
        "Binding site": "BINDING",
        "Disulfide bond": "DISULFID",
        "Mutagenesis": "MUTAGEN",
    }
    lines = ["\t".join(["Entry", "Organism", "Length", "Sequence", *columns])]
    for index in range(draw.randint(1, 4)):
        sequence = residues(draw)
        cells = []
        for key in columns.values():
            parts = []
            for _ in range(draw.choice([0, 0, 1, 2])):
                first, last = ends(draw, len(sequence))
                what = draw.choice(['/ligand="Zn(2+)"; /ligand_id="x"', '/note="a; ""b"" 2"; /evidence="E"', ""])
                parts.append(f"{key} {first}" + (f"..{last}" if last != first else "") + (f"; {what}" if what else ""))
            cells.append("; ".join(parts))
        if draw.random() < 0.2:
            cells = ['"' + cell.replace('"', '""') + '"' for cell in cells]
        lines.append("\t".join([f"P{index}", "Mus", str(len(sequence)) * (draw.random() < 0.7), sequence, *cells]))
    return "\n".join(lines)


def ends(draw: random.Random, n: int) -> tuple[str, str]:
    first = draw.randint(1, max(n, 1))
    last = draw.randint(first, max(n, first))
    marks = ["", ""] if draw.random() < 0.8 else [draw.choice(["", "<", "?"]), draw.choice(["", ">", "?"])]
    texts = [f"{marks[0]}{first}", f"{marks[1]}{last}"]
    return ("?", texts[1]) if draw.random() < 0.05 else (texts[0], texts[1])


def mutated(draw: random.Random, text: str) -> str:
    """The text with up to four changes of characters, lines and stretches."""
    for _ in range(draw.choice([0, 1, 1, 1, 2, 4])):
        at = draw.randint(0, len(text))
        to = min(len(text), at + draw.choice([1, 1, 2, 5, 20]))
        kind = draw.choice(["insert", "replace", "delete", "repeat", "cut", "lines", "case"])
        if kind == "insert":
            text = text[:at] + draw.choice(ODD) + text[at:]
        elif kind == "replace":
            text = text[:at] + draw.choice(ODD) + text[to:]
        elif kind == "delete":
            text = text[:at] + text[to:]
        elif kind == "repeat":
            text = text[:at] + text[at:to] * draw.choice([2, 2, 50]) + text[to:]
        elif kind == "cut":
            text = text[:at] if draw.random() < 0.3 else text
        elif kind == "case":
            text = text[:at] + text[at:to].swapcase() + text[to:]
        else:
            lines = text.split("\n")
            one = draw.randrange(len(lines))
            lines[one : one + 1] = draw.choice([[], [lines[one]] * 2, ["", lines[one]], [lines[one], ";comment"]])
            text = "\n".join(lines)
    return text


def write(draw: random.Random, path: Path, text: str) -> bytes:
    """Write the text, now and then compressed, marked, in another encoding or with a byte changed; what was written."""
    data = text.encode("utf-16" if draw.random() < 0.02 else "utf-8-sig" if draw.random() < 0.05 else "utf-8")
    if draw.random() < 0.1:
        data = gzip.compress(data, mtime=0)
    if data and draw.random() < 0.1:
        at = draw.randrange(len(data))
        data = data[:at] + bytes([draw.randrange(256)]) * draw.choice([0, 1, 3]) + data[at + 1 :]
    path.write_bytes(data)
    return data
