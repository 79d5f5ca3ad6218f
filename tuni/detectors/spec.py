"""What a detector is: a frozen, hashed spec.

The one law: everything that decides a fit stands in here, apart from the nulls and the seed.
No library is loaded: settings and bundles speak of specs too.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from tuni.detectors.model import (
    MAX_COLUMNS,
    MAX_DEPTH,
    MAX_PARTS,
    corrected_columns,
    needed_columns,
)
from tuni.detectors.registry import kind_named
from tuni.errors import RequestError
from tuni.features.registry import family_of
from tuni.hashing import canonical_json, digest

Null = Literal["gibberish", "decoy"]
NULLS: tuple[Null, ...] = ("decoy", "gibberish")
MIN_ROWS = 20  # ours: below it no mean, quantile or neighbourhood means anything


@dataclass(frozen=True, slots=True)
class DetectorSpec:
    """Everything that decides a fit, apart from the nulls and the seed.

    Attributes:
        kind: Name of what it computes; see docs/method.md.
        columns: Columns of a feature table, ``base``, ``base~factor`` or ``base.less_parts``; none
            for joins.
        null: What it is fitted on; for joins, what their scales or thresholds come from.
        null_count: Use the first so many rows of the fit null; None is all.
        params: Numbers of the kind by name; those left out take their default.
        parts: What a join of detectors joins, such as a sum.
        guard: Cap the score of a text whose ``hidden.norm`` is below the decoys' median at
            the decoys' median score: a text that the model knows less than it knows strangers
            is no evidence, however far it lies from them (ours).
        less_parts: Take from the whole score what the parts of a text add to it, as the decoys of
            its list tell, so that nobody is judged by a surname (ours). Not for parts of a join.
    """

    kind: str
    columns: tuple[str, ...] = ()
    null: Null = "decoy"
    null_count: int | None = None
    params: tuple[tuple[str, float], ...] = ()
    parts: tuple["DetectorSpec", ...] = ()
    guard: bool = False
    less_parts: bool = False

    def __post_init__(self) -> None:
        """Refuse what could not be fitted.

        Raises:
            RequestError: An unknown kind or number, a number out of range, a join with columns
                or without parts, another kind with parts or without columns.
        """
        _check_spec(self)

    @property
    def numbers(self) -> dict[str, float]:
        """All numbers of the kind, defaults filled in."""
        return kind_named(self.kind).defaults | {name: float(value) for name, value in self.params}

    @property
    def needed(self) -> frozenset[str]:
        """Names of all table columns that the fitted detector reads."""
        return needed_columns(self.kind, self.columns, self.parts, guarded=self.guard)

    @property
    def corrected(self) -> frozenset[str]:
        """Names of the extracted columns of which it reads what the texts' parts leave."""
        return corrected_columns(self.needed)

    @property
    def families(self) -> frozenset[str]:
        """Names of the feature families that the fitted detector reads."""
        return frozenset(family_of(name) for name in self.needed)

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
        return digest(_to_dict(self))

    def to_json(self) -> str:
        """Canonical JSON with every number written out; `from_json` gives back its equal."""
        return canonical_json(_to_dict(self))

    @classmethod
    def from_json(cls, text: str) -> "DetectorSpec":
        """Read what `to_json` wrote.

        Raises:
            RequestError: Not such a JSON.
        """
        try:
            return _from_dict(json.loads(text))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise RequestError(
                f"detector spec: cannot be read ({type(error).__name__})",
                "use a spec written by this version of tuni",
            ) from error


def _check_spec(spec: DetectorSpec) -> None:
    kind = kind_named(spec.kind)
    if spec.null not in NULLS:
        refuse_spec(f"null: got {spec.null!r}", f"one of {', '.join(NULLS)}")
    if spec.null_count is not None and not int(spec.null_count) >= MIN_ROWS:
        refuse_spec(f"null_count: got {spec.null_count}", f"at least {MIN_ROWS}, or none")
    for name, value in spec.params:
        if name not in kind.params:
            known = ", ".join(kind.params) or "none"
            refuse_spec(f"{spec.kind}: unknown number {name!r}", f"one of {known}")
        least, most = kind.params[name].least, kind.params[name].most
        if not least <= value <= most:
            refuse_spec(f"{spec.kind}.{name}: got {value:g}", f"a number in [{least:g}, {most:g}]")
    if len({name for name, _ in spec.params}) < len(spec.params):
        refuse_spec(f"{spec.kind}: a number is given twice", "each once")
    joins = kind.reads == "parts"
    if joins != bool(spec.parts) or joins == bool(spec.columns):
        refuse_spec(f"{spec.kind}: columns and parts", f"{kind.reads} alone")
    if len(spec.columns) > (1 if kind.reads == "column" else MAX_COLUMNS):
        refuse_spec(f"{spec.kind}: got {len(spec.columns)} columns", "fewer")
    if len(spec.parts) > MAX_PARTS // 2 or _depth(spec) > MAX_DEPTH:
        refuse_spec(f"{spec.kind}: too many or too deep parts", "a flatter spec")
    if any(part.less_parts for part in spec.parts):
        refuse_spec("less_parts: asked of a part", "it of the whole detector")
    if spec.less_parts and kind.votes:
        refuse_spec(f"{spec.kind}: less_parts of votes", "it of another kind")
    if kind.check_spec is not None:
        kind.check_spec(spec)


def _depth(spec: DetectorSpec) -> int:
    return 1 + max((_depth(part) for part in spec.parts), default=0)


def refuse_spec(problem: str, expected: str) -> NoReturn:
    """Refuse a spec for one reason.

    Raises:
        RequestError: Always.
    """
    raise RequestError(f"detector {problem}", f"expected {expected}")


def _to_dict(spec: DetectorSpec) -> dict[str, Any]:  # Any: JSON
    return {
        "kind": spec.kind,
        "columns": list(spec.columns),
        "null": spec.null,
        "null_count": spec.null_count,
        "params": spec.numbers,
        "parts": [_to_dict(part) for part in spec.parts],
        "guard": spec.guard,
        # Younger than kept specs: where it is not asked for, hashes stay as they were.
        **({"less_parts": True} if spec.less_parts else {}),
    }


def _from_dict(value: Mapping[str, Any]) -> DetectorSpec:  # Any: JSON
    return DetectorSpec(
        kind=value["kind"],
        columns=tuple(str(name) for name in value["columns"]),
        null=value["null"],
        null_count=value["null_count"],
        params=tuple(sorted((str(name), float(x)) for name, x in value["params"].items())),
        parts=tuple(_from_dict(part) for part in value["parts"]),
        guard=bool(value["guard"]),
        less_parts=bool(value.get("less_parts", False)),
    )
