"""SAEs of other tools: `read` makes one of ours of a foreign checkpoint, `write` the other way round, `convert` from file to file.

A reader gives `Parts`, a writer takes them; a format is one file with NAME, KINDS and INPUTS (what it can hold), OPTIONS (what its reader
may be told), FILE (its suffix if it is one file), `here` (does a path look like it), `read`, `write`, and `refusal` if it cannot hold
every SAE of its kinds.
"""

from seqsae.sae.formats.converting import convert
from seqsae.sae.formats.registry import FORMATS, detected, read, write

__all__ = ["FORMATS", "convert", "detected", "read", "write"]
