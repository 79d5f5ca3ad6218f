"""Kinds are found by name; a second one of a name, and a half one, are refused when they come."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tuni.detectors.kind import DetectorKind, Number
from tuni.detectors.registry import BUILT_IN, fit_of, kind_named, kind_names, register_kind
from tuni.errors import RequestError

TOY = replace(kind_named("knn"), name="toy")


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_kind_is_known_by_its_name_and_has_its_fit(name: str) -> None:
    assert kind_named(name).name == name
    assert (fit_of(kind_named(name)) is None) == (name == "feature")


@pytest.mark.parametrize("name", ["magic", "", "os", "vectors", "../knn"])
def test_any_other_name_is_refused(name: str) -> None:
    with pytest.raises(RequestError, match="expected one of sum, pair_residual"):
        kind_named(name)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (kind_named("knn"), "is there already"),
        (replace(TOY, name="Toy kind"), "name of lower-case"),
        (replace(TOY, words=""), "words"),
        (replace(TOY, check=None), "check"),
        (replace(TOY, score=None), "score"),
        (replace(TOY, reads="rows"), "reads"),
        (replace(TOY, fits="tuni.detectors.fits.toy"), "module tuni.detectors.fits.toy"),
        (replace(TOY, fits="no.such.module"), "module no.such.module"),
        (replace(TOY, fits=None), "fit for the numbers"),
        (replace(TOY, params={"x": Number(2.0, 0.0, 1.0)}), "default of x within its bounds"),
    ],
)
def test_a_second_or_half_kind_is_refused(kind: DetectorKind, why: str) -> None:
    with pytest.raises(RequestError, match=why):
        register_kind(kind)
    assert kind_names() == BUILT_IN


def test_a_kind_whose_module_has_no_fit_is_an_error_at_the_first_fit() -> None:
    with pytest.raises(RequestError, match="no function fit"):
        fit_of(replace(TOY, fits="tuni.detectors.fits.standard"))


def test_an_installed_package_names_its_kinds_and_no_other_ones(tmp_path: Path) -> None:
    (tmp_path / "toys-1.0.dist-info").mkdir()
    entries = tmp_path / "toys-1.0.dist-info" / "entry_points.txt"
    ask = "from tuni.detectors.registry import kind_named; print(kind_named('mine').words)"

    def told(entry: str) -> str:
        entries.write_text(f"[tuni.detectors]\n{entry}\n", encoding="utf-8")
        path = f"{tmp_path}:{Path(__file__).parents[3]}"
        done = subprocess.run(
            [sys.executable, "-c", ask], capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        return done.stdout + done.stderr

    (tmp_path / "mine.py").write_text(
        "from dataclasses import replace\n"
        "from tuni.detectors.registry import kind_named\n"
        "KIND = replace(kind_named('knn'), name='mine', words='my own')\n"
        "HALF = replace(KIND, fits='no.such.module')\n",
        encoding="utf-8",
    )
    assert told("mine = mine:KIND") == "my own\n"
    assert "lacks module no.such.module" in told("mine = mine:HALF")
    assert "holds no kind of that name" in told("mine = mine:kind_named")
    assert "another package names one too, mine:KIND" in told("knn = mine:KIND")
