import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuni.errors import TextError
from tuni.texts.names import has_two_parts, parse_name
from tuni.texts.reference_parts import reference_parts
from tuni.texts.text import clean_text

WORDS = [
    "Ada",
    "van",
    "de",
    "la",
    "Müller",
    "Jr.",
    "O'Hara",
    "y",
    "王伟",
    "김",
    "بن",
    "Иванович",
    "·",
]


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("Ada Lovelace", "Ada", "Lovelace"),
        ("Samuel L. Jackson", "Samuel L.", "Jackson"),
        ("Sarah Michelle Gellar", "Sarah Michelle", "Gellar"),
        ("Robert Downey Jr.", "Robert", "Downey Jr."),
        ("Sammy Davis, Jr.", "Sammy", "Davis, Jr."),
        ("Ada Jr.", "Ada", "Jr."),
        ("Thurston Howell III", "Thurston", "Howell III"),
        ("Julia Louis-Dreyfus", "Julia", "Louis-Dreyfus"),
        ("Catherine O'Hara", "Catherine", "O'Hara"),
        ("Olivia d'Abo", "Olivia", "d'Abo"),
        ("Alexander Skarsgård", "Alexander", "Skarsgård"),
        ("Robert De Niro", "Robert", "De Niro"),
        ("Jean-Claude Van Damme", "Jean-Claude", "Van Damme"),
        ("Van Morrison", "Van", "Morrison"),
        ("Juan Carlos de la Cruz", "Juan Carlos", "de la Cruz"),
        ("Ludwig van der Rohe", "Ludwig", "van der Rohe"),
        ("Mohammed bin Salman", "Mohammed", "bin Salman"),
        ("Abdel Fattah al-Sisi", "Abdel Fattah", "al-Sisi"),
        ("Santiago Ramón y Cajal", "Santiago", "Ramón y Cajal"),
        ("Yves Saint Laurent", "Yves", "Saint Laurent"),
        ("Jill St. John", "Jill", "St. John"),
        ("Gabriel García Márquez", "Gabriel García", "Márquez"),
        ("Smith, John", "Smith,", "John"),
        ("Иван Иванов", "Иван", "Иванов"),
        ("محمد بن سلمان", "محمد", "بن سلمان"),
        ("أحمد عبد العزيز", "أحمد", "عبد العزيز"),
        ("नरेन्द्र मोदी", "नरेन्द्र", "मोदी"),
        ("约翰·史密斯", "约翰", "史密斯"),
        ("ジョン・スミス", "ジョン", "スミス"),
    ],
)
def test_given_part_comes_first_and_particles_and_suffixes_go_with_the_family(
    text: str, first: str, last: str
) -> None:
    name = parse_name(text)
    assert (name.first, name.last, name.family_first) == (first, last, False)


@pytest.mark.parametrize(
    ("text", "last", "first"),
    [
        ("王伟", "王", "伟"),
        ("欧阳娜娜", "欧阳", "娜娜"),
        ("陳家豪", "陳", "家豪"),
        ("田中太郎", "田中", "太郎"),
        ("佐藤 晃", "佐藤", "晃"),
        ("佐々木希", "佐々木", "希"),
        ("高橋みなみ", "高橋", "みなみ"),
        ("김민수", "김", "민수"),
        ("남궁민", "남궁", "민"),
        ("김 민수", "김", "민수"),
        ("Иванов Иван Иванович", "Иванов", "Иван Иванович"),
    ],
)
def test_family_part_comes_first_where_the_culture_writes_it_so(
    text: str, last: str, first: str
) -> None:
    name = parse_name(text)
    assert (name.first, name.last, name.family_first) == (first, last, True)


@pytest.mark.parametrize("text", ["Madonna", "de la Cruz", "von Trier", "さくら", "王", "", "-"])
def test_one_part_names_have_no_family_part(text: str) -> None:
    name = parse_name(text)
    assert name.last == ""
    assert name.with_first("Ada") == "Ada"
    with pytest.raises(TextError):
        name.with_last("Smith")


@given(st.one_of(st.text(max_size=30), st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)))
def test_parts_make_up_the_text_again(text: str) -> None:
    name = parse_name(text)
    assert name.text == clean_text(text)
    assert has_two_parts(text) == bool(name.last)
    assert name.with_first(name.first) == name.text
    if name.last:
        assert name.first
        assert name.with_last(name.last) == name.text


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("Robert De Niro", "Anna De Niro", "Robert Smith"),
        ("王伟", "王Anna", "Smith伟"),
        ("约翰·史密斯", "Anna·史密斯", "约翰·Smith"),
        ("Иванов Иван Иванович", "Иванов Anna", "Smith Иван Иванович"),
    ],
)
def test_exchanged_parts_stand_where_the_old_ones_stood(text: str, first: str, last: str) -> None:
    assert parse_name(text).with_first("Anna") == first
    assert parse_name(text).with_last("Smith") == last


@pytest.mark.parametrize(
    ("text", "stratum"),
    [
        ("Michael Johnson", "latin/en_US"),
        ("Peter Müller", "latin/de_DE"),
        ("Pierre Dupont", "latin/fr_FR"),
        ("María García", "latin/es_ES"),
        ("Marco Rossi", "latin/it_IT"),
        ("Piotr Nowak", "latin/pl_PL"),
        ("Qwxz Vbnk", "latin/*"),
        ("王伟", "han/zh_CN"),
        ("陳家豪", "han/zh_TW"),
        ("佐藤 晃", "han/ja_JP"),
        ("김민수", "hangul/ko_KR"),
        ("Иван Иванов", "cyrillic/ru_RU"),
        ("अभय शर्मा", "devanagari/hi_IN"),
        ("Madonna", "latin/*"),
    ],
)
def test_stratum_names_script_and_the_culture_that_knows_both_parts(
    text: str, stratum: str
) -> None:
    assert parse_name(text).stratum == stratum


@pytest.mark.parametrize("locale", ["en_US", "de_DE", "fr_FR", "es_ES", "it_IT"])
def test_a_pair_of_common_parts_of_a_culture_is_recognised_as_that_culture(locale: str) -> None:
    parts = reference_parts(f"latin/{locale}", 24)
    names = [f"{a} {b}" for a, b in zip(parts.firsts, parts.lasts, strict=True)]
    hits = sum(parse_name(name).locale == locale for name in names)
    assert hits >= 20


def test_only_pairs_of_common_parts_are_common() -> None:
    assert parse_name("Michael Smith").common
    assert parse_name("Peter Müller").common
    assert not parse_name("Ada Lovelace").common
    assert not parse_name("Madonna").common


SHOW = (
    "from tuni.texts.names import parse_name; from tuni.texts.reference_parts import *; "
    "print(all_reference_parts(), parse_name('Anna Martin'))"
)


def test_lists_are_the_same_in_every_process() -> None:
    runs = [
        subprocess.run(
            [sys.executable, "-c", SHOW],
            env={"PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]


@pytest.mark.parametrize(("use", "loaded"), [("", "False"), ("parse_name('Ada Byron')", "True")])
def test_faker_is_loaded_at_first_use_only(use: str, loaded: str) -> None:
    code = (
        f"import sys; from tuni.texts.names import parse_name; {use}\nprint('faker' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert run.stdout.strip() == loaded
