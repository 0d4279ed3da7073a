"""The recovery benchmark's parts: one small model of synthetic lives, its sites, and everything that may find concepts there."""
