"""What is extracted: the frozen feature spec, its canonical JSON and its hash.

The one law: everything that moves a feature stands in here, so that equal hashes (and equal
checkpoints) mean equal features. No torch: a bundle carries a spec and must load without it.
"""

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from types import MappingProxyType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from tuni.errors import SpecMismatch
from tuni.features.families.hidden import HiddenSpec
from tuni.features.families.jacobian import JacobianSpec
from tuni.features.families.noise import NoiseSpec
from tuni.features.registry import Family, by_family, family_named
from tuni.hashing import canonical_json, digest
from tuni.texts.kind import NeighbourParts

S = TypeVar("S")

# These stand in the JSON even where they are absent, as null: every bundle and hash has them so.
_ALWAYS_WRITTEN = ("hidden", "noise", "jacobian", "geometry", "inversion")
_OWN_KEYS = ("parts", "precision", "batch")
NAME = "name"

# What a bundle may make its reader compute: the most that each number of a spec may be, far above
# what any request can ask for.
_MOST = {"batch": 4096, "neighbours": 64, "directions": 512, "draws": 512, "restarts": 64}
_MOST_OF_OTHERS = 4096
_LEAST = {"neighbours": 0}
_MOST_PROMPTS, _LONGEST_PROMPT = 128, 1000


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """All that moves a feature, apart from the checkpoint itself.

    Attributes:
        parts: Neighbour parts by stratum; the entry with stratum ``"*"`` serves all others.
        precision: Floating-point type of the forward passes.
        batch: Sequences per forward pass; part of the spec because it moves last bits.
        families: Spec of each family that is extracted, by name, as `by_family` gives them; held
            in the order of `tuni.features.registry.families`.
        kind: Kind of the texts, which says what their neighbours are.
    """

    parts: tuple[NeighbourParts, ...]
    precision: Literal["fp32", "bf16"] = "fp32"
    batch: int = 256
    families: Mapping[str, Any] = field(  # Any: each family has a spec of its own class
        default_factory=lambda: by_family(HiddenSpec(), NoiseSpec(), JacobianSpec())
    )
    kind: str = NAME

    def __post_init__(self) -> None:
        """Refuse unknown families, and bring the others into one order.

        Raises:
            SpecMismatch: A name is of no family, or a spec is not of its family's class.
        """
        for name, spec in self.families.items():
            if type(spec) is not family_named(name).spec:
                raise SpecMismatch(
                    f"feature spec: {name} is a {type(spec).__name__}",
                    f"give a {family_named(name).spec.__name__}",
                )
        first = [name for name in _ALWAYS_WRITTEN if name in self.families]
        names = (*first, *sorted(set(self.families) - set(first)))
        ordered = MappingProxyType({name: self.families[name] for name in names})
        object.__setattr__(self, "families", ordered)

    def of(self, kind: type[S]) -> S | None:
        """The spec of the family whose specs are of one class; None where it is not extracted."""
        return next((spec for spec in self.families.values() if isinstance(spec, kind)), None)

    def only(self, names: Collection[str]) -> "FeatureSpec":
        """The spec without the families that are not named."""
        left = {name: spec for name, spec in self.families.items() if name in names}
        return replace(self, families=left)

    @property
    def prompts(self) -> tuple[str, ...]:
        """Every template of the spec, each once."""
        every = (family_named(name).prompts(spec) for name, spec in self.families.items())
        return tuple(dict.fromkeys(prompt for prompts in every for prompt in prompts))

    @property
    def bank_digest(self) -> str | None:
        """Digest of the bank that a family reads; None where none does."""
        for name, spec in self.families.items():
            if family_named(name).reads_bank and spec.bank_digest is not None:
                return str(spec.bank_digest)
        return None

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
        return digest(self._to_dict())

    def family_hash(self, name: str) -> str:
        """Hash of all that moves the columns of one family, for cache keys."""
        family = family_named(name)
        return digest(
            {
                "family": name,
                "spec": _written(family, self.families[name]),
                "parts": [asdict(entry) for entry in self.parts],
                "precision": self.precision,
                "batch": self.batch,
                "revision": family.revision,
                **self._kind_key(),
            }
        )

    def to_json(self) -> str:
        """Canonical JSON; `from_json` gives back an equal spec."""
        return canonical_json(self._to_dict())

    def _to_dict(self) -> dict[str, Any]:  # Any: JSON
        return {
            "parts": [asdict(entry) for entry in self.parts],
            "precision": self.precision,
            "batch": self.batch,
            **dict.fromkeys(_ALWAYS_WRITTEN),
            **{name: _written(family_named(name), spec) for name, spec in self.families.items()},
            **self._kind_key(),
        }

    def _kind_key(self) -> dict[str, str]:
        # Specs were written for names alone, before there were other kinds.
        return {} if self.kind == NAME else {"kind": self.kind}

    @classmethod
    def from_json(cls, text: str) -> "FeatureSpec":
        """Read what `to_json` wrote; families that it does not name are not extracted.

        Raises:
            SpecMismatch: Not such a JSON: a family is unknown, or a key is missing, unknown, of
                another type or beyond what any request can ask for.
        """
        try:
            content = dict(json.loads(text))
            hints = get_type_hints(cls)
            own = {key: _bounded(key, _build(hints[key], content.pop(key))) for key in _OWN_KEYS}
            kind = str(content.pop("kind", NAME))
            named = {name: family_named(name) for name in content}
            read = {
                name: _read(family, content[name])
                for name, family in named.items()
                if content[name] is not None
            }
        except (ValueError, TypeError, KeyError) as error:
            raise SpecMismatch(
                f"feature spec: cannot be read ({type(error).__name__})",
                "use a bundle written by this version of tuni",
            ) from error
        return cls(**own, families=read, kind=kind)


def _written(family: Family, spec: Any) -> dict[str, Any]:  # Any: the family's spec; JSON
    return {**asdict(spec), **family.fixed}


def _read(family: Family, value: Any) -> Any:  # Any: JSON; the family's spec
    if any(value[key] != fixed for key, fixed in family.fixed.items()):
        raise ValueError
    varying = {key: item for key, item in dict(value).items() if key not in family.fixed}
    return _build(family.spec, varying)


def _bounded(name: str, value: Any) -> Any:  # Any: a field of a spec
    """The value, unless it would make whoever scores by it compute for hours."""
    if type(value) is int and name != "seed":
        if not _LEAST.get(name, 1) <= value <= _MOST.get(name, _MOST_OF_OTHERS):
            raise ValueError(value)
    elif type(value) is float and not math.isfinite(value):
        raise ValueError(value)
    elif name.endswith(("prompt", "prompts")):
        prompts = value if isinstance(value, tuple) else (value,)
        if not 0 < len(prompts) <= _MOST_PROMPTS or not all(
            prompt.count("{}") == 1 and len(prompt) <= _LONGEST_PROMPT for prompt in prompts
        ):
            raise ValueError(name)
    return value


def _build(kind: Any, value: Any) -> Any:  # Any: walks over arbitrary annotations
    """Rebuild frozen dataclasses and tuples from plain JSON values."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        if value is None:
            return None
        return _build(next(arg for arg in get_args(kind) if arg is not type(None)), value)
    if origin is tuple:
        return tuple(_build(get_args(kind)[0], item) for item in value)
    if origin is Literal:
        if value not in get_args(kind):
            raise ValueError(value)
        return value
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        names = {field.name for field in fields(kind)}
        if set(value) != names:
            raise KeyError(*(set(value) ^ names))
        return kind(**{name: _bounded(name, _build(hints[name], value[name])) for name in names})
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TypeError(kind)
    return value
