"""Attackers of a release, and the true counts that they are held against; nothing here is taken from what makes a release."""

import re
from collections.abc import Iterator
from html import unescape

import numpy as np
from scipy.optimize import linprog

from released.cohorts import CANARY, Cohort
from seqsae.disclosure.policy import Policy
from seqsae.exports.leaf import Leaf

Members = np.ndarray
"""[S] bool: who is in a cell."""


class Truth:
    """The true cells of a cohort."""

    def __init__(self, cohort: Cohort):
        evidence = cohort.evidence
        self.people, self.rows = evidence.people, evidence.rows
        self.n = len(self.people)
        self.cluster = self.people["cluster"].to_numpy()
        self.test = (self.people["split"] == "test").to_numpy()
        self.owner = self.rows["subject"].to_numpy()
        self.on = np.asarray(evidence.codes.todense()) > 0
        self.aims = evidence.aims

    def of_rows(self, rows: np.ndarray) -> Members:
        """Who has any of these rows [N]."""
        found = np.zeros(self.n, bool)
        found[self.owner[rows]] = True
        return found

    def fires(self, feature: int) -> Members:
        return self.of_rows(self.on[:, feature])

    def binned(self, text: str) -> np.ndarray:
        """[N] rows in a bin by its text."""
        name, *words = text.replace(",", "").split()
        value = self.rows[name].cast(float).to_numpy()
        numbers = [float(word) for word in words if re.fullmatch(r"-?\d+", word)]
        if "all" in words:
            return np.isfinite(value)
        if "below" in words:
            return value < numbers[0]
        return value >= numbers[0] if "more" in words else (value >= numbers[0]) & (value < numbers[1] + 1)

    def level(self, covariate: str, level: str, shown: list[str]) -> Members:
        """Who of the test split is in a level; `other`: all whom no shown level names."""
        if level == "other":
            named = [self.level(covariate, one, shown) for one in shown if one != "other"]
            return self.test & ~np.logical_or.reduce([np.zeros(self.n, bool), *named])
        aims = [aim for aim in self.aims if aim.covariate == covariate]
        known = np.logical_or.reduce([np.isfinite(aim.y) for aim in aims])
        inside = {aim.category: aim.y == 1 for aim in aims if aim.is_binary}
        if aims[0].is_survival:
            inside = {"with the event": aims[0].follow[:, 1] == 1}
        rest = known & ~np.logical_or.reduce([np.zeros(self.n, bool), *inside.values()])
        inside |= {"all others": rest, "without the event": rest, "known": known, "missing": ~known}
        return self.test & inside[level]


def cells(truth: Truth, made: list[Leaf]) -> Iterator[tuple[str, int, Members, list[Members]]]:
    """Every published count with who is in it and in what it lies: (place, published, members, bases)."""
    there = {leaf.id: leaf.table.rows for leaf in made}
    everybody = np.ones(truth.n, bool)
    raw = set(truth.rows["token"])
    for row in there.get("splits", ()):
        members = truth.people["split"].is_in(row["split"].split(" and ")).to_numpy()
        yield f"splits {row['split']}", row["subjects"], members, [everybody]
    for row in there.get("features", ()):
        fires = truth.fires(row["feature"])
        yield f"features {row['feature']}", row["subjects"], fires, [everybody]
        yield f"features {row['feature']} test", row["subjects_test"], fires & truth.test, [truth.test, fires]
    for row in there.get("tokens", ()):
        if row["token"] in raw:
            here = (truth.rows["token"] == row["token"]).to_numpy()
            cell = truth.of_rows(here & truth.on[:, row["feature"]])
            yield (
                f"tokens {row['feature']} {row['token']}",
                row["subjects"],
                cell,
                [truth.fires(row["feature"]), truth.of_rows(here)],
            )
    for row in there.get("when", ()):
        here = truth.binned(row["bin"])
        cell = truth.of_rows(here & truth.on[:, row["feature"]])
        yield (
            f"when {row['feature']} {row['bin']}",
            row["subjects"],
            cell,
            [truth.fires(row["feature"]), truth.of_rows(here)],
        )
    yield from _levels(truth, there)


