"""What a detector reads of a text, and features that are kept in memory for it."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tuni.detectors.bundle import Bundle
from tuni.detectors.model import ArrayModel
from tuni.features.extract import FeatureCache
from tuni.features.family import OTHER_FIRSTS, OTHER_LASTS
from tuni.features.registry import family_of
from tuni.features.work import Columns
from tuni.pictures.bank import Bank


def families_of(model: ArrayModel) -> frozenset[str]:
    """The feature families that a detector reads."""
    return frozenset(family_of(name) for name in model.needed)


def reads_neighbours(model: ArrayModel) -> bool:
    """Whether a detector reads a mean over neighbours; else they need not be encoded."""
    return any(name.endswith((OTHER_LASTS, OTHER_FIRSTS)) for name in model.needed)


class KeptFeatures:
    """A feature cache in memory in front of another: what came out of one call serves the next."""

    def __init__(self, behind: FeatureCache | None) -> None:
        """Start empty.

        Args:
            behind: Asked for what is not in memory, and given whatever is put.
        """
        self._behind = behind
        self._kept: dict[tuple[str, str], Columns] = {}

    def get(self, family_key: str, texts: Sequence[str]) -> Mapping[str, Columns]:
        """Columns of those texts that are known under the key."""
        known = {
            text: self._kept[family_key, text] for text in texts if (family_key, text) in self._kept
        }
        rest = [text for text in texts if text not in known]
        if rest and self._behind is not None:
            for text, columns in self._behind.get(family_key, rest).items():
                known[text] = self._kept[family_key, text] = columns
        return known

    def put(
        self, family_key: str, texts: Sequence[str], columns: Mapping[str, NDArray[np.float32]]
    ) -> None:
        """Keep columns of n texts under the key."""
        for row, text in enumerate(texts):
            self._kept[family_key, text] = {name: array[row] for name, array in columns.items()}
        if self._behind is not None:
            self._behind.put(family_key, texts, columns)


def bank_of(bundle: Bundle) -> Bank | None:
    """The bank that the bundle's features read, or None."""
    digest = bundle.feature_spec.bank_digest
    if bundle.bank is None or digest is None:
        return None
    embeddings = bundle.bank.astype(np.float32)
    return Bank(embeddings, digest, len(embeddings))
