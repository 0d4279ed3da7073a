"""The notice of what is not computed claims no more than that."""

from seqsae.pages.markup import waiting


def test_only_a_study_without_adjusted_effects_is_called_unadjusted():
    assert "unadjusted" not in waiting(["replication over SAE seeds"])
    assert "What follows is unadjusted" in waiting(["effects adjusted for confounders", "replication over SAE seeds"])
    assert waiting([]) == ""
