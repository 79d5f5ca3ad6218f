"""A family of features of another package: how many tokens a text has."""

from dataclasses import dataclass

from tuni.features.family import Column, FeatureFamily


@dataclass(frozen=True)
class ToySpec:
    """How tokens are counted: under which templates, and beside how many other names."""

    prompts: tuple[str, ...] = ("{}", "a photo of {}")
    neighbours: int = 2


FAMILY = FeatureFamily(
    name="toy",
    spec=ToySpec,
    extractor="toy_family_extractor",
    columns=lambda _spec: (Column("toy.tokens", directed=True),),
    prompts=lambda spec: spec.prompts,
    asked=lambda _asked: ToySpec(),
    neighbours=True,
    addend="toy",
)
