"""The page of a release in a real browser, from disk, with no network, under names that try to break out of it."""

import csv
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from released.cohorts import cohort  # noqa: E402

from seqsae.disclosure.policy import NAMED  # noqa: E402
from seqsae.exports import releasing  # noqa: E402
from seqsae.exports.opened import Opened  # noqa: E402


def named(nasty: str) -> dict[str, str]:
    """Common tokens and covariates of a made-up cohort, and what they are called here."""
    return {
        "WORK//0": "</script><svg/onload=alert(1)>",
        "WORK//1": "=CMD()",
        "WORK//2": "\u202eright to left",
        "WORK//3": "x" * 10_000,
        "sick": f"=sick {nasty}",
        "place": "\u202e\u200bplace",
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A release of it."""
    one, names = cohort(3), named('</script><img src=x onerror="alert(1)"><!--')
    rows = one.evidence.rows.with_columns(pl.col("token").replace(names))
    ties, others = (
        table.with_columns(pl.col("covariate").replace(names))
        for table in (one.evidence.associations, one.evidence.baselines)
    )
    aims = [replace(aim, covariate=names.get(aim.covariate, aim.covariate)) for aim in one.evidence.aims]
    evidence = replace(one.evidence, rows=rows, associations=ties, baselines=others, aims=aims)
    run = tmp_path_factory.mktemp("nasty") / "run"
    run.mkdir()
    study = Opened(run, None, None, None, evidence, one.subjects)
    made = releasing.released(study, NAMED["default"], run / "release", None, inside=None)
    assert made.passed, made.told
    return made.path


def test_tables_narrow_cards_open_and_names_stay_text(look, folder, tmp_path):
    page = look(folder / "report.html")
    rows = page.locator("#tie-table tbody tr")
    every = rows.count()
    assert every > 3 and page.locator("section img, section svg[onload]").count() == 0
    page.select_option("#covariate-choice", index=1)
    assert 0 < rows.count() < every
    page.select_option("#covariate-choice", index=0)
    page.fill("#tie-search", "right to left no such words")
    assert "No association" in page.inner_text("#tie-table")
    page.fill("#tie-search", "")
    link = page.locator("#tie-table a.feature").nth(2)
    wanted = link.inner_text()
    link.click()
    page.wait_for_function("wanted => document.querySelector('#feature-card').textContent.includes(wanted)", arg=wanted)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.pdf(path=tmp_path / "release.pdf")
    assert (tmp_path / "release.pdf").stat().st_size > 20_000


def test_no_cell_of_a_table_is_a_formula_or_without_end(folder):
    cells = [
        cell
        for path in folder.glob("tables/*.csv")
        for row in csv.reader(path.read_text().splitlines())
        for cell in row
    ]
    texts = [cell for cell in cells if not cell.lstrip("-").replace(".", "").replace("e-", "").isdigit()]
    assert all(any(part in cell for cell in texts) for part in ("onerror", "onload", "CMD", "right to left"))
    assert not [cell for cell in texts if cell.lstrip().startswith(("=", "+", "-", "@")) or len(cell) > 200]
