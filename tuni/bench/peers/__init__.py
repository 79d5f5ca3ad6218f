"""Methods that a user could pick instead, and ours, behind one interface."""

from tuni.bench.peers.bench import Bench, BenchSizes, People
from tuni.bench.peers.peer import Peer, PeerResult, apply
from tuni.bench.peers.text_only import (
    inversion_similarity,
    ours,
    ours_with_pictures,
    paper_part,
    paper_vote,
    single_column,
    token_norm,
)
from tuni.bench.peers.with_pictures import (
    cosine_similarity,
    identity_inference,
    inverted_likeness,
    weak_supervision,
)
from tuni.detectors.defaults import PAPER

__all__ = [
    "OURS",
    "OURS_WITH_PICTURES",
    "PEERS",
    "Bench",
    "BenchSizes",
    "Peer",
    "PeerResult",
    "People",
    "apply",
]

OURS = "ours"  # the method that all others are compared with
OURS_WITH_PICTURES = "ours-pictures"  # and those that need pictures with this one

_DECOYS = "p <= .05 among decoys (ours)"
_GIBBERISH = "above 95 % of gibberish (the null is the paper's, the rate ours)"
_TUNI = "Cheng et al., arXiv 2405.14517"
_NAMES = {
    "isolation_forest": "isolation forest",
    "lof": "local outlier factor",
    "ocsvm": "one-class SVM",
    "mahalanobis": "elliptic envelope",
}

PEERS: tuple[Peer, ...] = (
    Peer(OURS, "H (ours)", "ours", _DECOYS, ours),
    Peer(
        OURS_WITH_PICTURES,
        "H with pictures (ours)",
        "ours",
        "p <= .05 among decoy names beside the same pictures (ours)",
        ours_with_pictures,
        pictures=True,
    ),
    Peer(
        "paper",
        "TUNI, our reading at a small budget",
        _TUNI,
        "2 of 4 detectors vote (ours)",
        paper_vote,
    ),
    Peer(
        "paper-tenfold",
        "TUNI, our reading at ten times the budget",
        _TUNI,
        "2 of 4 detectors vote (ours)",
        paper_vote,
        asked=150,
        restarts=2,
        steps=5,
    ),
    Peer("paper-s", "TUNI's S alone", _TUNI, _GIBBERISH, inversion_similarity),
    *(
        Peer(
            f"paper-{part.kind}",
            f"TUNI's {_NAMES[part.kind]} alone",
            _TUNI,
            _GIBBERISH,
            paper_part(place),
        )
        for place, part in enumerate(PAPER.parts)
    ),
    Peer("norm", "norm of h", "a simple score", _DECOYS, single_column("hidden.norm", "hidden")),
    Peer(
        "consistency",
        "consistency of 24 prompts",
        "a simple score",
        _DECOYS,
        single_column("geometry.consistency_24", "geometry"),
    ),
    Peer(
        "token-norm", "norm of token embeddings", "a simple score", _DECOYS, token_norm, revision=1
    ),
    Peer(
        "csa",
        "CSA",
        "Ko et al., arXiv 2310.00108",
        "cosine that at most 5 % of known non-members reach (ours)",
        cosine_similarity,
        pictures=True,
        known_strangers=True,
    ),
    Peer(
        "wsa",
        "WSA",
        "Ko et al., arXiv 2310.00108",
        "classifier at p >= .5, pseudo-members above mean + 1.5 deviations",
        weak_supervision,
        pictures=True,
        known_strangers=True,
        revision=1,
    ),
    Peer(
        "idia",
        "IDIA",
        "Hintersdorf et al., arXiv 2209.07341",
        "the majority of pictures is right for at least 1 of 21 prompts",
        identity_inference,
        pictures=True,
    ),
    Peer(
        "inverted",
        "inverted images beside the pictures (ours)",
        "ours",
        "cosine that at most 5 % of known non-members reach (ours)",
        inverted_likeness,
        pictures=True,
        known_strangers=True,
    ),
)
