"""A small CLIP of drawn people whose members are known, to measure every claim on."""

from tuni.bench.testbed.build import Testbed, make_testbed
from tuni.bench.testbed.settings import TestbedSettings

__all__ = ["Testbed", "TestbedSettings", "make_testbed"]
