"""What a job refuses before work begins, beside what reading its files refuses."""

from pathlib import Path

from tuni.errors import RequestError, TooFewTexts
from tuni.features.spec import FeatureSpec
from tuni.judging.fits import too_long
from tuni.judging.null import decoys_needed
from tuni.lists.csv_rows import Wrong
from tuni.lists.labelled import read_subjects
from tuni.model.target import Target
from tuni.texts.names import parse_name

LEAST_LABELS = 20  # of each kind, for the objective 'labelled' (ours)
LEAST_LISTED = 40  # for the objective 'label-free' (ours)


def require_readable(path: Path, target: Target, spec: FeatureSpec, *, full: bool) -> None:
    """Refuse a table with texts that the model cannot read whole, by line.

    Args:
        path: CSV with a column ``text``.
        target: The audited checkpoint.
        spec: What will be extracted.
        full: Whether every text must have two parts, as decoys have.

    Raises:
        TextError: There are such lines; the first five are named.
    """
    table = read_subjects(path)
    reasons = too_long(target, table.texts, spec)
    if full:
        reasons |= {
            row: "one part only, decoys are full names"
            for row, text in enumerate(table.texts)
            if not parse_name(text).last
        }
    wrong = Wrong(path.name, "mend these lines, or leave them out")
    for row, reason in sorted(reasons.items()):
        wrong.add(table.lines[row], reason)
    wrong.refuse()


def require_reachable(operating_point: float, decoys: int) -> None:
    """Refuse an operating point that no p-value against so few decoys could fall to.

    Raises:
        TooFewTexts: There are too few calibration decoys.
    """
    needed = decoys_needed(operating_point)
    if decoys < needed:
        raise TooFewTexts(
            f"operating_point: {operating_point:g} needs {needed} calibration decoys, "
            f"there are {decoys}",
            "raise nulls.decoy_calibration, give more names, or a larger operating_point",
        )


def chosen_objective(asked: str, members: int, nonmembers: int, listed: int) -> str:
    """What the search maximises; ``"none"`` where there is nothing to search on.

    Args:
        asked: The request's word.
        members: Labelled members with full names.
        nonmembers: Labelled non-members with full names.
        listed: Full names of the list that are not labelled.

    Raises:
        RequestError: There are too few texts for the objective asked.
    """
    if asked == "labelled" and min(members, nonmembers) < LEAST_LABELS:
        raise RequestError(
            f"search.objective: 'labelled' needs {LEAST_LABELS} members and {LEAST_LABELS} "
            f"non-members with full names in subjects.labelled, it has {members} and {nonmembers}",
            "add labels, or take 'label-free' with a list, or leave 'auto'",
        )
    if asked == "label-free" and listed < LEAST_LISTED:
        raise RequestError(
            f"search.objective: 'label-free' needs {LEAST_LISTED} full names in subjects.list "
            f"that are not labelled, it has {listed}",
            "give a longer list, or leave 'auto'",
        )
    if asked != "auto":
        return asked
    if min(members, nonmembers) >= LEAST_LABELS:
        return "labelled"
    return "label-free" if listed >= LEAST_LISTED else "none"
