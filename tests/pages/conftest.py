"""Small made-up content for the page: 4 covariates, a few dozen features, planted winners and losers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from seqsae import schema
from seqsae.pages.content import Content

NASTY = '</script><img src=x onerror="alert(1)">\'&amp;<!--'
FAMILIES = ["DIAG", "JOB", "MOVE", "INCOME"]
PAIRS = [  # covariate, category, kind, strength of the best feature
    ("sex", "F", "binary", 0.38),
    ("region", "north", "categorical", 0.2),
    ("region", "south", "categorical", 0.12),
    ("age", None, "continuous", 0.55),
    ("coin", "heads", "binary", 0.02),
]
SOURCES = {"neuron": -0.06, "pca": -0.1, "random-dictionary": -0.16, "token": -0.04, "position": -0.2}


@pytest.fixture(scope="session")
def fake() -> Callable[..., Content]:
    """`content` below, for the tests of this folder."""
    return content


@pytest.fixture(scope="session")
def nasty() -> str:
    """A name that tries to end the script, run code, and open a comment."""
    return NASTY


BROWSERS = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
QUIET = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync", "--no-first-run"]


@pytest.fixture(scope="session")
def browser():
    """A browser without a window; tests that need one are skipped, with the reason, where none starts."""
    reason = "playwright is not installed: the page was NOT tried in a browser"
    sync_api = pytest.importorskip("playwright.sync_api", reason=reason)
    path = next((path for path in BROWSERS if Path(path).is_file()), None)
    with sync_api.sync_playwright() as playwright:
        try:
            opened = playwright.chromium.launch(executable_path=path, args=QUIET)
        except sync_api.Error as cause:
            pytest.skip(f"no browser starts, the page was NOT tried in one: {str(cause).splitlines()[0]}")
        yield opened
        opened.close()


@pytest.fixture
def look(browser):
    """A function that opens a page's file, offline; at the end nothing may have gone wrong in it."""
    troubles: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_offline(True)
    context.route("**/*", lambda route: route.continue_() if route.request.url.startswith("file:") else route.abort())

    def visit(path: Path):
        page = context.new_page()
        page.on("console", lambda message: troubles.append(f"console {message.type}: {message.text}"))
        page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
        page.on("requestfailed", lambda request: troubles.append(f"request: {request.url}"))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]", timeout=60_000)
        return page

    yield visit
    context.close()
    assert troubles == []


def content(width: int = 48, cards: int = 12, nasty: bool = False, **changes) -> Content:
    """A page's content; every eighth feature is dead. `nasty`: names that try to break out of the page."""
    rng = np.random.default_rng(7)
    profile = _profile(width, rng, nasty)
    associations = _associations(width, rng)
    parts = {
        "title": f"Study {NASTY}" if nasty else "Synthetic lives",
        "run": _run(nasty),
        "covariates": _covariates(nasty),
        "profile": profile,
        "associations": associations,
        "baselines": _baselines(),
        "atlas": _atlas(profile, rng),
        "examples": _examples(profile, nasty),
        "concepts": _concepts(),
        "metrics": _metrics(),
        "resplits": _resplits(rng),
        "cards": cards,
    }
    return Content(**(parts | changes))


def _run(nasty: bool) -> dict:
    return {
        "subjects": {"train": 1500, "select": 600, "calibrate": 300, "test": 600},
        "held_out": {"fvu": 0.14321, "l0": 31.97, "dead": 0.125},
        "model": {
            "name": NASTY if nasty else "life2vec-small",
            "fingerprint": "ab12" * 16,
            "site": "layers.2",
            "view": "full",
        },
        "sae": {"architecture": "topk", "width": 48, "k": 32, "seeds": 3, "steps": 1000},
        "data_sha256": "0f" * 32,
        "test_split_opened": 1,
    }


def _covariates(nasty: bool) -> list[dict]:
    splits = {"train": 1500, "select": 600, "calibrate": 300, "test": 600}
    return [
        {
            "name": "sex",
            "type": "binary",
            "role": "target",
            "description": NASTY if nasty else "Registered sex",
            "n": splits,
        },
        {"name": "region", "type": "categorical", "role": "target", "n": splits},
        {"name": "age", "type": "continuous", "role": "confounder", "unit": "years", "n": splits},
        {
            "name": "coin",
            "type": "binary",
            "role": "negative-control",
            "description": "A fair coin",
            "n": splits,
        },
        {"name": "death", "type": "survival", "role": "target", "n": splits},
    ]


