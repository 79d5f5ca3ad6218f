"""Family 2 of docs/method.md (ours): how prompt embeddings agree, and their place among images."""

from dataclasses import dataclass

from tuni.errors import PictureError
from tuni.features.family import Asked, Column, FeatureFamily, Inputs
from tuni.texts.text import PROMPTS_8, PROMPTS_24

_RANKS = (4, 16)  # ours


@dataclass(frozen=True, slots=True)
class GeometrySpec:
    """Agreement of a text's prompt embeddings, and their place among generic images (ours).

    Attributes:
        few_prompts: Templates of the cheap consistency (8).
        many_prompts: Templates of the better one (24); holds the few ones first.
        bank_digest: Digest of the bank's pixels, or None where there is no bank.
        bank_ranks: Numbers of principal axes that the bank residual removes.
    """

    few_prompts: tuple[str, ...] = PROMPTS_8
    many_prompts: tuple[str, ...] = PROMPTS_24
    bank_digest: str | None = None
    bank_ranks: tuple[int, ...] = _RANKS


def _columns(spec: GeometrySpec) -> tuple[Column, ...]:
    names = ["consistency_8", "consistency_24"]
    if spec.bank_digest is not None:
        names += [f"bank_residual_{rank}" for rank in spec.bank_ranks]
        names += ["bank_max", "bank_mean", "bank_gap"]
    directed = (Column(f"geometry.{name}", directed=True) for name in names)
    return (*directed, Column("geometry.embedding", wide=True))


def _asked(asked: Asked) -> GeometrySpec | None:
    if not asked.table["geometry"]:
        return None
    if asked.bank is None:
        return GeometrySpec()
    ranks = tuple(rank for rank in _RANKS if rank < asked.bank.count)
    if not ranks:
        raise PictureError(
            f"bank.images: {asked.bank.count} distinct pictures, at least {_RANKS[0] + 1} "
            "are needed",
            "add generic pictures that show none of the subjects, or leave [bank] out",
        )
    return GeometrySpec(bank_digest=asked.bank.digest, bank_ranks=ranks)


FAMILY = FeatureFamily(
    name="geometry",
    spec=GeometrySpec,
    extractor="tuni.features.extractors.geometry",
    columns=_columns,
    prompts=lambda spec: spec.many_prompts,
    asked=_asked,
    reads_bank=True,
    inputs=lambda _spec: (Inputs("embedding", {0: ("geometry.embedding",)}),),
    addend="geometry",
    revision=2,  # the image tower's own blocks
)
