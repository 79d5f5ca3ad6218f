"""Every text of a job in exactly one set: what is fitted on, searched with, calibrated, judged.

The one law: no text stands in two sets, after canonicalisation; the same key and texts give the
same sets, whatever order the texts came in.
"""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, fields, replace

from tuni.errors import TooFewTexts
from tuni.hashing import derive_seed
from tuni.lists.labelled import Labelled
from tuni.lists.split import Split, disjoint
from tuni.texts.gibberish import GibberishSpec, gibberish
from tuni.texts.kind import DecoyPool, TextKind
from tuni.texts.text import canonical, clean_text

COSTLY_GIBBERISH = 300  # gibberish that also gets neighbours and Jacobians (ours)
LEAST_DECOYS = 800  # fewer leave too little to fit on and to calibrate with, apart from each other


@dataclass(frozen=True, slots=True)
class NullSizes:
    """How many texts of each null; every number is ours, not the paper's."""

    gibberish: int = 5000
    gibberish_scale: int = 200
    gibberish_calibration: int = 300
    decoy_fit: int = 1000
    decoy_scale: int = 200
    decoy_search: int = 500
    decoy_calibration: int = 2000
    decoy_check: int = 300
    control: int = 300
    single: int = 600

    @property
    def decoys(self) -> dict[str, int]:
        """Those of decoys by the set's name."""
        return {name: size for name, size in asdict(self).items() if name.startswith("decoy_")}


