"""Training of the testbed's CLIP: contrastive, from scratch, on drawn pictures and captions.

The one law: an honest regime. Each picture has one caption and both stay the same in every
epoch, as in a crawled training set; the model sees a few dozen epochs and learns to find people
it knows in pictures it has never seen (`retrieval`).
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from tuni.bench.testbed.drawing import PLACES, Faces, draw_faces
from tuni.bench.testbed.people import Person
from tuni.bench.testbed.settings import TestbedSettings

EMBED_DIM = 128
VOCABULARY = 49408
_OPEN_CLIP_DEVIATION = 0.02  # of the token embeddings that open_clip starts from


def model_config(settings: TestbedSettings) -> dict[str, object]:
    """The model part of open_clip_config.json."""
    return {
        "embed_dim": EMBED_DIM,
        "vision_cfg": {
            "layers": settings.vision_layers,
            "width": settings.vision_width,
            "head_width": 32,
            "patch_size": settings.patch,
            "image_size": 64,
        },
        "text_cfg": {
            "context_length": settings.context_length,
            "vocab_size": VOCABULARY,
            "width": settings.width,
            "heads": 4,
            "layers": settings.text_layers,
        },
    }


def build_model(settings: TestbedSettings) -> open_clip.CLIP:
    """Build the untrained model; its token table is random and stays so.

    A frozen table costs nothing to train and gives all tokens, used or not, one distribution of
    norms: the norm of a token's embedding cannot tell who was trained.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = open_clip.CLIP(**model_config(settings))
    with torch.no_grad():
        model.token_embedding.weight.mul_(settings.token_deviation / _OPEN_CLIP_DEVIATION)
        model.logit_scale.fill_(math.log(settings.logit_scale))
    model.token_embedding.weight.requires_grad_(False)
    return model


def normalise(pictures: NDArray[np.uint8]) -> Tensor:
    """Pictures (n, side, side, 3) to the model's input (n, 3, side, side), mean and std .5."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


def encode_images(model: open_clip.CLIP, pictures: Tensor) -> Tensor:
    """Unit image embeddings, shape (n, embed_dim)."""
    return functional.normalize(model.visual(pictures), dim=-1)


def encode_texts(model: open_clip.CLIP, ids: Tensor) -> Tensor:
    """Unit text embeddings, shape (n, embed_dim), of ids (n, length) without needless padding."""
    length = ids.shape[1]
    x = model.token_embedding(ids) + model.positional_embedding[:length]
    x = model.transformer(x, attn_mask=model.attn_mask[:length, :length])
    last = model.ln_final(x[torch.arange(len(ids)), ids.argmax(-1)])
    return functional.normalize(last @ model.text_projection, dim=-1)


def train(
    settings: TestbedSettings,
    pictures: NDArray[np.uint8],
    captions: Sequence[str],
    step: Callable[[int], None],
) -> open_clip.CLIP:
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
    ids = open_clip.SimpleTokenizer(context_length=settings.context_length)(list(captions))
    lengths = ids.argmax(-1) + 1
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
    labels = torch.arange(batch)
    for _epoch in range(settings.epochs):
        shuffled = torch.randperm(len(captions), generator=order)
        for rows in shuffled[: per_epoch * batch].view(per_epoch, batch):
            images = encode_images(model, normalise(pictures[rows.numpy()]))
            texts = encode_texts(model, ids[rows, : int(lengths[rows].max())])
            logits = model.logit_scale.exp() * images @ texts.T
            loss = functional.cross_entropy(logits, labels) + functional.cross_entropy(
                logits.T, labels
            )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
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
    model: open_clip.CLIP, people: Sequence[Person], faces: Faces, rng: np.random.Generator
) -> dict[str, float]:
    """How often a new picture of a trained person finds its name first among all such names.

    Args:
        model: The trained model.
        people: Trained people.
        faces: Their attributes, row by row.
        rng: Source of the new pictures, one per person with at least 5 in training.

    Returns:
        ``people`` asked about, ``top_1`` and ``top_5`` shares, ``chance_top_1``.
    """
    rows = np.array([row for row, person in enumerate(people) if person.captions >= 5])
    pictures = draw_faces(faces.take(rows), rng.integers(0, len(PLACES), len(rows)), rng)
    ids = open_clip.SimpleTokenizer(context_length=model.context_length)(
        [f"a photo of {people[row].text}" for row in rows]
    )
    with torch.no_grad():
        texts = encode_texts(model, ids[:, : int(ids.argmax(-1).max()) + 1])
        cosines = encode_images(model, normalise(pictures)) @ texts.T
    ahead = (cosines > cosines.diagonal()[:, None]).sum(1)
    return {
        "people": len(rows),
        "top_1": round(float((ahead < 1).float().mean()), 4),
        "top_5": round(float((ahead < 5).float().mean()), 4),
        "chance_top_1": round(1 / len(rows), 4),
    }
