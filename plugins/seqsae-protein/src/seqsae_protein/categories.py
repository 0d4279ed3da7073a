"""What a UniProt feature is an instance of: its category, by the qualifier that names it.

Binding sites are told apart by `/ligand=` (UniProt has written no note there since 2022), everything else by its note: up
to the first semicolon, repeats of one domain without their number.
"""

import re

from seqsae_protein.feature_table import Feature, Span

PRESENT = "present"  # the category of a feature of which only the kind is told
NUMBERED = (  # kinds whose notes count their instances: "EF-hand 2"
    "Domain",
    "Repeat",
    "Zinc finger",
    "DNA binding",
    "Calcium binding",
    "Region",
    "Motif",
    "Coiled coil",
    "Nucleotide binding",
)
BONDS = ("Disulfide bond", "Cross-link")  # their two ends are linked, what lies between is not
REPORTS = (  # what was seen of a sequence, not what its residues are: left out unless asked for
    "Chain",
    "Natural variant",
    "Mutagenesis",
    "Sequence conflict",
    "Alternative sequence",
    "Sequence uncertainty",
    "Non-adjacent residues",
    "Non-terminal residue",
)
NUMBER = re.compile(r"\s+\d+$")
BRACKET = re.compile(r"\s*\(.*")  # "Interchain (with C-34 in B chain)"


def category(feature: Feature) -> str:
    """The value of the covariate that is the feature's kind."""
    note = feature.qualifiers.get("note", "")
    if feature.kind == "Binding site":
        return feature.qualifiers.get("ligand") or note.split(";")[0].strip() or PRESENT
    text = note.split(";")[0].strip()
    if feature.kind in NUMBERED:
        text = NUMBER.sub("", text)
    if feature.kind == "Disulfide bond":
        text = BRACKET.sub("", text)
    return text or PRESENT


def pieces(feature: Feature, span: Span) -> list[tuple[int, int]]:
    """The residues that have the feature: its span, or of a bond the two ends, half open from 0."""
    if feature.kind in BONDS and span.end - span.start > 1:
        return [(span.start, span.start + 1), (span.end - 1, span.end)]
    return [(span.start, span.end)]
