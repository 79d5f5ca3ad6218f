"""A list alone, or nothing but a checkpoint: the job runs, and says that power is unknown."""

import json
from pathlib import Path

import pytest

SUBJECTS = {"label-free": 'list = "{lists}/everyone.csv"', "none": ""}
REQUEST = """
[checkpoint]
name = "{name}"
folder = "{bed}/checkpoint"
[subjects]
{subjects}
[nulls]
gibberish = 500
decoy_fit = 200
decoy_search = 100
decoy_calibration = 200
decoy_check = 50
[features]
inversion = false
geometry = false
[search]
trials = 3
[compute]
threads = 1
"""


@pytest.mark.parametrize("objective", ["label-free", "none"])
def test_a_job_without_labels_registers_a_detector_of_unknown_power(
    bed, truth, own_home, tuni, tmp_path, objective
):
    names = "\n".join(["text", *(row["text"] for row in truth)])
    (tmp_path / "everyone.csv").write_text(names, encoding="utf-8")
    (tmp_path / "few.csv").write_text("\n".join(names.split("\n")[:12]), encoding="utf-8")
    subjects = SUBJECTS[objective].format(lists=tmp_path)
    request = tmp_path / "request.toml"
    request.write_text(REQUEST.format(name="quiet", bed=bed, subjects=subjects), encoding="utf-8")

    done = tuni(own_home, "run", request, "--json")
    assert done.returncode in (0, 3), done.stderr
    result = json.loads(done.stdout)
    assert done.returncode == (3 if result["withheld"] else 0)
    assert "Power is unknown" in result["found"]
    assert "test_auc" not in result["figures"]
    if objective == "none":
        assert result["detector"].startswith("H")
    job = Path(result["report"]).parent
    choice = json.loads((job / "choice.json").read_text(encoding="utf-8"))
    assert choice["objective"] == objective
    assert len(choice["trials"]) == (0 if objective == "none" else 2 + 1)
    assert "unknown" in (job / "report.html").read_text(encoding="utf-8")

    scored = tuni(
        own_home, "score", "--checkpoint", "quiet", "--version", "1", "--json",
        "--subjects", tmp_path / "few.csv", "--out", tmp_path / "out.csv",
    )  # fmt: skip
    told = json.loads(scored.stdout)
    assert scored.returncode == (3 if told["withheld"] else 0), scored.stderr
    # The home's key is drawn, and with it the split: the negative control fails now and then.
    power = "withheld: a gate failed" if result["withheld"] else None
    assert told["measured_power"] == power
    assert (power or "not measured") in (tmp_path / "out.csv").read_text(encoding="utf-8")
