"""Synthetic lives of the full world: events and rows a second, peak memory of all processes, the same bytes for 1 and 2 workers.

A million lives are made with one worker (a quarter of an hour of one core); --quick makes 8,000, --persons any number. Memory is read every
fifth of a second as the sum over the process and its children. Equality is tested on --compare lives: all of them with --whole, against those
made first. The package `meds` then validates every file.
"""

import hashlib
import json
import resource
import shutil
import sys
import threading
import time
from pathlib import Path

import meds
import pyarrow.parquet as pq
from bars import Bars, parser

from seqsae.plugins import find

GIB = 2**30
QUICK, WHOLE = 8_000, 1_000_000


def main() -> None:
    options = arguments()
    persons = options.persons or (QUICK if options.quick else WHOLE)
    folder = Path(options.out) / "synth"
    shutil.rmtree(folder, ignore_errors=True)
    make = find("sources", "synthetic-lives").make
    with Watch() as one:
        made = make(folder / "one", persons, preset="full", documents=options.whole)
    moments, rows = size(made)
    print(f"{persons:,} lives, {moments:,} events, {rows:,} rows in {one.seconds:.1f} s, {one.cpu:.1f} s of a core")
    print(
        f"{moments / one.cpu:,.0f} events and {rows / one.cpu:,.0f} rows a second of a core; peak {one.peak / GIB:.2f} GiB"
    )
    with Watch() as two:
        same = compare(
            make, folder, made if options.whole else None, persons if options.whole else min(persons, options.compare)
        )
    print(
        f"1 and 2 workers: {'the same bytes' if same else 'NOT the same bytes'}; peak of both {two.peak / GIB:.2f} GiB"
    )
    n_files = validate(made)
    print(f"meds validates {n_files:,} files")
    bars = Bars()
    bars.at_most("peak GiB, all processes", max(one.peak, two.peak) / GIB, 1.0)
    bars.at_least("1 and 2 workers give the same bytes", float(same), 1.0)
    bars.at_most("minutes of a core for a million lives", one.cpu / persons * 1e6 / 60, 30.0)
    bars.tell(options.json)
    if not options.keep:
        shutil.rmtree(folder)


def arguments():
    known = parser(__doc__.splitlines()[0])
    known.add_argument("--persons", type=int, help="number of lives")
    known.add_argument("--compare", type=int, default=3 * QUICK, help="number of lives made with 1 and with 2 workers")
    known.add_argument("--whole", action="store_true", help="with documents, and all of them again with 2 workers")
    known.add_argument("--keep", action="store_true", help="leave the lives on disk")
    return known.parse_args()


def size(folder: Path) -> tuple[int, int]:
    """Events (moments that were drawn) and rows of a folder."""
    rows = sum(pq.ParquetFile(file).metadata.num_rows for file in (folder / "data").glob("*.parquet"))
    return json.loads((folder / "truth.json").read_text())["loss"]["n_moments"], rows


def compare(make, folder: Path, one: Path | None, persons: int) -> bool:
    """Do 1 and 2 workers write the same files?"""
    one = one or make(folder / "workers1", persons, preset="full", documents=True)
    return digest(one) == digest(make(folder / "workers2", persons, preset="full", workers=2, documents=True))


def validate(folder: Path) -> int:
    """Let `meds` validate every file of a folder, which raises for one that is not as the format has it; how many there were."""
    tables = [(meds.DataSchema, file) for file in sorted((folder / "data").glob("*.parquet"))]
    tables += [(meds.CodeMetadataSchema, folder / meds.code_metadata_filepath)]
    tables += [(meds.SubjectSplitSchema, folder / meds.subject_splits_filepath)]
    tables += [(meds.LabelSchema, file) for file in sorted((folder / "labels").rglob("*.parquet"))]
    for schema, file in tables:
        schema.validate(pq.read_table(file))
    meds.DatasetMetadataSchema.validate(json.loads((folder / meds.dataset_metadata_filepath).read_text()))
    return len(tables) + 1


def digest(folder: Path) -> str:
    """SHA-256 over the names and bytes of every file."""
    found = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.update(path.relative_to(folder).as_posix().encode())
        with path.open("rb") as file:
            found.update(hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()


class Watch:
    """Seconds, CPU seconds and the largest memory of this process and its children together while it is open."""

    def __enter__(self) -> "Watch":
        self.peak, self.done = 0, threading.Event()
        self.began, self.used = time.perf_counter(), spent()
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.done.set()
        self.thread.join()
        self.seconds, self.cpu = time.perf_counter() - self.began, spent() - self.used

    def _look(self) -> None:
        while not self.done.wait(0.2):
            self.peak = max(self.peak, sum(resident(pid) for pid in family()))


def spent() -> float:
    """CPU seconds of this process and of the children that have ended."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, kinds))


def family() -> set[str]:
    """This process and the children of its threads, by their ids."""
    found = {"self"}
    for task in Path("/proc/self/task").iterdir():
        try:
            found.update((task / "children").read_text().split())
        except OSError:
            continue  # a thread that has ended
    return found


def resident(pid: str) -> int:
    """Bytes in memory, 0 for a process that has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


if __name__ == "__main__":
    sys.exit(main())
