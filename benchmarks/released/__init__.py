"""Random cohorts that somebody might release, and attackers of what is released of them."""
