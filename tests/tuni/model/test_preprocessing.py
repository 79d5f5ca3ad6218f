"""Pictures are prepared as for the weights that are held, or their tag is asked for."""

import pytest
from open_clip.constants import INCEPTION_MEAN, OPENAI_DATASET_MEAN

from tuni.errors import CheckpointError
from tuni.model.preprocessing import complete_preprocessing, preprocessing_of

OPENAI = (OPENAI_DATASET_MEAN, "bicubic", "shortest")


@pytest.mark.parametrize(
    ("architecture", "tag", "expected"),
    [
        ("ViT-B-32", None, OPENAI),
        ("MobileCLIP-S1", None, ((0.0, 0.0, 0.0), "bilinear", "shortest")),
        ("PE-Core-T-16-384", None, ((0.5, 0.5, 0.5), "bilinear", "squash")),
        ("ViT-L-14", "openai", OPENAI),
        ("ViT-L-14", "laion2b_s32b_b82k", (INCEPTION_MEAN, "bicubic", "shortest")),
        ("ViT-H-14-quickgelu", "dfn5b", (OPENAI_DATASET_MEAN, "bicubic", "squash")),
        ("vit_medium_patch16_gap_256", None, OPENAI),
    ],
)
def test_it_is_open_clips_own_for_its_weights(architecture, tag, expected):
    complete = complete_preprocessing(preprocessing_of(architecture, tag), 224)
    found = (complete["mean"], complete["interpolation"], complete["resize_mode"])
    assert found == (list(expected[0]), *expected[1:])


@pytest.mark.parametrize("architecture", ["ViT-L-14", "ViT-H-14", "ViT-H-14-quickgelu"])
def test_where_the_tags_differ_one_is_asked_for(architecture):
    with pytest.raises(CheckpointError, match=r"checkpoint\.preprocess: missing") as caught:
        preprocessing_of(architecture)
    assert f"{'laion2b' if architecture == 'ViT-L-14' else 'dfn5b'}" in caught.value.fix


@pytest.mark.parametrize(("architecture", "fix"), [("ViT-B-32", "openai"), ("RN50x1", "leave")])
def test_a_tag_of_other_weights_is_refused(architecture, fix):
    with pytest.raises(CheckpointError, match="no weights 'webli'") as caught:
        preprocessing_of(architecture, "webli")
    assert fix in caught.value.fix
