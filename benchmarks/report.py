"""Size of the report and the time until it answers, with 4,096 and 32,768 features: those of a finished run, each many times over.

Every copy has a number and figures of its own, so that what the page carries is as hard to tell shortly as of so many features.
Needs a browser (Debian's chromium) and a finished run, by default that of `seqsae demo`.
"""

import sys
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from bars import Bars, parser
from playwright.sync_api import Page, sync_playwright

from seqsae.pages import room
from seqsae.pages.content import Content
from seqsae.pages.page import render
from seqsae.pipeline import Study

BROWSER = "/usr/bin/chromium"
QUIET = ["--headless", "--no-sandbox", "--disable-gpu"]
SIZES = {4_096: "4,096 features", 32_768: "32,768 features"}


def main() -> None:
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--run", default="runs/demo", help="run folder")
    options = options.parse_args()
    run = Path(options.run)
    if not (run / "config.toml").is_file():
        sys.exit(f"{run}: no finished run lies there; make one by `seqsae demo`, or name it with --run")
    content, bars = shown(Study(run / "config.toml", out=run)), Bars()
    for size in list(SIZES)[: 1 if options.quick else None]:
        wide = tiled(content, size, np.random.default_rng(0))
        path = render(wide, Path(options.out) / f"report-{size}")
        found = opened(path)
        name = SIZES[size]
        bars.at_most(f"{name}: console messages and blocked requests", found["troubles"], 0)
        bars.at_least(
            f"{name}: all features are in the table", found["features"] / wide.profile.filter(~pl.col("dead")).height, 1
        )
        if size == 4_096:
            bars.at_most(f"{name}: MB", path.stat().st_size / 1e6, 3)
            bars.at_most(f"{name}: seconds until the page answers", found["answers"], 2)
        print(f"{name}: {path.stat().st_size / 1e6:.2f} MB; answers after {found['answers']:.1f} s, all charts drawn after {found['drawn']:.1f} s; "
              f"a search of the table takes {found['search']:.2f} s; {path}")  # fmt: skip
    bars.tell(options.json)


def shown(study: Study) -> Content:
    """What the report of a run shows."""
    told, atlas = study.told, study.atlas
    made = room.content(told, atlas, study.saes, study.config.report)
    portraits = room.portray(told.encoded)
    return replace(
        made, used=room.used(study.faithful), annotated=room.annotated(study.annotated), portraits=room.portrayed(portraits, atlas)
    )  # fmt: skip


def tiled(part, size: int, rng: np.random.Generator, width: int | None = None):
    """The same content or part of it with the features of every table repeated until there are `size`."""
    width = width or int(part.profile["feature"].max()) + 1
    changes = {}
    for field in fields(part):
        value = getattr(part, field.name)
        if isinstance(value, pl.DataFrame) and "feature" in value.columns and field.name not in ("baselines", "curves"):
            changes[field.name] = repeated(value, width, size, rng)
        elif is_dataclass(value) and field.name == "portraits":
            changes[field.name] = tiled(value, size, rng, width)
    return replace(part, **changes)


def repeated(table: pl.DataFrame, width: int, size: int, rng: np.random.Generator) -> pl.DataFrame:
    """The rows once for each run of `width` features up to `size`; numbers of features count on, and broken numbers are moved a little."""
    numbers = [name for name in ("feature", "other") if name in table.columns]
    broken = [name for name, kind in table.schema.items() if kind.is_float() and name not in ("low", "high")]
    copies = []
    for first in range(0, size, width):
        moved = [
            (pl.col(name) * pl.Series(rng.uniform(0.9, 1, len(table)))).cast(table.schema[name])
            for name in broken
            if first
        ]
        copy = table.with_columns(*moved, *((pl.col(name) + first).cast(table.schema[name]) for name in numbers))
        copies.append(copy.filter(pl.all_horizontal(pl.col(name).lt(size).fill_null(True) for name in numbers)))
    return pl.concat(copies)


def opened(path: Path) -> dict[str, float]:
    """What a browser without a network makes of a page; seconds."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=QUIET)
        page, troubles = browser.new_page(viewport={"width": 1440, "height": 900}), []
        page.context.set_offline(True)
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("requestfailed", lambda request: troubles.append(request.url))
        page.goto(path.resolve().as_uri())
        page.wait_for_selector("html[data-ready]", timeout=300_000)
        drawn = page.evaluate("performance.now()") / 1e3
        answers = int(page.get_attribute("html", "data-interactive")) / 1e3
        found = {
            "answers": answers,
            "drawn": drawn,
            "features": counted(page),
            "search": searched(page),
            "troubles": len(troubles),
        }
        browser.close()
    return found


def counted(page: Page) -> int:
    """Features that the table holds, as it says itself."""
    return int(page.inner_text("#feature-count").split(" of ")[-1].split(" ")[0].replace(",", ""))


def searched(page: Page) -> float:
    """Seconds from a word typed to the table that answers it."""
    told = """() => { const box = document.querySelector("#feature-search"), start = performance.now(); box.value = "income";
        box.dispatchEvent(new Event("input")); return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() =>
        done((performance.now() - start) / 1e3)))); }"""
    return page.evaluate(told)


if __name__ == "__main__":
    main()
