"""Disclosure control, shared by all rooms: what may leave a secure server, and in what form.

A `Policy` holds the thresholds, `rules` the primary rules by their numbers, and the makers (`aggregate`, `nested`,
`crossed`, `d8_curves`, those of `told`) are the only doors to a `SafeTable`, which is all that a release can be written from.
"""
