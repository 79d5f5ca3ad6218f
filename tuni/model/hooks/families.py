"""The families of transformers' models that can be audited; told without loading anything."""

from dataclasses import dataclass
from typing import Literal

Reading = Literal["end", "largest", "first", "last", "mean"]


@dataclass(frozen=True, slots=True)
class Family:
    """How a family of models is read.

    Attributes:
        model: Its class in transformers.
        reading: See `tuni.model.hooks.target.HookedModel`.
        masked: Whether the library is told where there is text.
        media: What it is shown beside texts.
    """

    model: str
    reading: Reading
    masked: bool = True
    media: Literal["picture", "sound"] = "picture"


# By `model_type` of a config.
FAMILIES = {
    "clip": Family("CLIPModel", "end"),
    "metaclip_2": Family("MetaClip2Model", "end"),
    "siglip": Family("SiglipModel", "last", masked=False),
    "siglip2": Family("Siglip2Model", "last", masked=False),
    "chinese_clip": Family("ChineseCLIPModel", "first"),
    "align": Family("AlignModel", "first"),
    "altclip": Family("AltCLIPModel", "first"),
    "clap": Family("ClapModel", "first", media="sound"),
}
