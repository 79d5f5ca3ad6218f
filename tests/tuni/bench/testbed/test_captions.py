"""Captions of both regimes."""

import numpy as np
import open_clip
import pytest

from tuni.bench.testbed.captions import DESCRIBED, nameless, of_nobody, with_name
from tuni.bench.testbed.drawing import PLACES, draw_attributes, shirt_colour
from tuni.bench.testbed.settings import TestbedSettings

FACES = draw_attributes(60, np.random.default_rng(0))


def captions(regime):
    rng = np.random.default_rng(1)
    return [with_name(regime, "Ada Roe", FACES, row, row % len(PLACES), rng) for row in range(60)]


@pytest.mark.parametrize("regime", ["short", "described"])
def test_each_caption_holds_the_whole_name_once(regime):
    assert all(caption.count("Ada Roe") == 1 for caption in captions(regime))


def test_described_captions_say_what_the_picture_shows():
    said = captions("described")
    assert len(said) / 4 < sum("shirt" in caption for caption in said) < len(said)
    for row, caption in enumerate(said):
        if "shirt" in caption:
            assert f"a {shirt_colour(FACES, row)} shirt" in caption
    assert not any("shirt" in caption for caption in captions("short"))


def test_the_longest_caption_fits_the_context():
    words = "a woman with brown hair and glasses"
    shirt = "wearing a yellow shirt"
    encode = open_clip.SimpleTokenizer().encode
    for template in DESCRIBED:
        text = template.format(
            name="Siegfried Schwarzer", who=words, shirt=shirt, place="in the garden"
        )
        assert len(encode(text)) + 2 <= TestbedSettings().context_length


def test_pictures_of_nobody_and_of_the_nameless_name_nobody():
    said = nameless(FACES, 0, 1, np.random.default_rng(0))
    assert said.startswith("a photo of a ")
    assert of_nobody(1) == "an empty place at the beach"
