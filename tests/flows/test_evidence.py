"""The evidence file comes back as it was, or is refused."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from flows.evidence import FORMAT, Evidence, evidence_schema, evidence_text, read_evidence
from flows.model_card import model_card
from flows.report import render_report
from flows.report_facts import Chart, Gate, Power, ReportFacts, Search, Trial
from tuni.errors import RequestError
from tuni.intervals import Interval, rate

SCHEMA = Path(__file__).parents[2] / "docs" / "evidence.schema.json"
POWER = Power(
    members=60,
    nonmembers=60,
    auc=0.93,
    auc_interval=Interval(0.88, 0.97),
    found=rate(41, 60),
    accused=rate(2, 60),
    found_at=((0.05, rate(43, 60)), (0.001, None)),
    by_captions=(("1", rate(1, 12)), ("20 or more", rate(15, 15))),
)
FACTS = ReportFacts(
    checkpoint="ours_vit <b>",
    fingerprint="ab" * 32,
    written="24 November 2026",
    detector="H",
    operating_point=0.05,
    asked=(("Kind of text", "name"),),
    power=POWER,
    search=Search("the partial AUC", 2, (Trial("H", 0.93, "chosen"), Trial("x", None)), "Stays."),
    gates=(Gate("blind gate", None, "not run"),),
    charts=(Chart("power", "Title", "Caption", "A curve", "<svg viewBox='0 0 9 9'></svg>"),),
    versions={"tuni": "0.1.0"},
    command="tuni run request.toml",
)
EVIDENCE = Evidence(FACTS, {"auc": 0.1 + 0.2}, {"bundle": "cd" * 32})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "evidence.json"
    path.write_text(evidence_text(EVIDENCE), encoding="utf-8")
    return path


def test_it_comes_back_equal_and_gives_the_same_page(file: Path) -> None:
    found = read_evidence(file)
    assert found == EVIDENCE
    assert render_report(found.facts) == render_report(FACTS)


def test_it_fits_the_published_schema_and_another_file_does_not(file: Path) -> None:
    published = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert published == evidence_schema()
    check = Draft202012Validator(published)
    content = json.loads(file.read_text(encoding="utf-8"))
    check.validate(content)
    content["evidence"]["facts"]["power"]["auc"] = "high"
    assert not check.is_valid(content)


def test_an_altered_figure_is_noticed(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    changed = text.replace('"hits": 41', '"hits": 51')
    assert changed != text
    file.write_text(changed, encoding="utf-8")
    with pytest.raises(RequestError, match="was altered"):
        read_evidence(file)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (json.dumps({"format": FORMAT - 1, "digest": "", "evidence": {}}), "format 0, this"),
        ("{", "is no evidence file"),
        ("[]", "is no evidence file"),
        ("[" * 100_000, "is no evidence file"),
        ('{"format": 1, "digest": 7, "evidence": {"facts": NaN}}', "not what format 1 says"),
    ],
)
def test_another_format_and_what_is_none_is_refused(file: Path, content: str, words: str) -> None:
    file.write_text(content, encoding="utf-8")
    with pytest.raises(RequestError, match=words):
        read_evidence(file)


def test_the_card_tells_power_with_intervals_and_how_to_repeat() -> None:
    card = model_card(EVIDENCE)
    for words in ("41 of 60", "0.880 to 0.970", "no proof", "namesake", "tuni run", "cd" * 32):
        assert words in card
    assert "ours\\_vit \\<b\\>" in card


def test_the_command_writes_page_and_card_and_refuses(tuni, refused, file: Path) -> None:
    page = file.with_name("page.html")
    done = tuni("report", file, "--out", page, "--model-card")
    assert done.code == 0, done
    assert page.read_text(encoding="utf-8") == render_report(FACTS)
    assert done.out == model_card(EVIDENCE)
    refused(tuni("report", file), "--out: not given")
    file.write_text("{}", encoding="utf-8")
    refused(tuni("report", file, "--model-card"), "is no evidence file")
