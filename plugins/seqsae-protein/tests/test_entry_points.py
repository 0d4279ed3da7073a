import tomllib
from importlib import import_module
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]


def test_every_entry_point_loads_and_is_in_the_readme():
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    points = PROJECT["entry-points"]
    assert set(points["seqsae.models"]) == {"antiberty", "sapiens", "hf-protein"}
    assert set(points["seqsae.sources"]) == {"antibody", "proteins"}
    for group in points.values():
        for name, value in group.items():
            module, _, function = value.partition(":")
            assert callable(getattr(import_module(module), function))
            assert f"`{name}`" in readme
