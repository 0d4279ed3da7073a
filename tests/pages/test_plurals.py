"""One of a thing is told as one."""

import pytest
from pages import made_up

from seqsae.pages import used


@pytest.mark.parametrize(
    ("left", "told"),
    [(1, "1 further feature, of smaller effect, stands in"), (2, "2 further features, of smaller effect, stand in")],
)
def test_features_that_are_not_shown(fake, left, told):
    part = used.part(fake(used=made_up.used(effects=made_up.effects(list(range(used.SHOWN + left))))))
    assert told in part.body
