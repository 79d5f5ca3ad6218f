from pathlib import Path

import pytest

from tuni.errors import TextError
from tuni.lists.labelled import Labelled, read_labelled, read_subjects


@pytest.fixture
def table(tmp_path: Path):
    def write(content: str | bytes) -> Path:
        path = tmp_path / "people.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_labelled_people_are_read_with_their_optional_columns(table) -> None:
    path = table(
        "text,member,captions,group,more\n"
        " Ada  Byron ,1,12,,x\nBea Cole, 0 ,,hard,y\nada byron,1,3,,z\n"
    )
    assert read_labelled(path) == Labelled(
        ("Ada Byron", "Bea Cole"), (True, False), (12, None), ("", "hard"), (2, 3)
    )


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_byte_order_marks_of_any_system_are_read(table, start, end) -> None:
    path = table(start + end.join(["text,member", "Ada Byron,1", "", "José Ñ,0", ""]).encode())
    assert read_labelled(path).texts == ("Ada Byron", "José Ñ")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["is empty"]),
        ("text,member\n", ["no rows"]),
        ("member\n1\n", ["no column text"]),
        ("text\nAda\n", ["no column member"]),
        ("Ada Byron,1\n", ["no column text", "first line"]),
        ("text;member\nAda;1\n", ["no column text", "commas"]),
        ("text,member,text\nAda,1,x\n", ["column 3", "earlier"]),
        ("text,member\nAda,1\nBea,2\nCea,yes\n", ["line 3: member", "line 4: member"]),
        ("text,member\nAda,1\nBea\n", ["line 3: has 1 columns instead of 2"]),
        ("text,member\nAda,1\nADA,0\n", ["line 3: same text as line 2"]),
        ("text,member\nAda\u200b,1\n", ["line 2", "zero-width"]),
        ("text,member\n,1\n", ["line 2", "empty"]),
        ("text,member,captions\nAda,1,-3\n", ["line 2", "captions"]),
        ("text,member\nAda,1\nB\0ea,1\n", ["NUL", "line 3"]),
        ('text,member\nAda,1\n"Bea,1\n', ["line 3", "quotes"]),
        ("text,member\n" + "a" * 140_000 + ",1\n", ["line 2", "too large"]),
        (b"text,member\nAda,1\nBe\xe9,0\n", ["UTF-8", "line 3"]),
        ("text,member\nAda,1\n".encode("utf-16"), ["UTF-8"]),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_file_and_line(table, content, words) -> None:
    with pytest.raises(TextError) as caught:
        read_labelled(table(content))
    message = str(caught.value)
    assert "people.csv" in message
    for word in words:
        assert word in message
    for text in ("Ada", "Bea", "Cea", "ADA"):
        assert text not in message
    chain = caught.value.__cause__ or caught.value
    assert "Ada" not in repr(chain)


def test_at_most_five_lines_are_listed(table) -> None:
    with pytest.raises(TextError) as caught:
        read_labelled(table("text,member\n" + "Ada,7\n" * 9))
    assert "line 6" in str(caught.value)
    assert "line 7" not in str(caught.value)
    assert "and 4 more" in str(caught.value)


def test_a_line_number_is_that_of_the_file_also_after_quoted_line_breaks(table) -> None:
    with pytest.raises(TextError, match="line 5: member"):
        read_labelled(table('text,member,note\nAda,1,"a\nb"\n\nBea,2,\n'))


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(TextError, match="cannot be read"):
        read_subjects(tmp_path / name)


def test_a_list_keeps_its_order_and_lines(table) -> None:
    subjects = read_subjects(table("id,text\n7,Bea  Cole\n3,Ada Byron\n7,Bea Cole\n"))
    assert subjects.texts == ("Bea Cole", "Ada Byron", "Bea Cole")
    assert subjects.lines == (2, 3, 4)


def test_refused_rows_are_an_error(table) -> None:
    path = table(f"text\nAda\n{'x' * 201}\nB\u202eea\n")
    with pytest.raises(TextError, match=r"line 3: text is longer.*; line 4: text holds a bidi"):
        read_subjects(path)
