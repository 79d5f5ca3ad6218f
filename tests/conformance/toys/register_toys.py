"""Registers the toys; pytest takes it as a plugin (``-p register_toys``)."""

from toy_family import FAMILY
from toy_kind import KIND

from tuni.detectors.registry import register_kind
from tuni.features.registry import register_family

register_kind(KIND)
register_family(FAMILY)