def _profile(width: int, rng: np.random.Generator, nasty: bool) -> pl.DataFrame:
    dead = np.arange(width) % 8 == 7
    token = [f"{FAMILIES[f % 4]}//{chr(65 + f % 11)}{f % 7}" for f in range(width)]
    if nasty:
        token[0] = NASTY
    table = pl.DataFrame(
        {
            "feature": np.arange(width),
            "firing_rate": np.where(dead, 0.0, rng.beta(1, 30, width)),
            "n_subjects": np.where(dead, 0, rng.integers(20, 1400, width)),
            "mean_when_active": rng.gamma(2, 0.4, width),
            "max": rng.gamma(4, 1.0, width),
            "token_purity": rng.beta(2, 2, width),
            "best_token": [None if d else name for d, name in zip(dead, token, strict=True)],
            "stability": rng.beta(6, 3, width),
            "decoder_norm": np.ones(width),
            "dead": dead,
        }
    )
    return schema.check_table(table, "profile", "fake")


def _associations(width: int, rng: np.random.Generator) -> pl.DataFrame:
    rows = []
    for feature in range(width):
        for place, (covariate, category, kind, best) in enumerate(PAIRS):
            for pooling in ("rate", "max"):
                rows.append(
                    _association(feature, covariate, category, kind, pooling, _effect(feature, place, best, rng))
                )
    return schema.check_table(pl.DataFrame(rows, infer_schema_length=None), "associations", "fake")


def _effect(feature: int, place: int, best: float, rng: np.random.Generator) -> float:
    """Distance from no association; feature 2 * place is the best of pair `place`, odd ones go the other way."""
    size = best if feature == 2 * place else best * rng.uniform(0, 0.6)
    return -size if feature % 2 else size


def _association(feature, covariate, category, kind, pooling, size) -> dict:
    binary = kind in ("binary", "categorical")
    effect = 0.5 + size if binary else size
    p = float(10 ** (-60 * abs(size))) if feature % 8 != 7 else None
    chosen = p is not None and p * 20 <= 0.05
    return {
        "feature": feature, "covariate": covariate, "category": category, "unit": "subject", "kind": kind,
        "window": "full", "pooling": pooling, "n": 600, "n_positive": 280 if binary else None,
        "n_adjusted": 590, "n_positive_adjusted": 275 if binary else None,
        "effect_given_products": size if chosen else None, "ci_low_given_products": size - 0.06 if chosen else None,
        "ci_high_given_products": size + 0.06 if chosen else None,
        "effect_name": "AUROC" if binary else "spearman", "effect": None if p is None else effect,
        "ci_low": effect - 0.04 if chosen else None, "ci_high": effect + 0.04 if chosen else None,
        "adjusted_name": "log odds ratio" if binary else "partial spearman", "effect_adjusted": size,
        "ci_low_adjusted": size - 0.04 if chosen else None, "ci_high_adjusted": size + 0.04 if chosen else None,
        "p_select": p, "p_select_adjusted": p, "z_select_adjusted": 10 * size, "effect_stratified": None,
        "p_select_stratified": None, "q_select": None if p is None else min(1.0, p * 20), "q_select_by": None if p is None else min(1.0, p * 100),
        "p_test": p if chosen else None, "p_test_adjusted": p if chosen else None,
        "p_test_holm": min(1.0, p * 100) if chosen else None, "p_test_adjusted_holm": min(1.0, p * 100) if chosen else None,
        "effect_given_token": size if chosen else None, "ci_low_given_token": size - 0.05 if chosen else None,
        "ci_high_given_token": size + 0.05 if chosen else None, "null_95": None, "replicated_seeds": None,
        "n_seeds": None, "note": None, "verdict": ("supported" if p * 100 <= 0.05 else "inconclusive") if chosen else "not-selected",
    }  # fmt: skip


