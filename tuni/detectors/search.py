"""What a kind of detector is given when a search asks it for a suggestion.

Names of parameters and the order in which they are asked stand in the studies of homes: a study
goes on only where both are as they were.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from tuni.features.family import LESS_PARTS, Column
from tuni.features.registry import family_named, family_of
from tuni.features.spec import FeatureSpec

T = TypeVar("T", bound=bool | int | float | str)

# Raised where studies are asked otherwise: one that was begun before is not gone on with.
SPACE_REVISION = 3
_ADDED_FIRST = ("jacobian", "noise", "hidden", "geometry")  # other families follow


class Ask(Protocol):
    """Where the values of a suggestion come from: Optuna in a search, a table in a test."""

    def choice(self, name: str, options: Sequence[T]) -> T:
        """One of some options."""
        ...

    def number(
        self, name: str, low: float, high: float, *, log: bool = False, step: float | None = None
    ) -> float:
        """A number in [low, high]; ``log``: evenly by its logarithm."""
        ...

    def whole(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """A whole number in [low, high]."""
        ...


@dataclass(frozen=True, slots=True)
class Search:
    """A suggestion in the making.

    Attributes:
        ask: Gives the values.
        features: Which features there are.
        gibberish: How many gibberish texts there are.
        less_parts: Whether what parts of texts add is taken from the score, and so from vectors.
    """

    ask: Ask
    features: FeatureSpec
    gibberish: int
    less_parts: bool = False

    @property
    def directed(self) -> list[str]:
        """One-dimensional columns of which higher is known to be nearer to "trained on"."""
        return [name for name, column in self._columns.items() if column.directed]

    @property
    def _columns(self) -> dict[str, Column]:
        return {
            column.name: column
            for name, spec in self.features.families.items()
            for column in family_named(name).columns(spec)
        }

    def factored(self, *columns: str) -> tuple[str, ...]:
        """The columns, each less its parts, or less a suggested share of its neighbours' if any.

        Numbers keep what their parts add: of them it is taken once, from the score.
        """
        return tuple(self._factored(name) for name in columns)

    def _factored(self, column: str) -> str:
        if self.less_parts and self.is_wide(column):
            return column + LESS_PARTS
        if not family_named(family_of(column)).neighbours:
            return column
        factor = self._factor()
        return f"{column}~{factor:g}" if factor else column

    def _factor(self) -> float:
        return self.ask.number("lambda", 0.0, 0.5, step=0.125)

    def addends(self) -> tuple[str, ...]:
        """Directed columns that a sum adds, at most one of each family, as `factored`."""
        offers = sum_offers(self.features)
        chosen = [options[self.ask.choice(name, list(options))] for name, options in offers.items()]
        columns = [column for column in chosen if column is not None]
        if columns:
            self._factor()  # asked for columns without neighbours too: studies have it so
        return self.factored(*columns)

    def inputs(self) -> tuple[str, ...]:
        """Columns that a detector of vectors reads, side by side."""
        offers = {
            inputs.name: inputs
            for name, spec in self.features.families.items()
            for inputs in family_named(name).inputs(spec)
        }
        names = list(offers)
        names.insert(1, "directed")  # where studies in homes have it
        chosen = self.ask.choice("inputs", names)
        if chosen == "directed":
            return self.factored(*(name for name in self.directed if not is_costly(name)))
        options = offers[chosen].options
        asks = offers[chosen].asks
        option = next(iter(options)) if asks is None else self.ask.choice(asks, list(options))
        return self.factored(*options[option])

    def is_wide(self, column: str) -> bool:
        """Whether a column, also one less parts or neighbours, is as wide as the model."""
        return self._columns[column.partition("~")[0].removesuffix(LESS_PARTS)].wide


def is_costly(column: str) -> bool:
    """Whether a column exists for a few null texts alone."""
    return family_named(family_of(column)).effort == "high"


def sum_offers(features: FeatureSpec) -> dict[str, dict[bool | str, str | None]]:
    """What a sum may add: by parameter, the column of each option; the first option is none."""
    offers: dict[str, dict[bool | str, str | None]] = {}
    names = [name for name in _ADDED_FIRST if name in features.families]
    for name in (*names, *(name for name in features.families if name not in names)):
        family = family_named(name)
        columns = [c.name for c in family.columns(features.families[name]) if c.directed]
        if family.addend is None or not columns:
            continue
        options: dict[bool | str, str | None] = {False: None, True: columns[0]}
        if len(columns) > 1:
            options = {"none": None, **{column: column for column in columns}}
        offers[f"sum.{family.addend}"] = options
    return offers
