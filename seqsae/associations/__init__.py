"""Associations of features with covariates: screening, effects with intervals, multiple testing, concept scores."""
