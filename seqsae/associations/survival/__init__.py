"""Survival covariates: Cox models, their score test for every sparse feature at once, curves and concordance."""
