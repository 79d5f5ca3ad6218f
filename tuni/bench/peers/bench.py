"""What every method is given: the same people, pictures of them, the same comparison texts.

The one law: no method sees who is a member. What is costly is computed once and its time charged
to every method that uses it, so that each has the time that it would need alone.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tuni.detectors.fit import Nulls
from tuni.detectors.score import Table
from tuni.errors import TooFewTexts
from tuni.features.extract import extract
from tuni.features.extractors.inversion import inverted_embeddings
from tuni.features.families.geometry import GeometrySpec
from tuni.features.families.hidden import HiddenSpec
from tuni.features.families.inversion import InversionSpec
from tuni.features.families.jacobian import JacobianSpec
from tuni.features.prompt_embeddings import prompt_embeddings
from tuni.features.registry import by_family
from tuni.features.spec import FeatureSpec
from tuni.hashing import derive_seed
from tuni.model.target import Target
from tuni.pictures.embed import embed_pictures
from tuni.progress import SILENT, Progress
from tuni.texts.gibberish import GibberishSpec, gibberish
from tuni.texts.kind import text_kind
from tuni.texts.text import canonical

SetName = Literal[
    "subjects", "decoy_fit", "decoy_scale", "decoy_calibration", "gibberish_fit", "gibberish_scale"
]
DECOYS: tuple[SetName, ...] = ("decoy_fit", "decoy_scale", "decoy_calibration")
GIBBERISH: tuple[SetName, ...] = ("gibberish_fit", "gibberish_scale")
OPERATING_POINT = 0.05
# What is extracted of which texts; the sets that no method reads are left out.
_READ: Mapping[str, tuple[SetName, ...]] = {
    "hidden": ("subjects", *DECOYS),
    "jacobian": ("subjects", *DECOYS),
    "geometry": ("subjects", "decoy_calibration"),
    "inversion": ("subjects", *GIBBERISH),
}
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class BenchSizes:
    """How many comparison texts; every number is ours.

    Attributes:
        decoy_fit: Our detector is fitted on these.
        decoy_scale: Scales of its parts.
        decoy_calibration: Thresholds of ours and of the text-only scores.
        candidates: Names among which IDIA looks for the right one, the own one left out.
        gibberish_fit: The paper's detectors are fitted on these.
        gibberish_scale: Their thresholds.
        restarts: Of the paper's inversion.
        steps: Of each restart.
    """

    decoy_fit: int = 1000
    decoy_scale: int = 200
    decoy_calibration: int = 2000
    candidates: int = 999
    gibberish_fit: int = 200
    gibberish_scale: int = 100
    restarts: int = 2
    steps: int = 20


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """Names and pictures, row by row.

    Attributes:
        texts: n distinct names of two parts and more.
        pictures: Shape (n, k, side, side, 3), red green blue.
    """

    texts: tuple[str, ...]
    pictures: NDArray[np.uint8]


class Bench:
    """One checkpoint and the people that every method is asked about."""

    def __init__(
        self,
        target: Target,
        subjects: People,
        strangers: People,
        *,
        sizes: BenchSizes,
        seed: int,
        progress: Progress = SILENT,
    ) -> None:
        """Draw the comparison texts.

        Args:
            target: The audited checkpoint.
            subjects: The people that are asked about.
            strangers: People known not to be members, for the methods that need some.
            sizes: How many comparison texts.
            seed: Of everything that is drawn.
            progress: Draws the stages.

        Raises:
            TooFewTexts: The names have too few parts for so many decoys.
        """
        self.target = target
        self.subjects = subjects
        self.strangers = strangers
        self.sizes = sizes
        self.seed = seed
        self._borrowed_s = 0.0
        self._charged: set[str] = set()
        self._progress = progress
        self._kept: dict[str, tuple[Any, float]] = {}  # Any: tables and arrays, by what they are
        forbidden = {canonical(text) for text in (*subjects.texts, *strangers.texts)}
        parts = (sizes.decoy_fit, sizes.decoy_scale, sizes.decoy_calibration, sizes.candidates)
        kind = text_kind("name")
        drawn = kind.pool(subjects.texts, sum(parts)).recombine(
            sum(parts), derive_seed(seed, "bench decoys"), forbidden
        )
        if len(drawn) < sum(parts):
            raise TooFewTexts(
                f"benchmark decoys: {len(drawn)}, {sum(parts)} are needed",
                "benchmark a larger testbed",
            )
        ends = np.cumsum((0, *parts)).tolist()
        fit, scale, calibration, self.candidates = (
            drawn[start:end] for start, end in pairwise(ends)
        )
        taken = frozenset(forbidden | {canonical(text) for text in drawn})
        count = sizes.gibberish_fit + sizes.gibberish_scale
        noise = gibberish(count, GibberishSpec(), derive_seed(seed, "bench gibberish"), taken)
        self.sets: Mapping[SetName, tuple[str, ...]] = {
            "subjects": subjects.texts,
            "decoy_fit": fit,
            "decoy_scale": scale,
            "decoy_calibration": calibration,
            "gibberish_fit": noise[: sizes.gibberish_fit],
            "gibberish_scale": noise[sizes.gibberish_fit :],
        }
        self._inversion = InversionSpec(restarts=sizes.restarts, steps=sizes.steps, seed=seed)
        self.spec = FeatureSpec(
            parts=kind.reference_parts(),
            families=by_family(HiddenSpec(), JacobianSpec(), GeometrySpec(), self._inversion),
        )

    def about(self, places: NDArray[np.intp], sizes: BenchSizes) -> "Bench":
        """A bench about some of the subjects alone, with other comparison texts or budget."""
        some = People(
            tuple(self.subjects.texts[place] for place in places), self.subjects.pictures[places]
        )
        return Bench(
            self.target, some, self.strangers, sizes=sizes, seed=self.seed, progress=self._progress
        )

    @contextmanager
    def metered(self) -> Iterator[Callable[[], float]]:
        """Measure one method: CPU seconds, with what others computed before it."""
        self._borrowed_s, self._charged = 0.0, set()
        started = time.process_time()
        yield lambda: time.process_time() - started + self._borrowed_s

    def table(self, name: SetName, families: Sequence[str]) -> Table:
        """Feature columns of one set; a family is extracted for all sets that need it at once."""
        table: dict[str, NDArray[np.float32]] = {}
        for family in families:
            table |= self._family(family)[name]
        return table

    def nulls(self, families: Sequence[str]) -> Nulls:
        """What detectors are fitted on, as far as the families are extracted for it."""

        def known(name: SetName) -> Table:
            return self.table(name, [f for f in families if name in _READ[f]])

        return Nulls(
            gibberish_fit=known("gibberish_fit"),
            gibberish_scale=known("gibberish_scale"),
            decoy_fit=known("decoy_fit"),
            decoy_scale=known("decoy_scale"),
        )

    def text_embeddings(self, texts: Sequence[str], prompts: Sequence[str]) -> NDArray[np.float32]:
        """Unit embeddings, shape (n, prompts, d)."""
        found = prompt_embeddings(self.target, texts, prompts, self.spec.batch)
        return np.asarray(found.numpy(), dtype=np.float32)

    def inverted(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit embeddings of the images that inversion ends at, shape (n, restarts, d)."""
        with self._progress.stage("inverted images", len(texts)) as step:
            return inverted_embeddings(self.target, texts, self._inversion, self.spec.batch, step)

    def picture_embeddings(self, *, of_strangers: bool = False) -> NDArray[np.float32]:
        """Unit embeddings of the pictures of the subjects, or of the known strangers: (n, k, d)."""
        people = self.strangers if of_strangers else self.subjects
        return self._once(f"pictures {of_strangers}", lambda: self._embed(people.pictures))

    def _family(self, family: str) -> Mapping[SetName, Table]:
        names = _READ[family]

        def compute() -> Mapping[SetName, Table]:
            texts = [text for name in names for text in self.sets[name]]
            found = extract(
                self.target, texts, self.spec, families=(family,), progress=self._progress
            )
            tables: dict[SetName, Table] = {}
            start = 0
            for name in names:
                end = start + len(self.sets[name])
                tables[name] = {key: array[start:end] for key, array in found.columns.items()}
                start = end
            return tables

        return self._once(family, compute)

    def _embed(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        n, each = pictures.shape[:2]
        with self._progress.stage("pictures", n * each) as step:
            flat = (Image.fromarray(one) for person in pictures for one in person)
            return np.asarray(
                embed_pictures(self.target, flat, step).numpy().reshape(n, each, -1), np.float32
            )

    def _once(self, key: str, compute: Callable[[], _Value]) -> _Value:
        new, charged = key not in self._kept, key in self._charged
        self._charged.add(key)
        if not new:
            value, cost = self._kept[key]
            self._borrowed_s += 0.0 if charged else cost
            return value  # type: ignore[no-any-return]  # of the type that compute gave
        started = time.process_time()
        value = compute()
        self._kept[key] = (value, time.process_time() - started)
        return value
