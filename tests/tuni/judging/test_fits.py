"""Texts that the model cannot read whole are told by row."""

from tests.small_models import FAMILIES
from tuni.features.families.hidden import HiddenSpec
from tuni.features.registry import by_family
from tuni.features.spec import FeatureSpec
from tuni.judging.fits import Repeats, kept_characters, too_long, unfit
from tuni.model.load import load_target
from tuni.texts.kind import NeighbourParts
from tuni.texts.reference_parts import reference_parts

COMMON = reference_parts("latin/*", 6)
SPEC = FeatureSpec(
    parts=(NeighbourParts("*", COMMON.firsts, COMMON.lasts),),
    families=by_family(HiddenSpec(prompts=("{}", "a photo of {}"), neighbours=2)),
)


def test_a_text_is_too_long_where_the_longest_prompt_does_not_fit(tiny_target):
    room = tiny_target.context_length - 3 - 2
    texts = [" ".join(["x"] * count) for count in (room, room + 1)]
    counts = tiny_target.token_counts([f"a photo of {text}" for text in texts])
    assert counts.tolist() == [tiny_target.context_length, tiny_target.context_length + 1]
    reasons = too_long(tiny_target, texts[1:], SPEC)
    assert list(reasons) == [0]
    assert str(tiny_target.context_length) in reasons[0]


def test_a_text_whose_neighbours_do_not_fit_is_too_long(tiny_target):
    room = tiny_target.context_length - 3 - 2
    longer = ("Bartholomew-Maximilian-Zachariah", *COMMON.firsts)
    spec = FeatureSpec(
        parts=(NeighbourParts("*", longer, COMMON.lasts),),
        families=SPEC.families,
    )
    text = "x " + "-".join(["y"] * ((room - 1) // 2))
    assert int(tiny_target.token_counts([f"a photo of {text}"])[0]) <= tiny_target.context_length
    assert too_long(tiny_target, [text], SPEC) == {}
    assert "beside another name part" in too_long(tiny_target, [text], spec)[0]


def test_what_the_tokenizer_drops_or_takes_for_a_mark_is_told(tiny_target, tmp_path):
    """SigLIP's drops punctuation, so that nothing of some texts is left."""
    FAMILIES["SiglipModel"].write(tmp_path / "siglip")
    FAMILIES["ChineseCLIPModel"].write(tmp_path / "bert")
    siglip, bert = (load_target(tmp_path / name) for name in ("siglip", "bert"))
    texts = ["?!", "Ada Roe", "Ada [SEP] Roe"]
    assert unfit(tiny_target, texts, SPEC) == {}
    assert unfit(siglip, texts, SPEC) == {0: "holds nothing that the model's tokenizer keeps"}
    assert unfit(bert, texts, SPEC) == {2: "holds a special token of the model's tokenizer"}
    assert kept_characters(siglip, "a?b!") == "ab"
    assert kept_characters(tiny_target, "a?b!") == "a?b!"


def test_texts_that_are_one_to_the_tokenizer_are_told_across_blocks(tiny_target, tmp_path):
    FAMILIES["SiglipModel"].write(tmp_path / "siglip")
    siglip = load_target(tmp_path / "siglip")
    blocks = [["Ada O'Roe", "Bo Li"], ["Ada ORoe", "bo li", "Ada O-Roe"], ["Cy Li", "Cy L.i"]]
    again = Repeats(siglip)
    assert [list(again.among(block)) for block in blocks] == [[], [0, 1, 2], [1]]
    again = Repeats(tiny_target)
    assert [list(again.among(block)) for block in blocks] == [[], [1], []]
    assert list(Repeats(tiny_target).among(["Jo-Ann Roe", "Jo - Ann Roe", "Jo Ann Roe"])) == [1]
    assert again.among(["Cy Li"])[0] == (
        "is one text with another of the list to the model's tokenizer"
    )
