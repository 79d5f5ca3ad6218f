"""The published methods against their description."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

from tuni.bench.peers import People
from tuni.bench.peers.with_pictures import (
    IDIA_PROMPTS,
    cosine_similarity,
    identity_inference,
    inverted_likeness,
)
from tuni.bench.peers.with_pictures import weak_supervision as wsa
from tuni.statistics.roc import auc


@dataclass
class Staged:
    """A bench whose embeddings are given: names and pictures near each other or not."""

    subjects: People
    strangers: People
    candidates: tuple[str, ...]
    names: dict[str, np.ndarray]
    seen: dict[bool, np.ndarray]
    seed: int = 1

    def text_embeddings(self, texts, prompts):
        # Each prompt turns a name a little, so that prompts disagree.
        turned = [
            self.names[text] + 0.3 * np.random.default_rng(len(prompt)).normal(size=8)
            for text in texts
            for prompt in prompts
        ]
        units = np.array([one / np.linalg.norm(one) for one in turned], np.float32)
        return units.reshape(len(texts), len(prompts), 8)

    def inverted(self, texts):
        """Two restarts, on either side of the name's own embedding."""
        apart = np.random.default_rng(3).normal(size=(len(texts), 8))
        ends = np.array([self.names[text] for text in texts])[:, None] + 0.3 * apart[
            :, None
        ] * np.array([[[1.0], [-1.0]]])
        return ends.astype(np.float32)

    def picture_embeddings(self, *, of_strangers=False):
        return self.seen[of_strangers]


def staged(n=30, known=20, near=1.2):
    """The first half of the subjects is known to the model."""
    draw = np.random.default_rng(0)

    def units(*shape):
        values = draw.normal(size=(*shape, 8))
        return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)

    empty = np.zeros((0, 4, 1, 1, 3), np.uint8)
    subjects = tuple(f"subject {k}" for k in range(n))
    strangers = tuple(f"stranger {k}" for k in range(known))
    candidates = tuple(f"candidate {k}" for k in range(50))
    names = dict(zip((*subjects, *strangers, *candidates), units(n + known + 50), strict=True))
    seen = units(n, 4)
    for row in range(n // 2):
        mixed = seen[row] + near * names[subjects[row]]
        seen[row] = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
    return Staged(
        People(subjects, empty), People(strangers, empty), candidates, names,
        {False: seen, True: units(known, 4)},
    )  # fmt: skip


def test_csa_is_the_mean_cosine_against_known_strangers():
    bench = staged()
    result = cosine_similarity(bench)
    texts = bench.text_embeddings(bench.subjects.texts, ("a photo of {}",))[:, 0]
    for row, pictures in enumerate(bench.seen[False]):
        assert result.scores[row] == pytest.approx(
            np.mean([p @ texts[row] for p in pictures]), abs=1e-6
        )
    assert result.accused[:15].sum() >= 13
    assert result.accused[15:].sum() <= 3


def test_inverted_images_are_compared_by_their_mean():
    bench = staged()
    result = inverted_likeness(bench)
    for row, pictures in enumerate(bench.seen[False]):
        name = bench.names[bench.subjects.texts[row]]  # the restarts' mean, as staged
        assert result.scores[row] == pytest.approx(np.mean(pictures @ name), abs=1e-6)
    assert result.accused[:15].sum() >= 13
    assert result.accused[15:].sum() <= 3


def test_wsa_tells_the_known_from_the_unknown():
    result = wsa(staged(n=120, known=60))
    assert auc(result.scores[:60], result.scores[60:]) > 0.9
    assert result.accused[:60].mean() >= 0.85


def test_wsa_scores_nobody_by_weights_that_learnt_from_them():
    before = staged(n=120, known=60)
    result = wsa(before)
    moved = staged(n=120, known=60)
    moved.seen[False][0] += 0.02  # a pseudo-member before and after
    again = wsa(moved)
    same = np.flatnonzero(again.scores == result.scores)
    assert len(same) == 120 // 5 - 1  # those of the same fold, whose weights are also its own
    assert again.scores[0] != result.scores[0]


def test_wsa_does_not_depend_on_the_order_of_the_rows():
    bench = staged(n=120, known=60)
    result = wsa(bench)
    order = np.random.default_rng(1).permutation(120)
    names = tuple(bench.subjects.texts[row] for row in order)
    bench.subjects = People(names, bench.subjects.pictures)
    bench.seen[False] = bench.seen[False][order]
    np.testing.assert_allclose(wsa(bench).scores, result.scores[order], atol=1e-6)


def test_wsa_without_pseudo_members_accuses_nobody():
    bench = staged(n=2, near=0.0)
    # Known strangers on either side of zero set a bar that nobody reaches.
    names = bench.text_embeddings(bench.strangers.texts, ("a photo of {}",))
    sides = np.where(np.arange(20) % 2, 1.0, -1.0).astype(np.float32)
    bench.seen[True] = names * sides[:, None, None]
    assert not wsa(bench).accused.any()


def test_idia_is_won_by_the_majority_of_pictures_under_one_prompt():
    bench = staged()
    result = identity_inference(bench)
    for row, text in enumerate(bench.subjects.texts):
        won = 0
        for prompt in IDIA_PROMPTS:
            options = [text, *bench.candidates]
            names = bench.text_embeddings(options, (prompt,))[:, 0]
            votes = Counter((bench.seen[False][row] @ names.T).argmax(axis=1).tolist())
            most = max(votes.values())
            won += votes[0] == most and list(votes.values()).count(most) == 1
        assert int(result.scores[row]) == won
        assert result.accused[row] == (won >= 1)
    assert result.accused[:15].all()
