"""Detectors in words, for run lists, reports and tags."""

from tuni.detectors.spec import DEFAULT_H, DEFAULT_T, PAPER, DetectorSpec

KINDS = {
    "pair_residual": "pair residual T",
    "isolation_forest": "isolation forest",
    "lof": "local outlier factor",
    "ocsvm": "one-class SVM",
    "mahalanobis": "Mahalanobis distance",
    "knn": "kNN distance",
    "autoencoder": "autoencoder",
}


def describe(spec: DetectorSpec) -> str:
    """One line: what the detector computes and what it was fitted on."""
    if spec.hash == DEFAULT_H.hash:
        return "H: pair residual T + Jacobian stability (ours)"
    if spec.hash == DEFAULT_T.hash:
        return "T: pair residual of hidden states (ours)"
    if spec.hash == PAPER.hash:
        return "the paper's: vote of four detectors on S and D, fitted on gibberish"
    if spec.kind == "feature":
        return spec.columns[0]
    if spec.kind == "sum":
        return " + ".join(describe(part) for part in spec.parts)
    if spec.kind == "vote":
        voters = ", ".join(KINDS[part.kind] for part in spec.parts)
        return f"vote of {voters} ({spec.numbers['needed']:.0f} needed)"
    on = ", ".join(spec.columns)
    if spec.kind == "pair_residual":
        return f"{KINDS[spec.kind]} of {on}"
    return f"{KINDS[spec.kind]} on {on}, fitted on {spec.null}"
