"""Family 4 of docs/method.md (ours): the residual stream where a text ends."""

from dataclasses import dataclass

from tuni.features.family import PLAIN_PROMPTS, Column, FeatureFamily, Inputs


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


def _columns(spec: HiddenSpec) -> tuple[Column, ...]:
    states = (Column(f"hidden.{layer}", wide=True) for layer in spec.layers)
    return (*states, Column("hidden.norm", directed=True))


def _inputs(spec: HiddenSpec) -> tuple[Inputs, ...]:
    layers = {layer: (f"hidden.{layer}",) for layer in spec.layers}
    return (Inputs("hidden", layers, asks="hidden.layer"),)


FAMILY = FeatureFamily(
    name="hidden",
    spec=HiddenSpec,
    extractor="tuni.features.extractors.hidden",
    columns=_columns,
    prompts=lambda spec: spec.prompts,
    asked=lambda _asked: HiddenSpec(),
    neighbours=True,
    effort="low",
    inputs=_inputs,
    addend="norm",
)