def _baselines() -> pl.DataFrame:
    rows = []
    for place, (covariate, category, kind, best) in enumerate(PAIRS):
        for source, less in {"sae": 0.0, **SOURCES}.items():
            size = best + 0.03 if (source, covariate) == ("token", "region") else max(best + less, -0.02)
            effect = size + (0.5 if kind in ("binary", "categorical") else 0.0)
            label = f"feature {2 * place}, rate" if source == "sae" else f"{source} {place + 3}, max"
            rows.append((None, covariate, category, "subject", source, label, effect, effect - 0.05, effect + 0.05))
    names = list(schema.columns("baselines"))
    return schema.check_table(pl.DataFrame(rows, schema=names, orient="row"), "baselines", "fake")


def _atlas(profile: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    features, dead = profile["feature"].to_numpy(), profile["dead"].to_numpy()
    family = features % 4
    loose = features % 9 == 5
    place = np.stack([6 * (family % 2), 6 * (family // 2)], axis=1) + rng.normal(0, 1, (len(features), 2))
    place[dead] = np.nan
    cluster = np.where(dead | loose, -1, family)
    table = pl.DataFrame({"feature": features, "x": place[:, 0], "y": place[:, 1], "cluster": cluster}).with_columns(
        pl.col("x", "y").fill_nan(None),
        cluster_label=pl.Series([None if c < 0 else f"{FAMILIES[c]}//…" for c in cluster], dtype=pl.String),
    )
    return schema.check_table(table, "atlas", "fake")


def _examples(profile: pl.DataFrame, nasty: bool) -> pl.DataFrame:
    rows = []
    for feature, token in profile.filter(~pl.col("dead")).select("feature", "best_token").iter_rows():
        around = [f"{FAMILIES[(feature + step) % 4]}//{chr(65 + step)}{step}" for step in range(10)]
        if nasty:
            around[0] = NASTY
        for rank in range(4):
            rows.append((feature, rank, 100 * feature + rank, 4.0 - rank / 2, around[: 5 - rank], token, around[5:]))
    names = ["feature", "rank", "row", "value", "before", "token", "after"]
    return schema.check_table(pl.DataFrame(rows, schema=names, orient="row"), "examples", "fake")


def _concepts() -> pl.DataFrame:
    rows = []
    for place, (name, level) in enumerate(
        [
            ("job loss", "token"),
            ("move", "token"),
            ("unemployed", "spell"),
            ("ill", "spell"),
            ("ill and poor", "conjunction"),
        ]
    ):
        for step, source in enumerate(["sae", "neuron", "pca", "random-dictionary", "token", "token-seen"]):
            f1 = max(
                0.1,
                0.85 - 0.12 * place - 0.06 * step + (0.2 if source == "token" and level == "token" else 0),
            )
            rows.append((source, name, level, str(2 * place), 0.2, f1, f1, f1, 0.9 - 0.05 * step, 0.2, 70000, 9000))
    names = list(schema.columns("concepts"))
    return schema.check_table(pl.DataFrame(rows, schema=names, orient="row"), "concepts", "fake")


def _metrics() -> pl.DataFrame:
    steps = range(100, 1001, 100)
    table = {name: [None] * len(steps) for name in schema.columns("metrics")} | {
        "step": list(steps),
        "rows": [1024 * step for step in steps],
        "fvu": [0.6 * np.exp(-step / 250) + 0.14 for step in steps],
        "l0": [32 - 4 * np.exp(-step / 200) for step in steps],
        "dead": [0.3 * np.exp(-step / 300) for step in steps],
        "loss": [0.7 * np.exp(-step / 250) + 0.15 for step in steps],
        "dense": [0.2 * np.exp(-step / 300) + 0.01 for step in steps],
        "density": [[2, *[0] * 10, *[step // 100] * 5, *[3] * 6] for step in steps],
    }
    return schema.check_table(pl.DataFrame(table), "metrics", "fake")


def _resplits(rng: np.random.Generator) -> pl.DataFrame:
    rows = [
        (split, covariate, category, source, 0.0, 0.5 + abs(best + less) + rng.normal(0, 0.01))
        for split in range(6)
        for covariate, category, kind, best in PAIRS
        if kind != "continuous"
        for source, less in {"sae": 0.0, **SOURCES}.items()
    ]
    names = list(schema.columns("resplits"))
    return schema.check_table(pl.DataFrame(rows, schema=names, orient="row"), "resplits", "fake")
