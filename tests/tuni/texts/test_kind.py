"""Kinds of text are known by name; a second one of a name is refused."""

from dataclasses import replace

import pytest

from tuni.errors import RequestError
from tuni.texts.kind import kind_names, register_kind, text_kind


def test_names_are_a_kind() -> None:
    assert "name" in kind_names()
    assert text_kind("name").name == "name"


def test_a_kind_that_nobody_registered_is_refused_by_name() -> None:
    with pytest.raises(RequestError, match="kind of text: got 'plate', expected one") as raised:
        text_kind("plate")
    assert "register" in raised.value.fix


@pytest.mark.parametrize("name", ["name", "Plate", "number plate", ""])
def test_a_name_that_is_taken_or_malformed_is_refused(name: str) -> None:
    with pytest.raises(RequestError, match=r"is there already|lacks a name of lower-case"):
        register_kind(replace(text_kind("name"), name=name))
