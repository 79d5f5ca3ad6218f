"""The fit of a detector on nulls, exported as plain arrays.

The one law: a detector never sees a tested or labelled text. It is fitted on gibberish or on
decoys, and whatever is a threshold or a scale comes from texts that it was not fitted on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tuni.detectors.kind import Floats
from tuni.detectors.model import GUARD, ArrayModel
from tuni.detectors.registry import fit_of, kind_named
from tuni.detectors.score import Table, column, read_columns, score
from tuni.detectors.spec import MIN_ROWS, DetectorSpec, Null
from tuni.errors import TooFewTexts, UnusableScores
from tuni.hashing import derive_seed


@dataclass(frozen=True, slots=True, eq=False)
class Nulls:
    """Features of texts that were not trained on, in four disjoint sets.

    Columns of one table may differ in their number of rows: a costly column may exist for
    the first rows only. A detector uses the rows that all its columns have.

    Attributes:
        gibberish_fit: Random texts to fit on.
        gibberish_scale: Random texts for thresholds.
        decoy_fit: Plausible texts to fit on.
        decoy_scale: Plausible texts for z-scores, guards and thresholds.
    """

    gibberish_fit: Table
    gibberish_scale: Table
    decoy_fit: Table
    decoy_scale: Table

    def fit_rows(self, null: Null) -> Table:
        """The table that detectors of one null are fitted on."""
        return self.gibberish_fit if null == "gibberish" else self.decoy_fit

    def scale_rows(self, null: Null) -> Table:
        """The table that thresholds of one null come from."""
        return self.gibberish_scale if null == "gibberish" else self.decoy_scale


def fit_detector(spec: DetectorSpec, nulls: Nulls, seed: int) -> ArrayModel:
    """Fit a detector and export it.

    Args:
        spec: What to fit.
        nulls: Tables that hold at least the columns of ``spec.needed``.
        seed: Of the kinds that draw; equal seeds give equal arrays, bit for bit.

    Returns:
        A model that `tuni.detectors.score.score` takes.

    Raises:
        TooFewTexts: A set has fewer than `MIN_ROWS` rows, or fewer than the threshold needs.
        SpecMismatch: A table lacks a column.
        UnusableScores: A feature is not finite.
        RequestError: The kind's module has no fit.
    """
    model = _fit(spec, nulls, seed)
    if not spec.guard:
        return model
    decoys = head(nulls.decoy_scale, spec.needed)
    _require_rows(decoys, "decoy_scale")
    guard = (
        float(np.median(column(decoys, "hidden.norm"))),
        float(np.median(score(model, decoys))),
    )
    return replace(model, params={**model.params, **dict(zip(GUARD, guard, strict=True))})


def fit_needs(spec: DetectorSpec) -> dict[str, frozenset[str]]:
    """The columns that `fit_detector` reads, by field of `Nulls`."""
    read = [fit_needs(part) for part in spec.parts]
    if fit_of(kind_named(spec.kind)) is not None:
        read.append({f"{spec.null}_{'scale' if spec.parts else 'fit'}": spec.needed})
    if spec.guard:
        read.append({"decoy_scale": spec.needed})
    return joined(*read)


def joined(*some: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """Columns by table of several such mappings together."""
    found: dict[str, frozenset[str]] = {}
    for needs in some:
        for name, columns in needs.items():
            found[name] = found.get(name, frozenset()) | columns
    return found


def head(table: Table, names: frozenset[str], count: int | None = None) -> Table:
    """The rows that all the named columns have, at most ``count`` of them.

    Columns that the table lacks are left out here and named by whoever reads them.
    """
    have = sorted(name for name in names if name in table)
    rows = min((len(table[name]) for name in have), default=0)
    return {name: table[name][: rows if count is None else min(rows, count)] for name in have}


def _fit(spec: DetectorSpec, nulls: Nulls, seed: int) -> ArrayModel:
    fit = fit_of(kind_named(spec.kind))
    if fit is None:
        return ArrayModel(spec.kind, spec.columns, spec.numbers)
    parts = tuple(
        fit_detector(part, nulls, derive_seed(seed, f"part {place}"))
        for place, part in enumerate(spec.parts)
    )
    if parts:
        inputs = [_scale_scores(spec.null, part, nulls) for part in parts]
    else:
        table = head(nulls.fit_rows(spec.null), spec.needed, spec.null_count)
        _require_rows(table, f"{spec.null}_fit")
        inputs = read_columns(spec.kind, spec.columns, table)
        _require_finite(inputs)
    params, arrays = fit(inputs, spec.numbers, seed)
    return ArrayModel(spec.kind, spec.columns, params, arrays, parts)


def _scale_scores(null: Null, part: ArrayModel, nulls: Nulls) -> Floats:
    table = head(nulls.scale_rows(null), part.needed)
    _require_rows(table, f"{null}_scale")
    return score(part, table)


def _require_rows(table: Table, name: str) -> None:
    rows = min((len(values) for values in table.values()), default=MIN_ROWS)
    if rows < MIN_ROWS:
        raise TooFewTexts(
            f"{name}: got {rows} texts, a detector needs at least {MIN_ROWS}",
            "ask for more texts of this null in [nulls]",
        )


def _require_finite(inputs: Sequence[Floats]) -> None:
    for values in inputs:
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(bad):
            raise UnusableScores(
                f"features of the fit null: not finite in {len(bad)} rows, first {bad[0]}",
                "extract the features again; if it stays, the checkpoint's weights are unsound",
            )
