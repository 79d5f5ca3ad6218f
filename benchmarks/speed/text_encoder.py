"""Text encoder: the fast path beside open_clip's own `encode_text`, and what a list costs."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from models import default_spec, model_of, names, target_of
from open_clip.tokenizer import SimpleTokenizer
from timing import Row, figure, ratio, seconds
from torch.nn import functional

from tuni.family_work import NEIGHBOURED, FamilyWork
from tuni.features import extract
from tuni.progress import SILENT
from tuni.prompt_embeddings import prompt_embeddings
from tuni.prompts import fill
from tuni.texts import PROMPTS_8

BATCH = 256
TOWERS = {"ViT-B-32": ">= 8", "testbed": ">= 5"}


def measure(smoke: bool) -> Iterator[Row]:
    """Throughput side by side, then passes and seconds a name of the default features."""
    for tower, wanted in ({"testbed": ""} if smoke else TOWERS).items():
        count, prompts = (16, PROMPTS_8[:2]) if smoke else (2_000, PROMPTS_8)
        yield _throughput(tower, count, prompts, wanted)
    for count in (20,) if smoke else (100, 1_000, 10_000):
        yield from _passes(count)
    sizes = (4,) if smoke else (100, 1_000)
    for count in sizes:
        yield _list_seconds("testbed", count)
    if not smoke:
        yield _list_seconds("ViT-B-32", 100, families=("hidden",))


def _throughput(tower: str, count: int, prompts: Sequence[str], wanted: str) -> Row:
    """A round is one prompt, so that every text is encoded once and compared by either side."""
    model, _settings = model_of(tower, text_only=True)
    target = target_of(tower, text_only=True)
    tokenizer = SimpleTokenizer(context_length=target.context_length)
    listed = names(count)
    found: dict[str, list[torch.Tensor]] = {"encode_text": [], "fast path": []}

    def stock() -> None:
        prompt = prompts[len(found["encode_text"])]
        parts = []
        with torch.no_grad():
            for start in range(0, count, BATCH):
                texts = [fill(prompt, name) for name in listed[start : start + BATCH]]
                parts.append(functional.normalize(model.encode_text(tokenizer(texts)), dim=-1))
        found["encode_text"].append(torch.cat(parts))

    def fast() -> None:
        prompt = prompts[len(found["fast path"])]
        found["fast path"].append(prompt_embeddings(target, listed, (prompt,), BATCH)[:, 0])

    measured = ratio(
        "text encoder",
        f"{tower}: {count:,} names x {len(prompts)} prompts beside encode_text",
        {"encode_text": stock, "fast path": fast},
        len(prompts),
        wanted=wanted,
        warm_up=False,
    )
    plain, ours = (torch.cat(side).double() for side in found.values())
    nearest = float(functional.cosine_similarity(plain, ours, dim=-1).min())
    return replace(measured, more={**measured.more, "1 - cosine at most": 1 - nearest})


def _passes(count: int) -> Iterator[Row]:
    """Distinct texts and sequences through the tower a name, default features."""
    target, spec, listed = target_of("testbed", text_only=True), default_spec(), names(count)
    plain = ours = distinct = 0
    for family in ("hidden", "noise", "jacobian"):
        work = FamilyWork(target, spec, family, None, SILENT, family in NEIGHBOURED)
        needed = [work.needed(name) for name in listed]
        each = len(work.prompts) * (1 + spec.noise.draws if family == "noise" and spec.noise else 1)
        once = {one for some in needed for one in some}
        plain += each * sum(len(some) for some in needed)
        ours += each * len(once)
        distinct = max(distinct, len(once))
    yield figure(
        "text encoder", f"distinct texts a name, list of {count:,}", [distinct / count], "texts"
    )
    yield figure(
        "text encoder",
        f"passes a name, list of {count:,}, of {plain / count:.0f} straightforward",
        [ours / count],
        "passes",
        wanted=f"<= {plain / count / 2:.0f}" if count == 1_000 else "",
        more={"share": ours / plain},
    )


def _list_seconds(tower: str, count: int, **only: tuple[str, ...]) -> Row:
    target, spec, listed = target_of(tower, text_only=True), default_spec(), names(count)
    spent = seconds(lambda: extract(target, listed, spec, **only))  # type: ignore[arg-type]
    what = "hidden" if only else "default features"
    return figure(
        "text encoder",
        f"{tower}: {what} with neighbours, per 1,000 names, list of {count:,}",
        [1_000 * spent / count],
        "s",
    )
