"""A Life2Vec-style encoder of life events for seqsae."""
