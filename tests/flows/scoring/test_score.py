"""What `tuni score` writes, prints and ends with."""

import contextlib
import json

import pyarrow.parquet as pq
import pytest

from flows.machine.console import current_progress
from flows.machine.settings import Settings
from flows.scoring.score import ScoreRequest, score_file
from tests.objects import read_csv

NAMES = ["Anna Abbott", "Boris Brown", "Carla Cole", "anna  ABBOTT"]
NUMBERS = ("score", "p_decoy", "p_gibberish", "q_value", "operating_point")
OURS = (*NUMBERS, "verdict", "measured_power", "flags", "model_version", "fingerprint", "error")


@pytest.fixture
def score(tuni, registered, tmp_path):
    """Scores a file and gives how it ended; the verdicts lie in ``out``."""

    def run(subjects, out="verdicts.csv", *options, **environment):
        return tuni(
            "score", "--checkpoint", "tiny", "--subjects", subjects, "--out", tmp_path / out,
            "--decoys", 200, *options, home=registered.home, **environment,
        )  # fmt: skip

    return run


def read(path):
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    return read_csv(path)


def plain(row):
    """A row as a CSV would tell it."""
    told = {name: "" if row[name] is None else row[name] for name in ("text", *OURS)}
    return told | {name: float(told[name]) for name in NUMBERS}


def test_verdicts_are_the_same_in_every_format_in_and_out(score, csv_file, tmp_path):
    text = csv_file("list.csv", "text,note\n" + "".join(f"{one},n\n" for one in NAMES))
    assert score(text, "v.parquet").code == 0
    (tmp_path / "list.parquet").write_bytes((tmp_path / "v.parquet").read_bytes())
    table = pq.read_table(tmp_path / "v.parquet")
    assert [str(table.schema.field(name).type) for name in NUMBERS] == ["double"] * 5
    assert score(text).code == 0
    assert score(tmp_path / "list.parquet", "v.jsonl").code == 0
    assert score(tmp_path / "v.jsonl", "again.parquet").code == 0
    expected = [plain(row) for row in read(tmp_path / "verdicts.csv")]
    assert [row["text"] for row in expected] == NAMES
    for name in ("v.parquet", "v.jsonl", "again.parquet"):
        assert [plain(row) for row in read(tmp_path / name)] == expected
    assert {row["note"] for row in read(tmp_path / "again.parquet")} == {"n"}
    # A column of the input that bears one of our names keeps its content beside ours.
    assert [row["score_input"] for row in read(tmp_path / "v.jsonl")] == [
        row["score"] for row in read(tmp_path / "v.parquet")
    ]


@pytest.mark.parametrize(
    ("written", "names"),
    [('"{1}, {0}"', "last-first"), ("{0}_{1}", "underscores")],
)
def test_names_in_another_arrangement_are_refused_or_read_on_request(
    written, names, score, csv_file, tmp_path
):
    assert score(csv_file("plain.csv", "text\n" + "\n".join(NAMES[:3]) + "\n")).code == 0
    lines = [written.format(*name.split()) for name in NAMES[:3]]
    arranged = csv_file("arranged.csv", "text\n" + "\n".join(lines) + "\n")
    refused = score(arranged, "refused.csv")
    assert refused.code == 2
    assert f"--names {names}" in refused.err
    assert not (tmp_path / "refused.csv").exists()
    assert score(arranged, "again.csv", "--names", names).code == 0
    plain, read_so = read(tmp_path / "verdicts.csv"), read(tmp_path / "again.csv")
    assert [row["text"] for row in read_so] == [line.strip('"') for line in lines]
    assert [{**row, "text": ""} for row in read_so] == [{**row, "text": ""} for row in plain]


@pytest.mark.parametrize("out", ["verdicts.xlsx", "verdicts.json"])
def test_a_format_that_is_not_written_is_refused_at_once(out, score, csv_file, tmp_path):
    ended = score(csv_file("list.csv", f"text\n{NAMES[0]}\n"), out)
    assert ended.code == 2
    assert ".parquet or .jsonl" in ended.err
    assert not (tmp_path / out).exists()


