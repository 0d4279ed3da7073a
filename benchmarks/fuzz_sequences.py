"""Mutated FASTA, GFF3 and UniProt TSV files: each ends in tables whose labels lie where a naive re-reading puts them, or in one line.

Every case makes a small set of proteins, damages one or both of its files (bytes, lines, characters, line ends, compression), and
sends them through the source `proteins`, the records room and a model's preparation under policies drawn at random. What comes
out is held against naive readers, written character by character, that share two tables of names with the package and no code.
"""

import random
import re
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

from bars import Bars, parser
from fuzz_files import AMINO, fasta, gff, mutated, tsv, write
from fuzz_readers import decoded, naive_cell, naive_fasta, naive_lines, naive_row, spans
from seqsae_protein import proteins
from seqsae_protein.alphabet import Alphabet
from seqsae_protein.feature_table import KEYS
from seqsae_protein.reading import CHOICES, Reading
from seqsae_protein.residues import ResidueModel
from torch import nn

from seqsae.errors import SeqsaeError
from seqsae.records.reading import read_source

ALPHABET = Alphabet(("<cls>", "<pad>", "<eos>", "<unk>", *AMINO, "X", "B", "-", "*", "<mask>"))


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--files", type=int, default=10_000, help="mutated files")
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    outcome, faults = run(200 if given.quick else given.files, given.seed)
    for fault in faults[:5]:
        print(fault)
    print(", ".join(f"{what}: {n:,}" for what, n in sorted(outcome.items())))
    bars = Bars()
    bars.at_least("mutated_files", sum(outcome.values()), 200 if given.quick else 10_000)
    bars.at_most("tracebacks_or_misaligned_labels", len(faults), 0)
    bars.at_least("share_that_ends_in_a_result", outcome["result"] / sum(outcome.values()), 0.2)
    bars.at_least("share_that_ends_in_one_line", outcome["one line"] / sum(outcome.values()), 0.2)
    bars.tell(given.json)


def run(n: int, seed: int = 0) -> tuple[Counter, list[str]]:
    """How n mutated cases end, and a report of each that ends wrongly."""
    outcome, faults = Counter(), []
    for number in range(n):
        draw = random.Random(f"{seed} {number}")
        with tempfile.TemporaryDirectory() as folder:
            try:
                outcome[one(draw, Path(folder))] += 1
            except Exception:  # whatever is raised is what is looked for
                outcome["fault"] += 1
                faults.append(f"case {number} of seed {seed}: {traceback.format_exc()}")
    return outcome, faults


def one(draw: random.Random, folder: Path) -> str:
    """One case: 'result' or 'one line'. Raises whatever else happens."""
    table = draw.random() < 0.35
    main = tsv(draw) if table else fasta(draw)
    labels = "" if table else gff(draw, main)
    which = draw.choice(["main", "labels", "both"]) if labels else "main"
    main = mutated(draw, main) if which != "labels" else main
    labels = mutated(draw, labels) if which != "main" else labels
    paths = [folder / ("u.tsv" if table else "p.fasta"), folder / "l.gff"]
    written = [write(draw, path, text) for path, text in zip(paths, (main, labels), strict=True)]
    options = {"case": draw.choice(["upper", "refuse"]), "duplicates": draw.choice(["refuse", "number"])}
    options |= {"uncertain": draw.choice(["take", "leave"]), "features": draw.choice([[], "all", ["BINDING"]])}
    try:
        out = proteins.make(folder / "out", paths[0], annotations=[paths[1]] if labels else [], **options)
        data = read_source(out)
    except SeqsaeError as told:
        assert str(told) and "\n" not in str(told) and "\r" not in str(told), f"not one line: {str(told)!r}"
        return "one line"
    texts = [decoded(content) for content in (written if labels else written[:1])]
    (check_table if table else check_fasta)(data, texts, options, bool(labels))
    check_rows(draw, data)
    return "result"


