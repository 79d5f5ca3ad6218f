"""Family 1 of docs/method.md: CLIP-guided inversion (arXiv 2405.14517, Algorithm 1).

The one law: a text's result depends on the text, the spec and the checkpoint alone. Images go
through in passes of one fixed size, the last one padded, and every random number comes from the
spec's seed. The algorithm is the paper's; every number, the optimiser (Adam) and the curve are
ours.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuni.errors import RequestError
from tuni.features.families.inversion import LEARNING_RATE, InversionSpec, images_per_pass
from tuni.features.prompt_embeddings import prompt_embeddings, whole_units
from tuni.hashing import derive_seed
from tuni.model.target import Target

# Standard deviation of the random start in the normalised image space (ours): of .1, .5 and 1 the
# one that separated best on one testbed (AUC of S .68, .73, .72 at 20 steps).
_START_SPREAD = 0.5
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


def columns(
    target: Target,
    texts: Sequence[str],
    spec: InversionSpec,
    batch: int,
    step: Callable[[int], None],
) -> dict[str, NDArray[np.float32]]:
    """S, D and the convergence curve of every text.

    With v the unit text embedding and e_r the embedding of the image that restart r ends at:
    S = mean_r e_r . v; D_rms = root mean square distance of the e_r to their mean; D_std = mean
    over dimensions of their standard deviation (divided by n); D_cos = mean over pairs of
    1 - cosine, which equals D_rms^2 n / (n - 1). One restart has no spread: D is 0.

    Args:
        target: The audited checkpoint.
        texts: n texts.
        spec: Prompt, restarts, steps, curve and seed.
        batch: Sequences per forward pass of the text tower, and most images per pass.
        step: Told how many texts are done.

    Returns:
        ``inversion.S``, ``.D_rms``, ``.D_std``, ``.D_cos`` of shape ``(n, 1)`` and
        ``inversion.curve``, mean cosines of shape ``(n, len(spec.curve))``. S lies in [-1, 1],
        higher is nearer to "trained on"; D in [0, 2], the paper expects it smaller there.

    Raises:
        RequestError: An option of the spec is out of range.
        TextError: A text does not fit into the context under the prompt.
    """
    return _summarise(*_invert(target, texts, spec, batch, step))


def inverted_embeddings(
    target: Target,
    texts: Sequence[str],
    spec: InversionSpec,
    batch: int,
    step: Callable[[int], None],
) -> NDArray[np.float32]:
    """Unit embeddings of the images that a text's restarts end at; arguments as for `columns`.

    Returns:
        Shape ``(n, restarts, embed_dim)``.

    Raises:
        RequestError: An option of the spec is out of range.
        TextError: A text does not fit into the context under the prompt.
    """
    _, images, _ = _invert(target, texts, spec, batch, step)
    return np.asarray(images.numpy(), dtype=np.float32)


def _invert(
    target: Target,
    texts: Sequence[str],
    spec: InversionSpec,
    batch: int,
    step: Callable[[int], None],
) -> tuple[Tensor, Tensor, Tensor]:
    """Curves ``(n, r, marks)``, last image embeddings ``(n, r, d)`` and goals ``(n, d)``."""
    _check(spec)
    goals = prompt_embeddings(target, texts, (spec.prompt,), batch)[:, 0]
    marks = [max(1, round(share * spec.steps)) for share in spec.curve]
    size = images_per_pass(target, batch)
    pairs = [(row, restart) for row in range(len(texts)) for restart in range(spec.restarts)]
    curves = torch.empty(len(pairs), len(marks))
    images = torch.empty(len(pairs), target.embed_dim)
    advance = whole_units(step, spec.restarts * spec.steps)
    starts = [_start(spec, target.media.shape, restart) for restart in range(spec.restarts)]
    for begin in range(0, len(pairs), size):
        some = pairs[begin : begin + size]
        padded = [some[i % len(some)] for i in range(size)]
        cosines, embeddings = _climb(
            target,
            torch.stack([starts[restart] for _, restart in padded]).to(target.device),
            goals[[row for row, _ in padded]].to(target.device),
            spec,
            marks,
            partial(advance, len(some)),
        )
        curves[begin : begin + len(some)] = cosines[: len(some)].cpu()
        images[begin : begin + len(some)] = embeddings[: len(some)].cpu()
    return (
        curves.view(len(texts), spec.restarts, len(marks)),
        images.view(len(texts), spec.restarts, target.embed_dim),
        goals,
    )


def _climb(
    target: Target,
    pixels: Tensor,
    goals: Tensor,
    spec: InversionSpec,
    marks: Sequence[int],
    step: Callable[[], None],
) -> tuple[Tensor, Tensor]:
    """Take Adam's steps on the pixels from their start, in place.

    Returns:
        Cosines after ``marks`` many steps, shape ``(images, len(marks))``, and the last unit
        image embeddings, shape ``(images, embed_dim)``.
    """
    # Convolutions give the gradient of their input faster in this layout.
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    first, second = torch.zeros_like(pixels), torch.zeros_like(pixels)
    cosines = torch.empty(len(pixels), len(marks), device=pixels.device)
    for count in range(spec.steps):
        seen, gradient = _gradient(target, pixels, goals)
        for column in [i for i, mark in enumerate(marks) if mark == count]:
            cosines[:, column] = seen
        first.lerp_(gradient, 1 - _BETA1)
        second.mul_(_BETA2).addcmul_(gradient, gradient, value=1 - _BETA2)
        scale = second.sqrt().div_(math.sqrt(1 - _BETA2 ** (count + 1))).add_(_EPSILON)
        rate = LEARNING_RATE / (1 - _BETA1 ** (count + 1))
        pixels.addcdiv_(first, scale, value=-rate)
        step()
    seen, embeddings = _look(target, pixels, goals)
    for column in [i for i, mark in enumerate(marks) if mark == spec.steps]:
        cosines[:, column] = seen
    return cosines, embeddings


def _look(target: Target, pixels: Tensor, goals: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines with the goals, and the embeddings themselves."""
    with torch.no_grad():
        embeddings = target.encode_media(pixels)
        return (embeddings * goals).sum(dim=1), embeddings


