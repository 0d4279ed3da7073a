"""One folder of lives for all tests; making it is what takes the time."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests run without the package being installed, too
sys.path.append(
    str(Path(__file__).parent)
)  # for what several of them share; last, since other folders have a conftest, too

from synthetic_lives import make  # noqa: E402


@pytest.fixture(scope="session")
def lives(tmp_path_factory) -> Path:
    """The dataset of the README: 6,000 lives at the usual strength."""
    return make(tmp_path_factory.mktemp("synthetic") / "lives")


@pytest.fixture(scope="session")
def full(tmp_path_factory) -> Path:
    """300 lives of the full world, with documents."""
    return make(tmp_path_factory.mktemp("full") / "lives", 300, preset="full", documents=True)
