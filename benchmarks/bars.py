"""How a benchmark tells its figures: a table, and with --json one JSON object on the last line."""

import argparse
import json


class Bars:
    """Figures beside the bars that they are held against."""

    def __init__(self):
        self.rows: dict[str, dict] = {}

    def at_least(self, name: str, value: float, bar: float) -> None:
        self.rows[name] = {"value": value, "bar": bar, "holds": bool(value >= bar)}

    def at_most(self, name: str, value: float, bar: float) -> None:
        self.rows[name] = {"value": value, "bar": bar, "holds": bool(value <= bar)}

    def within(self, name: str, value: float, low: float, high: float, error: float) -> None:
        """`error`: the Monte-Carlo standard error of the value, told beside it; it does not widen the bar."""
        self.rows[name] = {"value": value, "bar": [low, high], "error": error, "holds": bool(low <= value <= high)}

    def tell(self, as_json: bool) -> None:
        """Print them all."""
        width = max(len(name) for name in self.rows)
        for name, row in self.rows.items():
            error = f" ±{row['error']:.4f}" if "error" in row else ""
            bar = "{} to {}".format(*row["bar"]) if isinstance(row["bar"], list) else f"{row['bar']:g}"
            told = "holds" if row["holds"] else "MISSED"
            print(f"{name:{width}}  {row['value']:10.4f}{error}  bar {bar:<8} {told}")
        if as_json:
            print(json.dumps(self.rows))


def parser(description: str) -> argparse.ArgumentParser:
    """A parser with --quick, --json and --out, which every benchmark knows."""
    found = argparse.ArgumentParser(description=description)
    found.add_argument("--quick", action="store_true", help="a smaller run")
    found.add_argument("--json", action="store_true", help="one JSON object as the last line")
    found.add_argument("--out", default="runs/benchmarks", help="where runs are written")
    return found


def arguments(description: str) -> argparse.Namespace:
    """The options of a benchmark that has no others."""
    return parser(description).parse_args()
