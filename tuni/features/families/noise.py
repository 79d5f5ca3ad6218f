"""Family 3 of docs/method.md (ours): how little an embedding turns when its tokens are moved."""

from dataclasses import dataclass

from tuni.features.family import PLAIN_PROMPTS, Column, FeatureFamily


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


FAMILY = FeatureFamily(
    name="noise",
    spec=NoiseSpec,
    extractor="tuni.features.extractors.noise",
    columns=lambda _spec: (Column("noise", directed=True),),
    prompts=lambda spec: spec.prompts,
    asked=lambda asked: NoiseSpec(seed=asked.seed) if asked.table["stability"] else None,
    neighbours=True,
    addend="noise",
)
