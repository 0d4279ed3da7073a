"""SAE training against its peers (sae-lens, sparsify, dictionary-learning, overcomplete), each through its own loop.

Everything is measured in one run, in processes that take turns, with CPU time at one thread as the figure: see `peers`.
Peers live in an environment of their own, which `make bench` builds. A whole run takes more than an hour, --quick some
minutes; finished rounds are kept in OUT/train_peers.json, and --resume takes them from there.

Parts: speed-B, speed-C, speed-D, tuned-B, tuned-C (malloc tuned), kinds-B (other architectures), quality-8d, quality-32d
(TopK: quality at equal steps, time to quality), kinds-8d (recovery by other architectures).
"""

import sys
from pathlib import Path

from bars import Bars, parser
from peers.contest import Contest
from peers.plan import PEERS, Plan
from peers.rounds import Rounds
from peers.speed import Speed


def main() -> None:
    options = arguments()
    folder = Path(options.out).resolve()
    bars, rounds = Bars(), Rounds(folder / "train_peers.json", options.python, options.resume)
    plan = Plan(
        folder / "peers", options.threads, tuple(peer for peer in PEERS if peer.name in options.peers.split(","))
    )
    shared = (plan, rounds, bars, options.precisions.split(","), options.quick)
    contest = Contest(*shared)
    contest.rates = tuple(map(float, options.rates.split(","))) if options.rates else contest.rates
    contest.seeds = options.seeds or contest.seeds
    parts = named(Speed(*shared), contest)
    for name in options.only.split(",") if options.only else parts:
        if name not in parts:
            sys.exit(f"train_peers: no part {name!r}; choose from {', '.join(parts)}")
        part, shape = parts[name], name.split("-")[1]
        part(shape)
        sys.stdout.flush()
    print()
    bars.tell(options.json)


def named(speed: Speed, contest: Contest) -> dict:
    """Part to the function that runs it."""
    parts = {f"speed-{shape}": speed.topk for shape in "BCD"} | {f"tuned-{shape}": speed.tuned for shape in "BC"}
    parts |= {"kinds-B": speed.kinds, "quality-8d": contest.topk, "quality-32d": contest.topk}
    return parts | {"kinds-8d": contest.kinds}


def arguments():
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--only", default="", help="parts, with commas between")
    options.add_argument("--resume", action="store_true", help="take finished rounds from OUT/train_peers.json")
    options.add_argument("--precisions", default="auto,float32", help="seqsae's; the first is held against the bars")
    everyone = ",".join(peer.name for peer in PEERS)
    options.add_argument("--peers", default=everyone, help="those to be held against, with commas between")
    options.add_argument("--rates", default="", help="learning rates that everybody's best is taken of; default: four")
    options.add_argument("--seeds", type=int, default=0, help="seeds of the parts on quality; default: three")
    options.add_argument("--threads", type=int, default=1, help="threads of each worker")
    options.add_argument("--python", default=".venv-bench/bin/python", help="interpreter that has the peers")
    chosen = options.parse_args()
    if not Path(chosen.python).exists():
        sys.exit(f"train_peers: no {chosen.python}; build it with `make .venv-bench/ready`")
    return chosen


if __name__ == "__main__":
    main()
