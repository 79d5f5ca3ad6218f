"""Training of the testbed's CLIP: contrastive, from scratch, on drawn pictures and captions.

The one law: an honest regime. Each picture has one caption and both stay the same in every
epoch, as in a crawled training set; the model sees a few dozen epochs and learns to find people
it knows in pictures it has never seen (`retrieval`).
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from tuni.bench.testbed.drawing import PLACES, Faces, draw_faces
from tuni.bench.testbed.models import (
    Model,
    build_model,
    encode_images,
    encode_texts,
    loss,
    normalise,
    tokenizer,
)
from tuni.bench.testbed.people import Person
from tuni.bench.testbed.settings import TestbedSettings


def train(
    settings: TestbedSettings,
    pictures: NDArray[np.uint8],
    captions: Sequence[str],
    step: Callable[[int], None],
) -> Model:
    """Train a model on pictures (n, side, side, 3) and their n captions.

    Args:
        settings: Sizes, schedule and seed.
        pictures: The training pictures.
        captions: One caption for each.
        step: Told the number of pictures just seen, ``epochs * steps per epoch * batch`` in all.

    Returns:
        The trained model, in evaluation mode, without gradients.
    """
    model = build_model(settings).train()
    ids = tokenizer(settings)(captions)
    decayed = [p for p in model.parameters() if p.requires_grad and p.ndim >= 2]
    plain = [p for p in model.parameters() if p.requires_grad and p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": settings.weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ],
        lr=settings.learning_rate,
        betas=(0.9, 0.98),
        fused=True,
    )
    total, batch = training_steps(settings, len(captions))
    per_epoch = total // settings.epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=total, pct_start=min(0.1, 100 / total)
    )
    order = torch.Generator().manual_seed(settings.seed)
    for _epoch in range(settings.epochs):
        shuffled = torch.randperm(len(captions), generator=order)
        for rows in shuffled[: per_epoch * batch].view(per_epoch, batch):
            images = encode_images(model, normalise(pictures[rows.numpy()]))
            lost = loss(model, images, encode_texts(model, ids[rows]))
            optimizer.zero_grad(set_to_none=True)
            lost.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                model.logit_scale.clamp_(0, math.log(100))
            step(batch)
    return model.eval().requires_grad_(False)


def training_steps(settings: TestbedSettings, pictures: int) -> tuple[int, int]:
    """Steps of the whole training and pictures per step."""
    batch = min(settings.batch, pictures)
    return settings.epochs * (pictures // batch), batch


def retrieval(
    settings: TestbedSettings,
    model: Model,
    people: Sequence[Person],
    faces: Faces,
    rng: np.random.Generator,
) -> dict[str, float]:
    """How often a new picture of a trained person finds its name first among all such names.

    Args:
        settings: Of the testbed.
        model: The trained model.
        people: Trained people.
        faces: Their attributes, row by row.
        rng: Source of the new pictures, one per person with at least 5 in training.

    Returns:
        ``people`` asked about, ``top_1`` and ``top_5`` shares, ``chance_top_1``.
    """
    rows = np.array([row for row, person in enumerate(people) if person.captions >= 5])
    pictures = draw_faces(faces.take(rows), rng.integers(0, len(PLACES), len(rows)), rng)
    ids = tokenizer(settings)([f"a photo of {people[row].text}" for row in rows])
    with torch.no_grad():
        texts = encode_texts(model, ids)
        cosines = encode_images(model, normalise(pictures)) @ texts.T
    ahead = (cosines > cosines.diagonal()[:, None]).sum(1)
    return {
        "people": len(rows),
        "top_1": round(float((ahead < 1).float().mean()), 4),
        "top_5": round(float((ahead < 5).float().mean()), 4),
        "chance_top_1": round(1 / len(rows), 4),
    }
