"""Every text of a job in exactly one set: what is fitted on, searched with, calibrated, judged.

The one law: no text stands in two sets, after canonicalisation; the same key and texts give the
same sets, whatever order the texts came in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

from tuni.errors import TooFewTexts
from tuni.hashing import derive_seed
from tuni.lists.labelled import Labelled
from tuni.lists.split import Split, disjoint
from tuni.texts.gibberish import GibberishSpec, gibberish
from tuni.texts.kind import TextKind
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


def make_sets(
    labelled: Labelled | None,
    listed: Sequence[str],
    *,
    sizes: NullSizes,
    gibberish_spec: GibberishSpec,
    split: Split,
    seed: int,
    source: str,
    own_decoys: Sequence[str] = (),
    token_length: Callable[[Sequence[str]], Sequence[int]],
    kind: TextKind,
    locale: str = "en_US",
    fitting: Callable[[tuple[str, ...]], tuple[str, ...]] = tuple,
) -> TextSets:
    """Draw the nulls for the given texts and divide everything into disjoint sets.

    Args:
        labelled: People known to be in the training set or not, or None.
        listed: Unlabelled people of interest; those that are also labelled stay labelled only.
        sizes: How many texts of each null; fewer are taken where fewer exist.
        gibberish_spec: Alphabet and lengths.
        split: Keyed split; the same person falls on the same side with the same key.
        seed: Seed of the draws.
        source: ``"recombination"``, ``"faker"`` or ``"file"``.
        own_decoys: The decoys of ``source="file"``.
        token_length: Gives the number of tokens of each text, to match Faker's names on.
        kind: Of all texts.
        locale: Locale of the reference names where there is no text to recombine.
        fitting: Those of some drawn names that the model can read whole.

    Raises:
        TooFewTexts: Fewer than 800 distinct decoys can be made (or than asked, if that is less).
    """
    known = labelled.texts if labelled else ()
    labelled_keys = {canonical(text) for text in known}
    unlabelled = sorted(
        {canonical(text): clean_text(text) for text in sorted(listed, reverse=True)}.items()
    )
    interest = [text for key, text in unlabelled if key not in labelled_keys]
    forbidden = frozenset(labelled_keys | {key for key, _ in unlabelled})
    named = [text for text in (*known, *interest) if kind.has_parts(text)]
    planned = {
        name: getattr(sizes, name)
        for name in (
            "decoy_fit",
            "decoy_scale",
            "decoy_search",
            "decoy_calibration",
            "decoy_check",
        )
    }
    wanted = sum(planned.values())
    like = named or kind.like(locale)
    pool = kind.pool(like, wanted)

    decoy_seed = derive_seed(seed, "decoys")
    if source == "file":
        own = {canonical(text): clean_text(text) for text in own_decoys}
        decoys = tuple(text for key, text in sorted(own.items()) if key not in forbidden)
    elif source == "faker":
        decoys = kind.drawn(like, wanted, decoy_seed, forbidden, token_length)
    else:
        decoys = pool.recombine(wanted, decoy_seed, forbidden)
    decoys = fitting(decoys)
    least = min(LEAST_DECOYS, wanted)
    if len(decoys) < least:
        raise TooFewTexts(
            f"decoys: {len(decoys)} distinct ones, at least {least} are needed",
            "give more names in `list`, more lines in `decoys`, or take source = 'faker'",
        )
    taken = forbidden | {canonical(text) for text in decoys}
    control_seed = derive_seed(seed, "control")
    control = fitting(pool.across_strata(sizes.control, control_seed, taken))
    if len(control) < sizes.control:  # names of one culture have no other to be paired with
        control = fitting(kind.drawn(like, sizes.control, control_seed, taken, token_length))
    taken |= {canonical(text) for text in control}
    singles = fitting(pool.lone_parts(2 * sizes.single, derive_seed(seed, "singles"), taken))
    shares = split.divide(
        decoys, {name: count / wanted for name, count in planned.items()}, "decoys"
    )
    lone = split.divide(singles, {"fit": 0.4, "scale": 0.1, "calibration": 0.5}, "singles")
    labels = split.divide(
        [text for text in known if kind.has_parts(text)], {"dev": 0.5, "test": 0.5}, "labelled"
    )
    listing = split.divide(
        [text for text in interest if kind.has_parts(text)], {"search": 0.5, "judge": 0.5}, "list"
    )
    taken |= {canonical(text) for text in singles}
    noise = _gibberish(sizes, gibberish_spec, seed, frozenset(taken))
    return TextSets(
        **noise,
        **shares,
        control=control,
        labelled_dev=labels["dev"],
        labelled_test=labels["test"],
        list_search=listing["search"],
        list_judge=listing["judge"],
        single_fit=lone["fit"],
        single_scale=lone["scale"],
        single_calibration=lone["calibration"],
    )


def _gibberish(
    sizes: NullSizes, spec: GibberishSpec, seed: int, taken: frozenset[str]
) -> dict[str, tuple[str, ...]]:
    """Draw the gibberish sets one after the other, each avoiding all before it."""
    costly = min(COSTLY_GIBBERISH, sizes.gibberish)
    draws = (
        ("gibberish_fit", costly, spec),
        ("rest", sizes.gibberish - costly, spec),
        ("gibberish_scale", sizes.gibberish_scale, spec),
        ("gibberish_calibration", sizes.gibberish_calibration, spec),
        ("single_gibberish", sizes.single, replace(spec, parts=1)),
    )
    made: dict[str, tuple[str, ...]] = {}
    for name, count, how in draws:
        made[name] = gibberish(count, how, derive_seed(seed, name), taken)
        taken |= {canonical(text) for text in made[name]}
    rest = made.pop("rest")
    return made | {"gibberish_fit": made["gibberish_fit"] + rest}
