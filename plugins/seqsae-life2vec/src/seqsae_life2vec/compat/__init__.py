"""Original Life2Vec checkpoints: the network with local and FAVOR+ heads, and what is read of its files."""
