"""Cluster labels: token, then covariate, then family of tokens, then words, then the plain truth that they are mixed; all different."""

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp

from seqsae import schema
from seqsae.maps.labels import distinct, label_table, shared_words, told, top_covariate

NAMES = ["DIAG//F10", "DIAG//F32", "JOB//A", "JOB//B", "x"]


def test_the_token_that_tells_most_has_the_largest_part_of_the_divergence():
    code = np.repeat(np.arange(5), [10, 10, 40, 40, 100])
    weight = np.zeros(200)
    weight[:6], weight[20:24], weight[100:110] = 1, 2, 0.2
    share = np.array([6, 0, 8, 0, 2]) / 16
    base = np.array([0.05, 0.05, 0.2, 0.2, 0.5])
    scores = [s * np.log(s / b) if s else -np.inf for s, b in zip(share, base, strict=True)]
    assert np.argmax(scores) == 0  # though more of the weight lies on a commoner token
    name, *numbers = told(weight, code, NAMES, np.arange(200) // 2)
    assert name == "DIAG//F10" and numbers == pytest.approx([share[0], share[0] / 0.05, scores[0], 3])


@pytest.mark.parametrize("weight", [np.zeros(5), np.ones(5)])
def test_nothing_is_told_where_nothing_is_more_common(weight):
    assert told(weight, np.arange(5), NAMES, np.zeros(5)) is None
    assert told(weight, np.full(5, -1), [], np.zeros(5)) is None


def enriched(*rows: tuple) -> pl.DataFrame:
    names = ["cluster", "covariate", "category", "difference", "p", "q"]
    return pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)


def test_the_covariate_of_smallest_q_counts_if_it_is_a_discovery():
    table = enriched(
        (0, "age", None, 1.0, 0.02, 0.04), (0, "sex", "F", -2.0, 0.001, 0.01), (1, "age", None, 3.0, 0.1, 0.2)
    )
    assert top_covariate(table, 0) == ("sex = F", -2.0, 0.01)
    assert top_covariate(table, 1) is None and top_covariate(None, 0) is None


def test_words_are_the_phrase_that_most_captions_share_whatever_its_numbers():
    captions = pl.DataFrame(
        {
            "feature": [0, 1, 2, 3, 9],
            "kind": ["position", "mixed", "token", "none", "token"],
            "caption": [
                "before year 1994",
                "token is A//1 and before year 2,001",
                "token is A//1",
                "x",
                "token is A//1",
            ],
        }
    )
    assert shared_words(captions, np.arange(4)) == ("before year …", pytest.approx(2 / 3))
    assert shared_words(captions, np.array([2, 3])) is None and shared_words(None, np.arange(4)) is None


def test_no_two_labels_are_the_same():
    rows = [{"token": token} for token in ("a", "b", "b", None, "c")]
    assert distinct(["m", "m", "m", "m", "c"], rows) == ["m, as a", "m, as b", "m, as b (2)", "m", "c"]
    assert distinct(["n", "n", "n (2)"], [{"token": None}] * 3) == ["n", "n (3)", "n (2)"]


def test_each_kind_of_label_in_its_turn():
    """Five clusters of two features: on one token; tied to a covariate; on one family; sharing words; of nothing in common."""
    code = np.tile(np.arange(5), 40)
    codes = np.zeros((200, 10), np.float32)
    codes[code == 1, 0:2] = 1
    codes[:, 2:4] = codes[:, 6:10] = 0.5
    codes[np.isin(code, [2, 3]), 4:6] = 2
    codes[np.flatnonzero(code == 4)[:10], 4] = 2
    member = sp.csr_array(np.repeat(np.eye(5), 2, axis=0))
    captions = pl.DataFrame({"feature": [6, 7], "kind": ["seen", "seen"], "caption": ["late"] * 2})
    table = label_table(
        member, sp.csr_array(codes), (code, NAMES), np.arange(200) // 5, captions, enriched((1, "sex", "F", 1.0, 0.0, 0.0))
    )  # fmt: skip
    assert table.equals(schema.check_table(table, "clusters", "test"))
    expected = [("DIAG//F32", "token"), ("sex = F", "covariate"), ("JOB//…", "family"), ("late", "words")]
    assert table.select("label", "label_from").rows() == [*expected, ("mixed: DIAG//F10, DIAG//F32", "mixed")]
    assert table["token_share"][0] == 1 and table["token_lift"][0] == pytest.approx(5)
    assert table["family_lift"][2] == pytest.approx(160 / 170 / 0.4) and table["token_subjects"][0] == 40


def test_clusters_without_a_row_or_a_token_are_mixed():
    none = label_table(
        sp.csr_array(np.ones((2, 1))), sp.csr_array((0, 2)), (np.zeros(0, int), []), np.zeros(0), None, None
    )
    assert none["label"].to_list() == ["mixed"] and none["token"].to_list() == [None]
    empty = label_table(sp.csr_array((2, 0)), sp.csr_array((3, 2)), (np.zeros(3, int), ["a"]), np.zeros(3), None, None)
    assert empty.equals(schema.empty("clusters"))
