"""Family 3 of docs/method.md (ours): how little an embedding turns, by its Jacobian."""

from dataclasses import dataclass

from tuni.features.family import PLAIN_PROMPTS, Column, FeatureFamily


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


FAMILY = FeatureFamily(
    name="jacobian",
    spec=JacobianSpec,
    extractor="tuni.features.extractors.jacobian",
    columns=lambda _spec: (
        Column("jacobian_relative", directed=True),
        Column("jacobian_absolute", directed=True),
    ),
    prompts=lambda spec: spec.prompts,
    asked=lambda asked: JacobianSpec(seed=asked.seed) if asked.table["stability"] else None,
    neighbours=True,
    addend="jacobian",
    revision=2,  # all directions in one backward pass
)