def _gradient(target: Target, pixels: Tensor, goals: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines of the images, and the gradient of minus their sum in the pixels.

    No image moves another's gradient.
    """
    with torch.enable_grad():
        leaf = pixels.detach().requires_grad_()
        cosines = (target.encode_media(leaf) * goals).sum(dim=1)
        (gradient,) = torch.autograd.grad(-cosines.sum(), leaf)
    return cosines.detach(), gradient


def _summarise(curves: Tensor, images: Tensor, goals: Tensor) -> dict[str, NDArray[np.float32]]:
    """Columns from cosines ``(n, r, marks)``, embeddings ``(n, r, d)`` and goals ``(n, d)``."""
    ends, wanted = images.double(), goals.double()
    restarts = ends.shape[1]
    apart = ends - ends.mean(dim=1, keepdim=True)
    square = apart.square().sum(dim=2).mean(dim=1, keepdim=True)
    found = {
        "inversion.S": (ends * wanted[:, None]).sum(dim=2).mean(dim=1, keepdim=True),
        "inversion.D_rms": square.sqrt(),
        "inversion.D_std": apart.square().mean(dim=1).sqrt().mean(dim=1, keepdim=True),
        "inversion.D_cos": square * restarts / max(restarts - 1, 1),
        "inversion.curve": curves.double().mean(dim=1),
    }
    return {name: value.float().numpy() for name, value in found.items()}


def _start(spec: InversionSpec, shape: tuple[int, ...], restart: int) -> Tensor:
    """Random start of one restart, the same for every text."""
    seed = derive_seed(spec.seed, f"inversion start {restart}")
    generator = torch.Generator().manual_seed(seed)
    return _START_SPREAD * torch.randn(shape, generator=generator)


def _check(spec: InversionSpec) -> None:
    """Refuse options out of range.

    Raises:
        RequestError: The first such option.
    """
    for name, came, fine, expected in (
        ("restarts", spec.restarts, spec.restarts >= 1, "at least 1"),
        ("steps", spec.steps, spec.steps >= 1, "at least 1"),
        ("curve", spec.curve, all(0 < x <= 1 for x in spec.curve), "shares above 0, up to 1"),
    ):
        if not fine:
            raise RequestError(
                f"inversion.{name}: {came}, expected {expected}", "correct the option"
            )
