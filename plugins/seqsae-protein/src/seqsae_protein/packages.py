"""Finds the files that other packages ship, without importing those packages."""

from importlib.util import find_spec
from pathlib import Path

from seqsae.errors import SeqsaeError


def shipped(module: str, requirement: str, file: str) -> Path:
    """The path of `file` inside the installed package.

    Args:
        module: the package's import name, for example "tcrdist".
        requirement: what pip installs, pinned, for example "tcrdist3==0.3". Later versions often ship without the file.
        file: the path below the package's folder.
    Raises:
        SeqsaeError: the package is not installed, or this version of it has no such file.
    """
    remedy = f"run: pip install --no-deps {requirement}"
    spec = find_spec(module)
    folders = [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []
    if not folders:
        raise SeqsaeError(f"the package {requirement} is not installed; {remedy}")
    for folder in folders:
        if (folder / file).exists():
            return folder / file
    raise SeqsaeError(f"{folders[0]}: no {file} there, so it is another version than {requirement}; {remedy}")
