"""The line of an error: one, without signs that move a terminal, and never endless."""

import errno

import pytest

from seqsae import SeqsaeError, cli
from seqsae.errors import LONGEST, one_line, printable
from seqsae.features.neurons import mlp_sites


def test_a_message_is_one_line_of_plain_signs():
    told = str(SeqsaeError("a\nb \x1b[31mred\x1b[0m \x07 \u202eturned \udcff é 日本"))
    assert told == r"a b \x1b[31mred\x1b[0m \x07 \u202eturned \udcff é 日本"
    assert printable("a\nb\tc") == r"a\nb\tc"


def test_a_long_value_is_cut_and_the_remedy_stays():
    told = str(SeqsaeError(f"{'x' * 10_000}: no such file; check the path"))
    assert len(told) < 300 and told.startswith("xxx") and told.endswith("xx: no such file; check the path")
    told = one_line(f"unknown; it has {', '.join(['name'] * 10_000)}; choose one")
    assert len(told) <= LONGEST and told.startswith("unknown; it has") and told.endswith("choose one")


@pytest.mark.parametrize("path", ["y" * 10_000, "a\x1b[2Jb"])
def test_a_path_that_the_system_refuses_is_told_in_one_short_line(path, capsys):
    with pytest.raises(SystemExit) as stop:
        cli._fail(cli._told(OSError(errno.ENAMETOOLONG, "File name too long", path)))
    told = capsys.readouterr().err
    assert (
        stop.value.code == 2 and len(told) < 400 and "File name too long; check the path" in told and "\x1b" not in told
    )


def test_a_site_of_endless_name_is_told_shortly():
    class Held:
        site_names, path = ["layer"] * 500, "run/activations/full"

    with pytest.raises(
        SeqsaeError, match="mlp_sites: .* is not harvested; run/activations/full has layer, layer"
    ) as refused:
        mlp_sites(Held(), ("\x1b" * 10_000,))
    assert len(str(refused.value)) <= LONGEST and "\x1b" not in str(refused.value)
