"""What a kind of detector owes to fits, bundles, scores, searches and pages: `DetectorKind`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # these need the registry, and the registry needs this module
    from tuni.detectors.model import ArrayModel
    from tuni.detectors.search import Search
    from tuni.detectors.spec import DetectorSpec

Floats = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]  # Any: float64, and int32 where a kind says so
Fitted = tuple[Mapping[str, float], Arrays]  # numbers and arrays of a fitted model
Fit = Callable[[Sequence[Floats], Mapping[str, float], int], Fitted]  # inputs, numbers, seed
Numbers = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a kind, in [least, most]; every default and bound is ours, not the paper's."""

    default: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Voter:
    """How a kind votes in a search.

    Attributes:
        place: Voters are suggested in ascending order of it.
        narrow: Numbers on a few one-dimensional columns.
        wide: Numbers on hidden states.
    """

    place: int
    narrow: Numbers = ()
    wide: Numbers = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorKind:
    """One kind of detector: a light file that makes this value, and a heavy one that fits.

    The light file loads NumPy alone, since bundles are scored where neither scikit-learn nor
    torch is installed. The heavy file holds a `Fit` called ``fit``.

    ``inputs`` of a fit and of a score are what ``reads`` says: one float64 array of shape (n, d)
    for each column, with ``neighbours`` followed by its means over other last and other first
    names; or the scores of each part, shape (n,). A score runs block by block over a list, so a
    row's score depends on that row alone.

    A kind promises (tests/conformance holds each registered one to it): higher scores are nearer
    to "trained on"; equal seeds give equal bytes; what ``check`` accepts can be scored without a
    crash, an endless loop or a read outside an array, whoever wrote the arrays.

    Attributes:
        name: Lower-case letters, digits and underscores; stands in specs and bundles.
        words: What people call it, such as ``"kNN distance"``.
        reads: One column, several, or the scores of parts.
        neighbours: Whether the means over a column's neighbours are read besides.
        params: Numbers of a spec by name.
        fits: Module of the fit; None where there is nothing to fit, and the numbers of the spec
            are those of the model.
        model_numbers: Names of the numbers of a fitted model; all are finite before ``check``.
        whole: Names of the arrays that are int32; all others are float64 and finite.
        check: Refuses, with `tuni.detectors.checks`, a model that cannot be scored safely.
        score: Scores of a checked model, shape (n,); NaN where an input overflowed.
        suggest: One suggestion of a search; None where the values asked for make no detector.
            None instead of the function: no search offers the kind.
        check_spec: Refuses a spec of the kind for what bounds of single numbers cannot say.
        describe: A spec in one line, given that of each part; None names columns and null.
        voter: How it votes in a search; None where it does not.
        votes: Whether scores are shares of votes, from which nothing can be taken.
        most_rows: Rows of the null that a search fits on at most: bounds the time of a trial where
            a score costs a pass over all fitted rows (ours).
    """

    name: str
    words: str
    reads: Literal["column", "columns", "parts"]
    check: Callable[["ArrayModel"], None]
    score: Callable[["ArrayModel", Sequence[Floats]], Floats]
    suggest: Callable[["Search"], "DetectorSpec | None"] | None
    fits: str | None
    neighbours: bool = False
    params: Mapping[str, Number] = field(default_factory=dict)
    model_numbers: tuple[str, ...] = ()
    whole: frozenset[str] = frozenset()
    check_spec: Callable[["DetectorSpec"], None] | None = None
    describe: Callable[["DetectorSpec", Sequence[str]], str] | None = None
    voter: Voter | None = None
    votes: bool = False
    most_rows: int | None = None

    @property
    def defaults(self) -> dict[str, float]:
        """Default of each number of a spec."""
        return {name: number.default for name, number in self.params.items()}
