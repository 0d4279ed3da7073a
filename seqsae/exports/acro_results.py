"""A release in ACRO's results format, for output checkers who work with its viewer. Optional: `pip install seqsae[acro]`.

ACRO (Smith et al.; github.com/AI-SDC/ACRO) keeps each output with a status, what was checked, and a comment. Nothing is judged anew here: the status
is `review`, the checks are the release's own.
"""

import json
from pathlib import Path
from typing import Any

from seqsae.errors import SeqsaeError
from seqsae.files import read_json

REVIEW = "review"


def to_acro(release: Path | str, out: Path | str) -> Path:
    """Write the tables of a release folder as an ACRO results folder `out`; its `results.json`.

    Raises:
        SeqsaeError: ACRO is not installed, `release` is no release, or `out` is there already.
    """
    release, out = Path(release), Path(out)
    manifest = read_json(release / "manifest.json", "give the folder that `seqsae release` wrote")
    if out.exists():
        raise SeqsaeError(f"{out}: something stands there; choose another folder")
    session = _session()
    for entry in manifest["datasets"]:
        if entry["file"].endswith(".csv"):
            _add(session, release, entry, manifest["policy"])
    session.results.finalise(str(out), "json")
    return out / "results.json"


def _session() -> Any:
    try:
        from acro import ACRO
    except ImportError as cause:
        raise SeqsaeError(
            f"ACRO cannot be imported ({cause}); pip install 'seqsae[acro]' in an environment of its own"
        ) from None
    return ACRO(suppress=False)


def _add(session: Any, release: Path, entry: dict, policy: dict) -> None:
    """One table as an output to be reviewed."""
    import pandas as pd

    frame = pd.read_csv(release / entry["file"])
    checks = {
        "suppressed": True,
        "threshold": policy["min_subjects"],
        "nk-rule": policy["dominance_share"],
        "p-ratio": policy["p_ratio"],
    }
    session.results.add(
        status=REVIEW,
        output_type="table",
        properties={"method": "seqsae release", "unit": entry["unit"], "rules": entry["rules"]},
        sdc={"summary": checks},
        command=json.dumps({"policy": policy["name"], "file": entry["file"]}),
        summary=f"review; at least {entry['min_subjects']} subjects a count; rules {', '.join(entry['rules'])}",
        outcome=pd.DataFrame(),
        output=[frame],
        comments=[entry["what"]],
    )
