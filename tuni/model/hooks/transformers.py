"""Models of transformers as it saves them: config, weights, tokenizer, how media are prepared."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from huggingface_hub.errors import StrictDataclassError
from PIL import Image
from torch import Tensor

from tuni.errors import CheckpointError, PictureError
from tuni.hashing import canonical_json
from tuni.model.hooks.config import read_config
from tuni.model.hooks.families import FAMILIES, Reading
from tuni.model.hooks.target import HookedModel, HookedTarget, text_states
from tuni.model.hooks.tokenizer import FolderTokenizer, imported_transformers, tokenizer_digest
from tuni.model.reading.json_table import read_json, refuse_pointer
from tuni.model.reading.malformed import MALFORMED
from tuni.model.reading.source import CheckpointSource
from tuni.model.reading.weights import INDEX, read_all, stored_tensors
from tuni.model.target import MediaSpace, Target

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
PROCESSORS = ("preprocessor_config.json", "processor_config.json")


def load(source: CheckpointSource, *, device: str, precision: Literal["fp32", "bf16"]) -> Target:
    """Load a folder of transformers'; see `tuni.model.registry.Load`."""
    if source.folder is None or source.weights is not None:
        raise CheckpointError(
            "checkpoint.weights: goes with a folder of open_clip's alone",
            "leave it out; the folder's own weights are read",
        )
    hooked = hooked_model(source.folder)
    return HookedTarget(hooked, device=device, precision=precision)


def hooked_model(folder: Path) -> HookedModel:
    """What a hooked target needs to know of the model in a folder.

    Raises:
        CheckpointError: A file is missing, damaged, unsafe, or of another model.
    """
    config = read_config(folder, FAMILIES)
    family = FAMILIES[config["model_type"]]
    transformers = imported_transformers()
    digest = tokenizer_digest(folder)
    processor, settings = _processor(folder, family.media)
    sha = hashlib.sha256(canonical_json({"config": config, "pictures": settings}).encode())
    sha.update(digest.encode())
    model = _model(getattr(transformers, family.model), config, _weights(folder), sha.update)
    embedding = model.text_model.get_input_embeddings()
    tokenizer = FolderTokenizer(folder, embedding.num_embeddings)
    reading = _end_mark(model, tokenizer) if family.reading == "end" else family.reading
    media, encode_media, preprocess = (
        _sounds(model, processor)
        if family.media == "sound"
        else _pictures(model, config["model_type"], processor)
    )
    settings_of_text = model.config.text_config
    entering, states = text_states(model.text_model, settings_of_text.num_hidden_layers)

    def encode_text(ids: Tensor, mask: Tensor) -> Tensor:
        given = {"attention_mask": mask} if family.masked else {}
        embedded: Tensor = model.get_text_features(input_ids=ids, **given).pooler_output
        return embedded

    return HookedModel(
        model=model,
        tokenizer=tokenizer,
        encode_text=encode_text,
        encode_media=encode_media,
        embedding=embedding,
        states=states,
        entering=entering,
        reading=reading,
        context_length=_context(settings_of_text, tokenizer),
        media=media,
        preprocess=preprocess,
        fingerprint=sha.hexdigest(),
    )


def _weights(folder: Path) -> Path:
    for name in WEIGHTS:
        for path in (folder / name, folder / f"{name}{INDEX}"):
            if path.is_file():
                return path
    raise CheckpointError(
        f"checkpoint.folder: {folder.name!r} holds no weights ({WEIGHTS[0]})",
        "save the model there again: model.save_pretrained(folder)",
    )


def _model(
    kind: Any, config: dict[str, Any], weights: Path, tell: Callable[[bytes | memoryview], None]
) -> Any:  # Any: classes of an optional library
    """The model, of our own reading of its weights; transformers alone would fill up at random."""
    tensors = read_all(stored_tensors(weights), tell)
    fix = "use the config and the weights of one model"
    try:
        settings = kind.config_class.from_dict(dict(config))
        with torch.random.fork_rng(devices=[]):
            model, report = kind.from_pretrained(
                None,
                config=settings,
                state_dict=tensors,
                output_loading_info=True,
                dtype=torch.float32,
                ignore_mismatched_sizes=True,
            )
    except (*MALFORMED, StrictDataclassError) as error:
        raise CheckpointError(
            f"config.json: transformers cannot build it ({type(error).__name__})", fix
        ) from error
    for words in ("missing", "unexpected", "mismatched"):
        if names := sorted(str(name) for name in report[f"{words}_keys"]):
            raise CheckpointError(
                f"weights: {len(names)} {words} for this config, such as {names[0][:80]}", fix
            )
    return model.eval().requires_grad_(False)


def _end_mark(model: Any, tokenizer: FolderTokenizer) -> Reading:
    """How the end mark is found, which must be the tokenizer's own."""
    end = model.config.text_config.eos_token_id
    if end == 2 and model.config.model_type == "clip":
        return "largest"  # older configs of CLIP say 2 whatever it is, and transformers knows
    if end != tokenizer.end:
        raise CheckpointError(
            f"tokenizer: ends a text with the id {tokenizer.end}, the model looks for {end}",
            "copy the tokenizer of this model into the folder",
        )
    return "end"


