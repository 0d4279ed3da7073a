"""Products of rows, codes and weights that touch only what is not zero: plain torch, and compiled loops beside it."""
