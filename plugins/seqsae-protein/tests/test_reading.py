"""Letters to ids under every policy: nothing is lost without being counted, and no index moves."""

import pytest
from seqsae_protein.alphabet import Alphabet
from seqsae_protein.reading import Encoder, Reading, reading

from seqsae.errors import SeqsaeError

AMINO = "ACDEFGHIKLMNPQRSTVWY"
BERT = Alphabet(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *AMINO))
PROTBERT = Alphabet(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *AMINO, *"XUBZO"))
ESM = Alphabet(("<cls>", "<pad>", "<eos>", "<unk>", *AMINO, *"XBUZO.-", "<mask>"))


def encode(sequence, alphabet=BERT, **policy):
    """What is read, as tokens, the indices, and what is counted."""
    encoder = Encoder(alphabet, Reading(**policy))
    ids, places = encoder.encode(sequence, "p")
    return [alphabet.tokens[i] for i in ids], places.tolist(), encoder.account()


def test_ids_are_the_tokens_places():
    assert Encoder(BERT, Reading()).encode("ACY", "p")[0].tolist() == [5, 6, 24]


@pytest.mark.parametrize("letter", list("XBZU*-.[") + [" ", "É", "\U0001f9ec"])
def test_what_a_model_cannot_read_is_named_with_its_sequence_and_place(letter):
    with pytest.raises(SeqsaeError) as caught:
        encode(f"ACD{letter}F")
    assert f"sequence 'p': letter {letter!r} at residue 4 is " in str(caught.value) and "\n" not in str(caught.value)


def test_small_letters_and_nothing_are_refused_with_the_remedy():
    with pytest.raises(SeqsaeError, match="letter 'a' at residue 2 is unknown; write residues as capital letters"):
        encode("Aa")
    for sequence, policy in (("", {}), ("--", {"gaps": "skip"}), ("**", {"stops": "trim"})):
        with pytest.raises(SeqsaeError, match="sequence 'p' has no residues"):
            encode(sequence, **policy)


def test_gaps_have_no_row_and_move_no_index():
    assert encode("-AC.-D-", gaps="skip") == (list("ACD"), [1, 2, 5], ["gaps without a row: 4 in 1 sequence"])


def test_gaps_are_refused_even_where_the_vocabulary_has_them_unless_they_are_asked_for():
    with pytest.raises(SeqsaeError, match="letter '-' at residue 2 is a gap; give the model the option gaps"):
        encode("A-C", ESM)
    assert encode("A-.", ESM, gaps="read") == (["A", "-", "."], [0, 1, 2], [])
    with pytest.raises(SeqsaeError, match="is a gap"):
        encode("A-C", BERT, gaps="read")


def test_stops_are_trimmed_at_the_end_or_skipped_anywhere():
    assert encode("AC**", stops="trim") == (list("AC"), [0, 1], ["stops without a row: 2 in 1 sequence"])
    with pytest.raises(SeqsaeError, match=r"letter '\*' at residue 2 is a stop"):
        encode("A*C*", stops="trim")
    assert encode("*A*C*", stops="skip")[:2] == (list("AC"), [1, 3])


def test_rare_letters_are_read_by_their_own_token_or_as_x():
    assert encode("AUX", PROTBERT) == (["A", "U", "X"], [0, 1, 2], [])
    assert encode("AUXBJ", PROTBERT, rare="X") == (
        ["A", "X", "X", "X", "X"],
        [0, 1, 2, 3, 4],
        ["rare letters read as X: 3 in 1 sequence"],
    )
    with pytest.raises(SeqsaeError, match="letter 'J' at residue 1 is unknown"):
        encode("J", PROTBERT)
    with pytest.raises(SeqsaeError, match="the vocabulary has no token X"):
        encode("A", BERT, rare="X")


def test_unknown_letters_become_x_or_the_unknown_token_and_are_counted():
    assert encode("AXJ", BERT, unknown="unk") == (
        ["A", "[UNK]", "[UNK]"],
        [0, 1, 2],
        ["unknown letters read as unk: 2 in 1 sequence"],
    )
    assert encode("AUJ", PROTBERT, unknown="X") == (
        ["A", "U", "X"],
        [0, 1, 2],
        ["unknown letters read as X: 1 in 1 sequence"],
    )
    for odd in (" ", "é", "a", "1"):  # no letter of a protein is meant
        with pytest.raises(SeqsaeError, match="is unknown"):
            encode(f"A{odd}", BERT, unknown="unk")
    with pytest.raises(SeqsaeError, match="the vocabulary has no unknown token"):
        encode("A", Alphabet(tuple(AMINO)), unknown="unk")


def test_counts_add_up_over_sequences_and_start_anew_when_told():
    encoder = Encoder(BERT, Reading(gaps="skip", stops="skip", unknown="unk"))
    for sequence in ("A-C", "AC", "--*AX-"):
        encoder.encode(sequence, "p")
    assert encoder.account() == [
        "gaps without a row: 4 in 2 sequences",
        "stops without a row: 1 in 1 sequence",
        "unknown letters read as unk: 1 in 1 sequence",
    ]
    assert encoder.account() == []


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"gaps": "remove"}, "gaps = 'remove'; it is one of refuse, skip, read"),
        ({"long": True}, "long = True"),
        ({"overlap": -1}, "overlap = -1"),
        ({"longest": 0}, "longest = 0"),
        ({"longest": 2.5}, "longest = 2.5"),
        ({"colour": "red"}, "no option 'colour'; its policies are gaps, stops, rare"),
    ],
)
def test_policies_that_are_none_are_refused(options, complaint):
    with pytest.raises(SeqsaeError) as caught:
        reading(options, "m")
    assert complaint in str(caught.value)
