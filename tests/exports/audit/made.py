"""A small release that keeps every rule, to be spoilt by one change at a time."""

import copy
import csv
import hashlib
import io
import json
import struct
import zlib
from base64 import b64encode
from pathlib import Path

from seqsae.disclosure.policy import NAMED

ROWS_OF = {
    "cohort": ("split", ["D1"], "split:label subjects:count", [("everyone", 400), ("train", 200), ("test", 200)]),
    "features": (
        "feature",
        ["D1", "D4", "D7", "D9"],
        "feature:label subjects_train:count subjects_test:count mean_activation:statistic x:coordinate y:coordinate",
        [(3, 120, 110, 1.25, 0.1, -2.3), (5, 80, 75, 0.8, 1.4, 0.25), (9, 60, 50, 2.05, -0.7, 3.0)],
    ),
    "tokens": (
        "token of a feature",
        ["D1", "D10"],
        "feature:label token:label subjects:count lift:statistic",
        [(3, "DIAG//F43", 60, 2.1), (3, "JOB//A", 45, 1.3), (5, "DIAG//F43", 40, 0.7)],
    ),
    "ngrams": ("ngram", ["D1", "D11"], "feature:label ngram:label subjects:count", [(3, "JOB//A > DIAG//F43 (next)", 30)]),
    "levels": (
        "level",
        ["D1", "D3", "D6"],
        "covariate:label level:label subjects:count share:rate",
        [("sex", "F", 105, 0.525), ("sex", "M", 80, 0.4), ("sex", None, 15, 0.075), ("coin", "heads", 100, 0.5), ("coin", "tails", 100, 0.5)],
    ),
    "associations": (
        "association",
        ["D1", "D2", "D7"],
        "feature:label covariate:label n:count n_positive:count effect:statistic ci_low:interval ci_high:interval p_test:p verdict:label",
        [(3, "sex", 200, 105, 0.71, 0.62, 0.79, 0.00012, "supported"), (5, "coin", 200, 100, 0.52, 0.44, 0.6, 0.31, "inconclusive")],
    ),
    "survival": (
        "step",
        ["D1", "D8"],
        "feature:label fires:label time:statistic survival:statistic at_risk:count events:count",
        [(3, "yes", 2, 0.9, 110, 15), (3, "yes", 4, 0.78, 80, 10), (3, "no", 2, 0.95, 90, 10)],
    ),
    "when": (
        "bin",
        ["D1", "D5"],
        "feature:label low:statistic high:statistic subjects:count",
        [(3, None, 30, 60), (3, 30, 50, 70), (3, 50, None, 40)],
    ),
    "persons": ("hexagon", ["D12"], "x:coordinate y:coordinate subjects:count", [(0.5, 1.5, 40), (1.0, 1.5, 25)]),
    "vignettes": (
        "vignette",
        ["D11"],
        "vignette:label sequence:text feature:label",
        [("a fall", "BIRTH, then JOB//A, then DIAG//F43", 3)],
    ),
}  # fmt: skip
"""Data set to unit, rules, columns with roles, rows."""
TYPES = {"label": "string", "text": "string", "count": "integer"}
AUTHORED = {"author": "the study group", "statement": "Written by hand; not derived from a record."}
OWN_SCRIPT = 'const data = JSON.parse(document.getElementById("data").textContent);'