def _context(text: Any, tokenizer: FolderTokenizer) -> int:
    """Most tokens of a text: positions that there are, fewer where the tokenizer says so."""
    positions = int(text.max_position_embeddings)
    if text.model_type in ("altclip_text_model", "clap_text_model", "roberta", "xlm-roberta"):
        positions -= int(text.pad_token_id) + 1  # they count from behind the padding's id
    return min(positions, int(tokenizer.tokenizer.model_max_length))


# What is given to the library, its own embedding of that, and how a picture is prepared for it.
_Media = tuple[MediaSpace, Callable[[Tensor], Tensor], Callable[[Image.Image], Tensor]]


def _pictures(model: Any, model_type: str, processor: Any) -> _Media:
    vision = model.config.vision_config
    if model_type != "siglip2":
        size = int(vision.image_size)
        return (
            MediaSpace.square(size),
            lambda pixels: model.get_image_features(pixel_values=pixels).pooler_output,
            _prepared(processor, size),
        )
    side, patch = int(vision.num_patches**0.5), int(vision.patch_size)

    def encode(pixels: Tensor) -> Tensor:
        """As many patches as the model was trained with, in a square."""
        x = pixels.reshape(len(pixels), 3, side, patch, side, patch).permute(0, 2, 4, 3, 5, 1)
        x = x.reshape(len(pixels), side * side, patch * patch * 3)
        embedded: Tensor = model.get_image_features(
            pixel_values=x,
            pixel_attention_mask=torch.ones(x.shape[:2], dtype=torch.int32, device=x.device),
            spatial_shapes=torch.tensor([[side, side]] * len(x), device=x.device),
        ).pooler_output
        return embedded

    return MediaSpace.square(side * patch), encode, _prepared(processor, side * patch)


def _sounds(model: Any, extractor: Any) -> _Media:
    """Spectrograms of log mels, in units of the mean and spread that the model has seen.

    Its first layer is a normalisation by band, whose running statistics are those units.
    """
    frames = int(extractor.nb_max_samples) // int(extractor.hop_length) + 1
    space = MediaSpace("sound", (1, frames, int(extractor.feature_size)))
    encoder = model.audio_model.audio_encoder
    seen = encoder.batch_norm

    def encode(sounds: Tensor) -> Tensor:
        mels = seen.running_mean + sounds * seen.running_var.sqrt()
        given = {}
        if encoder.enable_fusion:  # of a long sound four views, of a short one the same four times
            mels = mels.expand(-1, 4, -1, -1)
            given = {"is_longer": torch.zeros(len(mels), 1, dtype=torch.bool, device=mels.device)}
        embedded: Tensor = model.get_audio_features(input_features=mels, **given).pooler_output
        return embedded

    def refuse(_image: Image.Image) -> Tensor:
        raise PictureError(
            "pictures: this model hears sounds and sees no pictures",
            "leave out bank.images and --pictures",
        )

    try:
        with torch.no_grad():
            encode(torch.zeros(1, *space.shape))
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"{PROCESSORS[0]}: spectrograms of {frames} frames and {space.shape[2]} bands are none "
            "of this model's",
            "use the feature extractor that the model was saved with",
        ) from error
    return space, encode, refuse


def _processor(folder: Path, media: str) -> tuple[Any, dict[str, Any]]:
    """What prepares pictures or sounds, and its settings."""
    path = next((folder / name for name in PROCESSORS if (folder / name).is_file()), None)
    fix = "save it there: processor.save_pretrained(folder)"
    if path is None:
        raise CheckpointError(f"checkpoint.folder: no {PROCESSORS[0]} in it", fix)
    settings = read_json(path, fix)
    if "auto_map" in settings:
        raise CheckpointError(f"{path.name}: auto_map names code that would have to run", fix)
    transformers = imported_transformers()
    refuse_pointer(path)
    try:
        own = transformers.AutoImageProcessor
        if media == "sound":
            own = transformers.ClapFeatureExtractor
        processor = own.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except (*MALFORMED, StrictDataclassError) as error:
        raise CheckpointError(
            f"{path.name}: transformers cannot read it ({type(error).__name__})", fix
        ) from error
    return processor, settings


def _prepared(processor: Any, image_size: int) -> Callable[[Image.Image], Tensor]:
    """One picture as the library prepares it."""

    def prepare(image: Image.Image) -> Tensor:
        rgb = image.convert("RGB")
        if hasattr(processor, "max_num_patches"):
            return _squared(processor, rgb, image_size)
        pixels: Tensor = processor(images=rgb, return_tensors="pt")["pixel_values"][0]
        return pixels

    return prepare


def _squared(processor: Any, image: Image.Image, side: int) -> Tensor:
    """A picture as a square, normalised as the library does; SigLIP 2 keeps a picture's shape."""
    squared = np.asarray(image.resize((side, side), Image.Resampling.BILINEAR), np.float32) / 255
    pixels = torch.from_numpy((squared - processor.image_mean) / processor.image_std)
    return pixels.permute(2, 0, 1).float()
