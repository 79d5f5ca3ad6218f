"""The share of detectors whose score exceeds a threshold of their own: the paper's decision."""

from collections.abc import Sequence

import numpy as np

from tuni.detectors.checks import require_only, require_shape
from tuni.detectors.kind import DetectorKind, Floats, Number, Voter
from tuni.detectors.model import MAX_PARTS, ArrayModel, refuse
from tuni.detectors.registry import kind_named, kind_names
from tuni.detectors.search import Search
from tuni.detectors.spec import DetectorSpec, refuse_spec


def voters() -> list[tuple[DetectorKind, Voter]]:
    """Kinds that vote, in the order in which a search asks for them."""
    kinds = [kind_named(name) for name in kind_names()]
    pairs = [(kind, kind.voter) for kind in kinds if kind.voter is not None]
    return sorted(pairs, key=lambda pair: pair[1].place)


def _check(model: ArrayModel) -> None:
    require_shape(model, "thresholds", len(model.parts))
    require_only(model, "thresholds")
    if not 1 <= model.params["needed"] <= len(model.parts):
        refuse(model, "needs fewer than 1 or more than all votes")
    if not 0 < model.params["alpha"] < 1:
        refuse(model, "alpha is outside (0, 1)")


def _score(model: ArrayModel, inputs: Sequence[Floats]) -> Floats:
    parts = np.stack(inputs, axis=1)
    shares = (parts > model.arrays["thresholds"]).mean(axis=1)
    return np.where(np.isfinite(parts).all(axis=1), shares, np.nan)  # NaN is not a vote against


def _check_spec(spec: DetectorSpec) -> None:
    if spec.numbers["needed"] > len(spec.parts):
        refuse_spec("vote.needed: more votes than parts", f"at most {len(spec.parts)}")


def _suggest(search: Search) -> DetectorSpec | None:
    ask, inverted = search.ask, "inversion" in search.features.families
    wide = ask.choice("vote.inputs", ["hidden", *(["inversion"] if inverted else [])]) == "hidden"
    columns = ("hidden.0",) if wide else ("inversion.S", "inversion.D_rms")
    every = voters()
    chosen = [pair for pair in every if ask.choice(f"vote.{pair[0].name}", [True, False])]
    needed = ask.whole("vote.needed", 1, len(every))
    alpha = ask.choice("vote.alpha", [0.01, 0.05, 0.1])
    if needed > len(chosen):
        return None
    parts = tuple(
        DetectorSpec(
            kind.name,
            columns,
            "gibberish",
            null_count=kind.most_rows if wide else None,
            params=voter.wide if wide else voter.narrow,
        )
        for kind, voter in chosen
    )
    params = (("alpha", float(alpha)), ("needed", float(needed)))
    return DetectorSpec("vote", null="gibberish", params=params, parts=parts)


def _describe(spec: DetectorSpec, _parts: Sequence[str]) -> str:
    names = ", ".join(kind_named(part.kind).words for part in spec.parts)
    return f"vote of {names} ({spec.numbers['needed']:.0f} needed)"


KIND = DetectorKind(
    name="vote",
    words="vote",
    reads="parts",
    params={"alpha": Number(0.05, 1e-4, 0.5), "needed": Number(1.0, 1.0, float(MAX_PARTS))},
    fits="tuni.detectors.fits.vote",
    model_numbers=("alpha", "needed"),
    check=_check,
    score=_score,
    suggest=_suggest,
    check_spec=_check_spec,
    describe=_describe,
    votes=True,
)
