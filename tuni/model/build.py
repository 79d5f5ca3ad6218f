"""open_clip's models, built for a checkpoint's weights and for nothing else."""

import copy
from pathlib import Path
from typing import Any, Literal

import torch
from open_clip.coca_model import CoCa
from open_clip.model import CLIP, CustomTextCLIP
from torch import Tensor, nn

from tuni.errors import CheckpointError
from tuni.model.checkpoint import Checkpoint, shapes_match
from tuni.model.reading.malformed import MALFORMED


def build_model(
    checkpoint: Checkpoint, precision: Literal["fp32", "bf16"], folder: Path | None = None
) -> nn.Module:
    """The model with the checkpoint's weights, in evaluation mode, float32, needing no gradient.

    Args:
        checkpoint: Settings and weights.
        precision: Of the forward passes.
        folder: Holds the config of a text tower of transformers.

    Raises:
        CheckpointError: open_clip cannot build it, or the weights are others.
    """
    settings = copy.deepcopy(dict(checkpoint.model_cfg))
    hub = bool(settings["text_cfg"].get("hf_model_name"))
    if hub:
        settings["text_cfg"] |= {"hf_model_name": str(folder), "hf_model_pretrained": False}
    kind: Any = CustomTextCLIP if settings.pop("custom_text", False) or hub else CLIP
    kind = CoCa if "multimodal_cfg" in settings else kind

    def built(device: str) -> nn.Module:
        given = copy.deepcopy(settings)  # open_clip changes what it is given
        try:
            with torch.random.fork_rng(devices=[]), torch.device(device):
                cast = torch.bfloat16 if precision == "bf16" else None
                model: nn.Module = kind(**given, cast_dtype=cast)
        except MALFORMED as error:
            raise CheckpointError(
                f"model_cfg: open_clip cannot build it ({type(error).__name__})",
                "use the settings that the model was trained with",
            ) from error
        return model

    # A meta model allocates nothing and draws no random numbers: settings that ask for more than
    # the weights hold are refused before anything is allocated.
    model = built("meta")
    expected, tensors = model.state_dict(), dict(checkpoint.tensors)
    for name in {"logit_scale", "logit_bias"} & expected.keys() & tensors.keys():
        if tensors[name].numel() == 1:  # a number, or a list of one: other loaders write it so
            tensors[name] = tensors[name].reshape(expected[name].shape)
    shapes_match(expected, tensors)
    if hub or settings["vision_cfg"].get("timm_model_name"):
        # Towers of other libraries keep constants outside the state dict.
        model = built("cpu")
    model.load_state_dict(tensors, assign=True)
    for tower in model.modules():
        mask = getattr(tower, "attn_mask", None)
        if isinstance(mask, Tensor) and mask.is_meta:
            tower.attn_mask = torch.full(mask.shape, float("-inf"), device="cpu").triu_(1)
    if any(tensor.is_meta for tensor in (*model.parameters(), *model.buffers())):
        raise CheckpointError(
            "model_cfg: a tower keeps constants outside its weights",
            "audit a CLIP checkpoint (RN*, ViT-*)",
        )
    frozen: nn.Module = model.eval().requires_grad_(False)
    return frozen
