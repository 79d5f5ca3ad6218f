"""What a detector is: a frozen, hashed spec, and the specs that are there by default.

The one law: everything that decides a fit stands in here, apart from the nulls and the seed.
No library is loaded: settings and bundles speak of specs too.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, get_args

from tuni.detectors.model import MAX_COLUMNS, MAX_DEPTH, MAX_PARTS, base_columns
from tuni.errors import RequestError
from tuni.hashing import canonical_json, digest

Kind = Literal[
    "feature",
    "pair_residual",
    "sum",
    "vote",
    "isolation_forest",
    "lof",
    "ocsvm",
    "mahalanobis",
    "knn",
    "autoencoder",
]
Null = Literal["gibberish", "decoy"]
MIN_ROWS = 20  # ours: below it no mean, quantile or neighbourhood means anything

# (default, least, most) of every number of every kind; all defaults are ours, not the paper's
PARAMS: Mapping[str, Mapping[str, tuple[float, float, float]]] = {
    "feature": {"sign": (1.0, -1.0, 1.0)},
    "pair_residual": {"ridge": (0.5, 1e-6, 1e6), "spread": (0.3, 0.0, 1e3)},
    "sum": {},
    "vote": {"alpha": (0.05, 1e-4, 0.5), "needed": (1.0, 1.0, float(MAX_PARTS))},
    "isolation_forest": {
        "trees": (100.0, 1.0, 1_000.0),
        "samples": (256.0, 8.0, 4_096.0),
        "dims": (0.0, 0.0, 4_096.0),
    },
    "lof": {"neighbours": (20.0, 1.0, 500.0), "dims": (0.0, 0.0, 4_096.0)},
    "ocsvm": {
        "nu": (0.1, 0.001, 0.9),
        "gamma": (1.0, 1e-3, 1e3),
        "dims": (0.0, 0.0, 4_096.0),
    },
    "mahalanobis": {
        "shrinkage": (0.9, 0.0, 1.0),
        "robust": (0.0, 0.0, 1.0),
        "dims": (0.0, 0.0, 4_096.0),
    },
    "knn": {"neighbours": (10.0, 1.0, 500.0), "dims": (0.0, 0.0, 4_096.0)},
    "autoencoder": {
        "width": (64.0, 1.0, 1_024.0),
        "bottleneck": (8.0, 1.0, 512.0),
        "epochs": (200.0, 1.0, 5_000.0),
        "learning_rate": (0.01, 1e-5, 1.0),
        "dims": (0.0, 0.0, 4_096.0),
    },
}


@dataclass(frozen=True, slots=True)
class DetectorSpec:
    """Everything that decides a fit, apart from the nulls and the seed.

    Attributes:
        kind: What it computes; see docs/method.md.
        columns: Columns of a feature table, ``base`` or ``base~factor``; none for joins.
        null: What it is fitted on; for a vote, what its thresholds come from.
        null_count: Use the first so many rows of the fit null; None is all.
        params: Numbers of the kind by name, see `PARAMS`; those left out take their default.
        parts: What a sum adds or a vote asks.
        guard: Cap the score of a text whose ``hidden.norm`` is below the decoys' median at
            the decoys' median score: a text that the model knows less than it knows strangers
            is no evidence, however far it lies from them (ours).
    """

    kind: Kind
    columns: tuple[str, ...] = ()
    null: Null = "decoy"
    null_count: int | None = None
    params: tuple[tuple[str, float], ...] = ()
    parts: tuple["DetectorSpec", ...] = ()
    guard: bool = False

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
        defaults = {name: bounds[0] for name, bounds in PARAMS[self.kind].items()}
        return defaults | {name: float(value) for name, value in self.params}

    @property
    def needed(self) -> frozenset[str]:
        """Names of all table columns that the fitted detector reads."""
        names = {name for part in self.parts for name in part.needed}
        for name in self.columns:
            names |= base_columns(name, self.kind == "pair_residual")
        return frozenset(names | ({"hidden.norm"} if self.guard else set()))

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
    if spec.kind not in get_args(Kind):
        _bad(f"kind: got {spec.kind!r}", f"one of {', '.join(get_args(Kind))}")
    if spec.null not in get_args(Null):
        _bad(f"null: got {spec.null!r}", f"one of {', '.join(get_args(Null))}")
    if spec.null_count is not None and not int(spec.null_count) >= MIN_ROWS:
        _bad(f"null_count: got {spec.null_count}", f"at least {MIN_ROWS}, or none")
    known = PARAMS[spec.kind]
    for name, value in spec.params:
        if name not in known:
            _bad(f"{spec.kind}: unknown number {name!r}", f"one of {', '.join(known) or 'none'}")
        _, least, most = known[name]
        if not least <= value <= most:
            _bad(f"{spec.kind}.{name}: got {value:g}", f"a number in [{least:g}, {most:g}]")
    if len({name for name, _ in spec.params}) < len(spec.params):
        _bad(f"{spec.kind}: a number is given twice", "each once")
    if spec.kind == "feature" and abs(spec.numbers["sign"]) != 1:
        _bad("feature.sign: got another number", "1 or -1")
    joins = spec.kind in ("sum", "vote")
    if joins != bool(spec.parts) or joins == bool(spec.columns):
        _bad(f"{spec.kind}: columns and parts", "parts for a sum or vote, columns for all others")
    single = spec.kind in ("feature", "pair_residual")
    if len(spec.columns) > (1 if single else MAX_COLUMNS):
        _bad(f"{spec.kind}: got {len(spec.columns)} columns", "one" if single else "fewer")
    if len(spec.parts) > MAX_PARTS // 2 or _depth(spec) > MAX_DEPTH:
        _bad(f"{spec.kind}: too many or too deep parts", "a flatter spec")
    if spec.kind == "vote" and spec.numbers["needed"] > len(spec.parts):
        _bad("vote.needed: more votes than parts", f"at most {len(spec.parts)}")


def _depth(spec: DetectorSpec) -> int:
    return 1 + max((_depth(part) for part in spec.parts), default=0)


def _bad(problem: str, expected: str) -> NoReturn:
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
    )


DEFAULT_T = DetectorSpec("pair_residual", ("hidden.0",), params=(("ridge", 0.5), ("spread", 0.3)))
DEFAULT_H = DetectorSpec(
    "sum", parts=(DEFAULT_T, DetectorSpec("feature", ("jacobian_relative~0.375",)))
)
SINGLE = DetectorSpec(
    "sum",
    parts=(
        DetectorSpec("mahalanobis", ("hidden.0",), params=(("shrinkage", 1.0),), guard=True),
        DetectorSpec("feature", ("jacobian_relative",)),
    ),
)
_INVERTED = ("inversion.S", "inversion.D_rms")
PAPER = DetectorSpec(  # arXiv 2405.14517: several detectors on S and D vote; every number is ours
    "vote",
    null="gibberish",
    params=(("alpha", 0.05), ("needed", 2.0)),
    parts=(
        DetectorSpec("isolation_forest", _INVERTED, null="gibberish"),
        DetectorSpec("lof", _INVERTED, null="gibberish"),
        DetectorSpec("ocsvm", _INVERTED, null="gibberish"),
        DetectorSpec("mahalanobis", _INVERTED, null="gibberish", params=(("robust", 1.0),)),
    ),
)
