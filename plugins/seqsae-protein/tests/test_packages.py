import sys

import pytest
from seqsae_protein.packages import shipped

from seqsae.errors import SeqsaeError


def test_a_missing_package_is_named_with_the_pip_line():
    with pytest.raises(SeqsaeError, match=r"pip install --no-deps no-such-package==1\.2$"):
        shipped("no_such_module_at_all", "no-such-package==1.2", "weights.bin")


def test_files_are_found_without_importing_the_package(tmp_path, monkeypatch):
    package = tmp_path / "package_that_must_not_run"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "weights.bin").write_text("w")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = shipped("package_that_must_not_run", "p==1", "weights.bin")
    assert found == package / "weights.bin"
    assert "package_that_must_not_run" not in sys.modules


def test_another_version_without_the_file_is_named(tmp_path, monkeypatch):
    (tmp_path / "package_without_weights").mkdir()
    (tmp_path / "package_without_weights" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SeqsaeError, match=r"no weights\.bin there, so it is another version than p==1; .*pip install"):
        shipped("package_without_weights", "p==1", "weights.bin")
