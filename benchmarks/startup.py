"""What `import seqsae` and `seqsae --help` cost in CPU seconds beyond Python's own start, side by side in one run."""

import resource
import statistics
import subprocess
import sys

from bars import Bars, arguments


def main() -> None:
    options = arguments(__doc__)
    runs = 5 if options.quick else 20
    commands = {
        "python": "pass",
        "import": "import seqsae",
        "help": "from seqsae import cli; cli.app(['--help'], standalone_mode=False)",
    }
    seconds = {name: [] for name in commands}
    for _ in range(runs):
        for name, code in commands.items():
            seconds[name].append(cpu(code))
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    print(", ".join(f"{name} {value:.3f} s" for name, value in middle.items()), f"(median of {runs})")
    bars = Bars()
    bars.at_most("import seqsae, CPU seconds beyond Python", middle["import"] - middle["python"], 0.3)
    bars.tell(options.json)


def cpu(code: str) -> float:
    """User and system seconds of one fresh interpreter."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
