"""Puts the helpers of these tests on the path (their own folder, so that no other conftest is shadowed); fixed examples."""

import sys
from pathlib import Path

from hypothesis import settings

sys.path.append(str(Path(__file__).parent / "helpers"))
settings.register_profile("fixed", derandomize=True, database=None, deadline=None)
settings.load_profile("fixed")
