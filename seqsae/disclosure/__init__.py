"""Disclosure control, shared by all rooms: what may leave a secure server, and in what form.

A `Policy` holds the thresholds, `rules` the primary rules by their numbers, and `aggregate` is the one door to a `SafeTable`.
"""
