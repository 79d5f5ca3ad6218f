"""Kinds of any sort are found by name, and refused where they are half or twice there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tuni.errors import RequestError, SpecMismatch
from tuni.texts.kinds_by_name import KindsByName, function_of, is_module


@pytest.fixture
def numbers() -> KindsByName[float]:
    """Kinds that are numbers; a negative one lacks a sign."""
    return KindsByName(
        "sort of number",
        group="tests.numbers",
        built_in={"pi": "math:pi", "e": "math:e"},
        lacks=lambda _name, number: ["a sign"] if number < 0 else [],
        unknown=SpecMismatch,
    )


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Installs a package that names one number."""

    def package(entry: str) -> None:
        folder = tmp_path / entry.partition(" ")[0]
        (folder / "toys-1.0.dist-info").mkdir(parents=True)
        (folder / "toys-1.0.dist-info" / "entry_points.txt").write_text(
            f"[tests.numbers]\n{entry}\n", encoding="utf-8"
        )
        (folder / "toy_numbers.py").write_text("HALF = -0.5\n", encoding="utf-8")
        monkeypatch.syspath_prepend(folder)

    return package


def test_built_in_kinds_come_first_and_others_by_name(numbers, install):
    assert numbers.names() == ("pi", "e")
    install("tau = math:tau")
    numbers.register("one", 1.0)
    assert numbers.names() == ("pi", "e", "one", "tau")
    assert numbers.other_names() == ("one", "tau")
    assert [round(numbers.named(name)) for name in numbers.names()] == [3, 3, 1, 6]


def test_what_is_unknown_is_refused_with_what_there_is(numbers):
    with pytest.raises(SpecMismatch, match="number: got 'x', expected one of pi, e") as told:
        numbers.named("x")
    assert "install or register" in told.value.fix


@pytest.mark.parametrize(
    ("name", "number", "why"),
    [("e", 1.0, "is there already"), ("no name", 1.0, "a name of lower-case"), ("x", -1.0, "sign")],
)
def test_a_second_or_half_kind_is_refused(numbers, name, number, why):
    with pytest.raises(RequestError, match=why):
        numbers.register(name, number)
    assert numbers.names() == ("pi", "e")


def test_a_package_brings_whole_kinds_under_names_of_their_own(numbers, install):
    install("half = toy_numbers:HALF")
    with pytest.raises(RequestError, match="'half': lacks a sign"):
        numbers.named("half")
    assert numbers.named("pi") > 3
    install("pi = math:tau")
    with pytest.raises(RequestError, match="another package names one too, math:tau"):
        numbers.names()


def test_a_module_is_asked_for_what_it_must_hold():
    assert is_module("math")
    assert not is_module("no.such.module")
    assert not is_module("")
    assert function_of("math", "sqrt", "x")(4) == 2
    with pytest.raises(RequestError, match="module math: has no function fit") as told:
        function_of("math", "fit", "inputs, seed")
    assert told.value.fix == "define fit(inputs, seed) there"