def test_people_in_two_spellings_get_one_verdict(score, csv_file, tmp_path):
    assert score(csv_file("list.csv", "text\n" + "\n".join(NAMES) + "\n")).code == 0
    first, *_, last = read(tmp_path / "verdicts.csv")
    assert {**first, "text": ""} == {**last, "text": ""}
    assert (first["text"], last["text"]) == (NAMES[0], NAMES[3])


def test_no_cell_of_a_csv_begins_a_formula(score, csv_file, tmp_path):
    content = 'text,note,=head\nAnna Abbott,=1+1,"@SUM(A1)"\nBoris Brown,-2.5,+x\n'
    assert score(csv_file("list.csv", content)).code == 0
    rows = read(tmp_path / "verdicts.csv")
    assert [(row["note"], row["'=head"]) for row in rows] == [
        ("'=1+1", "'@SUM(A1)"),
        ("-2.5", "'+x"),
    ]
    assert score(tmp_path / "list.csv", "v.jsonl").code == 0
    assert [row["note"] for row in read(tmp_path / "v.jsonl")] == ["=1+1", "-2.5"]


def test_bad_rows_are_written_with_the_reason_when_asked(score, csv_file, tmp_path):
    content = "text,id\nAnna Abbott,1\nB\x07,2\nBoris Brown,3\n"
    done = score(csv_file("list.csv", content), "verdicts.csv", "--skip-bad", "--json")
    assert done.code == 0
    assert done.result()["refused"] == 1
    rows = read(tmp_path / "verdicts.csv")
    assert [row["id"] for row in rows] == ["1", "2", "3"]
    assert [row["error"] for row in rows] == ["", "text holds a control character", ""]
    assert [bool(row["score"]) for row in rows] == [True, False, True]


def test_a_pseudonymous_output_names_nobody(score, csv_file, tmp_path):
    content = "text,mail\n" + "".join(f"{one},{one}@x\n" for one in NAMES) + "B\x07,x\n"
    subjects = csv_file("list.csv", content)
    done = score(subjects, "verdicts.csv", "--pseudonymous", "--skip-bad", "--json")
    assert done.code == 0
    assert done.result()["columns_left_out"] == 1
    assert score(subjects, "named.csv", "--skip-bad").code == 0
    written = (tmp_path / "verdicts.csv").read_text()
    assert not [name for name in ("anna", "boris", "carla", "mail") if name in written.lower()]
    rows, named = read(tmp_path / "verdicts.csv"), read(tmp_path / "named.csv")
    assert next(iter(rows[0])) == "pseudonym"
    assert [{**row, "pseudonym": 0} for row in rows] == [
        {"pseudonym": 0, **{name: row[name] for name in row if name not in ("text", "mail")}}
        for row in named
    ]
    marks = [row["pseudonym"] for row in rows]
    assert marks[0] == marks[3]
    assert len(set(marks[:3])) == 3
    assert {len(mark) for mark in marks[:4]} == {64}
    assert marks[4] == ""
    told = score(subjects, "verdicts.csv", "--pseudonymous", "--skip-bad").out
    assert "left out: 1 other columns of the input, which could name people" in told


def test_the_result_as_json_holds_counts_and_no_text(score, csv_file, registered, tmp_path):
    done = score(csv_file("list.csv", "text\n" + "\n".join(NAMES) + "\n"), "v.csv", "--json")
    assert done.code == 0
    told = done.result()
    assert told["texts"] == 4
    assert sum(told["verdicts"].values()) == 4
    assert told["model"] == "tiny"
    assert told["version"] == registered.version
    assert told["withheld"] is None
    assert told["list_decoys"] > 0
    assert not [name for name in NAMES if name in done.out]
    words = score(tmp_path / "list.csv", "v.csv").out
    assert "v.csv: 4 texts, detector tiny version 1" in words
    assert "a namesake makes a name known" in words


