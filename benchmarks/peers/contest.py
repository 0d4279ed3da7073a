"""What a training is worth: quality at equal steps, and CPU time until a quality is reached."""

import math
import statistics

from bars import Bars

from peers.plan import LEARNING_RATES, SAE_LENS, Contestant, Plan, ours
from peers.rounds import Rounds, Run

STEPS, QUICK_STEPS = {"8d": 800, "32d": 300}, {"8d": 150, "32d": 80}
SEEDS = 3
POINTS = 25  # of a curve
BURST = 10
FIGURES = ("fvu", "l0", "dead", "mmcs", "recovered", "f1")
KINDS = ("batchtopk", "jumprelu")


class Contest:
    """The parts that judge quality. Everybody at the best of the learning rates for seed 0, by FVU on held-out rows.

    Args:
        precisions: ours; each is held against the quality bars, the first one against those for time.
    """

    def __init__(self, plan: Plan, rounds: Rounds, bars: Bars, precisions: list[str], quick: bool):
        self.plan, self.rounds, self.bars = plan, rounds, bars
        self.ours, self.peers = ours(precisions), plan.peers
        self.steps = QUICK_STEPS if quick else STEPS
        self.rates = LEARNING_RATES[1::2] if quick else LEARNING_RATES
        self.seeds = 1 if quick else SEEDS

    def topk(self, shape: str) -> None:
        """TopK against all peers: quality at equal steps, and time to the best peer's."""
        runs = self._runs(f"quality-{shape}", shape, [*self.ours, *self.peers])
        best = min(self.peers, key=lambda peer: _mean(runs[peer.name], "fvu")).name
        for mine in self.ours:
            self._compare(f"TopK at {shape}, {mine.name}", runs[mine.name], runs, best)
        self._time(shape, runs)

    def kinds(self, shape: str) -> None:
        """BatchTopK and JumpReLU against sae-lens: directions recovered, with one seed."""
        for kind in KINDS:
            runs = self._runs(f"{kind}-{shape}", shape, [self.ours[0], SAE_LENS], seeds=1, architecture=kind)
            ahead = _mean(runs[self.ours[0].name], "recovered") - _mean(runs[SAE_LENS.name], "recovered")
            self.bars.at_least(f"{kind} at {shape}, recovered, ours - sae-lens", ahead, 0.0)

    def _runs(
        self, name: str, shape: str, contestants: list[Contestant], seeds: int = SEEDS, **job
    ) -> dict[str, list[Run]]:
        """Contestant to its runs at its best rate, one for each seed."""
        sweep = [
            self._round(f"{name} lr {rate}", shape, dict.fromkeys(contestants, rate), 0, **job) for rate in self.rates
        ]
        first = {one.name: min((runs[one.name] for runs in sweep), key=_fvu) for one in contestants}
        rates = {one: first[one.name].job["lr"] for one in contestants}
        others = [
            self._round(f"{name} seed {seed}", shape, rates, seed, **job) for seed in range(1, min(seeds, self.seeds))
        ]
        runs = {one.name: [first[one.name], *(other[one.name] for other in others)] for one in contestants}
        self._tell(name, runs)
        return runs

    def _round(self, name: str, shape: str, rates: dict, seed: int, longer: int = 1, **job) -> dict[str, Run]:
        steps = self.steps[shape] * longer
        common = {"judge": True, "every": max(1, steps // POINTS), "seed": seed, **job}
        jobs = {one.name: self.plan.job(one, shape, steps, lr=rate, **common) for one, rate in rates.items()}
        return self.rounds.together(name, jobs, BURST)

    def _tell(self, name: str, runs: dict[str, list[Run]]) -> None:
        print(
            f"\n{name:24}      lr  steps  " + "".join(f"{figure:>10}" for figure in FIGURES) + "  CPU ms/step  tokens/s"
        )
        for one, found in runs.items():
            job, ms = found[0].job, statistics.median(run.step_ms for run in found)
            figures = "".join(f"{_mean(found, figure):10.4f}" for figure in FIGURES)
            print(f"{one:24}  {job['lr']:6g}  {job['steps']:5}  {figures}  {ms:11.1f}  {1e3 * job['batch'] / ms:8.0f}")

    def _compare(self, what: str, mine: list[Run], runs: dict[str, list[Run]], best: str) -> None:
        """Means over the seeds. FVU and dead latents against the peer of the least FVU, the rest against each one's best."""
        self.bars.at_most(f"{what}: FVU / that of {best}", _mean(mine, "fvu") / _mean(runs[best], "fvu"), 1.02)
        for figure in ("recovered", "f1"):
            most = max(_mean(runs[peer.name], figure) for peer in self.peers)
            self.bars.at_least(f"{what}: {figure} - best peer's", _mean(mine, figure) - most, 0.0)
        self.bars.at_most(f"{what}: dead - that of {best}", _mean(mine, "dead") - _mean(runs[best], "dead"), 0.0)

    def _time(self, shape: str, runs: dict[str, list[Run]]) -> None:
        """CPU seconds until the FVU that the best peer reaches, seed by seed."""
        targets = [min(runs[peer.name][seed].curve[-1][2] for peer in self.peers) for seed in range(self.seeds)]
        racing = (self.ours[0], *self.peers)
        seconds = {one: [_reached(*pair) for pair in zip(runs[one.name], targets, strict=True)] for one in racing}
        best = [min(seconds[peer][seed] for peer in self.peers) for seed in range(self.seeds)]
        for one in racing:
            again = self._longer(shape, one, runs[one.name], targets, best)
            seconds[one] = [min(pair) for pair in zip(seconds[one], again, strict=True)]
        ratios = [
            seconds[racing[0]][seed] / min(seconds[peer][seed] for peer in self.peers) for seed in range(self.seeds)
        ]
        print(f"\ntime to quality at {shape}: CPU seconds to FVU " + ", ".join(f"{target:.4f}" for target in targets))
        for one in racing:
            print(f"{one.name:24}  " + "  ".join(f"{value:8.1f}" for value in seconds[one]))
        self.bars.at_most(f"time to quality at {shape}, ours / best peer's", statistics.median(ratios), 1 / 3)

    def _longer(
        self, shape: str, one: Contestant, runs: list[Run], targets: list[float], best: list[float]
    ) -> list[float]:
        """CPU seconds of a training twice as long, for each seed that fell short and may yet be the first; else infinity."""
        seconds = []
        for seed, (run, target) in enumerate(zip(runs, targets, strict=True)):
            late = run.curve[-1][1] > best[seed]
            if math.isfinite(_reached(run, target)) or late:
                seconds.append(math.inf)
                continue
            rates = {one: run.job["lr"]}
            longer = self._round(f"longer-{shape} {one.name} seed {seed}", shape, rates, seed, longer=2)
            seconds.append(_reached(longer[one.name], target))
        return seconds


def _reached(run: Run, target: float) -> float:
    """CPU seconds at the first point of the curve with that FVU; infinity if there is none."""
    return next((seconds for _, seconds, fvu in run.curve if fvu <= target), math.inf)


def _fvu(run: Run) -> float:
    """FVU, the worst if it is no number."""
    return run.quality["fvu"] if math.isfinite(run.quality["fvu"]) else math.inf


def _mean(runs: list[Run], figure: str) -> float:
    return statistics.fmean(run.quality[figure] for run in runs)