class Made:
    """What a release is written from; change any of it, then `write`."""

    def __init__(self):
        self.policy = NAMED["default"].model_dump()
        self.tables = {
            name: {
                "unit": unit,
                "rules": list(rules),
                "columns": dict(pair.split(":") for pair in columns.split()),
                "rows": [list(row) for row in copy.deepcopy(rows)],
            }
            for name, (unit, rules, columns, rows) in ROWS_OF.items()
        }
        self.extra = {"vignettes": {"authored": AUTHORED}, "persons": {}}
        self.of = {("levels", "share"): 200}
        self.files: dict[str, bytes] = {"release_notes.txt": b"", "map.png": png()}
        self.manifest: dict = {}
        self.page = {"head": "", "end": "", "body": "<h2>What the features are tied to</h2>", "csp": csp(OWN_SCRIPT)}
        self.data: dict = {"title": "Report", "charts": {}}
        self.scripts = [OWN_SCRIPT]

    def add(self, name: str, unit: str, columns: str, rows: list[tuple], rules: list[str] | None = None) -> None:
        """One more data set."""
        pairs = dict(pair.split(":") for pair in columns.split())
        self.tables[name] = {
            "unit": unit,
            "rules": rules or ["D1"],
            "columns": pairs,
            "rows": [list(row) for row in rows],
        }

    def records(self, name: str) -> list[dict]:
        table = self.tables[name]
        return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]

    def set(self, name: str, row: int, column: str, value) -> None:
        """Change one cell."""
        table = self.tables[name]
        table["rows"][row][list(table["columns"]).index(column)] = value

    def write(self, folder: Path) -> Path:
        """The release as files, its manifest in step with them."""
        if self.data.get("charts") == {}:
            self.data["charts"] = {"levels": chart(self.records("levels"))}
        files = {f"tables/{name}.csv": sheet(table) for name, table in self.tables.items()}
        files |= {"report.html": self.html().encode()} | self.files
        told = "".join(f"{name}: made up, at least 10 subjects a count.\n" for name in ["manifest.json", *files])
        files["release_notes.txt"] = told.encode() + files["release_notes.txt"]
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        document = {
            "format": "seqsae-release-1",
            "policy": self.policy,
            "files": [{"path": n, "sha256": hashlib.sha256(c).hexdigest(), "bytes": len(c)} for n, c in sorted(files.items())],
            "datasets": [self.dataset(name) for name in self.tables],
        } | self.manifest  # fmt: skip
        (folder / "manifest.json").write_text(json.dumps(document))
        return folder

    def dataset(self, name: str) -> dict:
        table = self.tables[name]
        columns = {
            column: {"type": TYPES.get(role, "number"), "role": role} for column, role in table["columns"].items()
        }
        for (where, column), of in self.of.items():
            if where == name:
                columns[column]["of"] = of
        return {
            "id": name, "file": f"tables/{name}.csv", "unit": table["unit"], "n_rows": len(table["rows"]), "columns": columns,
            "min_subjects": 10, "rules": table["rules"], "what": f"the {name} of a made-up study",
        } | self.extra.get(name, {})  # fmt: skip

    def html(self) -> str:
        scripts = "".join(f"<script>{script}</script>\n" for script in self.scripts)
        block = json.dumps(self.data).replace("<", "\\u003c")
        return (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{self.page["csp"]}">\n<title>Report</title>\n'
            f'<link rel="icon" href="data:,">\n<style>body {{ margin: 0 }}</style>\n{self.page["head"]}</head>\n<body>\n'
            f'{self.page["body"]}\n<script type="application/json" id="data">{block}</script>\n{scripts}</body>\n</html>\n{self.page["end"]}'
        )


def csp(*scripts: str) -> str:
    """The policy that allows these scripts and nothing else."""
    allowed = " ".join(f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in scripts)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def chart(rows: list[dict]) -> dict:
    """A chart as altair writes it."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.1.0.json",
        "data": {"name": "data-1"},
        "mark": {"type": "bar"},
        "encoding": {
            "x": {"field": "subjects", "type": "quantitative", "scale": {"domain": [0, 120]}},
            "y": {"field": "level"},
        },
        "datasets": {"data-1": rows},
    }


def sheet(table: dict) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table["columns"])
    writer.writerows(["" if value is None else value for value in row] for row in table["rows"])
    return out.getvalue().encode()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*between: bytes, after: bytes = b"") -> bytes:
    """One grey dot, with chunks before its end."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    body = head + chunk(b"IDAT", zlib.compress(b"\0\x80")) + b"".join(between)
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"") + after


def safetensors(tensors: dict[str, tuple[str, list[int]]], note: dict | None = None) -> bytes:
    """A file of zeros: name to precision and shape."""
    at, head = 0, {"__metadata__": note} if note else {}
    for name, (kind, shape) in tensors.items():
        size = (2 if "16" in kind else 4) * shape[0] * (shape[1] if len(shape) > 1 else 1)
        head[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + bytes(at)
