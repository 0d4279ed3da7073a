"""What two tables of one release tell together: small differences, slices, and cells that one withholds and another shows (D3, D14, D20)."""

from itertools import combinations, permutations

from seqsae.disclosure.policy import Policy
from seqsae.exports.audit.findings import Notes
from seqsae.exports.audit.manifest import DataSet
from seqsae.exports.audit.values import number, plain


def check_unions(datasets: list[DataSet], policy: Policy, notes: Notes) -> None:
    """Cells of the same labels, in two data sets that count the same, are either equal or far apart."""
    if policy.public:
        return
    cells = [(one, name, _cells(one, name)) for one in datasets for name in one.of_role("count")]
    for (first, name, here), (second, other, there) in combinations(cells, 2):
        if first is not second and name == other and set(first.of_role("label")) == set(second.of_role("label")):
            for label in here.keys() & there.keys():
                _pair((first, name, here[label]), (second, other, there[label]), policy, notes)
    for (first, name, here), (second, other, there) in permutations(cells, 2):
        if first.id != second.id and name == other and _finer(first, second):
            _inside((first, name, here), there, policy, notes)


def _cells(dataset: DataSet, name: str) -> dict[tuple, tuple[int, float | None]]:
    """Labels to the row and the count; none where the labels do not tell rows apart."""
    labels = sorted(dataset.of_role("label"))
    found: dict[tuple, tuple[int, float | None]] = {}
    for at, row in enumerate(dataset.rows or ()):
        key = tuple((label, plain(row[label])) for label in labels)
        if key in found:
            return {}
        found[key] = at, number(row[name])
    return found


def _pair(first: tuple, second: tuple, policy: Policy, notes: Notes) -> None:
    (one, name, (_, here)), (other, _, (row, there)) = first, second
    place = other.place(row, name)
    if (here is None) != (there is None) and one.slice == other.slice:
        hidden, shown = (one, other) if here is None else (other, one)
        what = f"{shown.id} shows a count that {hidden.id} withholds"
        notes.against("D3", place, what, "withhold it in both")
    elif here is not None and there is not None and 0 < abs(here - there) < policy.min_subjects:
        rule = "D20" if one.slice or other.slice else "D14"
        what = f"differs by {abs(here - there):g} from the same cell of {one.id}, below {policy.min_subjects}"
        notes.against(rule, place, what, "withhold one of the two tables")


def _finer(first: DataSet, second: DataSet) -> bool:
    """Whether the first divides the cells of the second by one label more."""
    more = set(first.of_role("label")) - set(second.of_role("label"))
    return (
        len(more) == 1 and set(second.of_role("label")) < set(first.of_role("label")) and bool(second.of_role("label"))
    )


def _inside(fine: tuple, coarse: dict, policy: Policy, notes: Notes) -> None:
    """What a part leaves out of its whole is a count (D2); only where every cell is a part of the other table's."""
    dataset, name, cells = fine
    pairs = []
    for label, (at, part) in cells.items():
        whole = next((coarse[some] for some in _without_one(label) if some in coarse), (0, None))[1]
        if part is not None and whole is not None:
            pairs.append((at, part, whole))
    if all(part <= whole for _, part, whole in pairs):
        for at, part, whole in pairs:
            if 0 < whole - part < policy.min_subjects:
                what = f"leaves {whole - part:g} out of the {whole:g} that another table tells, below {policy.min_subjects}"
                notes.against("D2", dataset.place(at, name), what, "withhold the row, or show the whole in both")


def _without_one(label: tuple) -> list[tuple]:
    return [label[:place] + label[place + 1 :] for place in range(len(label))]
