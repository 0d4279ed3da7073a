"""CPU time and memory of a training step, all libraries side by side."""

from bars import Bars

from peers.plan import AUTOCAST, FLOORS, SAE_LENS, SPARSIFY, Contestant, Plan, ours
from peers.rounds import Rounds, Run

STEPS = {"B": 24, "C": 12, "D": 6}
QUICK_STEPS = {"B": 10, "C": 6, "D": 4}
BURST = 2  # steps in a row: enough to have one's own weights in the cache again, as in a training without company
OVER_SPARSIFY, OVER_SAE_LENS = {"B": 3.0, "C": 3.5, "D": 3.5}, 8.0
KINDS = ("batchtopk", "jumprelu", "matryoshka")


class Speed:
    """The parts that time steps.

    Args:
        precisions: ours; the first is held against the bars, float32 against those for it.
    """

    def __init__(self, plan: Plan, rounds: Rounds, bars: Bars, precisions: list[str], quick: bool):
        self.plan, self.rounds, self.bars = plan, rounds, bars
        self.ours = ours(precisions)
        self.first, self.float32 = self.ours[0].name, "seqsae-float32"
        self.steps = QUICK_STEPS if quick else STEPS

    def topk(self, shape: str) -> None:
        """TopK as shipped."""
        extra = (AUTOCAST, *FLOORS) if shape == "C" else ()
        runs = self._timed(f"speed-{shape}", shape, [*self.ours, *self.plan.peers, *extra])
        self._ratio(f"TopK at {shape}", runs, SPARSIFY.name, self.first, OVER_SPARSIFY[shape])
        self._ratio(f"TopK at {shape}", runs, SAE_LENS.name, self.first, OVER_SAE_LENS)
        if shape in "BC" and self.float32 in runs:
            self._ratio(f"TopK at {shape}", runs, SPARSIFY.name, self.float32, 1.5)
        if shape == "C":
            self._ratio("TopK at C", runs, AUTOCAST.name, self.first, 3.0)
            self._floor(runs)
        if shape == "D":
            leanest = min(runs[peer.name].peak_mb for peer in self.plan.peers)
            self.bars.at_most("peak memory at D, ours / leanest peer", runs[self.first].peak_mb / leanest, 0.5)

    def tuned(self, shape: str) -> None:
        """TopK where malloc gives freed memory out again, for everybody."""
        runs = self._timed(f"tuned-{shape}", shape, [*self.ours, *self.plan.peers], tuned_malloc=True)
        self._ratio(f"TopK with tuned malloc at {shape}", runs, SPARSIFY.name, self.first, 2.5)

    def kinds(self, shape: str) -> None:
        """Other architectures, against sae-lens."""
        for kind in KINDS:
            runs = self._timed(f"{kind}-{shape}", shape, [*self.ours, SAE_LENS], architecture=kind)
            self._ratio(f"{kind} at {shape}", runs, SAE_LENS.name, self.first, 4.0)

    def _timed(self, name: str, shape: str, contestants: list[Contestant], **job) -> dict[str, Run]:
        jobs = {one.name: self.plan.job(one, shape, self.steps[shape], **job) for one in contestants}
        runs = self.rounds.together(name, jobs, BURST)
        ours_ms = runs[self.first].step_ms
        print(f"\n{name:24}  CPU ms/step  tokens/s  / {self.first}  peak MB over import")
        for one, run in runs.items():
            tokens = 1e3 * run.job["batch"] / run.step_ms
            print(f"{one:24}  {run.step_ms:11.1f}  {tokens:8.0f}  {run.step_ms / ours_ms:14.2f}  {run.peak_mb:8.0f}")
        return runs

    def _ratio(self, what: str, runs: dict[str, Run], peer: str, mine: str, bar: float) -> None:
        self.bars.at_least(f"{what}, {peer} / {mine}", runs[peer].step_ms / runs[mine].step_ms, bar)

    def _floor(self, runs: dict[str, Run]) -> None:
        """One of the two is asked for. Where bfloat16 is slow, as on processors without instructions for it, the other counts."""
        near = runs[self.first].step_ms / runs["floor-bfloat16"].step_ms
        self.bars.at_most(f"distance to the bfloat16 floor at C, {self.first}", near, 2.5)
        if self.float32 in runs:
            near = runs[self.float32].step_ms / runs["floor-float32"].step_ms
            self.bars.at_most(f"distance to the float32 floor at C, {self.float32}", near, 1.3)
