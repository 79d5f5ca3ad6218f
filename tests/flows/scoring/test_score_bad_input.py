"""Everything that can go wrong while scoring: one sentence, and never half a verdicts file."""

import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from tuni.detectors.bundle import read_bundle
from tuni.errors import TooFewTexts
from tuni.judging.judge import Judge
from tuni.judging.null import JudgeOptions
from tuni.judging.whole_list import judge_texts

CANARY = "Zebulon Quartz"


def test_a_disk_that_fills_up_while_the_bundle_is_written_leaves_no_bundle(registered, tmp_path):
    code = (
        "import resource, signal, sys, pathlib\n"
        "from flows.cli.app import app, main\n"
        "from tuni.detectors.bundle import read_bundle, write_bundle\n"
        "bundle = read_bundle(pathlib.Path(sys.argv.pop()))\n"
        "target = pathlib.Path(sys.argv.pop())\n"
        "def full():\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))\n"  # as 600 bytes of room
        "    write_bundle(bundle, target / 'bundle')\n"
        "app.command('full')(full)\n"
        "sys.argv = ['tuni', 'full']\n"
        "main()\n"
    )
    out = tmp_path / "job"
    out.mkdir()
    whole = registered.home.parent / "bundle"
    done = subprocess.run(
        [sys.executable, "-c", code, str(out), str(whole)], capture_output=True, text=True
    )
    assert done.returncode == 1, done.stderr
    assert "cannot be written" in done.stderr
    assert "fix: free disk space" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(out.iterdir()) == []


@pytest.fixture
def scored(tuni, registered, csv_file, tmp_path):
    """Scores a list with the tiny detector: how that ended, and where the verdicts go."""

    def score(content, *options, out="verdicts.csv", home=registered.home, **environment):
        asked = ("score", "--checkpoint", "tiny", "--subjects", csv_file("list.csv", content))
        done = tuni(*asked, "--out", tmp_path / out, *options, home=home, **environment)
        return done, tmp_path / out

    return score


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("person\nAnna Abbott\n", ("list.csv", "no column text")),
        ("", ("list.csv", "is empty")),
        ("text\n", ("list.csv", "no row")),
        (b"text\nJos\xe9 Brown\n", ("list.csv", "UTF-8")),
        ("text\nAnna Abbott\nBoris\x07Brown\n", ("line 3", "control")),
        ("text\nAnna Abbott\nBoris \u2066Brown\n", ("line 3", "bidi")),
        ("text\nAnna Abbott\nBoris\u200dBrown\n", ("line 3", "zero-width")),
        ("text\nAnna <|startoftext|>\n", ("line 2", "special token")),
        (f"text\nAnna Abbott\n{CANARY}{'xqzj' * 12}\n", ("line 3", "tokens")),
    ],
)
def test_a_list_that_cannot_be_scored_is_told_by_line_and_nothing_is_written(
    scored, tmp_path, content, words, refused
):
    done, out = scored(content)
    refused(done, *words)
    assert not out.exists()
    assert {path.name for path in tmp_path.iterdir()} <= {"list.csv", "home"}


def test_a_list_without_any_row_that_can_be_scored_is_refused_also_when_skipping(scored, refused):
    done, out = scored("text\nA\x07B\n", "--skip-bad")
    refused(done, "list.csv", "no row")
    assert not out.exists()


def test_an_outfile_that_cannot_be_is_told_before_anything_is_computed(scored, tmp_path, refused):
    (tmp_path / "taken").mkdir()
    for out, word in (("none/v.csv", "no folder"), ("taken", "folder"), ("list.csv", "subjects")):
        refused(scored("text\nAnna Abbott\n", out=out)[0], "--out", word)
    assert (tmp_path / "list.csv").read_text() == "text\nAnna Abbott\n"


def test_a_name_that_is_not_registered_is_bad_input_that_tells_what_is(
    tuni, registered, csv_file, tmp_path, refused
):
    subjects = csv_file("list.csv", "text\nAnna Abbott\n")
    asked = ("score", "--checkpoint", "none", "--subjects", subjects, "--out", tmp_path / "v")
    refused(tuni(*asked), "model none: not registered", "make it with: tuni run")
    refused(tuni(*asked, home=registered.home), "not registered", "there are: tiny; or")
    assert not (tmp_path / "v").exists()


def test_an_altered_bundle_is_refused(scored, registered, tmp_path, refused):
    home = tmp_path / "copy"
    assert scored("text\nAnna Abbott\n")[0].code == 0
    shutil.copytree(registered.home, home)
    (tmp_path / "verdicts.csv").unlink()
    kept = next((home / "bundles").rglob("bundle.json"))
    kept.write_text(kept.read_text().replace('"seed":0', '"seed":1'))
    done, out = scored("text\nAnna Abbott\n", home=home)
    refused(done, "altered", "delete")
    assert not out.exists()


def test_an_unsigned_bundle_is_refused_until_its_owner_signs_it(
    tuni, scored, registered, tmp_path, refused
):
    # Copies of the home that other tests register in write their artifacts here too.
    signatures = registered.home.glob("artifacts/**/bundle.sig")
    min(signatures, key=lambda path: path.stat().st_mtime_ns).unlink()
    shutil.rmtree(registered.home / "bundles", ignore_errors=True)
    reference = f"tiny@{registered.version}"
    done, out = scored("text\nAnna Abbott\n")
    refused(done, "is not signed", f"tuni models sign {reference}")
    assert not out.exists()
    home = registered.home
    refused(tuni("models", "pull", reference, tmp_path / "pulled", home=home), "is not signed")
    assert not (tmp_path / "pulled").exists()
    assert tuni("models", "sign", reference, home=home).out == "tiny 1 is signed\n"
    assert scored("text\nAnna Abbott\n")[0].code == 0


def test_another_checkpoint_than_the_bundles_is_refused(scored, make_folder, refused):
    other = make_folder(seed=9)
    done, out = scored("text\nAnna Abbott\n", "--folder", other)
    refused(done, "fingerprint", "registered for")
    assert not out.exists()
    refused(scored("text\nAnna Abbott\n", TUNI_CHECKPOINT=str(other))[0], "fingerprint")


def test_too_few_list_decoys_for_the_operating_point_are_refused(registered, tiny_target):

    bundle = read_bundle(registered.home.parent / "bundle")
    strict = replace(bundle, operating_point=0.004)
    with pytest.raises(TooFewTexts, match=r"200.*0\.004"):
        judge_texts(
            Judge(strict, tiny_target),
            ["Anna Abbott", "Boris Brown"],
            JudgeOptions(decoy_count=200),
        )


@pytest.mark.parametrize("name", ["No Such!", "../up", "a" * 200])
def test_a_checkpoints_name_that_cannot_be_is_refused(tuni, csv_file, tmp_path, name):
    subjects = csv_file("list.csv", "text\nAnna Abbott\n")
    done = tuni("score", "--checkpoint", name, "--subjects", subjects, "--out", tmp_path / "v")
    assert done.code == 2
    assert "Traceback" not in done.err
    assert "fix: " in done.err
