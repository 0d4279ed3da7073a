"""Names as a chart can show them: short, and with nothing that turns their letters round."""

import unicodedata

MOST = 60
_TURNING = ("RLO", "LRO", "RLE", "LRE", "PDF", "RLI", "LRI", "FSI", "PDI")
_MARKS = "\u200e\u200f\u061c"


def shorten(name: str, most: int = MOST) -> str:
    """`name` without control characters and marks of writing direction (each a visible `\N{REPLACEMENT CHARACTER}`), cut in its middle.

    The end is kept, as names often differ there. The whole name stands in the page's tables, which isolate it.
    """
    short = "".join("\N{REPLACEMENT CHARACTER}" if _is_turning(letter) else letter for letter in cut(name, most))
    return " ".join(short.split()) or "\N{REPLACEMENT CHARACTER}"


def cut(name: str, most: int = MOST) -> str:
    """At most so many characters of it: beginning, an ellipsis, and its last quarter."""
    if len(name) <= most:
        return name
    tail = most // 4
    return f"{name[: most - tail - 1]}…{name[-tail:]}"


def _is_turning(letter: str) -> bool:
    if letter in _MARKS or unicodedata.bidirectional(letter) in _TURNING:
        return True
    return unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") and not letter.isspace()
