"""What a kind of detector is given when a search asks it for a suggestion.

Names of parameters and the order in which they are asked stand in the studies of homes: a study
goes on only where both are as they were.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from tuni.features.spec import FeatureSpec

T = TypeVar("T", bound=bool | int | float | str)


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
    """

    ask: Ask
    features: FeatureSpec
    gibberish: int

    @property
    def directed(self) -> list[str]:
        """One-dimensional columns of which higher is known to be nearer to "trained on"."""
        return directed_columns(self.features)

    @property
    def layers(self) -> tuple[int, ...]:
        """Layers whose hidden states there are."""
        return self.features.hidden.layers if self.features.hidden else (0,)

    def factored(self, *columns: str) -> tuple[str, ...]:
        """The columns, each less a suggested share of its neighbours' where it has any."""
        return tuple(self._factored(name) for name in columns)

    def _factored(self, column: str) -> str:
        if not column.startswith(("hidden", "noise", "jacobian")):
            return column
        factor = self.ask.number("lambda", 0.0, 0.5, step=0.125)
        return f"{column}~{factor:g}" if factor else column

    def is_wide(self, column: str) -> bool:
        """Whether a column is as wide as the model."""
        return column.startswith(("hidden.0", "hidden.1", "geometry.embedding"))

    def is_costly(self, column: str) -> bool:
        """Whether a column exists for a few null texts alone."""
        return column.startswith("inversion")

    def addends(self) -> list[str]:
        """Directed columns that a sum adds, at most one of each family."""
        spec, ask = self.features, self.ask
        columns = []
        if spec.jacobian is not None:
            options = ["none", "jacobian_relative", "jacobian_absolute"]
            columns.append(ask.choice("sum.jacobian", options))
        if spec.noise is not None and ask.choice("sum.noise", [False, True]):
            columns.append("noise")
        if ask.choice("sum.norm", [False, True]):
            columns.append("hidden.norm")
        if spec.geometry is not None:
            columns.append(ask.choice("sum.geometry", ["none", *_geometry(spec)]))
        columns = [name for name in columns if name != "none"]
        if columns:
            self.ask.number("lambda", 0.0, 0.5, step=0.125)
        return columns

    def inputs(self) -> tuple[str, ...]:
        """Columns that a detector of vectors reads."""
        choices = ["hidden", "directed"]
        if self.features.geometry is not None:
            choices.append("embedding")
        if self.features.inversion is not None:
            choices += ["inversion", "inversion.curve"]
        chosen = self.ask.choice("inputs", choices)
        if chosen == "hidden":
            layer = self.ask.choice("hidden.layer", list(self.layers))
            return self.factored(f"hidden.{layer}")
        if chosen == "directed":
            return self.factored(*(c for c in self.directed if not c.startswith("inversion")))
        if chosen == "embedding":
            return ("geometry.embedding",)
        if chosen == "inversion":
            spread = self.ask.choice("inversion.spread", ["D_rms", "D_std", "D_cos"])
            return ("inversion.S", f"inversion.{spread}")
        return ("inversion.curve",)


def directed_columns(spec: FeatureSpec) -> list[str]:
    """One-dimensional features whose direction is known: higher is nearer to "trained on"."""
    names = ["hidden.norm"]
    if spec.noise is not None:
        names.append("noise")
    if spec.jacobian is not None:
        names += ["jacobian_relative", "jacobian_absolute"]
    names += _geometry(spec)
    if spec.inversion is not None:
        names.append("inversion.S")
    return names


def _geometry(spec: FeatureSpec) -> list[str]:
    if spec.geometry is None:
        return []
    names = ["geometry.consistency_8", "geometry.consistency_24"]
    if spec.geometry.bank_digest is not None:
        names += [f"geometry.bank_residual_{rank}" for rank in spec.geometry.bank_ranks]
        names += ["geometry.bank_max", "geometry.bank_mean", "geometry.bank_gap"]
    return names
