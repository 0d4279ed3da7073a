import numpy as np
from seqsae_protein.homology import clusters


def jaccard(one: str, other: str) -> float:
    kmers = [{s[i : i + 3] for i in range(len(s) - 2)} for s in (one, other)]
    return len(kmers[0] & kmers[1]) / len(kmers[0] | kmers[1])


def brute_force(sequences: list[str], threshold: float) -> list[int]:
    """Spread the smallest label over links until nothing changes."""
    labels = list(range(len(sequences)))
    changed = True
    while changed:
        changed = False
        for i, one in enumerate(sequences):
            for j, other in enumerate(sequences):
                if jaccard(one, other) >= threshold and labels[j] > labels[i]:
                    labels[j], changed = labels[i], True
    return [sorted(set(labels)).index(label) for label in labels]


def test_clusters_equal_brute_force_single_linkage():
    random = np.random.default_rng(0)
    parents = ["".join(random.choice(list("ACDEFG"), 40)) for _ in range(6)]
    sequences = []
    for parent in parents:
        for _ in range(6):
            letters = list(parent)
            for place in random.integers(0, 40, random.integers(0, 6)):
                letters[place] = random.choice(list("ACDEFG"))
            sequences.append("".join(letters))
    for threshold in (0.4, 0.6, 0.8):
        expected = brute_force(sequences, threshold)
        assert 6 <= len(set(expected)) < len(sequences)  # the check can fail either way
        assert clusters(sequences, threshold).tolist() == expected


def test_the_threshold_itself_links():
    # {ABC, BCD, CDE} and {ABC, BCD, CDE, DEF, EFG}: 3 / 5 = 0.6
    assert clusters(["ABCDE", "ABCDEFG"], 0.6).tolist() == [0, 0]
    assert clusters(["ABCDE", "ABCDEFG"], 0.61).tolist() == [0, 1]


def test_a_chain_of_links_is_one_cluster():
    chain = ["AAABBBCCCD", "ABBBCCCDDE", "BCCCDDEEFF"]
    assert jaccard(chain[0], chain[2]) < 0.3
    assert clusters(chain, 0.3).tolist() == [0, 0, 0]
