"""Bad input of the verbs of watch lists and audits; tests/e2e runs them to their end."""

import shutil
from pathlib import Path

import pytest

FILE = "text\nAda Lovelace\n"


@pytest.fixture
def own(registered, tmp_path: Path) -> Path:
    """A copy of the registered home."""
    shutil.copytree(registered.home, tmp_path / "own")
    return tmp_path / "own"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("audit", "--watchlist", "staff"), ("--checkpoint", "--every")),
        (("audit", "--watchlist", "nobody", "--checkpoint", "tiny"), ("tuni watchlist import",)),
        (
            ("audit", "--watchlist", "staff", "--checkpoint", "tiny", "--engine", "magic"),
            ("no engine 'magic'",),
        ),
        (("audits", "show", "000000000000"), ("tuni audits list",)),
        (("audits", "resume", "000000000000"), ("tuni audits list",)),
        (("watchlist", "show", "nobody"), ("tuni watchlist import",)),
        (("watchlist", "delete", "nobody", "--yes"), ("tuni watchlist import",)),
        (("audits", "list", "--watchlist", "nobody"), ("tuni watchlist import",)),
    ],
)
def test_what_is_not_there_is_bad_input(
    tuni, own: Path, refused, csv_file, arguments, words
) -> None:
    tuni("watchlist", "import", csv_file("people.csv", FILE), "--name", "staff", home=own)
    refused(tuni(*arguments, home=own), *words)


def test_a_list_is_not_deleted_unasked(tuni, own: Path, refused, csv_file) -> None:
    tuni("watchlist", "import", csv_file("people.csv", FILE), "--name", "staff", home=own)
    refused(tuni("watchlist", "delete", "staff", home=own), "--yes")
    assert tuni("watchlist", "show", "staff", home=own).code == 0


def test_a_list_named_after_a_person_is_refused(tuni, own: Path, refused, csv_file) -> None:
    file = csv_file("people.csv", FILE)
    refused(tuni("watchlist", "import", file, "--name", "Zebulon Quartz", home=own), "--name")


def test_a_file_whose_rows_are_all_refused_makes_no_list(
    tuni, own: Path, refused, csv_file
) -> None:
    file = csv_file("people.csv", "text\nbad\u200b\n")
    refused(tuni("watchlist", "import", file, "--name", "staff", home=own), "every row is refused")
    assert tuni("watchlist", "list", "--json", home=own).result() == {"watchlists": []}
