"""Where the example configs lie: in an installed wheel or in a clone."""

from pathlib import Path

_INSIDE = Path(__file__).parent / "examples"
EXAMPLES = _INSIDE if _INSIDE.is_dir() else Path(__file__).parents[1] / "examples"
