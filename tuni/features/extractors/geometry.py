"""Family 2 of docs/method.md: how a text's prompt embeddings agree, and their place among images.

The one law: higher is nearer to "trained on" in every one-dimensional column (ours, not the
paper's). A person that the model knows pulls all prompts to one point, away from the generic.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuni.errors import PictureError, RequestError, SpecMismatch
from tuni.features.families.geometry import GeometrySpec
from tuni.features.prompt_embeddings import prompt_embeddings
from tuni.model.target import Target
from tuni.pictures.bank import Bank

_GAP_TOP = 5
# Texts held at once: all their prompt embeddings are, 24 x 512 floats each.
_BLOCK = 2048


def columns(
    target: Target,
    texts: Sequence[str],
    spec: GeometrySpec,
    batch: int,
    step: Callable[[int], None],
    bank: Bank | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Consistency, mean embedding and, with a bank, the place among generic images.

    With E_j the unit embedding of prompt j, c = mean E_j over the many prompts and u = c / |c|:
    consistency = |c| in [0, 1], also over the few prompts; bank residual of rank r =
    |(I - P_r P_r^T)(u - mu)| with mean mu and r principal axes P_r of the bank; bank maximum
    and mean of the cosines with u; bank gap = mean of the top five cosines - their mean.

    Args:
        target: The audited checkpoint.
        texts: n texts.
        spec: Prompts and bank.
        batch: Sequences per forward pass.
        step: Told how many texts are done.
        bank: The bank that ``spec.bank_digest`` names; None where it names none.

    Returns:
        ``geometry.consistency_8`` and ``_24`` (few and many prompts), ``geometry.bank_*`` of shape
        ``(n, 1)``, ``geometry.embedding`` (u) of shape ``(n, embed_dim)``.

    Raises:
        SpecMismatch: The bank is not the spec's.
        PictureError: The bank has too few pictures for a rank.
        RequestError: A rank does not lie in 1 .. embed_dim - 1.
        TextError: A text does not fit into the context under a prompt.
    """
    bank = _matching_bank(spec, bank, target.embed_dim)
    place = None if bank is None else _Place(bank, spec.bank_ranks)
    prompts = tuple(dict.fromkeys((*spec.few_prompts, *spec.many_prompts)))
    few = [prompts.index(prompt) for prompt in spec.few_prompts]
    many = [prompts.index(prompt) for prompt in spec.many_prompts]
    blocks = [
        _describe(
            prompt_embeddings(target, texts[start : start + _BLOCK], prompts, batch, step),
            few,
            many,
            place,
        )
        for start in range(0, max(len(texts), 1), _BLOCK)
    ]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def _describe(
    embeddings: Tensor, few: list[int], many: list[int], place: "_Place | None"
) -> dict[str, NDArray[np.float32]]:
    """All columns of a block of texts from its prompt embeddings ``(n, prompts, embed_dim)``."""
    exact = embeddings.double()  # a mean of nearly equal vectors: its length is all the signal
    centre = exact[:, many].mean(dim=1)
    length = centre.norm(dim=1, keepdim=True)
    unit = centre / length
    found = {
        "geometry.consistency_8": exact[:, few].mean(dim=1).norm(dim=1, keepdim=True),
        "geometry.consistency_24": length,
        "geometry.embedding": unit,
    }
    if place is not None:
        found |= place.columns(unit)
    return {name: value.float().numpy() for name, value in found.items()}


class _Place:
    """Where unit embeddings lie among a bank's."""

    def __init__(self, bank: Bank, ranks: tuple[int, ...]) -> None:
        self._pictures = torch.from_numpy(bank.embeddings.astype(np.float64))
        self._ranks = ranks
        self._mean = self._pictures.mean(dim=0)
        self._axes = torch.linalg.svd(self._pictures - self._mean, full_matrices=False).Vh

    def columns(self, unit: Tensor) -> dict[str, Tensor]:
        """Columns of shape ``(n, 1)`` of unit vectors of shape ``(n, embed_dim)``, float64."""
        cosines = unit @ self._pictures.T
        mean = cosines.mean(dim=1, keepdim=True)
        top = cosines.topk(min(_GAP_TOP, cosines.shape[1]), dim=1).values
        found = {
            "geometry.bank_max": top[:, :1],
            "geometry.bank_mean": mean,
            "geometry.bank_gap": top.mean(dim=1, keepdim=True) - mean,
        }
        away = unit - self._mean
        for rank in self._ranks:
            axes = self._axes[:rank]
            rest = away - away @ axes.T @ axes
            found[f"geometry.bank_residual_{rank}"] = rest.norm(dim=1, keepdim=True)
        return found


def _matching_bank(spec: GeometrySpec, bank: Bank | None, embed_dim: int) -> Bank | None:
    """The bank, once it is known to be the spec's and large enough."""
    if (bank.digest if bank is not None else None) != spec.bank_digest:
        came = "no bank" if bank is None else f"bank {bank.digest[:12]}"
        wanted = "none" if spec.bank_digest is None else f"bank {spec.bank_digest[:12]}"
        raise SpecMismatch(
            f"geometry.bank_digest: {came} was given, the spec names {wanted}",
            "give the pictures that the spec was made with, unchanged",
        )
    if bank is None:
        return None
    for rank in spec.bank_ranks:
        if not 1 <= rank < embed_dim:
            raise RequestError(
                f"geometry.bank_ranks: {rank}, expected 1 to {embed_dim - 1}",
                "choose a rank below the size of the embedding",
            )
        if rank >= bank.count:
            raise PictureError(
                f"bank: {bank.count} distinct pictures, rank {rank} needs {rank + 1}",
                "add generic pictures, or lower geometry.bank_ranks",
            )
    return bank
