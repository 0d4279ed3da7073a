"""Input made to break it: each ends with exit code 2 and one line that names the input, and nothing is half written."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from functools import partial

import polars as pl
import pytest
from tests_support import edit_json, edit_table

COVARIATES, EVENTS = "covariates.parquet", "data/0.parquet"


def unsorted(folder):
    edit_table(folder / EVENTS, lambda t: t.with_columns(pl.col("time").reverse().over("subject_id")))


def split_subject(folder):
    edit_table(folder / EVENTS, lambda t: pl.concat([t[:3], t[60:], t[3:60]]))


def subject_in_two_files(folder):
    pl.read_parquet(folder / EVENTS)[:4].write_parquet(folder / "data" / "1.parquet")


def no_code_column(folder):
    edit_table(folder / EVENTS, lambda t: t.drop("code"))


def null_subject(folder):
    edit_table(folder / EVENTS, lambda t: t.with_columns(pl.when(pl.col("subject_id") > 5).then("subject_id")))


def text_times(folder):
    edit_table(folder / EVENTS, lambda t: t.with_columns(pl.col("time").cast(pl.String)))


def empty_events(folder):
    edit_table(folder / EVENTS, lambda t: t[:0])


def truncated_parquet(folder):
    path = folder / EVENTS
    path.write_bytes(path.read_bytes()[:400])


def no_data(folder):
    shutil.rmtree(folder / "data")


def covariates_of_strangers(folder):
    edit_table(folder / COVARIATES, lambda t: t.with_columns(pl.col("subject_id") + 10_000))


def covariate_subject_twice(folder):
    edit_table(folder / COVARIATES, lambda t: pl.concat([t, t[:1]]))


def covariate_without_key(folder):
    edit_table(folder / COVARIATES, lambda t: t.rename({"subject_id": "id"}))


def covariate_missing(folder):
    edit_table(folder / COVARIATES, lambda t: t.drop("age"))


def text_in_a_number_column(folder):
    edit_table(
        folder / COVARIATES,
        lambda t: t.with_columns(
            pl.when(pl.col("subject_id") == 3).then(pl.lit("old")).otherwise(pl.col("age").cast(pl.String)).alias("age")
        ),
    )


def covariate_all_missing(folder):
    edit_table(folder / COVARIATES, lambda t: t.with_columns(pl.lit(None, pl.Float64).alias("age")))


def covariate_nan(folder):
    edit_table(folder / COVARIATES, lambda t: t.with_columns(pl.lit(float("nan")).alias("age")))


def covariate_infinite(folder):
    edit_table(
        folder / COVARIATES,
        lambda t: t.with_columns(pl.when(pl.col("subject_id") == 3).then(float("inf")).otherwise("age").alias("age")),
    )


def covariate_constant(folder):
    edit_table(folder / COVARIATES, lambda t: t.with_columns(pl.lit(4.0).alias("age")))


def binary_of_three(folder):
    edit_json(folder / "covariates.schema.json", lambda d: d["covariates"][2].update(type="binary"))


def unknown_type(folder):
    edit_json(folder / "covariates.schema.json", lambda d: d["covariates"][2].update(type="colour"))


def unknown_positive(folder):
    edit_json(folder / "covariates.schema.json", lambda d: d["covariates"][0].update(positive="maybe"))


def covariate_named_twice(folder):
    edit_json(folder / "covariates.schema.json", lambda d: d["covariates"].append(d["covariates"][0]))


def within_a_stranger(folder):
    edit_json(folder / "covariates.schema.json", lambda d: d["covariates"][2].update(within=["species"]))


def token_covariate_without_annotations(folder):
    edit_json(
        folder / "covariates.schema.json",
        lambda d: d["covariates"].append({"name": "region", "type": "categorical", "level": "token"}),
    )


def no_schema(folder):
    (folder / "covariates.schema.json").unlink()


def schema_no_json(folder):
    (folder / "covariates.schema.json").write_text('{"covariates": [')


def order_that_lacks_a_value(folder):
    edit_json(folder / "covariates.schema.json", lambda d: d["covariates"][2].update(type="ordinal", order=["a", "b"]))


def annotation_backwards(folder):
    pl.DataFrame({"subject_id": [1], "start": [5], "end": [5], "covariate": ["r"], "value": ["x"]}).write_parquet(
        folder / "annotations.parquet"
    )


def truth_of_another_form(folder):
    (folder / "truth.json").write_text(json.dumps({"format": 9, "concepts": [], "covariates": []}))


def labels_without_time(folder):
    (folder / "labels").mkdir()
    pl.DataFrame({"subject_id": [1], "boolean_value": [True]}).write_parquet(folder / "labels" / "ill.parquet")


def labels_before_everything(folder):
    (folder / "labels").mkdir()
    table = pl.DataFrame({"subject_id": [1], "prediction_time": ["1900-01-01"], "boolean_value": [True]})
    table.with_columns(pl.col("prediction_time").str.to_datetime(time_unit="us")).write_parquet(
        folder / "labels" / "ill.parquet"
    )


FOLDERS = {
    unsorted: "earlier than the row before",
    split_subject: "two places or files",
    subject_in_two_files: "two places or files",
    no_code_column: "no column 'code'",
    null_subject: "not MEDS",
    text_times: "not MEDS",
    empty_events: "no events",
    truncated_parquet: "not a readable parquet file",
    no_data: "neither a MEDS folder",
    covariates_of_strangers: "none of its 160 subject_id",
    covariate_subject_twice: "two rows",
    covariate_without_key: "no column 'subject_id'",
    covariate_missing: "no column 'age'",
    text_in_a_number_column: "'old' is not a number",
    covariate_all_missing: "empty in every row",
    covariate_nan: "empty in every row",
    covariate_infinite: "infinite",
    covariate_constant: "one value only",
    binary_of_three: "it needs two",
    unknown_type: "covariates.2.type",
    unknown_positive: "no value 'maybe'",
    covariate_named_twice: "stands twice",
    within_a_stranger: "no covariate here",
    token_covariate_without_annotations: "in no annotation",
    no_schema: "seqsae covariates propose",
    schema_no_json: "not a JSON document",
    order_that_lacks_a_value: "not in its order",
    annotation_backwards: "one past the last",
    truth_of_another_form: "truth.json",
    labels_without_time: "prediction_time",
    labels_before_everything: "before its subject's first event",
}


def refused(result, words):
    code, _, err = result
    lines = [line for line in err.splitlines() if line.startswith("seqsae: error:")]
    assert code == 2 and len(lines) == 1 and err.splitlines()[-1] == lines[0], err
    assert "Traceback" not in err
    assert words in lines[0], lines[0]


@pytest.mark.parametrize("fault", FOLDERS, ids=lambda fault: fault.__name__)
def test_a_broken_folder(fault, config_file, events_folder, cli, tmp_path):
    fault(events_folder)
    refused(cli("run", config_file, "--out", tmp_path / "run"), FOLDERS[fault])
    assert not (tmp_path / "run" / "records").exists()


CONFIGS = {
    "[sae": "not valid TOML",
    'name = "outsidr"': "did you mean 'outsider'",
    'sites = ["embed", "lstm"]': "no site 'lstm'; its sites: embed, gru",
    "k = 64": "k",
    "width = -1": "sae.width",
    "widht = 32": "unknown option 'sae.widht'",
    'architecture = "topkk"': "did you mean 'topk'",
    'source = "mads"': "did you mean 'meds'",
    'views = [{ name = "ill" }]': "no view 'ill'",
    'views = [{ readout = "masked" }]': "no masked readout",
    "options = { wide = 3 }": "wide",
    'path = "nowhere"': "nowhere",
    "sites = []": "harvest.sites",
    "poolings = []": "associate.poolings",
    'poolings = ["rate", "rate"]': "'rate' stands there twice",
    "threads = 100000": "threads",
}
PLACES = {
    "name": 'name = "outsider"',
    "sites": 'sites = ["embed", "gru"]',
    "k": "k = 4",
    "width": "width = 32",
    "path": "path = ",
}


@pytest.mark.parametrize("line", CONFIGS)
def test_a_broken_config(line, config_file, cli, tmp_path):
    text = config_file.read_text()
    key = line.split(" = ")[0]
    rooms = {
        "widht": "[sae]",
        "architecture": "[sae]",
        "source": "[records]",
        "views": "[harvest]",
        "options": "[model]",
        "poolings": "[associate]",
    }
    if key in PLACES:
        text = "\n".join(line if old.startswith(PLACES[key]) else old for old in text.splitlines())
    elif key in rooms:
        text = text.replace(rooms[key], f"{rooms[key]}\n{line}")
    elif key == "threads":
        text = f"{line}\n{text}"
    else:
        text += line
    config_file.write_text(text)
    refused(cli("run", config_file, "--out", tmp_path / "run"), CONFIGS[line])


def test_other_data_beside_companions_of_the_config_is_refused(config_file, events_folder, cli, tmp_path):
    own = f'covariates = "{events_folder}/covariates.parquet"'
    config_file.write_text(config_file.read_text().replace("[records]", f"[records]\n{own}"))
    result = cli("run", config_file, "--data", events_folder, "--out", tmp_path / "run")
    refused(result, "the config also names records.covariates")


def test_a_schema_that_is_not_there_is_told(config_file, cli, tmp_path):
    config_file.write_text(config_file.read_text().replace("[records]", '[records]\ncovariate_schema = "nowhere.json"'))
    refused(cli("run", config_file, "--out", tmp_path / "run"), "nowhere.json: no such file")


def test_a_model_that_raises_is_named(config_file, cli, tmp_path, monkeypatch):
    from seqsae.models.contract import SequenceModel

    def broken(*_):
        raise IndexError("index 99 is out of range")

    with monkeypatch.context() as patch:
        patch.setattr(SequenceModel, "forward", broken)
        refused(cli("run", config_file, "--out", tmp_path / "run"), "model 'outsider' fails on samples")


def test_data_without_covariates_is_told_before_anything_is_run(config_file, events_folder, cli, tmp_path):
    (events_folder / "covariates.parquet").unlink()
    (events_folder / "covariates.schema.json").unlink()
    refused(cli("run", config_file, "--out", tmp_path / "run"), "no covariates to tie features to")
    assert not (tmp_path / "run" / "activations").exists()


def test_a_second_run_in_the_same_folder_is_refused(config_file, cli, tmp_path):
    from seqsae import shelf

    with shelf.locked(tmp_path / "run"):
        refused(cli("run", config_file, "--out", tmp_path / "run"), "another seqsae run is at work there")
    (tmp_path / "file").write_text("")
    refused(cli("run", config_file, "--out", tmp_path / "file"), "a file stands where a run folder")


FASTAS = {
    "": "no sequences",
    "MKV\n>a\nMK": "before the first '>'",
    ">\nMKV": "without a name",
    ">a\nMKV\n>b\n\n>c\nMK": "'b' is empty",
    ">a\nMK1V": "holds '1'",
    ">a\nMK\n>a\nMV": "stands twice",
}


@pytest.mark.parametrize("text", FASTAS)
def test_a_ragged_fasta(text, config_file, cli, tmp_path):
    (tmp_path / "bad.fasta").write_text(text)
    config_file.write_text(config_file.read_text().replace("[records]", '[records]\nsource = "fasta"'))
    refused(cli("run", config_file, "--data", tmp_path / "bad.fasta", "--out", tmp_path / "run"), FASTAS[text])


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("folder", "a folder, not a config file; give a TOML file"),
        ("binary", "not a text file (UTF-8); give a TOML file"),
        ("below", "cannot be read (Not a directory); give a TOML file"),
        ("table", "not valid TOML"),
    ],
)
def test_a_config_that_is_no_config_file_is_named(made, words, config_file, cli, tmp_path):
    given = tmp_path / "given"
    given.mkdir() if made == "folder" else given.write_bytes(b"\x00\xff\xfe" if made == "binary" else b"a\tb\n1\t2\n")
    given = config_file / "given" if made == "below" else given
    for command in ("run", "harvest", "concepts"):
        result = cli(command, given, "--out", tmp_path / "run")
        refused(result, words)
        assert str(given) in result[2] and not (tmp_path / "run").exists()


def test_a_config_with_a_byte_order_mark_is_read(config_file):
    from seqsae import config

    plain = config.read(config_file)
    config_file.write_text(config_file.read_text(), encoding="utf-8-sig")
    assert config.read(config_file) == plain


RECORDS = {
    "covariates = 3": "option 'records.covariates'",
    "path = 3": "option 'records.path'",
    "labels = 3": "option 'records.labels'",
    "options = 3": "option 'records.options'",
    "options = { annotations = 3 }": "source 'meds': local() got an unexpected keyword argument 'annotations'",
}


@pytest.mark.parametrize("line", RECORDS)
def test_an_option_of_the_records_of_another_type_is_named(line, config_file, cli, tmp_path):
    text = "\n".join(old for old in config_file.read_text().splitlines() if not old.startswith("path"))
    config_file.write_text(text.replace("[records]", f"[records]\n{line}"))
    refused(cli("run", config_file, "--out", tmp_path / "run"), RECORDS[line])


COMMANDS = {
    ("run", "nowhere.toml"): "no such config file",
    ("runn", "x"): "No such command",
    ("run",): "config",
    ("covariates", "propose", "nowhere.csv"): "no such file",
    ("synth", "make", "--persons", "3", "--out", "lives"): "persons",
    ("synth", "make", "--persons", "many", "--out", "lives"): "--persons",
}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_wrong_command(command, cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(cli(*command), COMMANDS[command])


DAMAGES = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "gone": lambda path: path.unlink(),
    "changed": lambda path: path.write_bytes(b"\0" * path.stat().st_size),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint(damage, config_file, cli, tmp_path):
    run = tmp_path / "run"
    assert cli("train", config_file, "--out", run)[0] == 0
    sae = run / "sae/gru-topk-32x4-seed0"
    DAMAGES[damage](sae / "sae.safetensors")
    refused(cli("encode", config_file, "--out", run, "--sae", sae), "sae.safetensors")
    assert cli("train", config_file, "--out", run)[0] == 0  # and a run mends it
    assert cli("encode", config_file, "--out", run, "--sae", sae)[0] == 0


def test_a_full_disk_is_one_line_and_loses_nothing(config_file, cli, tmp_path, monkeypatch):
    import errno

    assert cli("train", config_file, "--out", tmp_path / "run")[0] == 0
    kept = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "shard-00001.safetensors")

    config_file.write_text(config_file.read_text().replace("shard_samples = 64", "shard_samples = 32"))
    with monkeypatch.context() as patch:
        patch.setattr("seqsae.shelf.save_tensors", full)
        refused(cli("train", config_file, "--out", tmp_path / "run"), "the disk is full")
    assert {path: path.read_bytes() for path in kept} == kept
    assert cli("train", config_file, "--out", tmp_path / "run")[0] == 0


@contextmanager
def files_up_to(most: int):
    """Inside, no file of this process may grow beyond `most` bytes."""
    former, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, former)


def test_where_files_may_not_grow_it_is_one_line_and_the_next_run_gives_the_same_bytes(
    config_file, outsider, cli, tmp_path
):
    """The writers of tables, and of activations and training states, meet the limit one after the other."""
    with files_up_to(1_000):
        refused(cli("train", config_file, "--out", tmp_path / "run"), "the file grows beyond the allowed size")
    command = [sys.executable, "-m", "seqsae", "train", str(config_file), "--out", str(tmp_path / "run")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(outsider), os.environ.get("PYTHONPATH", "")])}
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
    cut = subprocess.run(command, capture_output=True, text=True, env=environment, preexec_fn=limit)
    refused((cut.returncode, cut.stdout, cut.stderr), "the file grows beyond the allowed size")
    for out in ("run", "whole"):
        assert cli("train", config_file, "--out", tmp_path / out)[0] == 0
    one, other = (
        json.loads((tmp_path / out / "sae/gru-topk-32x4-seed0/manifest.json").read_text()) for out in ("run", "whole")
    )
    assert one["files"] == other["files"]


def test_a_typo_in_the_sae_table_is_told_before_anything_is_trained(config_file, cli, tmp_path):
    plain = config_file.read_text()
    for typo, words in {
        'architecture = "batch_topk"\n': "batch_topk",
        'architecture = "relu"\n': "leave k out",
        "options = {aux = 3}\n": "unknown option 'aux'",
        "k = 400\n": "k is 400 with a width of 32",
    }.items():
        config_file.write_text(plain.replace("k = 4\n", typo if typo.startswith("k") else "k = 4\n" + typo))
        refused(cli("train", config_file, "--out", tmp_path / "run"), words)
        assert not list((tmp_path / "run").rglob("*"))
    config_file.write_text(plain)
    refused(cli("train", config_file, "--out", tmp_path / "run", "--sweep", "--widths", "abc"), "sweep.widths")
    assert not list((tmp_path / "run").rglob("*"))
