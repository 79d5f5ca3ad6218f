"""The one way from texts to verdicts, for lists in memory, in files and in a ledger alike.

The one law: a verdict depends on the text, the bundle and the set of texts in the list (through
the list's null and how many p-values it has of each size), never on the order of the rows, the
blocks they are judged in, the clock or the machine's key.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tuni.detectors.bundle import Bundle, Scorer
from tuni.detectors.score import Table
from tuni.errors import FingerprintMismatch, TextError
from tuni.features.extract import FeatureCache, extract
from tuni.hashing import derive_seed
from tuni.judging.fits import too_long, unfit
from tuni.judging.forms import Forms
from tuni.judging.null import (
    GroupNull,
    JudgeOptions,
    ListNull,
    foreign_kind,
    p_values,
    require_decoys,
    require_enough,
)
from tuni.judging.part_effects import UNCORRECTED, Correction
from tuni.judging.record import SELECTED_ON, Judged
from tuni.judging.scores import KeptFeatures, bank_of, families_of, reads_neighbours
from tuni.lists.shape import ListShape
from tuni.model.target import Target
from tuni.progress import SILENT, Progress
from tuni.statistics.p_values import Floats, quantise, smallest_findable
from tuni.statistics.spelling import decoy_check
from tuni.texts.kind import ParsedText, TextKind, text_kind
from tuni.texts.text import canonical

SHORT_LIST = 20
# Decoys of a sample may be on the list: so many times more are drawn than are wanted (ours).
SPARE = 2

# Rows of candidates that are texts of the list.
OnList = Callable[[Sequence[str]], Collection[int]]


@dataclass(frozen=True, slots=True)
class ListDecoys:
    """Decoys recombined from a list, all of which the model reads whole and none of which is on it.

    Attributes:
        shape: Of the list.
        pair: Of two parts and more.
        single: Of one part.
    """

    shape: ListShape
    pair: tuple[str, ...] = ()
    single: tuple[str, ...] = ()

    def of(self, *, paired: bool) -> tuple[str, ...]:
        """Those of one kind."""
        return self.pair if paired else self.single


@dataclass(frozen=True, slots=True)
class Judge:
    """A detector and the checkpoint that it was made for, ready to judge lists.

    Attributes:
        bundle: Detector, calibration scores and spec.
        target: The checkpoint.
        cache: Keeps the features of texts between calls, or None.
        progress: Draws the stages.
    """

    bundle: Bundle
    target: Target
    cache: FeatureCache | None = None
    progress: Progress = SILENT

    def __post_init__(self) -> None:
        """Refuse a checkpoint that the bundle was not made for.

        Raises:
            FingerprintMismatch: It is another.
        """
        require_checkpoint(self.bundle, self.target)

    @property
    def kind(self) -> TextKind:
        """Kind of the texts that it judges."""
        return text_kind(self.bundle.kind)

    def keeping(self) -> "Judge":
        """The same, with features in memory too: for texts that are asked about twice."""
        return replace(self, cache=KeptFeatures(self.cache))

    def unscorable(self, texts: Sequence[str]) -> dict[int, str]:
        """Rows of clean texts that cannot be scored, and why; the reason never quotes the text."""
        reasons = unfit(self.target, texts, self.bundle.feature_spec)
        if self.bundle.single is None:
            reasons |= {
                row: "one part only, and this detector was made for full names"
                for row, text in enumerate(texts)
                if row not in reasons and not self.kind.has_parts(text)
            }
        return dict(sorted(reasons.items()))

    def draw_decoys(self, shape: ListShape, options: JudgeOptions, on_list: OnList) -> ListDecoys:
        """Recombine a list's decoys.

        Args:
            shape: Of the list.
            options: Say how many.
            on_list: Which of these texts are on the list, by row; asked once a kind, and only
                where the shape is a sample.
        """
        wanted = options.decoys_for(shape.size)
        seed = derive_seed(self.bundle.seed, "list decoys")
        drawn: dict[bool, tuple[str, ...]] = {}
        for paired, size, scorer in self._kinds(shape):
            if size and scorer and wanted:
                drawn[paired] = self.fitting(
                    draw(shape, self.kind, wanted, seed, on_list, paired=paired)
                )
        return ListDecoys(shape, drawn.get(True, ()), drawn.get(False, ()))

    def fitting(self, texts: Sequence[str]) -> tuple[str, ...]:
        """Those of some texts that the model reads whole, with their neighbours."""
        over = too_long(self.target, texts, self.bundle.feature_spec)
        return tuple(text for row, text in enumerate(texts) if row not in over)

    def null_of(
        self,
        decoys: ListDecoys,
        options: JudgeOptions,
        beside: Sequence[str] = (),
    ) -> ListNull:
        """Make a list's null: check its decoys and score them.

        Args:
            decoys: From `draw_decoys`, for these options.
            options: How the list is judged.
            beside: Texts of the list to extract together with the decoys, for the cache (see
                `scores`).

        Raises:
            TextError: The list holds no text that the detector judges.
            TooFewTexts: The list's decoys are too few for the bundle's operating point.
            RequestError: List decoys were turned off, and the detector needs them.
        """
        require_decoys(self.bundle, options)
        bundle, shape = self.bundle, decoys.shape
        check_seed = derive_seed(bundle.seed, "decoy check")
        groups: dict[bool, GroupNull] = {}
        check = None
        calibrated: list[int] = []
        for paired, size, scorer in self._kinds(shape):
            if not size or scorer is None:
                continue
            groups[paired] = GroupNull(size, np.empty(0))
            if options.list_decoys:
                own = decoys.of(paired=paired)
                require_enough(len(own), bundle.operating_point)
                if paired:
                    check = decoy_check(shape.pair_sample, own, self.kind, check_seed)
                company = [text for text in beside if self.kind.has_parts(text) == paired]
                correction, scores = self.score_decoys(own, paired=paired, beside=company)
                groups[paired] = GroupNull(size, np.sort(scores), correction)
            calibrated.append(len(scorer.decoy_scores))
        if not calibrated:
            raise TextError(
                "list: no text that this detector judges", "give at least one such text"
            )
        fewest = min(calibrated)
        if options.list_decoys:
            fewest = min(fewest, sum(len(group.decoy_scores) for group in groups.values()))
        return ListNull(
            pair=groups.get(True),
            single=groups.get(False),
            list_decoys=options.list_decoys,
            smallest_findable=smallest_findable(shape.size, fewest),
            check=check,
            decoy_seed=derive_seed(bundle.seed, "list decoys"),
            check_seed=check_seed,
        )

    def judge(
        self, texts: Sequence[str], null: ListNull, selected_on: Collection[int] = ()
    ) -> tuple[Judged, ...]:
        """Judge some texts of a list against its null, in memory that these texts alone decide.

        Args:
            texts: Clean texts of the list that `unscorable` names no reason for; the caller sees
                to it.
            null: Of the whole list.
            selected_on: Rows of ``texts`` that took part in choosing the bundle.

        Returns:
            One per text, in order; each depends on its text, the bundle and the null alone.

        Raises:
            TextError: A text is refused, or of a kind that the null was made without.
        """
        single = self._single(texts)
        scores = np.empty(len(texts))
        for paired, group in ((True, null.pair), (False, null.single)):
            rows = np.flatnonzero(single != paired).tolist()
            if rows and group is None:
                raise foreign_kind(rows)
            if rows and group is not None:
                some = [texts[row] for row in rows]
                scores[rows] = self.scores(some, group.correction, paired=paired)
        return self._ranked(texts, scores, single, null, selected_on)

    def rank(
        self,
        texts: Sequence[str],
        scores: Floats,
        null: ListNull,
        selected_on: Collection[int] = (),
    ) -> tuple[Judged, ...]:
        """The second half of `judge`: what follows from texts and their scores.

        Args:
            texts: As in `judge`.
            scores: Quantised scores of the texts, shape (n,).
            null: Of the whole list.
            selected_on: As in `judge`.
        """
        return self._ranked(texts, scores, self._single(texts), null, selected_on)

    def _ranked(
        self,
        texts: Sequence[str],
        scores: Floats,
        single: NDArray[np.bool_],
        null: ListNull,
        selected_on: Collection[int],
    ) -> tuple[Judged, ...]:
        bundle = self.bundle
        p_decoy, p_gibberish = p_values(bundle, null, scores, single)
        shared = {alone: _shared_flags(bundle, null, single=alone) for alone in (True, False)}
        chosen = frozenset(selected_on)
        numbers = (scores.tolist(), p_decoy.tolist(), p_gibberish.tolist(), single.tolist())
        return tuple(
            Judged(
                value,
                p,
                p_noise,
                _flags(shared[alone], self.kind.parse(texts[row]), selected=row in chosen),
            )
            for row, (value, p, p_noise, alone) in enumerate(zip(*numbers, strict=True))
        )

    def _single(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """Whether each text has one part."""
        return np.array([not self.kind.has_parts(text) for text in texts], dtype=bool)

    def scores(
        self, texts: Sequence[str], correction: Correction = UNCORRECTED, *, paired: bool
    ) -> Floats:
        """Quantised scores of texts of one kind.

        A score depends on its text, the bundle, the checkpoint and the correction; the company
        that a text is extracted in moves nothing (`tuni.features.prompts` says what holds it
        still, rounding to the bundle's quantum does the rest).

        Args:
            texts: n texts, n >= 1, none of them a decoy of the correction.
            correction: Of the list's null.
            paired: Whether they have two parts and more, and so neighbours.

        Returns:
            Shape (n,); higher is nearer to "trained on".

        Raises:
            TextError: As `extract`; or the bundle judges no texts of the kind.
            SpecMismatch: The detector takes another correction.
        """
        scorer = self._scorer(paired=paired)
        forms = Forms.of(self.kind, texts)
        table = self.table(forms.texts, scorer, paired=paired)
        values = correction.scores(scorer, forms.texts, table)
        return quantise(forms.largest(values), scorer.quantum)

    def score_decoys(
        self, decoys: Sequence[str], *, paired: bool, beside: Sequence[str] = ()
    ) -> tuple[Correction, Floats]:
        """A list's correction, and the quantised scores of the decoys that it is fitted on.

        Args:
            decoys: n distinct texts of one kind, n >= 1.
            paired: As in `scores`.
            beside: Further texts of the kind to extract in the same call, for the cache:
                neighbours that they share with the decoys are then encoded once.

        Returns:
            The correction, and scores of shape (n,), each as if its text were none of the decoys.
        """
        scorer = self._scorer(paired=paired)
        forms, company = Forms.of(self.kind, decoys), Forms.of(self.kind, beside)
        table = self.table(forms.texts, scorer, paired=paired, beside=company.texts)
        correction, values = Correction.fit(scorer, self.kind, forms.texts, table)
        return correction, quantise(forms.largest(values), scorer.quantum)

    def _scorer(self, *, paired: bool) -> Scorer:
        scorer = self.bundle.pair if paired else self.bundle.single
        if scorer is None:
            raise foreign_kind([0])
        return scorer

    def table(
        self, texts: Sequence[str], scorer: Scorer, *, paired: bool, beside: Sequence[str] = ()
    ) -> Table:
        """Features that a detector reads of texts of one part, or of two where ``paired``."""
        table = extract(
            self.target,
            [*texts, *beside],
            self.bundle.feature_spec,
            families=families_of(scorer.model),
            neighbours=paired and reads_neighbours(scorer.model),
            bank=bank_of(self.bundle),
            cache=self.cache,
            progress=self.progress,
        )
        return table.head(len(texts)).columns

    def _kinds(self, shape: ListShape) -> tuple[tuple[bool, int, Scorer | None], ...]:
        """Full names and names of one part: how many the list holds, and what scores them."""
        return (True, shape.pairs, self.bundle.pair), (False, shape.lone, self.bundle.single)


def require_checkpoint(bundle: Bundle, target: Target) -> None:
    """Refuse a checkpoint that a bundle was not made for.

    Raises:
        FingerprintMismatch: It is another.
    """
    if target.fingerprint != bundle.fingerprint:
        raise FingerprintMismatch(
            f"checkpoint: fingerprint {target.fingerprint[:12]}, but the detector was made for "
            f"{bundle.fingerprint[:12]}",
            "give the checkpoint that the detector was registered for, or run `tuni run` on it",
        )


def draw(
    shape: ListShape,
    kind: TextKind,
    wanted: int,
    seed: int,
    on_list: OnList,
    *,
    paired: bool,
    own_parts: bool = False,
) -> tuple[str, ...]:
    """At most ``wanted`` decoys of two parts, or of one, none of them on the list.

    With ``own_parts`` those of two parts hold parts of the list alone, and are fewer where those
    make no more.
    """
    forbidden = frozenset(canonical(text) for text in shape.pair_sample + shape.lone_sample)
    count = wanted if shape.whole else SPARE * wanted
    if paired:
        pool = kind.pool(shape.pair_sample, 0 if own_parts else count)
        drawn = pool.recombine(count, seed, forbidden)
    else:
        drawn = kind.pool(shape.lone_sample, 0).lone_parts(count, seed, forbidden)
    if shape.whole:
        return drawn
    listed = frozenset(on_list(drawn))
    # Any beginning of a draw is a fair sample of it.
    return tuple(text for row, text in enumerate(drawn) if row not in listed)[:wanted]


def _shared_flags(bundle: Bundle, null: ListNull, *, single: bool) -> tuple[str, ...]:
    """What a reader must know of every text of a kind, sorted."""
    group = null.single if single else null.pair
    holds = {
        "gate_failed": bool(bundle.evidence.get("withheld")),
        "no_list_decoys": not null.list_decoys,
        "one_part": single,
        "short_list": group is not None and group.size < SHORT_LIST,
        "spelling_tells": null.withheld is not None,
    }
    return tuple(flag for flag in holds if holds[flag])


def _flags(shared: tuple[str, ...], text: ParsedText, *, selected: bool) -> tuple[str, ...]:
    """What a reader must know of a text, sorted."""
    holds = {"common_name": text.common, SELECTED_ON: selected}
    own = [flag for flag in holds if holds[flag]]
    return tuple(sorted((*shared, *own))) if own else shared