def _levels(truth: Truth, there: dict) -> Iterator[tuple[str, int, Members, list[Members]]]:
    levels = _grouped(there.get("covariates", ()), ("covariate",))
    for (covariate,), rows in levels.items():
        shown = [row["level"] for row in rows]
        if covariate == "income":
            continue  # missing ones are counted among the known where they are few
        for row in rows:
            yield (
                f"covariates {covariate} {row['level']}",
                row["subjects"],
                _level(truth, covariate, row["level"], shown),
                [truth.test],
            )
    for (feature, covariate), rows in _grouped(there.get("crossed", ()), ("feature", "covariate")).items():
        size = [row["level"] for row in levels[(covariate,)]]
        shown = [row["level"] for row in rows]
        for row in rows:
            inside = (
                [level for level in size if level not in shown or level == "other"]
                if row["level"] == "other"
                else [row["level"]]
            )
            cell = np.logical_or.reduce([_level(truth, covariate, level, size) for level in inside])
            fires = cell & truth.fires(feature)
            yield (
                f"crossed {feature} {covariate} {row['level']}",
                row["firing"],
                fires,
                [cell, truth.fires(feature) & truth.test],
            )


def _level(truth: Truth, covariate: str, level: str, shown: list[str]) -> Members:
    """Members of a published level, with those too few to have one of their own, who are counted with the commonest."""
    members = truth.level(covariate, level, shown)
    if "other" in shown:
        return members
    named = {one: truth.level(covariate, one, shown) for one in shown}
    homeless = truth.test & ~np.logical_or.reduce(list(named.values()))
    able = {one: part.sum() for one, part in named.items() if one != "missing"} or {"missing": 0}
    return members | homeless if level == max(able, key=lambda one: (able[one], one)) else members


def _grouped(rows, names: tuple[str, ...]) -> dict[tuple, list]:
    found: dict[tuple, list] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in names), []).append(row)
    return found


def below_threshold(truth: Truth, made: list[Leaf], policy: Policy) -> list[str]:
    """Cells that are too small, leave out too few, or are not what was published; a cell that stands for its whole base is none."""
    wrong = []
    for place, published, members, bases in cells(truth, made):
        few = [base for base in bases if (base & ~members).sum() > 0 and not _enough(base & ~members, truth, policy)]
        if published % policy.round_to or not _enough(members, truth, policy):
            wrong.append(f"{place}: {members.sum()} subjects published as {published}")
        elif not any(abs(published - part.sum()) <= policy.round_to / 2 for part in ([members] if not few else bases)):
            wrong.append(f"{place}: leaves out too few, or is wrong: {members.sum()} published as {published}")
    return wrong


def _enough(members: Members, truth: Truth, policy: Policy) -> bool:
    return members.sum() >= policy.min_subjects and len(np.unique(truth.cluster[members])) >= policy.min_clusters


def recovered(made: list[Leaf], policy: Policy) -> list[str]:
    """Hidden cells of merged levels that linear programming pins down: an interval narrower than the threshold, or below it."""
    there = {leaf.id: leaf.table.rows for leaf in made}
    sizes = {
        key: {row["level"]: row["subjects"] for row in rows}
        for key, rows in _grouped(there.get("covariates", ()), ("covariate",)).items()
    }
    fires = {row["feature"]: row["subjects_test"] for row in there.get("features", ())}
    found = []
    for (feature, covariate), rows in _grouped(there.get("crossed", ()), ("feature", "covariate")).items():
        shown = {row["level"]: row for row in rows}
        size = sizes[(covariate,)]
        merged = [
            level
            for level in size
            if level not in shown or (level == "other" and shown["other"]["subjects"] != size["other"])
        ]
        if "other" in shown and len(merged) > 0:
            for place, low, high in _programs(size, shown, merged, fires[feature], policy):
                if high - low < policy.min_subjects or high < policy.min_subjects:
                    found.append(f"crossed {feature} {covariate} {place}: between {low:.0f} and {high:.0f}")
    return found + list(_left_over(there, policy))


def _left_over(there: dict, policy: Policy) -> Iterator[str]:
    """Totals less their parts: sums of hidden cells that hold somebody for certain, and fewer than the threshold."""
    for place, total, parts in [*_split_sums(there), *_curve_sums(there), *_bin_sums(there)]:
        low, high = _range(total, policy)
        for part in parts:
            least, most = _range(part, policy)
            low, high = low - most, high - least
        if low > 0 and high < policy.min_subjects:
            yield f"{place}: between {low:.0f} and {high:.0f}"


def _range(published: float, policy: Policy) -> tuple[float, float]:
    half = policy.round_to / 2
    return max(0.0, np.ceil(published - half)), np.ceil(published + half) - 1


