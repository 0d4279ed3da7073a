"""`seqsae doctor`: by name or by config, on data or without; 0, 1 and 2."""

import numpy as np
import pytest
from models import code_models
from models.code_models import TOKENS

import seqsae
from seqsae.errors import SeqsaeError
from seqsae.models.doctor.examining import CHECKS
from seqsae.models.doctor.records import chosen, invented, size_of
from seqsae.records.record import Record


def marks(out):
    """Check name to mark."""
    return {
        line[6:22].strip(): line[:6].strip() for line in out.splitlines() if line[:6].strip() in ("ok", "WRONG", "-")
    }


@pytest.mark.parametrize("where", ["", "data"])
def test_a_model_by_name(outsider, events_folder, cli, where):
    data = ["--data", events_folder] if where else []
    code, out, err = cli("doctor", "--model", "outsider", "--options", "width=8", *data)
    assert code == 0, err
    assert marks(out).keys() == CHECKS.keys() and set(marks(out).values()) == {"ok", "-"}
    assert out.startswith("model 'outsider': causal, 2 of its 2 sites, padding is to change nothing\n")
    assert "width 8 at 2 sites" in out and out.endswith("19 right, 0 wrong, 3 not applicable\n")


def test_the_model_of_a_config_at_its_sites(config_file, cli, tmp_path):
    config_file.write_text(config_file.read_text().replace('["embed", "gru"]', '["gru"]'))
    code, out, err = cli("doctor", config_file, "--out", tmp_path / "run")
    assert code == 0, err
    assert "1 of its 2 sites" in out and "5 records of" in out


def test_a_model_that_is_wrong_ends_with_1_and_says_why(outsider, cli, monkeypatch):
    import outsider as plugin

    monkeypatch.setattr(
        plugin.seqsae, "wrap", lambda *a, wrap=seqsae.wrap, **o: wrap(*a, **{**o, "batch_first": False})
    )
    code, out, _ = cli("doctor", "--model", "outsider")
    assert code == 1 and marks(out)["site shape"] == "WRONG"
    assert "to mend it: choose another site, or batch_first=False" in out and ", 1 wrong, " in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give either a run config or --model NAME"),
        (["study.toml", "--model", "outsider"], "give either"),
        (["study.toml", "--path", "x"], "go with --model"),
        (["--model", "outsidr"], "did you mean 'outsider'"),
        (["--model", "outsider", "--options", "width"], "write NAME=VALUE"),
        (["--model", "outsider", "--options", "depth=3"], "depth"),
        (["--model", "outsider", "--data", "nowhere"], "nowhere: no such file"),
    ],
)
def test_bad_input_ends_with_2_and_one_line(outsider, cli, arguments, words):
    code, out, err = cli("doctor", *arguments)
    assert code == 2 and words in err and len(err.strip().splitlines()) == 1 and not out


def test_a_folder_of_transformers_without_data(tmp_path, cli):
    folder = code_models.save(tmp_path / "bert", code_models.make("BertForMaskedLM", len(TOKENS)))
    code, out, err = cli("doctor", "--model", "meds", "--path", folder)
    assert code == 0, err
    assert marks(out)["hide"] == marks(out)["mask"] == marks(out)["ids and logits"] == "ok"


def test_records_of_several_sizes_are_chosen():
    records = [Record(i, i, sequence="A" * n) for i, n in enumerate([0, 1, *range(2, 40)])]
    sizes = [size_of(record) for record in chosen(records)]
    assert len(set(sizes)) == 5 and min(sizes) > 1
    assert len(chosen(records[:4])) == 2 and chosen([]) == []
    assert size_of(Record(0, 0, item={"token": [1, 2], "name": "abcdef"})) == 2
    assert size_of(Record(0, 0, code=np.array(["a"]))) == 1


def test_a_model_of_neither_kind_wants_data():
    class Picky:
        name, vocabulary = "picky", None

        def prepare(self, record):
            raise KeyError("image")

    with pytest.raises(SeqsaeError, match="'picky': reads neither .* give --data"):
        invented(Picky())
