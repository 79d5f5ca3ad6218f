"""`tuni score --pictures`: columns are added, and nothing else moves."""

import numpy as np
import pytest
from PIL import Image

from tests.objects import read_csv

NAMES = ["Anna Abbott", "Boris Brown", "Carla Cole", "Dora Dell"]
ADDED = [
    "pictures", "score_pictures", "name_rank", "picture_rank", "p_pictures", "verdict_pictures",
]  # fmt: skip


@pytest.fixture
def score(tuni, registered, csv_file, tmp_path):
    """Scores a list; the verdicts lie in ``out``."""
    subjects = csv_file("list.csv", "text,note\n" + "".join(f"{one},n\n" for one in NAMES))

    def run(out, *options):
        return tuni(
            "score", "--checkpoint", "tiny", "--subjects", subjects, "--out", tmp_path / out,
            "--decoys", 800, *options, home=registered.home,
        )  # fmt: skip

    return run


@pytest.fixture
def pictures(tmp_path):
    """A folder with two pictures of each of two people."""
    draw = np.random.default_rng(0)
    folder = tmp_path / "pictures"
    for name in NAMES[:2]:
        (folder / name).mkdir(parents=True)
        for number in (1, 2):
            picture = Image.fromarray(draw.integers(0, 256, (40, 40, 3), dtype=np.uint8))
            picture.save(folder / name / f"{number}.png")
    return folder


def test_rows_keep_their_text_verdicts_to_the_last_bit(score, pictures, tmp_path):
    assert score("plain.csv").code == 0
    ended = score("with.csv", "--pictures", pictures)
    assert ended.code == 0
    assert "with pictures: 2 people" in ended.out
    plain, rows = read_csv(tmp_path / "plain.csv"), read_csv(tmp_path / "with.csv")
    assert [k for k in rows[0] if k not in plain[0]] == ADDED
    assert [{k: row[k] for k in plain[0]} for row in rows] == plain
    for row in rows[:2]:
        assert row["pictures"] == "2"
        assert 0 < float(row["p_pictures"]) <= 1
        assert np.isfinite(float(row["score_pictures"]))
        assert row["verdict_pictures"]
        assert 1 <= int(row["name_rank"]) <= 2001
        assert row["picture_rank"] == ""  # two pictures of others are too few to rank among
    assert all(row[name] == "" for row in rows[2:] for name in ADDED)


def test_pictures_do_not_reach_the_home(score, pictures, registered):
    assert score("with.csv", "--pictures", pictures).code == 0
    content = (pictures / NAMES[0] / "1.png").read_bytes()
    for path in registered.home.rglob("*"):
        if path.is_file():
            assert content[60:120] not in path.read_bytes()
            assert path.suffix != ".png" or "pictures" not in str(path)


def test_bad_pictures_end_in_a_sentence_or_are_counted(score, pictures, tmp_path):
    (pictures / NAMES[1] / "1.png").write_bytes(b"no picture")
    (pictures / "Eve Stray").mkdir()
    ended = score("bad.csv", "--pictures", pictures)
    assert ended.code == 2
    assert "1 folders are called like nobody" in ended.err
    assert not (tmp_path / "bad.csv").exists()
    ended = score("kept.csv", "--pictures", pictures, "--skip-bad")
    assert ended.code == 0
    assert "pictures left out: 2" in ended.out
    assert [row["pictures"] for row in read_csv(tmp_path / "kept.csv")] == ["2", "1", "", ""]


def test_pictures_without_the_list_s_decoys_are_refused(score, pictures):
    ended = score("none.csv", "--pictures", pictures, "--no-list-decoys")
    assert ended.code == 2
    assert "--no-list-decoys" in ended.err


def test_a_name_of_which_too_few_decoys_show_the_same_gets_no_verdict_from_pictures(
    tuni, registered, csv_file, pictures, tmp_path
):
    """One name in Cyrillic among Latin ones: nearly no decoy is one that its bearer could have."""
    firsts, lasts = ("Anna", "Carla", "Dora", "Julia", "Laura"), ("Abbott", "Brown", "Cole")
    alone = "Иван Петров"
    listed = [*(f"{first} {last}" for first in firsts for last in lasts), alone]
    (pictures / "Boris Brown").rename(pictures / alone)
    done = tuni(
        "score", "--checkpoint", "tiny", "--out", tmp_path / "out.csv", "--decoys", 200,
        "--subjects", csv_file("some.csv", "text\n" + "\n".join(listed)),
        "--pictures", pictures, home=registered.home,
    )  # fmt: skip
    assert done.code == 0
    rows = {row["text"]: row for row in read_csv(tmp_path / "out.csv")}
    assert (rows[alone]["p_pictures"], rows[alone]["verdict_pictures"]) == ("", "withheld")
    assert float(rows[alone]["score_pictures"])
    assert 0 < float(rows["Anna Abbott"]["p_pictures"]) <= 1
    assert rows["Anna Abbott"]["verdict_pictures"] != "withheld"
