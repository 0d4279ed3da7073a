"""The benchmark of the generator: its last line, its bars, and that it leaves nothing behind."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "synth.py"
BARS = {"peak GiB, all processes", "1 and 2 workers give the same bytes", "minutes of a core for a million lives"}


def test_it_tells_speed_memory_and_equality(tmp_path):
    command = [sys.executable, SCRIPT, "--quick", "--persons", "60", "--compare", "2100", "--json", "--out", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    bars = json.loads(done.stdout.splitlines()[-1])
    assert set(bars) == BARS and bars["1 and 2 workers give the same bytes"]["holds"]
    assert 0.02 < bars["peak GiB, all processes"]["value"] < 1.0
    assert "events and" in done.stdout and not (tmp_path / "synth").exists()
