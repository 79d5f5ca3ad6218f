"""The models that a testbed trains, one a family: what they are made of, how they read and learn.

The one law: a family is what open_clip builds from its settings; those settings and the weights are
the checkpoint, so that what is audited is what was trained.
"""

import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from open_clip.hf_model import HFTextEncoder
from torch import Tensor
from torch.nn import functional

from tuni.bench.testbed.settings import TestbedSettings
from tuni.model.hooks.tokenizer import imported_transformers

EMBED_DIM = 128
VOCABULARY = 49408
_HEADS = 4
_OPEN_CLIP_DEVIATION = 0.02  # of the token embeddings that open_clip and transformers start from
_SIGLIP_BIAS = -10.0  # of SigLIP's paper: at first nearly every pair is taken for none

Model: TypeAlias = "open_clip.CLIP | open_clip.CustomTextCLIP"


def model_config(settings: TestbedSettings) -> dict[str, object]:
    """The model part of open_clip_config.json."""
    vision: dict[str, object] = {
        "layers": settings.vision_layers,
        "width": settings.vision_width,
        "head_width": 32,
        "patch_size": settings.patch,
        "image_size": 64,
    }
    text: dict[str, object] = {
        "context_length": settings.context_length,
        "vocab_size": VOCABULARY,
        "width": settings.width,
        "heads": _HEADS,
        "layers": settings.text_layers,
    }
    config: dict[str, object] = {"embed_dim": EMBED_DIM, "vision_cfg": vision, "text_cfg": text}
    if settings.family == "siglip":
        text |= {"no_causal_mask": True, "pool_type": "last", "proj_bias": True}
        config |= {"custom_text": True, "init_logit_bias": _SIGLIP_BIAS}
    elif settings.family == "bert":
        # Any name that is not empty: tower and tokenizer are read from the checkpoint's folder.
        text |= {
            "hf_model_name": "bert",
            "hf_tokenizer_name": "bert",
            "hf_pooler_type": "cls_last_hidden_state_pooler",
            "hf_proj_type": "linear",
        }
        config |= {"custom_text": True}
    elif settings.family == "resnet":
        vision["layers"] = [settings.vision_layers] * 4  # blocks of its stages
        del vision["patch_size"]
    return config


def build_model(settings: TestbedSettings) -> Model:
    """Build the untrained model; its token table is random and stays so.

    A frozen table costs nothing to train and gives all tokens, used or not, one distribution of
    norms: the norm of a token's embedding cannot tell who was trained.

    Raises:
        CheckpointError: The family needs transformers, which is not installed.
    """
    config: dict[str, Any] = model_config(settings)
    kind = open_clip.CustomTextCLIP if config.pop("custom_text", False) else open_clip.CLIP
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng(devices=[]):
        if settings.family == "bert":
            write_text_tower(settings, Path(folder))
            config["text_cfg"] |= {"hf_model_name": folder, "hf_model_pretrained": False}
        torch.manual_seed(settings.seed)
        model = kind(**config)
    table = token_table(model)
    with torch.no_grad():
        table.mul_(settings.token_deviation / _OPEN_CLIP_DEVIATION)
        model.logit_scale.fill_(math.log(settings.logit_scale))
    table.requires_grad_(False)
    return model


def token_table(model: Model) -> Tensor:
    """Token embeddings of a model, shape (vocabulary, width)."""
    text: Any = getattr(model, "text", model)
    embedding: Any = (
        text.transformer.get_input_embeddings() if _of_transformers(model) else text.token_embedding
    )
    table: Tensor = embedding.weight
    return table


def write_text_tower(settings: TestbedSettings, folder: Path) -> None:
    """Write what stands beside the weights of a text tower of transformers: config and tokenizer.

    Its tokens are those of the other families, the start mark first; padding is a token of its own.

    Raises:
        CheckpointError: transformers is not installed.
    """
    transformers = imported_transformers()
    transformers.BertConfig(
        vocab_size=VOCABULARY + 1,
        hidden_size=settings.width,
        intermediate_size=4 * settings.width,
        num_hidden_layers=settings.text_layers,
        num_attention_heads=_HEADS,
        max_position_embeddings=settings.context_length,
        type_vocab_size=1,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        pad_token_id=VOCABULARY,
    ).save_pretrained(folder)
    own = open_clip.SimpleTokenizer()
    marks = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    transformers.CLIPTokenizer(
        vocab={marks.get(word, word): number for word, number in own.encoder.items()},
        merges=sorted(own.bpe_ranks, key=own.bpe_ranks.__getitem__),
        pad_token="<|padding|>",
        model_max_length=settings.context_length,
    ).save_pretrained(folder)


def tokenizer(settings: TestbedSettings) -> Callable[[Sequence[str]], Tensor]:
    """What turns n texts into token ids (n, context length)."""
    if settings.family != "bert":
        own = open_clip.SimpleTokenizer(context_length=settings.context_length)
        return lambda texts: own(list(texts))
    with tempfile.TemporaryDirectory() as folder:
        write_text_tower(settings, Path(folder))
        rows = open_clip.tokenizer.HFTokenizer(folder, context_length=settings.context_length)
    return lambda texts: rows(list(texts))


def normalise(pictures: NDArray[np.uint8]) -> Tensor:
    """Pictures (n, side, side, 3) to the model's input (n, 3, side, side), mean and std .5."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


def encode_images(model: Model, pictures: Tensor) -> Tensor:
    """Unit image embeddings, shape (n, embed_dim)."""
    return functional.normalize(model.visual(pictures), dim=-1)


def encode_texts(model: Model, ids: Tensor) -> Tensor:
    """Unit text embeddings, shape (n, embed_dim), of ids (n, context length).

    Padding is left out where it moves nothing.
    """
    if _of_transformers(model):
        length = int((ids != model.text.config.pad_token_id).sum(1).max())
        return functional.normalize(model.encode_text(ids[:, :length]), dim=-1)
    if not isinstance(model, open_clip.CLIP):
        return functional.normalize(model.encode_text(ids), dim=-1)
    length = int(ids.argmax(-1).max()) + 1
    ids = ids[:, :length]
    x = model.token_embedding(ids) + model.positional_embedding[:length]
    x = model.transformer(x, attn_mask=model.attn_mask[:length, :length])
    last = model.ln_final(x[torch.arange(len(ids)), ids.argmax(-1)])
    return functional.normalize(last @ model.text_projection, dim=-1)


def loss(model: Model, images: Tensor, texts: Tensor) -> Tensor:
    """What the training lowers, of unit embeddings (n, embed_dim) that belong together row by row.

    The softmax of CLIP over both directions; of a model with a bias the sigmoid of SigLIP
    (arXiv 2303.15343, algorithm 1), each pair told by itself.
    """
    logits = model.logit_scale.exp() * images @ texts.T
    if model.logit_bias is not None:
        together = 2 * torch.eye(len(images)) - 1
        return -functional.logsigmoid(together * (logits + model.logit_bias)).sum() / len(images)
    labels = torch.arange(len(images))
    return functional.cross_entropy(logits, labels) + functional.cross_entropy(logits.T, labels)


def _of_transformers(model: Model) -> bool:
    return isinstance(getattr(model, "text", None), HFTextEncoder)
