"""What a benchmark prints, kept, so that it can be written down as well."""

from pathlib import Path

from bars import Bars


class Sheet:
    """Lines by part."""

    def __init__(self):
        self.parts: list[tuple[str, list[str]]] = []

    def part(self, title: str) -> None:
        print(title, flush=True)
        self.parts.append((title, []))

    def line(self, text: str) -> None:
        print(text, flush=True)
        self.parts[-1][1].append(text.rstrip())

    def write(self, path: Path, title: str, bars: Bars) -> None:
        """Markdown: the bars, then each part as it was printed."""
        lines = [f"# {title}", "", "Written by the benchmark itself (`--write`).", ""]
        lines += ["| figure | value | error | bar | |", "|---|---|---|---|---|"]
        for name, row in bars.rows.items():
            bar = " to ".join(map(str, row["bar"])) if isinstance(row["bar"], list) else f"{row['bar']:g}"
            error = f"{row['error']:.4f}" if "error" in row else ""
            lines.append(f"| {name} | {row['value']:.4f} | {error} | {bar} | {'holds' if row['holds'] else 'MISSED'} |")
        for title, told in self.parts:
            lines += ["", f"## {title}", "", "```", *told, "```"]
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
