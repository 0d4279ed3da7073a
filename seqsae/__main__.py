"""`python -m seqsae`."""

from seqsae.cli import main

main()
