"""What the documents say is so: commands, options, schemas, links and examples. Run as a script it writes README's tables anew."""

import ast
import json
import re
import shlex
import subprocess
import sys
import tomllib
import typing
from pathlib import Path
from typing import get_args

import polars as pl
import pytest
import typer

from seqsae import config, plugins, schema
from seqsae.associations import conjunctions
from seqsae.cli import app
from seqsae.sae.base import SAE

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCUMENTS = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in [*ROOT.glob("*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("plugins/*/README.md")]
}
OURS = ("README.md", "CONTRIBUTING.md")
BLOCK = re.compile(r"(?:<!-- ([^\n]*?) -->\n)?^```(\w+)\n(.*?)^```$", re.M | re.S)


def blocks(text: str, language: str, mark: str | None = None) -> list[tuple[str, str]]:
    """(mark, content) of the fenced blocks of a language; only those whose mark starts with `mark`, if given."""
    found = [(note, content) for note, kind, content in BLOCK.findall(text) if kind == language]
    return found if mark is None else [(note, content) for note, content in found if note.startswith(mark)]


def written(name: str) -> str:
    """The block of README that stands for a file."""
    [(_, content)] = [one for kind in ("toml", "json") for one in blocks(README, kind, f"file: {name}")]
    return content


def commands() -> dict[str, object]:
    """Every command of the CLI by its full name."""
    top = typer.main.get_command(app)
    found = {}
    for name, command in top.commands.items():
        inner = getattr(command, "commands", None)
        found |= {name: command} if inner is None else {f"{name} {below}": one for below, one in inner.items()}
    return found


def rooms() -> dict[str, type[config.Room]]:
    """TOML table to its Room; the whole study under the empty name."""
    found = {"": config.RunConfig}
    for name, field in config.RunConfig.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, config.Room):
            found[name] = field.annotation
    views = get_args(config.HarvestConfig.model_fields["views"].annotation)[0]
    return {
        **found,
        "harvest.views": views,
        "sae.sweep": config.SweepConfig,
        "associate.captions": config.CaptionConfig,
    }


# The tables that are written into README between `<!-- name -->` and `<!-- /name -->`.


def config_tables() -> str:
    parts = []
    for table, room in rooms().items():
        names = [name for name in room.model_fields if table or name not in rooms()]
        rows = [
            f"| `{name}` | {default(room.model_fields[name])} | {cell(room.model_fields[name].description)}{choices(room.model_fields[name])} |"
            for name in names
        ]
        title = f"`[{table}]`" if table else "At the top of the file"
        title = "`views` of `[harvest]`" if table == "harvest.views" else title
        parts.append(f"{title}\n\n| option | default | meaning |\n|---|---|---|\n" + "\n".join(rows))
    return "\n\n".join(parts)


def choices(field) -> str:
    """What the option may be, where it is one of a few words."""
    words = typing.get_args(field.annotation) if typing.get_origin(field.annotation) is typing.Literal else ()
    return f" One of {', '.join(f'`{word}`' for word in words)}." if words else ""


def default(field) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, config.Room):
        return "as below"
    value = (
        "one, `full` and `observed`"
        if isinstance(value, tuple) and value and isinstance(value[0], config.Room)
        else json.dumps(value)
    )
    return "none" if value == "null" else value if value.startswith("one,") else f"`{value}`"


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def command_list() -> str:
    rows = [f"| `seqsae {usage(name, command)}` | {cell(command.help)} |" for name, command in commands().items()]
    return "| command | what it does |\n|---|---|\n" + "\n".join(rows)


def usage(name: str, command) -> str:
    arguments = [one.name.upper() for one in command.params if one.param_type_name == "argument"]
    options = [
        one.opts[0] if one.required else f"[{one.opts[0]}]" for one in command.params if one.param_type_name == "option"
    ]
    return " ".join([name, *arguments, *options])


def schema_table() -> str:
    rows = [
        f"| [{name}](schemas/{name}.schema.json) | {cell(schema.load(name)['description'])} |"
        for name in schema.names()
    ]
    return "| schema | what it describes |\n|---|---|\n" + "\n".join(rows)


def sae_table() -> str:
    rows = []
    for name, point in plugins.offered("saes").items():
        if point.value.startswith("seqsae."):
            kind = point.load()
            about = sys.modules[kind.__module__].__doc__.split("\n\n")[0].rstrip(".").replace("\n", " ")
            options = {**SAE.COMMON, **kind.OPTIONS}
            said = ", ".join(f"{key} {'none' if value is None else value}" for key, value in options.items())
            rows.append(f"| `{name}` | {cell(about)} | {cell(said.lower())} |")
    return "| architecture | what it is | options and their defaults |\n|---|---|---|\n" + "\n".join(rows)


def measured() -> str:
    """The bars in benchmarks/results, those alike up to a colon in one line; what was missed is named."""
    rows = ["| measured | values | bar | held |", "|---|---|---|---|"]
    for file in sorted((ROOT / "benchmarks/results").glob("*.md")):
        bars = [
            [part.strip() for part in line.split("|")[1:-1]]
            for line in file.read_text().splitlines()
            if line[:1] == "|"
        ]
        groups: dict[tuple, list] = {}
        for name, value, _, bar, told in bars[2:]:
            groups.setdefault((name.removeprefix("links: ").split(":")[0], bar), []).append(
                (name, float(value), told == "holds")
            )
        for (name, bar), found in groups.items():
            values = [value for _, value, _ in found]
            ends = f"{min(values):.3f}" if len(values) == 1 else f"{min(values):.3f} to {max(values):.3f}"
            missed = "".join(f"; missed: {whole.split(': ')[-1]}" for whole, _, holds in found if not holds)
            rows.append(
                f"| {cell(name)} | {ends} | {bar} | {sum(holds for *_, holds in found)} of {len(found)}{missed} |"
            )
    return "\n".join(rows)


GENERATED = {
    "measured": measured,
    "saes": sae_table,
    "config": config_tables,
    "commands": command_list,
    "schemas": schema_table,
}


def between(name: str) -> re.Pattern:
    return re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- /{name} -->)", re.S)


@pytest.mark.parametrize("name", GENERATED)
def test_the_tables_of_readme_are_those_of_the_code(name):
    [found] = between(name).findall(README)
    assert found == GENERATED[name]() + "\n", "run `python tests/test_docs.py` to write README's tables anew"


def test_every_option_is_named_in_readme():
    classes = {
        one
        for one in vars(config).values()
        if isinstance(one, type) and issubclass(one, config.Room) and one is not config.Room
    }
    assert classes == set(rooms().values())
    for room in classes:
        for name, field in room.model_fields.items():
            assert field.description or name in rooms(), f"{room.__name__}.{name} has no docstring"
            assert f"| `{name}` |" in README or f"`[{name}]`" in README, f"{room.__name__}.{name}"


def complaint(line: str) -> str | None:
    """What is wrong with a `seqsae ...` command line, None if the CLI knows it."""
    words = shlex.split(line, comments=True)[1:]
    known = commands()
    name = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in known), None)
    if name is None:
        return None if words == ["--help"] else f"no command {' '.join(words[:2])!r}"
    options = {opt for parameter in known[name].params for opt in parameter.opts} | {"--help"}
    wrong = [word for word in words if word.startswith("--") and word.split("=")[0] not in options]
    return f"{name}: no option {wrong[0]}" if wrong else None


def command_lines(text: str) -> list[str]:
    """Command lines in shell blocks and in backticks; `COMMAND` is a stand-in for any."""
    shell = [line.removeprefix(".venv/bin/") for _, content in blocks(text, "sh") for line in content.splitlines()]
    quoted = re.findall(r"`(seqsae [^`]*)`", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S))
    return [line for line in shell + quoted if line.startswith("seqsae ") and " COMMAND " not in line]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_command_in_the_documents_is_there(name):
    lines = [line.replace("[", "").replace("]", "") for line in command_lines(DOCUMENTS[name])]
    assert lines or name != "README.md"
    assert [fault for fault in map(complaint, lines) if fault] == []


def test_a_wrong_command_is_seen():
    assert complaint("seqsae synth undo REAL --out p.json") == "no command 'synth undo'"
    assert complaint("seqsae run study.toml --like p.json") == "run: no option --like"
    assert complaint("seqsae run study.toml --out x  # --like") is None
    assert "seqsae demo" in command_lines("```sh\n.venv/bin/seqsae demo\n```\n")


def test_make_targets_and_pip_lines_are_those_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, re.M))
    named = {
        word
        for text in DOCUMENTS.values()
        for word in re.findall(r"^make (\w+)|`make (\w+)`", text, re.M)
        for word in word
        if word
    }
    assert {"demo", "test"} <= named <= targets
    plan = subprocess.run(
        ["make", "-n", "-B", "test"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    [(_, block)] = blocks(README, "sh", "pip")
    building = [line for line in plan if line.startswith("python3 -m venv") or " install " in line]
    assert len(building) == 2 and block.splitlines()[:2] == building
    pinned = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["dev"]
    assert set(re.findall(r"torch==[\d.]+\d", README)) == {one for one in pinned if one.startswith("torch")}


def test_every_entry_point_group_and_installed_name_is_in_the_documents():
    both = "".join(DOCUMENTS[name] for name in OURS)
    for kind, built_in in plugins.BUILTIN.items():
        assert f"`seqsae.{kind}`" in README, kind
        assert all(f"`{name}`" in README or f'"{name}"' in README for name in built_in)
    for group in re.findall(r'entry-points\."(seqsae\.\w+)"', both):
        assert group.removeprefix("seqsae.") in plugins.BUILTIN
    for project in ROOT.glob("plugins/*/pyproject.toml"):
        offers = tomllib.loads(project.read_text())["project"]["entry-points"]
        assert all(
            f"`{name}`" in DOCUMENTS[f"plugins/{project.parent.name}/README.md"] + README
            for names in offers.values()
            for name in names
        )


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_to_files_and_headings(name):
    text, folder = DOCUMENTS[name], (ROOT / name).parent
    headings = {
        re.sub(r"[^\w\- ]", "", line.lower()).strip().replace(" ", "-") for line in re.findall(r"^#+ (.*)$", text, re.M)
    }
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in headings, target
        elif not target.startswith("http"):
            assert (folder / target).exists(), target


def test_public_names_of_python_are_in_readme():
    import seqsae

    tour = README + seqsae.__doc__
    missing = [name for name in seqsae.__all__ if f"`{name}`" not in README and f"`seqsae.{name}`" not in README]
    assert not missing
    said = set(re.findall(r"\bseqsae\.(\w+)\(", tour + DOCUMENTS["CONTRIBUTING.md"]))
    assert said <= set(seqsae.__all__), said


def test_the_verdicts_and_splits_of_readme_are_those_of_the_schemas():
    verdicts = schema.load("associations")["properties"]["verdict"]["description"].split(";")[0].split(", ")
    assert len(verdicts) > 4 and all(f"`{verdict}`" in README for verdict in verdicts)
    fields = schema.load("covariates")["properties"]["covariates"]["items"]["properties"]
    assert all(f"`{name}`" in README for name in fields)
    for kind in ("type", "role", "level"):
        assert all(f"`{value}`" in README for value in fields[kind]["enum"])
    baselines = get_args(get_args(config.AssociateConfig.model_fields["baselines"].annotation)[0])
    assert all(f"`{name}`" in README for name in baselines)


# The examples.


def test_what_readme_counts_of_products_is_what_the_code_counts():
    assert f"those {conjunctions.MOST} that tell most of the feature" in README
    assert "as far as there are ten cases for each column" in README and conjunctions.CASES == 10


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.toml")), ids=lambda path: path.name)
def test_example_configs_parse_and_are_linked(path):
    read = config.read(path)
    assert read.model.name in "".join(DOCUMENTS.values()) and f"(examples/{path.name})" in README


def test_the_study_of_readme_parses_and_its_schema_is_valid():
    document = tomllib.loads(written("study.toml"))
    config.parse(config.RunConfig, document, "README.md")
    for _, content in [one for name in OURS for one in blocks(DOCUMENTS[name], "toml")]:
        tomllib.loads(content)
    from seqsae.records.covariates import check_schema

    chosen = check_schema(json.loads(written("chosen.json")), "README.md")
    assert document["records"]["covariate_schema"] == "chosen.json" and len(chosen["covariates"]) > 3


def code_lines(source: str) -> int:
    """Lines of code after the imports: no blank, comment or docstring lines."""
    tree = ast.parse(source)
    strings = [node for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)]
    skipped = {line for node in strings for line in range(node.lineno, node.end_lineno + 1)}
    last_import = max(node.end_lineno for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))
    lines = enumerate(source.splitlines(), 1)
    return sum(
        number > last_import and number not in skipped and bool(line.split("#")[0].strip()) for number, line in lines
    )


