"""Sparse autoencoders: architectures, training, checkpoints and the numbers that say how good one is."""
