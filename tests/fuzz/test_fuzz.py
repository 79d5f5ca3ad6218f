"""A seeded share of what `make fuzz` does, and that the harness sees what it is there for."""

import os
import time

import numpy as np
import pytest

from tests.fuzz import parsers
from tests.fuzz.harness import faults
from tests.fuzz.parsers import PARSERS, Parser

COUNT = 2000
WEIGHTS = sum(parser.weight for parser in PARSERS.values())


@pytest.mark.parametrize("name", PARSERS)
def test_changed_inputs_are_read_or_refused_by_us(name):
    assert list(faults(name, range(COUNT * PARSERS[name].weight // WEIGHTS))) == []


def _odd(_folder):
    raise LookupError


def _endless(_folder):
    while True:
        time.sleep(0)


def _large(_folder):
    np.ones(2**24)


def _ended(_folder):
    os.abort()


@pytest.mark.parametrize(
    ("read", "what"),
    [(_odd, "LookupError"), (_endless, "too long"), (_large, "GB"), (_ended, "status")],
)
def test_whatever_is_no_refusal_is_a_fault_and_the_next_input_is_read(read, what, monkeypatch):
    def once(folder):  # the sound input, and every second one, are fine
        if (folder / "list.csv").read_bytes() in sound:
            return
        read(folder)

    sound = []
    monkeypatch.setattr("tests.fuzz.harness.SECONDS", 1.0)
    monkeypatch.setattr("tests.fuzz.harness.BYTES", 2**26)
    prepare = PARSERS["list.csv"].prepare

    def prepared(folder):
        prepare(folder)
        sound.append((folder / "list.csv").read_bytes())

    broken = Parser(prepared, once, PARSERS["list.csv"].files)
    monkeypatch.setitem(parsers.PARSERS, "broken", broken)
    found = list(faults("broken", range(2)))
    assert [fault.number for fault in found] == [0, 1]
    assert all(what in fault.what for fault in found)
