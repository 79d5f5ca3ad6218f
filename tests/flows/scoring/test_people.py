"""What `tuni score --kind name --kind phone` writes, prints and ends with."""

import json

import numpy as np
import pytest

from flows.machine.home import open_ledger
from flows.machine.kinds import detector_name
from flows.machine.settings import Settings
from registry.models.store import ModelStore
from tests.objects import make_bundle, one_column_scorer, read_csv
from tuni.detectors.bundle import write_bundle
from tuni.features.families.hidden import HiddenSpec
from tuni.features.registry import by_family
from tuni.features.spec import FeatureSpec
from tuni.model.load import load_target
from tuni.texts.kind import text_kind

LINES = [
    f"{first} {last},(212) 555-{10 * row + place:04d}"
    for row, first in enumerate(("Ada", "Bo", "Cy", "Di"))
    for place, last in enumerate(("Roe", "Lind", "Dahl"))
]
KINDS = ("name_phone", "name", "phone")


@pytest.fixture(scope="module")
def people_home(tmp_path_factory, tiny_folder):
    """A home with a detector for each kind of text that name and phone make."""
    folder = tmp_path_factory.mktemp("people")
    settings = Settings(home=folder / "home")
    settings.home.mkdir(mode=0o700)
    fingerprint = load_target(tiny_folder).fingerprint
    scores = np.linspace(4.0, 12.0, 199)
    scorer = one_column_scorer("hidden.norm", scores, scores)
    family = by_family(HiddenSpec(prompts=("{}",), layers=(0,), neighbours=1))
    with open_ledger(settings) as ledger:
        store = ModelStore(ledger.home, None, ledger)
        for kind in KINDS:
            name, parts = detector_name("tiny", kind), text_kind(kind).reference_parts()
            spec = FeatureSpec(parts, batch=32, families=family, kind=kind)
            bundle = make_bundle(
                scorer, spec, checkpoint=name, fingerprint=fingerprint, kind=kind, single=scorer,
                settings={"region": "US"},
            )  # fmt: skip
            write_bundle(bundle, folder / kind)
            ledger.bind_checkpoint(name, fingerprint, {"folder": str(tiny_folder)})
            version = store.register(name, folder / kind, tags={"job": kind})
            store.promote(name, version.version, "first")
    return settings.home


@pytest.fixture
def score(tuni, people_home, csv_file, tmp_path):
    """Scores lines of a file and gives how it ended; the verdicts lie in ``out.csv``."""

    def run(*lines, options=("--kind", "name", "--kind", "phone"), header="name,phone,note"):
        listed = csv_file("people.csv", "\n".join((header, *lines)) + "\n")
        return tuni(
            "score", "--checkpoint", "tiny", "--subjects", listed, "--out", tmp_path / "out.csv",
            "--decoys", 200, *options, home=people_home,
        )  # fmt: skip

    return run


def test_each_row_gets_one_p_and_those_of_its_texts(score, tmp_path):
    lines = [*(f"{line},n" for line in LINES), "Ed Falk,,n", ",(212) 555-0199,n"]
    ended = score(*lines, options=("--kind", "name", "--kind", "phone", "--json"))
    assert ended.code == 0
    told = json.loads(ended.out)
    assert told["rows"] == len(lines)
    assert told["detectors"] == {detector_name("tiny", kind): 1 for kind in KINDS}
    assert told["decoy_rows"] == 200
    assert told["forms"] == {"name_phone": 3, "name": 1, "phone": 3}
    assert "Ada" not in ended.out + ended.err
    rows = read_csv(tmp_path / "out.csv")
    assert [row["name"] for row in rows] == [line.split(",")[0] for line in lines]
    assert {row["note"] for row in rows} == {"n"}
    *whole, name, phone = rows
    assert {row["verdict_of"] for row in whole} == {"name_phone"}
    assert (name["verdict_of"], phone["verdict_of"]) == ("name", "phone")
    assert all(row["p_name_phone"] and row["p_name"] and row["p_phone"] for row in whole)
    assert {name["p_phone"], phone["p_name"], phone["p_name_phone"]} == {""}
    for row in rows:
        assert ("of 7" in row["near_rank"]) == (float(row["p"]) <= 0.05 and row is not name)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["Ada Roe,call me,n"], "line 2: phone is no phone number"),
        (["Ada Roe,+49 1,n"], "line 2: phone is not possible"),
        ([f"{LINES[0]},n", f"Bo Lind,{LINES[0].split(',')[1]},n"], "line 3: phone stands under"),
        ([f"{'Q7x ' * 40}Roe,,n"], "line 2: name: "),
    ],
)
def test_bad_rows_end_the_command_and_write_nothing(score, refused, tmp_path, lines, told):
    refused(score(*lines), told)
    assert not (tmp_path / "out.csv").exists()


def test_bad_rows_are_left_out_where_that_is_asked(score, tmp_path):
    options = ("--kind", "name", "--kind", "phone", "--skip-bad")
    assert score(*(f"{line},n" for line in LINES), "Ed Falk,call me,n", options=options).code == 0
    *good, bad = read_csv(tmp_path / "out.csv")
    assert bad["error"] == "phone is no phone number"
    assert not bad["p"]
    assert all(row["p"] for row in good)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--kind", "name", "--kind", "passport"), "--kind: got 'passport'"),
        (("--kind", "name", "--kind", "name"), "--kind: names one twice"),
        (("--kind", "name", "--kind", "phone", "--pseudonymous"), "--pseudonymous"),
        (("--kind", "name", "--kind", "email"), "no column text nor name and email"),
    ],
)
def test_what_such_lists_cannot_have_is_told(score, refused, options, told):
    ended = score(f"{LINES[0]},n", options=options)
    assert ended.code != 0
    assert told in ended.err


def test_without_the_columns_the_fields_are_named(score, refused):
    refused(score("Ada Roe", header="who"), "no column text nor name and phone")
