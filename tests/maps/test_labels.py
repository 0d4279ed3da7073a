"""Cluster labels: token, then covariate, then family of tokens, then the plain truth that they are mixed."""

import polars as pl

from seqsae.maps.labels import cluster_labels, label, strongest_covariates

TOKENS = dict(enumerate(["DIAG//F32", "DIAG//F32", "DIAG//F10", "JOB//A", "JOB//B", None]))


def test_a_token_that_half_the_features_share_is_the_label():
    assert label([0, 1, 2, 3], TOKENS, {}) == "DIAG//F32"


def test_a_shared_covariate_comes_before_a_family_of_tokens():
    tied = {0: "sex = F", 2: "sex = F", 3: "age"}
    assert label([0, 2, 3], TOKENS, tied) == "sex = F"


def test_a_family_of_tokens_comes_before_mixed():
    assert label([0, 2, 3], TOKENS, {}) == "DIAG//…"


def test_features_with_nothing_in_common_are_called_mixed():
    tokens = {2: "DIAG//F10", 3: "JOB//A", 5: None, 6: "x", 7: "y"}
    assert label([2, 3, 5, 6, 7], tokens, {}) == "mixed: DIAG//F10, JOB//A"
    assert label([5], TOKENS, {}) == "mixed"


def test_the_strongest_covariate_is_that_of_the_smallest_q_and_must_be_a_discovery():
    table = pl.DataFrame(
        {
            "feature": [1, 1, 2, 3],
            "covariate": ["age", "sex", "sex", "age"],
            "category": [None, "F", "F", None],
            "p_select": [1e-3, 1e-6, 0.2, None],
            "q_select": [1e-2, 1e-5, 0.4, None],
        }
    )
    assert strongest_covariates(table) == {1: "sex = F"}
    assert strongest_covariates(None) == {}


def test_no_label_for_features_in_no_cluster():
    clusters = pl.DataFrame({"feature": [0, 1, 3], "cluster": [0, 0, -1]})
    profile = pl.DataFrame({"feature": list(TOKENS), "best_token": list(TOKENS.values())})
    assert cluster_labels(clusters, profile, None) == {0: "DIAG//F32"}


def test_clusters_of_one_name_are_told_apart_by_their_commonest_token():
    tokens = {0: "LAB//a", 1: "LAB//b", 2: "LAB//c", 3: "LAB//e", 4: "LAB//f", 5: "LAB//g", 6: "JOB//A", 7: "JOB//A"}
    clusters = pl.DataFrame({"feature": list(tokens), "cluster": [0, 0, 0, 1, 1, 1, 2, 2]})
    profile = pl.DataFrame({"feature": list(tokens), "best_token": list(tokens.values())})
    found = cluster_labels(clusters, profile, None)
    assert found == {0: "LAB//…, as LAB//a", 1: "LAB//…, as LAB//e", 2: "JOB//A"}
