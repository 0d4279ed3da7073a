"""Captions: for each feature a short rule in words that predicts where it fires, scored on subjects that did not choose it."""
