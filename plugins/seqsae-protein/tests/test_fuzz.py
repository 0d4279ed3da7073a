"""200 damaged files, as in the benchmark with 10,000: a result with labels where a naive reading puts them, or one line."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def fuzz(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import fuzz_sequences

    yield fuzz_sequences
    for name in ("fuzz_sequences", "fuzz_readers", "fuzz_files", "bars"):
        sys.modules.pop(name, None)


def test_damaged_files_end_in_a_result_or_in_one_line(fuzz):
    outcome, faults = fuzz.run(200)
    assert not faults, faults[0]
    assert outcome["result"] > 40 and outcome["one line"] > 40, "both ends are met"


@pytest.mark.parametrize("fault", ["annotation", "row", "traceback"])
def test_a_planted_fault_is_seen(fuzz, monkeypatch, fault):
    if fault == "annotation":  # one residue too far, or too early at the end of a sequence
        from seqsae_protein import annotating

        true = annotating.pieces
        monkeypatch.setattr(
            annotating, "pieces", lambda *given: [(a - 1, b - 1) if a else (a, b) for a, b in true(*given)]
        )
    elif fault == "row":
        true = fuzz.ResidueModel.prepare

        def late(self, record):
            sample = true(self, record)
            return replace(sample, event=sample.event + 1)

        monkeypatch.setattr(fuzz.ResidueModel, "prepare", late)
    else:
        monkeypatch.setattr(fuzz.proteins.sequences, "fasta", lambda path: [][0])
    outcome, faults = fuzz.run(60)
    assert outcome["fault"] == len(faults) > 5
