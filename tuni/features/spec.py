"""What is extracted: the frozen feature spec, its canonical JSON and its hash.

The one law: everything that moves a feature stands in here, so that equal hashes (and equal
checkpoints) mean equal features. No torch: a bundle carries a spec and must load without it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from tuni.errors import SpecMismatch
from tuni.hashing import canonical_json, digest
from tuni.texts.names import NeighbourParts

Family = Literal["hidden", "noise", "jacobian", "geometry", "inversion"]

# Plain caption-like prompts (ours): more or odder ones bring nothing to hidden states.
PLAIN_PROMPTS = ("{}", "a photo of {}", "a portrait of {}", "this is {}")


# Raised where the code moves a family's last bits, so that no cache mixes the two (1 if absent).
# 2: the image tower's own blocks.
_REVISIONS: Mapping[Family, int] = {"geometry": 2, "inversion": 2}


@dataclass(frozen=True, slots=True)
class HiddenSpec:
    """Residual stream at the end-of-text position, before the final layer norm (ours).

    Attributes:
        prompts: Templates whose hidden states are averaged; each holds ``{}`` once.
        layers: Blocks before the last one to read: 0 is after the last block, 1 the one before.
        neighbours: Other first and other last names per text, each this many.
    """

    prompts: tuple[str, ...] = PLAIN_PROMPTS
    layers: tuple[int, ...] = (0, 1)
    neighbours: int = 8


@dataclass(frozen=True, slots=True)
class NoiseSpec:
    """Stability of the embedding under noise on the text's own token embeddings (ours).

    Attributes:
        prompts: Templates, each holding ``{}`` once.
        draws: Noise draws, the same for every text.
        sigma: Noise length relative to the token embedding's own length.
        seed: Seed of the draws.
        neighbours: Other first and other last names per text, each this many.
    """

    prompts: tuple[str, ...] = PLAIN_PROMPTS[:2]
    draws: int = 8
    sigma: float = 0.3
    seed: int = 0
    neighbours: int = 4


@dataclass(frozen=True, slots=True)
class JacobianSpec:
    """Stability as the size of the Jacobian of the embedding in the token embeddings (ours).

    Attributes:
        prompts: Templates, each holding ``{}`` once.
        directions: Fixed random orthonormal directions of the output space.
        seed: Seed of the directions.
        neighbours: Other first and other last names per text, each this many.
    """

    prompts: tuple[str, ...] = PLAIN_PROMPTS[:2]
    directions: int = 8
    seed: int = 0
    neighbours: int = 4


@dataclass(frozen=True, slots=True)
class GeometrySpec:
    """Agreement of a text's prompt embeddings, and their place among generic images (ours).

    Attributes:
        few_prompts: Templates of the cheap consistency (8).
        many_prompts: Templates of the better one (24); holds the few ones first.
        bank_digest: Digest of the bank's pixels, or None where there is no bank.
        bank_ranks: Numbers of principal axes that the bank residual removes.
    """

    few_prompts: tuple[str, ...]
    many_prompts: tuple[str, ...]
    bank_digest: str | None = None
    bank_ranks: tuple[int, ...] = (4, 16)


@dataclass(frozen=True, slots=True)
class InversionSpec:
    """The paper's CLIP-guided inversion (arXiv 2405.14517, Algorithm 1); every number is ours.

    Attributes:
        prompt: Template of the inverted text, holding ``{}`` once.
        restarts: Independent random starts per text (n in the paper).
        steps: Optimiser steps per restart (m in the paper).
        learning_rate: Adam's step on the pixels, in units of the normalised image space.
        start_resolution: Side of the random start image, upsampled; None is the full size.
        total_variation: Weight of the total-variation penalty.
        augmentations: Random shifts and flips per step; 0 is off.
        paired_starts: The same random starts for every text.
        curve: Fractions of ``steps`` at which the mean cosine is kept.
        seed: Seed of starts and augmentations.
    """

    prompt: str = "a photo of {}"
    restarts: int = 2
    steps: int = 20
    learning_rate: float = 0.3
    start_resolution: int | None = None
    total_variation: float = 0.0
    augmentations: int = 0
    paired_starts: bool = True
    curve: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    seed: int = 0


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """All that moves a feature, apart from the checkpoint itself.

    Attributes:
        parts: Neighbour parts by stratum; the entry with stratum ``"*"`` serves all others.
        precision: Floating-point type of the forward passes.
        batch: Sequences per forward pass; part of the spec because it moves last bits.
        hidden: Family 4 of docs/method.md, or None where it is not extracted.
        noise: Family 3, noise.
        jacobian: Family 3, Jacobian.
        geometry: Family 2.
        inversion: Family 1.
    """

    parts: tuple[NeighbourParts, ...]
    precision: Literal["fp32", "bf16"] = "fp32"
    batch: int = 256
    hidden: HiddenSpec | None = HiddenSpec()
    noise: NoiseSpec | None = NoiseSpec()
    jacobian: JacobianSpec | None = JacobianSpec()
    geometry: GeometrySpec | None = None
    inversion: InversionSpec | None = None

    @property
    def families(self) -> tuple[Family, ...]:
        """The families that this spec extracts, cheapest first."""
        order: tuple[Family, ...] = ("hidden", "geometry", "noise", "jacobian", "inversion")
        return tuple(name for name in order if getattr(self, name) is not None)

    @property
    def prompts(self) -> tuple[str, ...]:
        """Every template of the spec, each once."""
        found: list[str] = []
        for part in (self.hidden, self.noise, self.jacobian):
            found += part.prompts if part else ()
        if self.geometry:
            found += self.geometry.many_prompts
        if self.inversion:
            found.append(self.inversion.prompt)
        return tuple(dict.fromkeys(found))

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
        return digest(asdict(self))

    def family_hash(self, family: Family) -> str:
        """Hash of all that moves the columns of one family, for cache keys."""
        return digest(
            {
                "family": family,
                "spec": asdict(getattr(self, family)),
                "parts": [asdict(entry) for entry in self.parts],
                "precision": self.precision,
                "batch": self.batch,
                "revision": _REVISIONS.get(family, 1),
            }
        )

    def to_json(self) -> str:
        """Canonical JSON; `from_json` gives back an equal spec."""
        return canonical_json(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "FeatureSpec":
        """Read what `to_json` wrote.

        Raises:
            SpecMismatch: Not such a JSON: a key is missing, unknown or of another type.
        """
        try:
            spec: FeatureSpec = _build(cls, json.loads(text))
        except (ValueError, TypeError, KeyError) as error:
            raise SpecMismatch(
                f"feature spec: cannot be read ({type(error).__name__})",
                "use a bundle written by this version of tuni",
            ) from error
        return spec


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
        return kind(**{name: _build(hints[name], value[name]) for name in names})
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TypeError(kind)
    return value


def family_of(column: str) -> Family:
    """The family that a feature column, also one written ``base~lambda``, belongs to.

    Raises:
        SpecMismatch: No family has such a column.
    """
    base = column.partition("~")[0]
    for prefix, family in _FAMILY_PREFIXES:
        if base == prefix or base.startswith((prefix + ".", prefix + "_")):
            return family
    raise SpecMismatch(
        f"feature column {column!r}: unknown",
        "name one that docs/method.md lists, such as 'hidden.0' or 'jacobian_relative~0.375'",
    )


_FAMILY_PREFIXES: tuple[tuple[str, Family], ...] = (
    ("hidden", "hidden"),
    ("noise", "noise"),
    ("jacobian", "jacobian"),
    ("geometry", "geometry"),
    ("inversion", "inversion"),
)