def _split_sums(there: dict) -> Iterator[tuple[str, int, list[int]]]:
    """Subjects of a feature outside the test split."""
    for row in there.get("features", ()):
        if row["subjects_test"] is not None:
            yield f"features {row['feature']} outside test", row["subjects"], [row["subjects_test"]]


def _curve_sums(there: dict) -> Iterator[tuple[str, int, list[int]]]:
    """Events after the last time of a curve, of those in whom the feature fires."""
    events = {
        (row["feature"], row["covariate"]): row["firing"]
        for row in there.get("crossed", ())
        if row["level"] == "with the event"
    }
    for key, rows in _grouped(there.get("survival", ()), ("feature", "covariate", "fires")).items():
        if key[2] and key[:2] in events:
            yield f"survival {key[0]} {key[1]} after the end", events[key[:2]], [row["events"] for row in rows]


def _bin_sums(there: dict) -> Iterator[tuple[str, int, list[int]]]:
    """Tokens and bins that are not shown, where each subject has one row and so stands in one of them."""
    if any(row["rows_each"] != 1 for row in there.get("features", ())):
        return
    whole = {row["feature"]: row["subjects"] for row in there.get("features", ())}
    for name, label in (("tokens", "token"), ("when", "bin")):
        rows = [
            dict(row) | {"of": row[label].replace(",", "").split()[0] if name == "when" else ""}
            for row in there.get(name, ())
        ]
        for (feature, of), parts in _grouped(rows, ("feature", "of")).items():
            counts = [row["subjects"] for row in parts]
            if whole[feature] not in counts:  # such a one leaves out too few to be told, and says so of itself
                yield f"{name} {feature} {of} not shown", whole[feature], counts


def _programs(size: dict, shown: dict, merged: list, fires: int, policy: Policy) -> Iterator[tuple[str, float, float]]:
    """Bounds of each firing and silent cell of the merged levels, from all published sums."""
    levels = list(size)
    half = policy.round_to / 2
    rows, bounds = [], []

    def know(parts: list[tuple[str, int]], value: float) -> None:
        row = np.zeros(2 * len(levels))
        for level, side in parts:
            row[2 * levels.index(level) + side] = 1
        rows.append(row)
        bounds.append((np.ceil(value - half), np.ceil(value + half) - 1))

    for level in levels:
        know([(level, 0), (level, 1)], size[level])
        if level in shown and level not in merged:
            know([(level, 1)], shown[level]["firing"])
    know([(level, 1) for level in merged], shown["other"]["firing"])
    know([(level, side) for level in merged for side in (0, 1)], shown["other"]["subjects"])
    know([(level, 1) for level in levels], fires)
    matrix = np.array(rows)
    upper = np.concatenate([matrix, -matrix])
    bound = np.concatenate([[high for _, high in bounds], [-low for low, _ in bounds]])
    for level in merged:
        for side, name in ((1, "firing"), (0, "silent")):
            ends = []
            for sign in (1.0, -1.0):
                aim = np.zeros(2 * len(levels))
                aim[2 * levels.index(level) + side] = sign
                done = linprog(aim, A_ub=upper, b_ub=bound, bounds=(0, None), method="highs")
                ends.append(sign * done.fun if done.status == 0 else np.nan)
            if np.isfinite(ends).all():
                yield f"{level} {name}", ends[0], ends[1]


def canaries(files: dict[str, str]) -> list[str]:
    """Files in which anything of the canaries stands, decoded."""
    marks = (CANARY, "98765.4321", "98765", "98,765")
    read = {name: text + unescape(text) for name, text in files.items()}
    return [f"{name}: {mark}" for name, text in read.items() for mark in marks if mark in text]


def largest_change(one: list[Leaf], other: list[Leaf]) -> int:
    """The largest difference of a count between two releases, of cells that both hold."""
    there = [
        {(leaf.id, *(str(row[name]) for name in leaf.table.by)): row for leaf in made for row in leaf.table.rows}
        for made in (one, other)
    ]
    counts = {leaf.id: [name for name, kind in leaf.table.columns.items() if kind.role == "count"] for leaf in one}
    changes = [
        abs(row[name] - there[1][key][name])
        for key, row in there[0].items()
        if key in there[1]
        for name in counts[key[0]]
        if row[name] is not None and there[1][key][name] is not None
    ]
    return max(changes, default=0)
