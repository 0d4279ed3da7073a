"""What `train_peers.py` is made of: data with known directions, workers that take turns, an adapter for each library."""
