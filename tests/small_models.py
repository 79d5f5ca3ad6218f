"""Small checkpoints of every family that can be audited, as their libraries save them.

Weights are random, tokenizers real but trained on a few lines.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
import transformers
from open_clip.tokenizer import SimpleTokenizer
from PIL import Image
from safetensors.torch import save_file
from sentencepiece import SentencePieceTrainer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor

from tests.objects import PREPROCESS
from tuni.texts.reference_parts import reference_parts

CONTEXT = 40
WIDTH = 32
TEXT = {"hidden_size": WIDTH, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2, "max_position_embeddings": CONTEXT}  # fmt: skip
VISION = {"hidden_size": WIDTH, "intermediate_size": 64, "num_hidden_layers": 2,
          "num_attention_heads": 2, "image_size": 32, "patch_size": 16}  # fmt: skip
AUDIO = {"spec_size": 64, "num_mel_bins": 16, "patch_embeds_hidden_size": 16,
         "patch_embed_input_channels": 1, "depths": [1, 1], "num_attention_heads": [2, 2],
         "hidden_size": WIDTH, "window_size": 4, "projection_dim": WIDTH}  # fmt: skip
OPEN_VISION = {"image_size": 32, "patch_size": 16, "width": WIDTH, "head_width": 16, "layers": 2}
OPEN_TEXT = {"context_length": CONTEXT, "width": WIDTH, "heads": 2, "layers": 2}


@dataclass(frozen=True)
class Library:
    """A checkpoint as its own library reads and uses it."""

    texts: Callable[[Sequence[str]], Tensor]
    media: Callable[[Tensor], Tensor]
    picture: Callable[[Image.Image], Tensor]


@dataclass(frozen=True)
class SmallFamily:
    """How a checkpoint of a family is written, and how its library reads it."""

    write: Callable[[Path], None]
    library: Callable[[Path], Library]
    trimmed: bool


def corpus() -> list[str]:
    parts = reference_parts("latin/en_US", 60)
    names = [f"{a} {b}" for a, b in zip(parts.firsts, parts.lasts, strict=True)]
    words = ["a photo of", "this is", "a portrait of", "an image of", "here is", "at home"]
    return [f"{word} {name}" for name in names for word in words]


def shaken(model: torch.nn.Module) -> torch.nn.Module:
    """All weights moved: some begin at zero or one, which would hide a mistake."""
    generator = torch.Generator().manual_seed(1)
    for tensor in model.parameters():
        tensor.data.nan_to_num_(0, 0, 0).clamp_(-2, 2)  # some are left as the memory was
        tensor.data += 0.05 * torch.randn(tensor.shape, generator=generator)
    return model.eval()


def save_tokenizer(kind: str, folder: Path) -> int:
    """Write a tokenizer of a kind; the number of its ids is returned."""
    if kind == "clip":
        own = SimpleTokenizer()
        names = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
        vocabulary = {names.get(word, word): number for word, number in own.encoder.items()}
        merges = sorted(own.bpe_ranks, key=own.bpe_ranks.get)
        tokenizer = transformers.CLIPTokenizer(vocab=vocabulary, merges=merges)
    elif kind == "sentencepiece":
        lines = folder / "lines.txt"
        lines.write_text("\n".join(corpus()).lower())
        SentencePieceTrainer.train(
            input=str(lines), model_prefix=str(folder / "spiece"), vocab_size=200, minloglevel=2,
            pad_id=0, eos_id=1, unk_id=2, bos_id=-1, hard_vocab_limit=False,
        )  # fmt: skip
        for name in ("lines.txt", "spiece.vocab"):
            (folder / name).unlink()
        tokenizer = transformers.SiglipTokenizer(vocab_file=str(folder / "spiece.model"))
    else:
        tokenizer = TRAINED[kind]()
    tokenizer.model_max_length = CONTEXT
    tokenizer.save_pretrained(folder)
    return len(tokenizer)


def _trained(inner: Tokenizer, trainer: Any, post: Callable[[Any], Any], **words: str) -> Any:
    inner.train_from_iterator(corpus(), trainer)
    inner.post_processor = post(inner.token_to_id)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, padding_side="right", **words
    )


def _bert() -> Any:
    inner = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    inner.normalizer, inner.pre_tokenizer = (
        normalizers.BertNormalizer(),
        pre_tokenizers.BertPreTokenizer(),
    )
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return _trained(
        inner,
        trainers.WordPieceTrainer(vocab_size=300, special_tokens=marks, show_progress=False),
        lambda number: processors.BertProcessing(
            ("[SEP]", number("[SEP]")), ("[CLS]", number("[CLS]"))
        ),
        unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]",
    )  # fmt: skip


def _roberta() -> Any:
    inner = Tokenizer(models.Unigram())
    inner.normalizer, inner.pre_tokenizer = normalizers.NFKC(), pre_tokenizers.Metaspace()
    marks = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    return _trained(
        inner,
        trainers.UnigramTrainer(
            vocab_size=300, special_tokens=marks, unk_token="<unk>", show_progress=False
        ),
        lambda number: processors.RobertaProcessing(
            ("</s>", number("</s>")), ("<s>", number("<s>")), trim_offsets=False
        ),
        unk_token="<unk>", pad_token="<pad>", bos_token="<s>", eos_token="</s>",
        cls_token="<s>", sep_token="</s>", mask_token="<mask>",
    )  # fmt: skip


def _gemma() -> Any:
    inner = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    inner.normalizer = normalizers.Replace(" ", "▁")
    marks = ["<pad>", "<eos>", "<bos>", "<unk>"]
    return _trained(
        inner,
        trainers.BpeTrainer(vocab_size=300, special_tokens=marks, show_progress=False),
        lambda number: processors.TemplateProcessing(
            single="$A <eos>", special_tokens=[("<eos>", number("<eos>"))]
        ),
        unk_token="<unk>", pad_token="<pad>", bos_token="<bos>", eos_token="<eos>",
    )  # fmt: skip


def _t5() -> Any:
    inner = Tokenizer(models.Unigram())
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    marks = ["<pad>", "</s>", "<unk>"]
    return _trained(
        inner,
        trainers.UnigramTrainer(
            vocab_size=300, special_tokens=marks, unk_token="<unk>", show_progress=False
        ),
        lambda number: processors.TemplateProcessing(
            single="$A </s>", special_tokens=[("</s>", number("</s>"))]
        ),
        unk_token="<unk>", pad_token="<pad>", eos_token="</s>",
    )  # fmt: skip


TRAINED = {"bert": _bert, "roberta": _roberta, "gemma": _gemma, "t5": _t5}


def _hub(
    name: str, tokenizer: str, text: dict[str, Any], vision: dict[str, Any], processor: Any,
    padding: Any, **outer: Any,
) -> SmallFamily:  # fmt: skip
    """A model of transformers."""
    kind = getattr(transformers, f"{name}Model")

    def write(folder: Path) -> None:
        folder.mkdir()
        size = save_tokenizer(tokenizer, folder)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            media = "audio_config" if name == "Clap" else "vision_config"
            config = kind.config_class(
                text_config=TEXT | {"vocab_size": size} | text, **{media: vision}, **outer
            )
            model = shaken(kind(config))
            if name == "Clap":  # decibels, as of real sounds
                model.audio_model.audio_encoder.batch_norm.running_mean.fill_(-30).add_(
                    torch.arange(16)
                )
                model.audio_model.audio_encoder.batch_norm.running_var.fill_(300)
            model.save_pretrained(folder)
        processor.save_pretrained(folder)

    def library(folder: Path) -> Library:
        model = kind.from_pretrained(folder).eval()
        rows = transformers.AutoTokenizer.from_pretrained(folder)
        prepare = (
            None if name == "Clap" else transformers.AutoImageProcessor.from_pretrained(folder)
        )

        def texts(some: Sequence[str]) -> Tensor:
            given = rows(list(some), return_tensors="pt", **padding)
            if padding.get("padding") == "max_length" and name.startswith("Siglip"):
                given = {"input_ids": given["input_ids"]}
            return model.get_text_features(**given).pooler_output

        def media(pixels: Tensor) -> Tensor:
            if name == "Clap":
                seen = model.audio_model.audio_encoder.batch_norm
                mels = pixels * seen.running_var.sqrt() + seen.running_mean
                views = 4 if vision["enable_fusion"] else 1
                return model.get_audio_features(
                    input_features=mels.repeat(1, views, 1, 1),
                    is_longer=torch.zeros(len(mels), 1, dtype=torch.bool),
                ).pooler_output
            if name != "Siglip2":
                return model.get_image_features(pixel_values=pixels).pooler_output
            patches = torch.stack([_patches(picture) for picture in pixels])
            return model.get_image_features(
                pixel_values=patches,
                pixel_attention_mask=torch.ones(patches.shape[:2], dtype=torch.int32),
                spatial_shapes=torch.tensor([[2, 2]] * len(pixels)),
            ).pooler_output

        return Library(
            texts,
            media,
            lambda image: prepare(images=image, return_tensors="pt")["pixel_values"][0],
        )

    return SmallFamily(write, library, trimmed=padding.get("padding") is True)


def _patches(picture: Tensor) -> Tensor:
    """Rows of patches as transformers cuts a picture: colours last."""
    rows = [
        picture[:, y : y + 16, x : x + 16].permute(1, 2, 0).reshape(-1)
        for y in (0, 16)
        for x in (0, 16)
    ]
    return torch.stack(rows)


def open_family(
    tokenizer: str | None,
    text: dict[str, Any],
    *,
    trimmed: bool = False,
    hub: Any = None,
    **outer: Any,
) -> SmallFamily:
    """A model of open_clip, maybe with a text tower of transformers."""

    def write(folder: Path) -> None:
        folder.mkdir()
        settings: dict[str, Any] = {
            "embed_dim": WIDTH, "vision_cfg": OPEN_VISION, "text_cfg": OPEN_TEXT | text,
        } | outer  # fmt: skip
        if tokenizer:
            size = save_tokenizer(tokenizer, folder)
            settings["text_cfg"] |= {"vocab_size": size, "hf_tokenizer_name": "somebody/tokenizer"}
            if hub:
                hub(size).save_pretrained(folder)
                settings["text_cfg"] |= {"hf_model_name": str(folder), "hf_model_pretrained": False}
        config = {"model_cfg": settings, "preprocess_cfg": PREPROCESS}
        (folder / "open_clip_config.json").write_text(json.dumps(config))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = shaken(
                open_clip.create_model(
                    f"local-dir:{folder}", load_weights=False, pretrained_text=False
                )
            )
        tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
        save_file(tensors, folder / "open_clip_model.safetensors")

    def library(folder: Path) -> Library:
        model, _, prepare = open_clip.create_model_and_transforms(
            f"local-dir:{folder}", pretrained_text=False
        )
        rows = open_clip.get_tokenizer(f"local-dir:{folder}")
        model.eval()
        return Library(
            lambda some: model.encode_text(rows(list(some))), model.encode_image, prepare
        )

    return SmallFamily(write, library, trimmed)


_CLIP_PICTURES = transformers.CLIPImageProcessor(
    size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
)
_SIGLIP_PICTURES = transformers.SiglipImageProcessor(size={"height": 32, "width": 32})
_SOUNDS = transformers.ClapFeatureExtractor(
    feature_size=16, sampling_rate=8000, max_length_s=2, frequency_max=4000
)
_LONGEST, _WHOLE = {"padding": True}, {"padding": "max_length", "max_length": CONTEXT}
_ROBERTA = {"max_position_embeddings": CONTEXT + 2, "pad_token_id": 1}
_BIDIRECTIONAL = {"no_causal_mask": True, "pool_type": "last", "proj_bias": True}
_BOTH_ENDS = {"bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 49407}

FAMILIES: dict[str, SmallFamily] = {
    "open_clip": open_family(None, {}, trimmed=True),
    "open_clip SigLIP": open_family(
        "sentencepiece", _BIDIRECTIONAL | {"tokenizer_kwargs": {"clean": "canonicalize"}},
        custom_text=True, init_logit_bias=-10,
    ),
    "open_clip SigLIP 2": open_family(
        "gemma", _BIDIRECTIONAL | {"tokenizer_kwargs": {"clean": "canonicalize"}}, custom_text=True
    ),
    "open_clip CLIPA": open_family(
        "bert", _BIDIRECTIONAL | {"tokenizer_kwargs": {"strip_sep_token": True}}, custom_text=True
    ),
    "open_clip worldwide": open_family("roberta", {"pool_type": "eos", "eos_id": 2}, trimmed=True),
    "open_clip worldwide, text apart": open_family(
        "roberta", {"pool_type": "eos", "eos_id": 2}, trimmed=True, custom_text=True
    ),
    "open_clip CoCa": open_family(
        None, {"embed_cls": True, "output_tokens": True}, custom_text=True,
        vision_cfg=OPEN_VISION | {
            "attentional_pool": True, "attn_pooler_heads": 2, "attn_pooler_queries": 4,
            "output_tokens": True,
        },
        multimodal_cfg={
            "context_length": CONTEXT, "width": WIDTH, "heads": 2, "layers": 1,
            "attn_pooler_heads": 2,
        },
    ),
    "open_clip XLM-R": open_family(
        "roberta", {"hf_pooler_type": "mean_pooler", "hf_proj_type": "mlp"}, trimmed=True,
        hub=lambda size: transformers.XLMRobertaConfig(**TEXT | _ROBERTA, vocab_size=size),
    ),
    "open_clip BERT": open_family(
        "bert", {"hf_pooler_type": "cls_last_hidden_state_pooler", "hf_proj_type": "mlp"},
        trimmed=True, hub=lambda size: transformers.BertConfig(**TEXT, vocab_size=size),
    ),
    "open_clip mT5": open_family(
        "t5", {"hf_pooler_type": "mean_pooler", "hf_proj_type": "linear"}, trimmed=True,
        hub=lambda size: transformers.MT5Config(
            d_model=WIDTH, d_kv=8, d_ff=32, num_layers=2, num_heads=2, vocab_size=size
        ),
    ),
    "CLIPModel": _hub(
        "CLIP", "clip", _BOTH_ENDS, VISION, _CLIP_PICTURES, _LONGEST, projection_dim=WIDTH
    ),
    "MetaClip2Model": _hub(
        "MetaClip2", "roberta", {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}, VISION,
        _CLIP_PICTURES, _LONGEST, projection_dim=WIDTH,
    ),
    "SiglipModel": _hub(
        "Siglip", "sentencepiece", {"projection_size": WIDTH}, VISION, _SIGLIP_PICTURES, _WHOLE
    ),
    "Siglip2Model": _hub(
        "Siglip2", "gemma", {"projection_size": WIDTH},
        {key: VISION[key] for key in VISION if key != "image_size"} | {"num_patches": 4},
        transformers.Siglip2ImageProcessor(patch_size=16, max_num_patches=4), _WHOLE,
    ),
    "ChineseCLIPModel": _hub(
        "ChineseCLIP", "bert", {"pad_token_id": 0}, VISION,
        transformers.ChineseCLIPImageProcessor(
            size={"height": 32, "width": 32}, crop_size={"height": 32, "width": 32}
        ),
        _LONGEST, projection_dim=WIDTH,
    ),
    "AltCLIPModel": _hub(
        "AltCLIP", "roberta", _ROBERTA | {"project_dim": WIDTH}, VISION, _CLIP_PICTURES, _LONGEST,
        projection_dim=WIDTH,
    ),
    "ClapModel": _hub(
        "Clap", "roberta", _ROBERTA | {"projection_dim": WIDTH}, AUDIO | {"enable_fusion": False},
        _SOUNDS, _LONGEST, projection_dim=WIDTH,
    ),
    "ClapModel fused": _hub(
        "Clap", "roberta", _ROBERTA | {"projection_dim": WIDTH},
        AUDIO | {"enable_fusion": True, "fusion_type": None}, _SOUNDS, _LONGEST,
        projection_dim=WIDTH,
    ),
    "AlignModel": _hub(
        "Align", "bert", {"pad_token_id": 0},
        {"image_size": 32, "width_coefficient": 0.25, "depth_coefficient": 0.25,
         "hidden_dim": 80, "depthwise_padding": []},
        transformers.EfficientNetImageProcessor(
            size={"height": 32, "width": 32}, do_center_crop=False
        ),
        _LONGEST, projection_dim=80,
    ),
}  # fmt: skip

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
