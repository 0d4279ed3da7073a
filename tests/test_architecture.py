"""The one-way order of the rooms, the size of their files, and what a bare import may load."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = [
    "records", "models", "activations", "sae", "features", "faithfulness", "associations", "maps", "pages", "exports",
    "besides", "pipeline", "cli", "__main__",
]  # fmt: skip
SHARED = {
    "errors",
    "config",
    "options",
    "training_options",
    "atlas_options",
    "caption_options",
    "probe_options",
    "plugins",
    "shelf",
    "hashing",
    "files",
    "schema",
    "progress",
    "disclosure",
    "examples_folder",
    "ledger",
}
MODULES = sorted((ROOT / "seqsae").rglob("*.py"))
SOURCES = (
    MODULES
    + sorted((ROOT / "plugins").rglob("src/**/*.py"))
    + sorted((ROOT / "synthetic_data" / "synthetic_lives").rglob("*.py"))
)


WITHIN_SAE = [
    {"products"}, {"arrays", "moments", "normalise", "recipe", "base", "fold", "spec", "random"}, {"architectures"}, {"formats", "checkpoint"},
    {"quality"}, {"training"}, {"choosing"}, {"promises", "room"},
]  # fmt: skip


def imports_of(path: Path) -> set[str]:
    """First names under `seqsae` that a module imports, wherever in it the import stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "seqsae":
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("seqsae.")}
    return found


def complaint(name: str, imported: set[str]) -> str | None:
    """Why a module called `name` may not import these, None if it may."""
    if name in SHARED:
        wrong = imported - SHARED
    elif name == "testing":
        wrong = imported - SHARED - {"models", "records", "sae"}
    else:
        wrong = imported - SHARED - set(ROOMS[: ROOMS.index(name) + 1]) - {"SeqsaeError", "__version__"}
    return f"seqsae/{name} imports {sorted(wrong)}, which do not stand to its left" if wrong else None


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.name != "__init__.py" or path.parent.name != "seqsae"], ids=str
)
def test_one_way_order(path):
    relative = path.relative_to(ROOT / "seqsae")
    name = relative.parts[0].removesuffix(".py")
    assert complaint(name, imports_of(path)) is None


@pytest.mark.parametrize("path", sorted((ROOT / "seqsae" / "sae").rglob("*.py")), ids=str)
def test_one_way_order_within_sae(path):
    name = path.relative_to(ROOT / "seqsae" / "sae").parts[0].removesuffix(".py")
    place = next((index for index, group in enumerate(WITHIN_SAE) if name in group), 0)
    allowed = set.union(*WITHIN_SAE[: place + 1])
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("seqsae.sae"):
            parts = node.module.split(".")
            imported |= {parts[2]} if len(parts) > 2 else {alias.name for alias in node.names}
    assert not imported - allowed, f"{path} imports {sorted(imported - allowed)}, which stand above it"


def test_the_order_is_held_against_a_planted_fault():
    assert (
        complaint("features", {"pages", "shelf"}) == "seqsae/features imports ['pages'], which do not stand to its left"
    )


def test_the_core_imports_no_plugin():
    for path in MODULES:
        text = path.read_text()
        assert (
            "import seqsae_" not in text
            and "from seqsae_" not in text
            and "synthetic_lives" not in text.replace("synthetic_lives.toml", "")
        ), path


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_files_and_functions_stay_small(path):
    lines = path.read_text().splitlines()
    assert len(lines) <= 300
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            doc = ast.get_docstring(node, clean=False)
            first = node.body[1].lineno if doc and len(node.body) > 1 else node.body[0].lineno
            assert node.end_lineno - first + 1 <= 40, f"{path}:{node.lineno} {node.name}"


@pytest.mark.parametrize(
    "command",
    ["import seqsae", "import seqsae.cli", "from seqsae import cli; cli.app(['--help'], standalone_mode=False)"],
)
def test_nothing_heavy_is_loaded_until_asked(command):
    code = f"{command}\nimport sys\nprint([m for m in ('torch', 'transformers', 'umap', 'polars', 'altair', 'sklearn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = done.stdout.strip().splitlines()[-1]
    assert heavy == "[]"


def test_public_names_are_there_and_shadow_no_package():
    import seqsae

    for name in seqsae.__all__:
        assert callable(getattr(seqsae, name)), name
        assert not (ROOT / "seqsae" / name).is_dir() and not (ROOT / "seqsae" / f"{name}.py").exists(), name
