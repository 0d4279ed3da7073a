"""The one error meant for a person: a single line that names the input and the remedy."""


class SeqsaeError(Exception):
    """Root of every error a user can cause and mend. The command line prints it and exits with 2."""

    def __init__(self, message: str):
        super().__init__(" ".join(str(message).split()))  # one line, whatever was quoted inside


class NoObjective(SeqsaeError):
    """The model does not say what it predicts, so that nothing can be asked of its predictions."""
