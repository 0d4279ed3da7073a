"""The one error meant for a person: a single line that names the input and the remedy."""

LONGEST_WORD = 256  # signs of a path or name that a line repeats
LONGEST = 2_000  # signs of a line


class SeqsaeError(Exception):
    """Root of every error a user can cause and mend. The command line prints it and exits with 2."""

    def __init__(self, message: str):
        super().__init__(one_line(message))


class NoObjective(SeqsaeError):
    """The model does not say what it predicts, so that nothing can be asked of its predictions."""


def one_line(text: object) -> str:
    """One line, whatever was quoted inside: no sign that moves a terminal, and the middle left out of what is too long."""
    return _short(" ".join(_short(printable(word), LONGEST_WORD) for word in str(text).split()), LONGEST)


def printable(text: str) -> str:
    r"""`text` with its control signs, breaks of lines among them, written out, as in \x1b."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def _short(text: str, most: int) -> str:
    """At most so many signs of both its ends, the remedy mostly being at the second."""
    half = (most - len(" ... ")) // 2
    return text if len(text) <= most else f"{text[:half]} ... {text[-half:]}"
