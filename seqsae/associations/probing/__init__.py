"""Probes: how much of a covariate can be read off all units of a basis, or off the few best of them."""
