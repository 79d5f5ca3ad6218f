"""A small autoencoder of the null, by torch; scored in float64."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from tuni.detectors.fits.standard import fit_standardised
from tuni.detectors.kind import Fitted, Floats


@dataclass(frozen=True, slots=True, eq=False)
class Autoencoder:
    """A small autoencoder, d -> width -> bottleneck -> width -> d, tanh between (ours).

    Attributes:
        weights: Per layer, float64, shape (out, in).
        biases: Per layer, float64, shape (out,).
    """

    weights: tuple[torch.Tensor, ...]
    biases: tuple[torch.Tensor, ...]

    def reconstruct(self, seen: torch.Tensor) -> torch.Tensor:
        """Rows of shape (n, d) through the bottleneck and back."""
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            seen = seen @ weight.T + bias
            if layer < len(self.weights) - 1:
                seen = torch.tanh(seen)
        return seen


def fit_library(seen: Floats, numbers: Mapping[str, float], seed: int) -> Autoencoder:
    """Train by full-batch Adam in float32 on standardised rows; draws from its own generator."""
    draw = torch.Generator().manual_seed(seed)
    width, bottleneck = int(numbers["width"]), int(numbers["bottleneck"])
    sizes = (seen.shape[1], width, bottleneck, width, seen.shape[1])
    weights = tuple(
        torch.randn(out, into, generator=draw).div_(into**0.5) for into, out in pairwise(sizes)
    )
    biases = tuple(torch.zeros(out) for out in sizes[1:])
    coder = Autoencoder(weights, biases)
    rows = torch.from_numpy(seen.astype(np.float32))
    for value in (*weights, *biases):
        value.requires_grad_(True)
    adam = torch.optim.Adam([*weights, *biases], lr=numbers["learning_rate"])
    for _ in range(int(numbers["epochs"])):
        adam.zero_grad()
        loss = (coder.reconstruct(rows) - rows).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
        adam.step()
    return Autoencoder(
        tuple(weight.detach().double() for weight in weights),
        tuple(bias.detach().double() for bias in biases),
    )


def export(fitted: Autoencoder) -> Fitted:
    """Numbers and arrays, without the standardisation."""
    named = {f"weight_{i}": weight for i, weight in enumerate(fitted.weights)}
    named |= {f"bias_{i}": bias for i, bias in enumerate(fitted.biases)}
    arrays = {name: value.numpy() for name, value in named.items()}
    return {"layers": float(len(fitted.weights))}, arrays


fit = fit_standardised(fit_library, export)
