"""Texts in, feature columns out.

The one law: a row depends on its text, the spec and the checkpoint. Distinct texts are encoded
once a call, in sorted order, so that the order of the input moves nothing;
`tuni.features.prompts` says what the company may move.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from tuni.errors import SpecMismatch, TextError, TooFewTexts, UnusableScores
from tuni.features.prompts import fill, may_exceed
from tuni.features.registry import family_named
from tuni.features.spec import FeatureSpec
from tuni.features.work import Columns, FamilyWork
from tuni.model.target import Target
from tuni.pictures.bank import Bank
from tuni.progress import SILENT, Progress
from tuni.texts.kind import TextKind, text_kind
from tuni.texts.text import clean_text, refusal


@dataclass(frozen=True, slots=True, eq=False)
class FeatureTable:
    """Feature columns of texts.

    Attributes:
        texts: n texts, as they came in.
        columns: Read-only float32 arrays of shape ``(n, d)`` by column name.
    """

    texts: tuple[str, ...]
    columns: Mapping[str, NDArray[np.float32]]

    def __post_init__(self) -> None:
        """Check the shapes and make the arrays read-only."""
        for name, array in self.columns.items():
            if array.ndim != 2 or len(array) != len(self.texts):
                raise UnusableScores(
                    f"features: column {name} has shape {array.shape} for {len(self.texts)} texts",
                    "give one row per text",
                )
            array.flags.writeable = False
        object.__setattr__(self, "columns", MappingProxyType(dict(self.columns)))

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> "FeatureTable":
        """The given rows, in the given order."""
        index = np.asarray(rows, dtype=np.int64)
        return FeatureTable(
            tuple(self.texts[row] for row in index),
            {name: array[index] for name, array in self.columns.items()},
        )

    def head(self, n: int) -> "FeatureTable":
        """The first n rows, or all where there are fewer."""
        return self.take(np.arange(min(n, len(self.texts))))


class FeatureCache(Protocol):
    """Keeps columns of texts between calls; what it gives back equals what it was given."""

    def get(self, family_key: str, texts: Sequence[str]) -> Mapping[str, Columns]:
        """Columns, each of shape ``(d,)``, of those texts that are known under the key."""
        ...

    def put(
        self, family_key: str, texts: Sequence[str], columns: Mapping[str, NDArray[np.float32]]
    ) -> None:
        """Keep columns of shape ``(n, d)`` of n texts under the key."""
        ...


def extract(
    target: Target,
    texts: Sequence[str],
    spec: FeatureSpec,
    *,
    families: Collection[str] | None = None,
    neighbours: bool = True,
    bank: Bank | None = None,
    cache: FeatureCache | None = None,
    progress: Progress = SILENT,
) -> FeatureTable:
    """Extract the columns of texts.

    Args:
        target: The audited checkpoint.
        texts: n texts in any order; equal ones are encoded once.
        spec: What to extract.
        families: Families of the spec to extract; None is all of them.
        neighbours: Whether to add ``X.other_lasts`` and ``X.other_firsts``, the means of column X
            over the text with other family and other given parts; False for one-part texts.
        bank: The bank that the spec names.
        cache: Columns of earlier calls.
        progress: Draws one stage per family.

    Raises:
        TextError: A text is refused, too long under a prompt, or has one part while neighbours
            are asked for; rows of the input are named.
        TooFewTexts: There is no text.
        SpecMismatch: The spec does not have the family, or not enough neighbour parts.
        UnusableScores: A column is not finite.
    """
    asked = tuple(f for f in spec.families if families is None or f in families)
    if missing := sorted(set(families or ()) - set(spec.families)):
        raise SpecMismatch(
            f"feature spec: holds no settings of the family {missing[0]!r}",
            "add the family to the spec, or don't ask for it",
        )
    cleaned = [clean_text(text) for text in texts]
    paired = frozenset(f for f in asked if neighbours and family_named(f).neighbours)
    _refuse(cleaned, text_kind(spec.kind) if paired else None)
    columns: Columns = {}
    for family in asked:
        for others in (False, True) if family in paired else (False,):
            work = FamilyWork(target, spec, family, bank, progress, others)
            columns |= extract_family(work, cleaned, cache)
    return FeatureTable(tuple(texts), columns)


def extract_family(
    work: FamilyWork, texts: Sequence[str], cache: FeatureCache | None = None
) -> Columns:
    """Extract the texts' own columns of a family, or the means over their neighbours.

    Args:
        work: The family, and which of the two.
        texts: n clean texts of which none is refused, in any order; of two parts where the means
            are wanted.
        cache: As in `extract`.

    Returns:
        Arrays of shape (n, d) by column name.

    Raises:
        TextError: A text or a neighbour is too long under a prompt; rows are named.
        UnusableScores: A column is not finite.
    """
    distinct = sorted(set(texts))
    position = {text: row for row, text in enumerate(distinct)}
    columns: Columns = {}
    with _deterministic(work.target):
        key = family_key(work.target, work.spec, work.name, others=work.others)
        known = cache.get(key, distinct) if cache else {}
        todo = [text for text in distinct if text not in known]
        _require_fit(work, texts, todo)
        _fill(columns, len(distinct), [position[text] for text in known], _stacked(known))
        for block, fresh in work.blocks(todo):
            _require_finite(fresh)
            if cache:
                cache.put(key, block, fresh)
            _fill(columns, len(distinct), [position[text] for text in block], fresh)
    order = np.array([position[text] for text in texts], dtype=np.int64)
    return {name: array[order] for name, array in columns.items()}


def family_key(target: Target, spec: FeatureSpec, family: str, *, others: bool) -> str:
    """Cache key of a family's columns: equal keys and texts mean equal columns.

    Args:
        target: The checkpoint.
        spec: Holds the family's settings.
        family: Its name.
        others: Whether of the means over neighbours ("o"), else of a text's own ("r").
    """
    return f"{target.fingerprint}:{spec.family_hash(family)}:{'o' if others else 'r'}"


def _refuse(texts: Sequence[str], paired: TextKind | None) -> None:
    """Refuse texts that no model should be asked about, by row.

    Args:
        texts: Clean texts.
        paired: Their kind where each must have two parts, or None.
    """
    for row, text in enumerate(texts):
        if reason := refusal(text):
            raise TextError(f"texts: row {row}: {reason}", "leave the row out, or correct it")
        if paired is not None and not paired.has_parts(text):
            raise TextError(
                f"texts: row {row} has one part and therefore no neighbours",
                "extract one-part texts on their own, with neighbours=False",
            )
    if not texts:
        raise TooFewTexts("texts: none was given", "give at least one text")


def _require_fit(work: FamilyWork, texts: Sequence[str], todo: Sequence[str]) -> None:
    """Name the input's rows that would leave the context, themselves or by a neighbour."""
    needed = {text: work.needed(text) for text in todo}
    every = sorted({one for some in needed.values() for one in some}) if work.others else todo
    limit = work.target.context_length
    long: set[str] = set()
    for prompt in work.prompts:
        some = [text for text in every if may_exceed(fill(prompt, text), limit)]
        counts = work.target.token_counts([fill(prompt, text) for text in some])
        long.update(some[row] for row in np.flatnonzero(counts > limit))
    if not long:
        return
    over = {text for text, some in needed.items() if not long.isdisjoint(some)}
    rows = [row for row, text in enumerate(texts) if text in over]
    shown = ", ".join(str(row) for row in rows[:5]) + (" and more" if len(rows) > 5 else "")
    raise TextError(
        f"texts: with a prompt, longer than the {limit} tokens of the model in "
        f"row{'s' if len(rows) > 1 else ''} {shown}",
        "shorten the texts, leave them out, or use shorter prompts",
    )


def _stacked(known: Mapping[str, Columns]) -> Columns:
    """Columns of texts, each with values of its own, as arrays of all."""
    rows = list(known.values())
    return {name: np.stack([row[name] for row in rows]) for name in (rows[0] if rows else ())}


def _fill(found: Columns, count: int, rows: Sequence[int], some: Columns) -> None:
    """Write some rows of columns of ``count`` rows, which are made at first use."""
    for name, array in some.items():
        if name not in found:
            found[name] = np.empty((count, array.shape[1]), dtype=array.dtype)
        found[name][rows] = array


def _require_finite(columns: Columns) -> None:
    for name, array in columns.items():
        if not np.isfinite(array).all():
            raise UnusableScores(
                f"features: column {name} is not finite",
                "check the checkpoint; fp32 instead of bf16 helps where it overflows",
            )


@contextmanager
def _deterministic(target: Target) -> Iterator[None]:
    """Deterministic kernels and full float32 on a GPU; the settings are put back."""
    if torch.device(target.device).type != "cuda":
        yield
        return
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.backends.cudnn.allow_tf32,
        torch.backends.cuda.matmul.allow_tf32,
    )
    try:
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before[1:]
