"""Inversion: the batched, frozen climb beside a straightforward loop on a stock open_clip model."""

import gc
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from models import model_of, names, target_of
from timing import Row, figure, in_turn, ratio
from torch.nn import functional

from tuni.features.extractors.inversion import columns
from tuni.features.families.inversion import LEARNING_RATE, InversionSpec
from tuni.hashing import derive_seed
from tuni.model.target import Target

TEXTS, STEPS = 4, 3
SPEC = InversionSpec(restarts=1, steps=STEPS, curve=(1.0,))
WANTED = {"ViT-B-32": ">= 5", "RN50": "", "ViT-L-14": ""}


def measure(smoke: bool) -> Iterator[Row]:
    """Ratio for each model; for ViT-B/32 also S, and the share of the machine's own peak."""
    if smoke:
        yield from _against_loop("testbed", 1, "")
        return
    for architecture, wanted in WANTED.items():
        yield from _against_loop(architecture, 1 if architecture == "ViT-L-14" else 5, wanted)
        gc.collect()  # a model of this size at a time
    yield _share_of_peak()


def _against_loop(architecture: str, rounds: int, wanted: str) -> Iterator[Row]:
    target, listed = target_of(architecture), names(TEXTS)
    found: dict[str, np.ndarray] = {}

    def loop() -> None:
        found["loop"] = np.array([_straightforward(architecture, target, text) for text in listed])

    def ours() -> None:
        scores = columns(target, listed, SPEC, 256, lambda _n: None)["inversion.S"]
        found["ours"] = scores[:, 0]

    row = ratio(
        "inversion",
        f"{architecture}: {TEXTS} texts x {STEPS} steps beside a straightforward loop",
        {"loop": loop, "ours": ours},
        rounds,
        wanted=wanted,
        warm_up=rounds > 1,
    )
    apart = float(np.abs(found["loop"] - found["ours"]).max())
    yield replace(row, more={**row.more, "S apart at most": apart})


def _straightforward(architecture: str, target: Target, text: str) -> float:
    """Algorithm 1 as one would write it down: one image, Adam, gradients of all weights as well."""
    model, _settings = model_of(architecture)
    model.requires_grad_(True)
    try:
        ids = target.tokenize([SPEC.prompt.replace("{}", text)])
        with torch.no_grad():
            goal = target.forward_text(target.token_embeddings(ids), ids).embedding
        generator = torch.Generator().manual_seed(derive_seed(SPEC.seed, "inversion start 0"))
        size = target.media.shape[1]
        image = (0.5 * torch.randn(1, 3, size, size, generator=generator)).requires_grad_()
        adam = torch.optim.Adam([image], lr=LEARNING_RATE)
        for _ in range(STEPS):
            model.zero_grad()
            adam.zero_grad()
            loss = -(functional.normalize(model.encode_image(image), dim=-1) * goal).sum()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            adam.step()
        with torch.no_grad():
            return float((functional.normalize(model.encode_image(image), dim=-1) * goal).sum())
    finally:
        model.requires_grad_(False)
        model.zero_grad()


def _share_of_peak() -> Row:
    """Operations of a step over its time, of the fastest matrix product seen beside it."""
    target, count = target_of("ViT-B-32"), 4
    goal = functional.normalize(torch.ones(1, target.embed_dim), dim=-1)

    def step() -> None:
        image = torch.full((count, 3, 224, 224), 0.1, requires_grad=True)
        (target.encode_media(image) * goal).sum().backward()  # type: ignore[no-untyped-call]

    one, other = torch.randn(1024, 768), torch.randn(768, 3072)
    kept = in_turn({"step": step, "product": lambda: one @ other}, 9)
    # Forward, and as much again for the gradient of the input; of the last block the class token.
    positions, width, layers = 50, 768, 12
    last = (2 * positions + 10) * width**2
    whole = 12 * positions * width**2 + 2 * positions**2 * width
    operations = 4 * count * ((layers - 1) * whole + last + 49 * 3 * 32**2 * width)
    # In processor time of one thread after the other: a neighbour on the machine takes no share.
    peak = 2 * one.shape[0] * one.shape[1] * other.shape[1] / min(kept["product"])[1]
    shares = [100 * operations / used / peak for _, used in kept["step"]]
    return figure(
        "inversion", "ViT-B-32: share of the peak of this machine's matrix product",
        shares, "%", wanted=">= 60",
        more={"peak_gflops": peak / 1e9, "step_s": min(kept["step"])[1]},
    )  # fmt: skip
