"""Policies: the named ones, one of a site's own, and what is refused."""

import pytest

from seqsae.disclosure.policy import FLOOR, NAMED, Policy, policy_of
from seqsae.errors import SeqsaeError


def test_the_named_policies_hold_what_their_names_promise():
    assert policy_of("default").min_subjects == 10 and policy_of("dst").min_subjects == 5
    assert policy_of("open").public and policy_of("open").min_subjects == 1
    for name, policy in NAMED.items():
        assert policy.name == name and policy.min_subjects % policy.round_to == 0
        assert policy.public or min(policy.min_subjects, policy.min_clusters) >= FLOOR


def test_a_site_writes_its_own_and_the_rest_is_as_in_default(tmp_path):
    file = tmp_path / "site.toml"
    file.write_text("min_subjects = 20\nround_to = 10\n")
    policy = policy_of(file)
    assert (policy.name, policy.min_subjects, policy.round_to, policy.digits) == ("site", 20, 10, Policy().digits)
    assert policy_of(policy) is policy and policy_of(str(file)) == policy
    with pytest.raises(Exception, match="frozen"):
        policy.min_subjects = 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("min_subjects = 3", "min_subjects.*5 or more unless the policy says public"),
        ("min_clusters = 1", "min_clusters.*5 or more"),
        ("min_subjects = 12", "round_to.*divide"),
        ("round_to = 0", "round_to"),
        ("dominance_share = 2", "dominance_share"),
        ("dominance_share = 1.0", "dominance_share.*0.9 or less unless the policy says public"),
        ("round_to = 1", "round_to.*3 or more"),
        ("p_ratio = 0", "p_ratio.*0.05 or more"),
        ("digits = 6", "digits.*4 or less"),
        ("treshold = 9", "unknown option 'treshold'.*min_subjects"),
        ("min_subjects = ", "not valid TOML"),
        pytest.param("a = " + "[" * 5_000, "nested too deep", id="deep"),
        pytest.param(f'name = "{"x" * 5_000}"', "name.*at most 100", id="long name"),
        ('public = "yes"', "public.*valid boolean"),
        ('name = "dst"\nmin_subjects = 20', "name 'dst' is taken"),
    ],
)
def test_a_policy_that_protects_nobody_is_refused_in_one_line(tmp_path, text, words):
    file = tmp_path / "site.toml"
    file.write_text(text)
    with pytest.raises(SeqsaeError, match=words) as caught:
        policy_of(file)
    assert "site.toml" in str(caught.value) and "\n" not in str(caught.value)


def test_public_data_may_have_any_threshold(tmp_path):
    file = tmp_path / "proteins.toml"
    file.write_text("public = true\nmin_subjects = 2\nmin_clusters = 1\nround_to = 1\n")
    assert policy_of(file).min_subjects == 2


@pytest.mark.parametrize(
    ("given", "words"),
    [("dts", "no policy named 'dts'; offered: default, dst, open"), ("no.toml", "no such policy file")],
)
def test_an_unknown_policy_is_refused(given, words):
    with pytest.raises(SeqsaeError, match=words):
        policy_of(given)