def check_fasta(data, texts: list[str], options: dict, labelled: bool) -> None:
    entries = naive_fasta(texts[0])
    check_sequences(data, entries)
    expected: Counter = Counter()
    for line in naive_lines(texts[1]) if labelled else []:
        if line.startswith("##FASTA"):
            break
        if not line.strip() or line[0] == "#":
            continue
        cells = line.split("\t")
        parts = cells[0].split("|")
        name = parts[1] if parts[0] in ("sp", "tr") and len(parts) == 3 and parts[1] else cells[0]
        attributes: dict = {}
        for part in cells[8].split(";"):
            key, _, value = part.partition("=")
            attributes.setdefault(unquote(key).strip().lower(), unquote(value).strip())
        told = attributes.get("ligand") or attributes.get("note", "").split(";")[0].strip()
        expected += spans(name, unquote(cells[2]).strip(), cells[3], cells[4], told, options)
    check_annotations(data, expected)


def check_table(data, texts: list[str], options: dict, _: bool) -> None:
    lines = naive_lines(texts[0])
    columns = naive_row(lines[0])
    rows = [dict(zip(columns, naive_row(line) + [""] * 99, strict=False)) for line in lines[1:] if line.strip()]
    check_sequences(data, [(row["Entry"], row["Sequence"]) for row in rows])
    expected: Counter = Counter()
    for row in rows:
        for name in (name for name in columns if name.replace(" [FT]", "") in KEYS.values()):
            for kind, position, told in naive_cell(row[name]):
                if ":" in position:
                    other, position = position.rsplit(":", 1)
                    if other != row["Entry"]:
                        continue
                first, _, last = position.partition("..")
                expected += spans(row["Entry"], kind, first, last or first, told, options)
    check_annotations(data, expected)


def check_sequences(data, entries: list[tuple[str, str]]) -> None:
    names = data.subjects["subject_id"].to_list()
    assert len(names) == len(entries) == len(set(names)), "entries lost or doubled"
    for record, (name, sequence) in zip(data, entries, strict=True):
        assert record.sequence == sequence.upper() and len(record.sequence) == len(sequence), "another sequence"
        assert str(record.subject_id) == name or re.fullmatch(re.escape(name) + "(#[0-9]+)+", record.subject_id), (
            "another name"
        )


def check_annotations(data, expected: Counter) -> None:
    names = data.subjects["subject_id"].to_list()
    known = Counter({key: n for key, n in expected.items() if key[0] in names})
    if data.annotations is None:
        assert not known, "annotations lost"
        return
    found: Counter = Counter()
    for sample, start, end, kind, value in data.annotations.select(
        "sample", "start", "end", "covariate", "value"
    ).rows():
        assert 0 <= start < end <= len(data[sample].sequence), "outside the sequence"
        found[(names[sample], start, end, kind, value if kind == "Binding site" and "Zn" in value else "")] += 1
    assert found.keys() == known.keys(), f"misaligned: {found - known} for {known - found}"
    # less often than given they may stand: what repeats another counts once
    assert found <= known, f"counted more often than given: {found - known}"


def check_rows(draw: random.Random, data) -> None:
    """Rows of a model under policies drawn at random: each residue that is read once, at its index, its id the letter's."""
    policy = Reading(
        **{name: draw.choice(choices) for name, choices in CHOICES.items()},
        longest=draw.randint(3, 30),
        overlap=draw.randint(0, 2),
    )
    attention = draw.choice(["causal", "bidirectional"])
    model = ResidueModel(nn.Identity(), {}, ALPHABET, 64, policy, name="fuzz", attention=attention)
    samples = []
    for record in data:
        try:
            samples.append((record.sequence, model.prepare(record)))
        except SeqsaeError as told:
            assert "\n" not in str(told), "not one line"
    if not samples:
        return
    batch, line = model.collate([sample for _, sample in samples]), 0
    for sequence, sample in samples:
        skip = ("-." if policy.gaps == "skip" else "") + ("*" if policy.stops == "skip" else "")
        trimmed = sequence.rstrip("*") if policy.stops == "trim" else sequence
        read = [index for index, letter in enumerate(trimmed) if letter not in skip]
        read = read[: policy.longest] if policy.long == "truncate" else read
        assert sample.event.tolist() == read, "rows of other residues"
        mask = batch.mask[line : line + sample.parts]
        ids = batch.inputs["input_ids"][line : line + sample.parts][mask].tolist()
        for index, token, number in zip(read, sample.token, ids, strict=True):
            written = ALPHABET.tokens[number]
            assert token == sequence[index] and (written == token or written in ("X", "<unk>")), "another residue's id"
        line += sample.parts


if __name__ == "__main__":
    sys.exit(main())
