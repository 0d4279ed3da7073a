"""Protein sequences for seqsae: antibody domains, protein language models and their alphabets."""
