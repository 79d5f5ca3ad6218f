"""A small CLIP of drawn people whose members are known, to measure every claim on."""

from tuni.testbed.build import Testbed, make_testbed
from tuni.testbed.settings import TestbedSettings

__all__ = ["Testbed", "TestbedSettings", "make_testbed"]