def test_withheld_verdicts_end_with_3_and_leave_p_and_q_empty(score, csv_file, tmp_path):
    letters = "abcdefghijkl"
    grid = [f"Q{one}xx Zz{other}qx" for one in letters for other in letters]
    done = score(csv_file("list.csv", "text\n" + "\n".join(grid[:60]) + "\n"))
    assert done.code == 3
    assert "verdicts withheld: " in done.out
    for row in read(tmp_path / "verdicts.csv"):
        assert (row["verdict"], row["p_decoy"], row["q_value"]) == ("withheld", "", "")
        assert "spelling_tells" in row["flags"].split()
        assert float(row["score"]) == float(row["score"])


def test_a_device_that_is_not_there_is_refused(score, csv_file, tmp_path, refused):
    subjects = csv_file("list.csv", "text\nAnna Abbott\n")
    refused(score(subjects, "v.csv", "--device", "cuda:7"), "device")
    refused(score(subjects, "v.csv", "--device", "tpu"), "device")
    assert not (tmp_path / "v.csv").exists()


def test_a_version_is_chosen_by_number_or_alias(score, csv_file, registered, refused):
    subjects = csv_file("list.csv", "text\nAnna Abbott\n")
    for version in ("champion", registered.version):
        assert score(subjects, "v.csv", "--version", version).code == 0
    refused(score(subjects, "v.csv", "--version", 99), "no version or alias 99")


@pytest.mark.parametrize("out", ["v.csv", "v.parquet", "v.jsonl"])
def test_nothing_is_left_of_an_output_that_fails(score, csv_file, tmp_path, out, refused):
    subjects = csv_file("list.csv", "text\nAnna Abbott\nB\x07\n")
    refused(score(subjects, out), "line 3", "control")
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == ["list.csv"]


class Recording:
    """Notes how many texts each stage goes through."""

    def __init__(self):
        self.totals = []

    @contextlib.contextmanager
    def stage(self, label, total):
        self.totals.append(total)
        yield lambda _units: None


@pytest.mark.parametrize(
    ("first", "options"), [("Dora", {"decoys": 200}), ("Elsa", {"decoys": 300})]
)
def test_what_is_told_to_be_encoded_is_encoded(registered, csv_file, tmp_path, first, options):
    names = [f"{first} Dahl{end}" for end in ("", "berg", "gren", "mann", "quist")]
    subjects = csv_file("list.csv", "\n".join(["text", *names, "Elin", ""]))
    asked = ScoreRequest("tiny", subjects, tmp_path / "v.csv", **options)
    drawn, told = Recording(), []
    token = current_progress.set(drawn)
    try:
        for _ in range(2):
            score_file(asked, Settings(home=registered.home), told.append)
    finally:
        current_progress.reset(token)
    once, again = told
    assert once.people == len(names) + 1
    assert once.encoded == sum(drawn.totals) > 0
    assert once.seconds > 0
    assert again.encoded == 0  # all of it is kept


def test_the_cost_is_told_before_the_verdicts(score, csv_file):
    done = score(csv_file("list.csv", "text\n" + "\n".join(NAMES) + "\n"))
    assert done.err.startswith("3 people beside 200 decoys, ")


def test_a_list_of_two_cultures_is_told_that_its_decoys_mix_them(score, csv_file):
    """Half the names end like Makinen and Lahtinen, half like Kowalski and Nowacki."""
    stems = ("Mak", "Laht", "Kor", "Niem", "Sal", "Ran", "Hiet", "Vir", "Tur", "Lep", "Kos", "Var")
    own = [
        f"{stems[row]}{end} {stems[row - shift]}{end}"
        for end, shift in (("inen", 5), ("acki", 3))
        for row in range(len(stems))
    ]
    mixed = [f"{name[:-4]}{('inen', 'acki')[row % 2]}" for row, name in enumerate(own)]
    assert "go together in this list" in score(csv_file("own.csv", "text\n" + "\n".join(own))).out
    words = score(csv_file("mixed.csv", "text\n" + "\n".join(mixed))).out
    assert "go together in this list" not in words