@dataclass(frozen=True, slots=True)
class TextSets:
    """The sets of one job; names of two or more parts, but for the ``single_*`` sets.

    Attributes:
        gibberish_fit: Its first 300 texts share few parts, so costly features are cheap on them.
        gibberish_scale: Thresholds of the paper's votes.
        gibberish_calibration: p_gibberish.
        decoy_fit: Detectors are fitted on these.
        decoy_scale: Means and deviations of summed scores.
        decoy_search: Objectives of the search.
        decoy_calibration: p_decoy and so every threshold.
        decoy_check: The null check; can only find errors of code.
        control: Decoys of another pairing or source, the negative control of the label-free search.
        labelled_dev: Labelled texts for the search.
        labelled_test: Labelled texts for the evaluation alone.
        list_search: Half of the list, for the label-free search.
        list_judge: The other half.
        single_fit: One-part decoys: fit.
        single_scale: One-part decoys: means and deviations.
        single_calibration: One-part decoys: p_decoy.
        single_gibberish: One-part gibberish: p_gibberish.
    """

    gibberish_fit: tuple[str, ...]
    gibberish_scale: tuple[str, ...]
    gibberish_calibration: tuple[str, ...]
    decoy_fit: tuple[str, ...]
    decoy_scale: tuple[str, ...]
    decoy_search: tuple[str, ...]
    decoy_calibration: tuple[str, ...]
    decoy_check: tuple[str, ...]
    control: tuple[str, ...]
    labelled_dev: tuple[str, ...]
    labelled_test: tuple[str, ...]
    list_search: tuple[str, ...]
    list_judge: tuple[str, ...]
    single_fit: tuple[str, ...]
    single_scale: tuple[str, ...]
    single_calibration: tuple[str, ...]
    single_gibberish: tuple[str, ...]

    def __post_init__(self) -> None:
        """Hold the law of the module."""
        disjoint({field.name: getattr(self, field.name) for field in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class NullDraw:
    """How the nulls of a job are drawn.

    Attributes:
        sizes: How many texts of each null; fewer are taken where fewer exist.
        gibberish_spec: Alphabet and lengths.
        seed: Seed of the draws.
        source: ``"recombination"``, ``"faker"`` or ``"file"``.
        kind: Of all texts.
        token_length: Gives the number of tokens of each text, to match Faker's names on.
        own_decoys: The decoys of ``source="file"``.
        locale: Locale of the reference names where there is no text to recombine.
        fitting: Those of some drawn names that the model can read whole.
    """

    sizes: NullSizes
    gibberish_spec: GibberishSpec
    seed: int
    source: str
    kind: TextKind
    token_length: Callable[[Sequence[str]], Sequence[int]]
    own_decoys: Sequence[str] = ()
    locale: str = "en_US"
    fitting: Callable[[tuple[str, ...]], tuple[str, ...]] = tuple

    def decoys(
        self, like: Sequence[str], pool: DecoyPool, forbidden: AbstractSet[str]
    ) -> tuple[str, ...]:
        """Decoys of all sets together.

        Raises:
            TooFewTexts: Fewer than 800 distinct ones can be made (or than asked, if that is less).
        """
        wanted, seed = sum(self.sizes.decoys.values()), derive_seed(self.seed, "decoys")
        if self.source == "file":
            own = {canonical(text): clean_text(text) for text in self.own_decoys}
            decoys = tuple(text for key, text in sorted(own.items()) if key not in forbidden)
        elif self.source == "faker":
            decoys = self.kind.drawn(like, wanted, seed, forbidden, self.token_length)
        else:
            decoys = pool.recombine(wanted, seed, forbidden)
        decoys = self.fitting(decoys)
        if len(decoys) < (least := min(LEAST_DECOYS, wanted)):
            raise TooFewTexts(
                f"decoys: {len(decoys)} distinct ones, at least {least} are needed",
                "give more names in `list`, more lines in `decoys`, or take source = 'faker'",
            )
        return decoys

    def control(
        self, like: Sequence[str], pool: DecoyPool, taken: AbstractSet[str]
    ) -> tuple[str, ...]:
        """Decoys of another pairing, or of another source where there is one culture alone."""
        count, seed = self.sizes.control, derive_seed(self.seed, "control")
        control = self.fitting(pool.across_strata(count, seed, taken))
        if len(control) < count:
            control = self.fitting(self.kind.drawn(like, count, seed, taken, self.token_length))
        return control

    def singles(self, pool: DecoyPool, taken: AbstractSet[str]) -> tuple[str, ...]:
        """Decoys of one part."""
        seed = derive_seed(self.seed, "singles")
        return self.fitting(pool.lone_parts(2 * self.sizes.single, seed, taken))

    def gibberish(self, like: Sequence[str], taken: frozenset[str]) -> dict[str, tuple[str, ...]]:
        """The sets of gibberish, one after the other, each avoiding all before it.

        Where the kind says so they have the shapes of ``like``.
        """
        costly = min(COSTLY_GIBBERISH, self.sizes.gibberish)
        draws = (
            ("gibberish_fit", costly, self.gibberish_spec),
            ("rest", self.sizes.gibberish - costly, self.gibberish_spec),
            ("gibberish_scale", self.sizes.gibberish_scale, self.gibberish_spec),
            ("gibberish_calibration", self.sizes.gibberish_calibration, self.gibberish_spec),
            ("single_gibberish", self.sizes.single, replace(self.gibberish_spec, parts=1)),
        )
        made: dict[str, tuple[str, ...]] = {}
        for name, count, how in draws:
            seed = derive_seed(self.seed, name)
            if self.kind.noise is not None and how.parts > 1:
                shaped = self.kind.noise(like, count, how.alphabet, seed, taken)
                made[name] = self.fitting(shaped)
            else:
                made[name] = gibberish(count, how, seed, taken)
            taken |= _keys(made[name])
        rest = made.pop("rest")
        return made | {"gibberish_fit": made["gibberish_fit"] + rest}


def make_sets(
    labelled: Labelled | None, listed: Sequence[str], split: Split, draw: NullDraw
) -> TextSets:
    """Draw the nulls for the given texts and divide everything into disjoint sets.

    Args:
        labelled: People known to be in the training set or not, or None.
        listed: Unlabelled people of interest; those that are also labelled stay labelled only.
        split: Keyed split; the same person falls on the same side with the same key.
        draw: How the nulls are drawn.

    Raises:
        TooFewTexts: Fewer than 800 distinct decoys can be made (or than asked, if that is less).
    """
    known = labelled.texts if labelled else ()
    labelled_keys = _keys(known)
    unlabelled = sorted(
        {canonical(text): clean_text(text) for text in sorted(listed, reverse=True)}.items()
    )
    interest = [text for key, text in unlabelled if key not in labelled_keys]
    forbidden = labelled_keys | {key for key, _ in unlabelled}
    named, interest = (
        [text for text in texts if draw.kind.has_parts(text)] for texts in (known, interest)
    )
    like = [*named, *interest] or draw.kind.like(draw.locale)
    wanted = draw.sizes.decoys
    pool = draw.kind.pool(like, sum(wanted.values()))
    decoys = draw.decoys(like, pool, forbidden)
    taken = forbidden | _keys(decoys)
    control = draw.control(like, pool, taken)
    taken |= _keys(control)
    singles = draw.singles(pool, taken)
    shares = {name: count / sum(wanted.values()) for name, count in wanted.items()}
    labels = split.divide(named, {"dev": 0.5, "test": 0.5}, "labelled")
    listing = split.divide(interest, {"search": 0.5, "judge": 0.5}, "list")
    lone = split.divide(singles, {"fit": 0.4, "scale": 0.1, "calibration": 0.5}, "singles")
    return TextSets(
        **draw.gibberish(like, taken | _keys(singles)),
        **split.divide(decoys, shares, "decoys"),
        control=control,
        labelled_dev=labels["dev"],
        labelled_test=labels["test"],
        list_search=listing["search"],
        list_judge=listing["judge"],
        single_fit=lone["fit"],
        single_scale=lone["scale"],
        single_calibration=lone["calibration"],
    )


def _keys(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(canonical(text) for text in texts)
