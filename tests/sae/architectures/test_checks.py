import pytest

from seqsae.errors import SeqsaeError
from seqsae.sae.architectures import checks
from seqsae.sae.base import Recipe

RECIPE = Recipe("kind", 4, 8)


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (lambda: checks.number(RECIPE, {"a": 2}, "a", 0, 1), "'kind': a is 2; give a number from 0 to 1$"),
        (lambda: checks.number(RECIPE, {"a": "x"}, "a", 0), "a is 'x'; give a number of at least 0$"),
        (lambda: checks.number(RECIPE, {"a": True}, "a", 0), "a is True"),
        (lambda: checks.number(RECIPE, {"a": float("nan")}, "a", 0), "a is nan"),
        (lambda: checks.whole(RECIPE, {"a": 1.5}, "a", 1), "a is 1.5; give a whole number of at least 1$"),
        (lambda: checks.whole(RECIPE, {"a": 9}, "a", 1, 8), "a is 9; give a whole number from 1 to 8$"),
        (lambda: checks.positive(RECIPE, {"a": 0}, "a"), "a is 0; give a number above 0$"),
        (lambda: checks.choice(RECIPE, {"a": "l3"}, "a", ("l1", "l2")), "unknown a 'l3'; choose one of l1, l2$"),
        (lambda: checks.no_k(Recipe("kind", 4, 8, 3)), "k is 3, but .*; leave k out$"),
        (lambda: checks.a_k(RECIPE), "no k; give the number"),
    ],
)
def test_what_is_out_of_range_is_told_in_one_line(check, words):
    with pytest.raises(SeqsaeError, match=words) as caught:
        check()
    assert "\n" not in str(caught.value)


def test_what_is_in_range_passes():
    checks.number(RECIPE, {"a": 0}, "a", 0, 1)
    checks.whole(RECIPE, {"a": 8}, "a", 1, 8)
    checks.positive(RECIPE, {"a": 1e-9}, "a")
    checks.choice(RECIPE, {"a": "l1"}, "a", ("l1",))
    checks.no_k(RECIPE)
    checks.a_k(Recipe("kind", 4, 8, 3))