def test_the_custom_encoder_stays_short_and_is_what_readme_shows():
    source = (ROOT / "examples" / "custom_encoder.py").read_text()
    assert code_lines('"""Doc."""\nimport a\n\n# why\nx = 1  # one\n\n\ndef f():\n    """What."""\n    return x\n') == 3
    assert code_lines(source) <= 25
    [(_, shown)] = blocks(README, "python", "in examples/custom_encoder.py")
    assert shown in source and "seqsae.report(" in shown


def test_python_blocks_are_python():
    found = [content for name in OURS for _, content in blocks(DOCUMENTS[name], "python")]
    assert len(found) >= 3
    for content in found:
        ast.parse(content)


def test_python_blocks_that_say_so_run(tmp_path):
    [(_, content)] = blocks(README, "python", "runs")
    done = subprocess.run([sys.executable, "-c", content], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "step 200: loss" in done.stderr and (tmp_path / "array" / "sae").is_dir()


DRIVER = """
import runpy, sys
runpy.run_path({example!r}, run_name="__main__")
from seqsae import cli
for words in {lines!r}:
    sys.argv = words
    try:
        cli.main()
    except SystemExit as stop:
        if stop.code:
            sys.exit(f"{{words}} ended with {{stop.code}}")
"""


def test_what_readme_shows_runs(tmp_path):
    """The custom encoder, then the marked shell blocks over the files that README writes; one process, for the compile time of UMAP."""
    for name in ("chosen.json", "study.toml"):
        (tmp_path / name).write_text(written(name))
    lines = [
        shlex.split(line, comments=True) for _, content in blocks(README, "sh", "run") for line in content.splitlines()
    ]
    assert ["seqsae", "run", "study.toml", "--out", "runs/study"] in lines and all(
        words[0] == "seqsae" for words in lines
    )
    code = DRIVER.format(example=str(ROOT / "examples" / "custom_encoder.py"), lines=lines)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (
        done.stdout.startswith("runs/custom_encoder/report/index.html")
        and "report: runs/study/report/index.html" in done.stdout
    )
    assert {entry["name"] for entry in json.loads((tmp_path / "draft.json").read_text())["covariates"]} >= {
        "housing",
        "coin",
    }
    _runs_are_as_readme_says(tmp_path / "runs")


def _runs_are_as_readme_says(runs: Path) -> None:
    for page in ("custom_encoder/report/index.html", "study/report/index.html"):
        assert "<html" in (runs / page).read_text()[:200]
    study = runs / "study"
    [table] = study.glob("associations/*/*/associations.parquet")
    entries = json.loads(written("chosen.json"))["covariates"]
    names = {entry["name"] for entry in entries if entry.get("role") != "confounder"}
    assert set(pl.read_parquet(table)["covariate"]) == names
    [(_, tree)] = [one for one in blocks(README, "text") if one[1].startswith("RUN/")]
    lines = [line for line in tree.splitlines() if "**" not in line]
    said = {re.match(r"RUN/([\w.]+)", line).group(1): "(if " in line for line in lines}
    there = {path.name for path in study.iterdir()}
    assert there <= set(said) and {name for name, maybe in said.items() if not maybe} <= there


def rewrite(text: str) -> str:
    """README with its tables as the code has them now."""
    for name, make in GENERATED.items():
        before, rest = text.split(f"<!-- {name} -->\n")
        text = f"{before}<!-- {name} -->\n{make()}\n<!-- /{name} -->{rest.split(f'<!-- /{name} -->')[1]}"
    return text


if __name__ == "__main__":
    (ROOT / "README.md").write_text(rewrite(README))
