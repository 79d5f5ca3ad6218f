"""The evidence file comes back as it was, or is refused."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from flows.pages import kinds
from flows.pages.evidence import (
    FORMAT,
    OWN_KINDS,
    Evidence,
    evidence_schema,
    evidence_text,
    read_evidence,
    report_kind,
)
from flows.pages.model_card import model_card
from flows.pages.publish import render_evidence
from tuni.errors import RequestError

SCHEMA = Path(__file__).parents[3] / "docs" / "evidence.schema.json"
KINDS = ("job", "audit", "comparison", "benchmark")


@pytest.fixture
def file(tmp_path: Path, job_evidence: Evidence) -> Path:
    path = tmp_path / "evidence.json"
    path.write_text(evidence_text(job_evidence), encoding="utf-8")
    return path


def test_every_page_of_the_room_is_a_kind() -> None:
    pages = Path(str(kinds.__file__)).parent.glob("*_page.py")
    assert {f"{name}_page" for name in OWN_KINDS} == {page.stem for page in pages}
    for name in OWN_KINDS:
        assert report_kind(name).facts.__dataclass_fields__["kind"].default == name


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_comes_back_equal_and_gives_the_same_page(
    every_evidence: dict[str, Evidence], kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "any.json"
    path.write_text(evidence_text(every_evidence[kind]), encoding="utf-8")
    found = read_evidence(path)
    assert found == every_evidence[kind]
    assert render_evidence(found) == render_evidence(every_evidence[kind])


def test_every_kind_fits_the_published_schema_and_another_file_does_not(
    every_evidence: dict[str, Evidence],
) -> None:
    published = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert published == evidence_schema()
    check = Draft202012Validator(published)
    for kind in KINDS:
        content = json.loads(evidence_text(every_evidence[kind]))
        check.validate(content)
        content["evidence"]["facts"]["kind"] = "letter"
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
        (
            json.dumps({"format": FORMAT - 1, "digest": "", "evidence": {}}),
            "format 1 is older, this version",
        ),
        (json.dumps({"format": "x", "digest": "", "evidence": {}}), "format 'x' is unknown"),
        ("{", "is no evidence file"),
        ("[]", "is no evidence file"),
        ("[" * 100_000, "is no evidence file"),
        ('{"format": 2, "digest": 7, "evidence": {"facts": NaN}}', "not what format 2 says"),
    ],
)
def test_another_format_and_what_is_none_is_refused(file: Path, content: str, words: str) -> None:
    file.write_text(content, encoding="utf-8")
    with pytest.raises(RequestError, match=words):
        read_evidence(file)


def test_the_card_tells_power_with_intervals_and_how_to_repeat(job_evidence: Evidence) -> None:
    card = model_card(job_evidence)
    for words in ("41 of 60", "0.880 to 0.970", "no proof", "namesake", "tuni run", "cd" * 32):
        assert words in card
    assert "ours\\_vit \\<b\\>" in card


def test_the_card_of_an_audit_tells_what_was_found_and_hides_what_the_page_hides(
    audit_evidence: Evidence,
) -> None:
    card = model_card(audit_evidence)
    for words in ("400 people", "68 %", "training membership: 70", "fewer than 5", "no proof"):
        assert words in card
    withheld = replace(audit_evidence.facts, withheld="decoys differ", found=None)
    assert "**No verdict is given.** decoys differ" in model_card(
        replace(audit_evidence, facts=withheld)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_writes_the_page_of_any_kind(
    tuni, every_evidence: dict[str, Evidence], kind: str, tmp_path: Path
) -> None:
    file, page = tmp_path / "any.json", tmp_path / "page.html"
    file.write_text(evidence_text(every_evidence[kind]), encoding="utf-8")
    done = tuni("report", file, "--out", page)
    assert done.code == 0, done
    assert page.read_text(encoding="utf-8") == render_evidence(every_evidence[kind])


def test_the_command_writes_a_card_and_refuses(
    tuni, refused, file: Path, job_evidence: Evidence, comparison_evidence: Evidence
) -> None:
    done = tuni("report", file, "--model-card")
    assert done.code == 0, done
    assert done.out == model_card(job_evidence)
    refused(tuni("report", file), "--out: not given")
    file.write_text(evidence_text(comparison_evidence), encoding="utf-8")
    refused(tuni("report", file, "--model-card"), "about a comparison, not about one model")
    file.write_text("{}", encoding="utf-8")
    refused(tuni("report", file, "--model-card"), "is no evidence file")


def test_a_page_is_rendered_without_torch_mlflow_and_prefect() -> None:
    code = (
        "import sys, flows.pages.evidence, flows.pages.publish, flows.pages.model_card;"
        "sys.exit(bool({'torch', 'mlflow', 'prefect', 'sqlalchemy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_evidence_file_without_an_end_is_refused(endless: Path) -> None:
    with pytest.raises(RequestError, match="larger than"):
        read_evidence(endless)
