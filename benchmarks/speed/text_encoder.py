"""Text encoder: the fast path beside open_clip's own `encode_text`, and what a list costs."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from models import default_spec, model_of, names, target_of
from open_clip.tokenizer import SimpleTokenizer
from timing import Row, figure, measured, ratio
from torch.nn import functional

from tuni.features.extract import extract
from tuni.features.prompt_embeddings import prompt_embeddings
from tuni.features.prompts import fill
from tuni.features.work import FamilyWork
from tuni.judging.null import JudgeOptions
from tuni.progress import SILENT
from tuni.texts.decoys import PartPool
from tuni.texts.text import PROMPTS_8

BATCH = 256
# Short lists fill passes less well, so two numbers show how the ratio grows. A tower of true size
# takes minutes for the 2,000 names that the target speaks of.
SIZES = {"testbed": (2_000, 500), "ViT-B-32": (512, 128), "RN50": (128,), "ViT-L-14": (64,)}
PROMPTS = {"testbed": 8, "ViT-B-32": 3, "RN50": 3, "ViT-L-14": 2}
WANTED = {"ViT-B-32": ">= 8", "testbed": ">= 5"}


def measure(smoke: bool) -> Iterator[Row]:
    """Throughput side by side, then passes and seconds a name of the default features."""
    for tower, sizes in ({"testbed": (16,)} if smoke else SIZES).items():
        prompts = PROMPTS_8[: 2 if smoke else PROMPTS[tower]]
        for count in sizes:
            yield _throughput(tower, count, prompts, WANTED.get(tower, ""))
    for count in (20,) if smoke else (100, 1_000, 10_000):
        yield from _passes(count)
        yield from _passes(count, JudgeOptions().decoys_for(count))
    sizes = (4,) if smoke else (100, 300)
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

    row = ratio(
        "text encoder",
        f"{tower}: {count:,} names x {len(prompts)} prompts beside encode_text",
        {"encode_text": stock, "fast path": fast},
        len(prompts),
        wanted=wanted,
        warm_up=False,
    )
    plain, ours = (torch.cat(side).double() for side in found.values())
    nearest = float(functional.cosine_similarity(plain, ours, dim=-1).min())
    return replace(row, more={**row.more, "1 - cosine at most": 1 - nearest})


def _passes(count: int, decoys: int = 0) -> Iterator[Row]:
    """Distinct texts and sequences through the tower a text, default features.

    Args:
        count: Names of the list.
        decoys: Decoys recombined from it and extracted with it, as `tuni score` does.
    """
    target, spec, listed = target_of("testbed", text_only=True), default_spec(), names(count)
    listed += PartPool.of(listed).enough_for(decoys).recombine(decoys, 0, frozenset())
    plain = ours = distinct = 0
    for family in ("hidden", "noise", "jacobian"):
        own = FamilyWork(target, spec, family, None, SILENT, others=False)
        work = replace(own, others=True)
        needed = [(name, *work.needed(name)) for name in listed]
        draws = work.settings.draws if family == "noise" else 0
        each = len(work.prompts) * (1 + draws)
        once = {one for some in needed for one in some}
        plain += each * sum(len(some) for some in needed)
        ours += each * len(once)
        distinct = max(distinct, len(once))
    name = f"{count:,} names" + (f" and {decoys:,} decoys" if decoys else "")
    yield figure(
        "text encoder", f"{name}: distinct texts a text", [distinct / len(listed)], "texts"
    )
    yield figure(
        "text encoder", f"{name}: share of the straightforward passes", [ours / plain], "",
        wanted="<= 0.5" if count == 1_000 else "",
        more={"passes a text": ours / len(listed), "straightforward": plain / len(listed)},
    )  # fmt: skip


def _list_seconds(tower: str, count: int, **only: tuple[str, ...]) -> Row:
    target, spec, listed = target_of(tower, text_only=True), default_spec(), names(count)
    spent, used = measured(lambda: extract(target, listed, spec, **only))  # type: ignore[arg-type]
    what = "hidden" if only else "default features"
    return figure(
        "text encoder",
        f"{tower}: {what} with neighbours, per 1,000 names, list of {count:,}",
        [1_000 * spent / count],
        "s",
        more={"processor s": 1_000 * used / count},
    )
